# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The lit suite: see docs/Testing.md. Loaded by build/test/lit.site.cfg.py."""

import ctypes
import os
import shlex
import shutil

import lit.formats
import lit.llvm.config  # noqa: F401  (makes sure that this is LLVM's lit)

config.name = "llmc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test", ".onnxtxt"]
config.excludes = ["Inputs", "CAPI", "Tokenizer"]
config.test_source_root = os.path.join(config.llmc_source_dir, "test")
config.test_exec_root = os.path.join(config.llmc_build_dir, "test")

bin_dir = os.path.join(config.llmc_build_dir, "bin")
config.environment["PATH"] = os.pathsep.join(
    [bin_dir, config.llvm_tools_dir, config.environment["PATH"]])
# Locale and user settings must not change what a test sees.
config.environment["LC_ALL"] = "C.UTF-8"
config.environment["PYTHONDONTWRITEBYTECODE"] = "1"

# Longer names first: lit replaces in this order.
e2e_dir = os.path.join(config.test_source_root, "E2E")
for name, value in [
        ("%llmc-opt", os.path.join(bin_dir, "llmc-opt")),
        ("%llmc-run", os.path.join(bin_dir, "llmc-run")),
        ("%llmc-plan", os.path.join(bin_dir, "llmc-plan")),
        ("%llmc-lsp", os.path.join(bin_dir, "llmc-lsp")),
        ("%llmc", os.path.join(bin_dir, "llmc")),
        ("%bin", bin_dir),
        ("%models", os.path.join(config.llmc_source_dir, "models")),
        ("%shared", config.shared_models or "shared-models-are-not-here"),
        ("%source", config.llmc_source_dir),
        ("%check_expected", "%s %s" % (shlex.quote(config.python), shlex.quote(
            os.path.join(e2e_dir, "check_expected.py")))),
        ("%python", config.python)]:
    config.substitutions.append((name + r"\b", value))


def has_nvrtc():
    for suffix in ["", ".13", ".12", ".11.2"]:
        try:
            ctypes.CDLL("libnvrtc.so" + suffix)
            return True
        except OSError:
            continue
    return False


def cpu_flags():
    """What the processor and the operating system allow, as Linux lists it."""
    try:
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("flags"):
                    return set(line.split(":", 1)[1].split())
    except OSError:
        pass
    return set()


flags = cpu_flags()
if config.shared_models and os.path.isdir(config.shared_models):
    config.available_features.add("shared-models")
if shutil.which("chromium"):
    config.available_features.add("chromium")
if has_nvrtc():
    config.available_features.add("nvrtc")
if {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"} <= flags:
    config.available_features.add("avx512")
    if "avx512_vnni" in flags:
        config.available_features.add("avx512vnni")

#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks what compilers do not: walls between libraries, headers, sizes, words.

Checks every file that git tracks or would add. Rules (RULE in the output):
  wall        a library includes only what docs/Architecture.md allows it
  global      no cl::opt and no getenv under lib/ and include/
  guard       a header has an include guard named after its path
  licence     a source file names the licence in its first lines
  length      a source file has at most 800 lines, unless its head says why:
              a comment with `lint: long because ...`
  todo        TODO and FIXME name an issue or a condition: TODO(#12), TODO(when ...)
  path        no absolute path of somebody's machine
  format      clang-format leaves the file as it is (only with --format)
Exit code 1 when a rule is broken.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys

MAX_LINES = 800
CODE = (".h", ".hpp", ".c", ".cpp", ".inc", ".cuh")
LICENSED = CODE + (".td", ".py")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)

COMPILER = r"(llvm|mlir|lld|clang)[/-]|(onnx|google/protobuf)/"
# Folder -> what its files must not include, longest folder first.
WALLS = [
    ("include/llmc-c/", r"(?!llmc-c/|std(def|int|bool)\.h$)"),
    ("include/llmc/Runtime.hpp", COMPILER + r"|llmc/"),
    ("lib/Runtime/", COMPILER + r"|llmc/|iostream$"),
    ("include/llmc/Tokenizer/", COMPILER + r"|llmc-c/|llmc/(?!Tokenizer/)"),
    ("lib/Tokenizer/", COMPILER + r"|llmc-c/|llmc/(?!Tokenizer/)"),
    ("tools/llmc-run/", COMPILER + r"|llmc/(?!Tokenizer/|Runtime\.hpp)"),
    ("include/llmc/Support/", r"mlir/|llmc/(?!Support/)"),
    ("lib/Support/", r"mlir/|llmc/(?!Support/)"),
    ("include/llmc/Dialect/", r"llmc/(?!Support/|Dialect/)|onnx/|google/"),
    ("lib/Dialect/", r"llmc/(?!Support/|Dialect/)|onnx/|google/"),
    ("include/llmc/Reference/", r"llmc/(?!Support/|Dialect/|Reference/)|onnx/|google/"),
    ("lib/Reference/", r"llmc/(?!Support/|Dialect/|Reference/)|onnx/|google/"),
    ("include/llmc/Import/", r"llmc/(?!Support/|Dialect/|Import/)|onnx/|google/"),
    ("lib/Import/", r"llmc/(?!Support/|Dialect/|Import/)"),
    ("lib/Analysis/Planner/", r"(llvm|mlir)/|llmc-c/|llmc/(?!Analysis/ArenaPlanner\.h)"),
    ("tools/llmc-plan/", r"(llvm|mlir)/|llmc-c/|llmc/(?!Analysis/ArenaPlanner\.h)"),
    ("lib/Analysis/", r"llmc/(Import|CodeGen|Pipelines|Tokenizer|Transforms)/|onnx/|google/"),
    ("lib/Transforms/", r"llmc/(Import|CodeGen|Pipelines|Tokenizer)/|onnx/|google/"),
    ("lib/Conversion/", r"llmc/(Import|CodeGen|Pipelines|Tokenizer)/|onnx/|google/"),
    ("lib/CodeGen/CPU/Microkernels/", r"mlir/|llmc/(?!CodeGen/CPU/|Support/)|onnx/|google/"),
    ("include/llmc/CodeGen/", r"llmc/(Import|Pipelines|Tokenizer|Transforms)/|llmc-c/Runtime\.h|onnx/|google/"),
    ("lib/CodeGen/", r"llmc/(Import|Pipelines|Tokenizer|Transforms)/|llmc-c/Runtime\.h|onnx/|google/"),
    ("lib/Pipelines/", r"llmc-c/Runtime\.h|llmc/(Runtime\.hpp|Tokenizer/)|onnx/|google/"),
]
# Relative includes could climb over a wall.
CLIMBS = re.compile(r"(^|/)\.\./.*(Runtime|CodeGen|Import|Pipelines)/")
# Home folders and this kind of places; /tmp and /usr are everybody's.
MACHINE_PATH = re.compile(r"(?<![\w.<>%}$/-])/(root|home|work|Users|mnt|workspace)/[\w.]")


def blank_comments(text):
    """The text without // and /* */ comments, its lines kept."""
    def blank(match):
        found = match.group(0)
        return found if found[0] == '"' else re.sub(r"[^\n]", " ", found)
    return re.sub(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', blank, text, flags=re.S)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def check_walls(path, text):
    code = blank_comments(text)
    rule = next((r for folder, r in WALLS if path.startswith(folder)), None)
    for match in INCLUDE.finditer(code):
        name = match.group(1)
        if rule and re.match(rule, name):
            yield line_of(text, match.start()), "wall", "must not include %s" % name
        elif path.startswith("lib/") and CLIMBS.search(name):
            yield line_of(text, match.start()), "wall", "%s reaches into another library" % name
    if path.startswith(("lib/", "include/")):
        for match in re.finditer(r"\bcl::(opt|list|bits|alias)\b|\b(secure_)?getenv\b", code):
            yield line_of(text, match.start()), "global", "%s: options belong to the tools" % match.group(0)


def check_guard(path, text):
    # include/llmc/A/B.h -> LLMC_A_B_H; lib/A/B.h -> LLMC_LIB_A_B_H is one accepted form.
    match = re.search(r"^#ifndef (\w+)\n#define (\w+)\s", text, re.M)
    if not match or match.group(1) != match.group(2):
        if not re.search(r"^#pragma once", text, re.M):
            yield 1, "guard", "no include guard"
        else:
            yield 1, "guard", "#pragma once: a guard named after the path is the form here"
        return
    stem = re.sub(r"\W", "_", os.path.basename(path)).upper()
    guard = match.group(1).replace("_", "")
    if not guard.startswith("LLMC") or not guard.endswith(stem.replace("_", "")):
        yield line_of(text, match.start()), "guard", "guard %s does not end in %s" % (match.group(1), stem)


def check_text(path, text):
    head = "\n".join(text.splitlines()[:8])
    if path.endswith(LICENSED) and "SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception" not in head:
        yield 1, "licence", "no SPDX line in the first 8 lines"
    lines = text.count("\n")
    if path.endswith(LICENSED) and lines > MAX_LINES and "lint: long because" not in "\n".join(text.splitlines()[:40]):
        yield lines, "length", "%d lines, at most %d: split by family" % (lines, MAX_LINES)
    for match in re.finditer(r"\b(TODO|FIXME|XXX)\b(?!\((#\d+|when |until |after )[^)]*\))", text):
        if path != "utils/lint.py" and path != "utils/lint_test.py" and path.endswith(
                LICENSED + (".txt", ".cmake", ".mlir", ".test")):
            yield line_of(text, match.start()), "todo", "%s without an issue or a condition" % match.group(1)
    for match in MACHINE_PATH.finditer(text):
        if path != "utils/lint_test.py":
            yield line_of(text, match.start()), "path", "a path of one machine: %s" % match.group(0)


def check_file(path, text):
    """Yields (line, rule, message); path is relative to the repository."""
    if path.endswith(CODE):
        yield from check_walls(path, text)
    if path.endswith((".h", ".hpp")):
        yield from check_guard(path, text)
    yield from check_text(path, text)


def repository_files(root):
    output = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True, stdout=subprocess.PIPE).stdout.decode()
    return sorted(p for p in output.split("\0") if p and os.path.isfile(os.path.join(root, p)))


def read_text(path):
    with open(path, "rb") as file:
        data = file.read()
    if b"\0" in data[:8192]:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def check_format(root, paths):
    formatter = next(filter(None, map(shutil.which, ("clang-format-22", "clang-format"))), None)
    if not formatter:
        print("lint: SKIPPED format: no clang-format", file=sys.stderr)
        return
    for path in paths:
        text = read_text(os.path.join(root, path))
        done = subprocess.run([formatter, "--style=file", path], cwd=root, check=True,
                              stdout=subprocess.PIPE).stdout.decode()
        if text != done:
            first = next((i for i, (a, b) in enumerate(zip(text.splitlines(), done.splitlines()), 1)
                          if a != b), 1)
            yield path, first, "format", "run %s -i %s" % (os.path.basename(formatter), path)


def main(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                        help="repository to check")
    parser.add_argument("--format", action="store_true", help="also run clang-format over C and C++")
    parser.add_argument("files", nargs="*", help="only these, relative to the repository")
    arguments = parser.parse_args(argv)
    paths = arguments.files or [
        p for p in repository_files(arguments.root)
        if not p.startswith("models/") and not p.startswith("docs/generated/")
        and p not in ("LICENSE", "test/Tokenizer/components.json")]
    broken = 0
    for path in paths:
        text = read_text(os.path.join(arguments.root, path))
        if text is None:
            continue
        for line, rule, message in check_file(path, text):
            print("%s:%d: %s: %s" % (path, line, rule, message))
            broken += 1
    if arguments.format:
        code = [p for p in paths if p.endswith((".h", ".hpp", ".c", ".cpp"))]
        for path, line, rule, message in check_format(arguments.root, code):
            print("%s:%d: %s: %s" % (path, line, rule, message))
            broken += 1
    print("lint: %d files, %d faults" % (len(paths), broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Takes architectures that llmc has no recorded models of from PyPI's exporters to results.

Each architecture is made from a tiny configuration with random weights (no download but
PyPI's packages), exported, run by onnxruntime, compiled by `llmc compile` and compared by
`llmc-run verify` at its default tolerance. Recognition must find as many layers with
attention, or what the architecture has in its place, as the model has and leave nothing
unmatched; a decoder's prefill and decode must agree with the functional run
(llmc-stateful-check). KNOWN says what is kept in pieces, and why.

The packages of requirements.txt, or of the exporter's own file (5 GB on disk with PyTorch),
are installed on demand in --venv. Exports stay under --work for the next run. Exit code 1
when an architecture fails, 2 when the tests cannot run at all.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

import architectures

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "..", "..", "build")

# (architecture, exporter) of graphs whose recognition or phases are incomplete, and what is.
# Results must be right all the same.
KNOWN = {
    ("granite_swa", "dynamo5"): "sinks by the logarithm of the sum of the scores' powers",
    ("minimax", "dynamo5"): "a recurrence of one token whose decay is a constant",
    ("pegasus_x", "dynamo5"): "scores of blocks and of global tokens side by side",
    ("rwkv", "dynamo5"): "a recurrence of channels with a running maximum",
    ("xlstm", "dynamo5"): "a recurrence with a running maximum",
}

# The packages of exporters that do not take those of requirements.txt.
REQUIREMENTS = {"dynamo5": "requirements-dynamo5.txt"}


class Refusal(Exception):
    """What the user gets instead of results."""


class Failure(Exception):
    """What went wrong with one architecture."""


def run_tool(command, timeout, log=None, environment=None):
    """Standard output of a command that must succeed; all of its output goes to `log`."""
    name = os.path.basename(command[0])
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout, env=environment,
                              text=True, errors="replace")
    except subprocess.TimeoutExpired:
        raise Failure("%s: over %g s" % (name, timeout)) from None
    if log:
        with open(log, "w") as file:
            file.write(done.stdout + done.stderr)
    if done.returncode:
        lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        telling = [line for line in lines if "error" in line.lower() or "FAIL" in line]
        raise Failure("%s: exit code %d: %s" % (name, done.returncode,
                                                (telling or lines or ["no message"])[0]))
    return done.stdout


def prepare_python(folder, requirements):
    """The Python of an environment with the packages of that file."""
    python = os.path.join(folder, "bin", "python")
    wanted = os.path.join(HERE, requirements)
    installed = os.path.join(folder, "requirements.txt")  # a copy, written last
    try:
        with open(wanted) as first, open(installed) as second:
            if first.read() == second.read():
                return python
    except OSError:
        pass
    print("installing the packages of %s in %s" % (os.path.relpath(wanted), folder), flush=True)
    try:
        run_tool([sys.executable, "-m", "venv", folder], 120)
        run_tool([python, "-m", "pip", "install", "--disable-pip-version-check", "--retries", "2",
                  "-r", wanted], 1800)
    except Failure as failure:
        raise Refusal("no environment with the exporters: %s" % failure) from None
    shutil.copyfile(wanted, installed)
    return python


def export(python, name, exporter, folder, options):
    """Writes graphs and recorded calls to `folder` unless an earlier run did."""
    done = os.path.join(folder, "exported")
    if os.path.exists(done) and not options.export:
        return
    environment = dict(os.environ, HF_HUB_OFFLINE="1", PYTHONDONTWRITEBYTECODE="1")
    run_tool([python, os.path.join(HERE, "export_models.py"), name, exporter, folder],
             options.timeout, folder + ".log", environment)
    with open(done, "w"):
        pass


def check_structure(name, functions):
    """Of a decoder: what recognition left in pieces, or None."""
    for function in functions:
        for left in function["unmatched"]:
            return "%s at '%s': %s" % (left["pattern"], left["node"], left["reason"])
    found, wanted = functions[0]["layers"], architectures.mixers_of(name)
    if len(found) != len(wanted):
        return "%d layers of %d" % (len(found), len(wanted))
    for number, (layer, mixer) in enumerate(zip(found, wanted)):
        if mixer not in layer:
            return "no %s in layer %d" % (mixer, number)
    return None


def check_graph(name, folder, graph, options):
    """Compiles and runs one graph; returns (what was measured, what is incomplete)."""
    llmc, llmc_run, stateful = (os.path.join(options.bin, tool)
                                for tool in ("llmc", "llmc-run", "llmc-stateful-check"))
    source = os.path.join(folder, graph + ".onnx")
    artifact = os.path.join(folder, graph + ".llmc")
    run_tool([llmc, "compile", source, "-o", artifact], options.timeout)
    verified = run_tool([llmc_run, "verify", artifact, os.path.join(folder, "golden", graph)],
                        options.timeout)
    errors = [float(text.split()[0]) for text in verified.split("max rel ")[1:]]
    measured = "%s: largest error %.1e" % (graph, max(errors, default=0))
    functions = json.loads(run_tool([llmc, "inspect", "--graph", "--json", source],
                                    options.timeout))
    incomplete = check_structure(name, functions)
    if architectures.kind_of(name) == "decoder":
        try:
            measured += "; stateful " + run_tool([stateful, artifact], options.timeout).strip()
        except Failure as failure:
            if "no such phase" not in str(failure):
                raise
            incomplete = incomplete or "no prefill and decode"
    if not options.keep:
        os.remove(artifact)
    return measured, incomplete


def check(python, name, exporter, options):
    """Lines of one architecture's results; raises Failure."""
    if (name, exporter) in architectures.NOT_EXPORTED:
        return ["no graph: " + architectures.NOT_EXPORTED[name, exporter]]
    folder = os.path.join(options.work, "%s-%s" % (exporter, name))
    export(python, name, exporter, folder, options)
    graphs = sorted(file[:-len(".onnx")] for file in os.listdir(folder) if file.endswith(".onnx"))
    lines, known = [], KNOWN.get((name, exporter))
    for graph in graphs:
        measured, incomplete = check_graph(name, folder, graph, options)
        if incomplete and not known:
            raise Failure("%s: %s" % (graph, incomplete))
        lines.append(measured + ("; known: " + known if incomplete else ""))
    if known and not any("; known: " in line for line in lines):
        raise Failure("complete now: remove ('%s', '%s') from KNOWN" % (name, exporter))
    return lines


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architectures", nargs="*", metavar="ARCHITECTURE",
                        help="which ones (%s; with genai %s)" % tuple(
                            ", ".join(architectures.DEFAULT[exporter])
                            for exporter in ("optimum", "genai")))
    parser.add_argument("--all", action="store_true",
                        help="all of them: " + ", ".join(architectures.all_names()))
    parser.add_argument("--exporter", default="optimum", choices=architectures.EXPORTERS,
                        help="who writes the graphs (optimum)")
    parser.add_argument("--bin", metavar="DIR", default=os.path.join(BUILD, "bin"),
                        help="folder of llmc and llmc-run (build/bin)")
    parser.add_argument("--work", metavar="DIR", default=os.path.join(BUILD, "new-architectures"),
                        help="where the exports stay (build/new-architectures)")
    parser.add_argument("--venv", metavar="DIR",
                        help="the virtual environment, made on demand (venv under --work)")
    parser.add_argument("--python", metavar="FILE",
                        help="use this Python as it is instead of an environment")
    parser.add_argument("--export", action="store_true", help="export again what is there")
    parser.add_argument("--keep", action="store_true", help="keep the compiled models")
    parser.add_argument("--timeout", type=float, default=300, metavar="S",
                        help="seconds for each command (300)")
    parser.add_argument("--junit", metavar="FILE", help="write the results as JUnit XML")
    options = parser.parse_args(argv)
    options.names = (architectures.all_names() if options.all
                     else options.architectures or architectures.DEFAULT[options.exporter])
    for name in options.names:
        if name not in architectures.all_names():
            parser.error("unknown architecture '%s', see --help" % name)
    return options


def run(options):
    for tool in ("llmc", "llmc-run", "llmc-stateful-check"):
        if not os.access(os.path.join(options.bin, tool), os.X_OK):
            raise Refusal("no %s in %s: build it, or name its folder with --bin"
                          % (tool, os.path.relpath(options.bin)))
    options.work = os.path.abspath(options.work)
    os.makedirs(options.work, exist_ok=True)
    requirements = REQUIREMENTS.get(options.exporter, "requirements.txt")
    python = options.python or prepare_python(
        os.path.abspath(options.venv or os.path.join(
            options.work, requirements.removesuffix(".txt").replace("requirements", "venv"))),
        requirements)
    suite = ET.Element("testsuite", name="new-architectures")
    failed = 0
    for name in options.names:
        begin = time.monotonic()
        case = ET.SubElement(suite, "testcase", name="%s-%s" % (options.exporter, name))
        try:
            lines = check(python, name, options.exporter, options)
        except Failure as failure:
            failed += 1
            lines = ["FAILED: %s" % failure]
            ET.SubElement(case, "failure", message=str(failure))
        case.set("time", "%.1f" % (time.monotonic() - begin))
        for line in lines:
            print("%s: %s" % (name, line), flush=True)
    if options.junit:
        ET.ElementTree(suite).write(options.junit)
    print("%d architectures, %d failed" % (len(options.names), failed))
    return 1 if failed else 0


def main(argv):
    options = parse_arguments(argv)
    try:
        return run(options)
    except Refusal as refusal:
        print("run_new_architectures: %s" % refusal, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

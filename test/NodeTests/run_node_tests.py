#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs ONNX's own backend node tests through `llmc compile` and `llmc-run verify`.

The cases come from the Python package onnx, which generates them; they are stored under
--work and used again by the next run. Outputs are compared as ONNX's test runner does it:
element by element, |result - expected| <= atol + rtol * |expected|, NaN with NaN; but
integers must be equal.

A case that is refused is tried once more with its parameters (axes, shape, ...) as
constants of the model, as exporters write them; that is counted apart. A case is out of
scope for the reasons in node_scope.py; all that is asked of it is a clean refusal.

passing.txt lists the cases that must pass, some with the word `constant`. Exit code 1 when
one of them does not, or when any case crashes or runs out of time; 2 when the tests cannot
run at all.
"""
import argparse
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET

import node_cases
from node_report import (CONSTANT, CRASHED, FAILED, OUTCOMES, PASSED, SKIPPED, TIMED_OUT,
                         count_outcomes, markdown)
from node_scope import is_core, scope_reason

HERE = os.path.dirname(os.path.abspath(__file__))
PASSING = os.path.join(HERE, "passing.txt")


class Refusal(Exception):
    """What the user gets instead of results."""


# --- One case ------------------------------------------------------------------------


def run_tool(command, timeout):
    """Outcome of one command, and what it or we have to say."""
    tool = os.path.basename(command[0])
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout)
    except subprocess.TimeoutExpired:
        return TIMED_OUT, "%s: over %g s" % (tool, timeout)
    text = done.stdout.decode(errors="replace")
    if done.returncode < 0:
        # An assertion or a sanitizer speaks first, its stack dump after it.
        return CRASHED, "%s: %s: %s" % (tool, signal.Signals(-done.returncode).name,
                                        first_line(text))
    if done.returncode > 1:
        return CRASHED, "%s: exit code %d: %s" % (tool, done.returncode, first_line(text))
    return (FAILED, first_error(text)) if done.returncode else (PASSED, "")


def first_line(text):
    return next((line.strip() for line in text.splitlines() if line.strip()), "no message")


def first_error(text):
    """The line that says why: of llmc its first error, of llmc-run the first FAIL."""
    for pattern in (r"\berror: ", r"\bFAIL\b"):
        for line in text.splitlines():
            if re.search(pattern, line):
                return line.strip()
    return first_line(text)


def compile_and_verify(case, source, artifact, options):
    outcome, message = run_tool(
        [os.path.join(options.bin, "llmc"), "compile", os.path.join(source, "model.onnx"),
         "-o", artifact], options.timeout)
    if outcome == PASSED:
        outcome, message = run_tool(
            [os.path.join(options.bin, "llmc-run"), "verify", artifact, source, "--elementwise",
             "--rtol", repr(case["rtol"]), "--atol", repr(case["atol"]), "--threads", "1"],
            options.timeout)
    return outcome, message.replace(source + os.sep, "").replace(artifact, "m.llmc")


def run_case(case, folder, artifacts, options):
    """(outcome, message) of one case."""
    source = os.path.join(folder, case["name"])
    artifact = os.path.join(artifacts, case["name"] + ".llmc")
    outcome, message = compile_and_verify(case, source, artifact, options)
    if outcome == FAILED and case["parameters"]:
        outcome, message = compile_and_verify(case, source + ".constant", artifact, options)
        if outcome == PASSED:
            outcome = CONSTANT
    if outcome == FAILED and scope_reason(case):
        return SKIPPED, scope_reason(case)
    return outcome, message


def run_cases(cases, folder, artifacts, options):
    """Name -> (outcome, message), with a line of progress now and then."""
    os.makedirs(artifacts, exist_ok=True)
    results, shown = {}, time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        started = {pool.submit(run_case, case, folder, artifacts, options): case["name"]
                   for case in cases}
        for future in concurrent.futures.as_completed(started):
            results[started[future]] = future.result()
            if time.monotonic() - shown > 10:
                shown = time.monotonic()
                print("%d of %d cases" % (len(results), len(cases)), flush=True)
    return results


# --- What must pass ------------------------------------------------------------------


def read_list(path):
    """Name -> the outcome that it must have at least."""
    wanted = {}
    if os.path.exists(path):
        with open(path) as file:
            for line in file:
                words = line.partition("#")[0].split()
                if words:
                    wanted[words[0]] = CONSTANT if words[1:] == ["constant"] else PASSED
    return wanted


def write_list(path, wanted):
    with open(path, "w") as file:
        file.write("# ONNX node tests that must pass; `constant`: with parameters as constants of the\n"
                   "# model. Written by run_node_tests.py --update.\n")
        for name, outcome in sorted(wanted.items()):
            file.write(name + (" constant\n" if outcome == CONSTANT else "\n"))


def is_bad(name, outcome, wanted):
    """Whether a case makes the run fail."""
    if outcome in (CRASHED, TIMED_OUT):
        return True
    return name in wanted and outcome not in (PASSED, wanted[name])


def write_junit(path, results, wanted):
    """The cases that must pass and those that crash, for utils/summarize_tests.py."""
    suite = ET.Element("testsuite", name="node-tests")
    for name, (outcome, message) in sorted(results.items()):
        if name in wanted or is_bad(name, outcome, wanted):
            entry = ET.SubElement(suite, "testcase", name=name)
            if is_bad(name, outcome, wanted):
                ET.SubElement(entry, "failure", message="%s: %s" % (outcome, message))
    ET.ElementTree(suite).write(path)


def conclude(cases, results, wanted):
    """Prints what must be put right, then the totals; returns the exit code."""
    bad = [name for name, (outcome, _) in results.items() if is_bad(name, outcome, wanted)]
    for name in sorted(bad):
        print("%s: %s: %s" % (name, *results[name]))
    news = sum(outcome in (PASSED, CONSTANT) and wanted.get(name) not in (outcome, PASSED)
               for name, (outcome, _) in results.items())
    if news:
        print("%d results are better than %s says; --update records them"
              % (news, os.path.basename(PASSING)))
    print(", ".join("%d %s" % pair
                    for pair in zip(count_outcomes(cases, results), ("cases",) + OUTCOMES)))
    return 1 if bad else 0


# --- Command line --------------------------------------------------------------------


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", metavar="DIR",
                        default=os.path.join(HERE, "..", "..", "build", "bin"),
                        help="folder of llmc and llmc-run (build/bin)")
    parser.add_argument("--work", metavar="DIR",
                        help="where the cases stay for the next run (a temporary folder)")
    parser.add_argument("--filter", default="", metavar="REGEX",
                        help="only cases in whose name this is found")
    parser.add_argument("--op", action="append", default=[], metavar="NAME",
                        help="only cases of this operator; may be repeated")
    parser.add_argument("--core", action="store_true",
                        help="only what llmc promises: tiers 1 to 3 in core types")
    parser.add_argument("-j", "--jobs", type=int, default=2, metavar="N",
                        help="cases at once (2)")
    parser.add_argument("--timeout", type=float, default=60, metavar="S",
                        help="seconds for each compilation and each run (60)")
    parser.add_argument("--passing", default=PASSING, metavar="FILE",
                        help="the list of cases that must pass (passing.txt beside this script)")
    parser.add_argument("--update", action="store_true",
                        help="record the results of the cases that ran in that list")
    parser.add_argument("--list", action="store_true", help="print the cases and run none")
    parser.add_argument("--keep", action="store_true",
                        help="keep the compiled models, in artifacts/ under --work")
    parser.add_argument("--report", metavar="FILE.md", help="write tables of the results")
    parser.add_argument("--json", metavar="FILE", help="write every result")
    parser.add_argument("--junit", metavar="FILE", help="write what CI counts, as JUnit XML")
    options = parser.parse_args(argv)
    if options.keep and not options.work:
        parser.error("--keep needs --work")
    if options.jobs < 1:
        parser.error("--jobs must be positive")
    try:
        re.compile(options.filter)
    except re.error as error:
        parser.error("--filter: %s" % error)
    return options


def select(cases, options):
    chosen = [case for case in cases
              if re.search(options.filter, case["name"])
              and (not options.op or case["op"] in options.op)
              and (not options.core or is_core(case))]
    if not chosen:
        raise Refusal("no case is left by --filter, --op and --core")
    return chosen


def write_reports(cases, results, wanted, options):
    if options.report:
        with open(options.report, "w") as file:
            file.write(markdown(cases, results,
                                "Node tests of onnx " + node_cases.installed_version()))
    if options.json:
        with open(options.json, "w") as file:
            json.dump([dict(case, core=is_core(case), outcome=results[case["name"]][0],
                            message=results[case["name"]][1]) for case in cases], file, indent=1)
    if options.junit:
        write_junit(options.junit, results, wanted)


def run(options, work):
    folder, described = node_cases.prepare_cases(work)
    cases = select(described, options)
    if options.list:
        for case in cases:
            print("%s: %s, tier %s; %s" % (case["name"], case["op"], case["tier"],
                                           scope_reason(case) or "in scope"))
        return 0
    for tool in ("llmc", "llmc-run"):
        if not os.access(os.path.join(options.bin, tool), os.X_OK):
            raise Refusal("no %s in %s: build it, or name its folder with --bin"
                          % (tool, os.path.relpath(options.bin)))
    with tempfile.TemporaryDirectory(prefix="llmc-node-artifacts-") as temporary:
        artifacts = os.path.join(work, "artifacts") if options.keep else temporary
        results = run_cases(cases, folder, artifacts, options)
    wanted = read_list(options.passing)
    if options.update:
        for name, (outcome, _) in results.items():
            wanted.pop(name, None)
            if outcome in (PASSED, CONSTANT):
                wanted[name] = outcome
        write_list(options.passing, wanted)
    write_reports(cases, results, wanted, options)
    return conclude(cases, results, wanted)


def main(argv):
    options = parse_arguments(argv)
    try:
        if not node_cases.installed_version():
            raise Refusal(
                "the Python package onnx is missing; this makes an environment that has it:\n"
                "  python3 -m venv DIR && DIR/bin/pip install -r %s\n"
                "Then run this script with DIR/bin/python."
                % os.path.relpath(os.path.join(HERE, "requirements.txt")))
        if options.work:
            return run(options, os.path.abspath(options.work))
        with tempfile.TemporaryDirectory(prefix="llmc-node-cases-") as work:
            return run(options, work)
    except Refusal as refusal:
        print("run_node_tests: %s" % refusal, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Counts test results of one run of scripts/test.

Reads the JUnit files that ctest and lit wrote, and for every GoogleTest program
that ctest started the cases of the program's own report, so that a program with
200 cases counts as 200. Prints each failed and each skipped test, then
`N passed, N failed, N skipped`. Exit code 1 when a test failed or none ran.
"""
import argparse
import os
import sys
import xml.etree.ElementTree as ET
from collections import namedtuple

Result = namedtuple("Result", "name outcome reason")


def parse_junit(path):
    """Yields a Result for each test case of a JUnit (or GoogleTest) file."""
    for case in ET.parse(path).getroot().iter("testcase"):
        name = "/".join(filter(None, [case.get("classname"), case.get("name")]))
        skipped = case.find("skipped")
        # ctest marks by `status`, lit by elements, GoogleTest by `result` too.
        if case.find("failure") is not None or case.find("error") is not None \
                or case.get("status") == "fail":
            yield Result(name, "failed", "")
        elif skipped is not None or case.get("status") in ("disabled", "notrun") \
                or case.get("result") == "skipped":
            reason = skipped.get("message", "") if skipped is not None else ""
            yield Result(name, "skipped", " ".join(reason.split()))
        else:
            yield Result(name, "passed", "")


def merge_ctest(ctest_path, gtest_folder):
    """ctest's results, each GoogleTest program replaced by its cases."""
    results = []
    for result in parse_junit(ctest_path):
        name = result.name.split("/")[-1]
        report = os.path.join(gtest_folder, name + ".xml") if gtest_folder else ""
        if not os.path.exists(report):
            results.append(result._replace(name=name))
            continue
        try:
            cases = [case._replace(name=name + "/" + case.name.replace("/", ".", 1))
                     for case in parse_junit(report)]
        except ET.ParseError:  # died while writing
            cases = []
        results += cases
        # Failed, but no case did: it crashed, or a sanitizer spoke at its end.
        if result.outcome == "failed" and not any(c.outcome == "failed" for c in cases):
            results.append(Result(name, "failed", ""))
    return results


def collect(arguments):
    results = []
    for spec in arguments.ctest:
        stage, _, path = spec.partition("=")
        results += [r._replace(name=stage + ": " + r.name) for r in merge_ctest(
            path, os.path.join(os.path.dirname(path), "gtest-" + stage))]
    for spec in arguments.junit:
        stage, _, path = spec.partition("=")
        results += [r._replace(name=stage + ": " + r.name) for r in parse_junit(path)]
    results += [Result(name, "failed", "") for name in arguments.failed_stage]
    for spec in arguments.skipped_stage:
        stage, _, reason = spec.partition("=")
        results.append(Result(stage, "skipped", reason))
    return results


def main(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ctest", action="append", default=[], metavar="STAGE=FILE",
                        help="ctest's JUnit file; GoogleTest reports are looked for in "
                             "gtest-STAGE/ beside it")
    parser.add_argument("--junit", action="append", default=[], metavar="STAGE=FILE",
                        help="any other JUnit file")
    parser.add_argument("--failed-stage", action="append", default=[], metavar="TEXT",
                        help="something that failed as a whole; counts as one test")
    parser.add_argument("--skipped-stage", action="append", default=[], metavar="STAGE=REASON",
                        help="something that was skipped as a whole; counts as one test")
    results = collect(parser.parse_args(argv))
    for outcome in ("skipped", "failed"):
        for result in results:
            if result.outcome == outcome:
                print("%s: %s%s" % (outcome.upper(), result.name,
                                    " (%s)" % result.reason if result.reason else ""))
    count = {o: sum(r.outcome == o for r in results) for o in ("passed", "failed", "skipped")}
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % count)
    return 1 if count["failed"] or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

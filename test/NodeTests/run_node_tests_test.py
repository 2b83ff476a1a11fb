#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests run_node_tests.py with tools that only pretend; needs no onnx."""
import argparse
import contextlib
import io
import os
import tempfile
import unittest
from unittest import mock

import node_cases
import node_report
import node_scope
import run_node_tests
from node_report import CONSTANT, CRASHED, FAILED, PASSED, SKIPPED, TIMED_OUT

# What it does is in the name of the case's folder, which is all that it is given.
LLMC = """#!/bin/sh
case "$2" in
  *crash*) echo "Assertion failed"; kill -ABRT $$ ;;
  *slow*) exec sleep 20 ;;
  *.constant/*) ;;
  *refused*) echo "warning: w"; echo "error: loc(x): node 'n' (Pad, opset 13): no"; exit 1 ;;
esac
echo compiled >"$4"
"""
LLMC_RUN = """#!/bin/sh
case "$3" in
  *wrong*) echo "  y  f32[2]  max abs 1.0e+00  max rel 1.0e+00  FAIL: 1 of 2"; echo FAILED; exit 1 ;;
esac
"""


def case(name, **changes):
    described = {"name": name, "op": "Add", "tier": node_scope.tier_of("Add"), "parameters": [],
                 "rtol": 1e-3, "atol": 1e-7, "types": ["FLOAT"], "kinds": ["tensor"],
                 "domains": [""], "ops": ["Add"], "training": False}
    return dict(described, **changes)


class RunTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        for name, text in [("llmc", LLMC), ("llmc-run", LLMC_RUN)]:
            path = os.path.join(self.folder, name)
            with open(path, "w") as file:
                file.write(text)
            os.chmod(path, 0o755)

    def run_one(self, *arguments, **changes):
        options = argparse.Namespace(bin=self.folder, timeout=2, jobs=1)
        described = case(*arguments, **changes)
        results = run_node_tests.run_cases([described], self.folder, self.folder, options)
        return results[described["name"]]

    def run_main(self, cases, *arguments):
        output = io.StringIO()
        with mock.patch.object(node_cases, "prepare_cases", lambda work: (self.folder, cases)), \
                mock.patch.object(node_cases, "installed_version", lambda: "0"), \
                contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            code = run_node_tests.main(["--bin", self.folder, "--work", self.folder,
                                        "--timeout", "2", "--passing", self.path("list"),
                                        *arguments])
        return code, output.getvalue()

    def path(self, name):
        return os.path.join(self.folder, name)

    def test_outcomes(self):
        self.assertEqual(self.run_one("fine"), (PASSED, ""))
        self.assertEqual(self.run_one("wrong")[0], FAILED)
        self.assertIn("max abs", self.run_one("wrong")[1])
        self.assertEqual(self.run_one("refused"),
                         (FAILED, "error: loc(x): node 'n' (Pad, opset 13): no"))
        self.assertEqual(self.run_one("crash"), (CRASHED, "llmc: SIGABRT: Assertion failed"))
        self.assertEqual(self.run_one("slow"), (TIMED_OUT, "llmc: over 2 s"))

    def test_parameters_as_constants_are_the_second_try(self):
        self.assertEqual(self.run_one("refused", parameters=["axes"])[0], CONSTANT)
        self.assertEqual(self.run_one("fine", parameters=["axes"])[0], PASSED)
        self.assertEqual(self.run_one("wrong", parameters=["axes"])[0], FAILED)

    def test_out_of_scope_may_be_refused_but_not_crash(self):
        self.assertEqual(self.run_one("refused", types=["STRING"])[0], SKIPPED)
        self.assertEqual(self.run_one("fine", types=["STRING"])[0], PASSED)
        self.assertEqual(self.run_one("crash", types=["STRING"])[0], CRASHED)

    def test_update_then_regression(self):
        cases = [case("fine"), case("refused", parameters=["axes"]), case("wrong")]
        self.assertEqual(self.run_main(cases, "--update")[0], 0)
        self.assertEqual(run_node_tests.read_list(self.path("list")),
                         {"fine": PASSED, "refused": CONSTANT})
        self.assertEqual(self.run_main(cases)[0], 0)
        with open(self.path("list"), "a") as file:
            file.write("wrong\n")
        code, text = self.run_main(cases, "--junit", self.path("junit.xml"),
                                   "--report", self.path("report.md"))
        self.assertEqual(code, 1)
        self.assertIn("wrong: failed: ", text)
        with open(self.path("junit.xml")) as file:
            self.assertEqual(file.read().count("<failure"), 1)
        with open(self.path("report.md")) as file:
            self.assertIn("| 1 | 1 | failed | `wrong result` | Add 1 | wrong |", file.read())

    def test_update_keeps_what_did_not_run(self):
        self.run_main([case("fine")], "--update")
        self.run_main([case("other")], "--update")
        self.assertEqual(sorted(run_node_tests.read_list(self.path("list"))), ["fine", "other"])

    def test_crash_fails_without_being_listed(self):
        code, text = self.run_main([case("fine"), case("crash")])
        self.assertEqual(code, 1)
        self.assertIn("crash: crashed: llmc: SIGABRT", text)

    def test_refusals(self):
        self.assertEqual(self.run_main([case("fine")], "--filter", "none")[0], 2)
        os.remove(self.path("llmc"))
        self.assertEqual(self.run_main([case("fine")])[0], 2)
        with mock.patch.object(node_cases, "installed_version", lambda: None), \
                contextlib.redirect_stderr(io.StringIO()) as output:
            self.assertEqual(run_node_tests.main([]), 2)
        self.assertIn("pip install -r", output.getvalue())


class ScopeTest(unittest.TestCase):
    def test_tiers(self):
        self.assertEqual(node_scope.tier_of("ReduceMax")[0], "1")
        self.assertEqual(node_scope.tier_of("Scan")[0], "4")
        self.assertEqual(node_scope.tier_of("Resize")[0], "5")
        self.assertTrue(node_scope.is_core(case("a")))
        self.assertFalse(node_scope.is_core(case("a", types=["FLOAT", "DOUBLE"])))

    def test_reasons(self):
        self.assertIsNone(node_scope.scope_reason(case("a")))
        for change in ({"types": ["STRING"]}, {"kinds": ["sequence"]}, {"ops": ["Bernoulli"]},
                       {"domains": ["ai.onnx.ml"]}, {"training": True}):
            self.assertIsNotNone(node_scope.scope_reason(case("a", **change)))


class NormalizeTest(unittest.TestCase):
    def test_causes(self):
        for message, cause in [
                ('error: loc("a_1"("m.onnx":0:0)): node \'a_1\' (ReduceL2, opset 18): axis 3 of f32',
                 "ReduceL2: axis # of f32"),
                ('error: loc(fused["a"("m":0:0), "b"("m":0:0)]): softmax of rank 2',
                 "softmax of rank #"),
                ("FAIL: input 'x' is unknown, expected i64",
                 "FAIL: input '...' is unknown, expected i64"),
                ("y  f32[2]  max abs 1e+00  max rel 1e+00  FAIL: 1 of 2", "wrong result")]:
            self.assertEqual(node_report.normalize(message), cause)


if __name__ == "__main__":
    unittest.main()

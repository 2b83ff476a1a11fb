#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of summarize_tests.py. Run it without arguments."""
import contextlib
import io
import os
import tempfile
import unittest

import summarize_tests

CTEST = """<testsuite>
<testcase name="plain" classname="plain" status="run"/>
<testcase name="absent" classname="absent" status="notrun"><skipped message="no model"/></testcase>
<testcase name="Cases" classname="Cases" status="%s">%s</testcase>
</testsuite>"""
GTEST = """<testsuites><testsuite name="S">
<testcase name="a" status="run" result="completed" classname="S"/>
<testcase name="b" status="run" result="skipped" classname="S"><skipped message="no GPU"/></testcase>
<testcase name="c" status="run" result="completed" classname="S">%s</testcase>
</testsuite></testsuites>"""
LIT = """<testsuites><testsuite name="llmc">
<testcase classname="llmc.E2E" name="x.test" time="0.1"/>
<testcase classname="llmc.E2E" name="y.test" time="0.1"><skipped message="shared-models"/></testcase>
<testcase classname="llmc.E2E" name="z.test" time="0.1"><failure><![CDATA[no]]></failure></testcase>
</testsuite></testsuites>"""


class SummaryTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def run_main(self, *arguments):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            code = summarize_tests.main(list(arguments))
        return code, output.getvalue().splitlines()

    def test_program_counts_as_its_cases(self):
        path = self.write("ctest.xml", CTEST % ("run", ""))
        self.write("gtest-s/Cases.xml", GTEST % "")
        code, lines = self.run_main("--ctest", "s=" + path)
        self.assertEqual((code, lines[-1]), (0, "3 passed, 0 failed, 2 skipped"))
        self.assertIn("SKIPPED: s: Cases/S.b (no GPU)", lines)

    def test_program_without_report_counts_once(self):
        path = self.write("ctest.xml", CTEST % ("fail", "<failure/>"))
        code, lines = self.run_main("--ctest", "s=" + path)
        self.assertEqual((code, lines[-1]), (1, "1 passed, 1 failed, 1 skipped"))

    def test_program_that_dies_after_its_cases(self):
        path = self.write("ctest.xml", CTEST % ("fail", "<failure/>"))
        self.write("gtest-s/Cases.xml", GTEST % "")
        code, lines = self.run_main("--ctest", "s=" + path)
        self.assertEqual((code, lines[-1]), (1, "3 passed, 1 failed, 2 skipped"))

    def test_failed_case_is_not_counted_twice(self):
        path = self.write("ctest.xml", CTEST % ("fail", "<failure/>"))
        self.write("gtest-s/Cases.xml", GTEST % "<failure message='1'/>")
        code, lines = self.run_main("--ctest", "s=" + path)
        self.assertEqual((code, lines[-1]), (1, "2 passed, 1 failed, 2 skipped"))

    def test_lit(self):
        path = self.write("lit.xml", LIT)
        code, lines = self.run_main("--junit", "lit=" + path)
        self.assertEqual((code, lines[-1]), (1, "1 passed, 1 failed, 1 skipped"))
        self.assertIn("FAILED: lit: llmc.E2E/z.test", lines)

    def test_stage(self):
        code, lines = self.run_main("--failed-stage", "build")
        self.assertEqual((code, lines[-1]), (1, "0 passed, 1 failed, 0 skipped"))

    def test_skipped_stage(self):
        path = self.write("lit.xml", LIT)
        _, lines = self.run_main("--junit", "lit=" + path, "--skipped-stage", "nodes=no network")
        self.assertEqual(lines[-1], "1 passed, 1 failed, 2 skipped")
        self.assertIn("SKIPPED: nodes (no network)", lines)

    def test_nothing_ran(self):
        code, lines = self.run_main()
        self.assertEqual((code, lines[-1]), (1, "0 passed, 0 failed, 0 skipped"))


if __name__ == "__main__":
    unittest.main()

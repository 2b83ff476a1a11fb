#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of artifacts.py. Run it without arguments."""
import contextlib
import io
import os
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

import artifacts

# Says what is in the artifact.
BENCH = """#!/bin/sh
test -f "$2" || { echo "error: no artifact" >&2; exit 1; }
printf '[{"phase": "prefill", "tokens_per_second": 1000},' > "$4"
printf '{"phase": "decode", "tokens_per_second": %s}]' "$(cat "$2")" >> "$4"
"""


class ArtifactsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        bench = self.folder / "bench"
        bench.write_text(BENCH)
        os.chmod(bench, 0o755)
        for name, speed in [("a", 100), ("b", 96), ("c", 98)]:
            (self.folder / name).write_text(str(speed))

    def compare(self, *arguments):
        """(what is printed, the exit code)."""
        output = io.StringIO()
        names = [str(self.folder / name) if len(name) == 1 else name for name in arguments]
        command = ["artifacts.py", "--llmc-run", str(self.folder / "bench"), "--rounds=5", *names]
        with mock.patch.object(sys, "argv", command), contextlib.redirect_stdout(output):
            try:
                artifacts.main()
            except SystemExit as end:
                return output.getvalue(), end.code
        return output.getvalue(), 0

    def test_shares(self):
        text, code = self.compare("a", "c", "--within=3")
        self.assertEqual(code, 0)
        self.assertIn("first 100.0, second 98.0", text)
        self.assertIn("median 0.980, middle half 0.980 to 0.980, best rounds 0.980", text)

    def test_slower_than_allowed(self):
        self.assertEqual(self.compare("a", "b", "--within=3")[1], 1)
        self.assertEqual(self.compare("b", "a", "--within=3")[1], 0)
        self.assertEqual(self.compare("a", "b")[1], 0)

    def test_prompts(self):
        self.assertIn("first 1000.0", self.compare("a", "b", "--prefill=16")[0])

    def test_what_cannot_be_measured(self):
        self.assertIn("error: no artifact", self.compare("a", "x")[1])


if __name__ == "__main__":
    unittest.main()

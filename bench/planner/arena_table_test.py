#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of arena_table.py. Run it without arguments."""
import contextlib
import io
import os
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

import arena_table

PLANNED = """#!/bin/sh
case "$2" in *broken*) echo "error: no model" >&2; exit 1;; esac
cat << 'END'
module {
  exec.program @run "run" attributes {arena_bytes = 128 : i64, lower_bound = 64 : i64, symbols = [{max = 8 : i64, min = 1 : i64, name = "a.b"}, {max = 3 : i64, min = 1 : i64, name = "b"}]} {
    %0 = exec.dispatch @pointwise_0(%arg0) : (tensor<?xf32, #llm.dims<"b">>) -> tensor<?x4xf32, #llm.dims<"a.b + floordiv(b, 2)", "4">>
    %1 = exec.dispatch @pointwise_1(%0) : (tensor<4xi8>) -> tensor<4xi8>
    %2 = exec.dispatch @pointwise_0(%0) : (tensor<4xi8>) -> tensor<5xi8>
  }
  exec.program @decode "decode" attributes {arena_bytes = 0 : i64, lower_bound = 0 : i64} {
  }
  exec.kernel @pointwise_0 "pointwise" {
    %0 = llm.transpose %arg0 [0, 2, 1] : tensor<?xf32, #llm.dims<"b">>
    exec.yield %0 : tensor<?xf32, #llm.dims<"b">>
  }
  exec.kernel @pointwise_1 "pointwise" {
    %0 = llm.reshape %arg0 : tensor<4xi8> to tensor<4xi8>
    %1 = llm.unary neg %0 : tensor<4xi8>
  }
}
END
"""


class ArenaTableTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.llmc = self.folder / "llmc"
        self.llmc.write_text(PLANNED)
        os.chmod(self.llmc, 0o755)

    def run_table(self, *arguments):
        output = io.StringIO()
        command = ["arena_table.py", "--llmc", str(self.llmc), *arguments]
        with mock.patch.object(sys, "argv", command), contextlib.redirect_stdout(output):
            with contextlib.redirect_stderr(io.StringIO()) as errors:
                arena_table.main()
        return output.getvalue(), errors.getvalue()

    def test_a_row_per_program(self):
        table, _ = self.run_table("family/model.onnx")
        self.assertEqual(table, "family/model\trun\t128\t64\t2\t149\nfamily/model\tdecode\t0\t0\t0\t0\n")

    def test_compares_to_an_older_table(self):
        old = self.folder / "old.tsv"
        old.write_text("family/model\trun\t256\t256\nother/model\trun\t1\t1\n")
        table, _ = self.run_table("family/model.onnx", "--before", str(old))
        self.assertIn("family/model\trun\t128\t64\t2\t149\t256\t0.500\n", table)
        self.assertIn("all together 128 bytes, before 256: 0.500\n", table)

    def test_what_does_not_compile_is_said(self):
        table, errors = self.run_table("family/broken.onnx")
        self.assertEqual(table, "")
        self.assertIn("error: no model", errors)


if __name__ == "__main__":
    unittest.main()

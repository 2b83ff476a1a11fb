#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests run_new_architectures.py with tools that only pretend; needs no exporter."""
import contextlib
import io
import json
import os
import tempfile
import unittest
from unittest import mock

import architectures
import run_new_architectures

LAYERS = {"function": "run", "layers": [{"attention": 1}] * architectures.LAYERS,
          "unmatched": []}
PIECES = dict(LAYERS, unmatched=[{"pattern": "rotary", "node": "n", "reason": "no table"}])

LLMC = """#!/bin/sh
case "$1" in
  compile) echo compiled >"$4" ;;
  inspect) cat "$(dirname "$0")/structure.json" ;;
esac
"""
LLMC_RUN = """#!/bin/sh
echo "  logits  max abs 1.0e+00  max rel 2.0e-07"
"""
STATEFUL = """#!/bin/sh
if [ -e "$(dirname "$0")/stateless" ]; then echo "module has no such phase" >&2; exit 1; fi
echo "ok: 19 steps"
"""
PYTHON = """#!/bin/sh
mkdir -p "$4/golden/model" && echo graph >"$4/model.onnx"
"""


class RunTest(unittest.TestCase):
    def run_with(self, structure=LAYERS, stateless=False, known=None, asked=("stablelm",)):
        """Exit code and printed text of a run of one decoder, or of what is `asked`."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (("llmc", LLMC), ("llmc-run", LLMC_RUN), ("python", PYTHON),
                               ("llmc-stateful-check", STATEFUL),
                               ("structure.json", json.dumps([structure]))):
                with open(os.path.join(folder, name), "w") as file:
                    file.write(text)
                os.chmod(os.path.join(folder, name), 0o755)
            if stateless:
                os.mkdir(os.path.join(folder, "stateless"))
            text = io.StringIO()
            with mock.patch.object(run_new_architectures, "KNOWN", known or {}), \
                    contextlib.redirect_stdout(text):
                code = run_new_architectures.main(
                    ["--bin", folder, "--work", os.path.join(folder, "work"),
                     "--python", os.path.join(folder, "python"), *asked])
            return code, text.getvalue()

    def test_passes(self):
        code, text = self.run_with()
        self.assertEqual(code, 0, text)
        self.assertIn("largest error 2.0e-07; stateful ok: 19 steps", text)

    def test_unmatched_fails_unless_known(self):
        code, text = self.run_with(PIECES)
        self.assertEqual(code, 1)
        self.assertIn("rotary at 'n': no table", text)
        code, text = self.run_with(PIECES, known={("stablelm", "optimum"): "tables differ"})
        self.assertEqual(code, 0, text)
        self.assertIn("known: tables differ", text)

    def test_missing_attention_fails(self):
        self.assertEqual(self.run_with(dict(LAYERS, layers=[]))[0], 1)

    def test_other_mixers(self):
        """Of a model whose layers are not all attention each must have its own."""
        of_layers = dict(LAYERS, layers=[{"causal_conv": 1}, {"attention": 1}])
        asked = ["--exporter", "dynamo5", "lfm2"]
        code, text = self.run_with(of_layers, asked=asked)
        self.assertEqual(code, 0, text)
        code, text = self.run_with(asked=asked)
        self.assertEqual(code, 1)
        self.assertIn("no causal_conv in layer 0", text)

    def test_missing_phases_fail_unless_known(self):
        self.assertEqual(self.run_with(stateless=True)[0], 1)
        self.assertEqual(self.run_with(stateless=True, known={("stablelm", "optimum"): "x"})[0], 0)
        # Of another exporter's graph nothing is known.
        self.assertEqual(self.run_with(stateless=True, known={("stablelm", "dynamo"): "x"})[0], 1)

    def test_known_that_is_complete_fails(self):
        code, text = self.run_with(known={("stablelm", "optimum"): "x"})
        self.assertEqual(code, 1)
        self.assertIn("remove ('stablelm', 'optimum') from KNOWN", text)

    def test_each_exporter_has_a_default(self):
        for exporter, names in architectures.DEFAULT.items():
            code, text = self.run_with(asked=["--exporter", exporter])
            self.assertEqual(code, 0, text)
            self.assertIn("%s: model: largest error" % names[0], text)

    def test_graph_that_there_is_not(self):
        code, text = self.run_with(PIECES, asked=["--exporter", "genai", "stablelm"])
        self.assertEqual(code, 0, text)
        self.assertIn("no graph: the model builder does not know it", text)

    def test_missing_tools_are_refused(self):
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(run_new_architectures.main(["--bin", "/nonexistent"]), 2)


class TablesTest(unittest.TestCase):
    def test_pairs_are_of_the_tables(self):
        for name, exporter in [*architectures.NOT_EXPORTED, *run_new_architectures.KNOWN]:
            self.assertIn(name, architectures.all_names())
            self.assertIn(exporter, architectures.EXPORTERS)

    def test_defaults_exist(self):
        self.assertEqual(set(architectures.DEFAULT), set(architectures.EXPORTERS))
        for exporter, names in architectures.DEFAULT.items():
            for name in names:
                self.assertIn(name, architectures.all_names())
                self.assertNotIn((name, exporter), architectures.NOT_EXPORTED)

    def test_some_exporter_writes_each(self):
        for name in architectures.all_names():
            exporters = [exporter for exporter in architectures.EXPORTERS
                         if (name, exporter) not in architectures.NOT_EXPORTED]
            self.assertTrue(exporters, name)

    def test_names_are_in_one_table(self):
        names = architectures.all_names()
        self.assertEqual(len(names), len(set(names)))


if __name__ == "__main__":
    unittest.main()

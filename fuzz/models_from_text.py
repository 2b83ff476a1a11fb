#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the models in ONNX text below some folders as .onnx files, as seeds for fuzzing.

Usage: models_from_text.py OUTPUT FOLDERS...   (needs the package onnx)
"""
import pathlib
import sys

import onnx.parser


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    output = pathlib.Path(sys.argv[1])
    output.mkdir(parents=True, exist_ok=True)
    written = 0
    for folder in sys.argv[2:]:
        for path in sorted(pathlib.Path(folder).rglob("*.onnxtxt")):
            try:
                model = onnx.parser.parse_model(path.read_text())
            except onnx.parser.ParseError as error:
                print(f"{path}: not a model: {str(error).splitlines()[0]}", file=sys.stderr)
                continue
            (output / (path.stem + ".onnx")).write_bytes(model.SerializeToString())
            written += 1
    print(f"{written} models in {output}")


main()

#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures the peak resident memory of `llmc compile` on a model with external data,
beside the bound that llmc keeps: 1.3 times the model's bytes and 300 MB. Other arguments are passed to `llmc compile`."""

import argparse
import glob
import os
import resource
import subprocess
import sys
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="an .onnx file; its data files lie beside it")
    parser.add_argument("--llmc", default="llmc", help="the compiler")
    parser.add_argument("--output", required=True, help="where the artifact goes")
    options, passed = parser.parse_known_args()

    # The data file is called model.onnx.data or model.onnx_data.
    size = sum(os.path.getsize(path) for path in glob.glob(glob.escape(options.model) + "*"))
    start = time.monotonic()
    result = subprocess.run([options.llmc, "compile", options.model, "-o", options.output,
                             *passed])
    if result.returncode:
        sys.exit("llmc compile failed")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    bound = 1.3 * size + 300e6
    print(f"model {size / 1e6:.1f} MB, artifact {os.path.getsize(options.output) / 1e6:.1f} MB, "
          f"{time.monotonic() - start:.1f} s")
    print(f"peak {peak / 1e6:.1f} MB, bound {bound / 1e6:.1f} MB: "
          + ("kept" if peak <= bound else "EXCEEDED"))
    return 0 if peak <= bound else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures the peak resident memory (VmHWM) of `llmc-run generate`, beside the bound
that the runtime keeps: weights, arena, caches and logits as `llmc inspect --memory`
tells them, and 30 MB. Other arguments are passed to `llmc-run generate`."""

import argparse
import re
import resource
import subprocess
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("artifact")
    parser.add_argument("--llmc", default="llmc", help="the compiler, for inspect")
    parser.add_argument("--llmc-run", default="llmc-run", help="the runner")
    options, passed = parser.parse_known_args()

    text = subprocess.run([options.llmc, "inspect", "--memory", "--batch=1", options.artifact],
                          check=True, capture_output=True, text=True).stdout
    print(text.split("\n\n")[0])
    planned = int(re.search(r"^total +(\d+) bytes", text, re.M).group(1))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    subprocess.run([options.llmc_run, "generate", options.artifact, *passed],
                   check=True, stdout=subprocess.DEVNULL)
    # The largest of the children: the run must have been larger than inspect.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    if peak == before * 1024:
        print("warning: the peak is that of llmc inspect; the run's is below it")
    bound = planned + 30e6
    print(f"peak {peak / 1e6:.1f} MB, bound {bound / 1e6:.1f} MB: "
          + ("kept" if peak <= bound else "EXCEEDED"))
    return 0 if peak <= bound else 1


if __name__ == "__main__":
    sys.exit(main())

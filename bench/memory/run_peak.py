#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures the resident memory of `llmc-run generate` beside the bounds that the runtime
keeps: while and after loading the weights and 30 MB, at any time weights, arena, caches and
logits, as `llmc inspect --memory` tells them, and 30 MB. Other arguments are passed to
`llmc-run generate`. Exit code 1 where a bound is exceeded."""

import argparse
import re
import subprocess
import sys

SLACK = 30e6


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("artifact")
    parser.add_argument("--llmc", default="llmc", help="the compiler, for inspect")
    parser.add_argument("--llmc-run", default="llmc-run", help="the runner")
    options, passed = parser.parse_known_args()

    text = subprocess.run([options.llmc, "inspect", "--memory", "--batch=1", options.artifact],
                          check=True, capture_output=True, text=True).stdout
    print(text.split("\n\n")[0])
    planned = {name: int(re.search(rf"^{name} +(\d+) bytes", text, re.M).group(1))
               for name in ("weights", "total")}
    run = subprocess.run([options.llmc_run, "generate", options.artifact, "--stats", *passed],
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if run.returncode:
        sys.exit(run.stderr)
    found = re.search(r"resident after load ([\d.]+) MB, peak while loading ([\d.]+) MB; "
                      r"at the end [\d.]+ MB, peak ([\d.]+) MB", run.stderr)
    exceeded = False
    for what, measured, base in (("after load", found[1], "weights"),
                                 ("peak while loading", found[2], "weights"),
                                 ("peak", found[3], "total")):
        bound = planned[base] + SLACK
        kept = float(measured) * 1e6 <= bound
        exceeded |= not kept
        print(f"{what} {measured} MB, bound {bound / 1e6:.1f} MB: "
              + ("kept" if kept else "EXCEEDED"))
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main())

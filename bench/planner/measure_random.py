#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plans random instances by llmc-plan's greedy orders alone: how low, and how fast?

Makes the instances of make_instances.py, runs `llmc-plan --time-limit=0` on each, and
prints a line per kind over all seeds: the largest peak / lower bound, how many are at the
bound, the longest time of planning, and the longest processor time of the whole program,
reading and writing included. The last line is over all kinds. Exit code 1 where a peak is
more than 5 % above its bound, or a plan took a second or more of processor time.
"""
import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import make_instances

MOST_ABOVE_BOUND = 1.05
MOST_SECONDS = 1.0


@dataclass
class Row:
    ratio: float  # peak / lower bound
    at_bound: int  # plans
    plans: int
    planning: float  # seconds of wall time
    program: float  # seconds of processor time


def measure(tool, path):
    """One plan."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    text = subprocess.run([tool, f"--input={path}", "--time-limit=0", f"--output={path}.out"],
                          check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    values = dict(re.findall(r"^([a-z ]+): ([0-9.e+-]+)", text, re.M))
    peak, bound = int(values["peak"]), int(values["lower bound"])
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Row(peak / bound, int(peak == bound), 1, float(values["time"]), used)


def worst(rows):
    return Row(max(r.ratio for r in rows), sum(r.at_bound for r in rows),
               sum(r.plans for r in rows), max(r.planning for r in rows),
               max(r.program for r in rows))


def show(name, row):
    print(f"{name:32} {row.ratio:8.4f} {row.at_bound:4}/{row.plans:<4} "
          f"{row.planning:8.3f} {row.program:8.3f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", help="llmc-plan")
    parser.add_argument("--seeds", type=int, default=3, help="instances of a kind (default: 3)")
    parser.add_argument("--count", type=int, default=10_000, help="buffers (default: 10000)")
    parser.add_argument("--only", default="", help="kinds with this in their name")
    args = parser.parse_args()
    names = [name for name in make_instances.random_names() if args.only in name]
    if not names:
        sys.exit(f"measure_random.py: no kind has '{args.only}' in its name")
    print(f"{'kind':32} {'peak/bound':>8} {'at bound':7} {'plan s':>8} {'cpu s':>8}")
    rows = []
    for name in names:
        measured = []
        for seed in range(1, args.seeds + 1):
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "buffers.csv")
                make_instances.write_random(path, name, args.count, seed)
                measured.append(measure(args.tool, path))
        rows.append(worst(measured))
        show(name, rows[-1])
    total = worst(rows)
    show("all", total)
    sys.exit(int(total.ratio > MOST_ABOVE_BOUND or total.program >= MOST_SECONDS))


if __name__ == "__main__":
    main()

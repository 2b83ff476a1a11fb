#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints the arena of every program of models, beside the lower bound.

The columns are separated by tabs: model, program, arena bytes, lower bound. A table that
was printed before, of another llmc, is compared to with --before.
"""
import argparse
import pathlib
import re
import subprocess
import sys

PROGRAM = re.compile(r"exec\.program @(\w+).*?arena_bytes = (\d+).*?lower_bound = (\d+)")


def plan(llmc, model):
    """(program, arena bytes, lower bound) of each program; empty where none compiles."""
    result = subprocess.run(
        [llmc, "compile", str(model), "--stop-after=plan"], capture_output=True, text=True
    )
    if result.returncode:
        print(f"{model}: {result.stderr.strip().splitlines()[0]}", file=sys.stderr)
        return []
    return [(name, int(a), int(b)) for name, a, b in PROGRAM.findall(result.stdout)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=pathlib.Path, help="ONNX files")
    parser.add_argument("--llmc", default="llmc", help="the compiler")
    parser.add_argument("--before", type=pathlib.Path, help="an older table to compare to")
    arguments = parser.parse_args()

    before = {}
    if arguments.before:
        for line in arguments.before.read_text().splitlines():
            model, program, size, _ = line.split("\t")
            before[model, program] = int(size)
    total = old_total = 0
    for path in arguments.models:
        model = f"{path.parent.name}/{path.stem}"
        for program, size, bound in plan(arguments.llmc, path):
            row = [model, program, str(size), str(bound)]
            old = before.get((model, program))
            if old is not None:
                row += [str(old), f"{size / max(old, 1):.3f}"]
                total, old_total = total + size, old_total + old
            print("\t".join(row), flush=True)
    if old_total:
        print(f"all together {total} bytes, before {old_total}: {total / old_total:.3f}")


if __name__ == "__main__":
    main()

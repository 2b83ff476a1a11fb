#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares what `llmc inspect --memory` computes for sizes with what the runtime measures.

The sizes, BATCH,SEQUENCES,SEQ each, are those of sessions; llmc and llmc-session-check are
in the folder BIN. Prints the number of sizes that agreed, or the first difference.
"""
import argparse
import pathlib
import re
import subprocess
import sys

AMOUNT = re.compile(r"^(arena|caches|logits) +(\d+) bytes", re.M)


def amounts(*command):
    """{name: bytes} of what the command prints."""
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {result.stderr.strip()}")
    return {name: int(count) for name, count in AMOUNT.findall(result.stdout)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("artifact", type=pathlib.Path)
    parser.add_argument("sizes", nargs="+")
    arguments = parser.parse_args()
    for sizes in arguments.sizes:
        batch, sequences, seq = sizes.split(",")
        computed = amounts(
            arguments.bin / "llmc",
            "inspect",
            "--memory",
            arguments.artifact,
            f"--batch={batch}",
            f"--sequences={sequences}",
            f"--seq={seq}",
        )
        measured = amounts(
            arguments.bin / "llmc-session-check", arguments.artifact, "measure", sizes
        )
        if computed != measured or len(computed) != 3:
            sys.exit(f"for {sizes} inspect says {computed}, the runtime {measured}")
    print(f"{len(arguments.sizes)} sizes agree")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares the speed of two artifacts: another compiler, or other options for one model.

Runs `llmc-run bench` on them in turn, the first one first and second alternately, so that a
busy moment hits both. Prints the median tokens/s of both, and of SECOND's share of FIRST's
in each round the median and the middle half, and the share of the best rounds. With --within the exit code
is 1 where neither of the two shares is within so many percent of 1 or above it.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile


def measure(arguments, artifact, report):
    """Tokens per second of the decode steps, or of the prompt."""
    command = [arguments.llmc_run, "bench", artifact, "--json", report]
    command += ["--context", arguments.context, "--threads", arguments.threads]
    command += ["--prompt-tokens", arguments.prefill or 1]
    command += ["--new-tokens", arguments.new_tokens, "--repetitions", 3]
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{artifact}: {result.stderr.strip()}")
    phase = "prefill" if arguments.prefill else "decode"
    return next(
        entry["tokens_per_second"]
        for entry in json.loads(pathlib.Path(report).read_text())
        if entry["phase"] == phase
    )


def summary(first, second):
    """What is printed of the rounds' speeds: (text, median share, share of the best)."""
    shares = sorted(b / a for a, b in zip(first, second))
    median, best = statistics.median(shares), max(second) / max(first)
    quarter = len(shares) // 4
    text = (
        f"first {statistics.median(first):.1f}, second {statistics.median(second):.1f} tokens/s; "
        f"second/first: median {median:.3f}, middle half {shares[quarter]:.3f} to "
        f"{shares[-1 - quarter]:.3f}, best rounds {best:.3f}"
    )
    return text, median, best


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("--llmc-run", default="llmc-run")
    parser.add_argument("--context", type=int, default=100, help="tokens in the cache before")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--prefill", type=int, help="measure prompts of so many tokens instead")
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--within", type=float, help="percent that the second may be slower")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")

    speeds = {arguments.first: [], arguments.second: []}
    if len(speeds) < 2:
        parser.error("both artifacts are the same file")
    with tempfile.TemporaryDirectory() as folder:
        for index in range(arguments.rounds):
            for artifact in list(speeds)[:: -1 if index % 2 else 1]:
                speeds[artifact].append(measure(arguments, artifact, f"{folder}/report.json"))
    text, median, best = summary(speeds[arguments.first], speeds[arguments.second])
    print(text)
    if arguments.within is not None and max(median, best) < 1 - arguments.within / 100:
        sys.exit(1)


if __name__ == "__main__":
    main()

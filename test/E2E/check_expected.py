#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares what a compiled model writes with a recorded expected.json.

Runs `llmc-run generate --ids` on the recorded prompt with each number of threads
and compares every token with greedy_ids; compares the digests of all logits across
the numbers of threads; with --text, compares the perplexity of that text.
Exit code 1 when something differs.
"""
import argparse
import json
import os
import re
import subprocess
import sys


def run(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=600)
    if done.returncode != 0:
        sys.exit("FAIL: exit code %d of %s\n%s" % (
            done.returncode, " ".join(command), done.stderr.decode(errors="replace")))
    return done.stdout.decode()


def common_prefix(left, right):
    return next((i for i, (a, b) in enumerate(zip(left, right)) if a != b),
                min(len(left), len(right)))


def check_tokens(arguments, expected, threads):
    want = expected["greedy_ids"]
    output = run([arguments.llmc_run, "generate", arguments.model, "--tokenizer", arguments.folder,
                  "--prompt", expected["prompt"], "--max-new-tokens", str(len(want)),
                  "--threads", str(threads), "--ids"])
    got = [int(word) for word in output.split()]
    equal = common_prefix(got, want)
    needed = min(len(want), arguments.min_tokens or len(want))
    print("%d threads: %d of %d greedy tokens as recorded" % (threads, equal, len(want)))
    if equal < needed:
        print("FAIL: token %d is %s, recorded %d" % (
            equal, got[equal] if equal < len(got) else "missing", want[equal]))
    return equal >= needed


def check_bits(arguments, expected, threads):
    """Every logit of prefill and decode has the same bits for every thread count."""
    ids = [str(i) for i in expected["prompt_ids"]]
    steps = str(min(32, len(expected["greedy_ids"])))
    lines = [run([arguments.digest, arguments.model, str(n), steps] + ids) for n in threads]
    same = all(text == lines[0] for text in lines)
    print("logits of %s steps are %s for %s threads" % (
        steps, "bit-identical" if same else "FAIL: different",
        ", ".join(map(str, threads))))
    return same


def check_perplexity(arguments, expected):
    record = expected["eval"]
    output = run([arguments.llmc_run, "perplexity", arguments.model, "--tokenizer", arguments.folder,
                  "--text", arguments.text, "--windows", str(record["windows"]),
                  "--window", str(record["window_tokens_with_bos"])]
                 + (["--steps"] if arguments.steps else []))
    got = float(re.search(r"^perplexity: (\S+)$", output, re.M).group(1))
    scored = int(re.search(r"(\d+) tokens scored", output).group(1))
    want, text = record["perplexity"], arguments.perplexity_tolerance
    allowed = want * float(text[:-1]) / 100 if text.endswith("%") else float(text)
    good = abs(got - want) <= allowed and scored == record["scored_tokens"]
    print("%sperplexity %.4f, recorded %.4f, allowed difference %.4f; %d of %d tokens scored" % (
        "" if good else "FAIL: ", got, want, allowed, scored, record["scored_tokens"]))
    return good


def main(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, metavar="DIR",
                        help="folder with llmc-run and llmc-logits-digest")
    parser.add_argument("--threads", default="1,2", help="numbers of threads (default 1,2)")
    parser.add_argument("--min-tokens", type=int, default=0, metavar="N",
                        help="ask for the first N recorded tokens only (default: all)")
    parser.add_argument("--text", metavar="FILE", help="also score this text")
    parser.add_argument("--steps", action="store_true",
                        help="score the text through decode's caches, token by token")
    parser.add_argument("--perplexity-tolerance", default="0.001", metavar="X",
                        help="allowed difference of perplexity, or X%% of it (default 0.001)")
    parser.add_argument("model", help="artifact")
    parser.add_argument("folder", help="folder with the tokenizer and expected.json")
    arguments = parser.parse_args(argv)
    arguments.llmc_run = os.path.join(arguments.bin, "llmc-run")
    arguments.digest = os.path.join(arguments.bin, "llmc-logits-digest")
    with open(os.path.join(arguments.folder, "expected.json")) as file:
        expected = json.load(file)
    threads = [int(n) for n in arguments.threads.split(",")]
    good = [check_tokens(arguments, expected, n) for n in threads]
    good.append(check_bits(arguments, expected, threads))
    if arguments.text:
        good.append(check_perplexity(arguments, expected))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

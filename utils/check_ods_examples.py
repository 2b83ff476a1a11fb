#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Parses every example of the dialects' generated reference with llmc-opt.

An example uses values that it does not define; they become arguments of a function
around it, with the types that the example's last line names in the same order.
Prints the examples that do not parse; exit code 1 when there is one, or when an
operation appears in no example of its dialect.
"""
import argparse
import re
import subprocess
import sys


def split_types(text):
    """The types of a comma-separated list, not split inside <> or ()."""
    types, depth, current = [], 0, ""
    for previous, char in zip(" " + text, text):
        depth += char in "<(" or -1 * (char in ">)" and (previous, char) != ("-", ">"))
        if char == "," and depth == 0:
            types.append(current.strip())
            current = ""
        else:
            current += char
    return [t for t in types + [current.strip()] if t]


def operand_types(line):
    """Types of the operands, from `... : (A, B) -> C`, `... : A, B` or `... : A to B`."""
    text = line.rsplit(" : ", 1)[-1].split(" -> ")[0].strip()
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    return split_types(text.split(" to ")[0])


def wrap(example):
    """The example inside a function that defines what it uses."""
    if re.match(r"\s*(exec\.(weight|kernel|program)|func\.func|module)\b", example):
        return example
    if not re.search(r"\b\w+\.\w+ ", example): # a type
        return "func.func private @example(%s)\n" % example.strip()
    defined, arguments = set(), {}
    for line in example.splitlines():
        head, equals, rest = line.partition(" = ")
        is_definition = bool(equals) and re.fullmatch(r"\s*%[\w:, %]+", head)
        body = rest if is_definition else line
        used = [name for name in re.findall(r"%\w+", body)]
        types = operand_types(body) if " : " in body else []
        for i, name in enumerate(used):
            if name not in defined and name not in arguments and types:
                arguments[name] = types[min(i, len(types) - 1)]
        if is_definition:
            defined.update(re.findall(r"%\w+", head))
    signature = ", ".join("%s: %s" % item for item in arguments.items())
    # Numbers as names would have to start at 0: give them letters.
    text = "func.func @example(%s) {\n%s\nreturn\n}\n" % (signature, example)
    return re.sub(r"%(\d+)\b", r"%v\1", text)


def examples(path):
    """(operation, [examples]) of a reference page, in its order."""
    with open(path) as file:
        text = file.read()
    parts = re.split(r"^### `(\w+\.\w+)` .*$", text, flags=re.M)
    for name, body in zip(parts[1::2], parts[2::2]):
        yield name, re.findall(r"```mlir\n(.*?)```", body, re.S)


def main(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opt", required=True, help="llmc-opt")
    parser.add_argument("pages", nargs="+", help="docs/generated/*Dialect.md")
    arguments = parser.parse_args(argv)
    count, faults = 0, 0
    for page in arguments.pages:
        shown = " ".join(e for _, found in examples(page) for e in found)
        for name, _ in examples(page):
            if not re.search(r"\b%s\b" % re.escape(name), shown):
                print("FAIL: %s is in no example" % name)
                faults += 1
        for name, found in examples(page):
            for example in found:
                count += 1
                done = subprocess.run([arguments.opt, "-"], input=wrap(example).encode(),
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60)
                if done.returncode:
                    faults += 1
                    print("FAIL: %s\n%s\n%s" % (name, wrap(example), done.stderr.decode()[:600]))
    print("%d examples, %d faults" % (count, faults))
    return 1 if faults or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

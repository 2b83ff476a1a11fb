#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints the arena of every program of models, beside the lower bound, and what it copies.

The columns are separated by tabs: model, program, arena bytes, lower bound, dispatches of
kernels that only move elements, bytes that these write at the largest sizes. A table that
was printed before, of another llmc, is compared to with --before.
"""
import argparse
import ast
import math
import operator
import pathlib
import re
import subprocess
import sys

PROGRAM = re.compile(
    r"exec\.program @(\w+)(.*?arena_bytes = (\d+).*?lower_bound = (\d+).*?)(?=\n  exec\.|\Z)", re.S
)
KERNEL = re.compile(r"exec\.kernel @(\S+) (.*?)(?=\n  exec\.|\Z)", re.S)
OPERATION = re.compile(r"\bllm\.(\w+)\b(?!<)")
MOVEMENT = {"reshape", "transpose", "slice", "broadcast", "concat", "dims", "state"}
SYMBOL = re.compile(r"\{max = (\d+) : i64, min = \d+ : i64, name = \"([^\"]*)\"\}")
DISPATCH = re.compile(r"exec\.dispatch @(\S+?)\(.*-> tensor<([\dx?]*)([a-z]+)(\d+)(.*)>$", re.M)


OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}
FUNCTIONS = {"floordiv": operator.floordiv, "mod": operator.mod, "min": min, "max": max}


def evaluate(node, values):
    """A size expression; the names in it are those of `values`."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -evaluate(node.operand, values)
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)](evaluate(node.left, values), evaluate(node.right, values))
    return FUNCTIONS[node.func.id](*(evaluate(argument, values) for argument in node.args))


def tensor_bytes(shape, bits, encoding, largest):
    """Bytes of a tensor where every symbol has its largest value."""
    values = {}
    # Symbols need not have names of Python's; longer ones may contain shorter ones.
    dims = re.findall(r"\"([^\"]*)\"", encoding) or shape.split("x")[:-1]
    for number, name in enumerate(sorted(largest, key=len, reverse=True)):
        values[f"s__{number}"] = largest[name]
        pattern = rf"(?<![\w.]){re.escape(name)}(?![\w.])"
        dims = [re.sub(pattern, f"s__{number}", dim) for dim in dims]
    sizes = (evaluate(ast.parse(dim, mode="eval").body, values) for dim in dims)
    return math.prod(sizes) * max(1, bits // 8)


def copies(text, moving):
    """(dispatches, bytes) of a program's text; `moving` kernels only move elements."""
    largest = {name: int(value) for value, name in SYMBOL.findall(text)}
    sizes = [
        tensor_bytes(shape, int(bits), encoding, largest)
        for kernel, shape, _, bits, encoding in DISPATCH.findall(text)
        if kernel in moving
    ]
    return len(sizes), sum(sizes)


def plan(llmc, model):
    """(program, arena bytes, lower bound, copies, bytes copied) of each program; empty where
    the model does not compile."""
    result = subprocess.run(
        [llmc, "compile", str(model), "--stop-after=plan"], capture_output=True, text=True
    )
    if result.returncode:
        print(f"{model}: {result.stderr.strip().splitlines()[0]}", file=sys.stderr)
        return []
    moving = {
        name for name, body in KERNEL.findall(result.stdout) if set(OPERATION.findall(body)) <= MOVEMENT
    }
    return [
        (name, int(arena), int(bound), *copies(text, moving))
        for name, text, arena, bound in PROGRAM.findall(result.stdout)
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=pathlib.Path, help="ONNX files")
    parser.add_argument("--llmc", default="llmc", help="the compiler")
    parser.add_argument("--before", type=pathlib.Path, help="an older table to compare to")
    arguments = parser.parse_args()

    before = {}
    if arguments.before:
        for line in arguments.before.read_text().splitlines():
            columns = line.split("\t")
            if len(columns) > 3:
                before[columns[0], columns[1]] = int(columns[2])
    total = old_total = 0
    for path in arguments.models:
        model = "/".join([*path.parts[-3:-1], path.stem])
        for program, size, *others in plan(arguments.llmc, path):
            row = [model, program, str(size), *map(str, others)]
            old = before.get((model, program))
            if old is not None:
                row += [str(old), f"{size / max(old, 1):.3f}"]
                total, old_total = total + size, old_total + old
            print("\t".join(row), flush=True)
    if old_total:
        print(f"all together {total} bytes, before {old_total}: {total / old_total:.3f}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rounds the f32 matrices of an ONNX file, and stacks of them, to f16 or bf16.

The matrices become initializers of 16 bits and a Cast to float, as models with halved files
have them; with --rounded they stay f32 and hold the same numbers. So the two files ask for
the same arithmetic. Needs no ONNX library: reads what protobuf messages it has to, and
copies the rest."""

import argparse
import array
import struct
import sys

GRAPH, NODE, INITIALIZER = 7, 1, 5  # fields of ModelProto and GraphProto
DIMS, DATA_TYPE, NAME, RAW_DATA = 1, 2, 8, 9  # fields of TensorProto
FLOAT, TYPES = 1, {"f16": 10, "bf16": 16}


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(message):
    """(number, value, the field's own bytes); a value is an int or a view of bytes."""
    at = 0
    while at < len(message):
        begin = at
        key, at = read_varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = read_varint(message, at)
        elif kind == 2:
            size, at = read_varint(message, at)
            value, at = message[at:at + size], at + size
        else:
            at += 4 if kind == 5 else 8
            value = None
        yield key >> 3, value, message[begin:at]


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + bytes(value)


def to_bits(raw, kind):
    """The 16-bit numbers nearest to f32 ones, ties to even."""
    if kind == "f16":
        return struct.pack("<%de" % (len(raw) // 4), *struct.unpack("<%df" % (len(raw) // 4), raw))
    words = array.array("I", bytes(raw))
    return array.array("H", [w + 0x7fff + (w >> 16 & 1) >> 16 for w in words]).tobytes()


def to_floats(bits, kind):
    if kind == "f16":
        count = len(bits) // 2
        return struct.pack("<%df" % count, *struct.unpack("<%de" % count, bits))
    return array.array("I", [w << 16 for w in array.array("H", bits)]).tobytes()


def cast_node(source, result):
    attribute = field(1, b"to") + field(3, FLOAT) + field(20, 2)
    return field(1, source) + field(2, result) + field(4, b"Cast") + field(5, attribute)


def halved_graph(graph, kind, rounded):
    casts, rest = [], []
    for number, value, whole in fields(graph):
        parts = list(fields(value)) if number == INITIALIZER else []
        last = {n: v for n, v, _ in parts}
        is_matrix = (last.get(DATA_TYPE) == FLOAT and RAW_DATA in last and
                     sum(n == DIMS for n, _, _ in parts) >= 2)
        if not is_matrix:
            rest.append(whole)
            continue
        bits, name = to_bits(last[RAW_DATA], kind), bytes(last[NAME])
        kept = b"".join(w for n, _, w in parts if n not in (DATA_TYPE, NAME, RAW_DATA))
        if rounded:
            tensor = field(DATA_TYPE, FLOAT) + field(NAME, name)
            tensor += field(RAW_DATA, to_floats(bits, kind))
        else:
            tensor = field(DATA_TYPE, TYPES[kind]) + field(NAME, name + b".half")
            tensor += field(RAW_DATA, bits)
            casts.append(field(NODE, cast_node(name + b".half", name)))
        rest.append(field(INITIALIZER, kept + tensor))
    # Before the nodes that read them.
    return b"".join(casts + [bytes(part) for part in rest])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("type", choices=TYPES)
    parser.add_argument("--rounded", action="store_true")
    options = parser.parse_args()
    with open(options.input, "rb") as source:
        model = memoryview(source.read())
    with open(options.output, "wb") as target:
        for number, value, whole in fields(model):
            if number == GRAPH:
                whole = field(GRAPH, halved_graph(value, options.type, options.rounded))
            target.write(whole)


if __name__ == "__main__":
    sys.exit(main())

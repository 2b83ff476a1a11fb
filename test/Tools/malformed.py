#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Feeds malformed input to llmc and llmc-run, and checks how they refuse it.

Each case must end with exit code 1 (no signal, no hang), name the file at fault and
the problem on standard error, and leave no file behind. Groups: models (protobuf and
ONNX text), external (weights in other files), artifacts, tokenizers, calls.
"""
import argparse
import os
import shutil
import struct
import subprocess
import sys

# --- protobuf, as much as a model needs


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, value):
    """An integer as varint; bytes, text or a list of fields with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, list):
        value = b"".join(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name, dims, dtype=1, raw=None, external=None):
    fields = [field(1, d) for d in dims] + [field(2, dtype), field(8, name)]
    if raw is not None:
        fields.append(field(9, raw))
    for key, value in (external or {}).items():
        fields.append(field(13, [field(1, key), field(2, value)]))
    if external is not None:
        fields.append(field(14, 1))
    return fields


def value_info(name, dims, dtype=1):
    shape = [field(1, [field(2, d) if isinstance(d, str) else field(1, d)]) for d in dims]
    return [field(1, name), field(2, [field(1, [field(1, dtype), field(2, shape)])])]


def node(op, inputs, outputs, name="n0", domain=""):
    return ([field(1, i) for i in inputs] + [field(2, o) for o in outputs] +
            [field(3, name), field(4, op)] + ([field(7, domain)] if domain else []))


def model(nodes=None, weights=(), inputs=None, outputs=None, opset=18):
    nodes = nodes or [node("MatMul", ["x", "w"], ["y"], "product")]
    inputs = inputs or [value_info("x", ["batch", 4])]
    outputs = outputs or [value_info("y", ["batch", 4])]
    graph = ([field(1, n) for n in nodes] + [field(2, "g")] + [field(5, w) for w in weights] +
             [field(11, i) for i in inputs] + [field(12, o) for o in outputs])
    return b"".join([field(1, 8), field(8, [field(1, ""), field(2, opset)]), field(7, graph)])


RAW = struct.pack("<16f", *range(16))
SOUND = model(weights=[tensor("w", [4, 4], raw=RAW)])


def text(body, signature="(float[batch, 4] x) => (float[batch, 4] y)", opset=18):
    return '<ir_version: 8, opset_import: ["" : %d]>\ng %s {\n%s\n}\n' % (opset, signature, body)


# --- the cases: name, file name, bytes, a word of the message

def model_cases():
    def weight(*args, **kwargs):
        return model(weights=[tensor(*args, **kwargs)])
    yield "sound", "m.onnx", SOUND, None
    yield "empty file", "m.onnx", b"", "empty"
    for part in (1, 2, 3):
        yield "truncated at %d/4" % part, "m.onnx", SOUND[:len(SOUND) * part // 4], "onnx"
    yield "truncated by a byte", "m.onnx", SOUND[:-1], "onnx"
    yield "random bytes", "m.onnx", bytes((i * 197 + 31) % 256 for i in range(4096)), "onnx"
    yield "a script", "m.onnx", b"#!/bin/sh\necho hello\n", "onnx"
    yield "no graph", "m.onnx", field(1, 8), "no graph"
    yield "no opset", "m.onnx", b"".join([field(1, 8), field(7, [field(2, "g")])]), "opset"
    yield "opset of the future", "m.onnx", model(opset=99, weights=[tensor("w", [4, 4], raw=RAW)]), "opset 99"
    yield "opset of the past", "m.onnx", model(opset=0, weights=[tensor("w", [4, 4], raw=RAW)]), "opset 0"
    yield "unknown dtype", "m.onnx", weight("w", [4, 4], dtype=77, raw=RAW), "w"
    yield "wrong dtype", "m.onnx", weight("w", [4, 4], dtype=7, raw=RAW * 2), "product"
    yield "string weight", "m.onnx", weight("w", [4, 4], dtype=8, raw=RAW), "w"
    yield "too few bytes", "m.onnx", weight("w", [4, 4], raw=RAW[:-4]), "w"
    yield "too many bytes", "m.onnx", weight("w", [4, 4], raw=RAW + RAW), "w"
    yield "negative dimension", "m.onnx", weight("w", [-4, -4], raw=RAW), "w"
    yield "absurd dimensions", "m.onnx", weight("w", [1 << 40, 1 << 40], raw=RAW), "w"
    yield "dimensions that overflow", "m.onnx", weight("w", [1 << 32, 1 << 32, 4], raw=b""), "w"
    yield "absurd input", "m.onnx", model(
        weights=[tensor("w", [4, 4], raw=RAW)], inputs=[value_info("x", [1 << 62, 4])],
        outputs=[value_info("y", [1 << 62, 4])]), "x"
    yield "missing weight", "m.onnx", model(), "'w'"
    yield "unknown op", "m.onnxtxt", text("y = Frobnicate(x)"), "Frobnicate"
    yield "every unknown op is listed", "m.onnxtxt", text("a = Frobnicate(x)\ny = Confabulate(a)"), "Confabulate"
    yield "unknown domain", "m.onnx", model(
        nodes=[node("Gelu", ["x"], ["y"], "strange", "org.example")]), "strange"
    yield "cycle", "m.onnxtxt", text("a = Add(x, b)\nb = Relu(a)\ny = Relu(b)"), "cycl"
    yield "undefined value", "m.onnxtxt", text("y = Add(x, z)"), "'z'"
    yield "undefined output", "m.onnxtxt", text("z = Relu(x)"), "'y'"
    yield "defined twice", "m.onnxtxt", text("y = Relu(x)\ny = Sigmoid(x)"), "'y'"
    yield "shapes that cannot meet", "m.onnxtxt", text(
        "y = MatMul(x, x)", "(float[3, 4] x) => (float[3, 4] y)"), "MatMul"
    yield "dtypes that cannot meet", "m.onnxtxt", text(
        "y = Add(x, k)", "(float[3, 4] x, int64[3, 4] k) => (float[3, 4] y)"), "Add"
    yield "too many inputs", "m.onnxtxt", text("y = Relu(x, x, x)"), "Relu"
    yield "bad attribute", "m.onnxtxt", text("y = Softmax <axis = 9> (x)"), "axis"
    yield "not ONNX text", "m.onnxtxt", b"this is not a model", "text"
    yield "text cut short", "m.onnxtxt", text("y = Relu(x)")[:-12], "text"
    yield "text after the model", "m.onnxtxt", text("y = Relu(x)") + "}", "text"


def external_cases(folder):
    def at(**entries):
        return model(weights=[tensor("w", [4, 4], external={k: str(v) for k, v in entries.items()})])
    outside = os.path.join(os.path.dirname(folder), "outside.bin")
    for path in (outside, os.path.join(folder, "w.bin")):
        with open(path, "wb") as file:
            file.write(RAW)
    os.symlink(outside, os.path.join(folder, "link.bin"))
    os.mkdir(os.path.join(folder, "folder.bin"))
    yield "sound", "m.onnx", at(location="w.bin", offset=0, length=64), None
    yield "missing file", "m.onnx", at(location="nothing.bin"), "nothing.bin"
    yield "no location", "m.onnx", at(offset=0), "w"
    yield "absolute path", "m.onnx", at(location=outside), "outside.bin"
    yield "parent folder", "m.onnx", at(location="../outside.bin"), "outside.bin"
    yield "parent folder in the middle", "m.onnx", at(location="a/../../outside.bin"), "outside.bin"
    yield "link out of the folder", "m.onnx", at(location="link.bin"), "link.bin"
    yield "a folder", "m.onnx", at(location="folder.bin"), "folder.bin"
    yield "offset after the end", "m.onnx", at(location="w.bin", offset=4096, length=64), "w.bin"
    yield "length after the end", "m.onnx", at(location="w.bin", offset=32, length=64), "w.bin"
    yield "length that overflows", "m.onnx", at(location="w.bin", offset=8, length=(1 << 64) - 4), "w"
    yield "length not of the shape", "m.onnx", at(location="w.bin", offset=0, length=32), "w"
    yield "negative offset", "m.onnx", at(location="w.bin", offset=-4, length=64), "w"
    yield "offset that is no number", "m.onnx", at(location="w.bin", offset="four"), "w"


TRAILER = struct.Struct("<8sIIQQQQQQ")


def artifact_cases(sound):
    size = len(sound)
    fields = list(TRAILER.unpack(sound[-64:]))

    def with_trailer(**changes):
        names = ["magic", "abi", "flags", "elf", "offset", "size", "header", "code", "cpu"]
        values = list(fields)
        for name, value in changes.items():
            values[names.index(name)] = value
        return sound[:-64] + TRAILER.pack(*values)

    def flipped(position):
        changed = bytearray(sound)
        changed[position] ^= 0x40
        return bytes(changed)

    yield "sound", sound, None
    yield "empty", b"", ""
    yield "text", b"not an artifact\n" * 20, ""
    yield "a trailer's worth of zeros", bytes(64), ""
    yield "half of it", sound[:size // 2], ""
    yield "cut by one byte", sound[:-1], ""
    yield "without its trailer", sound[:-64], ""
    yield "code only", sound[:fields[3]], ""
    yield "one byte more", sound + b"\0", ""
    yield "foreign magic", with_trailer(magic=b"LLMCART9"), ""
    yield "ABI of the future", with_trailer(abi=99), "99"
    yield "unknown flags", with_trailer(flags=1 << 9), ""
    yield "code larger than the file", with_trailer(elf=1 << 60), ""
    yield "code of no size", with_trailer(elf=0), ""
    yield "weights after the end", with_trailer(offset=1 << 40), ""
    yield "weights not aligned", with_trailer(offset=fields[4] + 8), ""
    yield "weights that overflow", with_trailer(size=(1 << 64) - 8), ""
    yield "no weights", with_trailer(size=0), ""
    yield "code changed", flipped(fields[3] // 2), ""
    yield "weights header changed", flipped(fields[4] + 24), ""
    yield "header checksum changed", with_trailer(header=fields[6] ^ 1), ""
    yield "a processor of the future", with_trailer(cpu=1 << 40), ""
    yield "external weights that are not there", with_trailer(flags=1, size=0), ""
    with open(sys.executable, "rb") as file:
        yield "a foreign program", file.read(), ""


def tokenizer_cases(sound):
    yield "sound", sound, None
    yield "missing", None, "tokenizer.json"
    yield "empty", "", "tokenizer.json"
    yield "cut short", sound[:len(sound) // 2], "tokenizer.json"
    yield "an array", "[]", "tokenizer.json"
    yield "no model", '{"version": "1.0"}', "model"
    yield "unknown model", '{"model": {"type": "Telepathy"}}', "Telepathy"
    yield "a number for the model", '{"model": 3}', "model"
    yield "vocabulary of strings", '{"model": {"type": "BPE", "vocab": {"a": "b"}, "merges": []}}', "tokenizer.json"
    yield "a merge of unknown tokens", '{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["x y"]}}', "tokenizer.json"
    yield "negative id", '{"model": {"type": "BPE", "vocab": {"a": -7}, "merges": []}}', "tokenizer.json"
    yield "absurd id", '{"model": {"type": "BPE", "vocab": {"a": 99999999999}, "merges": []}}', "tokenizer.json"
    yield "unknown normalizer", '{"normalizer": {"type": "Gibberish"}, "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}', "Gibberish"
    yield "nesting without end", "[" * 100000, "tokenizer.json"


def call_cases():
    good = b"".join(tensor("x", [1, 4], raw=RAW[:16]))
    yield "no folder", None, None
    yield "no files", {}, None
    yield "no outputs", {"input_0.pb": good}, None
    yield "truncated tensor", {"input_0.pb": good[:-3], "output_0.pb": good}, None
    yield "random bytes", {"input_0.pb": bytes(range(255, 0, -1)), "output_0.pb": good}, None
    yield "unknown input", {"input_0.pb": b"".join(tensor("q", [1, 4], raw=RAW[:16])), "output_0.pb": good}, None
    yield "absurd dims", {"input_0.pb": b"".join(tensor("x", [1 << 50, 1 << 50], raw=RAW)), "output_0.pb": good}, None


class Checker:
    def __init__(self, work):
        self.work, self.count, self.faults = work, 0, 0

    def check(self, group, name, command, words, sound=False, watched=None, on_stdout=False):
        """Runs a command that must refuse its input, or with `sound` take it."""
        before = sorted(os.listdir(watched)) if watched else None
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=120)
        except subprocess.TimeoutExpired:
            return self.fault(group, name, "still running after 120 s", "")
        message = done.stderr.decode(errors="replace")
        if on_stdout:
            message += done.stdout.decode(errors="replace")
        self.count += not sound
        if sound:
            if done.returncode:
                self.fault(group, name, "exit code %d for sound input" % done.returncode, message)
            return None
        if done.returncode != 1:
            return self.fault(group, name, "exit code %d, expected 1" % done.returncode, message)
        for word in words:
            if word.lower() not in message.lower():
                return self.fault(group, name, "the message lacks '%s'" % word, message)
        if watched and sorted(os.listdir(watched)) != before:
            return self.fault(group, name, "left files: %s" % sorted(os.listdir(watched)), message)
        return None

    def fault(self, group, name, problem, message):
        self.faults += 1
        print("FAIL: %s, %s: %s\n%s" % (group, name, problem, message[-2000:]))

    def folder(self, name):
        path = os.path.join(self.work, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path


def write(path, content):
    with open(path, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)


def check_models(checker, tools, group, cases, folder):
    for name, file_name, content, word in cases:
        path = os.path.join(folder, file_name)
        output = checker.folder("output")
        write(path, content)
        checker.check(group, name, [tools.llmc, "compile", path, "-o", os.path.join(output, "out.llmc")],
                      ["error", file_name] + ([word] if word else []), sound=word is None,
                      watched=None if word is None else output)
        if word is None and not os.path.exists(os.path.join(output, "out.llmc")):
            checker.fault(group, name, "no artifact", "")
        os.remove(path)


def check_artifacts(checker, tools, artifact):
    with open(artifact, "rb") as file:
        sound = file.read()
    path = os.path.join(checker.folder("artifacts"), "a.llmc")
    for name, content, word in artifact_cases(sound):
        write(path, content)
        if word is None:
            checker.check("artifacts", name, [tools.llmc, "inspect", path], [], sound=True)
        checker.check("artifacts", name, [tools.llmc_run, "verify", path, tools.calls],
                      ["error", "a.llmc", word or ""], sound=word is None)
    checker.check("artifacts", "missing", [tools.llmc_run, "verify", path + "2", tools.calls],
                  ["error", "a.llmc2"])


def check_tokenizers(checker, tools, artifact):
    with open(os.path.join(tools.tokenizer, "tokenizer.json")) as file:
        sound = file.read()
    for name, content, word in tokenizer_cases(sound):
        folder = checker.folder("tokenizer")
        if content is not None:
            write(os.path.join(folder, "tokenizer.json"), content)
        checker.check("tokenizers", name,
                      [tools.llmc_run, "generate", artifact, "--tokenizer", folder, "--prompt", "a",
                       "--max-new-tokens", "1"], ["error", word or ""], sound=word is None)


def check_calls(checker, tools, artifact):
    checker.check("calls", "sound", [tools.llmc_run, "verify", artifact, tools.calls], [], sound=True)
    for name, files, word in call_cases():
        folder = checker.folder("calls")
        if files is None:
            os.rmdir(folder)
        for file_name, content in (files or {}).items():
            write(os.path.join(folder, file_name), content)
        checker.check("calls", name, [tools.llmc_run, "verify", artifact, folder],
                      ["calls", word or ""], on_stdout=True)


def main(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llmc", required=True, help="the compiler")
    parser.add_argument("--llmc-run", required=True, help="the runner")
    parser.add_argument("--artifact", help="a sound artifact that can generate; for all but models")
    parser.add_argument("--tokenizer", metavar="DIR", help="its tokenizer's folder")
    parser.add_argument("--calls", metavar="DIR", help="its recorded calls")
    parser.add_argument("--work", required=True, metavar="DIR", help="folder to write to")
    parser.add_argument("groups", nargs="+",
                        choices=["models", "external", "artifacts", "tokenizers", "calls"])
    tools = parser.parse_args(argv)
    checker = Checker(tools.work)
    for group in tools.groups:
        if group == "models":
            check_models(checker, tools, group, model_cases(), checker.folder("models"))
        elif group == "external":
            folder = checker.folder("external/inside")
            check_models(checker, tools, group, external_cases(folder), folder)
        elif group == "artifacts":
            check_artifacts(checker, tools, tools.artifact)
        elif group == "tokenizers":
            check_tokenizers(checker, tools, tools.artifact)
        else:
            check_calls(checker, tools, tools.artifact)
    print("%d malformed inputs, %d faults" % (checker.count, checker.faults))
    return 1 if checker.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

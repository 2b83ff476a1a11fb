#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares the speed of a compiled model with onnxruntime's on the same graph.

Measures decode at several context lengths and prefill, in turn: onnxruntime,
`llmc-run bench`, onnxruntime, ... so that a busy moment hits both; prints the
medians. onnxruntime runs at its best: all graph optimisations, IO binding, keys
and values handed on without a copy (and written in place where the graph is made
of GroupQueryAttention). Only the model's step is timed on both sides: no argmax,
no binding, no tokenizer.

Needs the PyPI packages onnx, onnxruntime and numpy. Takes decoders with one graph
for prefill and decode, with past/present inputs and outputs as Optimum,
transformers or onnxruntime-genai export them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime as ort

DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}


def bench_token(index, vocab_size):
    """The same tokens as llmc-run bench uses (tools/llmc-run/Bench.cpp)."""
    return (index * 7919 + 11) % vocab_size


def present_name(past_name, output_names):
    """The output that continues a past input."""
    candidates = [
        past_name.replace("past_key_values", "present", 1),
        past_name.replace("past", "present", 1),
        past_name.replace("input.", "output.", 1),
    ]
    for name in candidates:
        if name != past_name and name in output_names:
            return name
    raise SystemExit(f"ort_compare: error: no output continues input '{past_name}'")


class Decoder:
    """An onnxruntime session with its keys and values, batch 1."""

    def __init__(self, path, threads, head_dim, max_tokens):
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = {i.name: i for i in self.session.get_inputs()}
        outputs = [o.name for o in self.session.get_outputs()]
        self.logits_name = "logits" if "logits" in outputs else outputs[0]
        self.present_of = {
            name: present_name(name, outputs)
            for name in self.inputs
            if "past" in name
        }
        self.head_dim = head_dim
        self.shares_buffers = all(
            len(self.inputs[name].shape) == 4 for name in self.present_of
        ) and any(
            node.op_type == "GroupQueryAttention"
            for node in onnx.load(path, load_external_data=False).graph.node
        )
        self.buffers = {}
        if self.shares_buffers:
            self.buffers = {name: self._zeros(name, max_tokens) for name in self.present_of}
        self.reset()

    def _zeros(self, name, seq):
        info = self.inputs[name]
        dims = []
        for index, dim in enumerate(info.shape):
            text = str(dim)
            if text.isdigit():
                dims.append(int(text))
            elif index == 0:
                dims.append(1)
            elif len(info.shape) == 4 and index == 2:
                dims.append(seq)
            elif self.head_dim:
                dims.append(self.head_dim)
            else:
                raise SystemExit(
                    f"ort_compare: error: dimension '{dim}' of '{name}' is open, give --head-dim"
                )
        return ort.OrtValue.ortvalue_from_numpy(np.zeros(dims, DTYPES[info.type]))

    def reset(self):
        self.length = 0
        self.past = dict(self.buffers) or {n: self._zeros(n, 0) for n in self.present_of}

    def _feed(self, name, tokens):
        dtype = DTYPES[self.inputs[name].type]
        total = self.length + len(tokens)
        if name == "input_ids":
            return np.array([tokens], dtype)
        if "attention_mask" in name:
            return np.ones((1, total), dtype)
        if "position" in name:
            return np.arange(self.length, total, dtype=dtype)[None]
        if "use_cache" in name:
            return np.array([self.length > 0], dtype)
        raise SystemExit(f"ort_compare: error: do not know how to feed input '{name}'")

    def step(self, tokens):
        """Appends tokens; returns the seconds of the run and the last logits."""
        binding = self.session.io_binding()
        keep = []
        for name in self.inputs:
            if name in self.present_of:
                binding.bind_ortvalue_input(name, self.past[name])
            else:
                keep.append(ort.OrtValue.ortvalue_from_numpy(self._feed(name, tokens)))
                binding.bind_ortvalue_input(name, keep[-1])
        binding.bind_output(self.logits_name, "cpu")
        for name, present in self.present_of.items():
            if self.shares_buffers:
                binding.bind_ortvalue_output(present, self.past[name])
            else:
                binding.bind_output(present, "cpu")
        begin = time.perf_counter()
        self.session.run_with_iobinding(binding)
        seconds = time.perf_counter() - begin
        outputs = dict(zip([self.logits_name, *self.present_of.values()], binding.get_outputs()))
        if not self.shares_buffers:
            self.past = {n: outputs[p] for n, p in self.present_of.items()}
        self.length += len(tokens)
        return seconds, outputs[self.logits_name].numpy()[0, -1]

    def measure_decode(self, context, new_tokens):
        """Tokens per second of greedy steps after `context` tokens."""
        self.reset()
        token = 0
        if context:
            logits = self.step([bench_token(i, self.vocab_size()) for i in range(context)])[1]
            token = int(logits.argmax())
        total = 0.0
        for _ in range(new_tokens):
            seconds, logits = self.step([token])
            total += seconds
            token = int(logits.argmax())
        return new_tokens / total

    def measure_prefill(self, prompt_tokens):
        self.reset()
        tokens = [bench_token(i, self.vocab_size()) for i in range(prompt_tokens)]
        return prompt_tokens / self.step(tokens)[0]

    def vocab_size(self):
        if not hasattr(self, "_vocab"):
            shape = [o.shape for o in self.session.get_outputs() if o.name == self.logits_name][0]
            self._vocab = int(shape[-1])
        return self._vocab


def measure_llmc(args, threads):
    """One run of llmc-run bench: {(phase, tokens, context): tokens/s}."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "bench.json")
        command = [
            args.llmc_run, "bench", args.artifact, "--threads", str(threads),
            "--context", ",".join(map(str, args.context)),
            "--prompt-tokens", str(args.prefill),
            "--new-tokens", str(args.new_tokens),
            "--repetitions", "1", "--json", path,
        ]  # fmt: skip
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            raise SystemExit(f"ort_compare: error: {' '.join(command)}\n{result.stderr}")
        with open(path) as file:
            return {
                (r["phase"], r["prompt_tokens"], r["context"]): r["tokens_per_second"]
                for r in json.load(file)
            }


def configurations(args):
    """(phase, prompt tokens, context), the key that llmc-run bench reports."""
    yield ("prefill", args.prefill, 0)
    for context in args.context:
        yield ("decode", 0, context)


def measure_all(args):
    max_tokens = max(args.prefill, max(args.context) + args.new_tokens)
    decoders = {t: Decoder(args.onnx, t, args.head_dim, max_tokens) for t in args.threads}
    samples = {}
    for repetition in range(args.repetitions + 1):  # the first warms up
        for threads, decoder in decoders.items():
            print(f"round {repetition} of {args.repetitions}, {threads} threads", file=sys.stderr)
            theirs = {}
            for key in configurations(args):
                phase, _, context = key
                if phase == "prefill":
                    theirs[key] = decoder.measure_prefill(args.prefill)
                else:
                    theirs[key] = decoder.measure_decode(context, args.new_tokens)
            ours = measure_llmc(args, threads)
            if repetition == 0:
                continue
            for key in configurations(args):
                if key in ours:
                    pair = samples.setdefault((*key, threads), ([], []))
                    pair[0].append(theirs[key])
                    pair[1].append(ours[key])
    return samples


def report(args, samples):
    print(f"onnxruntime {ort.__version__}: {args.onnx}")
    print(f"llmc: {args.artifact}")
    print(f"medians of {args.repetitions} interleaved repetitions, tokens/s; "
          f"decode over {args.new_tokens} steps")
    print(f"{'phase':<8}{'prompt':>7}{'context':>9}{'threads':>9}"
          f"{'onnxruntime':>13}{'llmc':>11}{'ratio':>8}")
    rows = []
    for (phase, prompt, context, threads), (theirs, ours) in sorted(samples.items()):
        row = {
            "phase": phase, "prompt_tokens": prompt, "context": context, "threads": threads,
            "onnxruntime_tokens_per_second": statistics.median(theirs),
            "llmc_tokens_per_second": statistics.median(ours),
        }  # fmt: skip
        row["ratio"] = row["llmc_tokens_per_second"] / row["onnxruntime_tokens_per_second"]
        rows.append(row)
        print(f"{phase:<8}{prompt or '-':>7}{context:>9}{threads:>9}"
              f"{row['onnxruntime_tokens_per_second']:>13.1f}"
              f"{row['llmc_tokens_per_second']:>11.1f}{row['ratio']:>8.2f}")
    expected = len(list(configurations(args))) * len(args.threads)
    if len(rows) < expected:
        print(f"note: {expected - len(rows)} configurations exceed the artifact's max_seq")
    if args.json:
        temporary = f"{args.json}.tmp.{os.getpid()}"
        with open(temporary, "w") as file:
            json.dump(rows, file, indent=2)
        os.replace(temporary, args.json)


def number_list(text):
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--onnx", required=True, metavar="M.onnx")
    parser.add_argument("--artifact", required=True, metavar="M.llmc", help="compiled from it")
    parser.add_argument("--llmc-run", required=True, metavar="PATH", help="the llmc-run to use")
    parser.add_argument("--context", type=number_list, default=[0, 200], metavar="N,N,...",
                        help="decode: tokens in the cache before (default 0,200)")
    parser.add_argument("--prefill", type=int, default=128, metavar="N",
                        help="tokens of the prefill (default 128)")
    parser.add_argument("--new-tokens", type=int, default=32, metavar="N",
                        help="decode steps timed together (default 32)")
    parser.add_argument("--threads", type=number_list, default=[1, 2], metavar="N,N,...")
    parser.add_argument("--repetitions", type=int, default=5, metavar="N")
    parser.add_argument("--head-dim", type=int, metavar="N",
                        help="where the graph leaves it open (default: head_size of "
                        "genai_config.json beside the graph)")
    parser.add_argument("--json", metavar="FILE", help="also write the results here")
    args = parser.parse_args()
    for path in (args.onnx, args.artifact, args.llmc_run):
        if not os.path.isfile(path):
            raise SystemExit(f"ort_compare: error: {path}: no such file")
    config = os.path.join(os.path.dirname(args.onnx), "genai_config.json")
    if args.head_dim is None and os.path.isfile(config):
        with open(config) as file:
            args.head_dim = json.load(file)["model"]["decoder"].get("head_size")
    report(args, measure_all(args))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Exports one tiny architecture to ONNX and records what onnxruntime answers.

Needs the packages of requirements.txt. Writes FOLDER/<graph>.onnx and
FOLDER/golden/<graph>/<case>/{input,output}_I.pb; tensors carry the graph's names. Cases of
a decoder: `prefill` (7 tokens without a past), `decode` (1 after 7), `chunk` (3 after 5,
batch 2), `padded` (batch 2, 2 padding tokens before the first row); where a graph takes no
padding, `chunk` has batch 1 and `batch` (1 after 5, batch 2) is the last. Encoders and
encoder-decoders: `batch1`, and `batch2` with padding at the end of its second row. A NaN in
an output stands for padding and is not compared.
"""
import argparse
import os
import re
import shutil
import sys
import warnings

import architectures
import dynamo_export

# --- Exporters -----------------------------------------------------------------------


def export_with_optimum(name, model, folder):
    from optimum.exporters.onnx import onnx_export_from_model
    task = {"decoder": "text-generation-with-past", "encoder": "feature-extraction",
            "encoder-decoder": "text2text-generation-with-past"}[architectures.kind_of(name)]
    if name in architectures.SPEECH:
        task = "automatic-speech-recognition-with-past"
    onnx_export_from_model(model, folder, task=task, opset=18, do_validation=False,
                           no_post_process=True)


def export_with_dynamo(name, model, folder):
    """The exporter of PyTorch itself, around a function of tensors only."""
    import torch
    from transformers import DynamicCache
    batch, tokens, past = (torch.export.Dim(what, min=1, max=64)
                           for what in ("batch", "tokens", "past"))
    ids = torch.randint(3, architectures.VOCABULARY, (2, 3))
    if architectures.kind_of(name) == "encoder":
        arguments = (ids, torch.ones(2, 3, dtype=torch.int64))
        both = {0: batch, 1: tokens}
        torch.onnx.export(model, arguments, os.path.join(folder, "model.onnx"), dynamo=True,
                          input_names=["input_ids", "attention_mask"],
                          dynamic_shapes=(both, both))
        return

    class Step(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask, position_ids, past_key_values):
            more = {"position_ids": position_ids} if takes_positions else {}
            result = self.model(input_ids=input_ids, attention_mask=attention_mask,
                                past_key_values=DynamicCache.from_legacy_cache(past_key_values),
                                use_cache=True, **more)
            return result.logits, result.past_key_values.to_legacy_cache()

    takes_positions = "position_ids" in model.forward.__code__.co_varnames
    with torch.no_grad():
        # A cache made for the configuration would keep no more than a window.
        cache = model(torch.randint(3, architectures.VOCABULARY, (2, 4)), use_cache=True,
                      past_key_values=DynamicCache()).past_key_values.to_legacy_cache()
    arguments = (ids, torch.ones(2, 7, dtype=torch.int64),
                 torch.arange(4, 7).repeat(2, 1), tuple(cache))
    auto = torch.export.Dim.DYNAMIC
    shapes = ({0: auto, 1: auto}, {0: auto, 1: auto}, {0: auto, 1: auto},
              tuple(({0: auto, 2: auto}, {0: auto, 2: auto}) for _ in cache))
    names = ["past_key_values.%d.%s" % (layer, part)
             for layer in range(len(cache)) for part in ("key", "value")]
    torch.onnx.export(
        Step().eval(), arguments, os.path.join(folder, "model.onnx"), dynamo=True,
        dynamic_shapes=shapes,
        input_names=["input_ids", "attention_mask", "position_ids", *names],
        output_names=["logits", *[past.replace("past_key_values", "present") for past in names]])


def export_with_dynamo5(name, model, folder):
    kind = architectures.kind_of(name)
    if kind == "decoder":
        dynamo_export.export(model, os.path.join(folder, "model.onnx"),
                             rows=1 if name in architectures.ONE_SEQUENCE else 2)
    elif kind == "encoder":
        export_with_dynamo(name, model, folder)
    else:
        dynamo_export.export_encoder_decoder(model, folder, architectures.SAMPLES)


def export_with_genai(name, model, folder):
    """The model builder of onnxruntime-genai: weights of 4 bits, activations of f32."""
    import subprocess
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast
    source = os.path.join(folder, "source")
    model.save_pretrained(source)
    words = Tokenizer(models.WordLevel({"<pad>": 0, "<s>": 1, "</s>": 2}, unk_token="<pad>"))
    PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>",
                            eos_token="</s>").save_pretrained(source)
    subprocess.run([sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", source,
                    "-o", folder, "-c", os.path.join(folder, "cache"), "-p", "int4", "-e", "cpu",
                    "--extra_options", "accuracy_level=1"], check=True)


# --- Recording -----------------------------------------------------------------------


class Recorder:
    """One graph in onnxruntime, and the folder of its recorded calls."""

    def __init__(self, folder, graph):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = (
            onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            os.path.join(folder, graph + ".onnx"), options, providers=["CPUExecutionProvider"])
        self.golden = os.path.join(folder, "golden", graph)
        self.inputs = {value.name: value for value in self.session.get_inputs()}
        self.outputs = [value.name for value in self.session.get_outputs()]

    def run(self, feeds):
        return dict(zip(self.outputs, self.session.run(None, feeds)))

    def record(self, case, feeds, hide=lambda name, value: None):
        """Stores one call; `hide` writes NaN over what is not to be compared."""
        results = self.run(feeds)
        place = os.path.join(self.golden, case)
        os.makedirs(place)
        for prefix, tensors in (("input", feeds), ("output", results)):
            for number, (name, value) in enumerate(tensors.items()):
                if prefix == "output":
                    value = value.copy()
                    hide(name, value)
                save_tensor(os.path.join(place, "%s_%d.pb" % (prefix, number)), name, value)
        return results

    def empty_past(self, batch):
        """Keys and values of no tokens; other states as zeros."""
        import numpy
        found = {}
        for name, info in self.inputs.items():
            if name.startswith("past"):
                grows = self.past_axis(name)
                shape = [batch if axis == 0 else 0 if axis == grows else dim
                         for axis, dim in enumerate(info.shape)]
                found[name] = numpy.zeros(shape, type_of(info))
        return found

    def past_axis(self, name):
        """Which dimension of a past grows: behind the batch the one without a number."""
        return next((axis for axis, dim in enumerate(self.inputs[name].shape)
                     if axis > 0 and isinstance(dim, str)), None)


def save_tensor(path, name, value):
    from onnx import numpy_helper
    with open(path, "wb") as file:
        file.write(numpy_helper.from_array(value, name).SerializeToString())


def type_of(info):
    import numpy
    return {"tensor(float)": numpy.float32, "tensor(int64)": numpy.int64,
            "tensor(int32)": numpy.int32, "tensor(bool)": numpy.bool_}[info.type]


def present_of(past, outputs):
    """The output that a past becomes."""
    rest = re.sub(r"^past(_key_values)?", "", past)
    return next(name for name in outputs if name.startswith("present") and name.endswith(rest))


def random_ids(seed, batch, tokens):
    import numpy
    return numpy.random.default_rng(seed).integers(
        3, architectures.VOCABULARY, (batch, tokens), dtype=numpy.int64)


def record_decoder(folder, graph, takes_padding=True):
    """Without `takes_padding` mask and positions stand for lengths alone: rows begin with
    their first token, and onnxruntime takes several tokens after a past for one row only."""
    import numpy
    recorder = Recorder(folder, graph)
    pasts = [name for name in recorder.inputs if name.startswith("past")]
    axes = {name: recorder.past_axis(name) for name in pasts}
    if pasts and None in axes.values():
        raise ValueError("no dimension of %s grows" % pasts[0])

    def feeds(seed, batch, tokens, past, padding=0):
        length = next(iter(past.values())).shape[axes[pasts[0]]] if past else 0
        mask = numpy.ones((batch, length + tokens), numpy.int64)
        mask[0, :padding] = 0
        positions = numpy.maximum(mask.cumsum(1) - 1, 0)[:, length:]
        given = {"input_ids": random_ids(seed, batch, tokens), "attention_mask": mask,
                 "position_ids": positions, **past}
        unknown = set(recorder.inputs) - set(given)
        if unknown:
            raise ValueError("inputs of no known meaning: %s" % ", ".join(sorted(unknown)))
        return {name: given[name] for name in recorder.inputs}

    def after(results):
        return {name: results[present_of(name, results)] for name in pasts}

    def hide_padding(name, value):
        if name == "logits":
            value[0, :2] = numpy.nan
            return
        for past in pasts:
            if present_of(past, recorder.outputs) == name:
                numpy.moveaxis(value[0], axes[past] - 1, 0)[:2] = numpy.nan

    results = recorder.record("prefill", feeds(1, 1, 7, recorder.empty_past(1)))
    recorder.record("decode", feeds(2, 1, 1, after(results)))
    rows = 2 if takes_padding else 1
    results = recorder.run(feeds(3, rows, 5, recorder.empty_past(rows)))
    recorder.record("chunk", feeds(4, rows, 3, after(results)))
    if not takes_padding:
        results = recorder.run(feeds(3, 2, 5, recorder.empty_past(2)))
        recorder.record("batch", feeds(5, 2, 1, after(results)))
        return
    recorder.record("padded", feeds(5, 2, 7, recorder.empty_past(2), padding=2), hide_padding)


def record_one_token_decoder(folder, graph):
    """Of a graph for one token a call: `first` from zeros, `decode` after two, `batch`."""
    import numpy
    recorder = Recorder(folder, graph)

    def step(case, seed, past):
        batch = next(iter(past.values())).shape[0]
        grown = [value.shape[recorder.past_axis(name)] for name, value in past.items()
                 if recorder.past_axis(name)]
        length = grown[0] if grown else 0
        known = {"input_ids": random_ids(seed, batch, 1), **past,
                 "attention_mask": numpy.ones((batch, length + 1), numpy.int64),
                 "position_ids": numpy.full((batch, 1), length, numpy.int64)}
        feeds = {name: known[name] for name in recorder.inputs}
        results = recorder.record(case, feeds) if case else recorder.run(feeds)
        return {name: results[present_of(name, results)] for name in past}

    step("decode", 3, step(None, 2, step("first", 1, recorder.empty_past(1))))
    if recorder.inputs["input_ids"].shape[0] != 1:
        step("batch", 5, step(None, 4, recorder.empty_past(2)))


def takes_one_token(folder, graph):
    return Recorder(folder, graph).inputs["input_ids"].shape[1] == 1


def mask_of(batch, tokens):
    """All ones, but for the last two tokens of a second row."""
    import numpy
    mask = numpy.ones((batch, tokens), numpy.int64)
    mask[1:, -2:] = 0
    return mask


def record_encoder(folder, graph):
    """Returns of each case the inputs and the last hidden states."""
    import numpy
    recorder = Recorder(folder, graph)
    cases = {}
    for case, batch in (("batch1", 1), ("batch2", 2)):
        feeds = {}
        for name, info in recorder.inputs.items():
            if name == "input_features":
                shape = (batch, *architectures.SPECTRUM)
                feeds[name] = numpy.random.default_rng(6).standard_normal(shape, numpy.float32)
            elif name == "input_values":
                shape = (batch, architectures.SAMPLES)
                feeds[name] = numpy.random.default_rng(6).standard_normal(shape, numpy.float32)
            elif name == "attention_mask":
                of_sound = "input_values" in recorder.inputs
                feeds[name] = mask_of(batch, architectures.SAMPLES if of_sound else 9)
            elif name == "token_type_ids":
                feeds[name] = numpy.repeat([[0] * 5 + [1] * 4], batch, 0).astype(numpy.int64)
            else:
                feeds[name] = random_ids(7, batch, 9)

        def hide(name, value):
            if "attention_mask" in recorder.inputs and value.ndim == 3:
                value[1:, -2:] = numpy.nan

        cases[case] = feeds, recorder.record(case, feeds, hide)[recorder.outputs[0]]
    return cases


def record_encoder_decoder(folder):
    import numpy
    encoded = record_encoder(folder, "encoder_model")
    first, later = (Recorder(folder, graph)
                    for graph in ("decoder_model", "decoder_with_past_model"))
    for case, (given, states) in encoded.items():
        batch = states.shape[0]
        # A mask of samples is none of hidden states, whose sizes the decoder declares for it.
        mask = given.get("attention_mask")
        if mask is not None and mask.shape != states.shape[:2]:
            mask = numpy.ones(states.shape[:2], numpy.int64)
        known = {"encoder_hidden_states": states, "input_ids": random_ids(8, batch, 5),
                 "encoder_attention_mask": mask}
        results = first.record(case, {name: known[name] for name in first.inputs})
        known["input_ids"] = random_ids(9, batch, 1)
        for name in later.inputs:
            if name.startswith("past"):
                known[name] = results[present_of(name, results)]
        later.record(case, {name: known[name] for name in later.inputs})


def record_encoder_and_decoder(folder):
    """Of a decoder whose past is its own only: 5 tokens without one, then 1."""
    encoded = record_encoder(folder, "encoder_model")
    decoder = Recorder(folder, "decoder_model")
    for case, (given, states) in encoded.items():
        batch = states.shape[0]
        known = {"encoder_hidden_states": states, "input_ids": random_ids(8, batch, 5),
                 "encoder_attention_mask": given["attention_mask"],
                 **decoder.empty_past(batch)}
        results = decoder.record(case, {name: known[name] for name in decoder.inputs})
        known["input_ids"] = random_ids(9, batch, 1)
        for name in decoder.inputs:
            if name.startswith("past"):
                known[name] = results[present_of(name, results)]
        decoder.record(case + "-decode", {name: known[name] for name in decoder.inputs})


# --- Command line --------------------------------------------------------------------


def export(name, exporter, folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    model = architectures.make_model(name)
    {"optimum": export_with_optimum, "dynamo": export_with_dynamo,
     "dynamo5": export_with_dynamo5, "genai": export_with_genai}[exporter](name, model, folder)
    kind = architectures.kind_of(name)
    if kind == "decoder" and takes_one_token(folder, "model"):
        record_one_token_decoder(folder, "model")
    elif kind == "decoder":
        record_decoder(folder, "model", takes_padding=exporter != "genai")
    elif kind == "encoder":
        record_encoder(folder, "model")
    elif exporter == "dynamo5":
        record_encoder_and_decoder(folder)
    else:
        record_encoder_decoder(folder)


def main(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architecture", choices=architectures.all_names(), metavar="ARCHITECTURE",
                        help="one of: " + ", ".join(architectures.all_names()))
    parser.add_argument("exporter", choices=architectures.EXPORTERS, help="who writes the graph")
    parser.add_argument("folder", help="what it holds is replaced")
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore")  # tracers speak of each shape that they make constant
    export(options.architecture, options.exporter, options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Exports models of transformers 5 by PyTorch's own exporter, whatever state they keep.

A cache is taken apart into its tensors, which become inputs and outputs; which of their
dimensions vary is seen by comparing the caches of two calls. A model whose states do not
all grow is exported for one token a call: its formulas for several begin without a state.
"""
import copy
import inspect
import os


def held_by(value, seen):
    """Every tensor in lists, dictionaries and transformers' objects."""
    import torch
    if isinstance(value, torch.Tensor):
        yield value
        return
    parts = value
    if type(value).__module__.startswith("transformers"):
        parts = getattr(value, "__dict__", {})
    if id(value) in seen or not isinstance(parts, (list, tuple, dict)):
        return
    seen.add(id(value))
    for part in parts.values() if isinstance(parts, dict) else parts:
        yield from held_by(part, seen)


def tensors_of(cache):
    """The tensors that a call reads: numbers beside them count tokens."""
    return [tensor for tensor in held_by(cache, set()) if tensor.dim() > 1]


class Caches:
    """What a model's calls pass on, as one list of tensors."""

    def __init__(self, model, rows):
        """`rows`: sequences of the example's call."""
        import torch
        self.model = model
        taken = inspect.signature(model.forward).parameters
        self.argument = next(name for name in ("past_key_values", "cache_params", "state")
                             if name in taken)
        small, large = (self.after(torch.randint(3, 300, shape))
                        for shape in ((rows, 4), (rows + (rows > 1), 5)))
        self.axes = [[axis for axis, size in enumerate(one.shape) if size != other.shape[axis]]
                     for one, other in zip(tensors_of(small), tensors_of(large))]
        self.example = [tensor.clone() for tensor in tensors_of(small)]
        self.template = copy.deepcopy(small)

    def empty(self):
        """A cache of full lengths: one made for the configuration keeps windows only."""
        from transformers import cache_utils
        cache = cache_utils.DynamicCache(config=self.model.config)
        for number, layer in enumerate(cache.layers):
            if type(layer) is cache_utils.DynamicSlidingWindowLayer:
                cache.layers[number] = cache_utils.DynamicLayer()
        return cache

    def after(self, ids):
        import torch
        with torch.no_grad():
            try:
                result = self.model(ids, use_cache=True, **{self.argument: self.empty()})
            except (AttributeError, TypeError, ValueError):
                result = self.model(ids, use_cache=True)  # a class of its own
        return getattr(result, self.argument)

    def of(self, tensors):
        """The cache object that holds these: a copy in which each takes an old one's place."""
        places = {id(tensor): tensor.clone() for tensor in held_by(self.template, set())}
        for old, new in zip(tensors_of(self.template), tensors, strict=True):
            places[id(old)] = new.clone()
        return copy.deepcopy(self.template, places)

    def grow(self):
        """Which states have a dimension besides the batch that varies."""
        return [any(axis > 0 for axis in axes) for axes in self.axes]


def export(model, path, rows):
    """With one row the batch is 1 in the graph, too."""
    import torch
    caches = Caches(model, rows)
    taken = inspect.signature(model.forward).parameters
    tokens = 3 if all(caches.grow()) else 1

    class Step(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, more, past):
            result = self.model(input_ids=input_ids, use_cache=True,
                                **{caches.argument: caches.of(past)}, **more)
            return result.logits, tensors_of(getattr(result, caches.argument))

    auto = torch.export.Dim.DYNAMIC
    ids = torch.randint(3, 300, (rows, tokens))
    varying = {0: auto} if rows > 1 else {}
    id_axes = {**varying, 1: auto} if tokens > 1 else varying
    more, more_axes = {}, {}
    if any(caches.grow()):
        more["attention_mask"] = torch.ones(rows, 4 + tokens, dtype=torch.int64)
        more_axes["attention_mask"] = {**varying, 1: auto}
    if "position_ids" in taken:
        more["position_ids"] = torch.arange(4, 4 + tokens).repeat(rows, 1)
        more_axes["position_ids"] = id_axes
    names = ["past.%d" % number for number in range(len(caches.example))]
    torch.onnx.export(
        Step().eval(), (ids, more, caches.example), path, dynamo=True,
        dynamic_shapes=(id_axes, more_axes,
                        [{axis: auto for axis in axes} for axes in caches.axes]),
        input_names=["input_ids", *more, *names],
        output_names=["logits", *[name.replace("past", "present") for name in names]])


def export_encoder_decoder(model, folder, samples):
    """Two graphs; the decoder keeps its own past and reads what the encoder said anew.

    An encoder that does not read token ids reads `samples` numbers."""
    import torch
    from transformers import DynamicCache, EncoderDecoderCache
    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = model.get_encoder()

        def forward(self, heard, attention_mask):
            return encode(heard, attention_mask).last_hidden_state

    def encode(heard, mask):
        return model.get_encoder()(**{model.main_input_name: heard}, attention_mask=mask)

    def call(ids, states, mask, past):
        cache = EncoderDecoderCache(DynamicCache(past) if past else DynamicCache(), DynamicCache())
        result = model(decoder_input_ids=ids, attention_mask=mask, past_key_values=cache,
                       encoder_outputs=Encoded(last_hidden_state=states), use_cache=True)
        return result.logits, [(layer.keys, layer.values) for layer in
                               result.past_key_values.self_attention_cache.layers]

    class Decoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, encoder_hidden_states, encoder_attention_mask, past):
            return call(input_ids, encoder_hidden_states, encoder_attention_mask, past)

    auto = torch.export.Dim.DYNAMIC
    both = {0: auto, 1: auto}
    heard = (torch.randint(3, 300, (2, 5)) if model.main_input_name == "input_ids"
             else torch.randn(2, samples))
    mask = torch.ones(heard.shape, dtype=torch.int64)
    with torch.no_grad():
        encoded = encode(heard, mask)
        Encoded, states = type(encoded), encoded.last_hidden_state
        past = call(torch.randint(3, 300, (2, 4)), states, mask, None)[1]
    torch.onnx.export(Encoder().eval(), (heard, mask), os.path.join(folder, "encoder_model.onnx"),
                      dynamo=True, input_names=[model.main_input_name, "attention_mask"],
                      output_names=["last_hidden_state"], dynamic_shapes=(both, both))
    names = ["past.%d.%s" % (layer, part) for layer in range(len(past))
             for part in ("key", "value")]
    grows = ({0: auto, 2: auto},) * 2
    torch.onnx.export(
        Decoder().eval(), (torch.randint(3, 300, (2, 3)), states, mask, past),
        os.path.join(folder, "decoder_model.onnx"), dynamo=True,
        input_names=["input_ids", "encoder_hidden_states", "encoder_attention_mask", *names],
        output_names=["logits", *[name.replace("past", "present") for name in names]],
        dynamic_shapes=(both, both, both, [grows] * len(past)))

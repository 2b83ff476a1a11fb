# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tiny configurations of architectures, by transformers' names for them.

Sizes that most configurations name alike are in SIZES; a table entry adds what an
architecture calls otherwise, or what sets it apart. Heads are few but more than one,
key-value heads fewer where the architecture shares them, windows shorter than the calls.
"""

EXPORTERS = ("optimum", "dynamo")

VOCABULARY = 384
LAYERS = 2
SPECTRUM = (8, 3000)  # what a speech encoder reads: bands, frames

SIZES = dict(
    vocab_size=VOCABULARY, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
    num_attention_heads=4, max_position_embeddings=128, pad_token_id=0, bos_token_id=1,
    eos_token_id=2)
GROUPED = dict(num_key_value_heads=2)

# Of GPT-2's family, which names its sizes in its own way.
GPT2_SIZES = dict(n_embd=64, n_layer=2, n_head=4, n_positions=128, n_ctx=128, n_inner=96)

ENCODER_DECODER = dict(
    vocab_size=VOCABULARY, d_model=64, encoder_layers=2, decoder_layers=2,
    encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=96,
    decoder_ffn_dim=96, max_position_embeddings=128, pad_token_id=0, bos_token_id=1,
    eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=None)

DECODERS = {
    "arcee": GROUPED,
    "bloom": dict(n_head=4, n_layer=2),
    "codegen": dict(GPT2_SIZES, rotary_dim=8),
    "cohere": dict(GROUPED, logit_scale=0.25),
    "falcon": dict(num_kv_heads=1, multi_query=True, new_decoder_architecture=False),
    "falcon-alibi": dict(alibi=True, multi_query=False, parallel_attn=False, bias=True,
                         new_decoder_architecture=False),
    "gemma": dict(num_key_value_heads=1, head_dim=16),
    "gemma3_text": dict(GROUPED, head_dim=16, sliding_window=4, query_pre_attn_scalar=16,
                        layer_types=["sliding_attention", "full_attention"]),
    "glm": dict(GROUPED, head_dim=16, partial_rotary_factor=0.5),
    "gpt_bigcode": dict(GPT2_SIZES, multi_query=True),
    "gpt_neo": dict(num_layers=2, num_heads=4, attention_types=[[["global", "local"], 1]],
                    window_size=4, max_position_embeddings=64),
    "gptj": dict(GPT2_SIZES, rotary_dim=8),
    "granite": dict(GROUPED, embedding_multiplier=3.0, attention_multiplier=0.2,
                    residual_multiplier=0.5, logits_scaling=2.0),
    "helium": dict(GROUPED, head_dim=16),
    "mpt": dict(d_model=64, n_heads=4, n_layers=2, expansion_ratio=2, max_seq_len=128),
    "nemotron": dict(GROUPED, partial_rotary_factor=0.5),
    "olmo": GROUPED,
    "olmo2": GROUPED,
    "phi3": dict(GROUPED, sliding_window=None, original_max_position_embeddings=128),
    "qwen3_moe": dict(GROUPED, head_dim=16, num_experts=4, num_experts_per_tok=2,
                      moe_intermediate_size=32, decoder_sparse_step=1, mlp_only_layers=[]),
    "smollm3": dict(GROUPED, no_rope_layers=[1, 0]),
    "stablelm": dict(GROUPED, partial_rotary_factor=0.25, use_parallel_residual=True,
                     use_qkv_bias=True),
}

ENCODERS = {
    "albert": dict(embedding_size=32),
    "deberta": dict(relative_attention=True, pos_att_type=["c2p", "p2c"], type_vocab_size=0),
    "deberta-v2": dict(relative_attention=True, pos_att_type=["c2p", "p2c"],
                       position_buckets=8, norm_rel_ebd="layer_norm", share_att_key=True,
                       type_vocab_size=0),
    "distilbert": dict(dim=64, hidden_dim=96, n_layers=2, n_heads=4),
    "electra": dict(embedding_size=32),
    "modernbert": dict(local_attention=8, global_attn_every_n_layers=2,
                       cls_token_id=1, sep_token_id=2, attn_implementation="sdpa"),
    "mpnet": dict(),
    "roberta": dict(),
    "xlm-roberta": dict(),
}

ENCODER_DECODERS = {
    "bart": ENCODER_DECODER,
    "m2m_100": ENCODER_DECODER,
    "marian": dict(ENCODER_DECODER, decoder_vocab_size=VOCABULARY),
    "pegasus": ENCODER_DECODER,
    "whisper": dict(ENCODER_DECODER, num_mel_bins=SPECTRUM[0], max_source_positions=1500,
                    max_target_positions=64, suppress_tokens=None, begin_suppress_tokens=None),
}

# (architecture, exporter) of graphs that there are not, and why.
NOT_EXPORTED = {
    ("falcon-alibi", "dynamo"): "onnxruntime does not multiply the bfloat16 that it writes",
    ("gemma3_text", "dynamo"): "torch.export wants constant sizes",
    ("gpt_bigcode", "dynamo"): "torch.export wants constant sizes",
    ("qwen3_moe", "dynamo"): "torch.export does not trace its experts",
}

# What runs unless more is asked for: none of them is among the recorded models.
DEFAULT = ["stablelm", "falcon"]


def kind_of(name):
    """Which of the three tables holds the architecture."""
    for kind, table in (("decoder", DECODERS), ("encoder", ENCODERS),
                        ("encoder-decoder", ENCODER_DECODERS)):
        if name in table:
            return kind
    raise KeyError(name)


def all_names():
    return [*DECODERS, *ENCODERS, *ENCODER_DECODERS]


def make_model(name):
    """A model of that architecture with random weights, the same in every run."""
    import torch
    import transformers
    kind = kind_of(name)
    own = {**DECODERS, **ENCODERS, **ENCODER_DECODERS}[name]
    settings = dict(own if kind == "encoder-decoder" else {**SIZES, **own})
    attention = settings.pop("attn_implementation", None)
    config = transformers.AutoConfig.for_model(name.removesuffix("-alibi"), **settings)
    factory = {"decoder": transformers.AutoModelForCausalLM,
               "encoder": transformers.AutoModel,
               "encoder-decoder": transformers.AutoModelForSeq2SeqLM}[kind]
    if name == "whisper":
        factory = transformers.AutoModelForSpeechSeq2Seq
    torch.manual_seed(1)
    more = {"attn_implementation": attention} if attention else {}
    model = factory.from_config(config, **more).eval()
    # The usual 0.02 makes all scores nearly alike: a wrong bias or rotation would not show.
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in model.parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if weight.dim() > 1:
                weight.copy_(noise * 1.5 / weight.shape[-1] ** 0.5)
            else:
                weight.add_(noise * 0.1)
    return model

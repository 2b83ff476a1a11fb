# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tiny configurations of architectures, by transformers' names for them.

Sizes that most configurations name alike are in SIZES; a table entry adds what an
architecture calls otherwise, or what sets it apart. Heads are few but more than one,
key-value heads fewer where the architecture shares them, windows shorter than the calls.
"""

EXPORTERS = ("optimum", "dynamo", "genai")

VOCABULARY = 384
LAYERS = 2
SPECTRUM = (8, 3000)  # what a speech encoder reads: bands, frames

SIZES = dict(
    vocab_size=VOCABULARY, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
    num_attention_heads=4, max_position_embeddings=128, pad_token_id=0, bos_token_id=1,
    eos_token_id=2)
GROUPED = dict(num_key_value_heads=2)
SLIDING = dict(GROUPED, sliding_window=4, layer_types=["sliding_attention", "full_attention"])

# Of GPT-2's family, which names its sizes in its own way.
GPT2_SIZES = dict(n_embd=64, n_layer=2, n_head=4, n_positions=128, n_ctx=128, n_inner=96)

ENCODER_DECODER = dict(
    vocab_size=VOCABULARY, d_model=64, encoder_layers=2, decoder_layers=2,
    encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=96,
    decoder_ffn_dim=96, max_position_embeddings=128, pad_token_id=0, bos_token_id=1,
    eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=None)

T5_SIZES = dict(
    vocab_size=VOCABULARY, d_model=64, d_kv=16, d_ff=96, num_layers=2, num_decoder_layers=2,
    num_heads=4, pad_token_id=0, decoder_start_token_id=0)

DECODERS = {
    "apertus": GROUPED,
    "arcee": GROUPED,
    "biogpt": dict(),
    "bitnet": GROUPED,
    "bloom": dict(n_head=4, n_layer=2),
    "codegen": dict(GPT2_SIZES, rotary_dim=8),
    "cohere": dict(GROUPED, logit_scale=0.25),
    "cohere2": dict(SLIDING, logit_scale=0.25),
    "ctrl": dict(GPT2_SIZES, dff=96),
    "deepseek_v3": dict(num_key_value_heads=4, n_routed_experts=4, num_experts_per_tok=2,
                        moe_intermediate_size=32, n_shared_experts=1, n_group=1, topk_group=1,
                        first_k_dense_replace=1, kv_lora_rank=16, q_lora_rank=24,
                        qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=16),
    "ernie4_5": dict(GROUPED, head_dim=16),
    "exaone4": SLIDING,
    "falcon": dict(num_kv_heads=1, multi_query=True, new_decoder_architecture=False),
    "falcon-alibi": dict(alibi=True, multi_query=False, parallel_attn=False, bias=True,
                         new_decoder_architecture=False),
    "flex_olmo": dict(GROUPED, num_experts=4, num_experts_per_tok=2),
    "gemma": dict(num_key_value_heads=1, head_dim=16),
    "gemma2": dict(SLIDING, head_dim=16, query_pre_attn_scalar=16),
    "gemma3_text": dict(SLIDING, head_dim=16, query_pre_attn_scalar=16),
    "glm": dict(GROUPED, head_dim=16, partial_rotary_factor=0.5),
    "glm4": dict(GROUPED, head_dim=16, partial_rotary_factor=0.5),
    "gpt2": GPT2_SIZES,
    "gpt_bigcode": dict(GPT2_SIZES, multi_query=True),
    "gpt_neo": dict(num_layers=2, num_heads=4, attention_types=[[["global", "local"], 1]],
                    window_size=4, max_position_embeddings=64),
    "gpt_neox": dict(rotary_pct=0.25),
    "gptj": dict(GPT2_SIZES, rotary_dim=8),
    "granite": dict(GROUPED, embedding_multiplier=3.0, attention_multiplier=0.2,
                    residual_multiplier=0.5, logits_scaling=2.0),
    "granitemoeshared": dict(GROUPED, num_local_experts=4, num_experts_per_tok=2,
                             shared_intermediate_size=32),
    "helium": dict(GROUPED, head_dim=16),
    "hunyuan_v1_dense": dict(GROUPED, head_dim=16),
    "jetmoe": dict(GROUPED, kv_channels=16, num_local_experts=4, num_experts_per_tok=2),
    "ministral": dict(SLIDING, head_dim=16),
    "mistral": dict(GROUPED, sliding_window=4),
    "modernbert-decoder": dict(local_attention=8, global_attn_every_n_layers=2),
    "mpt": dict(d_model=64, n_heads=4, n_layers=2, expansion_ratio=2, max_seq_len=128),
    "nemotron": dict(GROUPED, partial_rotary_factor=0.5),
    "olmo": GROUPED,
    "olmo2": GROUPED,
    "olmo3": SLIDING,
    "olmoe": dict(GROUPED, num_experts=4, num_experts_per_tok=2),
    "opt": dict(ffn_dim=96, word_embed_proj_dim=64),
    "persimmon": dict(partial_rotary_factor=0.5),
    "phi": dict(partial_rotary_factor=0.5),
    "phi3": dict(GROUPED, sliding_window=None, original_max_position_embeddings=128),
    "qwen3": dict(GROUPED, head_dim=16),
    "qwen3_moe": dict(GROUPED, head_dim=16, num_experts=4, num_experts_per_tok=2,
                      moe_intermediate_size=32, decoder_sparse_step=1, mlp_only_layers=[]),
    "seed_oss": dict(GROUPED, head_dim=16),
    "smollm3": dict(GROUPED, no_rope_layers=[1, 0]),
    "stablelm": dict(GROUPED, partial_rotary_factor=0.25, use_parallel_residual=True,
                     use_qkv_bias=True),
    "starcoder2": GROUPED,
    "trocr": dict(d_model=64, decoder_layers=2, decoder_attention_heads=4, decoder_ffn_dim=96),
    "vaultgemma": dict(SLIDING, head_dim=16),
}

ENCODERS = {
    "albert": dict(embedding_size=32),
    "big_bird": dict(attention_type="original_full"),
    "data2vec-text": dict(),
    "deberta": dict(relative_attention=True, pos_att_type=["c2p", "p2c"], type_vocab_size=0),
    "deberta-v2": dict(relative_attention=True, pos_att_type=["c2p", "p2c"],
                       position_buckets=8, norm_rel_ebd="layer_norm", share_att_key=True,
                       type_vocab_size=0),
    "distilbert": dict(dim=64, hidden_dim=96, n_layers=2, n_heads=4),
    "electra": dict(embedding_size=32),
    "esm": dict(mask_token_id=1, position_embedding_type="rotary"),
    "ibert": dict(),
    "luke": dict(entity_vocab_size=16, entity_emb_size=16),
    "megatron-bert": dict(),
    "modernbert": dict(local_attention=8, global_attn_every_n_layers=2,
                       cls_token_id=1, sep_token_id=2, attn_implementation="sdpa"),
    "mpnet": dict(),
    "rembert": dict(input_embedding_size=32),
    "roberta": dict(),
    "roc_bert": dict(pronunciation_vocab_size=VOCABULARY, shape_vocab_size=VOCABULARY,
                     pronunciation_embed_dim=16, shape_embed_dim=16),
    "roformer": dict(embedding_size=64),
    "splinter": dict(),
    "xlm-roberta": dict(),
}

ENCODER_DECODERS = {
    "bart": ENCODER_DECODER,
    "bigbird_pegasus": dict(ENCODER_DECODER, attention_type="original_full"),
    "blenderbot": ENCODER_DECODER,
    "m2m_100": ENCODER_DECODER,
    "marian": dict(ENCODER_DECODER, decoder_vocab_size=VOCABULARY),
    "mbart": ENCODER_DECODER,
    "mt5": T5_SIZES,
    "pegasus": ENCODER_DECODER,
    "t5": T5_SIZES,
    "whisper": dict(ENCODER_DECODER, num_mel_bins=SPECTRUM[0], max_source_positions=1500,
                    max_target_positions=64, suppress_tokens=None, begin_suppress_tokens=None),
}

# What Optimum does not know.
NOT_IN_OPTIMUM = (
    "apertus biogpt bitnet cohere2 ctrl ernie4_5 exaone4 flex_olmo glm4 granitemoeshared "
    "hunyuan_v1_dense jetmoe luke ministral modernbert-decoder olmo3 olmoe persimmon roc_bert "
    "seed_oss splinter starcoder2 trocr vaultgemma").split()

# What onnxruntime-genai's model builder knows.
IN_GENAI = (
    "gemma gemma2 gemma3_text granite mistral nemotron olmo phi phi3 qwen3 smollm3").split()

# (architecture, exporter) of graphs that there are not, and why.
NOT_EXPORTED = {
    **{(name, "optimum"): "Optimum does not know it" for name in NOT_IN_OPTIMUM},
    **{(name, "genai"): "the model builder does not know it"
       for name in [*DECODERS, *ENCODERS, *ENCODER_DECODERS] if name not in IN_GENAI},
    **{(name, "dynamo"): "export_models.py takes them apart with Optimum only"
       for name in ENCODER_DECODERS},
    ("deepseek_v3", "dynamo"): "torch.export does not trace its experts",
    ("falcon-alibi", "dynamo"): "onnxruntime does not multiply the bfloat16 that it writes",
    ("nemotron", "genai"): "onnxruntime does not rotate as few channels",
    ("phi", "genai"): "onnxruntime does not rotate as few channels",
    ("qwen3_moe", "dynamo"): "torch.export does not trace its experts",
    ("smollm3", "genai"): "it uses positions that it does not make an input",
}

# What runs unless more is asked for: none of them is among the recorded models.
DEFAULT = {"optimum": ["stablelm", "falcon"], "dynamo": ["stablelm", "falcon"],
           "genai": ["granite"]}


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

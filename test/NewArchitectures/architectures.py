# Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tiny configurations of architectures, by transformers' names for them.

Sizes that most configurations name alike are in SIZES; a table entry adds what an
architecture calls otherwise, or what sets it apart. Heads are few but more than one,
key-value heads fewer where the architecture shares them, windows shorter than the calls.
"""

# dynamo5 is dynamo with transformers 5, which has architectures that transformers 4 does not
# have and mixtures of experts that can be traced.
EXPORTERS = ("optimum", "dynamo", "genai", "dynamo5")

VOCABULARY = 384
LAYERS = 2
SPEECH = ("moonshine", "whisper")
SPECTRUM = (8, 3000)  # what a speech encoder reads: bands, frames
SAMPLES = 2000  # or the sound itself

SIZES = dict(
    vocab_size=VOCABULARY, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
    num_attention_heads=4, max_position_embeddings=128, pad_token_id=0, bos_token_id=1,
    eos_token_id=2)
GROUPED = dict(num_key_value_heads=2)
SLIDING = dict(GROUPED, sliding_window=4, layer_types=["sliding_attention", "full_attention"])

EXPERTS = dict(GROUPED, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32)
LOCAL_EXPERTS = dict(GROUPED, num_local_experts=4, num_experts_per_tok=2)
ROUTED_EXPERTS = dict(GROUPED, n_routed_experts=4, num_experts_per_tok=2,
                      moe_intermediate_size=32, n_shared_experts=1, n_group=1, topk_group=1,
                      first_k_dense_replace=1)
LATENT = dict(num_key_value_heads=4, kv_lora_rank=16, q_lora_rank=24, qk_rope_head_dim=8,
              qk_nope_head_dim=8, v_head_dim=16)

# Of recurrent layers.
STATE_SPACE = dict(state_size=8, expand=2, conv_kernel=4)
MAMBA = dict(mamba_n_heads=4, mamba_d_head=32, mamba_d_state=8, mamba_n_groups=1,
             mamba_chunk_size=16)
DELTA = dict(GROUPED, head_dim=16, linear_num_value_heads=4, linear_num_key_heads=2,
             linear_key_head_dim=16, linear_value_head_dim=16,
             layer_types=["linear_attention", "full_attention"])
SHORT_CONV = dict(GROUPED, layer_types=["conv", "full_attention"])

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
    "afmoe": dict(SLIDING, **EXPERTS, head_dim=16, num_dense_layers=1, num_shared_experts=1),
    "apertus": GROUPED,
    "arcee": GROUPED,
    "bamba": dict(GROUPED, **MAMBA, attn_layer_indices=[1]),
    "biogpt": dict(),
    "bitnet": GROUPED,
    "bloom": dict(n_head=4, n_layer=2),
    "codegen": dict(GPT2_SIZES, rotary_dim=8),
    "cohere": dict(GROUPED, logit_scale=0.25),
    "cohere2": dict(SLIDING, logit_scale=0.25),
    "ctrl": dict(GPT2_SIZES, dff=96),
    "cwm": SLIDING,
    "deepseek_v3": dict(num_key_value_heads=4, n_routed_experts=4, num_experts_per_tok=2,
                        moe_intermediate_size=32, n_shared_experts=1, n_group=1, topk_group=1,
                        first_k_dense_replace=1, kv_lora_rank=16, q_lora_rank=24,
                        qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=16),
    "deepseek_v32": dict(ROUTED_EXPERTS, **LATENT, index_n_heads=2, index_head_dim=16,
                         index_topk=4),
    "diffllama": GROUPED,
    "dots1": ROUTED_EXPERTS,
    "ernie": dict(is_decoder=True),
    "ernie4_5": dict(GROUPED, head_dim=16),
    "ernie4_5_moe": dict(GROUPED, moe_num_experts=4, moe_k=2, moe_intermediate_size=32,
                         moe_num_shared_experts=1, moe_layer_start_index=1),
    "exaone4": SLIDING,
    "exaone_moe": dict(SLIDING, **EXPERTS, first_k_dense_replace=1, n_group=1, topk_group=1),
    "falcon": dict(num_kv_heads=1, multi_query=True, new_decoder_architecture=False),
    "falcon-alibi": dict(alibi=True, multi_query=False, parallel_attn=False, bias=True,
                         new_decoder_architecture=False),
    "falcon_h1": dict(GROUPED, mamba_d_ssm=64, mamba_n_heads=4, mamba_d_head=16, mamba_d_state=8,
                      mamba_n_groups=1, mamba_chunk_size=16),
    "falcon_mamba": STATE_SPACE,
    "flex_olmo": dict(GROUPED, num_experts=4, num_experts_per_tok=2),
    "gemma": dict(num_key_value_heads=1, head_dim=16),
    "gemma2": dict(SLIDING, head_dim=16, query_pre_attn_scalar=16),
    "gemma3_text": dict(SLIDING, head_dim=16, query_pre_attn_scalar=16),
    "gemma4_text": dict(SLIDING, head_dim=16, global_head_dim=16, num_kv_shared_layers=0,
                        vocab_size_per_layer_input=VOCABULARY, hidden_size_per_layer_input=8),
    "glm": dict(GROUPED, head_dim=16, partial_rotary_factor=0.5),
    "glm4": dict(GROUPED, head_dim=16, partial_rotary_factor=0.5),
    "glm4_moe": dict(ROUTED_EXPERTS, head_dim=16, use_qk_norm=True),
    "glm4_moe_lite": dict(ROUTED_EXPERTS, **LATENT),
    "glm_moe_dsa": dict(ROUTED_EXPERTS, **LATENT, index_n_heads=2, index_head_dim=16,
                        index_topk=4),
    "gpt2": GPT2_SIZES,
    "gpt_bigcode": dict(GPT2_SIZES, multi_query=True),
    "gpt_neo": dict(num_layers=2, num_heads=4, attention_types=[[["global", "local"], 1]],
                    window_size=4, max_position_embeddings=64),
    "gpt_neox": dict(rotary_pct=0.25),
    "gpt_neox_japanese": dict(intermediate_multiple_size=2),
    "gpt_oss": dict(SLIDING, **LOCAL_EXPERTS, head_dim=16),
    "gptj": dict(GPT2_SIZES, rotary_dim=8),
    "granite": dict(GROUPED, embedding_multiplier=3.0, attention_multiplier=0.2,
                    residual_multiplier=0.5, logits_scaling=2.0),
    "granite_swa": SLIDING,
    "granitemoe": LOCAL_EXPERTS,
    "granitemoehybrid": dict(LOCAL_EXPERTS, **MAMBA, layer_types=["mamba", "attention"],
                             shared_intermediate_size=32),
    "granitemoeshared": dict(GROUPED, num_local_experts=4, num_experts_per_tok=2,
                             shared_intermediate_size=32),
    "helium": dict(GROUPED, head_dim=16),
    "hunyuan_v1_dense": dict(GROUPED, head_dim=16),
    "hunyuan_v1_moe": dict(GROUPED, head_dim=16, num_experts=4, moe_topk=2,
                           moe_intermediate_size=32, num_shared_expert=1),
    "hy_v3": dict(EXPERTS, head_dim=16, num_shared_experts=1),
    "hyperclovax": GROUPED,
    "internlm3": dict(GROUPED, head_dim=16),
    "iquestcoder": GROUPED,
    "jais2": GROUPED,
    "jamba": dict(GROUPED, num_experts=4, num_experts_per_tok=2, attn_layer_period=2,
                  attn_layer_offset=1, expert_layer_period=2, expert_layer_offset=1,
                  mamba_d_state=8, mamba_d_conv=4, mamba_expand=2, mamba_dt_rank=4,
                  use_mamba_kernels=False),
    "jetmoe": dict(GROUPED, kv_channels=16, num_local_experts=4, num_experts_per_tok=2),
    "kimi_linear": dict(num_key_value_heads=4, kv_lora_rank=16, qk_rope_head_dim=8,
                        qk_nope_head_dim=8, v_head_dim=16, linear_head_dim=16,
                        linear_num_heads=4, num_experts=4, num_experts_per_token=2,
                        moe_intermediate_size=32,
                        layer_types=["linear_attention", "full_attention"]),
    "laguna": dict(SLIDING, **EXPERTS, head_dim=16),
    "lfm2": dict(SHORT_CONV, block_ff_dim=96, block_auto_adjust_ff_dim=False),
    "lfm2_moe": dict(SHORT_CONV, **EXPERTS, num_dense_layers=1),
    "mamba": STATE_SPACE,
    "mamba2": dict(STATE_SPACE, num_heads=4, head_dim=32, n_groups=1, chunk_size=16),
    "mellum": EXPERTS,
    "mimo_v2_flash": dict(SLIDING, **ROUTED_EXPERTS),
    "minicpm3": LATENT,
    "minimax": dict(LOCAL_EXPERTS, head_dim=16, block_size=4,
                    layer_types=["linear_attention", "full_attention"]),
    "minimax_m2": dict(LOCAL_EXPERTS, head_dim=16),
    "ministral": dict(SLIDING, head_dim=16),
    "ministral3": GROUPED,
    "mistral": dict(GROUPED, sliding_window=4),
    "mixtral": LOCAL_EXPERTS,
    "modernbert-decoder": dict(local_attention=8, global_attn_every_n_layers=2),
    "mpt": dict(d_model=64, n_heads=4, n_layers=2, expansion_ratio=2, max_seq_len=128),
    "nanochat": GROUPED,
    "nemotron": dict(GROUPED, partial_rotary_factor=0.5),
    "nemotron_h": dict(GROUPED, head_dim=16, mamba_num_heads=4, mamba_head_dim=32,
                       ssm_state_size=8, n_groups=1, chunk_size=16, num_hidden_layers=4,
                       layers_block_type=["mamba", "mlp", "attention", "mlp"]),
    "olmo": GROUPED,
    "olmo2": GROUPED,
    "olmo3": SLIDING,
    "olmo_hybrid": DELTA,
    "olmoe": dict(GROUPED, num_experts=4, num_experts_per_tok=2),
    "opt": dict(ffn_dim=96, word_embed_proj_dim=64),
    "persimmon": dict(partial_rotary_factor=0.5),
    "phi": dict(partial_rotary_factor=0.5),
    "phi3": dict(GROUPED, sliding_window=None, original_max_position_embeddings=128),
    "phimoe": dict(LOCAL_EXPERTS, original_max_position_embeddings=128),
    "qwen2_moe": dict(EXPERTS, shared_expert_intermediate_size=64, decoder_sparse_step=1),
    "qwen3": dict(GROUPED, head_dim=16),
    "qwen3_5_text": DELTA,
    "qwen3_moe": dict(GROUPED, head_dim=16, num_experts=4, num_experts_per_tok=2,
                      moe_intermediate_size=32, decoder_sparse_step=1, mlp_only_layers=[]),
    "qwen3_next": dict(DELTA, **EXPERTS, shared_expert_intermediate_size=32),
    "rwkv": dict(attention_hidden_size=64, context_length=64),
    "seed_oss": dict(GROUPED, head_dim=16),
    "smollm3": dict(GROUPED, no_rope_layers=[1, 0]),
    "solar_open": dict(ROUTED_EXPERTS, head_dim=16),
    "stablelm": dict(GROUPED, partial_rotary_factor=0.25, use_parallel_residual=True,
                     use_qkv_bias=True),
    "starcoder2": GROUPED,
    "trocr": dict(d_model=64, decoder_layers=2, decoder_attention_heads=4, decoder_ffn_dim=96),
    "vaultgemma": dict(SLIDING, head_dim=16),
    "xglm": dict(d_model=64, ffn_dim=96, num_layers=2, attention_heads=4),
    "xlstm": dict(num_heads=4, num_blocks=2, qk_dim_factor=1.0, v_dim_factor=1.0,
                  return_last_states=True),
    "youtu": LATENT,
    "zamba2": dict(GROUPED, mamba_d_state=8, n_mamba_heads=4, mamba_ngroups=1, num_mem_blocks=1,
                   layers_block_type=["mamba", "hybrid"], hybrid_layer_ids=[1], adapter_rank=8,
                   chunk_size=16),
    "zaya": GROUPED,
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
    "fsmt": dict(ENCODER_DECODER, langs=["a", "b"], src_vocab_size=VOCABULARY,
                 tgt_vocab_size=VOCABULARY),
    "longt5": dict(T5_SIZES, local_radius=5),
    "m2m_100": ENCODER_DECODER,
    "marian": dict(ENCODER_DECODER, decoder_vocab_size=VOCABULARY),
    "mbart": ENCODER_DECODER,
    "moonshine": dict(vocab_size=VOCABULARY, hidden_size=64, intermediate_size=96,
                      encoder_num_hidden_layers=2, decoder_num_hidden_layers=2,
                      encoder_num_attention_heads=4, decoder_num_attention_heads=4,
                      max_position_embeddings=64, pad_token_id=0),
    "mt5": T5_SIZES,
    "mvp": ENCODER_DECODER,
    "pegasus": ENCODER_DECODER,
    "pegasus_x": dict(ENCODER_DECODER, num_global_tokens=4, block_size=8),
    "plbart": ENCODER_DECODER,
    "t5": T5_SIZES,
    "t5gemma": dict(encoder=dict(SIZES, **SLIDING, head_dim=16),
                    decoder=dict(SIZES, **SLIDING, head_dim=16), vocab_size=VOCABULARY),
    "whisper": dict(ENCODER_DECODER, num_mel_bins=SPECTRUM[0], max_source_positions=1500,
                    max_target_positions=64, suppress_tokens=None, begin_suppress_tokens=None),
}

# What mixes tokens, layer by layer, where it is not attention in each.
RECURRENT = "linear_attention"
MIXERS = {
    **dict.fromkeys(
        "bamba granitemoehybrid jamba kimi_linear minimax nemotron_h olmo_hybrid qwen3_5_text "
        "qwen3_next".split(), (RECURRENT, "attention")),
    **dict.fromkeys("falcon_mamba mamba mamba2 zamba2".split(), (RECURRENT, RECURRENT)),
    **dict.fromkeys(("lfm2", "lfm2_moe"), ("causal_conv", "attention")),
}

# Of which torch.export takes no symbol for the batch.
ONE_SEQUENCE = ("rwkv", "xlstm")

# What dynamo5 is for.
IN_DYNAMO5 = (
    "afmoe bamba cwm deepseek_v32 diffllama dots1 ernie ernie4_5_moe exaone_moe falcon_h1 "
    "falcon_mamba fsmt gemma4_text glm4_moe glm4_moe_lite glm_moe_dsa gpt_neox_japanese gpt_oss "
    "granite_swa granitemoe granitemoehybrid hunyuan_v1_moe hy_v3 hyperclovax internlm3 "
    "iquestcoder jais2 jamba kimi_linear laguna lfm2 lfm2_moe longt5 mamba mamba2 mellum "
    "mimo_v2_flash minicpm3 minimax minimax_m2 ministral3 mixtral moonshine mvp nanochat "
    "nemotron_h olmo_hybrid pegasus_x phimoe plbart qwen2_moe qwen3_5_text qwen3_next rwkv "
    "solar_open t5gemma xglm xlstm youtu zamba2 zaya").split()

# Of these, what transformers 4 is exported of, too.
ALSO_IN = {
    "optimum": ("gpt_oss", "longt5"),
    "dynamo": ("diffllama", "gpt_neox_japanese", "xglm"),
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
    **{(name, exporter): "the one with transformers 5 writes it"
       for exporter in ("optimum", "dynamo") for name in IN_DYNAMO5
       if name not in ALSO_IN[exporter]},
    **{(name, "dynamo5"): "the one with transformers 4 writes it"
       for name in [*DECODERS, *ENCODERS, *ENCODER_DECODERS] if name not in IN_DYNAMO5},
    **{(name, "optimum"): "Optimum does not know it" for name in NOT_IN_OPTIMUM},
    **{(name, "genai"): "the model builder does not know it"
       for name in [*DECODERS, *ENCODERS, *ENCODER_DECODERS] if name not in IN_GENAI},
    **{(name, "dynamo"): "export_models.py takes them apart with Optimum only"
       for name in ENCODER_DECODERS if name not in IN_DYNAMO5},
    ("deepseek_v3", "dynamo"): "torch.export does not trace its experts",
    ("falcon-alibi", "dynamo"): "onnxruntime does not multiply the bfloat16 that it writes",
    ("moonshine", "optimum"): "it gives a mask of samples the sizes of hidden states",
    ("nemotron", "genai"): "onnxruntime does not rotate as few channels",
    ("phi", "genai"): "onnxruntime does not rotate as few channels",
    ("qwen3_moe", "dynamo"): "torch.export does not trace its experts",
    ("smollm3", "genai"): "it uses positions that it does not make an input",
}

# What runs unless more is asked for: none of them is among the recorded models.
DEFAULT = {"optimum": ["stablelm", "falcon"], "dynamo": ["stablelm", "falcon"],
           "genai": ["granite"], "dynamo5": ["glm4_moe", "granitemoe"]}


def kind_of(name):
    """Which of the three tables holds the architecture."""
    for kind, table in (("decoder", DECODERS), ("encoder", ENCODERS),
                        ("encoder-decoder", ENCODER_DECODERS)):
        if name in table:
            return kind
    raise KeyError(name)


def mixers_of(name):
    """An operation that each layer must have, in the order of the layers."""
    return MIXERS.get(name, ("attention",) * LAYERS)


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
    if name in SPEECH:
        factory = transformers.AutoModelForSpeechSeq2Seq
    torch.manual_seed(1)
    more = {"attn_implementation": attention} if attention else {}
    if transformers.__version__ >= "5":
        # A loop over the experts that are chosen is not traced.
        more["experts_implementation"] = "batched_mm"
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

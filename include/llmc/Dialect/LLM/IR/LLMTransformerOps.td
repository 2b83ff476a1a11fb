//===- LLMTransformerOps.td - operations that language models are made of -*- tablegen -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_DIALECT_LLM_IR_LLMTRANSFORMEROPS_TD
#define LLMC_DIALECT_LLM_IR_LLMTRANSFORMEROPS_TD

include "llmc/Dialect/LLM/IR/LLMTensorOps.td"

def LLM_Activations : LLM_Enum<"Activations", "what a quantised linear multiplies with", [
    "f32", "int8"]>;
def LLM_ActivationsAttr : LLM_EnumAttr<LLM_Activations, "activations">;

def LLM_LinearOp : LLM_InferredOp<"linear", [AttrSizedOperandSegments]> {
  let summary = "product with a constant weight matrix, optional bias";
  let description = [{
    `result[.., n] = sum_k input[.., k] * W(k, n) + bias[n]`, accumulated in f32.

    Dense: `W(k, n) = weight[k, n]`, or `weight[n, k]` with `transposed`. Dense
    weights of 8-bit integers take an input of 8-bit integers, each signed or not,
    and give exact i32 sums (modulo 2^32).
    Grouped n-bit (`bits` present: 2, 4 or 8; ONNX com.microsoft MatMulNBits):
    `weight` is `tensor<N x groups x blob xui8>`,
    `W(k, n) = (q(n, k) - zp(n, g)) * scales[n, g]` with `g = k / group_size`, low
    bits first; zero points are packed likewise, a row of groups per output, or
    floats of N x groups; without `zero_points` zp is
    `2^(bits-1)`. `activations = int8` allows the input to be rounded to int8 with
    one scale per group of the weights (absmax / 127); the result is then approximate. Such an
    input may be given as the bytes of `llm.quantize_input`. `packed` is present once
    the scales (and, where true, the zero points) lie inside the weight's bytes.

    C1. The input's last dimension is K. C2. Dense weights are 2-D of the input's
    element type, or of f16 or bf16 with an input of f32, or both are 8-bit integers and
    there is no bias. C3. n-bit weights are 3-D ui8 with `scales` of N x groups (or
    `packed`), and `group_size` and `columns` (K) present. C4. The bias is 1-D of N.

    ```mlir
    %2 = llm.linear %x, %w {transposed} : (tensor<1x7x64xf32>, tensor<384x64xf32>) -> tensor<1x7x384xf32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$input, LLM_Tensor:$weight,
                       Optional<LLM_Tensor>:$scales, Optional<LLM_Tensor>:$zero_points,
                       Optional<LLM_Tensor>:$bias,
                       UnitAttr:$transposed,
                       OptionalAttr<I64Attr>:$bits, OptionalAttr<I64Attr>:$group_size,
                       OptionalAttr<I64Attr>:$columns, OptionalAttr<BoolAttr>:$packed,
                       DefaultValuedAttr<LLM_ActivationsAttr, "::llmc::llm::Activations::f32">:$activations);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = [{
    $input `,` $weight (`scales` $scales^)? (`zero_points` $zero_points^)? (`bias` $bias^)?
    attr-dict `:` functional-type(operands, results)
  }];
}

def LLM_ExpertLinearOp : LLM_InferredOp<"expert_linear", [AttrSizedOperandSegments]> {
  let summary = "product with one of several constant matrices, chosen per row";
  let description = [{
    `result[t.., j, n] = sum_k input[t.., j, k] * W_e(k, n) + bias[e, n]` with
    `e = ids[t.., j]`, the linear layers of a mixture of experts. `input` may lack the
    dimension j; all choices of a token then read the same row. An id outside reads
    as the nearest expert. `weight` has the formats of `llm.linear` behind a first
    dimension of experts: `[E, K, N]`, `[E, N, K]` with `transposed`, or n-bit
    `[E, N, groups, blob]` with scales `[E, N, groups]`.

    C1. Ids are i32 or i64. C2. The input's last dimension is K, and its rank that of
    the ids or one more, with the ids' leading dimensions. C3. Weights, scales and zero points are as in `llm.linear`
    C2 and C3, behind the dimension of experts. C4. The bias is `[E, N]`.

    ```mlir
    %2 = llm.expert_linear %x, %ids, %w {transposed} : (tensor<7x64xf32>, tensor<7x2xi64>, tensor<8x32x64xf32>) -> tensor<7x2x32xf32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$input, LLM_Tensor:$ids, LLM_Tensor:$weight,
                       Optional<LLM_Tensor>:$scales, Optional<LLM_Tensor>:$zero_points,
                       Optional<LLM_Tensor>:$bias,
                       UnitAttr:$transposed,
                       OptionalAttr<I64Attr>:$bits, OptionalAttr<I64Attr>:$group_size,
                       OptionalAttr<I64Attr>:$columns);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = [{
    $input `,` $ids `,` $weight (`scales` $scales^)? (`zero_points` $zero_points^)? (`bias` $bias^)?
    attr-dict `:` functional-type(operands, results)
  }];
}

def LLM_QuantizeInputOp : LLM_InferredOp<"quantize_input"> {
  let summary = "rows rounded to int8 for a linear with int8 activations";
  let description = [{
    For each row of `input[.., K]` and each group of `group_size` inputs:
    `scale = absmax / 127`, `q = round(x / scale)` (to even). The result row is bytes, in
    units of `U = min(group_size, 32)` inputs: q of `U * B` (`B = ceil(K / U)`, zeros past K),
    then B f32 scales (each its group's), then B i32 sums of the unit's q:
    `[.., (U + 8) * B]` ui8.

    C1. The input is f32 with a static last dimension. C2. `group_size` is 16 or a multiple
    of 32, the group size of the linear that takes the result.

    ```mlir
    %1 = llm.quantize_input %0 : tensor<1x7x64xf32>
    %2 = llm.quantize_input %0 groups 16 : tensor<1x7x64xf32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$input, DefaultValuedAttr<I64Attr, "32">:$group_size);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$input (`groups` $group_size^)? attr-dict `:` type($input)";
  let extraClassDeclaration = [{
    /// Inputs of a unit under groups of `groupSize`.
    static int64_t unitOf(int64_t groupSize) { return groupSize < 32 ? groupSize : 32; }
    /// Bytes of a unit: q, the scale and the sum.
    static int64_t unitBytes(int64_t groupSize) { return unitOf(groupSize) + 8; }
  }];
}

def LLM_EmbeddingOp : LLM_InferredOp<"embedding", [AttrSizedOperandSegments]> {
  let summary = "rows of a constant table";
  let description = [{
    `result[i.., :] = row(ids[i..])` of a `table[rows, width]`, dense or grouped
    n-bit (`bits` present; ONNX com.microsoft GatherBlockQuantized along the last
    axis): `(q - zp) * scale` per group of `group_size` columns. An id outside
    reads as the nearest row. `packed` is present once the table is the weight of an
    `llm.linear`, `rows x groups x blob`, whose bytes hold the scales (and, where true,
    the zero points), too.

    C1. Ids are i32 or i64. C2. The table is 2-D (n-bit: `rows x packed bytes`,
    with `width` present and scales of `rows x groups`, or 3-D and `packed`).

    ```mlir
    %2 = llm.embedding %table, %ids : (tensor<384x64xf32>, tensor<1x7xi64>) -> tensor<1x7x64xf32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$table, LLM_Tensor:$ids,
                       Optional<LLM_Tensor>:$scales, Optional<LLM_Tensor>:$zero_points,
                       OptionalAttr<I64Attr>:$bits, OptionalAttr<I64Attr>:$group_size,
                       OptionalAttr<I64Attr>:$width, OptionalAttr<BoolAttr>:$packed);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = [{
    $table `,` $ids (`scales` $scales^)? (`zero_points` $zero_points^)?
    attr-dict `:` functional-type(operands, results)
  }];
}

def LLM_RMSNormOp : LLM_InferredOp<"rms_norm"> {
  let summary = "root-mean-square normalisation of the last dimension";
  let description = [{
    `y = x / sqrt(mean(x^2) + epsilon) * weight` along the last dimension, in f32.
    (Zhang and Sennrich 2019.)

    C1. The weight is 1-D of the last dimension.

    ```mlir
    %2 = llm.rms_norm %x, %w {epsilon = 1.0e-5 : f64} : tensor<1x7x64xf32>, tensor<64xf32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$input, LLM_Tensor:$weight, F64Attr:$epsilon);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$input `,` $weight attr-dict `:` type($input) `,` type($weight)";
}

def LLM_LayerNormOp : LLM_InferredOp<"layer_norm"> {
  let summary = "mean and variance normalisation of the last dimension";
  let description = [{
    `y = (x - mean x) / sqrt(var x + epsilon) * weight + bias` along the last
    dimension, biased variance, in f32. (Ba, Kiros and Hinton 2016.)

    C1. Weight and bias are 1-D of the last dimension.

    ```mlir
    %2 = llm.layer_norm %x, %w bias %b {epsilon = 1.0e-5 : f64} : (tensor<1x7x64xf32>, tensor<64xf32>, tensor<64xf32>) -> tensor<1x7x64xf32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$input, LLM_Tensor:$weight,
                       Optional<LLM_Tensor>:$bias, F64Attr:$epsilon);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$input `,` $weight (`bias` $bias^)? attr-dict `:` functional-type(operands, results)";
}

def LLM_RotaryOp : LLM_InferredOp<"rotary", [AllTypesMatch<["cos", "sin"]>]> {
  let summary = "rotary position embedding";
  let description = [{
    Rotates pairs of the first `2 * R` channels of `input[batch, heads, seq, D]`,
    `R` being the last dimension of `cos` and `sin[batch or 1, seq, R]`; the rest
    passes. Pair r is channels (r, r + R), or (2r, 2r + 1) with `interleaved`:
    `y_a = x_a cos_r - x_b sin_r`, `y_b = x_b cos_r + x_a sin_r`.
    (Su et al. 2021.)

    C1. The input has rank 4, cos and sin the same type of rank 3, with these sizes.
    C2. 2R <= D.

    ```mlir
    %3 = llm.rotary %x, %cos, %sin : tensor<1x4x7x16xf32>, tensor<1x7x8xf32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$input, LLM_Tensor:$cos, LLM_Tensor:$sin,
                       UnitAttr:$interleaved);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$input `,` $cos `,` $sin attr-dict `:` type($input) `,` type($cos)";
}

def LLM_AttentionOp : LLM_Op<"attention", [Pure, AttrSizedOperandSegments]> {
  let summary = "scaled dot-product attention with grouped heads";
  let description = [{
    `query[B, Hq, S, D]`, `key[B, Hkv, T, D]`, `value[B, Hkv, T, Dv]`; query head h
    reads key head `h / (Hq / Hkv)`. Query i of sequence b has position
    `p = past_lens[b] + i` (`T - S + i` without `past_lens`). Key j is visible
    where `j < past_lens[b] + S`, `!causal || j <= p` and `window == 0 || j > p - window`.
    `s = scale * q . k + slopes[h] * (j - p) + bias[b, h, i, j]`, with softcap c > 0
    `s = c tanh(s / c)` before slopes (ALiBi, Press et al. 2021) and bias; `sinks[Hq]`
    joins the softmax's denominator. A query that sees no key gives zeros. Roundings are lists of
    triples step, low, high: in turn x becomes `step * clamp(round(x / step), low, high)`, ties
    to even; `score_rounding` follows `scale`, `biased_rounding` what is added, `weight_rounding`
    the softmax. Computed in f32. Key and value may be states; T is
    then what the cache holds, and `past_lens` must be present.

    C1. Ranks are 4, Hkv divides Hq. C2. `bias` broadcasts to [B, Hq, S, T].
    C3. States come with `past_lens` of type `tensor<B x i64>`. C4. `slopes` is [Hq].
    C5. Tensors of keys and values, and the result, have the sizes above. C6. Roundings have
    whole triples of finite numbers with step > 0 and low <= high; those of weights keep 0.

    ```mlir
    %3 = llm.attention %q, %k, %v {scale = 0.25 : f64, causal} : (tensor<1x4x7x16xf32>, tensor<1x2x7x16xf32>, tensor<1x2x7x16xf32>) -> tensor<1x4x7x16xf32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$query, LLM_TensorOrState:$key, LLM_TensorOrState:$value,
                       Optional<LLM_Tensor>:$bias, Optional<LLM_Tensor>:$past_lens,
                       Optional<LLM_Tensor>:$sinks, Optional<LLM_Tensor>:$slopes,
                       F64Attr:$scale, UnitAttr:$causal,
                       DefaultValuedAttr<I64Attr, "0">:$window,
                       DefaultValuedAttr<F64Attr, "0.0">:$softcap,
                       OptionalAttr<DenseF64ArrayAttr>:$score_rounding,
                       OptionalAttr<DenseF64ArrayAttr>:$biased_rounding,
                       OptionalAttr<DenseF64ArrayAttr>:$weight_rounding);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`bias` $bias^)? (`past_lens` $past_lens^)? (`sinks` $sinks^)?
    (`slopes` $slopes^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def LLM_KVAppendOp : LLM_InferredOp<"kv_append"> {
  let summary = "a past and its new tokens, per sequence";
  let description = [{
    `result[b, h, j, d] = j < past_lens[b] ? past[b, h, j, d] : tokens[b, h, j - past_lens[b], d]`
    for `past[B, H, P, D]`, `tokens[B, H, S, D]`, result `[B, H, P + S, D]`;
    positions from `past_lens[b] + S` on are 0. Where all lengths are P this is a
    concatenation.

    C1. Ranks are 4 and the types agree but for the third dimension.

    ```mlir
    %3 = llm.kv_append %past, %tokens, %lens : tensor<1x2x5x16xf32>, tensor<1x2x3x16xf32>, tensor<1xi64>
    ```
  }];
  let arguments = (ins LLM_Tensor:$past, LLM_Tensor:$tokens, LLM_Tensor:$past_lens);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$past `,` $tokens `,` $past_lens attr-dict `:` type($past) `,` type($tokens) `,` type($past_lens)";
}

def LLM_KVEvictOp : LLM_Op<"kv_evict", [Pure]> {
  let summary = "a cache without its oldest tokens, per sequence";
  let description = [{
    `result[b, h, j, d] = cache[b, h, evicted[b] + j, d]` for `cache[B, H, T, D]`, result
    `[B, H, C, D]`; positions from `T - evicted[b]` on are 0. Only tokens that no later
    step looks back to are evicted, so the result is the same state as `cache`: where
    states are kept in place, it is the runtime that evicts.

    C1. Ranks are 4 and the types agree but for the third dimension.

    ```mlir
    %4 = llm.kv_evict %3, %evicted : tensor<1x2x8x16xf32>, tensor<1xi64> to tensor<1x2x5x16xf32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$cache, LLM_Tensor:$evicted);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$cache `,` $evicted attr-dict `:` type($cache) `,` type($evicted) `to` type($result)";
  let hasVerifier = 1;
}

def LLM_StateAppendOp : LLM_Op<"state_append", [Pure, AllTypesMatch<["state", "result"]>]> {
  let summary = "tokens written in place behind a cache's end";
  let description = [{
    Writes `tokens[B, H, S, D]` at positions `past_lens[b] + s` of the state and
    gives the state that later reads use: value semantics order the write before
    them, no copy is made.

    C1. Tokens are 4-D `[B, H, S, D]` for a state of `tensor<HxD>`.

    ```mlir
    %1 = llm.state_append %state, %k, %lens : !llm.state<tensor<2x16xf32>>, tensor<1x2x3x16xf32>, tensor<1xi64>
    ```
  }];
  let arguments = (ins LLM_StateType:$state, LLM_Tensor:$tokens, LLM_Tensor:$past_lens);
  let results = (outs LLM_StateType:$result);
  let assemblyFormat = "$state `,` $tokens `,` $past_lens attr-dict `:` type($state) `,` type($tokens) `,` type($past_lens)";
  let hasVerifier = 1;
}

def LLM_StateLoadOp : LLM_Op<"state_load", [Pure]> {
  let summary = "what a state holds, as a tensor";
  let description = [{
    Of a fixed state: `result[b, ..]`, the tensor of each sequence. Of a state of
    tokens: `result[b, h, j, d]` for the tokens j < T, T being the result's third
    dimension (what lies behind a sequence's end has no meaning).

    C1. The result is `[B] + token` for a fixed state, `[B, H, T, D]` otherwise.

    ```mlir
    %1 = llm.state_load %state : !llm.state<tensor<64x3xf32>, fixed = true> to tensor<1x64x3xf32>
    ```
  }];
  let arguments = (ins LLM_StateType:$state);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$state attr-dict `:` type($state) `to` type($result)";
  let hasVerifier = 1;
}

def LLM_StateStoreOp : LLM_Op<"state_store", [Pure, AllTypesMatch<["state", "result"]>]> {
  let summary = "the new tensor of each sequence's fixed state";
  let description = [{
    Writes `value[b, ..]` into the state of sequence b. The result is the state that
    later reads use; loads of the old one happen before.

    C1. The state is fixed and the value `[B] + token`.

    ```mlir
    %1 = llm.state_store %state, %0 : !llm.state<tensor<64x3xf32>, fixed = true>, tensor<1x64x3xf32>
    ```
  }];
  let arguments = (ins LLM_StateType:$state, LLM_Tensor:$value);
  let results = (outs LLM_StateType:$result);
  let assemblyFormat = "$state `,` $value attr-dict `:` type($state) `,` type($value)";
  let hasVerifier = 1;
}

def LLM_CausalConvOp : LLM_InferredOp<"causal_conv", [AttrSizedOperandSegments]> {
  let summary = "depthwise convolution over the past of a sequence";
  let description = [{
    `result[b, c, s] = bias[c] + sum_k weight[c, k] * x(b, c, s + k - (K - 1))` where
    `x(b, c, i)` is `input[b, c, i]`, for i < 0 `past[b, c, K - 1 + i]`, and 0 without
    `past`. In f32.

    C1. `input` is `[B, C, S]`, `weight` `[C, K]` with static K. C2. `past` is
    `[B, C, K - 1]`. C3. The bias is 1-D of C.

    ```mlir
    %2 = llm.causal_conv %x, %w past %p : (tensor<1x64x7xf32>, tensor<64x4xf32>, tensor<1x64x3xf32>) -> tensor<1x64x7xf32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$input, LLM_Tensor:$weight, Optional<LLM_Tensor>:$bias,
                       Optional<LLM_Tensor>:$past);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = [{
    $input `,` $weight (`bias` $bias^)? (`past` $past^)?
    attr-dict `:` functional-type(operands, results)
  }];
}

def LLM_LinearAttentionOp : LLM_InferredOp<"linear_attention", [AttrSizedOperandSegments]> {
  let summary = "attention by a recurrent matrix per head";
  let description = [{
    For each sequence and key head a matrix S of `[Dk, Dv]` starts at `past` (zeros
    without) and for each token t in order
    `S = exp(decay_t) * S` (rows scaled each by its own where `decay` has Dk entries; with
    `rates`, element (i, j) by `exp(rates[h, i, j] * decay_t[j])`), `S = S + k_t (x) u_t` with `u_t = v_t`, or, with `delta`,
    `u_t = beta_t * (v_t - S^T k_t)`; `output_t = scale * S^T q_t`. Query head h reads
    key head `h / (Hq / Hkv)`. `state` is the last S. This covers linear attention,
    RetNet, DeltaNet, the gated delta rule (Yang, Kautz and Hatamizadeh 2024) and
    state-space layers (q = C, k = B, v = dt x): Mamba 2 with decay = dt A, and Mamba, all
    channels one head, with decay = dt and rates = A. In f32; the order of tokens is kept.

    C1. `query[B, Hq, T, Dk]`, `key[B, Hkv, T, Dk]`, `value[B, Hkv, T, Dv]`, Hkv divides
    Hq. C2. `decay` is `[B, Hkv, T, 1]` or `[B, Hkv, T, Dk]`, with `rates`
    `[B, Hkv, T, 1]` or `[B, Hkv, T, Dv]`; `beta` is `[B, Hkv, T, 1]` and comes with
    `delta` only. C3. `past` is `[B, Hkv, Dk, Dv]`. C4. Dk and Dv are static. C5. `rates`
    is `[Hkv, Dk, Dv]` and comes with `decay` only.

    ```mlir
    %o, %s = llm.linear_attention %q, %k, %v decay %g beta %b past %p {scale = 0.25 : f64, delta} : (tensor<1x4x7x16xf32>, tensor<1x4x7x16xf32>, tensor<1x4x7x16xf32>, tensor<1x4x7x1xf32>, tensor<1x4x7x1xf32>, tensor<1x4x16x16xf32>) -> (tensor<1x4x7x16xf32>, tensor<1x4x16x16xf32>)
    ```
  }];
  let arguments = (ins LLM_Tensor:$query, LLM_Tensor:$key, LLM_Tensor:$value,
                       Optional<LLM_Tensor>:$decay, Optional<LLM_Tensor>:$rates,
                       Optional<LLM_Tensor>:$beta, Optional<LLM_Tensor>:$past,
                       F64Attr:$scale, UnitAttr:$delta);
  let results = (outs LLM_Tensor:$output, LLM_Tensor:$state);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`decay` $decay^)? (`rates` $rates^)? (`beta` $beta^)?
    (`past` $past^)?
    attr-dict `:` functional-type(operands, results)
  }];
}

#endif // LLMC_DIALECT_LLM_IR_LLMTRANSFORMEROPS_TD

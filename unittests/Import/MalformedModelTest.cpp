//===- MalformedModelTest.cpp - models that must be refused with a reason
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One entry per mistake: the model's text, and what the message must say. The
// message's location names the file; the text names the node.
//
//===----------------------------------------------------------------------===//
#include "ImportedModel.h"
#include <gtest/gtest.h>

using namespace llmc::importer;

namespace {

struct Malformed {
  const char *name;
  const char *opset;
  const char *graph;
  const char *message;
};

const Malformed kCases[] = {
    {"UnknownOp", R"("" : 18)", "g (float[4] x) => (float[4] y) { y = Frobnicate(x) }",
     "node 'Frobnicate_0' (Frobnicate, opset 18): the operator is not supported"},
    {"UnknownDomain", R"("" : 18)", "g (float[4] x) => (float[4] y) { y = acme.Add(x, x) }",
     "the model does not import the domain 'acme'"},
    {"UnknownMicrosoftOp", R"("" : 18, "com.microsoft" : 1)",
     "g (float[4] x) => (float[4] y) { y = com.microsoft.Nope(x) }",
     "(com.microsoft.Nope, opset 1): the operator is not supported"},
    {"OpsetTooOldForOp", R"("" : 18)",
     "g (float[4] x, float[4] w) => (float[4] y) { y = RMSNormalization(x, w) }",
     "the operator exists since opset 23 only, the model imports 18"},
    {"OpsetTooOld", R"("" : 0)", "g (float[4] x) => (float[4] y) { y = Abs(x) }",
     "opset 0 is not supported; 1 to 28 are"},
    {"UnknownAttribute", R"("" : 18)",
     "g (float[4] x) => (float[4] y) { y = Softmax <sideways = 1> (x) }",
     "node 'Softmax_0' (Softmax, opset 18): attribute 'sideways' is not supported"},
    {"AttributeOfWrongKind", R"("" : 18)",
     "g (float[4] x) => (float[4] y) { y = Softmax <axis = 1.5> (x) }",
     "attribute 'axis' is not an integer"},
    {"ListAttributeOfWrongKind", R"("" : 18)",
     "g (float[4] x) => (float[4] y) { y = Transpose <perm = 0> (x) }",
     "attribute 'perm' is not a list of integers"},
    {"MissingValue", R"("" : 18)", "g (float[4] x) => (float[4] y) { y = Add(x, nowhere) }",
     "node 'Add_0': 'nowhere' is not an input, an initializer or the output of a node"},
    {"MissingOutput", R"("" : 18)", "g (float[4] x) => (float[4] y) { z = Abs(x) }",
     "'y' is not an input, an initializer or the output of a node"},
    {"Cycle", R"("" : 18)",
     "g (float[4] x) => (float[4] y) { a = Add(x, b) b = Abs(a) y = Neg(b) }",
     "the graph has a cycle through the nodes 'Add_0', 'Abs_1'"},
    {"SelfCycle", R"("" : 18)", "g (float[4] x) => (float[4] y) { y = Add(x, y) }",
     "the graph has a cycle through the nodes 'Add_0'"},
    {"DefinedTwice", R"("" : 18)", "g (float[4] x) => (float[4] y) { y = Abs(x) y = Neg(x) }",
     "node 'Neg_1': its output 'y' is already defined"},
    {"RedefinesInput", R"("" : 18)",
     "g (float[4] x, float[4] z) => (float[4] y) { x = Abs(z) y = Neg(x) }",
     "node 'Abs_0': its output 'x' is already defined"},
    {"InputTwice", R"("" : 18)", "g (float[4] x, float[4] x) => (float[4] y) { y = Abs(x) }",
     "input 'x' is defined twice"},
    {"TooFewInputs", R"("" : 18)", "g (float[4] x) => (float[4] y) { y = Add(x) }",
     "node 'Add_0' (Add): has 1 inputs and 1 outputs; expected 2 inputs"},
    {"TooManyInputs", R"("" : 18)", "g (float[4] x) => (float[4] y) { y = Abs(x, x) }",
     "node 'Abs_0' (Abs): has 2 inputs"},
    {"TooManyOutputs", R"("" : 18)", "g (float[4] x) => (float[4] y) { y, z = Abs(x) }",
     "at most 1"},
    {"MixedTypes", R"("" : 18)", "g (float[4] x, int64[4] i) => (float[4] y) { y = Add(x, i) }",
     "node 'Add_0' (Add, opset 18): llm.binary: C1: element types 'f32' and 'i64' differ"},
    {"NotBroadcastable", R"("" : 18)",
     "g (float[4] x, float[3] z) => (float[4] y) { y = Add(x, z) }",
     "shapes [4] and [3] do not broadcast"},
    {"ContractedSizes", R"("" : 18)",
     "g (float[N, 4] x, float[5, 6] w) => (float[N, 6] y) { y = MatMul(x, w) }",
     "node 'MatMul_0' (MatMul, opset 18): contracts [N, 4] with [5, 6]: 4 is not 5"},
    {"UndeclaredWidthOfBlockMatrix", R"("" : 18, "com.microsoft" : 1)",
     "g (float[rows, k] a, float[rows, l] b, uint8[3, 2, 8] w, float[6] s) => (y) "
     "{ x = Concat<axis = 1>(a, b) y = com.microsoft.MatMulNBits<K = 32, N = 3, block_size = 16, "
     "accuracy_level = 4>(x, w, s) }",
     "an input of shape [rows, k + l]; its last dimension has to be declared as 32"},
    {"ConcatenationOfNothing", R"("" : 18, "com.microsoft" : 1)",
     "g (float s, uint8 z) => (y) { y = com.microsoft.QLinearConcat(s, z) }",
     "has 2 inputs, which are not triples after two"},
    {"FloatZeroPointsOfPackedTable", R"("" : 18, "com.microsoft" : 1)",
     "g (uint8[16, 4] t, int64[3] i, float[8, 2] s, float[16] z) => (y) { y = "
     "com.microsoft.GatherBlockQuantized<block_size = 16, gather_axis = 1>(t, i, s, z) }",
     "the zero points of a packed table are packed uint8 of its rank, found [16]"},
    {"TransformOfIntegers", R"("" : 20)", "g (uint8[1, 8, 1] x) => (y) { y = DFT(x) }",
     "a signal of integers; it is of a float type"},
    {"TransformOfThreeParts", R"("" : 20)", "g (float[1, 8, 3] x) => (y) { y = DFT(x) }",
     "its last dimension is 1 of a real one, 2 of a complex one"},
    {"TransformOfParts", R"("" : 17)", "g (float[1, 8, 2] x) => (y) { y = DFT<axis = 2>(x) }",
     "axis 2 holds the parts of complex numbers"},
    {"OneSidedTransformOfComplex", R"("" : 20)",
     "g (float[1, 8, 2] x) => (y) { y = DFT<onesided = 1>(x) }",
     "a one-sided spectrum is of a real signal"},
    {"FrameLongerThanSignal", R"("" : 17)",
     "g (float[1, 8, 1] x) => (y) <int64 s = {1}, int64 f = {9}> { y = STFT(x, s, , f) }",
     "a frame of 9 elements of a signal of 8"},
    {"BlocksOutsideImage", R"("" : 18)",
     "g (float[1, 5, 4] x) => (y) <int64[2] i = {5, 5}, int64[2] b = {1, 5}> { y = Col2Im(x, i, "
     "b) }",
     "positions of the blocks in the image"},
    {"EmptyBiasOfNorm", R"("" : 18)",
     "g (float[2, 1] x, float[1] w, uint8[0] b) => (y) { y = LayerNormalization(x, w, b) }",
     "cannot broadcast [0] to [1]"},
    {"MatmulOfScalar", R"("" : 18)", "g (float[4] x, float s) => (float[4] y) { y = MatMul(x, s) }",
     ""},
    {"AxisOutside", R"("" : 18)",
     "g (float[N, 4] x) => (float[N, 4] y) { y = Softmax <axis = 2> (x) }",
     "axis 2 is outside a tensor of rank 2"},
    {"BadPermutation", R"("" : 18)",
     "g (float[N, 4] x) => (float[4, N] y) { y = Transpose <perm = [0, 0]> (x) }",
     "perm is not a permutation"},
    {"ReshapeElementCount", R"("" : 18)",
     "g (float[2, 3] x) => (float[4] y) <int64[1] s = {4}> { y = Reshape(x, s) }",
     "cannot reshape [2, 3] to [4]"},
    {"ReshapeTwoInferred", R"("" : 18)",
     "g (float[2, 3] x) => (float[a, b] y) <int64[2] s = {-1, -1}> { y = Reshape(x, s) }",
     "two dimensions of the new shape are -1"},
    {"ReshapeNegative", R"("" : 18)",
     "g (float[2, 3] x) => (float[a, b] y) <int64[2] s = {-2, -3}> { y = Reshape(x, s) }",
     "negative size"},
    {"ReshapeByData", R"("" : 18)",
     "g (float[2, 3] x, int64[2] s) => (float[n, m] y) { y = Reshape(x, s) }",
     "not supported: shapes that are computed at run time"},
    {"RangeByData", R"("" : 18)",
     "g (int64 n) => (int64[m] y) <int64 z = {0}, int64 o = {1}> { y = Range(z, n, o) }",
     "not supported: bounds of a range that are computed at run time"},
    {"AbsurdShape", R"("" : 18)",
     "g (float[1] x) => (float[a, b] y) <int64[2] s = {4611686018427387904, 8}> "
     "{ y = Expand(x, s) }",
     "gives dimensions without sense"},
    {"AbsurdInput", R"("" : 18)", "g (float[2000000, 2000000] x) => (float[a, b] y) { y = Abs(x) }",
     "input 'x': dimensions without sense"},
    {"AbsurdSymbolicInput", R"("" : 18)",
     "g (float[N, 4611686018427387904, 8] x) => (float[a, b, c] y) { y = Abs(x) }",
     "input 'x': dimensions without sense"},
    {"NegativeInitializer", R"("" : 18)",
     "g (float[4] x) => (float[4] y) <float[-3] w = {1}> { y = Add(x, w) }",
     "initializer 'w' has dimensions without sense: [-3]"},
    {"InitializerSize", R"("" : 18)",
     "g (float[4] x) => (float[4] y) <float[4] w = {1, 2, 3}> { y = Add(x, w) }",
     "initializer 'w' holds 12 bytes of data where float of this shape needs 16"},
    {"AbsurdEmptyInitializer", R"("" : 18)",
     "g (float[1] x) => (float[a, b] y) <float[0, 4611686018427387904] w = {}> { y = Add(x, w) }",
     "initializer 'w' has dimensions without sense: [0, 4611686018427387904]"},
    {"StringInput", R"("" : 18)", "g (string[4] x) => (string[4] y) { y = Identity(x) }",
     "input 'x': data type string is not supported"},
    {"StringInitializer", R"("" : 18)",
     "g (float[1] x) => (float[1] y) <string[1] w = {\"a\"}> { y = Add(x, w) }",
     "initializer 'w' data type string is not supported"},
    {"OutputType", R"("" : 18)", "g (float[4] x) => (int64[4] y) { y = Abs(x) }",
     "output 'y' is declared as int64 but has another data type"},
    {"OutputRank", R"("" : 18)", "g (float[4] x) => (float[4, 1] y) { y = Abs(x) }",
     "output 'y' is declared with rank 2 but has shape [4]"},
    {"CastToString", R"("" : 18)", "g (float[4] x) => (float[4] y) { y = Cast <to = 8> (x) }",
     "not supported: casting to data type string"},
    {"WhereCondition", R"("" : 18)", "g (float[4] x) => (float[4] y) { y = Where(x, x, x) }",
     "the condition is not boolean"},
    {"IfCondition", R"("" : 18)",
     "g (float[1] x) => (float[1] y) { y = If (x) <then_branch = a () => (float[1] p) "
     "{ p = Abs(x) }, else_branch = b () => (float[1] q) { q = Neg(x) }> }",
     "the condition is not boolean"},
    {"IfRanks", R"("" : 18)",
     "g (float[1] x, bool[1] c) => (float[1] y) <int64[2] s = {1, 1}> { y = If (c) "
     "<then_branch = a () => (float[1] p) { p = Abs(x) }, else_branch = b () => (float[1, 1] q) "
     "{ q = Reshape(x, s) }> }",
     "output 'y' is [1] in one branch and [1, 1] in the other"},
    {"IfOutputs", R"("" : 18)",
     "g (float[1] x, bool[1] c) => (float[1] y) { y = If (c) <then_branch = a () => "
     "(float[1] p, float[1] r) { p = Abs(x) r = Neg(x) }, else_branch = b () => (float[1] q) "
     "{ q = Neg(x) }> }",
     "its branches give 2 and 1 values for 1 outputs"},
    {"UnsupportedInBranch", R"("" : 18)",
     "g (float[1] x, bool[1] c) => (float[1] y) { y = If (c) <then_branch = a () => (float[1] p) "
     "{ p = Mystery(x) }, else_branch = b () => (float[1] q) { q = Neg(x) }> }",
     "(Mystery, opset 18): the operator is not supported"},
    {"Loop", R"("" : 18)", "g (float[4] x) => (float[4] y) { y = Loop(x) }",
     "(Loop, opset 18): needs a body"},
    {"NormAxis", R"("" : 23)",
     "g (float[N, 4] x, float[4] w) => (float[N, 4] y) { y = RMSNormalization <axis = 2> (x, w) }",
     "axis 2 is outside a tensor of rank 2"},
    {"AttentionScores", R"("" : 23)",
     "g (float[B, 2, S, 4] q) => (float[B, 2, S, 4] y, float[B, 2, S, S] s) "
     "{ y, k, v, s = Attention <qk_matmul_output_mode = 4> (q, q, q) }",
     "qk_matmul_output_mode is 4, expected 0 to 3"},
    {"AttentionWindow", R"("" : 25)",
     "g (float[B, 2, S, 4] q) => (float[B, 2, S, 4] y) "
     "{ y = Attention <left_window_size = -2> (q, q, q) }",
     "left_window_size is -2, expected -1 or more"},
    {"AttentionHeads", R"("" : 23)",
     "g (float[B, 3, S, 4] q, float[B, 2, S, 4] k) => (float[B, 3, S, 4] y) "
     "{ y = Attention(q, k, k) }",
     "3 query heads do not divide into 2"},
    {"FlexAttentionGraph", R"("" : 26, "ai.onnx.preview" : 1)",
     "g (float[1, 2, 3, 4] q) => (float[1, 2, 3, 4] y) { y = ai.onnx.preview.FlexAttention "
     "<score_mod = m (float[1, 2, 3, 3] s) => (float[1, 2, 3, 1] r) "
     "{ r = ReduceMax <keepdims = 1> (s) }> (q, q, q) }",
     "score_mod: dimension"},
    {"QuantisedToInt64", R"("" : 21)",
     "g (int8[2, 3] a, float s, int8 z, int8[3, 2] b, int64 w) => (int64[2, 2] y) "
     "{ y = QLinearMatMul (a, s, z, b, s, z, s, w) }",
     "cannot quantise to numbers of 64 bits, expected 2 to 16"},
    {"MicrosoftMask", R"("" : 18, "com.microsoft" : 1)",
     "g (float[2, 3, 8] q, int32[7] m) => (float[2, 3, 8] y) "
     "{ y = com.microsoft.MultiHeadAttention <num_heads = 2> (q, q, q, , m) }",
     "not supported: a mask of [7] for a batch of 2"},
    {"MicrosoftMaskOfFewerKeys", R"("" : 18, "com.microsoft" : 1)",
     "g (float[2, 3, 8] q, int32[2, 3] m, float[2, 2, 4, 4] p) => (y, k, v) "
     "{ y, k, v = com.microsoft.MultiHeadAttention <num_heads = 2> (q, q, q, , m, , p, p) }",
     "keys of the mask: 3 is not 7"},
    {"MicrosoftMaskOfAllPositions", R"("" : 18, "com.microsoft" : 1)",
     "g (float[2, 3, 6] x, float[6, 24] w, int32[2, 1, 9, 9] m) => (y) "
     "{ y = com.microsoft.Attention <num_heads = 2, unidirectional = 1> (x, w, , m) }",
     "a mask of [2, 1, 9, 9] for 3 keys, and unidirectional"},
    {"MicrosoftMaskOfAllPositionsTooSmall", R"("" : 18, "com.microsoft" : 1)",
     "g (float[2, 3, 6] x, float[6, 24] w, int32[2, 1, 2, 2] m) => (y) "
     "{ y = com.microsoft.Attention <num_heads = 2> (x, w, , m) }",
     "a mask of [2, 1, 2, 2] for 3 keys"},
    {"MicrosoftAttentionBias", R"("" : 18, "com.microsoft" : 1)",
     "g (float[2, 3, 8] q, float[3, 2, 3, 3] b) => (y) "
     "{ y = com.microsoft.MultiHeadAttention <num_heads = 2> (q, q, q, , , b) }",
     "attention_bias: 3 is not 2"},
    {"MicrosoftCausalKeys", R"("" : 18, "com.microsoft" : 1)",
     "g (float[2, 3, 8] q, float[2, 5, 8] k) => (y) { y = com.microsoft.MultiHeadAttention "
     "<num_heads = 2, unidirectional = 1> (q, k, k) }",
     "unidirectional queries and their keys: 3 is not 5"},
    {"MicrosoftScoresUnasked", R"("" : 18, "com.microsoft" : 1)",
     "g (float[2, 1, 8] q) => (y, s) "
     "{ y, , , s = com.microsoft.DecoderMaskedMultiHeadAttention <num_heads = 2> (q, q, q) }",
     "output 3 (qk) needs output_qk"},
    {"MicrosoftBufferWithoutLength", R"("" : 18, "com.microsoft" : 1)",
     "g (float[2, 1, 8] q, float[2, 2, 6, 4] p) => (y, k, v) "
     "{ y, k, v = com.microsoft.DecoderMaskedMultiHeadAttention "
     "<num_heads = 2, past_present_share_buffer = 1> (q, q, q, , , p, p) }",
     "a past in longer buffers needs past_sequence_length"},
    {"MicrosoftBufferTooShort", R"("" : 18, "com.microsoft" : 1)",
     "g (float[2, 3, 8] q, float[2, 2, 6, 4] p) => (y, k, v) <int32[1] n = {4}> "
     "{ y, k, v = com.microsoft.MultiHeadAttention <num_heads = 2> (q, q, q, , , , p, p, n) }",
     "3 tokens at 4 of buffers for 6"},
    {"MicrosoftLengths", R"("" : 18, "com.microsoft" : 1)",
     "g (float[2, 3, 8] q, float[2, 2, 6, 4] p, int32[2] n) => (y, k, v) "
     "{ y, k, v = com.microsoft.MultiHeadAttention <num_heads = 2> (q, q, q, , , , p, p, n) }",
     "takes a size from [2], expected one element"},
    {"MicrosoftEncoderKeysInBuffer", R"("" : 18, "com.microsoft" : 1)",
     "g (float[2, 3, 8] q, float[2, 2, 6, 4] p, int32[1] n) => (y, k, v) "
     "{ y, k, v = com.microsoft.MultiHeadAttention <num_heads = 2> (q, p, p, , , , p, p, n) }",
     "keys of an encoder, which are complete, with a past in buffers"},
    {"MicrosoftBeams", R"("" : 18, "com.microsoft" : 1)",
     "g (float[4, 1, 8] q, float[4, 2, 6, 4] p, int32[1] n, int32[2, 3, 6] c) => (y, k, v) "
     "{ y, k, v = com.microsoft.MultiHeadAttention <num_heads = 2> (q, q, q, , , , p, p, n, c) }",
     "sequences of cache_indirection: 6 is not 4"},
    {"MicrosoftBeamWidth", R"("" : 18, "com.microsoft" : 1)",
     "g (float[4, 1, 8] q, float[4, 2, 6, 4] p, int32[1] n) => (y, k, v) <int32[1] w = {2}> "
     "{ y, k, v = com.microsoft.DecoderMaskedMultiHeadAttention "
     "<num_heads = 2, past_present_share_buffer = 1> (q, q, q, , , p, p, n, w) }",
     "beam_width 2 needs cache_indirection"},
    {"MicrosoftRotaryChannels", R"("" : 18, "com.microsoft" : 1)",
     "g (float[2, 3, 6] x, float[6, 192] w) => (y) { y = com.microsoft.Attention "
     "<num_heads = 2, do_rotary = 1, rotary_embedding_dim = 16> (x, w) }",
     "rotary_embedding_dim is 16, expected 32, 64 or 128"},
    {"MicrosoftRotaryOfSmallHeads", R"("" : 18, "com.microsoft" : 1)",
     "g (float[2, 3, 6] x, float[6, 24] w) => (y) { y = com.microsoft.Attention "
     "<num_heads = 2, do_rotary = 1, rotary_embedding_dim = 32> (x, w) }",
     "rotates 32 channels of 4"},
    {"MicrosoftHiddenSizes", R"("" : 18, "com.microsoft" : 1)",
     "g (float[2, 3, 6] x, float[6, 24] w) => (y) { y = com.microsoft.Attention <num_heads = 2, "
     "qkv_hidden_sizes = [9223372036854775807, 9223372036854775807, 26]> (x, w) }",
     "weights [6, 24] do not split into query, key and value"},
    {"StateWindow", R"("" : 18, "com.microsoft" : 1)",
     "g (float[1, 4, S] x, float[4, 1, 3] w) => (y, s) "
     "{ y, s = com.microsoft.CausalConvWithState <state_window = 9> (x, w) }",
     "state_window is 9, expected 0 to 8"},
    {"StateWindowOfPast", R"("" : 18, "com.microsoft" : 1)",
     "g (float[1, S, 8] q, float[1, 2, 4, 4] p) => (y, s) { y, s = com.microsoft.LinearAttention "
     "<q_num_heads = 2, kv_num_heads = 2, update_rule = \"linear\", state_window = 3> "
     "(q, q, q, p) }",
     "past_state [1, 2, 4, 4] is no window of 3 states"},
    {"AttentionElements", R"("" : 23)",
     "g (uint8[2, 3, 1, 8] q, float[2, 3, 6, 8] k) => (float[2, 3, 1, 8] y) "
     "{ y = Attention(q, k, k) }",
     "query has no floating-point elements"},
    {"MicrosoftBias", R"("" : 18, "com.microsoft" : 1)",
     "g (float[2, 3, 8] q, float b) => (float[2, 3, 8] y) "
     "{ y = com.microsoft.MultiHeadAttention <num_heads = 2> (q, q, q, b) }",
     "bias [] has not rank 1"},
    {"SlidingCache", R"("" : 18, "com.microsoft" : 1)",
     "g (float[B, S, 64] x, float[B, 1, P, 16] k, int32[B] l, int32 t) => (float[B, S, 32] y) "
     "{ y = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 1, "
     "sliding_window_cache = 1> (x, , , k, k, l, t) }",
     "sliding_window_cache needs local_window_size and past_key"},
    {"MicrosoftPacking", R"("" : 18, "com.microsoft" : 1)",
     "g (float[2, 3, 8] q, float[2, 2, 3, 4] k) => (float[2, 3, 8] y) "
     "{ y = com.microsoft.MultiHeadAttention <num_heads = 2> (q, k, q) }",
     "are packed in no known way"},
    {"QuantisedCacheType", R"("" : 18, "com.microsoft" : 1)",
     "g (float[B, S, 64] x, int8[B, 1, P, 16] k, int32[B] l, int32 t, float[1] s) => (float[B, S, "
     "32] y) "
     "{ y = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 1, k_quant_type = "
     "\"PER_TOKEN\", v_quant_type = \"PER_TOKEN\", kv_cache_bit_width = 8> "
     "(x, , , k, k, l, t, , , , , , s, s) }",
     "k_quant_type is 'PER_TOKEN', expected NONE, PER_TENSOR or PER_CHANNEL"},
    {"QuantisedCacheWidth", R"("" : 18, "com.microsoft" : 1)",
     "g (float[B, S, 64] x, int8[B, 1, P, 16] k, int32[B] l, int32 t, float[1] s) => (float[B, S, "
     "32] y) "
     "{ y = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 1, k_quant_type = "
     "\"PER_TENSOR\", v_quant_type = \"PER_TENSOR\", kv_cache_bit_width = 2> "
     "(x, , , k, k, l, t, , , , , , s, s) }",
     "kv_cache_bit_width is 2, expected 8 or 4 for a quantised cache"},
    {"QuantisedCacheOfKeys", R"("" : 18, "com.microsoft" : 1)",
     "g (float[B, S, 64] x, int8[B, 1, P, 16] k, int32[B] l, int32 t, float[1] s) => (float[B, S, "
     "32] y) "
     "{ y = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 1, k_quant_type = "
     "\"PER_TENSOR\", kv_cache_bit_width = 8> "
     "(x, , , k, k, l, t, , , , , , s, s) }",
     "k_quant_type and v_quant_type ask for one quantised cache of two"},
    {"QuantisedCacheScale", R"("" : 18, "com.microsoft" : 1)",
     "g (float[B, S, 64] x, int8[B, 1, P, 16] k, int32[B] l, int32 t, float[1] s) => (float[B, S, "
     "32] y) "
     "{ y = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 1, k_quant_type = "
     "\"PER_TENSOR\", v_quant_type = \"PER_TENSOR\", kv_cache_bit_width = 8> "
     "(x, , , k, k, l, t, , , , , , s) }",
     "a quantised cache needs k_scale and v_scale"},
    {"QuantisedCacheScaleSize", R"("" : 18, "com.microsoft" : 1)",
     "g (float[B, S, 64] x, int8[B, 1, P, 16] k, int32[B] l, int32 t, float[1] s) => (float[B, S, "
     "32] y) "
     "{ y = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 1, k_quant_type = "
     "\"PER_CHANNEL\", v_quant_type = \"PER_CHANNEL\", kv_cache_bit_width = 8> "
     "(x, , , k, k, l, t, , , , , , s, s) }",
     "elements of the cache's scale: 1 is not 16"},
    {"QuantisedCacheScaleElements", R"("" : 18, "com.microsoft" : 1)",
     "g (float[B, S, 64] x, int8[B, 1, P, 16] k, int32[B] l, int32 t, int32[1] s) => (float[B, S, "
     "32] y) "
     "{ y = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 1, k_quant_type = "
     "\"PER_TENSOR\", v_quant_type = \"PER_TENSOR\", kv_cache_bit_width = 8> "
     "(x, , , k, k, l, t, , , , , , s, s) }",
     "the cache's scale is no floating-point number"},
    {"QuantisedCacheElements", R"("" : 18, "com.microsoft" : 1)",
     "g (float[B, S, 64] x, uint8[B, 1, P, 16] k, int32[B] l, int32 t, float[1] s) => (float[B, S, "
     "32] y) "
     "{ y = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 1, k_quant_type = "
     "\"PER_TENSOR\", v_quant_type = \"PER_TENSOR\", kv_cache_bit_width = 8> "
     "(x, , , k, k, l, t, , , , , , s, s) }",
     "the past has not the elements of its cache: kv_cache_bit_width is 8, which takes int8 for 8"},
    {"UnquantisedCacheElements", R"("" : 18, "com.microsoft" : 1)",
     "g (float[B, S, 64] x, int8[B, 1, P, 16] k, int32[B] l, int32 t, float[1] s) => (float[B, S, "
     "32] y) "
     "{ y = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 1, causal = 1> "
     "(x, , , k, k, l, t, , , , , , s, s) }",
     "the past has not the elements of its cache: kv_cache_bit_width is 0"},
    {"QuantisedCacheOddHead", R"("" : 18, "com.microsoft" : 1)",
     "g (float[B, S, 60] x, uint8[B, 1, P, 8] k, int32[B] l, int32 t, float[1] s) => (float[B, S, "
     "30] y) "
     "{ y = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 1, k_quant_type = "
     "\"PER_TENSOR\", v_quant_type = \"PER_TENSOR\", kv_cache_bit_width = 4> "
     "(x, , , k, k, l, t, , , , , , s, s) }",
     "head size 15 for two numbers in a byte"},
    {"QuantisedCachePacking", R"("" : 18, "com.microsoft" : 1)",
     "g (float[B, S, 64] x, uint8[B, 1, P, 16] k, int32[B] l, int32 t, float[1] s) => (float[B, S, "
     "32] y) "
     "{ y = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 1, k_quant_type = "
     "\"PER_TENSOR\", v_quant_type = \"PER_TENSOR\", kv_cache_bit_width = 4> "
     "(x, , , k, k, l, t, , , , , , s, s) }",
     "head size of the past: 16 is not 8"},
    {"ScatterAxis", R"("" : 24)",
     "g (float[2, 4, 3] c, float[1, 4, 3] u) => (float[2, 4, 3] y) "
     "{ y = TensorScatter <axis = 0> (c, u) }",
     "along dimension 0"},
    {"LinearAttentionRule", R"("" : 27)",
     "g (float[1, S, 8] q) => (float[1, S, 8] y) { y, s = LinearAttention <q_num_heads = 2, "
     "kv_num_heads = 2, update_rule = \"gated\"> (q, q, q) }",
     "update_rule 'gated' needs decay and forbids beta"},
    {"CausalConvActivation", R"("" : 27)",
     "g (float[1, 4, S] x, float[4, 1, 3] w) => (float[1, 4, S] y) "
     "{ y, s = CausalConvWithState <activation = \"relu\"> (x, w) }",
     "activation is 'relu', expected 'none', 'silu' or 'swish'"},
    {"NBitsWeightSize", R"("" : 18, "com.microsoft" : 1)",
     "g (float[N, 32] x, uint8[8, 1, 15] w, float[8] s) => (float[N, 8] y) "
     "{ y = com.microsoft.MatMulNBits <K = 32, N = 8, bits = 4, block_size = 32> (x, w, s) }",
     "bytes of the weight: 120 is not 128"},
    {"NBitsWidth", R"("" : 18, "com.microsoft" : 1)",
     "g (float[N, 32] x, uint8[8, 1, 16] w, float[8] s) => (float[N, 8] y) "
     "{ y = com.microsoft.MatMulNBits <K = 32, N = 8, bits = 3, block_size = 32> (x, w, s) }",
     "not supported: 3-bit weights"},
    {"ExpertsOfFloats", R"("" : 18, "com.microsoft" : 1)",
     "g (float[N, 16] x, float[N, 3] s, uint8[3, 8, 8] a, float[3, 8] c, uint8[3, 16, 4] b, "
     "float[3, 16] d) => (float[N, 16] y) { y = com.microsoft.QMoE <quant_type = \"fp8\"> "
     "(x, s, a, c, , b, d) }",
     "not supported: quant_type 'fp8'"},
    {"ExpertsInLayoutOfGPU", R"("" : 18, "com.microsoft" : 1)",
     "g (float[N, 16] x, float[N, 3] s, uint8[3, 8, 8] a, float[3, 8] c, uint8[3, 16, 4] b, "
     "float[3, 16] d) => (float[N, 16] y) { y = com.microsoft.QMoE <weights_prepacked = 1> "
     "(x, s, a, c, , b, d) }",
     "not supported: weights_prepacked = 1, a layout of some GPU"},
    {"ExpertsWithGlobalScales", R"("" : 18, "com.microsoft" : 1)",
     "g (float[N, 16] x, float[N, 3] s, uint8[3, 8, 8] a, float[3, 8] c, uint8[3, 16, 4] b, "
     "float[3, 16] d) => (float[N, 16] y) { y = com.microsoft.QMoE <k = 1> "
     "(x, s, a, c, , b, d, , , , , , , , , c) }",
     "not supported: input 15, a scale of 8- or 4-bit floats"},
    {"ExpertsOf3Bits", R"("" : 18, "com.microsoft" : 1)",
     "g (float[N, 16] x, float[N, 3] s, uint8[3, 8, 8] a, float[3, 8] c, uint8[3, 16, 4] b, "
     "float[3, 16] d) => (float[N, 16] y) { y = com.microsoft.QMoE <fc2_expert_weight_bits = 3> "
     "(x, s, a, c, , b, d) }",
     "not supported: weights of 3 bits"},
    {"ExpertsInUnevenBlocks", R"("" : 18, "com.microsoft" : 1)",
     "g (float[N, 16] x, float[N, 3] s, uint8[3, 8, 8] a, float[3, 8] c, uint8[3, 16, 4] b, "
     "float[3, 16] d) => (float[N, 16] y) { y = com.microsoft.QMoE <block_size = 32> "
     "(x, s, a, c, , b, d) }",
     "block_size 32 does not divide 16 columns"},
    {"ExpertsInSmallBlocks", R"("" : 18, "com.microsoft" : 1)",
     "g (float[N, 16] x, float[N, 3] s, uint8[3, 8, 8] a, float[3, 8] c, uint8[3, 16, 4] b, "
     "float[3, 16] d) => (float[N, 16] y) { y = com.microsoft.QMoE <block_size = 8> "
     "(x, s, a, c, , b, d) }",
     "block_size 8 is not a power of two from 16"},
    {"SparseMixerOfOne", R"("" : 18, "com.microsoft" : 1)",
     "g (float[N, 16] x, float[N, 3] s, uint8[3, 8, 8] a, float[3, 8] c, uint8[3, 16, 4] b, "
     "float[3, 16] d) => (float[N, 16] y) { y = com.microsoft.QMoE <use_sparse_mixer = 1> "
     "(x, s, a, c, , b, d) }",
     "use_sparse_mixer chooses k = 2 experts, found k = 1"},
    {"SparseMixerWithWeights", R"("" : 18, "com.microsoft" : 1)",
     "g (float[N, 16] x, float[N, 3] s, uint8[3, 8, 8] a, float[3, 8] c, uint8[3, 16, 4] b, "
     "float[3, 16] d) => (float[N, 16] y) { y = com.microsoft.QMoE <use_sparse_mixer = 1, k = 2> "
     "(x, s, a, c, , b, d, , , , , , , , s) }",
     "not supported: use_sparse_mixer with router_weights"},
    {"RouterWeightsOfFewExperts", R"("" : 18, "com.microsoft" : 1)",
     "g (float[N, 16] x, float[N, 3] s, uint8[3, 8, 8] a, float[3, 8] c, uint8[3, 16, 4] b, "
     "float[3, 16] d) => (float[N, 16] y) { y = com.microsoft.QMoE <k = 2> "
     "(x, s, a, c, , b, d, , , , , , , , x) }",
     "dimension 1 of router_weights against the scores"},
    {"UnknownFusion", R"("" : 18, "com.microsoft" : 1)",
     "g (float[N, 16] x, float[N, 3] s, uint8[3, 8, 8] a, float[3, 8] c, uint8[3, 16, 4] b, "
     "float[3, 16] d) => (float[N, 16] y) { y = com.microsoft.QMoE <activation_type = \"swiglu\", "
     "swiglu_fusion = 3> "
     "(x, s, a, c, , b, d) }",
     "swiglu_fusion 3 is none of 0, 1 and 2"},
    {"ExpertsOfNothing", R"("" : 18, "com.microsoft" : 1)",
     "g (float[N, 0] x, float[N, 3] s, uint8[3, 8, 0] a, float[3, 8] c, uint8[3, 0, 4] b, "
     "float[3, 0] d) => (float[N, 0] y) { y = com.microsoft.QMoE (x, s, a, c, , b, d) }",
     "the weights of the experts have the shape [3, 8, 0]"},
    {"NBitsInLayoutOfGPU", R"("" : 18, "com.microsoft" : 1)",
     "g (float[N, 32] x, uint8[8, 1, 16] w, float[8] s) => (float[N, 8] y) "
     "{ y = com.microsoft.MatMulNBits <K = 32, N = 8, block_size = 32, weight_prepacked = 1> "
     "(x, w, s) }",
     "not supported: weight_prepacked = 1, a layout of some GPU"},
    {"NBitsInLargeBlocks", R"("" : 18, "com.microsoft" : 1)",
     "g (float[N, 512] x, uint8[8, 1, 256] w, float[8] s) => (float[N, 8] y) "
     "{ y = com.microsoft.MatMulNBits <K = 512, N = 8, block_size = 512> (x, w, s) }",
     "block_size 512 is not a power of two from 16 to 256"},
    {"BlockTableOfFloatsWithZeroPoints", R"("" : 23, "com.microsoft" : 1)",
     "g (float[6, 32] x, int64[3] i, float[6, 2] s) => (y) { t = Cast<to = 17>(x) y = "
     "com.microsoft.GatherBlockQuantized<block_size = 16>(t, i, s, t) }",
     "zero points of floats"},
    {"BlockTableOfFloatsInNothing", R"("" : 23, "com.microsoft" : 1)",
     "g (float[6, 32] x, int64[3] i, float[6, 1] s) => (y) { t = Cast<to = 17>(x) y = "
     "com.microsoft.GatherBlockQuantized<block_size = -1>(t, i, s) }",
     "block_size -1 is not a power of two from 16 to 65536"},
    {"GroupedHeads", R"("" : 18, "com.microsoft" : 1)",
     "g (float[B, S, 96] x, float[B, 2, P, 16] k, float[B, 2, P, 16] v, int32[B] l, int32 t) => "
     "(float[B, S, 64] y) { y = com.microsoft.GroupQueryAttention <num_heads = 3, kv_num_heads = "
     "2> "
     "(x, , , k, v, l, t) }",
     "num_heads 3 and kv_num_heads 2"},
    {"SplitCount", R"("" : 18)",
     "g (float[4] x) => (float[2] a, float[1] b) <int64[3] s = {2, 1, 1}> { a, b = Split(x, s) }",
     "splits into 3 parts for 2 outputs"},
    {"SliceSteps", R"("" : 18)",
     "g (float[4] x) => (float[n] y) <int64[1] z = {0}, int64[1] e = {4}> "
     "{ y = Slice(x, z, e, z, z) }",
     "a step of a slice is 0"},
    {"ConcatShapes", R"("" : 18)",
     "g (float[2, 3] x, float[3, 2] z) => (float[5, 3] y) { y = Concat <axis = 0> (x, z) }",
     "concatenates [2, 3] and [3, 2]: 3 is not 2"},
    {"SqueezeSize", R"("" : 18)",
     "g (float[2, 3] x) => (float[3] y) <int64[1] a = {0}> { y = Squeeze(x, a) }",
     "dimension 0 of [2, 3] is not 1"},
    {"ConcatMissing", R"("" : 18)",
     "g (float[4] x) => (float[4] y) { y = Concat <axis = 0> (x, , x) }",
     "node 'Concat_0' (Concat, opset 18): an input is missing"},
    {"LoopCarriedMissing", R"("" : 18)",
     "g (float[2] x) => (float[2] y) <int64 m = {2}> { y = Loop (m, , ) <body = b (int64 i, bool "
     "c, "
     "float[2] a) => (bool d, float[2] e) { d = Identity(c) e = Identity(a) }> }",
     "carried value 0 is missing"},
    {"ScanInputMissing", R"("" : 18)",
     "g (float t) => (float s, float[2] y) { s, y = Scan (t, ) <num_scan_inputs = 1, body = b "
     "(float a, float e) => (float o, float p) { o = Add(a, e) p = Identity(e) }> }",
     "its input 1 is missing"},
    // Nothing of the body but its iterations, 32 x 32 x 32 x 32.
    {"BrokenConstantOfLoopThatIsTriedTwice", R"("" : 18)",
     "g (float[40] x) => (sums) <int64 n = {40}, int64[1, 0] ahead = {1}, int64[1] zero = {0}, "
     "int64[1] unit = {1}> { sums = Loop (n) <body = part (int64 i, bool c) => (bool d, float s) "
     "{ d = Identity(c) flat = Reshape(i, unit) end = Add(flat, ahead) some = Slice(x, zero, end) "
     "s = ReduceSum<keepdims = 0>(some) }> }",
     "initializer 'ahead' holds 8 bytes of data where int64 of this shape needs 0"},
    {"NestedEmptyLoops", R"("" : 18)",
     "g (int64 m, float[2] x) => (float[2] y) <int64 n = {32}, bool t = {1}> { y = Loop (n, t, "
     "x) "
     "<body = b (int64 i, bool c, float[2] a) => (bool c, float[2] e) { e = Loop (n, t, a) <body = "
     "b2 (int64 i2, bool c2, float[2] a2) => (bool c2, float[2] e2) { e2 = Loop (n, t, a2) <body = "
     "b3 (int64 i3, bool c3, float[2] a3) => (bool c3, float[2] e3) { e3 = Loop (n, t, a3) <body = "
     "b4 (int64 i4, bool c4, float[2] a4) => (bool c4, float[2] a4) { }> }> }> }> }",
     "loops of more than 200000 nodes when unrolled"},
    {"ResizeFactor", R"("" : 18)",
     "g (float[1, 1, 4, 4] x) => (float[1, 1, a, b] y) "
     "<float[4] s = {1, 1, -1e30, 1}> { y = Resize(x, , s) }",
     "resizes 4 by -1.000000e+30"},
    {"ResizeMode", R"("" : 18)",
     "g (float[1, 1, 4, 4] x) => (float[1, 1, 8, 8] y) <float[4] s = {1, 1, 2, 2}> "
     "{ y = Resize <mode = \"linear\", coordinate_transformation_mode = \"sideways\"> (x, , s) }",
     "coordinate_transformation_mode 'sideways'"},
    {"ResizeScales", R"("" : 18)",
     "g (float[1, 1, 4, 4] x) => (float[1, 1, 8, 8] y) <float[2] s = {2, 2}> "
     "{ y = Resize <mode = \"linear\"> (x, , s) }",
     "elements from"},
    {"PadAxesType", R"("" : 19)",
     "g (float[1, 3, 4, 5] x, int64[4] p, float v) => (float[1, 3, 4, 12] y) "
     "{ y = Pad (x, p, v, x) }",
     "a list of axes of shape [1, 3, 4, 5]"},
    {"EndlessAxes", R"("" : 18)",
     "g (float[4, 4] x, int64[1099511627776] a) => (float[4] y) "
     "{ y = ReduceSum <keepdims = 0> (x, a) }",
     "a list of axes of shape [1099511627776]"},
    {"HugeStride", R"("" : 18)",
     "g (float[1, 1, 8] x, float[1, 1, 3] w) => (float[1, 1, 1] y) "
     "{ y = Conv <dilations = [9223372036854775807]> (x, w) }",
     "dilations of 9223372036854775807 make no sense"},
    {"ZeroStrideTransposed", R"("" : 18)",
     "g (float[1, 1, 8] x, float[1, 1, 3] w) => (float[1, 1, 1] y) "
     "{ y = ConvTranspose <strides = [0]> (x, w) }",
     "kernel, strides and dilations must be positive, and below 2^30"},
    {"PositionsInHugeWindow", R"("" : 18)",
     "g (float[1, 1, 8, 8, 8] x) => (float[1, 1, 1, 1, 1] y, int64[1, 1, 1, 1, 1] i) "
     "{ y, i = MaxPool <kernel_shape = [1073741824, 1073741824, 1073741824], pads = "
     "[1073741824, 1073741824, 1073741824, 0, 0, 0]> (x) }",
     "not supported: the indices of a pool over more than 128 elements"},
    {"WideKernelTransposed", R"("" : 18)",
     "g (float[1, 1, 8] x, float[1, 1, 1099511627776] w) => (float[1, 1, 1] y) "
     "{ y = ConvTranspose <dilations = [1073741824]> (x, w) }",
     "kernel, strides and dilations must be positive, and below 2^30"},
    {"WideInputTransposed", R"("" : 18)",
     "g (float[1, 1, 1099511627776] x, float[1, 1, 3] w) => (float[1, 1, 1] y) "
     "{ y = ConvTranspose <strides = [1073741824], auto_pad = \"SAME_UPPER\"> (x, w) }",
     "not supported: this output_shape or auto_pad for [1, 1, 1099511627776]"},
    {"OutputShapeOfNothing", R"("" : 18)",
     "g (float[1, 1, 8] x, float[1, 1, 3] w) => (float[1, 1, 1] y) "
     "{ y = ConvTranspose <output_shape = [-9223372036854775808]> (x, w) }",
     "output_shape of -9223372036854775808 makes no sense"},
    {"HugeBlocks", R"("" : 18)",
     "g (float[1, 4, 2, 2] x) => (float[1, 1, 4, 4] y) "
     "{ y = DepthToSpace <blocksize = 4611686018427387904> (x) }",
     "blocks of 4611686018427387904 pixels"},
    {"NoOutputs", R"("" : 18)", "g (float[4] x) => () { y = Abs(x) }", ""},
};

class MalformedModel : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedModel, IsRefusedWithReason) {
  const Malformed &bad = GetParam();
  std::string text =
      std::string("<ir_version: 8, opset_import: [") + bad.opset + "]>\n" + bad.graph + "\n";
  ImportedModel model = ImportedModel::fromText(text);
  EXPECT_FALSE(model.module);
  EXPECT_GE(model.errorCount, 1);
  EXPECT_NE(model.messages.find(bad.message), std::string::npos) << model.messages;
  EXPECT_NE(model.messages.find("model.onnxtxt"), std::string::npos) << model.messages;
}

INSTANTIATE_TEST_SUITE_P(All, MalformedModel, testing::ValuesIn(kCases),
                         [](const auto &info) { return std::string(info.param.name); });

TEST(MalformedModelReport, ListsEveryUnsupportedNode) {
  ImportedModel model = ImportedModel::fromText(R"(
<ir_version: 8, opset_import: ["" : 18]>
g (float[4] x) => (float[4] y) {
  a = Foo(x)
  b = Bar(a)
  c = Softmax <sideways = 1> (x)
  d = Where(x, x, x)
  y = Baz(b, c, d)
})");
  EXPECT_FALSE(model.module);
  EXPECT_EQ(model.errorCount, 5) << model.messages;
  for (const char *node : {"'Foo_0'", "'Bar_1'", "'Softmax_2'", "'Where_3'", "'Baz_4'"})
    EXPECT_NE(model.messages.find(node), std::string::npos) << node;
}

} // namespace

//===- LLMTensorOps.td - tensor operations of the llm dialect -*- tablegen -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_DIALECT_LLM_IR_LLMTENSOROPS_TD
#define LLMC_DIALECT_LLM_IR_LLMTENSOROPS_TD

include "llmc/Dialect/LLM/IR/LLMDialect.td"

//===----------------------------------------------------------------------===//
// Kinds
//===----------------------------------------------------------------------===//

class LLM_Enum<string name, string summary, list<string> cases>
    : I32EnumAttr<name, summary,
                  !foldl([]<I32EnumAttrCase>, !range(!size(cases)), acc, i,
                         !listconcat(acc, [I32EnumAttrCase<cases[i], i>]))> {
  let cppNamespace = "::llmc::llm";
  let genSpecializedAttr = 0;
}
class LLM_EnumAttr<EnumAttrInfo info, string mnemonic>
    : EnumAttr<LLM_Dialect, info, mnemonic> {
  let assemblyFormat = "$value";
}

def LLM_UnaryKind : LLM_Enum<"UnaryKind", "elementwise function of one operand", [
    "abs", "neg", "exp", "log", "sqrt", "rsqrt", "reciprocal", "sin", "cos",
    "tanh", "erf", "sigmoid", "silu", "gelu_erf", "gelu_tanh", "relu", "floor",
    "ceil", "round", "sign", "logical_not", "is_nan", "is_inf", "softplus",
    "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh",
    "bitwise_not"]>;
def LLM_UnaryKindAttr : LLM_EnumAttr<LLM_UnaryKind, "unary_kind">;

def LLM_BinaryKind : LLM_Enum<"BinaryKind", "elementwise function of two operands", [
    "add", "sub", "mul", "div", "mod", "fmod", "pow", "max", "min",
    "logical_and", "logical_or", "logical_xor",
    "bitwise_and", "bitwise_or", "bitwise_xor", "shift_left", "shift_right"]>;
def LLM_BinaryKindAttr : LLM_EnumAttr<LLM_BinaryKind, "binary_kind">;

def LLM_ComparePredicate : LLM_Enum<"ComparePredicate", "ordered comparison", [
    "eq", "ne", "lt", "le", "gt", "ge"]>;
def LLM_ComparePredicateAttr : LLM_EnumAttr<LLM_ComparePredicate, "predicate">;

def LLM_ReduceKind : LLM_Enum<"ReduceKind", "reduction over axes", [
    "sum", "mean", "max", "min", "prod"]>;
def LLM_ReduceKindAttr : LLM_EnumAttr<LLM_ReduceKind, "reduce_kind">;

def LLM_ScatterKind : LLM_Enum<"ScatterKind", "what becomes of an element that is written", [
    "replace", "add", "mul", "max", "min"]>;
def LLM_ScatterKindAttr : LLM_EnumAttr<LLM_ScatterKind, "scatter_kind">;

def LLM_CumulativeKind : LLM_Enum<"CumulativeKind", "running combination along a dimension", [
    "sum", "prod"]>;
def LLM_CumulativeKindAttr : LLM_EnumAttr<LLM_CumulativeKind, "cumulative_kind">;

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

def LLM_ConstantOp : LLM_InferredOp<"constant", [ConstantLike]> {
  let summary = "values known when compiling";
  let description = [{
    Small values are dense; weights are dense resources whose blob points into
    the mapped model file and is never copied into the IR.

    ```mlir
    %0 = llm.constant dense<[1.0, 2.0]> : tensor<2xf32>
    ```
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "attr-dict $value";
  let hasFolder = 1;
}

def LLM_DimValuesOp : LLM_Op<"dim_values", [Pure]> {
  let summary = "symbolic sizes as integer data";
  let description = [{
    The result's elements in row-major order are `exprs`; a rank-0 result takes one expression.

    C1. The result is static and has integer elements, as many of them as there are expressions.

    ```mlir
    %0 = llm.dim_values ["batch", "past + seq"] : tensor<2xi64>
    ```
  }];
  let arguments = (ins StrArrayAttr:$exprs);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "attr-dict $exprs `:` type($result)";
  let hasVerifier = 1;
}

def LLM_IotaOp : LLM_Op<"iota", [Pure]> {
  let summary = "indices along one dimension";
  let description = [{
    `result[i0, ..] = start + step * i_dim`, with `start` and `step` expressions.

    C1. `dim` is a dimension of the result.

    ```mlir
    %0 = llm.iota {start = "past", step = "1", dim = 0} : tensor<?xi64, #llm.dims<"seq">>
    ```
  }];
  let arguments = (ins StrAttr:$start, StrAttr:$step, I64Attr:$dim);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Elementwise, with numpy broadcasting between operands
//===----------------------------------------------------------------------===//

def LLM_UnaryOp : LLM_InferredOp<"unary"> {
  let summary = "elementwise function of one operand";
  let description = [{
    `result[i] = kind(input[i])`. `is_nan`, `is_inf` give i1; the others keep the
    type. f16 and bf16 are computed in f32 and rounded once. `round` is to even.
    `silu(x) = x * sigmoid(x)`, `gelu_erf(x) = x/2 * (1 + erf(x/sqrt 2))`,
    `gelu_tanh(x) = x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))`. `bitwise_not`
    is for integers.

    ```mlir
    %1 = llm.unary silu %0 : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins LLM_UnaryKindAttr:$kind, LLM_Tensor:$input);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$kind $input attr-dict `:` type($input)";
  let hasFolder = 1;
}

def LLM_BinaryOp : LLM_InferredOp<"binary"> {
  let summary = "elementwise function of two operands";
  let description = [{
    `result[i] = kind(lhs[i], rhs[i])` after numpy broadcasting. Integer `div`
    truncates; `mod` takes the divisor's sign, `fmod` the dividend's. `max` and
    `min` give NaN where an operand is NaN. Bitwise operations and shifts are for
    integers; a shift by the width or more gives 0, and `shift_right` fills with 0.

    C1. Both operands have the same element type. C2. The shapes broadcast.

    ```mlir
    %2 = llm.binary add %0, %1 : tensor<4x8xf32>, tensor<8xf32>
    ```
  }];
  let arguments = (ins LLM_BinaryKindAttr:$kind, LLM_Tensor:$lhs, LLM_Tensor:$rhs);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$kind $lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs)";
  let hasFolder = 1;
}

def LLM_CompareOp : LLM_InferredOp<"compare"> {
  let summary = "elementwise comparison";
  let description = [{
    `result[i] = lhs[i] predicate rhs[i]` as i1 after broadcasting; comparisons
    with NaN are false but for `ne`.

    C1. Both operands have the same element type. C2. The shapes broadcast.

    ```mlir
    %2 = llm.compare le %0, %1 : tensor<1x8xi64>, tensor<4x1xi64>
    ```
  }];
  let arguments = (ins LLM_ComparePredicateAttr:$predicate, LLM_Tensor:$lhs, LLM_Tensor:$rhs);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$predicate $lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs)";
}

def LLM_SelectOp : LLM_InferredOp<"select"> {
  let summary = "elementwise choice";
  let description = [{
    `result[i] = condition[i] ? lhs[i] : rhs[i]` after broadcasting all three.

    C1. `lhs` and `rhs` have the same element type. C2. The shapes broadcast.

    ```mlir
    %3 = llm.select %0, %1, %2 : tensor<8xi1>, tensor<8xf32>, tensor<f32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$condition, LLM_Tensor:$lhs, LLM_Tensor:$rhs);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$condition `,` $lhs `,` $rhs attr-dict `:` type($condition) `,` type($lhs) `,` type($rhs)";
}

def LLM_CastOp : LLM_Op<"cast", [Pure]> {
  let summary = "elementwise conversion of the element type";
  let description = [{
    ONNX Cast: floats to integers truncate, anything to i1 is `!= 0`, floats round
    to nearest even. Rounding to an 8-bit float gives the largest finite value for
    what is beyond it where `saturate` holds, otherwise an infinity or NaN; integers
    keep their low bits. The shape stays.

    ```mlir
    %1 = llm.cast %0 : tensor<4xi64> to tensor<4xf32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$input, DefaultValuedAttr<BoolAttr, "true">:$saturate);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let builders = [OpBuilder<(ins "::mlir::Type":$type, "::mlir::Value":$input), [{
    build($_builder, $_state, type, input, /*saturate=*/true);
  }]>];
  let hasFolder = 1;
  let hasVerifier = 1;
}

def LLM_BitcastOp : LLM_Op<"bitcast", [Pure]> {
  let summary = "the same bits read as another element type";
  let description = [{
    C1. Both element types have as many bits. The shape stays.

    ```mlir
    %1 = llm.bitcast %0 : tensor<4xf32> to tensor<4xi32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$input);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Data movement
//===----------------------------------------------------------------------===//

def LLM_ReshapeOp : LLM_Op<"reshape", [Pure]> {
  let summary = "the same elements in row-major order under another shape";
  let description = [{
    C1. Both types have the same element type. C2. The numbers of elements are
    not provably different.

    ```mlir
    %1 = llm.reshape %0 : tensor<4x8xf32> to tensor<4x2x4xf32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$input);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def LLM_BroadcastOp : LLM_Op<"broadcast", [Pure]> {
  let summary = "numpy broadcast to a given shape";
  let description = [{
    C1. The input's rank is at most the result's. C2. Each input dimension,
    counted from the end, is 1 or that of the result.

    ```mlir
    %1 = llm.broadcast %0 : tensor<1x8xf32> to tensor<4x8xf32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$input);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def LLM_TransposeOp : LLM_InferredOp<"transpose"> {
  let summary = "permutation of dimensions";
  let description = [{
    `result[i_perm0, i_perm1, ..] = input[i0, i1, ..]`: result dimension d is
    input dimension `permutation[d]`.

    C1. `permutation` is a permutation of the input's dimensions.

    ```mlir
    %1 = llm.transpose %0 [1, 0] : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$input, DenseI64ArrayAttr:$permutation);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$input $permutation attr-dict `:` type($input)";
  let hasFolder = 1;
}

def LLM_SliceOp : LLM_Op<"slice", [Pure]> {
  let summary = "a strided box of a tensor";
  let description = [{
    `result[i0, ..] = input[starts0 + i0 * steps0, ..]`; starts are expressions
    that are already inside the input; steps may be negative.

    C1. There is a start and a step for each dimension, and no step is 0.

    ```mlir
    %1 = llm.slice %0 ["0", "seq - 1"] [1, 1] : tensor<4x?xf32, #llm.dims<"4", "seq">> to tensor<4x1xf32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$input, StrArrayAttr:$starts, DenseI64ArrayAttr:$steps);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$input $starts $steps attr-dict `:` type($input) `to` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def LLM_ConcatOp : LLM_InferredOp<"concat"> {
  let summary = "tensors one after another along a dimension";
  let description = [{
    C1. `axis` is a dimension. C2. All inputs have the same element type, rank
    and, but for `axis`, dimensions.

    ```mlir
    %2 = llm.concat 1 (%0, %1) : tensor<4x8xf32>, tensor<4x2xf32>
    ```
  }];
  let arguments = (ins I64Attr:$axis, Variadic<LLM_Tensor>:$inputs);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$axis `(` $inputs `)` attr-dict `:` type($inputs)";
}

def LLM_GatherOp : LLM_InferredOp<"gather"> {
  let summary = "slices of a tensor at given indices";
  let description = [{
    ONNX Gather: `result[a.., i.., b..] = input[a.., indices[i..], b..]` with
    `indices` in place of dimension `axis`. Negative indices count from the end;
    an index outside reads as the nearest one inside.

    C1. `axis` is a dimension of the input. C2. Indices are i32 or i64.

    ```mlir
    %2 = llm.gather 0 %0, %1 : tensor<384x64xf32>, tensor<1x7xi64>
    ```
  }];
  let arguments = (ins I64Attr:$axis, LLM_Tensor:$input, LLM_Tensor:$indices);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$axis $input `,` $indices attr-dict `:` type($input) `,` type($indices)";
}

def LLM_GatherNDOp : LLM_InferredOp<"gather_nd"> {
  let summary = "slices of a tensor at tuples of indices";
  let description = [{
    ONNX GatherND: the last dimension of `indices` (static) is a tuple into the
    input's dimensions after the first `batch_dims`, which both share.

    C1. The tuple is static and not longer than the remaining dimensions; the batch
    dimensions of the indices fit in the input's.

    ```mlir
    %2 = llm.gather_nd 0 %0, %1 : tensor<4x8xi1>, tensor<3x2xi64>
    ```
  }];
  let arguments = (ins I64Attr:$batch_dims, LLM_Tensor:$input, LLM_Tensor:$indices);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$batch_dims $input `,` $indices attr-dict `:` type($input) `,` type($indices)";
}

def LLM_GatherElementsOp : LLM_InferredOp<"gather_elements"> {
  let summary = "one element per index, along a dimension";
  let description = [{
    ONNX GatherElements: `result[.., i, ..] = input[.., indices[.., i, ..], ..]` along
    `axis`; the other coordinates stay. Negative indices count from the end; an index
    outside reads as the nearest one inside.

    C1. `axis` is a dimension. C2. Indices are i32 or i64 of the input's rank, and their
    other dimensions fit in the input's.

    ```mlir
    %2 = llm.gather_elements 1 %0, %1 : tensor<4x8xf32>, tensor<4x2xi64>
    ```
  }];
  let arguments = (ins I64Attr:$axis, LLM_Tensor:$input, LLM_Tensor:$indices);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$axis $input `,` $indices attr-dict `:` type($input) `,` type($indices)";
}

def LLM_ScatterElementsOp : LLM_InferredOp<"scatter_elements"> {
  let summary = "a tensor with elements written along a dimension";
  let description = [{
    ONNX ScatterElements: `result = input`, then for every index i of `updates` in
    row-major order `result[.., indices[i], ..]` (coordinate `axis` replaced) is
    combined with `updates[i]` by `kind`. Negative indices count from the end; an
    index outside writes nothing.

    C1. `axis` is a dimension. C2. Indices are i32 or i64 with the updates' shape and
    the input's rank, and their other dimensions fit in the input's. C3. Input and updates have the same element type.

    ```mlir
    %3 = llm.scatter_elements replace 1 %0, %1, %2 : tensor<4x8xf32>, tensor<4x2xi64>, tensor<4x2xf32>
    ```
  }];
  let arguments = (ins LLM_ScatterKindAttr:$kind, I64Attr:$axis, LLM_Tensor:$input,
                       LLM_Tensor:$indices, LLM_Tensor:$updates);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = [{
    $kind $axis $input `,` $indices `,` $updates attr-dict
    `:` type($input) `,` type($indices) `,` type($updates)
  }];
}

def LLM_ScatterNDOp : LLM_InferredOp<"scatter_nd"> {
  let summary = "a tensor with slices written at tuples of indices";
  let description = [{
    ONNX ScatterND: `result = input`, then for every tuple `t = indices[i.., :]` in
    row-major order `result[t.., ..]` is combined with `updates[i.., ..]` by `kind`.
    Negative indices count from the end; a tuple that points outside writes nothing.

    C1. The last dimension of `indices` is static and at most the input's rank; indices
    are i32 or i64. C2. `updates` has the shape `indices[:-1] + input[tuple length:]`.
    C3. Input and updates have the same element type.

    ```mlir
    %3 = llm.scatter_nd add %0, %1, %2 : tensor<4x8xf32>, tensor<3x1xi64>, tensor<3x8xf32>
    ```
  }];
  let arguments = (ins LLM_ScatterKindAttr:$kind, LLM_Tensor:$input, LLM_Tensor:$indices,
                       LLM_Tensor:$updates);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = [{
    $kind $input `,` $indices `,` $updates attr-dict
    `:` type($input) `,` type($indices) `,` type($updates)
  }];
}

def LLM_NonZeroOp : LLM_Op<"nonzero", [Pure]> {
  let summary = "where a tensor is not zero";
  let description = [{
    `result[n, :]` is the index of the n-th element, in row-major order, that is not
    zero. The number of rows is a size that `llm.define_size` defines from the
    number of such elements.

    C1. The result is `[count, rank]` of i64.

    ```mlir
    llm.define_size "nz" <= "32" (%count) : tensor<i64>
    %1 = llm.nonzero %0 : tensor<4x8xi1> to tensor<?x2xi64, #llm.dims<"nz", "2">>
    ```
  }];
  let arguments = (ins LLM_Tensor:$input);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasVerifier = 1;
}

def LLM_DefineSizeOp : LLM_Op<"define_size"> {
  let summary = "a size that data decides";
  let description = [{
    From here on the symbol `symbol` is the one element of `value`, clamped to
    0 .. `bound` (an expression). Types of later operations may use it; buffers are
    planned at the bound.

    C1. The value has one element of i32 or i64.

    ```mlir
    llm.define_size "k0" <= "seq" (%0) : tensor<1xi64>
    ```
  }];
  let arguments = (ins StrAttr:$symbol, StrAttr:$bound, LLM_Tensor:$value);
  let assemblyFormat = "$symbol `<` `=` $bound `(` $value `)` attr-dict `:` type($value)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Reductions and contractions
//===----------------------------------------------------------------------===//

def LLM_ReduceOp : LLM_InferredOp<"reduce"> {
  let summary = "reduction over axes";
  let description = [{
    Reduces the dimensions `axes`; with `keepdims` they stay with size 1. Floats
    accumulate in f32 at least, in an order fixed at compile time.

    C1. The axes are distinct dimensions of the input.

    ```mlir
    %1 = llm.reduce mean %0 [1] {keepdims = true} : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins LLM_ReduceKindAttr:$kind, LLM_Tensor:$input,
                       DenseI64ArrayAttr:$axes, BoolAttr:$keepdims);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$kind $input $axes attr-dict `:` type($input)";
}

def LLM_SoftmaxOp : LLM_InferredOp<"softmax"> {
  let summary = "softmax along a dimension";
  let description = [{
    `exp(x_i - max x) / sum_j exp(x_j - max x)` along `axis`. Where every element
    is -inf the result is NaN, as in ONNX.

    C1. `axis` is a dimension.

    ```mlir
    %1 = llm.softmax 1 %0 : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins I64Attr:$axis, LLM_Tensor:$input);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$axis $input attr-dict `:` type($input)";
}

def LLM_MatmulOp : LLM_InferredOp<"matmul"> {
  let summary = "matrix product with numpy batching";
  let description = [{
    `result[b.., m, n] = sum_k lhs[b.., m, k] * rhs[b.., k, n]`, leading
    dimensions broadcast; both operands have rank >= 2. Accumulates in f32.

    C1. Ranks are at least 2, element types equal. C2. The contracted dimensions
    are not provably different. C3. Leading dimensions broadcast.

    ```mlir
    %2 = llm.matmul %0, %1 : tensor<2x4x8xf32>, tensor<8x3xf32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$lhs, LLM_Tensor:$rhs);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs)";
}

def LLM_CumulativeOp : LLM_InferredOp<"cumulative"> {
  let summary = "running sums or products along a dimension";
  let description = [{
    `result[i]` combines `input[j]` for all `j <= i` along `axis` (`j < i` with
    `exclusive`; `>=` and `>` with `reverse`), starting from 0 or 1. In order, so
    that the result does not depend on threads; f16 and bf16 accumulate in f32.

    C1. `axis` is a dimension.

    ```mlir
    %1 = llm.cumulative sum 1 %0 {exclusive} : tensor<4x8xi64>
    ```
  }];
  let arguments = (ins LLM_CumulativeKindAttr:$kind, I64Attr:$axis, LLM_Tensor:$input,
                       UnitAttr:$exclusive, UnitAttr:$reverse);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$kind $axis $input attr-dict `:` type($input)";
}

def LLM_TopKIndicesOp : LLM_InferredOp<"top_k_indices"> {
  let summary = "where the largest or smallest elements are";
  let description = [{
    For each line along `axis` the i64 positions of its `count` largest elements
    (smallest without `largest`), best first; of equal elements the one with the
    smaller position comes first. `count` is an expression. NaN ranks above all.

    C1. `axis` is a dimension. C2. `count` is not provably larger than it.

    ```mlir
    %1 = llm.top_k_indices 1 %0 "2" {largest} : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins I64Attr:$axis, LLM_Tensor:$input, StrAttr:$count, UnitAttr:$largest);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$axis $input $count attr-dict `:` type($input)";
}

def LLM_ConvOp : LLM_InferredOp<"conv"> {
  let summary = "convolution over the trailing dimensions";
  let description = [{
    `input[N, C, X..]`, `weight[M, C / groups, K..]`, bias[M] to `[N, M, Y..]`:
    `result[n, m, y..] = bias[m] + sum_{c, k..} weight[m, c, k..] *
    input[n, g * C / groups + c, y * strides + k * dilations - pads_begin]` with
    `g = m / (M / groups)`; what lies outside is 0. `pads` has all begins, then all
    ends. `Y = floor((X + pads_begin + pads_end - dilations * (K - 1) - 1) / strides) + 1`.

    C1. Ranks agree and are at least 3. C2. Strides and dilations have one positive
    entry, pads two entries per spatial dimension. C3. Channels and groups agree.
    C4. The bias is 1-D of M. C5. The kernel is static.

    ```mlir
    %2 = llm.conv %x, %w {strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 2, 0>, groups = 4 : i64} : (tensor<1x4x7xf32>, tensor<4x1x3xf32>) -> tensor<1x4x7xf32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$input, LLM_Tensor:$weight, Optional<LLM_Tensor>:$bias,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations,
                       DenseI64ArrayAttr:$pads, DefaultValuedAttr<I64Attr, "1">:$groups);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$input `,` $weight (`bias` $bias^)? attr-dict `:` functional-type(operands, results)";
}

def LLM_WindowReduceOp : LLM_InferredOp<"window_reduce"> {
  let summary = "reduction over a sliding window of the trailing dimensions";
  let description = [{
    `result[n, c, y..]` reduces `input[n, c, y * strides + k * dilations - pads_begin]`
    over `k` in `window` by `kind` (sum, max, min or prod); what lies outside the
    input is left out. Sizes as in `llm.conv`.

    C1. The rank is at least 3. C2. `window`, `strides`, `dilations` have one positive
    entry, `pads` two entries per spatial dimension.

    ```mlir
    %1 = llm.window_reduce max %0 {window = array<i64: 2>, strides = array<i64: 2>, dilations = array<i64: 1>, pads = array<i64: 0, 0>} : (tensor<1x4x8xf32>) -> tensor<1x4x4xf32>
    ```
  }];
  let arguments = (ins LLM_ReduceKindAttr:$kind, LLM_Tensor:$input,
                       DenseI64ArrayAttr:$window, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$dilations, DenseI64ArrayAttr:$pads);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$kind $input attr-dict `:` functional-type(operands, results)";
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

def LLM_IfOp : LLM_Op<"if", [SingleBlock, NoRegionArguments, RecursiveMemoryEffects]> {
  let summary = "one of two subgraphs";
  let description = [{
    Runs `then_region` where the one-element condition holds, `else_region`
    otherwise; both may use values from outside. Split into two functions by
    `llmc-split-branches`; none is left after the normalize phase.

    ```mlir
    %1 = llm.if %0 : tensor<1xi1> -> (tensor<4xf32>) {
      llm.yield %a : tensor<4xf32>
    } else {
      llm.yield %b : tensor<4xf32>
    }
    ```
  }];
  let arguments = (ins LLM_Tensor:$condition);
  let results = (outs Variadic<LLM_Tensor>:$results);
  let regions = (region SizedRegion<1>:$then_region, SizedRegion<1>:$else_region);
  let assemblyFormat = [{
    $condition attr-dict `:` type($condition) `->` `(` type($results) `)`
    $then_region `else` $else_region
  }];
}

def LLM_LoopOp : LLM_Op<"loop", [AttrSizedOperandSegments, IsolatedFromAbove, SingleBlock,
                                 RecursiveMemoryEffects]> {
  let summary = "a body that runs once after the other, as often as a size says";
  let description = [{
    Runs the body for `index` = 0 .. `trip` - 1. In the body `index` is a symbol like any
    other that values and starts of slices may contain. Block arguments are the carried values,
    which are `initial` at first and then what the last iteration gave, and `captured`,
    which stay. `llm.yield` gives the next carried values and then one slice for each of
    `positions`. Results are the last carried values and a stack of each slice:
    `stack[position(index), ..] = slice of iteration index[..]`. An iteration writes its own
    row of a stack, and together they write all.

    C1. `trip` and `positions` are expressions, and `trip` does not contain `index`.
    C2. Block arguments have the types of the operands. C3. The body ends with `llm.yield` of
    as many values as there are carried ones and positions together. C4. Next carried values
    and the first results have the types of the initial ones. C5. The other results are a
    slice with a dimension of `trip` in front. C6. No size and no trip count in the body depends
    on `index`. C7. The body has no `llm.define_size` and no state.

    ```mlir
    func.func @sums(%h: tensor<4xf32>, %x: tensor<?x4xf32, #llm.dims<"seq", "4">>) -> tensor<?x4xf32, #llm.dims<"seq", "4">> {
      %0:2 = llm.loop "i0" < "seq"(%h) captured(%x) stacks ["i0"] : (tensor<4xf32>, tensor<?x4xf32, #llm.dims<"seq", "4">>) -> (tensor<4xf32>, tensor<?x4xf32, #llm.dims<"seq", "4">>) {
      ^bb0(%state: tensor<4xf32>, %rows: tensor<?x4xf32, #llm.dims<"seq", "4">>):
        %1 = llm.slice %rows ["i0", "0"] [1, 1] : tensor<?x4xf32, #llm.dims<"seq", "4">> to tensor<1x4xf32>
        %2 = llm.reshape %1 : tensor<1x4xf32> to tensor<4xf32>
        %3 = llm.binary add %state, %2 : tensor<4xf32>, tensor<4xf32>
        llm.yield %3, %3 : tensor<4xf32>, tensor<4xf32>
      }
      return %0#1 : tensor<?x4xf32, #llm.dims<"seq", "4">>
    }
    ```
  }];
  let arguments = (ins StrAttr:$index, StrAttr:$trip, Variadic<LLM_Tensor>:$initial,
                       Variadic<LLM_Tensor>:$captured, StrArrayAttr:$positions);
  let results = (outs Variadic<LLM_Tensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $index `<` $trip `(` $initial `)` `captured` `(` $captured `)` `stacks` $positions attr-dict `:`
    functional-type(operands, $results) $body
  }];
  let extraClassDeclaration = [{
    unsigned getNumCarried() { return getInitial().size(); }
    /// The block arguments that change, and those that stay.
    ::mlir::ValueRange getCarriedArguments();
    ::mlir::ValueRange getCapturedArguments();
  }];
  let hasCanonicalizer = 1;
  let hasRegionVerifier = 1;
}

def LLM_YieldOp : LLM_Op<"yield", [Pure, Terminator]> {
  let summary = "ends a region with its results";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

#endif // LLMC_DIALECT_LLM_IR_LLMTENSOROPS_TD

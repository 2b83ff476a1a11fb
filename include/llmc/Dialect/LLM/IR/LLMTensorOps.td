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
    "ceil", "round", "sign", "logical_not", "is_nan", "is_inf", "softplus"]>;
def LLM_UnaryKindAttr : LLM_EnumAttr<LLM_UnaryKind, "unary_kind">;

def LLM_BinaryKind : LLM_Enum<"BinaryKind", "elementwise function of two operands", [
    "add", "sub", "mul", "div", "mod", "fmod", "pow", "max", "min",
    "logical_and", "logical_or", "logical_xor"]>;
def LLM_BinaryKindAttr : LLM_EnumAttr<LLM_BinaryKind, "binary_kind">;

def LLM_ComparePredicate : LLM_Enum<"ComparePredicate", "ordered comparison", [
    "eq", "ne", "lt", "le", "gt", "ge"]>;
def LLM_ComparePredicateAttr : LLM_EnumAttr<LLM_ComparePredicate, "predicate">;

def LLM_ReduceKind : LLM_Enum<"ReduceKind", "reduction over axes", [
    "sum", "mean", "max", "min", "prod"]>;
def LLM_ReduceKindAttr : LLM_EnumAttr<LLM_ReduceKind, "reduce_kind">;

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
    `result[i] = exprs[i]`; a rank-0 result takes one expression.

    C1. The result has rank 0 or 1, integer elements and as many of them as there are expressions.

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
    `gelu_tanh(x) = x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))`.

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
    `min` give NaN where an operand is NaN.

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
    to nearest even. The shape stays.

    ```mlir
    %1 = llm.cast %0 : tensor<4xi64> to tensor<4xf32>
    ```
  }];
  let arguments = (ins LLM_Tensor:$input);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasFolder = 1;
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

    C1. The tuple is static and not longer than the remaining dimensions.

    ```mlir
    %2 = llm.gather_nd 0 %0, %1 : tensor<4x8xi1>, tensor<3x2xi64>
    ```
  }];
  let arguments = (ins I64Attr:$batch_dims, LLM_Tensor:$input, LLM_Tensor:$indices);
  let results = (outs LLM_Tensor:$result);
  let assemblyFormat = "$batch_dims $input `,` $indices attr-dict `:` type($input) `,` type($indices)";
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

def LLM_YieldOp : LLM_Op<"yield", [Pure, Terminator]> {
  let summary = "ends a region with its results";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

#endif // LLMC_DIALECT_LLM_IR_LLMTENSOROPS_TD

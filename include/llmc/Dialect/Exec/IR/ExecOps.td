//===- ExecOps.td - the exec dialect -*- tablegen -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_DIALECT_EXEC_IR_EXECOPS_TD
#define LLMC_DIALECT_EXEC_IR_EXECOPS_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/CommonAttrConstraints.td"
include "mlir/IR/CommonTypeConstraints.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Exec_Dialect : Dialect {
  let name = "exec";
  let cppNamespace = "::llmc::exec";
  let summary = "when and where a model computes";
  let description = [{
    A module in this dialect is a list of weights, kernels (one for all layers that
    compute alike) and programs. A program dispatches kernels in order over buffers
    that the plan phase gives a place in the arena; barriers stand exactly where a
    dispatch needs the results of an earlier one. Both back ends start here.
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::llmc::llm::LLMDialect"];
}

class Exec_Op<string mnemonic, list<Trait> traits = []>
    : Op<Exec_Dialect, mnemonic, traits>;

def Exec_WeightLayout : I32EnumAttr<"WeightLayout", "how a weight lies in the artifact", [
    I32EnumAttrCase<"dense", 0>, I32EnumAttrCase<"panels", 1>,
    I32EnumAttrCase<"row_blocks", 2>]> {
  let cppNamespace = "::llmc::exec";
  let genSpecializedAttr = 0;
}
def Exec_WeightLayoutAttr : EnumAttr<Exec_Dialect, Exec_WeightLayout, "layout"> {
  let assemblyFormat = "$value";
}

def Exec_WeightOp : Exec_Op<"weight", [Symbol]> {
  let summary = "a tensor of the artifact's weight region";
  let description = [{
    `dense`: row-major as in the model. `panels`: the matrix of an `llm.linear`
    packed for the target's microkernel, in its own element type; `row_blocks`: n-bit
    weights with scales and zero points interleaved. The plan phase sets `offset` (bytes from the start of
    the region, a multiple of 64) and `bytes`.

    C1. `panels` and `row_blocks` have `columns` and `outputs`, `dense` has neither.
    C2. `panels` hold a matrix of `columns x outputs`, or `outputs x columns` with
    `transposed`. C3. `row_blocks` have `group_size` and `scales`; other layouts have
    none of them nor `zero_points`. C4. `offset` and `bytes` come together and are
    not negative.

    ```mlir
    exec.weight @w0 dense dense<1.0> : tensor<4xf32>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Exec_WeightLayoutAttr:$layout,
                       ElementsAttr:$value,
                       OptionalAttr<ElementsAttr>:$scales,
                       OptionalAttr<ElementsAttr>:$zero_points,
                       OptionalAttr<I64Attr>:$columns, OptionalAttr<I64Attr>:$outputs,
                       OptionalAttr<I64Attr>:$group_size, UnitAttr:$transposed,
                       OptionalAttr<I64Attr>:$offset, OptionalAttr<I64Attr>:$bytes);
  let assemblyFormat = "$sym_name $layout attr-dict $value";
  let hasVerifier = 1;
}

def Exec_KernelOp : Exec_Op<"kernel", [Symbol, IsolatedFromAbove, SingleBlock]> {
  let summary = "what one dispatch computes";
  let description = [{
    A region of `llm` operations from its inputs (block arguments) to the values that
    `exec.yield` names. One kernel serves every dispatch with the same body and types.

    Where the result lies inside a larger buffer (`exec.join`), `row_stride` is the size
    expression of how many elements lie between the beginnings of its rows, which are its
    last dimension. Without it the result is contiguous.

    C1. The body ends with `exec.yield`. C2. With `row_stride`, a size expression, it
    yields one tensor that has rows.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$kind,
                       OptionalAttr<StrAttr>:$row_stride);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name $kind attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
}

def Exec_YieldOp : Exec_Op<"yield", [Pure, Terminator, ParentOneOf<["KernelOp", "LoopOp"]>]> {
  let summary = "the outputs of a kernel, or what an iteration of a loop gives";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "attr-dict $values `:` type($values)";
}

def Exec_ProgramOp : Exec_Op<"program", [Symbol, IsolatedFromAbove, SingleBlock]> {
  let summary = "one phase of the model";
  let description = [{
    Block arguments are the phase's inputs and states in order, `exec.return` names
    its outputs. `symbols` are `{name, min, max}` in the order of the module ABI, those
    that `exec.define_size` defines last and in order; `guard` is `{input, value}`. `requirements`
    are pairs of expressions that must be equal when the program runs. The plan phase sets
    `arena_bytes` and `lower_bound` (largest sum of bytes that live at once).

    C1. The body ends with `exec.return`. C2. `input_names` has a string per block
    argument, C3. `output_names` one per returned value. C4. Each entry of `symbols`
    is a `{name, min, max}` with `min <= max`. C5. `arena_bytes` and `lower_bound`
    come together, and the bound is not above the bytes. C6. The last symbols are those
    of the `exec.define_size` operations in their order. C7. Each of `requirements` is a pair
    of expressions of the other symbols.

    ```mlir
    exec.weight @w panels {columns = 4 : i64, outputs = 4 : i64, offset = 0 : i64, bytes = 512 : i64} dense<1.0> : tensor<4x4xf32>
    exec.kernel @linear_0 "linear" {
    ^bb0(%x: tensor<2x4xf32>, %w: tensor<4x4xf32>):
      %y = llm.linear %x, %w : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
      exec.yield %y : tensor<2x4xf32>
    }
    exec.kernel @softmax_1 "softmax" {
    ^bb0(%x: tensor<2x4xf32>):
      %y = llm.softmax 1 %x : tensor<2x4xf32>
      exec.yield %y : tensor<2x4xf32>
    }
    exec.program @run "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"], arena_bytes = 64 : i64, lower_bound = 32 : i64} {
    ^bb0(%x: tensor<2x4xf32>):
      %w = exec.load_weight @w : tensor<4x4xf32>
      %0 = exec.dispatch @linear_0(%x, %w) {offsets = array<i64: 0>} : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
      exec.barrier
      %1 = exec.dispatch @softmax_1(%0) {offsets = array<i64: -1>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
      %2 = exec.view %1 : tensor<2x4xf32> to tensor<8xf32>
      exec.return %2 : tensor<8xf32>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$phase, ArrayAttr:$symbols,
                       ArrayAttr:$input_names, ArrayAttr:$output_names,
                       OptionalAttr<DictionaryAttr>:$guard,
                       OptionalAttr<ArrayAttr>:$requirements,
                       OptionalAttr<I64Attr>:$arena_bytes,
                       OptionalAttr<I64Attr>:$lower_bound);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name $phase attr-dict-with-keyword $body";
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def Exec_LoadWeightOp : Exec_Op<"load_weight", [
    Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "names a weight inside a program";
  let description = [{
    C1. `weight` names an `exec.weight` C2. whose value has the result's type.
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}

def Exec_DispatchOp : Exec_Op<"dispatch", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "runs a kernel over buffers";
  let description = [{
    Results are new buffers (or, for a state, the same storage with its new
    contents). The plan phase sets `offsets`: for each result its byte offset in the
    arena, or -1 where it is a program output, a state or a part of an `exec.join`, or an
    iteration writes it into a buffer of its `exec.loop`.

    C1. `kernel` names an `exec.kernel`. C2. Its block arguments have the types of the
    inputs, C3. its yielded values those of the outputs. C4. `offsets` has one entry
    per output, none below -1. C5. Where an output is a state, it is the only one, and
    the only state among the inputs is what it was before. C6. The result of a kernel
    with `row_stride` is a part of an `exec.join`.
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AnyType>:$inputs,
                       OptionalAttr<DenseI64ArrayAttr>:$offsets);
  let results = (outs Variadic<AnyType>:$outputs);
  let assemblyFormat = "$kernel `(` $inputs `)` attr-dict `:` functional-type($inputs, $outputs)";
  let hasVerifier = 1;
}

def Exec_ViewOp : Exec_Op<"view", [Pure]> {
  let summary = "the same bytes under another shape";
  let description = [{
    C1. Both types have the same element type. C2. The numbers of elements are not
    provably different.
  }];
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasVerifier = 1;
}

def Exec_JoinOp : Exec_Op<"join", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "one buffer in which others lie";
  let description = [{
    The result is the concatenation of the parts along `axis`. Nothing moves: the
    dispatches that compute the parts write them straight into it. The plan phase sets
    `offset`, the byte offset of the whole in the arena, or -1 where it is a program output.

    C1. The parts have the result's type but for the sizes along `axis`, which add up.
    C2. A part is the only result of a dispatch, seen through any views, a part of nothing
    else and no program output. C3. Where the dimensions before `axis` have one element
    together, its kernel has no `row_stride`. Elsewhere a row of the kernel's result is
    what the part has from `axis` on, and `row_stride` is what the result has from there
    on. C4. `offset` is not below -1.

    ```mlir
    exec.kernel @copy "pointwise" attributes {row_stride = "7"} {
    ^bb0(%x: tensor<2x3xf32>):
      exec.yield %x : tensor<2x3xf32>
    }
    exec.kernel @relu "pointwise" attributes {row_stride = "7"} {
    ^bb0(%x: tensor<2x4xf32>):
      %y = llm.unary relu %x : tensor<2x4xf32>
      exec.yield %y : tensor<2x4xf32>
    }
    exec.program @run "run" attributes {symbols = [], input_names = ["x", "y"], output_names = ["z"]} {
    ^bb0(%x: tensor<2x3xf32>, %y: tensor<2x4xf32>):
      %0 = exec.dispatch @copy(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
      %1 = exec.dispatch @relu(%y) : (tensor<2x4xf32>) -> tensor<2x4xf32>
      %2 = exec.join 1 (%0, %1) : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x7xf32>
      exec.return %2 : tensor<2x7xf32>
    }
    ```
  }];
  let arguments = (ins I64Attr:$axis, Variadic<AnyRankedTensor>:$parts,
                       OptionalAttr<I64Attr>:$offset);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat =
      "$axis `(` $parts `)` attr-dict `:` functional-type($parts, $result)";
  let hasVerifier = 1;
}

def Exec_DefineSizeOp : Exec_Op<"define_size"> {
  let summary = "a size that the program computed";
  let description = [{
    Every worker reads the element of `value`, which is complete here, clamps it to
    0 .. `bound` and uses it as the symbol from here on. The buffer stays as it is until
    the end of the program, because a worker may come late.

    C1. The value has one element of i32 or i64. C2. `bound` is an expression.

    ```mlir
    exec.program @run "run" attributes {symbols = [{name = "k0", min = 0 : i64, max = 8 : i64} ], input_names = ["n"], output_names = []} {
    ^bb0(%n: tensor<i64>):
      exec.define_size "k0" <= "8" (%n) : tensor<i64>
      exec.return
    }
    ```
  }];
  let arguments = (ins StrAttr:$symbol, StrAttr:$bound, AnyRankedTensor:$value);
  let assemblyFormat = "$symbol `<` `=` $bound `(` $value `)` attr-dict `:` type($value)";
  let hasVerifier = 1;
}

def Exec_LoopOp : Exec_Op<"loop", [SingleBlock]> {
  let summary = "dispatches that run again for each value of a size";
  let description = [{
    Every worker walks through the body for `index` = 0 .. `trip` - 1, a symbol that kernels
    get like the program's. A carried value is one buffer: `initial`, the block argument, the
    value that `exec.yield` gives next and the result are the same bytes. Behind the next
    carried values it gives a slice for each of `positions`, which lies inside the result, a
    stack of all slices, at row `position`. The plan phase sets `offsets`: for each stack its
    byte offset in the arena, or -1 where it is a program output or lies in a loop around.

    C1. `trip` and `positions` are expressions. C2. Block arguments, next carried values and the
    first results have the types of `initial`. C3. The other results are a slice with a
    dimension of `trip` in front. C4. An initial value, seen through any views, is the only result of
    a dispatch of the block that the loop is in, and only the loop uses it. C5. A next carried value is the
    argument itself, or, seen through any views, the only result of a dispatch of the body;
    so is a slice. C6. No dispatch's result lies in two places. C7. `offsets` has an entry per
    stack, none below -1.

    ```mlir
    exec.kernel @copy "pointwise" {
    ^bb0(%x: tensor<4xf32>):
      exec.yield %x : tensor<4xf32>
    }
    exec.kernel @add "pointwise" {
    ^bb0(%h: tensor<4xf32>, %x: tensor<?x4xf32, #llm.dims<"seq", "4">>):
      %0 = llm.slice %x ["i0", "0"] [1, 1] : tensor<?x4xf32, #llm.dims<"seq", "4">> to tensor<1x4xf32>
      %1 = llm.reshape %0 : tensor<1x4xf32> to tensor<4xf32>
      %2 = llm.binary add %h, %1 : tensor<4xf32>, tensor<4xf32>
      exec.yield %2 : tensor<4xf32>
    }
    exec.program @run "run" attributes {symbols = [{name = "seq", min = 0 : i64, max = 8 : i64} ], input_names = ["h", "x"], output_names = ["last", "all"]} {
    ^bb0(%h: tensor<4xf32>, %x: tensor<?x4xf32, #llm.dims<"seq", "4">>):
      %0 = exec.dispatch @copy(%h) : (tensor<4xf32>) -> tensor<4xf32>
      %1:2 = exec.loop "i0" < "seq"(%0) stacks ["i0"] : (tensor<4xf32>) -> (tensor<4xf32>, tensor<?x4xf32, #llm.dims<"seq", "4">>) {
      ^bb0(%a: tensor<4xf32>):
        %2 = exec.dispatch @add(%a, %x) : (tensor<4xf32>, tensor<?x4xf32, #llm.dims<"seq", "4">>) -> tensor<4xf32>
        %3 = exec.dispatch @copy(%2) : (tensor<4xf32>) -> tensor<4xf32>
        exec.yield %3, %2 : tensor<4xf32>, tensor<4xf32>
      }
      exec.return %1#0, %1#1 : tensor<4xf32>, tensor<?x4xf32, #llm.dims<"seq", "4">>
    }
    ```
  }];
  let arguments = (ins StrAttr:$index, StrAttr:$trip, Variadic<AnyRankedTensor>:$initial,
                       StrArrayAttr:$positions, OptionalAttr<DenseI64ArrayAttr>:$offsets);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $index `<` $trip `(` $initial `)` `stacks` $positions attr-dict `:`
    functional-type($initial, $results) $body
  }];
  let extraClassDeclaration = [{
    unsigned getNumCarried() { return getInitial().size(); }
  }];
  let hasRegionVerifier = 1;
}

def Exec_BarrierOp : Exec_Op<"barrier"> {
  let summary = "all dispatches before it are done";
  let assemblyFormat = "attr-dict";
}

def Exec_ReturnOp : Exec_Op<"return", [Terminator, HasParent<"ProgramOp">]> {
  let summary = "the outputs of a program";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

#endif // LLMC_DIALECT_EXEC_IR_EXECOPS_TD

//===- LLMDialect.td - the llm dialect and its attributes -*- tablegen -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_DIALECT_LLM_IR_LLMDIALECT_TD
#define LLMC_DIALECT_LLM_IR_LLMDIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/CommonTypeConstraints.td"
include "mlir/IR/CommonAttrConstraints.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

def LLM_Dialect : Dialect {
  let name = "llm";
  let cppNamespace = "::llmc::llm";
  let summary = "what a language model computes, in value semantics";
  let description = [{
    Target-independent tensor operations that ONNX operators decompose to, and
    the operations that language models are made of. A tensor type carries its
    symbolic sizes in an `#llm.dims` encoding, so that two dynamic dimensions can
    be proved equal and be bounded. Weights are `llm.constant` with resource
    blobs that point into the mapped model file.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let dependentDialects = [];
}

class LLM_Attr<string name, string attrMnemonic> : AttrDef<LLM_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def LLM_DimsAttr : LLM_Attr<"Dims", "dims"> {
  let summary = "the sizes of a tensor as expressions over named symbols";
  let description = [{
    Encoding of a ranked tensor type with at least one dynamic dimension: one
    canonical `DimExpr` text per dimension. A dimension whose text is a number is
    static in the tensor's shape.

    ```mlir
    tensor<?x?x64xf32, #llm.dims<"batch", "past + seq", "64">>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::StringAttr">:$exprs);
  let assemblyFormat = "`<` $exprs `>`";
}

class LLM_Type<string name, string typeMnemonic> : TypeDef<LLM_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def LLM_StateType : LLM_Type<"State", "state"> {
  let summary = "per-sequence storage that outlives a step";
  let description = [{
    A cache that the session owns. `token` is the type of what one token of one
    sequence adds: `tensor<heads x head_dim>`. Tokens live in blocks of a size
    chosen at compile time and are addressed through the session's block table.
    A `fixed` state has one such tensor per sequence, whatever its length: a
    convolution window, a recurrent matrix.

    ```mlir
    !llm.state<tensor<2x64xf32>>
    ```

    ```mlir
    !llm.state<tensor<64x3xf32>, fixed = true>
    ```
  }];
  let parameters = (ins "::mlir::RankedTensorType":$token,
                        DefaultValuedParameter<"bool", "false">:$fixed);
  let builders = [TypeBuilderWithInferredContext<(ins "::mlir::RankedTensorType":$token), [{
    return $_get(token.getContext(), token, /*fixed=*/false);
  }]>];
  let assemblyFormat = "`<` $token (`,` `fixed` `=` $fixed^)? `>`";
}

defvar LLM_Tensor = AnyRankedTensor;
def LLM_TensorOrState : AnyTypeOf<[AnyRankedTensor, LLM_StateType]>;

class LLM_Op<string mnemonic, list<Trait> traits = []>
    : Op<LLM_Dialect, mnemonic, traits>;

// Ops whose result type follows from operands and attributes alone.
class LLM_InferredOp<string mnemonic, list<Trait> traits = []>
    : LLM_Op<mnemonic, !listconcat(traits, [
          Pure, InferTypeOpAdaptor])>;

#endif // LLMC_DIALECT_LLM_IR_LLMDIALECT_TD

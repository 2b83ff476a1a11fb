//===- Passes.td - passes from llm to llm -*- tablegen -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TRANSFORMS_PASSES_TD
#define LLMC_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

class LLMC_ModulePass<string flag> : Pass<flag, "::mlir::ModuleOp"> {
  let dependentDialects = ["::llmc::llm::LLMDialect", "::mlir::func::FuncDialect"];
}
class LLMC_FuncPass<string flag> : Pass<flag, "::mlir::func::FuncOp"> {
  let dependentDialects = ["::llmc::llm::LLMDialect"];
}

//===----------------------------------------------------------------------===//
// Normalize
//===----------------------------------------------------------------------===//

def SplitBranches : LLMC_ModulePass<"llmc-split-branches"> {
  let summary = "one function per branch of a top-level llm.if";
  let description = [{
    A merged decoder chooses between two graphs by an input. Where the condition
    of an `llm.if` is a function argument, the function becomes two, each with
    one region inlined and an `llm.guard = {input, value}` attribute.

    **Requires** imported IR. **Ensures** no `llm.if` on an argument is left.
  }];
}

def FoldConstants : LLMC_FuncPass<"llmc-fold-constants"> {
  let summary = "evaluate operations on small constants";
  let description = [{
    Replaces operations whose operands are all small constants by their value,
    computed by the reference evaluator, and integer arithmetic on symbolic sizes
    by `llm.dim_values`. Never builds a constant above `max-elements`.
  }];
  let options = [
    Option<"maxElements", "max-elements", "int64_t", "65536",
           "Largest constant to build, in elements">];
}

def VerifyNormalized : LLMC_ModulePass<"llmc-verify-normalize"> {
  let summary = "check what may be left after the normalize phase";
}

//===----------------------------------------------------------------------===//
// Recognize
//===----------------------------------------------------------------------===//

def RecognizeLinear : LLMC_FuncPass<"llmc-recognize-linear"> {
  let summary = "products with constants become llm.linear, table look-ups llm.embedding";
}

def RecognizeNorms : LLMC_FuncPass<"llmc-recognize-norms"> {
  let summary = "decomposed normalisations become llm.rms_norm and llm.layer_norm";
}

def RecognizeActivations : LLMC_FuncPass<"llmc-recognize-activations"> {
  let summary = "decomposed SiLU and GELU become one unary";
}

def RecognizeRotary : LLMC_FuncPass<"llmc-recognize-rotary"> {
  let summary = "decomposed rotary embeddings become llm.rotary";
}

def RecognizeAttention : LLMC_FuncPass<"llmc-recognize-attention"> {
  let summary = "decomposed attention becomes llm.attention";
  let description = [{
    Matches softmax(q k^T * scale + mask) v in every spelling of the scale, of
    repeated key heads and of rows without visible keys. The mask's subgraph is
    evaluated by the reference on sample sizes and compared with what attributes
    can say: causal, sliding window, a padding mask per key. What they cannot say
    stays a bias operand.
  }];
}

def VerifyRecognized : LLMC_ModulePass<"llmc-verify-recognize"> {
  let summary = "check what may be left after the recognize phase";
  let description = [{
    Weights, scales, zero points and biases of `llm.linear` and tables of
    `llm.embedding` are constants, seen through transposes and reshapes at most, and
    no `llm.if` is left.
  }];
}

//===----------------------------------------------------------------------===//
// Specialize
//===----------------------------------------------------------------------===//

def SpecializePhases : LLMC_ModulePass<"llmc-specialize-phases"> {
  let summary = "prefill and decode functions with state, beside the functional run";
  let description = [{
    From the recognised functional graph: `@run*` keep the ONNX signature; `@prefill`
    and `@decode` take (tokens[batch, seq], past_lens[batch], states...) and give
    (logits[batch, vocab] of the last token, states...). Pairs of past input and
    present output become `!llm.state` written in place; attention masks become
    ones, positions `past_lens + i`, and everything that follows folds. Every
    function gets `llm.phase` and `llm.symbols` with bounds.
  }];
  let options = [
    Option<"maxBatch", "max-batch", "int64_t", "4", "Sequences per step">,
    Option<"maxSeq", "max-seq", "int64_t", "2048", "Tokens per sequence, past and new">,
    Option<"prefillChunk", "prefill-chunk", "int64_t", "512", "New tokens per sequence and step">];
}

def VerifySpecialized : LLMC_ModulePass<"llmc-verify-specialize"> {
  let summary = "check what may be left after the specialize phase";
}

#endif // LLMC_TRANSFORMS_PASSES_TD

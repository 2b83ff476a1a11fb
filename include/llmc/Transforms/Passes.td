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

def GrowStaticCaches : LLMC_ModulePass<"llmc-grow-static-caches"> {
  let summary = "a decoder with a cache of fixed capacity, beside one that grows";
  let description = [{
    A function of static shapes that writes new tokens into a cache, at the number of
    tokens it holds, gets a private copy with `llm.stateful_source`: sizes `batch`, `seq`
    and `past`, caches that grow by concatenation, and no inputs for length and
    visibility. Prefill and decode are derived from the copy.

    ```mlir
    func.func @run(%ids: tensor<2x1xi64>, %cache: tensor<2x2x8x16xf32>, %length: tensor<i64>)
    // also gives
    func.func private @run_growing(%ids: tensor<?x?xi64, #llm.dims<"batch", "seq">>,
        %cache: tensor<?x2x?x16xf32, #llm.dims<"batch", "2", "past", "16">>)
    ```

    **Requires** imported IR without branches. **Ensures** functions that were there are
    as they were.
  }];
}

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

def RecognizeExperts : LLMC_FuncPass<"llmc-recognize-experts"> {
  let summary = "decomposed mixtures of experts become llm.expert_linear";
  let description = [{
    Five forms of products whose matrix a router chose per row:

    - rows sorted by expert, one product per expert on its range of rows, joined again:
      the product; that the ranges are those of the sorted ids is checked by evaluating
      their bounds with the reference on random ids;
    - the way back from sorted rows, a gather by the inverse permutation: it moves up to
      the operands, where it cancels the sort;
    - a gather of one matrix per row, and a product with it, on either side; copies of a
      token's row, one per choice, are the row;
    - a sum over all experts, of what each adds to the rows that chose it, or to all rows
      times a weight that is zero where it was not chosen: what the experts compute is
      matched in lockstep; which rows and weights are theirs is evaluated on random ids;
    - the same sum where the experts are a dimension of stacked matrices, multiplied in
      batches for all rows: what is between the products is computed for the chosen experts
      only, where the others provably add zero. The proof follows products and functions
      with f(0) = 0 up to scores, which are evaluated on random ids.

    Matrices of the first and the fourth form may be n-bit `llm.linear`, too; where those
    round their inputs to int8, the rounding is spelt out.

    ```mlir
    %w = llm.gather 0 %weights, %ids : tensor<4x16x8xf32>, tensor<6xi64>
    %y = llm.matmul %x, %w : tensor<6x1x16xf32>, tensor<6x16x8xf32>
    // becomes
    %1 = llm.reshape %x : tensor<6x1x16xf32> to tensor<6x16xf32>
    %2 = llm.expert_linear %1, %ids, %weights : (tensor<6x16xf32>, tensor<6xi64>, tensor<4x16x8xf32>) -> tensor<6x8xf32>
    %y = llm.reshape %2 : tensor<6x8xf32> to tensor<6x1x8xf32>
    ```
  }];
}

def RecognizeQuantizedLinear : LLMC_FuncPass<"llmc-recognize-quantized-linear"> {
  let summary = "products with quantised constants become llm.linear";
  let description = [{
    `matmul(x, (q - zero) * scale)` with a constant q of 4 or 8 bits becomes a grouped
    n-bit linear; the constant is laid out anew. `matmul(i32(a) - za, i32(w) - zw)` with
    a constant w of 8 bits becomes an integer linear and what the zero points add.

    ```mlir
    %0 = llm.cast %q : tensor<64x32xi8> to tensor<64x32xf32>
    %1 = llm.binary mul %0, %s : tensor<64x32xf32>, tensor<32xf32>
    %2 = llm.matmul %x, %1 : tensor<7x64xf32>, tensor<64x32xf32>
    // becomes
    %2 = llm.linear %x, %q2 scales %s2 {bits = 8 : i64, columns = 64 : i64, group_size = 64 : i64} : (tensor<7x64xf32>, tensor<32x1x64xui8>, tensor<32x1xf32>) -> tensor<7x32xf32>
    ```

    **Ensures** results differ by the rounding of sums only; integers are exact.
  }];
}

def RecognizeLinear : LLMC_FuncPass<"llmc-recognize-linear"> {
  let summary = "products with constants become llm.linear, table look-ups llm.embedding";
}

def SplitMergedLinears : LLMC_FuncPass<"llmc-split-merged-linears"> {
  let summary = "joined matrices whose results are sliced become linears of their own";
  let description = [{
    Query, key and value, or gate and up, come joined in one matrix from some exporters
    and apart from others. A linear of which only slices of the last dimension are used
    becomes one linear per slice; rows of transposed and n-bit matrices share the bytes
    of the joined one, columns of others are copied.

    **Requires** llmc-recognize-linear. **Ensures** the same values.

    ```mlir
    // before
    %y = llm.linear %x, %w : (tensor<1x7x64xf32>, tensor<64x96xf32>) -> tensor<1x7x96xf32>
    %k = llm.slice %y ["0", "0", "64"] [1, 1, 1] : tensor<1x7x96xf32> to tensor<1x7x32xf32>
    // after, likewise for the other slices
    %k = llm.linear %x, %wk : (tensor<1x7x64xf32>, tensor<64x32xf32>) -> tensor<1x7x32xf32>
    ```
  }];
}

def RecognizeNorms : LLMC_FuncPass<"llmc-recognize-norms"> {
  let summary = "decomposed normalisations become llm.rms_norm and llm.layer_norm";
}

def RecognizeActivations : LLMC_FuncPass<"llmc-recognize-activations"> {
  let summary = "decomposed SiLU and GELU become one unary";
}

def RecognizeConvolutions : LLMC_FuncPass<"llmc-recognize-convolutions"> {
  let summary = "short causal convolutions become llm.causal_conv";
  let description = [{
    A depthwise `llm.conv` along a sequence, behind a concatenation with the past and
    before the slice that takes the new positions. Runs after activations, because one
    may lie between two such slices.
  }];
}

def RecognizeLinearAttention : LLMC_FuncPass<"llmc-recognize-linear-attention"> {
  let summary = "decomposed recurrences become llm.linear_attention";
  let description = [{
    Linear attention, gated delta rules and state-space scans, as one step, unrolled, or in
    chunks. From an input `[B, H, ., .]` or `[B, ., .]`, or a layer's part of one, and what
    takes its place, or behind the exponentials of decays where a sequence starts at zeros,
    the nearest tensors with a row per token are found, in any order of dimensions. They and
    the constants of the graph are taken for query, key, value, decay, beta, step size and
    rates in every way that their sizes allow; each way is compared with the graph on random
    data for one token, a few, and several chunks. A graph whose tensors are too large to
    evaluate (2^28 elements) stays as it is.
  }];
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

def ExplainMismatches : LLMC_FuncPass<"llmc-explain-mismatches"> {
  let summary = "say why a pattern was not recognised";
  let description = [{
    Finds what recognition left in pieces by its sign: a softmax that weighs values, a
    mean under a root, a negated half before the other half, a product with a constant
    matrix, a matrix per sequence that decays, a sum of scattered rows. Puts `llm.mismatch = "<nearest pattern>: <first mismatch>"` on it. For
    `llmc inspect --graph`; not part of a compilation.

    **Requires** the recognize phase. **Ensures** nothing but attributes changes.

    ```mlir
    %0 = llm.softmax 3 %s {llm.mismatch = "attention: key and value disagree on the number of keys"} : tensor<1x4x7x7xf32>
    ```
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

def SplitJointCaches : LLMC_ModulePass<"llmc-split-joint-caches"> {
  let summary = "a decoder whose caches lie in one tensor, beside one with a past for each";
  let description = [{
    A function with a past `[2, batch, heads, past, dim]`, of which slices are the caches, gets
    a private copy with `llm.stateful_source`, which takes and returns the caches one by one.
    Prefill and decode are derived from the copy.

    ```mlir
    func.func @run(%ids: .., %past: tensor<2x?x4x?x16xf32, #llm.dims<"2", "batch", "4", "past", "16">>)
    // also gives
    func.func private @run_caches(%ids: .., %past0: tensor<?x4x?x16xf32, ..>, %past1: tensor<?x4x?x16xf32, ..>)
    ```

    **Requires** recognised functional IR. **Ensures** functions that were there are as they
    were.
  }];
}

def SpecializePhases : LLMC_ModulePass<"llmc-specialize-phases"> {
  let summary = "prefill and decode functions with state, beside the functional run";
  let description = [{
    From the recognised functional graph: `@run*` keep the ONNX signature; `@prefill`
    and `@decode` take (tokens[batch, seq], past_lens[batch], states...) and give
    (logits[batch, vocab] of the last token, states...). Pairs of past input and
    present output become `!llm.state` written in place: of tokens where the present is
    the past and `seq` more, fixed where its sizes stay. Attention masks become
    ones, positions `past_lens + i`, and everything that follows folds. A function with
    `llm.stateful_source` serves for this only and goes. Every function gets `llm.phase` and `llm.symbols` with bounds, those of
    `llm.define_size` last.
  }];
  let options = [
    Option<"maxBatch", "max-batch", "int64_t", "4", "Sequences per step">,
    Option<"maxSeq", "max-seq", "int64_t", "2048", "Tokens per sequence, past and new">,
    Option<"prefillChunk", "prefill-chunk", "int64_t", "512", "New tokens per sequence and step">];
}

def AssignCacheTypes : LLMC_FuncPass<"llmc-assign-cache-types"> {
  let summary = "the element type that states of tokens are stored as";
  let description = [{
    States of tokens whose elements are floats of up to 32 bits take the type of the option;
    fixed states keep theirs. `int8` stands for numbers of i8 with an f32 scale per head and
    token. Rounding is part of `llm.state_append`, and what attention and `llm.state_load`
    read are floats again.

    **Requires** stateful functions.

    ```mlir
    %1 = llm.state_append %s, %k, %n : !llm.state<tensor<2x16xf32>>, tensor<1x2x3x16xf32>, tensor<1xi64>
    // becomes, with type=int8
    %1 = llm.state_append %s, %k, %n : !llm.state<tensor<2x16xi8>>, tensor<1x2x3x16xf32>, tensor<1xi64>
    ```
  }];
  let options = [
    Option<"cacheType", "type", "std::string", "\"f32\"", "f32, f16, bf16 or int8">];
}

def VerifySpecialized : LLMC_ModulePass<"llmc-verify-specialize"> {
  let summary = "check what may be left after the specialize phase";
}

//===----------------------------------------------------------------------===//
// Partition
//===----------------------------------------------------------------------===//

def FoldEqualConstants : LLMC_ModulePass<"llmc-fold-equal-constants"> {
  let summary = "constants with equal bytes are one resource";
  let description = [{
    Models store tied matrices, equal tables of several layers or of the branches of a
    merged decoder under several names. Constants whose resources have the same bytes look
    at one of them afterwards, each with its own type:

    ```mlir
    %0 = llm.constant dense_resource<head> : tensor<2xf32>
    %1 = llm.constant dense_resource<copy_of_head> : tensor<2xf32>
    ```
    becomes

    ```mlir
    %0 = llm.constant dense_resource<head> : tensor<2xf32>
    %1 = llm.constant dense_resource<head> : tensor<2xf32>
    ```
    so that CSE merges them, and packing stores each matrix once for each layout.

    **Ensures** no two resources with the same bytes are used.
  }];
  let statistics = [Statistic<"numFolded", "num-folded", "Resources that equal another one">];
}

def WidenContractions : LLMC_FuncPass<"llmc-widen-contractions"> {
  let summary = "contractions of narrow floats compute in f32";
  let description = [{
    Kernels of products, attention and windows take f32. Operands of floats narrower than
    that are cast, and results cast back; but weights of f16 and bf16 stay as they are, and
    become f32 where the kernel multiplies by them. An `llm.linear` of f64 or of integers becomes an
    `llm.matmul`, whose kernel takes any type.

    **Requires** the specialize phase. **Ensures** no contraction has inputs or results of
    floats below f32.

    ```mlir
    %2 = llm.linear %x, %w : (tensor<7x64xf16>, tensor<64x32xf16>) -> tensor<7x32xf16>
    // becomes
    %a = llm.cast %x : tensor<7x64xf16> to tensor<7x64xf32>
    %b = llm.linear %a, %w : (tensor<7x64xf32>, tensor<64x32xf16>) -> tensor<7x32xf32>
    %2 = llm.cast %b : tensor<7x32xf32> to tensor<7x32xf16>
    ```
  }];
}

#endif // LLMC_TRANSFORMS_PASSES_TD

//===- Passes.td - passes between dialects -*- tablegen -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CONVERSION_PASSES_TD
#define LLMC_CONVERSION_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertLLMToExec : Pass<"llmc-convert-llm-to-exec", "::mlir::ModuleOp"> {
  let summary = "partition functions into kernels and programs";
  let description = [{
    An anchor (linear, matmul, attention, normalisation, reduction) with the
    elementwise and data-moving operations around it becomes one kernel; what is
    left becomes pointwise kernels. Equal kernels are one. Reshapes of values in
    memory are views. Linears with int8 activations get a quantised input.

    **Requires** functions with `llm.phase` and `llm.symbols`. **Ensures** only
    `exec.weight`, `exec.kernel` and `exec.program` at the top level.
  }];
  let dependentDialects = ["::llmc::exec::ExecDialect", "::llmc::llm::LLMDialect"];
}

#endif // LLMC_CONVERSION_PASSES_TD

//===- CompiledFunction.h - compiles text of the llm dialect and runs it --===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_UNITTESTS_CODEGEN_COMPILEDFUNCTION_H
#define LLMC_UNITTESTS_CODEGEN_COMPILEDFUNCTION_H

#include "llmc-c/Runtime.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llmc/Reference/Evaluator.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "gtest/gtest.h"
#include <memory>

namespace llmc {

/// Deterministic floats in [low, high).
reference::Tensor uniform(mlir::Type element, llvm::ArrayRef<int64_t> shape, unsigned seed,
                          double low = -1, double high = 1);

/// `func.func @run` compiled to an artifact in a folder of the test's, loaded and run
/// beside its evaluation.
class CompiledFunction : public testing::Test {
protected:
  CompiledFunction();
  ~CompiledFunction() override;

  /// Fails the test where `text` does not compile.
  void compile(const std::string &text, int64_t maxBatch = 4, int64_t maxSeq = 64,
               int64_t prefillChunk = 16);
  /// Runs with 1 and 3 threads, which must give the same bits, and compares with the
  /// reference: integers are equal, floats within `tolerance` of the largest.
  void check(llvm::ArrayRef<reference::Tensor> inputs, double tolerance = 1e-6);

  /// A session of the module; null after a test failure.
  std::shared_ptr<llmc_session_t> makeSession(uint32_t threads = 1);
  /// The outputs of a functional run.
  std::vector<reference::Tensor> run(llmc_session_t *session,
                                     llvm::ArrayRef<reference::Tensor> inputs);

  mlir::Type f32() { return mlir::Float32Type::get(&context); }
  mlir::Type i64() { return mlir::IntegerType::get(&context, 64); }
  mlir::Type i1() { return mlir::IntegerType::get(&context, 1); }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> source;
  llmc_module_t *module = nullptr;
  llmc_error_t error = {};

private:
  std::string folder;
};

} // namespace llmc

#endif // LLMC_UNITTESTS_CODEGEN_COMPILEDFUNCTION_H

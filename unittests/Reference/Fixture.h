//===- Fixture.h - runs IR text through the evaluator
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_UNITTESTS_REFERENCE_FIXTURE_H
#define LLMC_UNITTESTS_REFERENCE_FIXTURE_H

#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llmc/Reference/Evaluator.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

namespace llmc::reference {

class ReferenceTest : public testing::Test {
protected:
  ReferenceTest() { context.loadDialect<llm::LLMDialect, mlir::func::FuncDialect>(); }

  /// Evaluates `func.func @run(<signature>) -> (..) { <body> }`; the result types
  /// are those of the return that ends the body.
  mlir::FailureOr<Tensor> run(const std::string &signature, const std::string &body,
                              llvm::ArrayRef<Tensor> arguments) {
    llvm::StringRef types = llvm::StringRef(body).substr(body.rfind("return")).split(" : ").second;
    std::string text =
        "func.func @run(" + signature + ") -> (" + types.str() + ") {\n" + body + "\n}";
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    if (!module)
      return mlir::failure();
    evaluator = Evaluator();
    auto results = evaluator.run(*module->getOps<mlir::func::FuncOp>().begin(), arguments);
    if (failed(results))
      return mlir::failure();
    return results->front();
  }

  void expectFloats(const mlir::FailureOr<Tensor> &tensor, llvm::ArrayRef<int64_t> shape,
                    llvm::ArrayRef<double> values) {
    ASSERT_TRUE(succeeded(tensor)) << evaluator.message();
    ASSERT_EQ(tensor->shape(), shape);
    ASSERT_EQ(tensor->numElements(), int64_t(values.size()));
    // The facts are printed with six digits.
    for (size_t i = 0; i < values.size(); ++i)
      EXPECT_NEAR(tensor->getFloat(i), values[i], 2e-6 + 5e-6 * std::abs(values[i]))
          << "element " << i;
  }
  void expectInts(const mlir::FailureOr<Tensor> &tensor, llvm::ArrayRef<int64_t> shape,
                  llvm::ArrayRef<int64_t> values) {
    ASSERT_TRUE(succeeded(tensor)) << evaluator.message();
    ASSERT_EQ(tensor->shape(), shape);
    ASSERT_EQ(tensor->numElements(), int64_t(values.size()));
    for (size_t i = 0; i < values.size(); ++i)
      EXPECT_EQ(tensor->getInt(i), values[i]) << "element " << i;
  }

  mlir::Type f32() { return mlir::Float32Type::get(&context); }
  mlir::Type integer(unsigned width) { return mlir::IntegerType::get(&context, width); }
  Tensor floats(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<double> values) {
    return Tensor::fromFloats(f32(), shape, values);
  }
  Tensor ints(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> values) {
    return Tensor::fromInts(integer(64), shape, values);
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  Evaluator evaluator;
};

} // namespace llmc::reference

#endif // LLMC_UNITTESTS_REFERENCE_FIXTURE_H

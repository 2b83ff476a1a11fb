//===- CompiledFunction.cpp - compiles text of the llm dialect and runs it ===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "CompiledFunction.h"
#include "llmc/CodeGen/CPU/CodeGen.h"
#include "llmc/Pipelines/Pipelines.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include <filesystem>
#include <fstream>
#include <random>

using namespace mlir;
using namespace llmc;
using llmc::reference::Tensor;

Tensor llmc::uniform(Type element, ArrayRef<int64_t> shape, unsigned seed, double low,
                     double high) {
  Tensor tensor(element, shape);
  std::mt19937 engine(seed);
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    tensor.setFloat(i, low + (high - low) * (engine() % 65536) / 65536.0);
  return tensor;
}

CompiledFunction::CompiledFunction() {
  DialectRegistry registry;
  registerDialects(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
  SmallString<128> path;
  if (!llvm::sys::fs::createUniqueDirectory("llmc-codegen-test", path))
    folder = path.str().str();
}

CompiledFunction::~CompiledFunction() {
  llmc_module_destroy(module);
  std::error_code ignored;
  if (!folder.empty())
    std::filesystem::remove_all(folder, ignored);
}

void CompiledFunction::compile(const std::string &text, int64_t maxBatch, int64_t maxSeq,
                               int64_t prefillChunk) {
  llmc_module_destroy(module); // of an earlier call
  module = nullptr;
  source = parseSourceString<ModuleOp>(text, &context);
  ASSERT_TRUE(source);
  CompilerOptions options;
  options.input = folder + "/test.mlir";
  options.output = folder + "/test.llmc";
  options.maxBatch = maxBatch;
  options.maxSeq = maxSeq;
  options.prefillChunk = prefillChunk;
  std::ofstream(options.input) << text;
  ASSERT_TRUE(succeeded(llmc::compile(options, context, llvm::errs())));
  ASSERT_EQ(llmc_module_load(options.output.c_str(), nullptr, &module, &error), LLMC_STATUS_OK)
      << error.message;
}

std::shared_ptr<llmc_session_t> CompiledFunction::makeSession(uint32_t threads) {
  llmc_session_options_t options = {};
  options.struct_size = sizeof(options);
  options.threads = threads;
  llmc_session_t *session = nullptr;
  EXPECT_EQ(llmc_session_create(module, &options, &session, &error), LLMC_STATUS_OK)
      << error.message;
  return {session, llmc_session_destroy};
}

std::vector<Tensor> CompiledFunction::run(llmc_session_t *session, ArrayRef<Tensor> inputs) {
  auto function = *source->getOps<func::FuncOp>().begin();
  std::vector<llmc_tensor_t> given(inputs.size()), wanted(function.getNumResults());
  for (size_t i = 0; i < inputs.size(); ++i) {
    given[i].dtype = abiDataType(inputs[i].elementType());
    given[i].rank = uint32_t(inputs[i].rank());
    llvm::copy(inputs[i].shape(), given[i].dims);
    given[i].data = const_cast<char *>(inputs[i].bytes().data());
    given[i].size_bytes = size_t(inputs[i].sizeBytes());
  }
  EXPECT_EQ(
      llmc_session_run(session, given.data(), given.size(), wanted.data(), wanted.size(), &error),
      LLMC_STATUS_OK)
      << error.message;
  std::vector<Tensor> outputs;
  for (auto [tensor, type] : llvm::zip(wanted, function.getResultTypes())) {
    ArrayRef<int64_t> shape(tensor.dims, tensor.rank);
    Type element = cast<RankedTensorType>(type).getElementType();
    Tensor borrowed = Tensor::borrow(
        element, shape, {static_cast<const char *>(tensor.data), size_t(tensor.size_bytes)});
    Tensor copy(element, shape);
    for (int64_t i = 0; i < copy.numElements(); ++i) {
      if (copy.isFloat())
        copy.setFloat(i, borrowed.getFloat(i));
      else
        copy.setInt(i, borrowed.getInt(i));
    }
    outputs.push_back(copy);
  }
  return outputs;
}

void CompiledFunction::check(ArrayRef<Tensor> inputs, double tolerance) {
  ASSERT_TRUE(module);
  reference::Evaluator evaluator;
  auto expected = evaluator.run(*source->getOps<func::FuncOp>().begin(), inputs);
  ASSERT_TRUE(succeeded(expected)) << evaluator.message();
  std::vector<Tensor> single = run(makeSession(1).get(), inputs);
  std::vector<Tensor> several = run(makeSession(3).get(), inputs);
  for (size_t o = 0; o < expected->size(); ++o) {
    SCOPED_TRACE("output " + std::to_string(o));
    const Tensor &want = (*expected)[o], &got = single[o];
    ASSERT_EQ(want.shape(), got.shape());
    EXPECT_EQ(got.bytes(), several[o].bytes());
    double largest = 0;
    for (int64_t i = 0; i < want.numElements(); ++i)
      if (double value = std::abs(want.getFloat(i)); std::isfinite(value))
        largest = std::max(largest, value);
    for (int64_t i = 0; i < want.numElements(); ++i) {
      double x = want.getFloat(i), y = got.getFloat(i);
      if (want.isFloat() && (x == y || (std::isnan(x) && std::isnan(y))))
        continue;
      if (!want.isFloat())
        ASSERT_EQ(want.getInt(i), got.getInt(i)) << "element " << i;
      else
        ASSERT_NEAR(x, y, tolerance * largest) << "element " << i;
    }
  }
}

//===- EvaluatedModel.cpp - what an imported model computes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "EvaluatedModel.h"
#include "ImportedModel.h"
#include "llmc/Reference/Evaluator.h"
#include <gtest/gtest.h>

using namespace llmc::importer;
using llmc::reference::Evaluator;
using llmc::reference::Tensor;

EvaluatedModel llmc::importer::evaluateModel(const std::string &opset, const std::string &graph,
                                             const std::vector<std::vector<int64_t>> &shapes) {
  ImportedModel model =
      ImportedModel::fromText("<ir_version: 8, opset_import: [\"\" : " + opset + "]>\n" + graph);
  EXPECT_TRUE(model.module) << model.messages;
  if (!model.module)
    return {};
  llvm::SmallVector<Tensor> arguments;
  for (auto [index, shape] : llvm::enumerate(shapes)) {
    auto type = mlir::cast<mlir::RankedTensorType>(model.function().getArgument(index).getType());
    Tensor tensor(type.getElementType(), shape);
    for (int64_t i = 0; i < tensor.numElements(); ++i)
      tensor.isFloat() ? tensor.setFloat(i, i + 1) : tensor.setInt(i, i + 1);
    arguments.push_back(tensor);
  }
  Evaluator evaluator;
  auto results = evaluator.run(model.function(), arguments);
  EXPECT_TRUE(mlir::succeeded(results)) << evaluator.message();
  if (mlir::failed(results))
    return {};
  EvaluatedModel result;
  const Tensor &first = results->front();
  result.shape.assign(first.shape().begin(), first.shape().end());
  for (int64_t i = 0; i < first.numElements(); ++i)
    result.values.push_back(first.getFloat(i));
  return result;
}

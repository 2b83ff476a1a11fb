//===- EvaluatedModel.h - what an imported model computes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_UNITTESTS_IMPORT_EVALUATEDMODEL_H
#define LLMC_UNITTESTS_IMPORT_EVALUATEDMODEL_H

#include <cstdint>
#include <string>
#include <vector>

namespace llmc::importer {

struct EvaluatedModel {
  std::vector<double> values;
  std::vector<int64_t> shape;
};

/// The first output of a model in ONNX's text, by the reference evaluator. Its inputs have
/// these shapes and count 1, 2, 3, .. in row-major order. Empty, with a failed expectation,
/// where the model cannot be imported or evaluated.
EvaluatedModel evaluateModel(const std::string &opset, const std::string &graph,
                             const std::vector<std::vector<int64_t>> &shapes);

} // namespace llmc::importer

#endif // LLMC_UNITTESTS_IMPORT_EVALUATEDMODEL_H

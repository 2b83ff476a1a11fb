//===- OpTable.h - which handler serves an ONNX operator
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Keyed by domain, type and the opset since which an entry holds. What is not
// here is reported as unsupported before anything is imported.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_IMPORT_ONNX_OPTABLE_H
#define LLMC_LIB_IMPORT_ONNX_OPTABLE_H

#include "Node.h"

namespace llmc::importer {

struct OpEntry {
  Handler handler;
  int minInputs;
  int maxInputs; ///< kVariadic: no limit
  int maxOutputs;
  /// Names of the attributes that the handler reads or may ignore, space-separated.
  llvm::StringRef attributes = "";
};
constexpr int kVariadic = 1 << 20;

class OpTable {
public:
  OpTable();

  void add(llvm::StringRef domain, llvm::StringRef name, int64_t since, OpEntry entry);

  /// The entry with the greatest `since` <= opset; null where there is none.
  const OpEntry *find(llvm::StringRef domain, llvm::StringRef name, int64_t opset) const;
  /// Why find() gave nothing.
  std::string whyNot(llvm::StringRef domain, llvm::StringRef name, int64_t opset) const;
  /// "domain.Name" of every operator, sorted; for the documentation.
  std::vector<std::string> names() const;

private:
  /// "domain|name" -> entries by since, ascending.
  llvm::StringMap<llvm::SmallVector<std::pair<int64_t, OpEntry>, 2>> entries;
};

constexpr llvm::StringRef kMicrosoft = "com.microsoft";

void addElementwiseOps(OpTable &table);
void addActivationOps(OpTable &table);
void addShapeOps(OpTable &table);
void addMovementOps(OpTable &table);
void addIndexingOps(OpTable &table);
void addReductionOps(OpTable &table);
void addContractionOps(OpTable &table);
void addNormalizationOps(OpTable &table);
void addAttentionOps(OpTable &table);
void addGroupQueryAttentionOps(OpTable &table);
void addRotaryOps(OpTable &table);
void addQuantizedOps(OpTable &table);
void addControlFlowOps(OpTable &table);

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_OPTABLE_H

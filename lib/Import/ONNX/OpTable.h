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
  /// What the handler refuses, for the documentation; "" where nothing.
  llvm::StringRef limits = "";
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
  /// Every operator with its versions, sorted by domain and name.
  struct Listed {
    llvm::StringRef domain, name;
    llvm::ArrayRef<std::pair<int64_t, OpEntry>> versions; ///< ascending
  };
  std::vector<Listed> list() const;

private:
  /// "domain|name" -> entries by since, ascending.
  llvm::StringMap<llvm::SmallVector<std::pair<int64_t, OpEntry>, 2>> entries;
};

constexpr llvm::StringRef kMicrosoft = "com.microsoft";

void addElementwiseOps(OpTable &table);
void addActivationOps(OpTable &table);
void addShapeOps(OpTable &table);
void addMovementOps(OpTable &table);
void addPadOps(OpTable &table);
void addIndexingOps(OpTable &table);
void addReductionOps(OpTable &table);
void addContractionOps(OpTable &table);
void addEinsumOps(OpTable &table);
void addConvolutionOps(OpTable &table);
void addChannelNormOps(OpTable &table);
void addLossOps(OpTable &table);
void addImageOps(OpTable &table);
void addGridOps(OpTable &table);
void addNormalizationOps(OpTable &table);
void addAttentionOps(OpTable &table);
void addGroupQueryAttentionOps(OpTable &table);
void addMicrosoftAttentionOps(OpTable &table);
void addMultiHeadAttentionOps(OpTable &table);
void addFlexAttentionOps(OpTable &table);
void addStateOps(OpTable &table);
void addRotaryOps(OpTable &table);
void addQuantizationOps(OpTable &table);
void addIntegerProductOps(OpTable &table);
void addQuantizedOps(OpTable &table);
void addControlFlowOps(OpTable &table);
void addLoopOps(OpTable &table);
void addRecurrentOps(OpTable &table);
void addExpertOps(OpTable &table);
void addSpectrumOps(OpTable &table);
void addCodebookOps(OpTable &table);
void addFusedOps(OpTable &table);
void addQLinearOps(OpTable &table);

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_OPTABLE_H

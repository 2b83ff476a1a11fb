//===- Symbols.h - the symbolic sizes of one model
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Names for the dimensions of inputs, and what the graph says about them: where
// an operation needs two sizes to be equal, one symbol is replaced everywhere.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_IMPORT_ONNX_SYMBOLS_H
#define LLMC_LIB_IMPORT_ONNX_SYMBOLS_H

#include "Proto.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringSet.h"
#include <map>

namespace llmc::importer {

class Symbols {
public:
  void setFunction(mlir::func::FuncOp op) { function = op; }

  /// The sizes of a graph input; `error` names the dimension without sense.
  std::optional<llm::Dims> inputDims(const GraphProto &graph, const ValueInfoProto &input,
                                     std::string &error);

  /// The sizes that the model declares for a value inside, in symbols that inputs
  /// define; nullopt for what it does not declare so.
  using Declared = llvm::SmallVector<std::optional<DimExpr>>;
  std::optional<Declared> declaredDims(const ValueInfoProto &value) const;

  /// Symbols of this input stand for the others that they are found equal to; only a
  /// number takes their place.
  void protect(llvm::ArrayRef<DimExpr> dims);

  /// Symbols of ids, images and sounds, of which a call has one at least.
  void addPositive(llvm::ArrayRef<DimExpr> dims);
  /// Whether `size` is 1 in every call.
  bool isAlwaysOne(const DimExpr &size) const;

  /// A new symbol, for a size that data decides or for the number of a loop's iteration. It
  /// is never replaced, and no input's size is replaced by it.
  DimExpr defineSymbol(llvm::StringRef kind = "data");

  /// False where the sizes are provably different. Otherwise they are taken to
  /// be equal, and where one is a replaceable symbol it is replaced in the whole
  /// function; so sizes read before this call may be out of date.
  bool unify(const DimExpr &a, const DimExpr &b);

  /// `size`, or for rows that are cut out of a table (llm::isCut) the size that unify found
  /// it equal to: of those at the tokens' places, min(rows, past + seq) - min(rows, past),
  /// there have to be seq.
  DimExpr uncut(const DimExpr &size) const;

  /// Larger tensors are taken for nonsense.
  int64_t maxElements = int64_t(1) << 40;

  /// Inside a branch nothing outside it may change: equalities are recorded as
  /// facts about the branch instead.
  using Facts = std::map<std::string, DimExpr>;
  Facts *branchFacts = nullptr;

private:
  bool replaceable(const DimExpr &symbol, const DimExpr &by) const;
  void substitute(const std::string &name, const DimExpr &by);

  mlir::func::FuncOp function;
  llvm::StringSet<> kept, defined, positive;
  llvm::StringSet<> ofInputs;                          ///< symbols that inputs are declared with
  std::map<std::string, DimExpr> replaced;             ///< by what unify put in their place
  std::vector<std::pair<DimExpr, DimExpr>> uncutSizes; ///< of rows and what they must equal
};

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_SYMBOLS_H

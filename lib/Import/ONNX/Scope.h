//===- Scope.h - names and nodes of a graph while it is walked
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A graph, a branch of an If, or one call of a function: what names mean in it.
// The walk emits nodes in topological order and calls the table's handlers.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_IMPORT_ONNX_SCOPE_H
#define LLMC_LIB_IMPORT_ONNX_SCOPE_H

#include "GraphOrder.h"
#include "OpTable.h"
#include "Tensors.h"

namespace llmc::importer {

/// Domain -> version.
using OpsetImports = llvm::StringMap<int64_t>;

struct Scope {
  /// The graph around a branch; null in a function body, which captures nothing.
  Scope *outer = nullptr;
  /// A null value stands for the result of a node that could not be imported.
  llvm::StringMap<Value> values;
  llvm::StringMap<const TensorProto *> initializers;
  /// Types that the model writes on values and outputs.
  llvm::StringMap<const ValueInfoProto *> declared;
  /// Names that some node reads or the graph gives; other outputs are unused.
  llvm::StringSet<> used;
  const OpsetImports *opsets = nullptr;
  const AttributeBindings *attributes = nullptr;
  /// Before node names in a function body: the call's name.
  std::string prefix;
  /// Functions being called, outermost first; finds recursion.
  llvm::SmallVector<const FunctionProto *> calls;
};

/// The functions of a model by domain, name and overload.
class FunctionTable {
public:
  struct Entry {
    const FunctionProto *proto;
    OpsetImports opsets;
  };
  void build(const ModelProto &model, const OpsetImports &modelOpsets);
  const Entry *find(const NodeProto &node) const;

private:
  llvm::StringMap<Entry> entries;
};

class GraphWalk {
public:
  GraphWalk(std::shared_ptr<ModelFile> file, mlir::OpBuilder &builder, Symbols &symbols,
            int64_t maxElements);

  /// Reports what the table does not have, in the whole model; then nothing
  /// more is said about those nodes.
  void preflight(const NodeList &nodes, const Scope &scope);
  /// Imports the nodes of a graph or function body into the current block.
  void importNodes(const NodeList &nodes, Scope &scope);
  /// Makes a graph's own names known: its initializers and what it uses.
  void enterGraph(const GraphProto &graph, Scope &scope);

  /// The value of a name, emitting the constant of an initializer; reports and
  /// gives null where there is none.
  Value lookup(Scope &scope, llvm::StringRef name, const std::string &user, mlir::Location loc);

  /// Imports a branch of an If into `region`; false where it failed.
  bool importBranch(const GraphProto &graph, Scope &outer, mlir::Region &region,
                    llvm::SmallVectorImpl<Value> &results, Symbols::Facts &facts);
  /// Imports a graph into the current block, its inputs being `arguments`: a branch whose
  /// condition is known, or an attribute that an operator applies.
  bool importInline(const GraphProto &graph, Scope &outer, llvm::SmallVectorImpl<Value> &results,
                    mlir::ValueRange arguments = {});
  /// importInline for one of a loop's iterations, which all together are limited; `name`
  /// names it.
  bool importIteration(const GraphProto &body, Scope &outer, llvm::StringRef name,
                       llvm::SmallVectorImpl<Value> &results, mlir::ValueRange arguments);

  /// Adds to what loops unroll to; reports and gives false where that is too much.
  bool countUnrolled(int64_t count, const llvm::Twine &name);

  mlir::ElementsAttr readTensor(const TensorProto &tensor, std::string &error) const {
    return reader.read(tensor, error);
  }
  mlir::Location locationOf(const std::string &name) const;
  mlir::Location fileLocation() const;
  void error(mlir::Location loc, const llvm::Twine &message);
  /// Preflight stopped: recursion, or more nodes than can be meant.
  bool tooLarge() const { return isTooLarge; }
  int errorCount() const { return errors; }
  /// Back to `count` errors: what was tried since then is done in another way.
  void forgetErrors(int count) { errors = count; }
  int64_t maxElements() const { return reader.maxElements; }
  FunctionTable functions;

private:
  void addInitializers(const GraphProto &graph, Scope &scope);
  void importNode(const NodeProto &proto, int index, Scope &scope);
  void importCall(const NodeProto &proto, const FunctionTable::Entry &callee,
                  const std::string &name, Scope &scope);
  void runHandler(Node &node, const OpEntry &entry, Scope &scope);
  bool checkArity(const NodeProto &proto, const OpEntry &entry, const std::string &what,
                  mlir::Location loc);
  void preflightNode(const NodeProto &proto, int index, const Scope &scope);
  void setOutputs(const NodeProto &proto, llvm::ArrayRef<Value> results, Scope &scope);
  bool hasUniqueOutputs(const NodeList &nodes, const Scope &scope);
  bool branchResults(const GraphProto &graph, Scope &scope, llvm::SmallVectorImpl<Value> &results);

  mlir::OpBuilder &builder;
  Symbols &symbols;
  TensorReader reader;
  OpTable table;
  mlir::Operation *lastConstant = nullptr; ///< weights gather at the entry
  mlir::Block *entry = nullptr;
  int errors = 0;
  bool isTooLarge = false;
  int iterationDepth = 0;    ///< loops around the graph being imported
  int64_t unrolledNodes = 0; ///< iterations, and the nodes in each
  int64_t nodeCount = 0;     ///< nodes seen by preflight, functions inlined
};

/// "MatMul_12" where a node has no name.
std::string nodeName(const NodeProto &proto, int index, llvm::StringRef prefix);

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_SCOPE_H

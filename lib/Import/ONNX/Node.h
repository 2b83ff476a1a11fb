//===- Node.h - one ONNX node as its handler sees it
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A handler reads operands and attributes, emits llm operations and sets the
// outputs. Attribute references of function bodies are already resolved.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_IMPORT_ONNX_NODE_H
#define LLMC_LIB_IMPORT_ONNX_NODE_H

#include "Emitter.h"
#include "llvm/ADT/StringMap.h"

namespace llmc::importer {

class GraphWalk;
struct Scope;

/// What a function call binds its attribute names to.
using AttributeBindings = llvm::StringMap<const AttributeProto *>;

/// The node's attribute of that name, through a function's bindings; null
/// where absent.
const AttributeProto *findAttribute(const NodeProto &proto, llvm::StringRef name,
                                    const AttributeBindings *bindings);

class Node : public Emitter {
public:
  struct Source {
    const NodeProto &proto;
    int64_t opset;
    std::string name; ///< for messages: the node's own name, or type and index
    GraphWalk &walk;
    Scope &scope;
  };
  Node(mlir::OpBuilder &builder, mlir::Location loc, Symbols &symbols, Source source)
      : Emitter(builder, loc, symbols), source(std::move(source)) {}

  /// The same node, not having failed and with nothing emitted.
  Node copy() const {
    Node node(builder, loc, symbols, source);
    node.operands = operands;
    return node;
  }

  llvm::StringRef opType() const { return source.proto.op_type(); }
  int64_t opset() const { return source.opset; }
  const NodeProto &proto() const { return source.proto; }
  llvm::StringRef name() const { return source.name; }
  GraphWalk &walk() const { return source.walk; }
  Scope &scope() const { return source.scope; }

  int numInputs() const { return source.proto.input_size(); }
  bool hasInput(int i) const { return i < numInputs() && !source.proto.input(i).empty(); }
  /// The operand; null where an optional one is absent.
  Value input(int i) const { return i < int(operands.size()) ? operands[i] : Value(); }
  int numOutputs() const { return source.proto.output_size(); }
  /// Whether something uses the output.
  bool hasOutput(int i) const;
  void setOutput(int i, Value value);
  void setOutput(Value value) { setOutput(0, value); }

  /// What the model declares of an output's shape: the one place to turn to where
  /// operands that are computed at run time decide it.
  std::optional<Symbols::Declared> declaredDims(int output) const;
  /// The declared shape where all of it is known in sizes of inputs; fails otherwise,
  /// saying that `what` are computed at run time.
  Dims declaredShape(int output, llvm::StringRef what);
  /// The element type that the model declares for an output; null where it does not.
  mlir::Type declaredElement(int output) const;

  const AttributeProto *attribute(llvm::StringRef name) const;
  bool hasAttribute(llvm::StringRef name) const { return attribute(name) != nullptr; }
  /// The attribute's value, or `missing`; fails where it is of another kind.
  int64_t intAttr(llvm::StringRef name, int64_t missing);
  double floatAttr(llvm::StringRef name, double missing);
  std::string stringAttr(llvm::StringRef name, llvm::StringRef missing);
  llvm::SmallVector<int64_t> intsAttr(llvm::StringRef name);

  /// `axis` counted from the front; fails outside [-rank, rank).
  int64_t axis(int64_t value, int64_t rank);
  /// Known constant integers of an operand or fails, naming it.
  llvm::SmallVector<int64_t> constantInts(int input, llvm::StringRef what);
  /// Known, possibly symbolic, integers of an operand, or fails.
  Dims knownInts(int input, llvm::StringRef what);

  llvm::SmallVector<Value> operands;
  llvm::SmallVector<Value> results;

protected:
  std::string messagePrefix() const override;

private:
  /// The attribute if it is there and of the kind that `has` finds.
  const AttributeProto *typedAttribute(llvm::StringRef name, llvm::StringRef kind,
                                       bool (*has)(const AttributeProto &));
  Source source;
};

using Handler = void (*)(Node &);

} // namespace llmc::importer

#endif // LLMC_LIB_IMPORT_ONNX_NODE_H

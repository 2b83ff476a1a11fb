//===- Node.cpp - one ONNX node as its handler sees it
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Node.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

const AttributeProto *llmc::importer::findAttribute(const NodeProto &proto, StringRef name,
                                                    const AttributeBindings *bindings) {
  for (const AttributeProto &attribute : proto.attribute()) {
    if (attribute.name() != name)
      continue;
    if (attribute.ref_attr_name().empty())
      return &attribute;
    auto it =
        bindings ? bindings->find(attribute.ref_attr_name()) : AttributeBindings::const_iterator();
    return bindings && it != bindings->end() ? it->second : nullptr;
  }
  return nullptr;
}

std::string Node::messagePrefix() const {
  std::string domain = source.proto.domain();
  return "node '" + source.name + "' (" + (domain.empty() ? "" : domain + ".") +
         source.proto.op_type() + ", opset " + std::to_string(source.opset) + "): ";
}

void Node::setOutput(int i, Value value) {
  if (int(results.size()) <= i)
    results.resize(i + 1);
  results[i] = value;
}

const AttributeProto *Node::typedAttribute(StringRef name, StringRef kind,
                                           bool (*has)(const AttributeProto &)) {
  const AttributeProto *found = attribute(name);
  if (!found || has(*found))
    return found;
  fail("attribute '" + name + "' is not " + kind);
  return nullptr;
}

int64_t Node::intAttr(StringRef name, int64_t missing) {
  auto *found = typedAttribute(name, "an integer", [](auto &a) { return a.has_i(); });
  return found ? found->i() : missing;
}

double Node::floatAttr(StringRef name, double missing) {
  auto *found = typedAttribute(name, "a number", [](auto &a) { return a.has_f(); });
  return found ? double(found->f()) : missing;
}

std::string Node::stringAttr(StringRef name, StringRef missing) {
  auto *found = typedAttribute(name, "a string", [](auto &a) { return a.has_s(); });
  return found ? found->s() : missing.str();
}

SmallVector<int64_t> Node::intsAttr(StringRef name) {
  auto *found = typedAttribute(name, "a list of integers", [](const AttributeProto &a) {
    return a.ints_size() > 0 || a.type() == AttributeProto::INTS;
  });
  return found ? SmallVector<int64_t>(found->ints().begin(), found->ints().end())
               : SmallVector<int64_t>();
}

int64_t Node::axis(int64_t value, int64_t rank) {
  if (value < -rank || value >= rank) {
    fail("axis " + Twine(value) + " is outside a tensor of rank " + Twine(rank));
    return 0;
  }
  return value < 0 ? value + rank : value;
}

Dims Node::declaredShape(int output, StringRef what) {
  std::optional<Symbols::Declared> declared = declaredDims(output);
  Dims shape;
  for (size_t i = 0; declared && i < declared->size() && (*declared)[i]; ++i)
    shape.push_back(*(*declared)[i]);
  if (!declared || shape.size() != declared->size())
    fail("not supported: " + what +
         " that are computed at run time, where the model does not "
         "declare the shape of output " +
         Twine(output) + " in sizes of its inputs");
  return shape;
}

Dims Node::knownInts(int index, StringRef what) {
  std::optional<Dims> values = known(input(index));
  if (!values)
    fail("not supported: " + what + " that depend on data; they must be constants or sizes");
  return values.value_or(Dims());
}

SmallVector<int64_t> Node::constantInts(int index, StringRef what) {
  SmallVector<int64_t> result;
  for (const DimExpr &value : knownInts(index, what)) {
    if (!value.constant()) {
      fail("not supported: " + what + " that are not constant: " + value.str());
      return {};
    }
    result.push_back(*value.constant());
  }
  return result;
}

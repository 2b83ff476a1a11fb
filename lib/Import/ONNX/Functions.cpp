//===- Functions.cpp - the functions of a model, and what it uses that llmc lacks
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Scope.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

static std::string functionKey(StringRef domain, StringRef name, StringRef overload) {
  return (canonicalDomain(domain) + "|" + name + "|" + overload).str();
}

void FunctionTable::build(const ModelProto &model, const OpsetImports &modelOpsets) {
  for (const FunctionProto &function : model.functions()) {
    Entry entry{&function, modelOpsets};
    for (const auto &import : function.opset_import())
      entry.opsets[canonicalDomain(import.domain())] = import.version();
    entries.insert(
        {functionKey(function.domain(), function.name(), overloadOf(function)), std::move(entry)});
  }
}

const FunctionTable::Entry *FunctionTable::find(const NodeProto &node) const {
  auto it = entries.find(functionKey(node.domain(), node.op_type(), overloadOf(node)));
  return it == entries.end() ? nullptr : &it->second;
}

// Bounds what a small file can unfold to.
static constexpr size_t kMaxCallDepth = 64;
static constexpr int64_t kMaxNodes = 10'000'000;

static bool knowsAttribute(const OpEntry &entry, StringRef name) {
  StringRef rest = entry.attributes, word;
  while (!rest.empty()) {
    std::tie(word, rest) = rest.split(' ');
    if (word == name)
      return true;
  }
  return false;
}

void GraphWalk::preflightNode(const NodeProto &proto, int index, const Scope &scope) {
  std::string name = nodeName(proto, index, scope.prefix);
  if (const FunctionTable::Entry *callee = functions.find(proto)) {
    if (scope.calls.size() >= kMaxCallDepth) {
      isTooLarge = true;
      return error(locationOf(name), "node '" + name + "': functions call each other more than " +
                                         Twine(kMaxCallDepth) + " deep");
    }
    if (llvm::is_contained(scope.calls, callee->proto)) {
      isTooLarge = true;
      return error(locationOf(name),
                   "node '" + name + "': function '" + proto.op_type() + "' calls itself");
    }
    Scope body;
    body.opsets = &callee->opsets;
    body.prefix = name + "/";
    body.calls = scope.calls;
    body.calls.push_back(callee->proto);
    return preflight(callee->proto->node(), body);
  }
  StringRef domain = canonicalDomain(proto.domain());
  std::string what =
      "node '" + name + "' (" + (domain.empty() ? "" : domain.str() + ".") + proto.op_type();
  auto import = scope.opsets->find(domain);
  if (import == scope.opsets->end())
    return error(locationOf(name),
                 what + "): the model does not import the domain '" + domain + "'");
  what += ", opset " + std::to_string(import->second) + "): ";
  const OpEntry *entry = table.find(domain, proto.op_type(), import->second);
  if (!entry)
    return error(locationOf(name), what + table.whyNot(domain, proto.op_type(), import->second));
  for (const AttributeProto &attribute : proto.attribute())
    if (!knowsAttribute(*entry, attribute.name()))
      error(locationOf(name), what + "attribute '" + attribute.name() + "' is not supported");
  for (const AttributeProto &attribute : proto.attribute())
    if (attribute.has_g())
      preflight(attribute.g().node(), scope);
}

void GraphWalk::preflight(const NodeList &nodes, const Scope &scope) {
  for (int i = 0; i < nodes.size() && nodeCount <= kMaxNodes; ++i) {
    if (++nodeCount > kMaxNodes) {
      isTooLarge = true;
      return error(fileLocation(),
                   "the model has more than " + Twine(kMaxNodes) + " nodes, functions inlined");
    }
    preflightNode(nodes[i], i, scope);
  }
}

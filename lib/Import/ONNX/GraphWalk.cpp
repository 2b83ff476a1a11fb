//===- GraphWalk.cpp - from ONNX nodes to calls of handlers
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Scope.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

std::string llmc::importer::nodeName(const NodeProto &proto, int index, StringRef prefix) {
  std::string own =
      proto.name().empty() ? proto.op_type() + "_" + std::to_string(index) : proto.name();
  return prefix.str() + own;
}

const AttributeProto *Node::attribute(StringRef name) const {
  return findAttribute(source.proto, name, source.scope.attributes);
}

GraphWalk::GraphWalk(std::shared_ptr<ModelFile> file, OpBuilder &builder, Symbols &symbols,
                     int64_t maxElements)
    : builder(builder), symbols(symbols),
      reader{std::move(file), builder.getContext(), maxElements} {
  entry = builder.getInsertionBlock();
}

Location GraphWalk::fileLocation() const {
  return FileLineColLoc::get(builder.getContext(), reader.file->path(), 0, 0);
}

Location GraphWalk::locationOf(const std::string &name) const {
  return NameLoc::get(builder.getStringAttr(name), fileLocation());
}

void GraphWalk::error(Location loc, const Twine &message) {
  ++errors;
  emitError(loc) << message;
}

bool Node::hasOutput(int i) const {
  return i < numOutputs() && !source.proto.output(i).empty() &&
         source.scope.used.contains(source.proto.output(i));
}

std::optional<Symbols::Declared> Node::declaredDims(int i) const {
  if (i >= numOutputs())
    return std::nullopt;
  const ValueInfoProto *value = source.scope.declared.lookup(source.proto.output(i));
  return value ? symbols.declaredDims(*value) : std::nullopt;
}

Type Node::declaredElement(int i) const {
  const ValueInfoProto *value =
      i < numOutputs() ? source.scope.declared.lookup(source.proto.output(i)) : nullptr;
  return value ? elementType(builder.getContext(), value->type().tensor_type().elem_type())
               : Type();
}

static void addUses(const NodeList &nodes, Scope &scope) {
  for (const NodeProto &node : nodes)
    for (const std::string &name : usedNames(node))
      scope.used.insert(name);
}

/// Elementwise operators of one operand: it has the shape of the result.
static bool keepsShape(StringRef op) {
  static constexpr StringRef names[] = {
      "Abs", "Cast",       "CastLike", "Ceil",  "Exp",     "Floor", "Identity", "Log", "Neg",
      "Not", "Reciprocal", "Relu",     "Round", "Sigmoid", "Sign",  "Sqrt",     "Tanh"};
  return llvm::is_contained(names, op);
}

/// What is declared of a result holds for what it is made from element by element.
static void declareOperands(const NodeList &nodes, Scope &scope) {
  for (const NodeProto &node : llvm::reverse(nodes)) {
    if (!keepsShape(node.op_type()) || node.input_size() == 0 || node.output_size() == 0)
      continue;
    if (const ValueInfoProto *result = scope.declared.lookup(node.output(0)))
      scope.declared.insert({node.input(0), result});
  }
}

void GraphWalk::enterGraph(const GraphProto &graph, Scope &scope) {
  addInitializers(graph, scope);
  addUses(graph.node(), scope);
  for (const ValueInfoProto &value : graph.value_info())
    scope.declared[value.name()] = &value;
  for (const ValueInfoProto &output : graph.output()) {
    scope.used.insert(output.name());
    scope.declared[output.name()] = &output;
  }
  declareOperands(graph.node(), scope);
}

void GraphWalk::addInitializers(const GraphProto &graph, Scope &scope) {
  for (const TensorProto &tensor : graph.initializer()) {
    if (tensor.name().empty())
      error(fileLocation(), "an initializer has no name");
    else if (!scope.initializers.insert({tensor.name(), &tensor}).second)
      error(fileLocation(), "initializer '" + tensor.name() + "' is defined twice");
  }
  for (const auto &tensor : graph.sparse_initializer())
    error(fileLocation(),
          "initializer '" + tensor.values().name() + "': sparse initializers are not supported");
}

Value GraphWalk::lookup(Scope &scope, StringRef name, const std::string &user, Location loc) {
  for (Scope *at = &scope; at; at = at->outer) {
    if (auto it = at->values.find(name); it != at->values.end())
      return it->second;
    auto initializer = at->initializers.find(name);
    if (initializer == at->initializers.end())
      continue;
    std::string problem;
    ElementsAttr value = readTensor(*initializer->second, problem);
    if (!value) {
      error(locationOf(name.str()), "initializer '" + name + "' " + problem);
      return at->values[name] = Value();
    }
    OpBuilder::InsertionGuard guard(builder);
    if (lastConstant)
      builder.setInsertionPointAfter(lastConstant);
    else
      builder.setInsertionPointToStart(entry);
    lastConstant = llm::ConstantOp::create(builder, locationOf(name.str()), value);
    return at->values[name] = lastConstant->getResult(0);
  }
  error(loc, user + ": '" + name + "' is not an input, an initializer or the output of a node");
  return scope.values[name] = Value();
}

void GraphWalk::setOutputs(const NodeProto &proto, ArrayRef<Value> results, Scope &scope) {
  for (int i = 0; i < proto.output_size(); ++i)
    if (!proto.output(i).empty())
      scope.values[proto.output(i)] = i < int(results.size()) ? results[i] : Value();
}

bool GraphWalk::hasUniqueOutputs(const NodeList &nodes, const Scope &scope) {
  llvm::StringSet<> defined;
  bool unique = true;
  for (int i = 0; i < nodes.size(); ++i)
    for (const std::string &output : nodes[i].output())
      if (!output.empty() && (!defined.insert(output).second || scope.values.contains(output) ||
                              scope.initializers.contains(output))) {
        std::string name = nodeName(nodes[i], i, scope.prefix);
        error(locationOf(name),
              "node '" + name + "': its output '" + output + "' is already defined");
        unique = false;
      }
  return unique;
}

void GraphWalk::importNodes(const NodeList &nodes, Scope &scope) {
  std::vector<int> cyclic;
  std::vector<int> order = topologicalOrder(nodes, cyclic);
  if (!cyclic.empty()) {
    std::string names;
    for (int i : cyclic)
      names += (names.empty() ? "'" : ", '") + nodeName(nodes[i], i, scope.prefix) + "'";
    error(locationOf(nodeName(nodes[cyclic[0]], cyclic[0], scope.prefix)),
          "the graph has a cycle through the nodes " + names);
  }
  bool isGraph = hasUniqueOutputs(nodes, scope) && cyclic.empty();
  // Branches and functions of a loop's body are unrolled, too.
  if (isGraph && iterationDepth > 0 && !nodes.empty())
    isGraph = countUnrolled(nodes.size(), nodeName(nodes[0], 0, scope.prefix));
  if (isGraph)
    for (int i : order)
      importNode(nodes[i], i, scope);
  else // nothing more to say about what depends on these
    for (const NodeProto &node : nodes)
      setOutputs(node, {}, scope);
}

bool GraphWalk::checkArity(const NodeProto &proto, const OpEntry &entry, const std::string &what,
                           Location loc) {
  auto isMissing = [&](int i) { return i >= proto.input_size() || proto.input(i).empty(); };
  bool tooFew = false;
  for (int i = 0; i < entry.minInputs; ++i)
    tooFew |= isMissing(i);
  if (!tooFew && proto.input_size() <= entry.maxInputs && proto.output_size() <= entry.maxOutputs &&
      proto.output_size() > 0)
    return true;
  std::string expected = std::to_string(entry.minInputs);
  if (entry.maxInputs == kVariadic)
    expected += " or more";
  else if (entry.maxInputs != entry.minInputs)
    expected += " to " + std::to_string(entry.maxInputs);
  error(loc, what + ": has " + Twine(proto.input_size()) + " inputs and " +
                 Twine(proto.output_size()) + " outputs; expected " + expected +
                 " inputs and at least 1 output" +
                 (proto.output_size() > entry.maxOutputs
                      ? ", at most " + std::to_string(entry.maxOutputs)
                      : ""));
  return false;
}

void GraphWalk::runHandler(Node &node, const OpEntry &entry, Scope &scope) {
  bool isKnown = true;
  for (const std::string &input : node.proto().input()) {
    Value value;
    if (!input.empty()) {
      value = lookup(scope, input, "node '" + node.name().str() + "'", node.loc);
      isKnown &= bool(value);
    }
    node.operands.push_back(value);
  }
  // The rest of a failed node's graph is quiet: its problem is reported.
  if (isKnown) {
    entry.handler(node);
    errors += node.failed();
  }
  bool complete = isKnown && !node.failed();
  for (int i = 0; complete && i < node.numOutputs(); ++i)
    if (node.hasOutput(i) && (i >= int(node.results.size()) || !node.results[i])) {
      node.fail("not supported: its output " + Twine(i));
      ++errors;
      complete = false;
    }
  setOutputs(node.proto(), complete ? ArrayRef<Value>(node.results) : ArrayRef<Value>(), scope);
}

void GraphWalk::importNode(const NodeProto &proto, int index, Scope &scope) {
  std::string name = nodeName(proto, index, scope.prefix);
  if (const FunctionTable::Entry *callee = functions.find(proto))
    return importCall(proto, *callee, name, scope);
  int64_t opset = scope.opsets->lookup(canonicalDomain(proto.domain()));
  const OpEntry *entry = table.find(proto.domain(), proto.op_type(), opset);
  Location loc = locationOf(name);
  // Preflight has reported a missing entry.
  if (!entry || !checkArity(proto, *entry, "node '" + name + "' (" + proto.op_type() + ")", loc))
    return setOutputs(proto, {}, scope);
  Node node(builder, loc, symbols, Node::Source{proto, opset, name, *this, scope});
  runHandler(node, *entry, scope);
}

void GraphWalk::importCall(const NodeProto &proto, const FunctionTable::Entry &callee,
                           const std::string &name, Scope &scope) {
  const FunctionProto &function = *callee.proto;
  Scope body;
  body.opsets = &callee.opsets;
  body.prefix = name + "/";
  body.calls = scope.calls;
  body.calls.push_back(&function);
  AttributeBindings bindings;
  for (const std::string &attribute : function.attribute())
    if (const AttributeProto *value = findAttribute(proto, attribute, scope.attributes))
      bindings[attribute] = value;
  body.attributes = &bindings;
  if (proto.input_size() > function.input_size() || proto.output_size() > function.output_size()) {
    error(locationOf(name), "node '" + name + "': function '" + function.name() + "' takes " +
                                Twine(function.input_size()) + " inputs and gives " +
                                Twine(function.output_size()) + " outputs");
    return setOutputs(proto, {}, scope);
  }
  for (int i = 0; i < function.input_size(); ++i)
    if (i < proto.input_size() && !proto.input(i).empty())
      body.values[function.input(i)] =
          lookup(scope, proto.input(i), "node '" + name + "'", locationOf(name));
  addUses(function.node(), body);
  for (int i = 0; i < function.output_size(); ++i) {
    body.used.insert(function.output(i));
    if (i < proto.output_size() && scope.declared.contains(proto.output(i)))
      body.declared[function.output(i)] = scope.declared[proto.output(i)];
  }
  importNodes(function.node(), body);
  SmallVector<Value> results;
  for (const std::string &output : function.output())
    results.push_back(lookup(body, output, "function '" + function.name() + "'", locationOf(name)));
  setOutputs(proto, results, scope);
}

bool GraphWalk::branchResults(const GraphProto &graph, Scope &scope,
                              SmallVectorImpl<Value> &results) {
  for (const ValueInfoProto &output : graph.output()) {
    Value value =
        lookup(scope, output.name(), "graph '" + graph.name() + "'", locationOf(graph.name()));
    if (!value)
      return false;
    results.push_back(value);
  }
  return true;
}

bool GraphWalk::importInline(const GraphProto &graph, Scope &outer, SmallVectorImpl<Value> &results,
                             ValueRange arguments) {
  Scope scope;
  scope.outer = &outer;
  scope.opsets = outer.opsets;
  scope.attributes = outer.attributes;
  scope.prefix = outer.prefix;
  scope.calls = outer.calls;
  if (graph.input_size() != int(arguments.size())) {
    error(locationOf(graph.name()), "graph '" + graph.name() + "' has " +
                                        Twine(graph.input_size()) + " inputs, expected " +
                                        Twine(arguments.size()));
    return false;
  }
  for (auto [input, argument] : llvm::zip(graph.input(), arguments))
    scope.values[input.name()] = argument;
  enterGraph(graph, scope);
  importNodes(graph.node(), scope);
  return branchResults(graph, scope, results);
}

bool GraphWalk::countUnrolled(int64_t count, const Twine &name) {
  // Bounds what a small file can unfold to.
  constexpr int64_t kMaxUnrolledNodes = 200'000;
  unrolledNodes += count;
  if (unrolledNodes <= kMaxUnrolledNodes)
    return true;
  error(locationOf(name.str()), "node '" + name + "': not supported: loops of more than " +
                                    Twine(kMaxUnrolledNodes) + " nodes when unrolled");
  return false;
}

bool GraphWalk::importIteration(const GraphProto &body, Scope &outer, StringRef name,
                                SmallVectorImpl<Value> &results, ValueRange arguments) {
  if (!countUnrolled(1, name))
    return false;
  std::string prefix = std::exchange(outer.prefix, (name + "/").str());
  ++iterationDepth;
  bool succeeded = importInline(body, outer, results, arguments);
  --iterationDepth;
  outer.prefix = std::move(prefix);
  return succeeded;
}

bool GraphWalk::importBranch(const GraphProto &graph, Scope &outer, Region &region,
                             SmallVectorImpl<Value> &results, Symbols::Facts &facts) {
  OpBuilder::InsertionGuard guard(builder);
  builder.createBlock(&region);
  Symbols::Facts *around = symbols.branchFacts;
  symbols.branchFacts = &facts;
  bool succeeded = importInline(graph, outer, results);
  symbols.branchFacts = around;
  if (succeeded)
    llm::YieldOp::create(builder, locationOf(graph.name()), results);
  return succeeded;
}

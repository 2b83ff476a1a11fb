//===- GraphOrder.cpp - topological order of ONNX nodes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "GraphOrder.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include <functional>
#include <queue>

using namespace llmc::importer;

static void collectUses(const NodeProto &node, const llvm::StringSet<> &defined,
                        std::vector<std::string> &uses);

static void collectFreeNames(const GraphProto &graph, llvm::StringSet<> defined,
                             std::vector<std::string> &uses) {
  for (const auto &input : graph.input())
    defined.insert(input.name());
  for (const auto &tensor : graph.initializer())
    defined.insert(tensor.name());
  for (const NodeProto &node : graph.node())
    for (const std::string &output : node.output())
      defined.insert(output);
  for (const NodeProto &node : graph.node())
    collectUses(node, defined, uses);
  for (const auto &output : graph.output())
    if (!defined.contains(output.name()))
      uses.push_back(output.name());
}

static void collectUses(const NodeProto &node, const llvm::StringSet<> &defined,
                        std::vector<std::string> &uses) {
  for (const std::string &name : node.input())
    if (!name.empty() && !defined.contains(name))
      uses.push_back(name);
  for (const AttributeProto &attribute : node.attribute()) {
    if (attribute.has_g())
      collectFreeNames(attribute.g(), defined, uses);
    for (const GraphProto &graph : attribute.graphs())
      collectFreeNames(graph, defined, uses);
  }
}

std::vector<std::string> llmc::importer::usedNames(const NodeProto &node) {
  std::vector<std::string> uses;
  collectUses(node, {}, uses);
  return uses;
}

/// Of the nodes that could not be ordered, those that are on a cycle (or between
/// two): drops, one after another, the nodes that no remaining node uses.
static std::vector<int> onCycles(std::vector<bool> left,
                                 const std::vector<std::vector<int>> &users) {
  std::vector<std::vector<int>> producers(left.size());
  std::vector<int> remainingUsers(left.size(), 0), unused;
  for (size_t i = 0; i < left.size(); ++i)
    for (int user : users[i])
      if (left[i] && left[user]) {
        ++remainingUsers[i];
        producers[user].push_back(int(i));
      }
  for (size_t i = 0; i < left.size(); ++i)
    if (left[i] && remainingUsers[i] == 0)
      unused.push_back(int(i));
  while (!unused.empty()) {
    int node = unused.back();
    unused.pop_back();
    left[node] = false;
    for (int producer : producers[node])
      if (--remainingUsers[producer] == 0)
        unused.push_back(producer);
  }
  std::vector<int> result;
  for (size_t i = 0; i < left.size(); ++i)
    if (left[i])
      result.push_back(int(i));
  return result;
}

std::vector<int> llmc::importer::topologicalOrder(const NodeList &nodes, std::vector<int> &cyclic) {
  llvm::StringMap<int> producer;
  for (int i = 0; i < nodes.size(); ++i)
    for (const std::string &output : nodes[i].output())
      if (!output.empty())
        producer.insert({output, i});
  std::vector<std::vector<int>> users(nodes.size());
  std::vector<int> missing(nodes.size(), 0);
  for (int i = 0; i < nodes.size(); ++i)
    for (const std::string &name : usedNames(nodes[i]))
      if (auto it = producer.find(name); it != producer.end()) {
        users[it->second].push_back(i);
        ++missing[i];
      }
  std::priority_queue<int, std::vector<int>, std::greater<int>> ready;
  for (int i = 0; i < nodes.size(); ++i)
    if (missing[i] == 0)
      ready.push(i);
  std::vector<int> order;
  while (!ready.empty()) {
    int node = ready.top();
    ready.pop();
    order.push_back(node);
    for (int user : users[node])
      if (--missing[user] == 0)
        ready.push(user);
  }
  if (int(order.size()) != nodes.size()) {
    std::vector<bool> left(nodes.size(), true);
    for (int node : order)
      left[node] = false;
    cyclic = onCycles(std::move(left), users);
  }
  return order;
}

//===- GraphOrderTest.cpp - order and cycles of nodes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "GraphOrder.h"
#include <gtest/gtest.h>

using namespace llmc::importer;

namespace {

NodeProto &addNode(GraphProto &graph, std::vector<std::string> inputs, const char *output) {
  NodeProto &node = *graph.add_node();
  for (const std::string &input : inputs)
    node.add_input(input);
  node.add_output(output);
  return node;
}

TEST(GraphOrder, KeepsFileOrderWherePossible) {
  GraphProto graph;
  addNode(graph, {"c"}, "d");
  addNode(graph, {"x"}, "b");
  addNode(graph, {"b"}, "c");
  std::vector<int> cyclic;
  EXPECT_EQ(topologicalOrder(graph.node(), cyclic), (std::vector<int>{1, 2, 0}));
  EXPECT_TRUE(cyclic.empty());
}

TEST(GraphOrder, NamesOnlyTheNodesOfTheCycle) {
  GraphProto graph;
  addNode(graph, {"x", "c"}, "a"); // 0
  addNode(graph, {"a"}, "b");      // 1
  addNode(graph, {"b"}, "c");      // 2
  addNode(graph, {"c"}, "after");  // 3, behind the cycle
  addNode(graph, {"x"}, "free");   // 4
  std::vector<int> cyclic;
  EXPECT_EQ(topologicalOrder(graph.node(), cyclic), (std::vector<int>{4}));
  EXPECT_EQ(cyclic, (std::vector<int>{0, 1, 2}));
}

TEST(GraphOrder, SeesWhatBranchesCapture) {
  GraphProto graph;
  NodeProto &outer = addNode(graph, {"condition"}, "y");
  AttributeProto &attribute = *outer.add_attribute();
  attribute.set_name("then_branch");
  addNode(*attribute.mutable_g(), {"late", "local"}, "result");
  addNode(*attribute.mutable_g(), {"x"}, "local");
  addNode(graph, {"x"}, "late");
  EXPECT_EQ(usedNames(outer), (std::vector<std::string>{"condition", "late", "x"}));
  std::vector<int> cyclic;
  EXPECT_EQ(topologicalOrder(graph.node(), cyclic), (std::vector<int>{1, 0}));
}

} // namespace

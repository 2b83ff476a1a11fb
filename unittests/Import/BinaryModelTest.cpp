//===- BinaryModelTest.cpp - protobuf files, whole, cut and damaged
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ImportedModel.h"
#include <gtest/gtest.h>
#include <random>

using namespace llmc::importer;

namespace {

/// y = Softmax(x W + b) on [batch, 4], with names and every kind of data.
ModelProto smallModel() {
  ModelProto model;
  model.set_ir_version(8);
  auto &opset = *model.add_opset_import();
  opset.set_domain("");
  opset.set_version(18);
  GraphProto &graph = *model.mutable_graph();
  graph.set_name("g");
  for (bool isInput : {true, false}) {
    ValueInfoProto &info = isInput ? *graph.add_input() : *graph.add_output();
    info.set_name(isInput ? "x" : "y");
    auto &type = *info.mutable_type()->mutable_tensor_type();
    type.set_elem_type(TensorProto::FLOAT);
    type.mutable_shape()->add_dim()->set_dim_param("batch");
    type.mutable_shape()->add_dim()->set_dim_value(4);
  }
  TensorProto &weight = *graph.add_initializer();
  weight.set_name("W");
  weight.set_data_type(TensorProto::FLOAT);
  weight.add_dims(4);
  weight.add_dims(4);
  weight.set_raw_data(std::string(64, '\0'));
  TensorProto &bias = *graph.add_initializer();
  bias.set_name("b");
  bias.set_data_type(TensorProto::FLOAT);
  bias.add_dims(4);
  for (float value : {1.f, 2.f, 3.f, 4.f})
    bias.add_float_data(value);
  auto addNode = [&](const char *type, std::vector<std::string> inputs, const char *output) {
    NodeProto &node = *graph.add_node();
    node.set_name(std::string("the_") + type);
    node.set_op_type(type);
    for (const std::string &input : inputs)
      node.add_input(input);
    node.add_output(output);
  };
  addNode("MatMul", {"x", "W"}, "m");
  addNode("Add", {"m", "b"}, "a");
  addNode("Softmax", {"a"}, "y");
  return model;
}

TEST(BinaryModel, Imports) {
  TemporaryFolder folder;
  ImportedModel model(folder.write("model.onnx", smallModel().SerializeAsString()));
  ASSERT_TRUE(model.module) << model.messages;
  EXPECT_EQ(model.function().getNumArguments(), 1u);
  EXPECT_NE(model.text().find("llm.softmax 1"), std::string::npos);
}

TEST(BinaryModel, MissingFile) {
  ImportedModel model("/nonexistent/model.onnx");
  EXPECT_FALSE(model.module);
  EXPECT_NE(model.messages.find("cannot open the file"), std::string::npos) << model.messages;
}

TEST(BinaryModel, EmptyFile) {
  TemporaryFolder folder;
  ImportedModel model(folder.write("model.onnx", ""));
  EXPECT_FALSE(model.module);
  EXPECT_NE(model.messages.find("the file is empty"), std::string::npos) << model.messages;
}

TEST(BinaryModel, Directory) {
  TemporaryFolder folder;
  ImportedModel model(folder.path(""));
  EXPECT_FALSE(model.module);
  EXPECT_NE(model.messages.find("not a regular file"), std::string::npos) << model.messages;
}

TEST(BinaryModel, Garbage) {
  TemporaryFolder folder;
  for (const char *bytes :
       {"hello, world", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "PK\x03\x04"}) {
    ImportedModel model(folder.write("model.onnx", bytes));
    EXPECT_FALSE(model.module);
    EXPECT_NE(model.messages.find("not an ONNX model"), std::string::npos) << model.messages;
  }
}

TEST(BinaryModel, GarbageText) {
  ImportedModel model = ImportedModel::fromText("this is not a model");
  EXPECT_FALSE(model.module);
  EXPECT_NE(model.messages.find("not ONNX text"), std::string::npos) << model.messages;
}

TEST(BinaryModel, NoOpset) {
  ModelProto proto = smallModel();
  proto.clear_opset_import();
  TemporaryFolder folder;
  ImportedModel model(folder.write("model.onnx", proto.SerializeAsString()));
  EXPECT_NE(model.messages.find("the model imports no opset"), std::string::npos);
}

TEST(BinaryModel, NegativeDimension) {
  ModelProto proto = smallModel();
  proto.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(1)
      ->set_dim_value(-4);
  TemporaryFolder folder;
  ImportedModel model(folder.write("model.onnx", proto.SerializeAsString()));
  EXPECT_NE(model.messages.find("input 'x': dimension 1 is -4"), std::string::npos)
      << model.messages;
}

TEST(BinaryModel, AbsurdInitializer) {
  ModelProto proto = smallModel();
  proto.mutable_graph()->mutable_initializer(0)->set_dims(0, int64_t(1) << 62);
  TemporaryFolder folder;
  ImportedModel model(folder.write("model.onnx", proto.SerializeAsString()));
  EXPECT_NE(model.messages.find("initializer 'W' has dimensions without sense"), std::string::npos)
      << model.messages;
}

TEST(BinaryModel, UnknownDataType) {
  ModelProto proto = smallModel();
  proto.mutable_graph()->mutable_initializer(0)->set_data_type(99);
  TemporaryFolder folder;
  ImportedModel model(folder.write("model.onnx", proto.SerializeAsString()));
  EXPECT_NE(model.messages.find("initializer 'W' data type number 99 is not supported"),
            std::string::npos)
      << model.messages;
}

TEST(BinaryModel, SparseInitializer) {
  ModelProto proto = smallModel();
  proto.mutable_graph()->add_sparse_initializer()->mutable_values()->set_name("s");
  TemporaryFolder folder;
  ImportedModel model(folder.write("model.onnx", proto.SerializeAsString()));
  EXPECT_NE(model.messages.find("sparse initializers are not supported"), std::string::npos);
}

TEST(BinaryModel, NodeNameIsInTheMessage) {
  ModelProto proto = smallModel();
  proto.mutable_graph()->mutable_node(1)->set_op_type("Bogus");
  TemporaryFolder folder;
  ImportedModel model(folder.write("model.onnx", proto.SerializeAsString()));
  EXPECT_NE(model.messages.find("node 'the_Add' (Bogus, opset 18)"), std::string::npos);
}

/// A function that calls itself, directly or through another.
TEST(BinaryModel, RecursiveFunction) {
  ModelProto proto = smallModel();
  proto.add_opset_import()->set_domain("local");
  proto.mutable_opset_import(1)->set_version(1);
  for (const char *name : {"A", "B"}) {
    FunctionProto &function = *proto.add_functions();
    function.set_domain("local");
    function.set_name(name);
    function.add_input("p");
    function.add_output("q");
    NodeProto &node = *function.add_node();
    node.set_domain("local");
    node.set_op_type(name[0] == 'A' ? "B" : "A");
    node.add_input("p");
    node.add_output("q");
  }
  proto.mutable_graph()->mutable_node(2)->set_domain("local");
  proto.mutable_graph()->mutable_node(2)->set_op_type("A");
  TemporaryFolder folder;
  ImportedModel model(folder.write("model.onnx", proto.SerializeAsString()));
  EXPECT_FALSE(model.module);
  EXPECT_NE(model.messages.find("calls itself"), std::string::npos) << model.messages;
}

// Every prefix of a model is refused without a crash, or is a model itself:
// protobuf cannot tell where optional fields at the end are missing.
TEST(BinaryModel, EveryTruncationIsHandled) {
  std::string bytes = smallModel().SerializeAsString();
  TemporaryFolder folder;
  for (size_t length = 0; length < bytes.size(); ++length) {
    ImportedModel model(folder.write("model.onnx", bytes.substr(0, length)));
    EXPECT_TRUE(model.module || model.errorCount > 0) << "cut at " << length;
  }
}

TEST(BinaryModel, DamageIsHandled) {
  const std::string bytes = smallModel().SerializeAsString();
  TemporaryFolder folder;
  std::mt19937 random(20240607);
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = bytes;
    for (unsigned i = 0, count = 1 + random() % 4; i < count; ++i)
      damaged[random() % damaged.size()] = char(random());
    ImportedModel model(folder.write("model.onnx", damaged));
    EXPECT_TRUE(model.module || model.errorCount > 0) << "round " << round;
  }
}

} // namespace

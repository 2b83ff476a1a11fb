//===- ExternalDataTest.cpp - weights in files beside the model
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ImportedModel.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>

using namespace llmc::importer;

namespace {

constexpr int64_t kElements = 1000;

/// y = x + W, W external as the entries say.
std::string modelWith(std::vector<std::pair<std::string, std::string>> entries) {
  ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(18);
  GraphProto &graph = *model.mutable_graph();
  for (bool isInput : {true, false}) {
    ValueInfoProto &info = isInput ? *graph.add_input() : *graph.add_output();
    info.set_name(isInput ? "x" : "y");
    auto &type = *info.mutable_type()->mutable_tensor_type();
    type.set_elem_type(TensorProto::FLOAT);
    type.mutable_shape()->add_dim()->set_dim_value(kElements);
  }
  TensorProto &weight = *graph.add_initializer();
  weight.set_name("W");
  weight.set_data_type(TensorProto::FLOAT);
  weight.add_dims(kElements);
  weight.set_data_location(TensorProto::EXTERNAL);
  for (auto &[key, value] : entries) {
    auto &entry = *weight.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
  NodeProto &node = *graph.add_node();
  node.set_op_type("Add");
  node.add_input("x");
  node.add_input("W");
  node.add_output("y");
  return model.SerializeAsString();
}

std::string floats(size_t padding) {
  std::string bytes(padding, '?');
  for (int i = 0; i < kElements; ++i) {
    float value = float(i);
    bytes.append(reinterpret_cast<const char *>(&value), sizeof(value));
  }
  return bytes;
}

/// The weight's bytes as the IR sees them: mapped, so of any alignment.
std::vector<float> weightOf(ImportedModel &model) {
  std::vector<float> result;
  model.module->walk([&](llmc::llm::ConstantOp op) {
    auto attr = mlir::cast<mlir::DenseResourceElementsAttr>(op.getValue());
    llvm::ArrayRef<char> data = attr.getRawHandle().getBlob()->getData();
    result.resize(data.size() / sizeof(float));
    std::memcpy(result.data(), data.data(), data.size());
  });
  return result;
}

class ExternalData : public testing::Test {
protected:
  std::string refused(std::vector<std::pair<std::string, std::string>> entries) {
    ImportedModel model(folder.write("model.onnx", modelWith(std::move(entries))));
    EXPECT_FALSE(model.module);
    EXPECT_NE(model.messages.find("initializer 'W'"), std::string::npos);
    return model.messages;
  }
  TemporaryFolder folder;
};

#define EXPECT_CONTAINS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_F(ExternalData, IsMapped) {
  folder.write("weights.bin", floats(64));
  ImportedModel model(
      folder.write("model.onnx",
                   modelWith({{"location", "weights.bin"}, {"offset", "64"}, {"length", "4000"}})));
  ASSERT_TRUE(model.module) << model.messages;
  std::vector<float> weight = weightOf(model);
  ASSERT_EQ(weight.size(), size_t(kElements));
  EXPECT_EQ(weight[999], 999.0f);
}

TEST_F(ExternalData, MayBeMisaligned) {
  folder.write("weights.bin", floats(3));
  ImportedModel model(
      folder.write("model.onnx", modelWith({{"location", "weights.bin"}, {"offset", "3"}})));
  ASSERT_TRUE(model.module) << model.messages;
  EXPECT_EQ(weightOf(model)[17], 17.0f);
}

// Pages of the heap that are given back are lost; those of a file come again.
TEST_F(ExternalData, OnlyWhatIsMappedIsImmutable) {
  for (size_t padding : {size_t(0), size_t(1) << 20}) {
    folder.write("weights.bin", floats(padding));
    ImportedModel model(folder.write(
        "model.onnx",
        modelWith({{"location", "weights.bin"}, {"offset", std::to_string(padding)}})));
    ASSERT_TRUE(model.module) << model.messages;
    model.module->walk([&](llmc::llm::ConstantOp op) {
      auto attr = mlir::cast<mlir::DenseResourceElementsAttr>(op.getValue());
      EXPECT_EQ(attr.getRawHandle().getBlob()->isMutable(), padding == 0);
    });
  }
}

TEST_F(ExternalData, OutlivesTheFile) {
  folder.write("weights.bin", floats(0));
  ImportedModel model(folder.write("model.onnx", modelWith({{"location", "weights.bin"}})));
  ASSERT_TRUE(model.module) << model.messages;
  std::filesystem::remove(folder.path("weights.bin"));
  EXPECT_EQ(weightOf(model)[5], 5.0f);
}

TEST_F(ExternalData, MissingFile) {
  EXPECT_CONTAINS(refused({{"location", "nowhere.bin"}}), "cannot open the external data file");
}
TEST_F(ExternalData, NoLocation) {
  EXPECT_CONTAINS(refused({{"offset", "0"}}), "external data without a location");
}
TEST_F(ExternalData, AbsolutePath) {
  EXPECT_CONTAINS(refused({{"location", "/etc/passwd"}}), "not a relative path inside");
}
TEST_F(ExternalData, ParentPath) {
  EXPECT_CONTAINS(refused({{"location", "../weights.bin"}}), "not a relative path inside");
}
TEST_F(ExternalData, HiddenParentPath) {
  EXPECT_CONTAINS(refused({{"location", "sub/../../weights.bin"}}), "not a relative path inside");
}
TEST_F(ExternalData, LinkOutside) {
  std::filesystem::create_symlink("/etc/passwd", folder.path("weights.bin"));
  EXPECT_CONTAINS(refused({{"location", "weights.bin"}}), "a link that leaves the model's folder");
}
TEST_F(ExternalData, DirectoryAsData) {
  std::filesystem::create_directory(folder.path("weights.bin"));
  EXPECT_CONTAINS(refused({{"location", "weights.bin"}}), "is not a regular file");
}
TEST_F(ExternalData, OffsetOutside) {
  folder.write("weights.bin", floats(0));
  EXPECT_CONTAINS(refused({{"location", "weights.bin"}, {"offset", "4096"}, {"length", "4000"}}),
                  "lies outside 'weights.bin' of 4000 bytes");
}
TEST_F(ExternalData, OffsetOverflow) {
  folder.write("weights.bin", floats(0));
  EXPECT_CONTAINS(
      refused({{"location", "weights.bin"}, {"offset", "8"}, {"length", "18446744073709551610"}}),
      "lies outside");
}
TEST_F(ExternalData, LengthOfAnotherShape) {
  folder.write("weights.bin", floats(0));
  EXPECT_CONTAINS(refused({{"location", "weights.bin"}, {"length", "3996"}}),
                  "holds 3996 bytes of data where float of this shape needs 4000");
}
TEST_F(ExternalData, OffsetIsNoNumber) {
  EXPECT_CONTAINS(refused({{"location", "weights.bin"}, {"offset", "-1"}}),
                  "offset is '-1', not a number");
}

} // namespace

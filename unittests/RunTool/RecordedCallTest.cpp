//===- RecordedCallTest.cpp - folders of calls ---------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "RecordedCall.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

using namespace llmc::run;
namespace fs = std::filesystem;

namespace {

class RecordedCallTest : public testing::Test {
protected:
  RecordedCallTest() : root(fs::path(testing::TempDir()) / "recorded_call") {
    fs::remove_all(root);
    fs::create_directories(root);
  }
  ~RecordedCallTest() override { fs::remove_all(root); }

  /// A one-byte u8 tensor called `name`.
  void addFile(const std::string &path, const std::string &name) {
    fs::create_directories((root / path).parent_path());
    std::string text = "\x08\x01\x10\x02\x42";
    text += static_cast<char>(name.size());
    text += name + "\x4a\x01x";
    std::ofstream(root / path, std::ios::binary) << text;
  }

  fs::path root;
};

TEST_F(RecordedCallTest, FoldersAreFoundAndSorted) {
  addFile("b/input_0.pb", "x");
  addFile("b/output_0.pb", "y");
  addFile("a/deep/output_0.pb", "y");
  std::ofstream(root / "model.onnx") << "not a tensor";
  std::string error;
  auto folders = findRecordedCalls(root.string(), error);
  ASSERT_TRUE(folders) << error;
  EXPECT_EQ(*folders,
            (std::vector<std::string>{(root / "a/deep").string(), (root / "b").string()}));
}

TEST_F(RecordedCallTest, FilesComeInTheOrderOfTheirNumbers) {
  for (const char *number : {"0", "1", "2", "10", "11"}) {
    addFile("input_" + std::string(number) + ".pb", number);
  }
  addFile("output_0.pb", "y");
  std::string error;
  auto call = readRecordedCall(root.string(), error);
  ASSERT_TRUE(call) << error;
  ASSERT_EQ(call->inputs.size(), 5u);
  EXPECT_EQ(call->inputs[2].name, "2");
  EXPECT_EQ(call->inputs[4].name, "11");
  EXPECT_EQ(call->outputs[0].bytes, std::vector<uint8_t>{'x'});
}

TEST_F(RecordedCallTest, FailuresNameTheFile) {
  std::string error;
  EXPECT_FALSE(findRecordedCalls(root.string(), error));
  EXPECT_NE(error.find("no recorded calls"), std::string::npos);
  EXPECT_FALSE(findRecordedCalls((root / "missing").string(), error));
  EXPECT_NE(error.find("No such file"), std::string::npos);
  addFile("input_0.pb", "x");
  EXPECT_FALSE(readRecordedCall(root.string(), error));
  EXPECT_NE(error.find("no output_*.pb"), std::string::npos);
  std::ofstream(root / "output_0.pb") << "\x10";
  EXPECT_FALSE(readRecordedCall(root.string(), error));
  EXPECT_NE(error.find("output_0.pb: offset 0"), std::string::npos) << error;
}

} // namespace

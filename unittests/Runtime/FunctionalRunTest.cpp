//===- FunctionalRunTest.cpp - the ONNX signature -------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ToyModule.h"

#include "llmc/Runtime.hpp"

#include <gtest/gtest.h>
#include <string>

using namespace llmc;
using namespace llmc::test;

namespace {

class FunctionalRun : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(module.loadStatic(functionalQuery, {}, &error), LLMC_STATUS_OK) << error.message;
    ASSERT_EQ(session.create(module, &error), LLMC_STATUS_OK) << error.message;
  }

  Status run() { return session.run(inputs, outputs, &error); }

  void expectFailure(Status status, const char *says) {
    EXPECT_EQ(run(), status);
    EXPECT_NE(std::string_view(error.message).find(says), std::string_view::npos) << error.message;
  }

  Module module;
  Session session;
  Error error;
  std::vector<float> x{1, 2, 3, 4}, p{5, 6};
  uint8_t negate = 0, total[3] = {};
  std::vector<llmc_tensor_t> inputs{{"x", LLMC_DTYPE_F32, 2, {2, 2}, x.data(), 16},
                                    {"p", LLMC_DTYPE_F32, 2, {2, 1}, p.data(), 8},
                                    {"negate", LLMC_DTYPE_BOOL, 0, {}, &negate, 1},
                                    {"total", LLMC_DTYPE_U8, 1, {3}, total, 3}};
  std::vector<llmc_tensor_t> outputs{{"y", 0, 0, {}, nullptr, 0}};
};

std::vector<float> values(const llmc_tensor_t &tensor) {
  auto *data = static_cast<const float *>(tensor.data);
  return {data, data + tensor.size_bytes / sizeof(float)};
}

TEST_F(FunctionalRun, LendsOutputsAndFillsTheirShape) {
  ASSERT_EQ(run(), LLMC_STATUS_OK) << error.message;
  EXPECT_EQ(outputs[0].dtype, uint32_t{LLMC_DTYPE_F32});
  EXPECT_EQ(outputs[0].rank, 2u);
  EXPECT_EQ(outputs[0].dims[0], 2);
  EXPECT_EQ(outputs[0].dims[1], 3);
  EXPECT_EQ(values(outputs[0]), (std::vector<float>{1, 2, 5, 3, 4, 6}));
}

TEST_F(FunctionalRun, GuardChoosesThePhase) {
  negate = 1;
  ASSERT_EQ(run(), LLMC_STATUS_OK) << error.message;
  EXPECT_EQ(values(outputs[0]), (std::vector<float>{-1, -2, -5, -3, -4, -6}));
  inputs[2].dims[0] = 2;
  inputs[2].rank = 1;
  expectFailure(LLMC_STATUS_SHAPE_MISMATCH, "one element");
  inputs[2] = {"negate", LLMC_DTYPE_F32, 0, {}, x.data(), 4};
  expectFailure(LLMC_STATUS_DTYPE_MISMATCH, "expected bool");
  int64_t seven = 7;
  inputs[2] = {"negate", LLMC_DTYPE_I64, 0, {}, &seven, 8};
  expectFailure(LLMC_STATUS_INVALID_ARGUMENT, "'negate' = 7");
}

TEST_F(FunctionalRun, ByPositionAndInAnyOrder) {
  for (llmc_tensor_t &input : inputs)
    input.name = nullptr;
  int64_t count = 0;
  float y[6];
  outputs = {{nullptr, 0, 0, {}, y, sizeof(y)}, {nullptr, 0, 0, {}, &count, sizeof(count)}};
  ASSERT_EQ(run(), LLMC_STATUS_OK) << error.message;
  EXPECT_EQ(count, 6);
  EXPECT_EQ(y[2], 5);
  inputs = {{"total", LLMC_DTYPE_U8, 1, {3}, total, 3},
            {"p", LLMC_DTYPE_F32, 2, {2, 1}, p.data(), 8},
            {"negate", LLMC_DTYPE_BOOL, 0, {}, &negate, 1},
            {"x", LLMC_DTYPE_F32, 2, {2, 2}, x.data(), 16}};
  outputs = {{"count", 0, 0, {}, &count, sizeof(count)}};
  count = 0;
  ASSERT_EQ(run(), LLMC_STATUS_OK) << error.message;
  EXPECT_EQ(count, 6);
  outputs.clear();
  EXPECT_EQ(run(), LLMC_STATUS_OK) << error.message;
}

TEST_F(FunctionalRun, ZeroSizedTensors) {
  inputs[1] = {"p", LLMC_DTYPE_F32, 2, {2, 0}, nullptr, 0};
  inputs[3].dims[0] = 2;
  ASSERT_EQ(run(), LLMC_STATUS_OK) << error.message;
  EXPECT_EQ(values(outputs[0]), x);
  inputs[0] = {"x", LLMC_DTYPE_F32, 2, {0, 2}, nullptr, 0};
  inputs[1] = {"p", LLMC_DTYPE_F32, 2, {0, 0}, nullptr, 0};
  ASSERT_EQ(run(), LLMC_STATUS_OK) << error.message;
  EXPECT_EQ(outputs[0].size_bytes, 0u);
  EXPECT_EQ(outputs[0].dims[1], 2);
}

TEST_F(FunctionalRun, OutputsMayFeedTheNextRun) {
  inputs[1] = {"p", LLMC_DTYPE_F32, 2, {2, 0}, nullptr, 0};
  std::vector<float> expected;
  for (int64_t step = 1; step <= 6; ++step) {
    inputs[3].dims[0] = 2 * step;
    uint8_t zeros[16] = {};
    inputs[3].data = zeros;
    inputs[3].size_bytes = 16;
    outputs[0] = {"y", 0, 0, {}, nullptr, 0};
    ASSERT_EQ(run(), LLMC_STATUS_OK) << error.message;
    // y = x, then what was there: rows of 1 2 1 2 ... and 3 4 3 4 ...
    std::vector<float> y = values(outputs[0]);
    ASSERT_EQ(y.size(), static_cast<size_t>(4 * step));
    for (size_t i = 0; i < y.size(); ++i)
      ASSERT_EQ(y[i], static_cast<float>(1 + i % 2 + (i >= y.size() / 2) * 2));
    inputs[1] = outputs[0];
    inputs[1].name = "p";
  }
}

TEST_F(FunctionalRun, StaleLentOutputCountsAsNone) {
  ASSERT_EQ(run(), LLMC_STATUS_OK);
  // Not reset to null: must not be taken for the caller's, too small a buffer.
  float longer[2 * 14] = {};
  uint8_t zeros[16] = {};
  inputs[1] = {"p", LLMC_DTYPE_F32, 2, {2, 14}, longer, sizeof(longer)};
  inputs[3] = {"total", LLMC_DTYPE_U8, 1, {16}, zeros, 16};
  ASSERT_EQ(run(), LLMC_STATUS_OK) << error.message;
  EXPECT_EQ(outputs[0].dims[1], 16);
}

TEST_F(FunctionalRun, Mismatches) {
  auto sound = inputs;
  auto with = [&](auto change) {
    inputs = sound;
    change();
  };
  with([&] { inputs[1].dims[0] = 1; });
  expectFailure(LLMC_STATUS_SHAPE_MISMATCH,
                "input 'p' dimension 0 is 1, expected 2: symbol 'batch' as "
                "bound by input 'x'");
  with([&] { inputs[3].dims[0] = 4; });
  expectFailure(LLMC_STATUS_SHAPE_MISMATCH, "input 'total' dimension 0 is 4, expected 3");
  with([&] { inputs[0].rank = 3; });
  expectFailure(LLMC_STATUS_SHAPE_MISMATCH, "rank 3, expected 2");
  with([&] { inputs[0].dtype = LLMC_DTYPE_F16; });
  expectFailure(LLMC_STATUS_DTYPE_MISMATCH, "'x' is f16, expected f32");
  with([&] { inputs[0].dims[0] = inputs[1].dims[0] = 9; });
  expectFailure(LLMC_STATUS_OUT_OF_RANGE, "'batch' is 9");
  with([&] { inputs[0].dims[0] = inputs[1].dims[0] = -1; });
  expectFailure(LLMC_STATUS_OUT_OF_RANGE, "'batch' is -1");
  with([&] { inputs[0].size_bytes = 15; });
  expectFailure(LLMC_STATUS_INVALID_ARGUMENT, "needs 16 bytes, given 15");
  with([&] { inputs[0].data = nullptr; });
  expectFailure(LLMC_STATUS_INVALID_ARGUMENT, "at null");
  with([&] { inputs.pop_back(); });
  expectFailure(LLMC_STATUS_INVALID_ARGUMENT, "'total' is missing");
  with([&] { inputs[1].name = "x"; });
  expectFailure(LLMC_STATUS_INVALID_ARGUMENT, "'x' is given twice");
  with([&] { inputs[1].name = "q\nq"; });
  expectFailure(LLMC_STATUS_INVALID_ARGUMENT, "no input 'q?q'");
  with([&] { inputs.push_back({}); });
  expectFailure(LLMC_STATUS_INVALID_ARGUMENT, "has 4 inputs, given 5");
  with([&] {});
  float small[2];
  outputs[0] = {"y", 0, 0, {}, small, sizeof(small)};
  expectFailure(LLMC_STATUS_INVALID_ARGUMENT, "'y' needs 24 bytes, given 8");
  outputs[0].name = "z";
  expectFailure(LLMC_STATUS_INVALID_ARGUMENT, "no output 'z'");
}

TEST_F(FunctionalRun, HasNoState) {
  int64_t token = 0;
  EXPECT_EQ(session.prefill({&token, 1}, &error), LLMC_STATUS_UNSUPPORTED);
  EXPECT_EQ(session.decode({&token, 1}, &error), LLMC_STATUS_UNSUPPORTED);
  EXPECT_TRUE(session.logits().empty());
  EXPECT_EQ(session.reset(), LLMC_STATUS_OK);
}

TEST(StatefulModule, HasNoRun) {
  Module module;
  Session session;
  Error error;
  ASSERT_EQ(module.loadStatic(statefulQuery), LLMC_STATUS_OK);
  ASSERT_EQ(session.create(module), LLMC_STATUS_OK);
  EXPECT_EQ(session.run({}, {}, &error), LLMC_STATUS_UNSUPPORTED);
}

class DataSizedRun : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(module.loadStatic(dataSizedQuery, {}, &error), LLMC_STATUS_OK) << error.message;
    llmc_session_options_t options = {};
    options.struct_size = sizeof(options);
    options.threads = 3;
    ASSERT_EQ(session.create(module, options, &error), LLMC_STATUS_OK) << error.message;
  }
  Status run(std::vector<float> &x, llmc_tensor_t &output) {
    std::vector<llmc_tensor_t> inputs{
        {"x", LLMC_DTYPE_F32, 1, {int64_t(x.size())}, x.data(), x.size() * sizeof(float)}};
    std::vector<llmc_tensor_t> outputs{output};
    Status status = session.run(inputs, outputs, &error);
    output = outputs[0];
    return status;
  }

  Module module;
  Session session;
  Error error;
};

TEST_F(DataSizedRun, DimsAreThoseOfTheRun) {
  for (size_t positive : {0, 1, 100, 4096, 7}) {
    std::vector<float> x(4096, -1), expected;
    for (size_t i = 0; i < positive; ++i)
      expected.push_back(x[i * 4096 / positive] = float(i + 1));
    llmc_tensor_t output = {"positive", 0, 0, {}, nullptr, 0};
    ASSERT_EQ(run(x, output), LLMC_STATUS_OK) << error.message;
    EXPECT_EQ(output.dims[0], int64_t(positive));
    EXPECT_EQ(values(output), expected);
  }
}

TEST_F(DataSizedRun, CallersMemoryHasRoomForTheLargest) {
  std::vector<float> x{1, -1, 2};
  float y[3];
  llmc_tensor_t output = {"positive", 0, 0, {}, y, sizeof(y)};
  ASSERT_EQ(run(x, output), LLMC_STATUS_OK) << error.message;
  EXPECT_EQ(output.dims[0], 2);
  EXPECT_EQ(output.size_bytes, 8u);
  EXPECT_EQ(y[1], 2);
  output = {"positive", 0, 0, {}, y, 8};
  EXPECT_EQ(run(x, output), LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(std::string_view(error.message).find("needs 12 bytes"), std::string_view::npos)
      << error.message;
}

TEST_F(DataSizedRun, PhasesTellHowManySymbolsAreDefined) {
  llmc_phase_info_t info = {};
  info.struct_size = sizeof(info);
  ASSERT_EQ(llmc_module_phase(module.get(), 0, &info, &error), LLMC_STATUS_OK) << error.message;
  EXPECT_EQ(info.num_symbols, 2u);
  EXPECT_EQ(info.num_defined_symbols, 1u);
}

} // namespace

//===- DataSizesTest.cpp - compiled functions whose sizes the data decides ===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "CompiledFunction.h"

using namespace mlir;
using namespace llmc;
using llmc::reference::Tensor;

namespace {
using DataSizesTest = CompiledFunction;

/// The places of what is positive, their values, and the sum of these.
const char *kNonZero = R"(
  !x = tensor<?x?xf32, #llm.dims<"batch", "seq">>
  !m = tensor<?x?xi1, #llm.dims<"batch", "seq">>
  !n = tensor<?x?xi64, #llm.dims<"batch", "seq">>
  !at = tensor<?x2xi64, #llm.dims<"k0", "2">>
  !y = tensor<?xf32, #llm.dims<"k0">>
  func.func @run(%x: !x) -> (!at, !y, tensor<f32>) {
    %zero = llm.constant dense<0.0> : tensor<f32>
    %m = llm.compare gt %x, %zero : !x, tensor<f32>
    %n = llm.cast %m : !m to !n
    %count = llm.reduce sum %n [0, 1] {keepdims = false} : !n
    llm.define_size "k0" <= "batch * seq" (%count) : tensor<i64>
    %at = llm.nonzero %m : !m to !at
    %y = llm.gather_nd 0 %x, %at : !x, !at
    %twice = llm.binary add %y, %y : !y, !y
    %sum = llm.reduce sum %twice [0] {keepdims = false} : !y
    return %at, %twice, %sum : !at, !y, tensor<f32>
  })";
} // namespace

TEST_F(DataSizesTest, NonZero) {
  compile(kNonZero);
  for (unsigned seed = 0; seed < 8; ++seed)
    check({uniform(f32(), {2, 13}, seed)});
  check({uniform(f32(), {3, 1}, 1, 1, 2)});   // all
  check({uniform(f32(), {3, 5}, 1, -2, -1)}); // none
  check({uniform(f32(), {4, 64}, 1)});        // the largest sizes
}

TEST_F(DataSizesTest, CallersBufferHasRoomForTheLargest) {
  compile(kNonZero);
  auto session = makeSession();
  float x[6] = {1, -1, 0, 2, 3, -4};
  llmc_tensor_t input = {"", LLMC_DTYPE_F32, 2, {2, 3}, x, sizeof(x)};
  input.name = nullptr;
  int64_t at[12];
  llmc_tensor_t output = {nullptr, 0, 0, {}, at, sizeof(at)};
  ASSERT_EQ(llmc_session_run(session.get(), &input, 1, &output, 1, &error), LLMC_STATUS_OK)
      << error.message;
  EXPECT_EQ(output.dims[0], 3);
  EXPECT_EQ(output.size_bytes, 48u);
  EXPECT_EQ(std::vector<int64_t>(at, at + 6), (std::vector<int64_t>{0, 0, 1, 0, 1, 1}));
  output = {nullptr, 0, 0, {}, at, sizeof(at) - 8};
  EXPECT_EQ(llmc_session_run(session.get(), &input, 1, &output, 1, &error),
            LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(std::string(error.message).find("needs 96 bytes"), std::string::npos) << error.message;
}

TEST_F(DataSizesTest, SizeFromAnInputIsClamped) {
  compile(R"(
    func.func @run(%n: tensor<1xi32>, %x: tensor<8xf32>)
        -> (tensor<?xf32, #llm.dims<"k0">>, tensor<?xi64, #llm.dims<"k1">>) {
      llm.define_size "k0" <= "8" (%n) : tensor<1xi32>
      %y = llm.slice %x ["0"] [1] : tensor<8xf32> to tensor<?xf32, #llm.dims<"k0">>
      llm.define_size "k1" <= "2 * k0" (%n) : tensor<1xi32>
      %i = llm.iota {start = "k0", step = "1", dim = 0} : tensor<?xi64, #llm.dims<"k1">>
      return %y, %i : tensor<?xf32, #llm.dims<"k0">>, tensor<?xi64, #llm.dims<"k1">>
    })");
  for (int64_t n : {-5, 0, 1, 5, 8, 100})
    check({Tensor::fromInts(IntegerType::get(&context, 32), {1}, {n}), uniform(f32(), {8}, 1)});
}

TEST_F(DataSizesTest, BufferOfASizeIsNotReused) {
  // Much work of many threads after the definition, over buffers that are free.
  compile(R"(
    !y = tensor<?x64xf32, #llm.dims<"k0", "64">>
    func.func @run(%n: tensor<i64>, %x: tensor<64x64xf32>) -> !y {
      %one = llm.constant dense<1> : tensor<i64>
      %m = llm.binary add %n, %one : tensor<i64>, tensor<i64>
      llm.define_size "k0" <= "64" (%m) : tensor<i64>
      %0 = llm.slice %x ["0", "0"] [1, 1] : tensor<64x64xf32> to !y
      %1 = llm.softmax 1 %0 : !y
      %2 = llm.softmax 1 %1 : !y
      %3 = llm.softmax 1 %2 : !y
      %4 = llm.softmax 1 %3 : !y
      %5 = llm.softmax 1 %4 : !y
      return %5 : !y
    })");
  for (int64_t n : {-1, 0, 3, 40, 63})
    check({Tensor::fromInts(i64(), {}, {n}), uniform(f32(), {64, 64}, 1)});
}

//===- InputFeederTest.cpp - signatures of exporters ---------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "InputFeeder.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace llmc::run;

namespace {

constexpr uint32_t F32 = LLMC_DTYPE_F32, I64 = LLMC_DTYPE_I64;

template <typename T> std::vector<T> elements(const HostTensor &tensor) {
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

HostTensor empty(const char *name, uint32_t dtype, std::vector<int64_t> dims) {
  HostTensor tensor;
  tensor.name = name;
  tensor.dtype = dtype;
  tensor.dims = std::move(dims);
  return tensor;
}

TEST(InputFeeder, RecognisesExportersNames) {
  EXPECT_EQ(recogniseInput("input_ids", I64, 2), InputRole::Tokens);
  EXPECT_EQ(recogniseInput("attention_mask", I64, 2), InputRole::AttentionMask);
  EXPECT_EQ(recogniseInput("position_ids", I64, 2), InputRole::Positions);
  EXPECT_EQ(recogniseInput("cache_position", I64, 1), InputRole::Positions);
  for (const char *name :
       {"past_key_values.0.key", "past.0.conv", "past_key_self_1",
        "input.past_key_values.layers.0.keys", "input.past_key_values.layers.0.recurrent_states.0"})
    EXPECT_EQ(recogniseInput(name, F32, 4), InputRole::Past) << name;
  EXPECT_EQ(recogniseInput("input.past_key_values.layers.0.cumulative_length", I64, 0),
            InputRole::Past);
  EXPECT_EQ(recogniseInput("use_cache_branch", LLMC_DTYPE_BOOL, 1), InputRole::UseCacheBranch);
  EXPECT_EQ(recogniseInput("pixel_values", F32, 4), InputRole::Unknown);
  EXPECT_EQ(recogniseInput("input_ids", F32, 2), InputRole::Unknown);
}

TEST(InputFeeder, BindsOptimumSymbols) {
  Signature signature;
  signature.symbols = {
      {"past_sequence_length", 0, 512}, {"batch_size", 1, 1}, {"sequence_length", 1, 512}};
  signature.inputs = {
      {"past_key_values.0.key", F32, {"batch_size", "", "past_sequence_length", ""}},
      {"input_ids", I64, {"batch_size", "sequence_length"}},
      {"attention_mask", I64, {"batch_size", ""}}};
  EXPECT_EQ(bindFirstCall(signature, 7), (std::vector<int64_t>{0, 1, 7}));
}

TEST(InputFeeder, BindsSymbolsWithoutMeaning) {
  Signature signature;
  signature.symbols = {
      {"s10", 0, 512}, {"s43", 1, 4}, {"s44", 1, 4}, {"s53", 1, 512}, {"s70", 1, 512}};
  signature.inputs = {{"input_ids", I64, {"s44", "s70"}},
                      {"attention_mask", I64, {"s43", "s53"}},
                      {"position_ids", I64, {"s44", "s70"}},
                      {"input.past_key_values.layers.0.keys", F32, {"s44", "", "s10", ""}}};
  EXPECT_EQ(bindFirstCall(signature, 9), (std::vector<int64_t>{0, 1, 1, 9, 9}));
}

TEST(InputFeeder, BindsSizesThatHaveASymbol) {
  Signature signature;
  signature.symbols = {{"total_sequence_length", 1, 512},
                       {"past_sequence_length", 0, 512},
                       {"kv_cache_dim", 48, 48},
                       {"sequence_length", 1, 512},
                       {"batch_size", 1, 1},
                       {"unused", 3, 5}};
  signature.inputs = {
      {"input_ids", I64, {"batch_size", "sequence_length"}},
      {"attention_mask", I64, {"batch_size", "total_sequence_length"}},
      {"past_key_values.0.key", F32, {"batch_size", "", "past_sequence_length", "kv_cache_dim"}}};
  EXPECT_EQ(bindFirstCall(signature, 5), (std::vector<int64_t>{5, 0, 48, 5, 1, 3}));
}

TEST(InputFeeder, FillsEveryRole) {
  std::vector<int64_t> tokens = {5, 6, 7};
  std::string error;
  HostTensor ids = empty("input_ids", I64, {1, 3});
  ASSERT_TRUE(fillInput(InputRole::Tokens, 0, tokens, ids, error)) << error;
  EXPECT_EQ(elements<int64_t>(ids), tokens);

  HostTensor mask = empty("attention_mask", LLMC_DTYPE_F16, {1, 3});
  ASSERT_TRUE(fillInput(InputRole::AttentionMask, 0, tokens, mask, error));
  EXPECT_EQ(elements<uint16_t>(mask), std::vector<uint16_t>(3, 0x3c00));

  HostTensor positions = empty("position_ids", LLMC_DTYPE_I32, {3, 1, 3});
  ASSERT_TRUE(fillInput(InputRole::Positions, 0, tokens, positions, error));
  EXPECT_EQ(elements<int32_t>(positions), (std::vector<int32_t>{0, 1, 2, 0, 1, 2, 0, 1, 2}));

  HostTensor past = empty("past_key_values.0.key", F32, {1, 2, 0, 16});
  ASSERT_TRUE(fillInput(InputRole::Past, 0, tokens, past, error));
  EXPECT_TRUE(past.bytes.empty());

  HostTensor branch = empty("use_cache_branch", LLMC_DTYPE_BOOL, {1});
  ASSERT_TRUE(fillInput(InputRole::UseCacheBranch, 1, tokens, branch, error));
  EXPECT_EQ(branch.bytes, std::vector<uint8_t>{1});
}

TEST(InputFeeder, RefusesWhatItCannotFeed) {
  std::vector<int64_t> tokens = {5, 6, 7};
  std::string error;
  HostTensor fixed = empty("input_ids", I64, {1, 7});
  EXPECT_FALSE(fillInput(InputRole::Tokens, 0, tokens, fixed, error));
  EXPECT_EQ(error, "input 'input_ids' is i64[1, 7]: the last dimension does "
                   "not follow the number of tokens");
  HostTensor square = empty("attention_mask", LLMC_DTYPE_BOOL, {1, 1, 3, 3});
  EXPECT_FALSE(fillInput(InputRole::AttentionMask, 0, tokens, square, error));
  HostTensor bytes = empty("input_ids", LLMC_DTYPE_U8, {1, 3});
  EXPECT_FALSE(fillInput(InputRole::Tokens, 0, tokens, bytes, error));
  HostTensor odd = empty("x", 99, {1});
  EXPECT_FALSE(fillInput(InputRole::Past, 0, tokens, odd, error));
}

} // namespace

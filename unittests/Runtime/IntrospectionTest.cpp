//===- IntrospectionTest.cpp - what a module tells, and refuses to be -----===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TinyArtifact.h"
#include "ToyModule.h"

#include "llmc/Runtime.hpp"

#include <cstdlib>
#include <gtest/gtest.h>

using namespace llmc;
using namespace llmc::test;

namespace {

TEST(Introspection, Stateful) {
  Module module;
  ASSERT_EQ(module.loadStatic(recurrentQuery), LLMC_STATUS_OK);
  llmc_module_info_t info = module.info();
  EXPECT_STREQ(info.name, "recurrent");
  EXPECT_TRUE(info.can_generate);
  EXPECT_FALSE(info.can_run);
  EXPECT_EQ(info.vocab_size, 64u);
  EXPECT_EQ(info.max_batch, 3u);
  EXPECT_EQ(info.max_seq, 40u);
  EXPECT_EQ(info.prefill_chunk, 5u);
  EXPECT_EQ(info.state_bytes_per_token, 4u);
  EXPECT_EQ(info.state_bytes_per_sequence, 8u);
  EXPECT_EQ(module.metadata(), "");
}

TEST(Introspection, PhasesSymbolsTensors) {
  Module module;
  ASSERT_EQ(module.loadStatic(functionalQuery), LLMC_STATUS_OK);
  llmc_module_info_t info = module.info();
  EXPECT_TRUE(info.can_run);
  EXPECT_EQ(info.num_phases, 2u);
  EXPECT_EQ(info.arena_bytes, 1024u);
  llmc_phase_info_t phase = {};
  phase.struct_size = sizeof(phase);
  ASSERT_EQ(llmc_module_phase(module.get(), 1, &phase, nullptr), LLMC_STATUS_OK);
  EXPECT_STREQ(phase.name, "negated");
  EXPECT_EQ(phase.guard_input, 2);
  EXPECT_EQ(phase.guard_value, 1);
  llmc_symbol_desc_t symbol;
  ASSERT_EQ(llmc_module_symbol(module.get(), 1, 1, &symbol, nullptr), LLMC_STATUS_OK);
  EXPECT_STREQ(symbol.name, "seq");
  EXPECT_EQ(symbol.max_value, 16);
  llmc_tensor_info_t tensor = {};
  tensor.struct_size = sizeof(tensor);
  ASSERT_EQ(llmc_module_output(module.get(), 1, 0, &tensor, nullptr), LLMC_STATUS_OK);
  EXPECT_STREQ(tensor.name, "y");
  EXPECT_STREQ(tensor.dim_names[0], "batch");
  EXPECT_EQ(tensor.dim_names[1], nullptr);
  ASSERT_EQ(llmc_module_input(module.get(), 1, 2, &tensor, nullptr), LLMC_STATUS_OK);
  EXPECT_EQ(tensor.rank, 0u);
  int64_t symbols[] = {2, 3, 4, 4}, dims[7] = {};
  ASSERT_EQ(llmc_module_resolve_dims(module.get(), 0, symbols, 4, dims, 7, nullptr),
            LLMC_STATUS_OK);
  EXPECT_EQ(dims[6], 7);
}

TEST(Introspection, BadArguments) {
  Module module;
  Error error;
  ASSERT_EQ(module.loadStatic(functionalQuery), LLMC_STATUS_OK);
  llmc_phase_info_t phase = {};
  EXPECT_EQ(llmc_module_phase(module.get(), 0, &phase, &error),
            LLMC_STATUS_INVALID_ARGUMENT); // struct_size
  phase.struct_size = sizeof(phase);
  EXPECT_EQ(llmc_module_phase(module.get(), 2, &phase, &error), LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(llmc_module_phase(nullptr, 0, &phase, &error), LLMC_STATUS_INVALID_ARGUMENT);
  llmc_tensor_info_t tensor = {};
  tensor.struct_size = sizeof(tensor);
  EXPECT_EQ(llmc_module_input(module.get(), 0, 4, &tensor, &error), LLMC_STATUS_INVALID_ARGUMENT);
  llmc_symbol_desc_t symbol;
  EXPECT_EQ(llmc_module_symbol(module.get(), 0, 4, &symbol, &error), LLMC_STATUS_INVALID_ARGUMENT);
  int64_t symbols[] = {9, 3, 4, 4}, dims[7];
  EXPECT_EQ(llmc_module_resolve_dims(module.get(), 0, symbols, 4, dims, 6, &error),
            LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(llmc_module_resolve_dims(module.get(), 0, symbols, 3, dims, 7, &error),
            LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(llmc_module_resolve_dims(module.get(), 0, symbols, 4, dims, 7, &error),
            LLMC_STATUS_OUT_OF_RANGE);
  EXPECT_EQ(Module().info().num_phases, 0u);
}

TEST(Introspection, OlderCallersStructIsNotOverrun) {
  Module module;
  ASSERT_EQ(module.loadStatic(statefulQuery), LLMC_STATUS_OK);
  llmc_module_info_t info = {};
  info.struct_size = offsetof(llmc_module_info_t, vocab_size);
  info.vocab_size = 4711;
  ASSERT_EQ(llmc_module_info(module.get(), &info, nullptr), LLMC_STATUS_OK);
  EXPECT_TRUE(info.can_generate);
  EXPECT_EQ(info.vocab_size, 4711u);
}

//===----------------------------------------------------------------------===//
// Static modules: weights and descriptors that contradict themselves
//===----------------------------------------------------------------------===//

/// What brokenQuery returns; a test's copy of a toy.
llmc_module_desc_t broken;
llmc_phase_desc_t brokenPhases[2];
const llmc_module_desc_t *brokenQuery(uint32_t) { return &broken; }

void expectBroken(const char *says, Status expected = LLMC_STATUS_BAD_MODULE,
                  bool atSession = false) {
  Module module;
  Session session;
  Error error;
  Status status = module.loadStatic(brokenQuery, {}, &error);
  if (atSession) {
    ASSERT_EQ(status, LLMC_STATUS_OK) << error.message;
    status = session.create(module, &error);
  }
  EXPECT_EQ(status, expected) << error.message;
  EXPECT_NE(std::string_view(error.message).find(says), std::string_view::npos) << error.message;
}

TEST(StaticModule, BrokenDescriptors) {
  auto with = [](llmc_module_query_fn query, auto change) {
    broken = *query(1);
    std::copy(broken.phases, broken.phases + 2, brokenPhases);
    broken.phases = brokenPhases;
    change();
  };
  with(statefulQuery, [] { broken.abi_version = 1; });
  expectBroken("version 1", LLMC_STATUS_VERSION_MISMATCH);
  with(statefulQuery, [] { broken.name = nullptr; });
  expectBroken("no name");
  with(statefulQuery, [] { broken.num_phases = 0; });
  expectBroken("no phases");
  with(statefulQuery, [] { broken.vocab_size = 0; });
  expectBroken("vocab_size");
  with(statefulQuery, [] { broken.vocab_size = UINT64_MAX; });
  expectBroken("vocab_size");
  with(statefulQuery, [] { broken.prefill_chunk = 0; });
  expectBroken("prefill_chunk");
  with(statefulQuery, [] { broken.block_tokens = 0; });
  expectBroken("block_tokens");
  with(statefulQuery, [] { broken.states = nullptr; });
  expectBroken("states");
  with(statefulQuery, [] { brokenPhases[0].kind = 7; });
  expectBroken("unknown kind 7");
  with(statefulQuery, [] { brokenPhases[1].entry = nullptr; });
  expectBroken("entry");
  with(statefulQuery, [] { brokenPhases[1].num_defined_symbols = 4; });
  expectBroken("defines 4 of 3 symbols");
  with(statefulQuery, [] { brokenPhases[1].num_defined_symbols = 1; });
  expectBroken("3, 2 and 1");
  with(statefulQuery, [] { brokenPhases[1].num_inputs = 1; });
  expectBroken("3, 2 and 1");
  with(statefulQuery, [] { broken.weights_bytes = 8; });
  expectBroken("needs 8 bytes", LLMC_STATUS_WEIGHTS_MISMATCH);
  with(statefulQuery, [] { broken.vocab_size = 65; });
  expectBroken("gives 192 logits", LLMC_STATUS_BAD_MODULE, true);
  static llmc_state_desc_t hugeState = {"s", LLMC_STATE_BLOCKS, LLMC_DTYPE_F32, UINT64_MAX / 2};
  with(statefulQuery, [] { broken.states = &hugeState; });
  expectBroken("caches", LLMC_STATUS_OUT_OF_MEMORY, true);
  static const int32_t farSymbol[] = {4, 0};
  static llmc_tensor_desc_t tensors[4];
  auto withTensor = [&](auto change) {
    with(functionalQuery, [&] {
      std::copy(broken.phases[0].inputs, broken.phases[0].inputs + 4, tensors);
      brokenPhases[0].inputs = tensors;
      change();
    });
  };
  withTensor([] { tensors[0].dim_symbols = farSymbol; });
  expectBroken("symbol 4 of 4");
  withTensor([] { tensors[0].rank = 9; });
  expectBroken("rank 9");
  withTensor([] { tensors[0].dtype = 99; });
  expectBroken("element type 99");
  withTensor([] { brokenPhases[0].guard_input = 4; });
  expectBroken("guarded by input 4");
  static const char *noText[] = {nullptr};
  auto unmet = [](const int64_t *) -> int64_t { return 0; };
  with(functionalQuery, [&] {
    brokenPhases[0].num_requirements = 1;
    brokenPhases[0].unmet = unmet;
  });
  expectBroken("counts 1 requirements but has none");
  with(functionalQuery, [&] {
    brokenPhases[0].num_requirements = 1;
    brokenPhases[0].requirements = noText;
    brokenPhases[0].unmet = unmet;
  });
  expectBroken("no text for requirement 0");
}

TEST(StaticModule, RequirementsAreChecked) {
  static const char *requirements[] = {"batch = 2", "seq = 2*past"};
  broken = *functionalQuery(1);
  std::copy(broken.phases, broken.phases + 2, brokenPhases);
  broken.phases = brokenPhases;
  brokenPhases[0].num_requirements = 2;
  brokenPhases[0].requirements = requirements;
  brokenPhases[0].unmet = [](const int64_t *symbols) -> int64_t {
    return symbols[0] != 2 ? 0 : symbols[1] != 2 * symbols[2] ? 1 : 2;
  };
  Module module;
  Error error;
  ASSERT_EQ(module.loadStatic(brokenQuery, {}, &error), LLMC_STATUS_OK) << error.message;
  auto resolve = [&](int64_t batch, int64_t seq) {
    int64_t symbols[] = {batch, seq, 4, 4}, dims[7];
    return llmc_module_resolve_dims(module.get(), 0, symbols, 4, dims, 7, &error);
  };
  EXPECT_EQ(resolve(2, 8), LLMC_STATUS_OK);
  EXPECT_EQ(resolve(3, 8), LLMC_STATUS_SHAPE_MISMATCH);
  EXPECT_STREQ(error.message,
               "phase 'plain' needs batch = 2, but batch = 3, seq = 8, past = 4, four = 4");
  EXPECT_EQ(resolve(2, 7), LLMC_STATUS_SHAPE_MISMATCH);
  EXPECT_NE(std::string_view(error.message).find("needs seq = 2*past"), std::string_view::npos);
  EXPECT_EQ(resolve(9, 8), LLMC_STATUS_OUT_OF_RANGE); // bounds come first
}

TEST(StaticModule, Weights) {
  broken = *functionalQuery(1);
  broken.weights_bytes = 16;
  broken.weights_checksum = fnv(tinyHeader());
  Bytes weights = tinyWeights();
  // The data follows a header of one page: page aligned if the file is.
  void *memory = std::aligned_alloc(4096, 8192);
  std::memcpy(memory, weights.data(), weights.size());
  Module module;
  Error error;
  llmc_weights_source_t source = {nullptr, memory, weights.size()};
  EXPECT_EQ(module.loadStatic(brokenQuery, source, &error), LLMC_STATUS_OK) << error.message;
  EXPECT_EQ(module.metadata(), tinyHeader());
  source.size_bytes -= 1;
  EXPECT_EQ(module.loadStatic(brokenQuery, source, &error), LLMC_STATUS_WEIGHTS_MISMATCH);
  source.data = static_cast<char *>(memory) + 8;
  EXPECT_EQ(module.loadStatic(brokenQuery, source, &error), LLMC_STATUS_BAD_ARTIFACT);
  TemporaryFolder folder;
  std::string path = folder / "w.safetensors";
  writeFile(path, weights);
  source = {path.c_str(), nullptr, 0};
  EXPECT_EQ(module.loadStatic(brokenQuery, source, &error), LLMC_STATUS_OK) << error.message;
  source.data = memory;
  EXPECT_EQ(module.loadStatic(brokenQuery, source, &error), LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(module.loadStatic(nullptr, {}, &error), LLMC_STATUS_INVALID_ARGUMENT);
  module = Module();
  std::free(memory);
}

} // namespace

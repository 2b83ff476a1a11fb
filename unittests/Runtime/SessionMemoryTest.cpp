//===- SessionMemoryTest.cpp - a session keeps to what it announces -------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ToySequences.h"

#include <cstdlib>

using namespace llmc;
using namespace llmc::test;

namespace {

struct Counted {
  uint64_t live = 0;
  llmc_allocator_t allocator() {
    return {this,
            [](void *user, size_t size, size_t alignment) -> void * {
              static_cast<Counted *>(user)->live += size;
              return aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1));
            },
            [](void *user, void *memory, size_t size, size_t) {
              static_cast<Counted *>(user)->live -= size;
              std::free(memory);
            }};
  }
};

TEST(SessionMemory, MeasureIsWhatCreateAllocates) {
  for (llmc_module_query_fn query :
       {functionalQuery, statefulQuery, recurrentQuery, windowedQuery}) {
    Module module;
    ASSERT_EQ(module.loadStatic(query), LLMC_STATUS_OK);
    for (uint32_t maxSequences : {0u, 7u}) {
      if (query == functionalQuery && maxSequences)
        continue;
      Counted counted;
      llmc_session_options_t options = Session::defaultOptions();
      options.max_sequences = maxSequences;
      options.allocator = counted.allocator();
      Error error;
      llmc_session_memory_t memory = Session::measure(module, options, &error);
      EXPECT_EQ(counted.live, 0u);
      EXPECT_EQ(memory.limit_bytes, UINT64_MAX);
      EXPECT_EQ(memory.total_bytes, memory.arena_bytes + memory.block_bytes + memory.slot_bytes +
                                        memory.logits_bytes + memory.bookkeeping_bytes);
      Session session;
      ASSERT_EQ(session.create(module, options, &error), LLMC_STATUS_OK) << error.message;
      EXPECT_EQ(counted.live, memory.total_bytes);
      EXPECT_EQ(session.info().num_blocks, memory.num_blocks);
    }
  }
}

TEST(SessionMemory, LimitIsRefusedBeforeAnythingIsAllocated) {
  Module module;
  ASSERT_EQ(module.loadStatic(recurrentQuery), LLMC_STATUS_OK);
  llmc_session_options_t options = Session::defaultOptions();
  uint64_t total = Session::measure(module, options).total_bytes;
  ASSERT_GT(total, 0u);
  Counted counted;
  options.allocator = counted.allocator();
  options.memory_limit = total;
  Session session;
  Error error;
  EXPECT_EQ(session.create(module, options, &error), LLMC_STATUS_OK) << error.message;
  options.memory_limit = total - 1;
  uint64_t before = counted.live;
  Session other;
  EXPECT_EQ(other.create(module, options, &error), LLMC_STATUS_OUT_OF_MEMORY);
  EXPECT_EQ(counted.live, before);
  EXPECT_NE(
      std::string_view(error.message).find("the session needs " + std::to_string(total) + " bytes"),
      std::string_view::npos)
      << error.message;
  EXPECT_NE(std::string_view(error.message).find("the limit is " + std::to_string(total - 1)),
            std::string_view::npos)
      << error.message;
}

TEST(SessionMemory, DefaultLimitIsWhatTheSystemHas) {
  Module module;
  ASSERT_EQ(module.loadStatic(statefulQuery), LLMC_STATUS_OK);
  llmc_session_options_t options = Session::defaultOptions();
  uint64_t limit = Session::measure(module, options).limit_bytes;
  EXPECT_GT(limit, uint64_t{1} << 20);
  options.max_sequences = INT32_MAX / 16; // blocks beyond what can be numbered, or memory
  Error error;
  Session session;
  EXPECT_EQ(session.create(module, options, &error), LLMC_STATUS_OUT_OF_MEMORY) << error.message;
  options.max_sequences = 2; // less than a batch
  EXPECT_EQ(session.create(module, options, &error), LLMC_STATUS_OUT_OF_RANGE);
}

} // namespace

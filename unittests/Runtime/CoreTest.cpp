//===- CoreTest.cpp - error text, block table, processor facts ------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TinyArtifact.h"

#include "Cache/BlockTable.h"
#include "Core/AvailableMemory.h"
#include "Core/CPUFeatures.h"
#include "Core/CPUTopology.h"
#include "Core/Error.h"

#include "llmc-c/ModuleABI.h"

#include <gtest/gtest.h>
#include <set>
#include <string>
#include <thread>

using namespace llmc::runtime;

namespace {

TEST(Error, NumbersAndText) {
  llmc_error_t error;
  llmc_status_t status = ErrorWriter(&error, LLMC_STATUS_IO)
                         << "a" << INT64_MIN << " " << UINT64_MAX << " " << 0 << " " << Hex{0xbeef}
                         << static_cast<const char *>(nullptr);
  EXPECT_EQ(status, LLMC_STATUS_IO);
  EXPECT_EQ(error.code, LLMC_STATUS_IO);
  EXPECT_STREQ(error.message, "a-9223372036854775808 18446744073709551615 0 "
                              "0x000000000000beef");
}

TEST(Error, CutsLongText) {
  llmc_error_t error;
  std::string text(2000, 'x');
  static_cast<void>(ErrorWriter(&error, LLMC_STATUS_IO) << text.c_str() << text.c_str());
  EXPECT_EQ(std::string(error.message), std::string(511, 'x'));
}

TEST(Error, StatusNames) {
  std::set<std::string> names;
  for (llmc_status_t code = 0; code <= LLMC_STATUS_MODULE_MISMATCH; ++code)
    names.insert(llmc_status_string(code));
  EXPECT_EQ(names.size(), size_t{LLMC_STATUS_MODULE_MISMATCH} + 1);
  EXPECT_EQ(names.count("unknown status"), 0u);
  EXPECT_STREQ(llmc_status_string(-1), "unknown status");
  EXPECT_STREQ(llmc_status_string(LLMC_STATUS_MODULE_MISMATCH + 1), "unknown status");
}

bool create(BlockTable &table, const BlockTableShape &shape) {
  bool isDone = table.plan(shape);
  if (!isDone)
    return false;
  table.visitArrays([&]<typename T>(Array<T> &array, uint64_t count) {
    isDone = isDone && array.allocate(defaultAllocator(), count);
  });
  if (isDone)
    table.start();
  return isDone;
}

TEST(BlockTable, GrowAndShrink) {
  BlockTable table;
  BlockTable::Copy copy;
  ASSERT_TRUE(create(table, {.rows = 2,
                             .maxTokens = 10,
                             .blockTokens = 4,
                             .window = 0,
                             .stepTokens = 10,
                             .poolTokens = 0}));
  EXPECT_EQ(table.stride(), 3u);
  EXPECT_EQ(table.numBlocks(), 6u);
  ASSERT_TRUE(table.grow(0, 0, 5, copy));
  ASSERT_TRUE(table.grow(1, 0, 1, copy));
  ASSERT_TRUE(table.grow(0, 5, 10, copy));
  EXPECT_EQ(copy.from, copy.to); // nobody shares
  EXPECT_EQ(table.numFree(), 2u);
  std::set<int32_t> used = {table.row(0)[0], table.row(0)[1], table.row(0)[2], table.row(1)[0]};
  EXPECT_EQ(used.size(), 4u);
  EXPECT_FALSE(table.grow(1, 1, 13, copy)); // more than a row holds
  EXPECT_EQ(table.numFree(), 2u);
  table.shrink(0, 4);
  EXPECT_EQ(table.numFree(), 4u);
  EXPECT_EQ(table.row(0)[1], 0);
  table.shrink(0, 0);
  table.shrink(1, 0);
  EXPECT_EQ(table.numFree(), 6u);
}

TEST(BlockTable, WithoutBlocks) {
  BlockTable table;
  BlockTable::Copy copy;
  ASSERT_TRUE(create(table, {.rows = 2,
                             .maxTokens = 10,
                             .blockTokens = 0,
                             .window = 0,
                             .stepTokens = 10,
                             .poolTokens = 0}));
  EXPECT_TRUE(table.grow(1, 0, 10, copy));
  EXPECT_EQ(table.numBlocks(), 0u);
  table.evict(1, 10);
  table.shrink(1, 0);
}

TEST(BlockTable, RefusesMoreBlocksThanTheABICounts) {
  BlockTable table;
  EXPECT_FALSE(table.plan({.rows = UINT32_MAX,
                           .maxTokens = UINT32_MAX,
                           .blockTokens = 1,
                           .window = 0,
                           .stepTokens = 1,
                           .poolTokens = 0}));
}

TEST(CPU, Features) {
  EXPECT_EQ(missingCPUFeatures(0), 0u);
  EXPECT_EQ(missingCPUFeatures(uint64_t{1} << 40), uint64_t{1} << 40);
#if defined(__x86_64__)
  // The system's view of the same bits.
  EXPECT_EQ(missingCPUFeatures(LLMC_CPU_X86_64_V3) == 0,
            __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
  EXPECT_EQ(missingCPUFeatures(LLMC_CPU_AVX512_VNNI) == 0,
            __builtin_cpu_supports("avx512vnni") != 0);
#endif
  EXPECT_STREQ(cpuFeatureName(LLMC_CPU_AMX_INT8 | LLMC_CPU_AMX_BF16), "AMX int8");
  EXPECT_EQ(cpuFeatureName(uint64_t{1} << 40), nullptr);
}

TEST(CPU, Count) {
  CPUCount cpus = countCPUs();
  EXPECT_GE(cpus.physicalCores, 1u);
  EXPECT_LE(cpus.physicalCores, cpus.logicalProcessors);
  EXPECT_LE(cpus.logicalProcessors, std::thread::hardware_concurrency());
}

TEST(Memory, ControlGroupBound) {
  llmc::test::TemporaryFolder folder;
  std::string root = folder / "cgroup";
  EXPECT_EQ(controlGroupBound(root.c_str(), "0::/a/b\n"), UINT64_MAX);
  std::filesystem::create_directories(root + "/a/b");
  llmc::test::writeFile(root + "/a/b/memory.max", "max\n");
  EXPECT_EQ(controlGroupBound(root.c_str(), "0::/a/b\n"), UINT64_MAX);
  // The group's parent bounds it, too.
  llmc::test::writeFile(root + "/a/memory.max", "1048576\n");
  EXPECT_EQ(controlGroupBound(root.c_str(), "4:memory:/x\n0::/a/b\n"), 1048576u);
  llmc::test::writeFile(root + "/a/b/memory.max", "4096\n");
  EXPECT_EQ(controlGroupBound(root.c_str(), "0::/a/b"), 4096u);
  EXPECT_EQ(controlGroupBound(root.c_str(), "0::/\n"), UINT64_MAX);
  // In a container the group is the root.
  llmc::test::writeFile(root + "/memory.max", "8192");
  EXPECT_EQ(controlGroupBound(root.c_str(), "0::/\n"), 8192u);
  EXPECT_EQ(controlGroupBound(root.c_str(), ""), 8192u);
  EXPECT_EQ(controlGroupBound(root.c_str(), ("0::/" + std::string(5000, 'a')).c_str()), UINT64_MAX);
}

TEST(Memory, ControlGroupBoundOfVersion1) {
  llmc::test::TemporaryFolder folder;
  std::string root = folder / "cgroup";
  std::filesystem::create_directories(root + "/memory/a/b");
  std::filesystem::create_directories(root + "/x");
  auto limit = [&](const std::string &group, const char *text) {
    llmc::test::writeFile(root + "/memory" + group + "/memory.limit_in_bytes", text);
  };
  auto bound = [&](const char *membership) { return controlGroupBound(root.c_str(), membership); };
  // What the kernel writes where there is no bound.
  limit("/a/b", "9223372036854771712\n");
  EXPECT_EQ(bound("4:memory:/a/b\n"), UINT64_MAX);
  limit("/a", "1048576\n");
  EXPECT_EQ(bound("12:cpuset:/a\n4:memory:/a/b\n1:name=systemd:/\n"), 1048576u);
  EXPECT_EQ(bound("4:hugetlb,memory,pids:/a/b"), 1048576u);
  EXPECT_EQ(bound("4:memory:/c:memory:/a\n"), UINT64_MAX); // a group named c:memory:
  EXPECT_EQ(bound("4:memoryless:/a\n5:cpu:/memory:/a"), UINT64_MAX);
  EXPECT_EQ(bound("4:memory\n:::\n,memory:\n"), UINT64_MAX);
  // The smaller one of both versions.
  llmc::test::writeFile(root + "/x/memory.max", "4096\n");
  EXPECT_EQ(bound("4:memory:/a/b\n0::/x\n"), 4096u);
  limit("/a/b", "2048\n");
  EXPECT_EQ(bound("4:memory:/a/b\n0::/x\n"), 2048u);
  // In a container the group is the root of what is mounted.
  limit("", "1024\n");
  EXPECT_EQ(bound("4:memory:/docker/0123\n"), 1024u);
  EXPECT_EQ(bound(("4:memory:/" + std::string(5000, 'a')).c_str()), UINT64_MAX);
}

TEST(Memory, LargeBlocksAreAligned) {
  Memory memory;
  for (size_t size : {size_t{1}, size_t{4096}, (size_t{1} << 20) + 1, size_t{5} << 20}) {
    ASSERT_TRUE(memory.allocate(defaultAllocator(), size));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.data()) % 64, 0u);
    static_cast<char *>(memory.data())[0] = 1;
    static_cast<char *>(memory.data())[size - 1] = 1;
  }
  EXPECT_FALSE(memory.allocate(defaultAllocator(), SIZE_MAX - 100));
  EXPECT_EQ(memory.data(), nullptr);
}

} // namespace

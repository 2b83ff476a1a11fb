//===- ExpertRowsTest.cpp - grouping of rows by expert --------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "expert_rows/expert_rows.h"

#include "Testing.h"

#include <algorithm>
#include <limits>

using namespace llmc::cpu;

namespace {

class ExpertRowsTest : public ::testing::Test {
protected:
  void SetUp() override {
    if (!hostSupports(IsaLevel::X86_64_V3))
      GTEST_SKIP() << "the functions are built for x86_64_v3";
  }
};

template <class T>
using Kernel = int64_t(const T *, int64_t, int64_t, int64_t, int64_t, int64_t *, int64_t);

/// All rows of a slot, `most` at a time.
template <class T>
std::vector<int64_t> rowsOf(Kernel<T> *kernel, const std::vector<T> &ids, int64_t experts,
                            int64_t slot, int64_t most) {
  std::vector<int64_t> rows, some(size_t(most) + 1, -7);
  const int64_t count = int64_t(ids.size());
  const int64_t all = kernel(ids.data(), count, experts, slot, 0, some.data(), 0);
  EXPECT_EQ(some[0], -7) << "wrote more than `most`";
  for (int64_t skip = 0; skip < all; skip += most) {
    EXPECT_EQ(kernel(ids.data(), count, experts, slot, skip, some.data(), most), all - skip);
    EXPECT_EQ(some.back(), -7) << "wrote more than `most`";
    rows.insert(rows.end(), some.begin(), some.begin() + std::min(most, all - skip));
  }
  EXPECT_EQ(kernel(ids.data(), count, experts, slot, all + 3, some.data(), most), 0);
  return rows;
}

/// Every row is in exactly one slot, with all others of its expert, ascending.
template <class T> void check(Kernel<T> *kernel) {
  std::mt19937_64 engine(3);
  for (int64_t experts : {1, 2, 5, 40})
    for (int64_t count : {0, 1, 2, 5, 16, 33, 100})
      for (int64_t most : {1, 3, 64}) {
        std::vector<T> ids;
        for (int64_t i = 0; i < count; ++i)
          ids.push_back(T(engine() % uint64_t(experts + 2)) - 1); // -1 and `experts` are outside
        if (count > 2)
          ids[1] = std::numeric_limits<T>::min(), ids[2] = std::numeric_limits<T>::max();
        std::vector<int64_t> seen;
        for (int64_t slot = 0; slot < std::min(count, experts); ++slot) {
          std::vector<int64_t> rows = rowsOf(kernel, ids, experts, slot, most), expected;
          auto expertOf = [&](int64_t row) {
            return std::clamp<int64_t>(ids[size_t(row)], 0, experts - 1);
          };
          if (count >= experts || !rows.empty())
            for (int64_t row = 0; row < count; ++row)
              if (expertOf(row) == (count >= experts ? slot : expertOf(slot)))
                expected.push_back(row);
          EXPECT_EQ(rows, expected) << experts << " experts, " << count << " rows, slot " << slot;
          seen.insert(seen.end(), rows.begin(), rows.end());
        }
        std::sort(seen.begin(), seen.end());
        ASSERT_EQ(int64_t(seen.size()), count);
        for (int64_t row = 0; row < count; ++row)
          EXPECT_EQ(seen[size_t(row)], row);
      }
}

TEST_F(ExpertRowsTest, RowsOfSlots) {
  check(llmc_uk_expert_rows_i32);
  check(llmc_uk_expert_rows_i64);
}

TEST_F(ExpertRowsTest, Gather) {
  std::vector<float> x(100), y(3 * 5 + 1, -7.0f);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = float(i);
  const int64_t rows[] = {7, 0, 3};
  llmc_uk_gather_rows(x.data(), 10, rows, 3, 2, 5, y.data());
  for (int64_t i = 0; i < 3; ++i)
    for (int64_t p = 0; p < 5; ++p)
      EXPECT_EQ(y[size_t(i * 5 + p)], float(rows[i] / 2 * 10 + p));
  EXPECT_EQ(y.back(), -7.0f);
}

} // namespace

//===- LayoutTest.cpp - reshape groups
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Analysis/Layout.h"
#include <gtest/gtest.h>

using namespace llmc;

static llm::Dims dims(std::initializer_list<const char *> texts) {
  llm::Dims result;
  for (const char *text : texts)
    result.push_back(*DimExpr::parse(text));
  return result;
}

TEST(Layout, SplitsAndMergesDimensions) {
  auto groups = matchReshape(dims({"batch", "seq", "64"}), dims({"batch", "seq", "4", "16"}));
  ASSERT_TRUE(groups.has_value());
  ASSERT_EQ(groups->size(), 3u);
  EXPECT_EQ((*groups)[2].inBegin, 2u);
  EXPECT_EQ((*groups)[2].outBegin, 2u);
  EXPECT_EQ((*groups)[2].outEnd, 4u);

  groups = matchReshape(dims({"batch", "seq", "8"}), dims({"batch * seq", "8"}));
  ASSERT_TRUE(groups.has_value());
  EXPECT_EQ((*groups)[0].inEnd, 2u);
}

TEST(Layout, OnesJoinTheirNeighbour) {
  auto groups = matchReshape(dims({"a", "b"}), dims({"1", "a", "1", "b", "1"}));
  ASSERT_TRUE(groups.has_value());
  EXPECT_EQ(groups->back().inEnd, 2u);
  EXPECT_EQ(groups->back().outEnd, 5u);
}

TEST(Layout, UnrelatedSizesDoNotMatch) {
  EXPECT_FALSE(matchReshape(dims({"a", "6"}), dims({"4", "b"})).has_value());
}

TEST(Layout, StridesAreRowMajor) {
  llm::Dims strides = contiguousStrides(dims({"a", "b", "4"}));
  EXPECT_EQ(strides[0], *DimExpr::parse("4 * b"));
  EXPECT_EQ(strides[1], DimExpr(4));
  EXPECT_EQ(strides[2], DimExpr(1));
}

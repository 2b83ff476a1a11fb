//===- DimExprTest.cpp - symbolic sizes
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Support/DimExpr.h"
#include <gtest/gtest.h>
#include <limits>

using llmc::DimExpr;

static DimExpr parse(const char *text) {
  std::optional<DimExpr> expr = DimExpr::parse(text);
  EXPECT_TRUE(expr.has_value()) << text;
  return expr.value_or(DimExpr());
}

TEST(DimExpr, PrintsOneTextPerValue) {
  EXPECT_EQ(parse("seq + past").str(), "past + seq");
  EXPECT_EQ(parse("2*a*b - b*a*2 + 3").str(), "3");
  EXPECT_EQ(parse("(a + b) * (a - b)").str(), parse("a*a - b*b").str());
  EXPECT_EQ(parse("-a + 1").str(), "-a + 1");
  EXPECT_EQ(DimExpr().str(), "0");
}

TEST(DimExpr, ParsesWhatItPrints) {
  for (const char *text : {"floordiv(a + 1, 2)", "min(a, b)", "max(7, a)", "mod(a, 3)",
                           "2 * batch * seq + past - 4"}) {
    DimExpr expr = parse(text);
    EXPECT_EQ(parse(expr.str().c_str()), expr) << text;
  }
}

TEST(DimExpr, ParsesTheLargestNumbers) {
  DimExpr least = std::numeric_limits<int64_t>::min(), most = std::numeric_limits<int64_t>::max();
  DimExpr a = DimExpr::symbol("a");
  for (const DimExpr &expr : {least, most, a + least, a + most, least * a, -most})
    EXPECT_EQ(DimExpr::parse(expr.str()), expr) << expr.str();
  EXPECT_FALSE(DimExpr::parse("9223372036854775808").has_value());
  EXPECT_FALSE(DimExpr::parse("-9223372036854775809").has_value());
}

TEST(DimExpr, RefusesOtherText) {
  for (const char *text : {"", "a +", "a b", "(a", "f(a, b)", "99999999999999999999", "a,b"})
    EXPECT_FALSE(DimExpr::parse(text).has_value()) << text;
  EXPECT_FALSE(DimExpr::parse(std::string(100000, '(')).has_value());
}

TEST(DimExpr, DividesExactlyWhereItCan) {
  EXPECT_EQ(DimExpr::floorDiv(parse("4*b*s"), parse("2*b")), parse("2*s"));
  EXPECT_EQ(DimExpr::floorDiv(parse("64*b*p + 64*b*s"), parse("b*p + b*s")), DimExpr(64));
  // (x - 1)^2 by x - 1: terms of a higher degree come first, whatever their names.
  EXPECT_EQ(DimExpr::floorDiv(parse("4*b*x - 4*b"), parse("x - 1")), parse("4*b"));
  EXPECT_EQ(DimExpr::floorDiv(parse("a*a*b - 2*a*b + b"), parse("a - 1")), parse("a*b - b"));
  // What both sides share cancels, also where a rest remains.
  EXPECT_EQ(DimExpr::floorDiv(parse("64*b*s + 64*b*mod(s, 64)"), parse("4096*b")),
            DimExpr::floorDiv(parse("s + mod(s, 64)"), 64));
  EXPECT_EQ(DimExpr::floorDiv(parse("4*a + 3"), 4), parse("a"));
  EXPECT_EQ(DimExpr::mod(parse("6*a"), 3), DimExpr(0));
  EXPECT_EQ(DimExpr::floorDiv(-7, 2), DimExpr(-4));
  EXPECT_FALSE(DimExpr::floorDiv(parse("a"), 2).asSymbol().has_value());
}

TEST(DimExpr, FlattensQuotientsOfQuotients) {
  // The sizes of an image behind three convolutions.
  DimExpr once = DimExpr::floorDiv(parse("h - 1"), 2) + 1;
  DimExpr thrice = DimExpr::floorDiv(DimExpr::floorDiv(once - 1, 2), 3) + 1;
  EXPECT_EQ(thrice, DimExpr::floorDiv(parse("h - 1"), 12) + 1);
  DimExpr added = DimExpr::floorDiv(DimExpr::floorDiv(parse("h"), 4) + 3, 5);
  for (int64_t value : {0, 3, 4, 19, 20, 21, 1000})
    EXPECT_EQ(added.evaluate([&](const std::string &) { return std::optional(value); }),
              (value / 4 + 3) / 5);
  EXPECT_EQ(DimExpr::floorDiv(parse("2 * floordiv(h, 4) + 1"), 5).str(),
            "floordiv(2 * floordiv(h, 4) + 1, 5)");
}

TEST(DimExpr, ProductsOfSizesAreNotNegative) {
  DimExpr rows = DimExpr::floorDiv(parse("h - 1"), 2) + 1;
  DimExpr columns = DimExpr::floorDiv(parse("w - 1"), 2) + 1;
  EXPECT_TRUE((rows * columns).provablyNonNegative());
  EXPECT_EQ(DimExpr::equal(rows * columns, -1), false);
  EXPECT_EQ(DimExpr::equal(rows * columns, 0), std::nullopt);
  EXPECT_FALSE((rows * columns - 1).provablyNonNegative());
}

TEST(DimExpr, DivisionByZeroNeverTraps) {
  DimExpr expr = DimExpr::floorDiv(parse("a"), 0);
  EXPECT_FALSE(expr.evaluate([](const std::string &) { return 1; }).has_value());
}

TEST(DimExpr, ProvesOrder) {
  EXPECT_EQ(DimExpr::less(parse("a"), parse("a + 1")), true);
  EXPECT_EQ(DimExpr::equal(parse("a + b"), parse("b + a")), true);
  EXPECT_EQ(DimExpr::equal(parse("a + 1"), DimExpr(0)), false);
  EXPECT_EQ(DimExpr::equal(parse("a"), parse("b")), std::nullopt);
  EXPECT_EQ(DimExpr::min(parse("a"), parse("a + b")), parse("a"));
}

TEST(DimExpr, MaximaOfMinima) {
  EXPECT_EQ(DimExpr::max(parse("min(4, a + b)"), parse("a + b")), parse("a + b"));
  EXPECT_EQ(DimExpr::max(parse("a"), parse("min(a, b)")), parse("a"));
  EXPECT_FALSE(DimExpr::max(parse("2*min(4, a)"), parse("a")).asSymbol().has_value());
}

TEST(DimExpr, PadsToMultiples) {
  DimExpr seq = DimExpr::symbol("seq"), sixteen = 16;
  // How exporters write the padding to whole chunks, and cut it off again.
  DimExpr padding = DimExpr::mod(sixteen - DimExpr::mod(seq, sixteen), sixteen);
  EXPECT_EQ(padding, DimExpr::mod(DimExpr(0) - seq, sixteen));
  DimExpr padded = DimExpr::floorDiv(seq + padding, sixteen) * sixteen;
  EXPECT_EQ(DimExpr::min(padded, seq), seq);
  EXPECT_EQ(DimExpr::min(DimExpr::ceilDiv(seq, sixteen) * sixteen, seq), seq);
  EXPECT_NE(DimExpr::min(DimExpr::floorDiv(seq, sixteen) * sixteen, seq), seq);
  for (int64_t value : {1, 15, 16, 17, 32, 100}) {
    auto lookup = [&](const std::string &) { return std::optional<int64_t>(value); };
    EXPECT_EQ(padding.evaluate(lookup), (16 - value % 16) % 16);
    EXPECT_EQ(padded.evaluate(lookup), (value + 15) / 16 * 16);
  }
  EXPECT_EQ(DimExpr::mod(seq * 18 + 35, sixteen), DimExpr::mod(seq * 2 + 3, sixteen));
}

TEST(DimExpr, BoundsFollowSymbols) {
  auto bounds = [](const std::string &name) {
    return name == "past" ? DimExpr::Interval{0, 100} : DimExpr::Interval{1, 8};
  };
  EXPECT_EQ(parse("past + 2 * seq").bounds(bounds).upper, 116);
  EXPECT_EQ(parse("past - seq").bounds(bounds).lower, -8);
  EXPECT_EQ(parse("floordiv(past + 1, 2)").bounds(bounds).upper, 50);
  EXPECT_EQ(parse("a * b").bounds().upper, DimExpr::kInfinity);
}

TEST(DimExpr, EvaluatesAndSubstitutes) {
  auto values = [](const std::string &name) -> std::optional<int64_t> {
    return name == "a" ? std::optional<int64_t>(5) : std::nullopt;
  };
  EXPECT_EQ(parse("floordiv(a, 2) * 3 + mod(a, 3)").evaluate(values), 8);
  EXPECT_EQ(parse("a + b").evaluate(values), std::nullopt);
  EXPECT_EQ(DimExpr(DimExpr::kInfinity - 1).operator*(4).evaluate(values), std::nullopt);
  DimExpr replaced = parse("floordiv(s * 4, 2)").substitute([](const std::string &) {
    return std::optional(DimExpr(3));
  });
  EXPECT_EQ(replaced, DimExpr(6));
}

//===- CalibrationTest.cpp - the machine's roofs are sane ----------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Calibration.h"

#include <gtest/gtest.h>

using namespace llmc::run;

namespace {

TEST(Calibration, BandwidthIsPlausible) {
  BandwidthProbe probe(3 << 20); // not a multiple of the page
  ASSERT_TRUE(probe.isValid());
  for (unsigned threads : {1u, 2u, 3u}) {
    double bytesPerSecond = probe.measure(threads);
    EXPECT_GT(bytesPerSecond, 1e7);
    EXPECT_LT(bytesPerSecond, 1e14);
  }
}

TEST(Calibration, NoWeightsAtAll) {
  BandwidthProbe probe(0);
  ASSERT_TRUE(probe.isValid());
  EXPECT_GT(probe.measure(1), 0);
}

TEST(Calibration, ImpossibleSizeIsRefused) {
  EXPECT_FALSE(BandwidthProbe(SIZE_MAX).isValid());
  EXPECT_FALSE(BandwidthProbe(SIZE_MAX / 2).isValid());
}

TEST(Calibration, ArithmeticIsPlausible) {
  double flopsPerSecond = measurePeakArithmetic(1);
  EXPECT_GT(flopsPerSecond, 1e7);
  EXPECT_LT(flopsPerSecond, 1e14);
}

TEST(Calibration, NamesAreNotEmpty) {
  EXPECT_FALSE(cpuName().empty());
  EXPECT_NE(calibrationISA(), nullptr);
}

} // namespace

//===- TensorCompare.h - a result against what was recorded ------*- C++
//-*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The rule by which `llmc-run verify` accepts an output.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_RUN_TENSORCOMPARE_H
#define LLMC_TOOLS_RUN_TENSORCOMPARE_H

#include "HostTensor.h"

namespace llmc::run {

struct Tolerance {
  double relative = 1e-3; // of the expected output's largest finite magnitude
  double absolute = 0.0;
  /// As numpy.testing.assert_allclose and ONNX's own tests: relative to each
  /// expected element, and a NaN where one is expected.
  bool isElementwise = false;
};

struct Comparison {
  bool isMatch = false;
  std::string problem;      // why not, where numbers do not say it
  double maxAbsError = 0.0; // infinite where only one side is finite
  double maxRelError = 0.0; // maxAbsError over the largest magnitude
  size_t numCompared = 0;   // elements less the NaNs that match everything
  size_t numMismatches = 0; // elements outside the tolerance
  size_t firstMismatch = 0; // flat index, where numMismatches > 0
};

/// Floating point elements may differ by relative * largest magnitude +
/// absolute; an expected NaN matches everything, an expected infinity itself.
/// With isElementwise it is relative * the element's own magnitude, and an
/// expected NaN matches NaN only.
/// Integers and booleans must be equal. Another shape or type never matches.
Comparison compareTensors(const HostTensor &expected, const HostTensor &actual,
                          const Tolerance &tolerance);

} // namespace llmc::run

#endif // LLMC_TOOLS_RUN_TENSORCOMPARE_H

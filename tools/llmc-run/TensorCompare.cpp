//===- TensorCompare.cpp - a result against what was recorded -------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Errors are computed in double. 64-bit integers are compared as bytes, since
// double does not hold all of them.
//
//===----------------------------------------------------------------------===//
#include "TensorCompare.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace llmc::run {
namespace {

double elementError(double expected, double actual) {
  if (expected == actual)
    return 0.0;
  double difference = std::abs(expected - actual);
  return std::isfinite(difference) ? difference : std::numeric_limits<double>::infinity();
}

/// Like elementError, but NaN equals NaN and nothing else.
double strictError(double expected, double actual) {
  if (std::isnan(expected) && std::isnan(actual))
    return 0.0;
  return elementError(expected, actual);
}

double largestMagnitude(const HostTensor &tensor) {
  double largest = 0.0;
  for (size_t i = 0, e = tensor.numElements(); i < e; ++i) {
    double value = std::abs(loadAsDouble(tensor.dtype, tensor.bytes.data(), i));
    if (std::isfinite(value))
      largest = std::max(largest, value);
  }
  return largest;
}

} // namespace

Comparison compareTensors(const HostTensor &expected, const HostTensor &actual,
                          const Tolerance &tolerance) {
  Comparison result;
  if (expected.dtype != actual.dtype || expected.dims != actual.dims) {
    result.problem = "expected " + typeText(expected.dtype, expected.dims) + ", got " +
                     typeText(actual.dtype, actual.dims);
    return result;
  }
  bool isFloat = isFloatDType(expected.dtype);
  size_t elementBytes = dtypeSizeBytes(expected.dtype);
  double magnitude = largestMagnitude(expected);
  for (size_t i = 0, e = expected.numElements(); i < e; ++i) {
    double want = loadAsDouble(expected.dtype, expected.bytes.data(), i);
    if (std::isnan(want) && !tolerance.isElementwise)
      continue;
    ++result.numCompared;
    double error = strictError(want, loadAsDouble(actual.dtype, actual.bytes.data(), i));
    // An infinite magnitude has an infinite tolerance, but is equal or not.
    double scale = tolerance.isElementwise && std::isfinite(want) ? std::abs(want) : magnitude;
    double allowed = tolerance.relative * scale + tolerance.absolute;
    bool isClose = isFloat ? error <= allowed
                           : std::memcmp(&expected.bytes[i * elementBytes],
                                         &actual.bytes[i * elementBytes], elementBytes) == 0;
    result.maxAbsError = std::max(result.maxAbsError, error);
    if (!isClose && result.numMismatches++ == 0)
      result.firstMismatch = i;
  }
  if (result.maxAbsError > 0.0)
    result.maxRelError =
        magnitude > 0.0 ? result.maxAbsError / magnitude : std::numeric_limits<double>::infinity();
  result.isMatch = result.numMismatches == 0;
  return result;
}

} // namespace llmc::run

//===- SpectrumTest.cpp - Fourier transforms against their definition
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// y[k] = sum over n of x[n] exp(-2 pi i n k / N), with x counting 1, 2, 3, ..
//
//===----------------------------------------------------------------------===//
#include "EvaluatedModel.h"
#include <cmath>
#include <complex>
#include <gtest/gtest.h>

using namespace llmc::importer;

namespace {

using Complex = std::complex<double>;

std::vector<Complex> transform(const std::vector<Complex> &x, int sign = -1) {
  const double turn = sign * 2 * std::acos(-1.0);
  int64_t length = int64_t(x.size());
  std::vector<Complex> y(x.size());
  for (int64_t k = 0; k < length; ++k)
    for (int64_t n = 0; n < length; ++n)
      y[k] += x[n] * std::polar(1.0, turn * double(n * k % length) / double(length));
  return y;
}

std::vector<Complex> pairsOf(const std::vector<double> &values) {
  std::vector<Complex> pairs;
  for (size_t i = 0; i + 1 < values.size(); i += 2)
    pairs.emplace_back(values[i], values[i + 1]);
  return pairs;
}

/// `count` numbers 1, 2, ..; or pairs (1, 2), (3, 4), ..
std::vector<Complex> counting(int64_t count, bool isComplex) {
  std::vector<Complex> x;
  for (int64_t i = 0; i < count; ++i)
    x.push_back(isComplex ? Complex(2 * i + 1, 2 * i + 2) : Complex(i + 1, 0));
  return x;
}

/// Within rounding of f32 to the largest value.
void expectNear(const std::vector<Complex> &actual, std::vector<Complex> expected, size_t count) {
  expected.resize(count);
  ASSERT_EQ(actual.size(), count);
  double largest = 0;
  for (Complex value : expected)
    largest = std::max(largest, std::abs(value));
  for (size_t i = 0; i < count; ++i)
    EXPECT_LE(std::abs(actual[i] - expected[i]), 2e-6 * largest) << "element " << i;
}

std::string dft(const std::string &attributes, int64_t length, int parts) {
  return "g (float[1, " + std::to_string(length) + ", " + std::to_string(parts) +
         "] x) => (float[a, b, c] y) { y = DFT<" + attributes + ">(x) }";
}

class Fourier : public testing::TestWithParam<int64_t> {};

TEST_P(Fourier, OfReal) {
  EvaluatedModel y = evaluateModel("20", dft("onesided = 0", GetParam(), 1), {{1, GetParam(), 1}});
  expectNear(pairsOf(y.values), transform(counting(GetParam(), false)), GetParam());
}

TEST_P(Fourier, OfRealOneSided) {
  EvaluatedModel y = evaluateModel("20", dft("onesided = 1", GetParam(), 1), {{1, GetParam(), 1}});
  EXPECT_EQ(y.shape, (std::vector<int64_t>{1, GetParam() / 2 + 1, 2}));
  expectNear(pairsOf(y.values), transform(counting(GetParam(), false)), GetParam() / 2 + 1);
}

TEST_P(Fourier, OfComplexBackwards) {
  EvaluatedModel y = evaluateModel("20", dft("inverse = 1", GetParam(), 2), {{1, GetParam(), 2}});
  std::vector<Complex> expected = transform(counting(GetParam(), true), 1);
  for (Complex &value : expected)
    value /= double(GetParam());
  expectNear(pairsOf(y.values), expected, GetParam());
}

// The last two are products of two transforms, one of which may be a product itself.
INSTANTIATE_TEST_SUITE_P(Lengths, Fourier, testing::Values(1, 2, 5, 8, 127, 1001, 1200),
                         testing::PrintToStringParamName());

/// The real signal whose spectrum begins with these elements.
void expectRealInverse(int64_t length) {
  int64_t half = length / 2 + 1;
  EvaluatedModel y = evaluateModel(
      "20",
      "g (float[1, " + std::to_string(half) + ", 2] x) => (float[a, b, c] y) <int64 n = {" +
          std::to_string(length) + "}> { y = DFT<inverse = 1, onesided = 1>(x, n) }",
      {{1, half, 2}});
  std::vector<Complex> spectrum = counting(half, true);
  spectrum.resize(length);
  for (int64_t k = half; k < length; ++k)
    spectrum[k] = std::conj(spectrum[length - k]);
  spectrum[0].imag(0);
  if (length % 2 == 0)
    spectrum[half - 1].imag(0);
  std::vector<Complex> actual(y.values.begin(), y.values.end()), expected = transform(spectrum, 1);
  for (Complex &value : expected)
    value /= double(length);
  expectNear(actual, expected, length);
}
TEST(Fourier, RealInverseOfEvenLength) { expectRealInverse(8); }
TEST(Fourier, RealInverseOfOddLength) { expectRealInverse(9); }

TEST(Fourier, SymbolicLengthAndOtherAxis) {
  EvaluatedModel y = evaluateModel(
      "17", "g (float[n, 2, 1] x) => (float[n, 2, 2] y) { y = DFT<axis = 0>(x) }", {{6, 2, 1}});
  std::vector<Complex> pairs = pairsOf(y.values), even, odd;
  for (size_t i = 0; i + 1 < pairs.size(); i += 2) {
    even.push_back(pairs[i]);
    odd.push_back(pairs[i + 1]);
  }
  expectNear(even, transform({1, 3, 5, 7, 9, 11}), 6);
  expectNear(odd, transform({2, 4, 6, 8, 10, 12}), 6);
}

TEST(Fourier, SignalsAreCutAndFilled) {
  auto ofLength = [](const std::string &length) {
    return pairsOf(evaluateModel("20",
                                 "g (float[1, 4, 1] x) => (float[a, b, c] y) <int64 n = {" +
                                     length + "}> { y = DFT(x, n) }",
                                 {{1, 4, 1}})
                       .values);
  };
  expectNear(ofLength("3"), transform({1, 2, 3}), 3);
  expectNear(ofLength("6"), transform({1, 2, 3, 4, 0, 0}), 6);
}

TEST(Fourier, ShortTime) {
  EvaluatedModel y = evaluateModel(
      "17",
      "g (float[1, n, 1] x) => (float[1, f, 3, 2] y) <int64 step = {3}, float[4] w = {0.5, 1, 2, "
      "0}> { y = STFT(x, step, w) }",
      {{1, 11, 1}});
  EXPECT_EQ(y.shape, (std::vector<int64_t>{1, 3, 3, 2}));
  std::vector<Complex> all = pairsOf(y.values);
  ASSERT_EQ(all.size(), 9u);
  for (int64_t frame = 0; frame < 3; ++frame) {
    double first = double(3 * frame + 1);
    expectNear({all.begin() + 3 * frame, all.begin() + 3 * frame + 3},
               transform({0.5 * first, first + 1, 2 * (first + 2), 0}), 3);
  }
}

TEST(Windows, OfOneElementAndSymmetric) {
  auto hann = [](const std::string &attributes, const std::string &size) {
    return evaluateModel("17",
                         "g (float[1] x) => (float[n] y) <int64 n = {" + size +
                             "}> { y = HannWindow<" + attributes + ">(n) }",
                         {{1}})
        .values;
  };
  EXPECT_EQ(hann("periodic = 0", "1"), (std::vector<double>{0}));
  std::vector<double> symmetric = hann("periodic = 0", "5");
  ASSERT_EQ(symmetric.size(), 5u);
  EXPECT_NEAR(symmetric[1], 0.5, 1e-7);
  EXPECT_NEAR(symmetric[2], 1, 1e-7);
  EXPECT_NEAR(symmetric[4], 0, 1e-7);
  EXPECT_NEAR(hann("periodic = 1", "4")[2], 1, 1e-7);
}

} // namespace

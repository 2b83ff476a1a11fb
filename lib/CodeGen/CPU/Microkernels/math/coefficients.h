//===- coefficients.h - constants of the elementary functions -------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Minimax fits (Remez exchange in 60 digits, then rounded to f32); "error" is that of the
// unrounded polynomial, weighted as the formula uses it.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_MATH_COEFFICIENTS_H
#define LLMC_UK_MATH_COEFFICIENTS_H

namespace {

constexpr float log2e = 1.44269504088896341f;
// ln 2 in two parts; the high one has 16 bits, so that n * high is exact.
constexpr float ln2High = 0.693145751953125f;
constexpr float ln2Low = 1.42860682030941723e-6f;
constexpr float expLowest = -104.0f; // below half of the smallest subnormal
constexpr float expHighest = 89.0f;  // above the largest f32

// e^r = 1 + r + r^2 P(r), |r| <= ln(2)/2; error 3.2e-9
constexpr float expPoly[] = {0.5f, 0.166665181517601f, 0.04166620224714279f,
                             0.008369024842977524f, 0.001395072671584785f};
// tanh(x) = x + x^3 P(x^2), |x| < 0.6; relative error 8.8e-11
constexpr float tanhSplit = 0.6f;
constexpr float tanhPoly[] = {-0.3333333134651184f, 0.13333247601985931f,
                              -0.053952474147081375f, 0.021734440699219704f,
                              -0.00826709158718586f, 0.0022310647182166576f};
// log(1+f) = f - f^2/2 + f^3 P(f), sqrt(1/2) <= 1+f < sqrt(2); error 7.6e-10
constexpr float logPoly[] = {0.3333331048488617f,   -0.24999986588954926f,
                             0.20002146065235138f,  -0.16669215261936188f,
                             0.14220021665096283f,  -0.1238556057214737f,
                             0.11865135282278061f,  -0.11780652403831482f,
                             0.06920982152223587f};
// sin(r) = r + r^3 P(r^2), cos(r) = 1 - r^2/2 + r^4 P(r^2), |r| <= pi/4; error 1e-10
constexpr float sinPoly[] = {-0.1666666716337204f, 0.008333329111337662f,
                             -0.00019839295418933034f, 2.7179398784937803e-06f};
constexpr float cosPoly[] = {0.04166664555668831f, -0.0013887337408959866f,
                             2.4434846636722796e-05f};
// pi/2 in three parts for reduction by fused multiply-adds
constexpr float twoOverPi = 0.636619772367581343f;
constexpr float halfPi1 = 0x1.921fb6p+0f;
constexpr float halfPi2 = -0x1.777a5cp-25f;
constexpr float halfPi3 = -0x1.ee59dap-50f;
// erf(x) = x P(x^2), |x| < 1; relative error 1.2e-9
constexpr float erfSmall[] = {1.1283791065216064f,   -0.3761262595653534f,
                              0.11283600330352783f,  -0.026854444295167923f,
                              0.005189535673707724f, -0.0008020842797122896f,
                              7.889124390203506e-05f};
// erfc(x) = exp(P(x)), 1 <= x <= 4; error 1.9e-11
constexpr float erfLarge[] = {0.0001937053893925622f, -1.1296073198318481f,
                              -0.6331565380096436f,   -0.10849649459123611f,
                              0.02526700869202614f,   -0.00423236470669508f,
                              0.0004493967571761459f, -2.2995302060735412e-05f,
                              9.103354869921532e-08f};
// log2((1+s)/(1-s)) = s P(s^2), |s| <= 0.1717; 2^r, |r| <= 1/2; errors 1.2e-11, 4.1e-11
constexpr double powLog[] = {2.885390081790233, 0.9617966731592287,
                             0.5770836198604907, 0.4116706112649145,
                             0.3407694885275825};
constexpr double powExp[] = {0.9999999999594854,   0.6931471805349827,
                             0.24022651214200563,  0.05550410976251859,
                             0.009618025521862287, 0.00133334225297046,
                             0.00015469758026675422, 1.531648860341153e-05};

} // namespace

#endif // LLMC_UK_MATH_COEFFICIENTS_H

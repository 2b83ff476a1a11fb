//===- Calibration.h - what this machine can do at most ----------*- C++
//-*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The roofs that `llmc-run bench` compares a model with: read bandwidth over as
// many bytes as the model's weights have, and f32 multiply-add arithmetic, both
// measured with the given number of threads.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_RUN_CALIBRATION_H
#define LLMC_TOOLS_RUN_CALIBRATION_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace llmc::run {

/// Reads one buffer from several threads. The buffer is filled once and stays
/// for all measurements.
class BandwidthProbe {
public:
  /// `sizeBytes` is rounded up to a whole page. Check isValid() afterwards.
  explicit BandwidthProbe(size_t sizeBytes);
  ~BandwidthProbe();
  BandwidthProbe(const BandwidthProbe &) = delete;
  BandwidthProbe &operator=(const BandwidthProbe &) = delete;

  /// False where the memory could not be had.
  bool isValid() const { return memory != nullptr; }

  /// Bytes per second of one pass over the buffer, each thread reading its own
  /// contiguous share; the better of several ways to read.
  double measure(unsigned numThreads) const;

private:
  size_t sizeBytes;
  uint8_t *memory = nullptr; // owned; from mmap
};

/// Floating point operations per second (a multiply-add counts as two) of
/// independent f32 FMAs in the widest registers that may be used here.
double measurePeakArithmetic(unsigned numThreads);

/// The instruction set that the probes use: "avx512f", "avx2+fma" or
/// "baseline".
const char *calibrationISA();

/// The processor's name from /proc/cpuinfo, or "unknown CPU".
std::string cpuName();

} // namespace llmc::run

#endif // LLMC_TOOLS_RUN_CALIBRATION_H

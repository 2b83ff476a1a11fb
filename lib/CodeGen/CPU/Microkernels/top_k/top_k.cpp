//===- top_k.cpp - selection by a heap of positions -----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "top_k.h"

namespace {

/// An integer that orders as the element does.
int64_t keyOf(double x) {
  if (x != x)
    return INT64_MAX;
  int64_t bits = __builtin_bit_cast(int64_t, x + 0.0); // -0 becomes 0
  return bits < 0 ? bits ^ INT64_MAX : bits;
}
int64_t keyOf(float x) { return keyOf((double)x); }
template <class T> int64_t keyOf(T x) { return (int64_t)x; }
int64_t keyOf(uint64_t x) { return (int64_t)(x ^ (uint64_t(1) << 63)); }

struct F16 {
  static int64_t key(uint16_t bits) { return keyOf((float)__builtin_bit_cast(_Float16, bits)); }
};
struct BF16 {
  static int64_t key(uint16_t bits) {
    return keyOf(__builtin_bit_cast(float, (uint32_t)bits << 16));
  }
};
template <class T> struct Plain {
  static int64_t key(T x) { return keyOf(x); }
};

template <class Key, class T> struct Line {
  const T *x;
  int64_t strideX;
  int64_t *y;
  int64_t strideY;
  int64_t flip; // -1 where the smallest are wanted

  int64_t &at(int64_t j) { return y[j * strideY]; }
  int64_t key(int64_t position) { return Key::key(x[position * strideX]) ^ flip; }
  bool isBetter(int64_t a, int64_t b) {
    int64_t ka = key(a), kb = key(b);
    return ka != kb ? ka > kb : a < b;
  }

  /// Restores the heap below `hole` for `position`; the worst is at the root.
  void sink(int64_t hole, int64_t size, int64_t position) {
    for (int64_t child; (child = 2 * hole + 1) < size; hole = child) {
      if (child + 1 < size && isBetter(at(child), at(child + 1)))
        ++child;
      if (!isBetter(position, at(child)))
        break;
      at(hole) = at(child);
    }
    at(hole) = position;
  }

  void select(int64_t n, int64_t k) {
    if (k <= 0)
      return;
    for (int64_t i = 0; i < k; ++i)
      at(i) = i;
    for (int64_t i = k / 2 - 1; i >= 0; --i)
      sink(i, k, at(i));
    int64_t worst = key(at(0));
    for (int64_t i = k; i < n; ++i)
      if (key(i) > worst) { // an equal one comes later and is no better
        sink(0, k, i);
        worst = key(at(0));
      }
    // Takes the worst off to the end of what is left.
    for (int64_t size = k - 1; size > 0; --size) {
      int64_t last = at(size);
      at(size) = at(0);
      sink(0, size, last);
    }
  }
};

} // namespace

#define LLMC_UK_DEFINE_TOP_K(name, type, Key)                                  \
  extern "C" void llmc_uk_top_k_##name(const type *x, int64_t strideX, int64_t n, \
                                       int64_t *y, int64_t strideY, int64_t k, \
                                       int64_t largest) {                      \
    Line<Key, type>{x, strideX, y, strideY, largest ? 0 : -1}.select(n, k);    \
  }
LLMC_UK_DEFINE_TOP_K(f64, double, Plain<double>)
LLMC_UK_DEFINE_TOP_K(f32, float, Plain<float>)
LLMC_UK_DEFINE_TOP_K(f16, uint16_t, F16)
LLMC_UK_DEFINE_TOP_K(bf16, uint16_t, BF16)
LLMC_UK_DEFINE_TOP_K(i8, int8_t, Plain<int8_t>)
LLMC_UK_DEFINE_TOP_K(i16, int16_t, Plain<int16_t>)
LLMC_UK_DEFINE_TOP_K(i32, int32_t, Plain<int32_t>)
LLMC_UK_DEFINE_TOP_K(i64, int64_t, Plain<int64_t>)
LLMC_UK_DEFINE_TOP_K(u8, uint8_t, Plain<uint8_t>)
LLMC_UK_DEFINE_TOP_K(u16, uint16_t, Plain<uint16_t>)
LLMC_UK_DEFINE_TOP_K(u32, uint32_t, Plain<uint32_t>)
LLMC_UK_DEFINE_TOP_K(u64, uint64_t, Plain<uint64_t>)

//===- x86_64_v3.h - vector traits of AVX2 + FMA --------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The same interface as x86_64_v4.h; see there.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_SIMD_X86_64_V3_H
#define LLMC_UK_SIMD_X86_64_V3_H

#include <immintrin.h>
#include <stdint.h>

#define LLMC_UK_INLINE inline __attribute__((always_inline))

namespace {

struct Simd {
  static constexpr int W = 8;
  static constexpr int maxTileRows = 6;
  using V = __m256;
  using I = __m256i;
  using Mask = __m256i; // all ones in a selected lane

  static LLMC_UK_INLINE Mask firstN(int64_t n) {
    int32_t lanes = n >= W ? W : n <= 0 ? 0 : int32_t(n);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static LLMC_UK_INLINE Mask range(int64_t begin, int64_t end) {
    return _mm256_andnot_si256(firstN(begin), firstN(end));
  }

  static LLMC_UK_INLINE V zero() { return _mm256_setzero_ps(); }
  static LLMC_UK_INLINE V set1(float x) { return _mm256_set1_ps(x); }
  static LLMC_UK_INLINE V load(const float *p) { return _mm256_loadu_ps(p); }
  static LLMC_UK_INLINE V load(const float *p, Mask m) {
    return _mm256_maskload_ps(p, m);
  }
  static LLMC_UK_INLINE V loadF16(const uint16_t *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
  }
  static LLMC_UK_INLINE V loadF16(const uint16_t *p, Mask m) {
    return _mm256_cvtph_ps(firstOf(p, m));
  }
  static LLMC_UK_INLINE V loadBF16(const uint16_t *p) {
    return fromBF16(_mm_loadu_si128((const __m128i *)p));
  }
  static LLMC_UK_INLINE V loadBF16(const uint16_t *p, Mask m) {
    return fromBF16(firstOf(p, m));
  }
  static LLMC_UK_INLINE V loadI8(const int8_t *p) {
    return toFloat(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
  }
  static LLMC_UK_INLINE V loadI8(const int8_t *p, Mask m) {
    return toFloat(_mm256_cvtepi8_epi32(firstOf(p, m)));
  }
  static LLMC_UK_INLINE V fromBF16(__m128i x) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
  }
  /// Elements 0, 1, .. of those lanes of m, with no read behind them: AVX2 masks dwords only.
  template <class T> static LLMC_UK_INLINE __m128i firstOf(const T *p, Mask m) {
    alignas(16) T elements[16 / sizeof(T)] = {};
    const int count = __builtin_popcount(unsigned(_mm256_movemask_ps(_mm256_castsi256_ps(m))));
    for (int i = 0; i < count; ++i)
      elements[i] = p[i];
    return _mm_load_si128((const __m128i *)elements);
  }
  static LLMC_UK_INLINE void store(float *p, V v) { _mm256_storeu_ps(p, v); }
  static LLMC_UK_INLINE void store(float *p, V v, Mask m) {
    _mm256_maskstore_ps(p, m, v);
  }
  static LLMC_UK_INLINE V add(V a, V b) { return _mm256_add_ps(a, b); }
  static LLMC_UK_INLINE V sub(V a, V b) { return _mm256_sub_ps(a, b); }
  static LLMC_UK_INLINE V mul(V a, V b) { return _mm256_mul_ps(a, b); }
  static LLMC_UK_INLINE V div(V a, V b) { return _mm256_div_ps(a, b); }
  static LLMC_UK_INLINE V max(V a, V b) { return _mm256_max_ps(a, b); }
  static LLMC_UK_INLINE V min(V a, V b) { return _mm256_min_ps(a, b); }
  static LLMC_UK_INLINE V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static LLMC_UK_INLINE V abs(V a) {
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
  }
  static LLMC_UK_INLINE V select(Mask m, V a, V b) {
    return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(m));
  }
  static LLMC_UK_INLINE V round(V a) {
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static LLMC_UK_INLINE V scale2(V a, V n) {
    // 2^n alone may leave the f32 range at both ends: two factors.
    I i = _mm256_cvtps_epi32(n);
    I lo = _mm256_srai_epi32(i, 1), hi = _mm256_sub_epi32(i, lo);
    return mul(mul(a, exponent(lo)), exponent(hi));
  }
  static LLMC_UK_INLINE V exponent(I n) {
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
  }
  static LLMC_UK_INLINE V copySign(V a, V s) {
    V sign = _mm256_set1_ps(-0.0f);
    return _mm256_or_ps(_mm256_andnot_ps(sign, a), _mm256_and_ps(sign, s));
  }
  static LLMC_UK_INLINE Mask less(V a, V b) {
    return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_LT_OQ));
  }
  static LLMC_UK_INLINE float first(V a) { return _mm256_cvtss_f32(a); }
  static LLMC_UK_INLINE float reduceMax(V a) {
    __m128 x = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    x = _mm_max_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_max_ss(x, _mm_shuffle_ps(x, x, 1)));
  }

  /// Lane l: sum of v[l]: ((0+2)+(1+3)) of each 128 bits, then their sum.
  static LLMC_UK_INLINE V reduceRows(const V v[8]) {
    V w0 = quads(pairs(v[0], v[1]), pairs(v[2], v[3]));
    V w1 = quads(pairs(v[4], v[5]), pairs(v[6], v[7]));
    return halves(w0, w1);
  }
  static LLMC_UK_INLINE float reduceAdd(V v) {
    V s = pairs(v, v), w = quads(s, s);
    return _mm256_cvtss_f32(halves(w, w));
  }
  static LLMC_UK_INLINE V pairs(V a, V b) {
    return add(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
  }
  static LLMC_UK_INLINE V quads(V a, V b) {
    __m256d ad = _mm256_castps_pd(a), bd = _mm256_castps_pd(b);
    return add(_mm256_castpd_ps(_mm256_unpacklo_pd(ad, bd)),
               _mm256_castpd_ps(_mm256_unpackhi_pd(ad, bd)));
  }
  static LLMC_UK_INLINE V halves(V a, V b) {
    return add(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
  }

  /// 8 x 8.
  static LLMC_UK_INLINE void transpose(V v[8]) {
    V t[8];
#pragma unroll
    for (int i = 0; i < 8; i += 4) {
      __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(v[i], v[i + 1]));
      __m256d b = _mm256_castps_pd(_mm256_unpackhi_ps(v[i], v[i + 1]));
      __m256d c = _mm256_castps_pd(_mm256_unpacklo_ps(v[i + 2], v[i + 3]));
      __m256d d = _mm256_castps_pd(_mm256_unpackhi_ps(v[i + 2], v[i + 3]));
      t[i] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, c));
      t[i + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, c));
      t[i + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(b, d));
      t[i + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(b, d));
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      v[i] = _mm256_permute2f128_ps(t[i], t[4 + i], 0x20);
      v[4 + i] = _mm256_permute2f128_ps(t[i], t[4 + i], 0x31);
    }
  }

  static LLMC_UK_INLINE I loadI(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
  }
  static LLMC_UK_INLINE I zeroI() { return _mm256_setzero_si256(); }
  static LLMC_UK_INLINE I set1I(int32_t x) { return _mm256_set1_epi32(x); }
  static LLMC_UK_INLINE I low4(I x) {
    return _mm256_and_si256(x, _mm256_set1_epi8(15));
  }
  static LLMC_UK_INLINE I high4(I x) { return low4(_mm256_srli_epi16(x, 4)); }
  static LLMC_UK_INLINE V toFloat(I x) { return _mm256_cvtepi32_ps(x); }
  static LLMC_UK_INLINE I widenU8(const uint8_t *p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
  }
  static LLMC_UK_INLINE I negateForSum(I x) {
    return _mm256_and_si256(_mm256_sub_epi32(zeroI(), x), _mm256_set1_epi32(0xffff));
  }
  template <int shift> static LLMC_UK_INLINE V nibble(I x) {
    return toFloat(_mm256_and_si256(_mm256_srli_epi32(x, shift), _mm256_set1_epi32(15)));
  }
  template <int shift> static LLMC_UK_INLINE V nibbleLess8(I x) {
    return sub(nibble<shift>(x), set1(8));
  }
  static LLMC_UK_INLINE I roundToInt(V a) { return _mm256_cvtps_epi32(a); }
  static LLMC_UK_INLINE void storeI8(int8_t *p, I x) {
    __m128i w = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    _mm_storel_epi64((__m128i *)p, _mm_packs_epi16(w, w));
  }
  /// The byte at bit `shift` of every dword, as f32.
  template <int shift> static LLMC_UK_INLINE V byte(I x) {
    return toFloat(_mm256_and_si256(_mm256_srli_epi32(x, shift), _mm256_set1_epi32(0xff)));
  }
  static LLMC_UK_INLINE void storeI(int32_t *p, I x) {
    _mm256_storeu_si256((__m256i *)p, x);
  }
  static LLMC_UK_INLINE void storeI(int32_t *p, I x, Mask m) {
    store((float *)p, _mm256_castsi256_ps(x), m);
  }
  /// Per dword acc + sum of 4 products of unsigned bytes of a and signed bytes of w, exact.
  static LLMC_UK_INLINE I dotU8I8(I acc, I a, I w) {
    const I low = _mm256_set1_epi32(0x00ff00ff);
    I even = _mm256_madd_epi16(_mm256_and_si256(a, low),
                               _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8));
    I odd = _mm256_madd_epi16(_mm256_and_si256(_mm256_srli_epi16(a, 8), low),
                              _mm256_srai_epi16(w, 8));
    return _mm256_add_epi32(acc, _mm256_add_epi32(even, odd));
  }
  static LLMC_UK_INLINE I negateI(I a) { return _mm256_sub_epi32(zeroI(), a); }
  static LLMC_UK_INLINE I addI(I a, I b) { return _mm256_add_epi32(a, b); }
  static LLMC_UK_INLINE int32_t reduceAddI(I a) {
    __m128i x = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(x, _mm_shuffle_epi32(x, 0xb1)));
  }

  template <int Bits> struct Dot {
    I low = zeroI(), high = zeroI(), init;
    LLMC_UK_INLINE explicit Dot(I negZero, I sum)
        : init(_mm256_madd_epi16(negZero, sum)) {}
    LLMC_UK_INLINE void step(I w, I x) {
      low = _mm256_add_epi16(low, _mm256_maddubs_epi16(Bits == 8 ? low4(w) : w, x));
      if constexpr (Bits == 8)
        high = _mm256_add_epi16(high, _mm256_maddubs_epi16(high4(w), x));
    }
    LLMC_UK_INLINE I finish() const {
      I sum = _mm256_add_epi32(init, _mm256_madd_epi16(low, _mm256_set1_epi16(1)));
      if constexpr (Bits == 8)
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(high, _mm256_set1_epi16(16)));
      return sum;
    }
  };
};

} // namespace

#endif // LLMC_UK_SIMD_X86_64_V3_H

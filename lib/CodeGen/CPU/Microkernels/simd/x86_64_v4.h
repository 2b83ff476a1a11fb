//===- x86_64_v4.h - vector traits of the AVX-512 levels ------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the kernel templates (*.inc) need from an ISA. Everything is in an anonymous
// namespace: native builds link several levels into one program, and a template
// instance of one level must never stand in for another's.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_SIMD_X86_64_V4_H
#define LLMC_UK_SIMD_X86_64_V4_H

#include <immintrin.h>
#include <stdint.h>

#define LLMC_UK_INLINE inline __attribute__((always_inline))

namespace {

struct Simd {
  static constexpr int W = 16;        // f32 lanes
  static constexpr int maxTileRows = 12;
  using V = __m512;
  using I = __m512i; // int32 lanes, or bytes
  using Mask = __mmask16;

  /// The first n lanes; n is clamped to [0, W].
  static LLMC_UK_INLINE Mask firstN(int64_t n) {
    return n >= W ? Mask(0xffff) : n <= 0 ? Mask(0) : Mask((1u << n) - 1);
  }
  /// The lanes l with begin <= l < end.
  static LLMC_UK_INLINE Mask range(int64_t begin, int64_t end) {
    return Mask(firstN(end) & ~firstN(begin));
  }

  static LLMC_UK_INLINE V zero() { return _mm512_setzero_ps(); }
  static LLMC_UK_INLINE V set1(float x) { return _mm512_set1_ps(x); }
  static LLMC_UK_INLINE V load(const float *p) { return _mm512_loadu_ps(p); }
  static LLMC_UK_INLINE V load(const float *p, Mask m) {
    return _mm512_maskz_loadu_ps(m, p);
  }
  /// W narrow elements as f32; a mask has the first lanes, and reads nothing behind them.
  static LLMC_UK_INLINE V loadF16(const uint16_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
  }
  static LLMC_UK_INLINE V loadF16(const uint16_t *p, Mask m) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, p));
  }
  static LLMC_UK_INLINE V loadBF16(const uint16_t *p) {
    return fromBF16(_mm256_loadu_si256((const __m256i *)p));
  }
  static LLMC_UK_INLINE V loadBF16(const uint16_t *p, Mask m) {
    return fromBF16(_mm256_maskz_loadu_epi16(m, p));
  }
  static LLMC_UK_INLINE V loadI8(const int8_t *p) {
    return toFloat(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
  }
  static LLMC_UK_INLINE V loadI8(const int8_t *p, Mask m) {
    return toFloat(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(m, p)));
  }
  static LLMC_UK_INLINE V fromBF16(__m256i x) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
  }
  static LLMC_UK_INLINE void store(float *p, V v) { _mm512_storeu_ps(p, v); }
  static LLMC_UK_INLINE void store(float *p, V v, Mask m) {
    _mm512_mask_storeu_ps(p, m, v);
  }
  static LLMC_UK_INLINE V add(V a, V b) { return _mm512_add_ps(a, b); }
  static LLMC_UK_INLINE V sub(V a, V b) { return _mm512_sub_ps(a, b); }
  static LLMC_UK_INLINE V mul(V a, V b) { return _mm512_mul_ps(a, b); }
  static LLMC_UK_INLINE V div(V a, V b) { return _mm512_div_ps(a, b); }
  static LLMC_UK_INLINE V max(V a, V b) { return _mm512_max_ps(a, b); }
  static LLMC_UK_INLINE V min(V a, V b) { return _mm512_min_ps(a, b); }
  static LLMC_UK_INLINE V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  static LLMC_UK_INLINE V abs(V a) { return _mm512_abs_ps(a); }
  /// a in the lanes of m, b elsewhere.
  static LLMC_UK_INLINE V select(Mask m, V a, V b) {
    return _mm512_mask_blend_ps(m, b, a);
  }
  static LLMC_UK_INLINE V round(V a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  /// a * 2^n for integral n in [-252, 254], n as f32.
  static LLMC_UK_INLINE V scale2(V a, V n) { return _mm512_scalef_ps(a, n); }
  /// a with the sign bit of s.
  static LLMC_UK_INLINE V copySign(V a, V s) {
    return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(
        _mm512_castps_si512(a), _mm512_castps_si512(s),
        _mm512_set1_epi32(int(0x80000000)), 0xd8)); // mask ? s : a
  }
  static LLMC_UK_INLINE Mask less(V a, V b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
  }
  static LLMC_UK_INLINE float first(V a) { return _mm512_cvtss_f32(a); }
  static LLMC_UK_INLINE float reduceMax(V a) { return _mm512_reduce_max_ps(a); }

  /// Lane l of the result: sum of v[l], as the tree over lanes
  /// ((0+2)+(1+3)) of each 128 bits, then (0+1)+(2+3) of the four.
  static LLMC_UK_INLINE V reduceRows(const V v[16]) {
    V w[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      V s = pairs(v[4 * i], v[4 * i + 1]), t = pairs(v[4 * i + 2], v[4 * i + 3]);
      __m512d sd = _mm512_castps_pd(s), td = _mm512_castps_pd(t);
      w[i] = add(_mm512_castpd_ps(_mm512_unpacklo_pd(sd, td)),
                 _mm512_castpd_ps(_mm512_unpackhi_pd(sd, td)));
    }
    V x = quarters(w[0], w[1]), y = quarters(w[2], w[3]);
    return quarters(x, y);
  }
  /// Sum of the lanes, the same tree.
  static LLMC_UK_INLINE float reduceAdd(V v) {
    V s = pairs(v, v);
    __m512d sd = _mm512_castps_pd(s);
    V w = add(_mm512_castpd_ps(_mm512_unpacklo_pd(sd, sd)),
              _mm512_castpd_ps(_mm512_unpackhi_pd(sd, sd)));
    V x = quarters(w, w);
    return _mm512_cvtss_f32(quarters(x, x));
  }
  static LLMC_UK_INLINE V pairs(V a, V b) {
    return add(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  }
  static LLMC_UK_INLINE V quarters(V a, V b) {
    return add(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
  }

  /// 16 x 16: row i of the result is column i of v.
  static LLMC_UK_INLINE void transpose(V v[16]) {
    V t[16];
#pragma unroll
    for (int i = 0; i < 16; i += 4) {
      __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(v[i], v[i + 1]));
      __m512d b = _mm512_castps_pd(_mm512_unpackhi_ps(v[i], v[i + 1]));
      __m512d c = _mm512_castps_pd(_mm512_unpacklo_ps(v[i + 2], v[i + 3]));
      __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(v[i + 2], v[i + 3]));
      t[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
      t[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
      t[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
      t[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) { // t[4g + i] holds columns i, i+4, .. of rows 4g..
      V a = _mm512_shuffle_f32x4(t[i], t[4 + i], 0x88);
      V b = _mm512_shuffle_f32x4(t[i], t[4 + i], 0xdd);
      V c = _mm512_shuffle_f32x4(t[8 + i], t[12 + i], 0x88);
      V d = _mm512_shuffle_f32x4(t[8 + i], t[12 + i], 0xdd);
      v[i] = _mm512_shuffle_f32x4(a, c, 0x88);
      v[8 + i] = _mm512_shuffle_f32x4(a, c, 0xdd);
      v[4 + i] = _mm512_shuffle_f32x4(b, d, 0x88);
      v[12 + i] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
  }

  static LLMC_UK_INLINE I loadI(const void *p) { return _mm512_loadu_si512(p); }
  static LLMC_UK_INLINE I zeroI() { return _mm512_setzero_si512(); }
  static LLMC_UK_INLINE I set1I(int32_t x) { return _mm512_set1_epi32(x); }
  static LLMC_UK_INLINE I low4(I x) {
    return _mm512_and_si512(x, _mm512_set1_epi8(15));
  }
  static LLMC_UK_INLINE I high4(I x) { return low4(_mm512_srli_epi16(x, 4)); }
  static LLMC_UK_INLINE V toFloat(I x) { return _mm512_cvtepi32_ps(x); }
  /// W bytes to int32 lanes.
  static LLMC_UK_INLINE I widenU8(const uint8_t *p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
  }
  /// Per dword: -x in the low half, zero in the high half: the weight for addSum.
  static LLMC_UK_INLINE I negateForSum(I x) {
    return _mm512_and_si512(_mm512_sub_epi32(zeroI(), x), _mm512_set1_epi32(0xffff));
  }
  /// The nibble at bit `shift` of every dword, as f32.
  template <int shift> static LLMC_UK_INLINE V nibble(I x) {
    const V table = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_permutexvar_ps(_mm512_srli_epi32(x, shift), table);
  }
  /// The same less 8.
  template <int shift> static LLMC_UK_INLINE V nibbleLess8(I x) {
    const V table = _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7);
    return _mm512_permutexvar_ps(_mm512_srli_epi32(x, shift), table);
  }
  /// Packs rounded, clamped lanes of a into W bytes.
  static LLMC_UK_INLINE I roundToInt(V a) { return _mm512_cvtps_epi32(a); }
  static LLMC_UK_INLINE void storeI8(int8_t *p, I x) {
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(x));
  }
  /// The byte at bit `shift` of every dword, as f32.
  template <int shift> static LLMC_UK_INLINE V byte(I x) {
    return toFloat(_mm512_and_si512(_mm512_srli_epi32(x, shift), _mm512_set1_epi32(0xff)));
  }
  static LLMC_UK_INLINE void storeI(int32_t *p, I x) { _mm512_storeu_si512(p, x); }
  static LLMC_UK_INLINE void storeI(int32_t *p, I x, Mask m) {
    _mm512_mask_storeu_epi32(p, m, x);
  }
  /// Per dword acc + sum of 4 products of unsigned bytes of a and signed bytes of w, exact.
  static LLMC_UK_INLINE I dotU8I8(I acc, I a, I w) {
#ifdef __AVX512VNNI__
    return _mm512_dpbusd_epi32(acc, a, w);
#else
    const I low = _mm512_set1_epi32(0x00ff00ff);
    I even = _mm512_madd_epi16(_mm512_and_si512(a, low),
                               _mm512_srai_epi16(_mm512_slli_epi16(w, 8), 8));
    I odd = _mm512_madd_epi16(_mm512_and_si512(_mm512_srli_epi16(a, 8), low),
                              _mm512_srai_epi16(w, 8));
    return _mm512_add_epi32(acc, _mm512_add_epi32(even, odd));
#endif
  }
  static LLMC_UK_INLINE I negateI(I a) { return _mm512_sub_epi32(zeroI(), a); }
  static LLMC_UK_INLINE I addI(I a, I b) { return _mm512_add_epi32(a, b); }
  static LLMC_UK_INLINE int32_t reduceAddI(I a) { return _mm512_reduce_add_epi32(a); }

  /// Dot products of 4 unsigned bytes (of at most Bits bits) with 4 signed bytes per
  /// dword; up to eight of them before finish(). Exact. Starts from zero points, as
  /// negateForSum has them, times the sum of the signed bytes.
  template <int Bits> struct Dot {
#ifdef __AVX512VNNI__
    I acc;
    LLMC_UK_INLINE explicit Dot(I negZero, I sum)
        : acc(_mm512_madd_epi16(negZero, sum)) {}
    LLMC_UK_INLINE void step(I w, I x) { acc = _mm512_dpbusd_epi32(acc, w, x); }
    LLMC_UK_INLINE I finish() const { return acc; }
#else
    // int16 sums of low and high nibbles: 8 * 2 * 15 * 128 = 30720 fits.
    I low = zeroI(), high = zeroI(), init;
    LLMC_UK_INLINE explicit Dot(I negZero, I sum)
        : init(_mm512_madd_epi16(negZero, sum)) {}
    LLMC_UK_INLINE void step(I w, I x) {
      low = _mm512_add_epi16(low, _mm512_maddubs_epi16(Bits == 8 ? low4(w) : w, x));
      if constexpr (Bits == 8)
        high = _mm512_add_epi16(high, _mm512_maddubs_epi16(high4(w), x));
    }
    LLMC_UK_INLINE I finish() const {
      I sum = _mm512_add_epi32(init, _mm512_madd_epi16(low, _mm512_set1_epi16(1)));
      if constexpr (Bits == 8)
        sum = _mm512_add_epi32(sum, _mm512_madd_epi16(high, _mm512_set1_epi16(16)));
      return sum;
    }
#endif
  };
};

} // namespace

#endif // LLMC_UK_SIMD_X86_64_V4_H

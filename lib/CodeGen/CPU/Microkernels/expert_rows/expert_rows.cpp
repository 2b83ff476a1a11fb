//===- expert_rows.cpp - rows of one expert, side by side -----------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "expert_rows.h"

namespace {

/// The ids that mean one expert: those outside mean the first or the last one.
template <class T> struct Range {
  T low, high;

  Range(int64_t expert, int64_t experts) {
    constexpr T most = sizeof(T) == 4 ? (T)INT32_MAX : (T)INT64_MAX;
    expert = expert >= experts ? experts - 1 : expert < 0 ? 0 : expert;
    low = expert == 0 ? (T)(-most - 1) : (T)expert;
    high = expert == experts - 1 ? most : (T)expert;
  }
  bool has(T id) const { return low <= id && id <= high; }
};

template <class T> struct Ids {
  const T *ids;
  int64_t count;

  /// Whether one of the first `end` ids is in `range`.
  bool has(Range<T> range, int64_t end) const {
    for (int64_t i = 0; i < end; ++i)
      if (range.has(ids[i]))
        return true;
    return false;
  }

  int64_t list(Range<T> range, int64_t skip, int64_t *rows, int64_t most) const {
    // Most experts are not in most chunks; looking for one takes a few vector instructions.
    constexpr int64_t chunk = 16;
    int64_t found = 0;
    for (int64_t i = 0; i < count; i += chunk) {
      if (i + chunk <= count) {
        bool any = false;
        for (int64_t j = 0; j < chunk; ++j)
          any |= range.has(ids[i + j]);
        if (!any)
          continue;
      }
      for (int64_t j = i; j < i + chunk && j < count; ++j) {
        if (!range.has(ids[j]))
          continue;
        if (found >= skip && found - skip < most)
          rows[found - skip] = j;
        ++found;
      }
    }
    return found > skip ? found - skip : 0;
  }
};

template <class T>
int64_t expertRows(Ids<T> all, int64_t experts, int64_t slot, int64_t skip, int64_t *rows,
                   int64_t most) {
  bool isExpert = all.count >= experts;
  int64_t expert = isExpert ? slot : (int64_t)all.ids[slot];
  Range<T> range(expert, experts);
  if (!isExpert && all.has(range, slot))
    return 0;
  return all.list(range, skip, rows, most);
}

} // namespace

LLMC_UK_DECLARE_EXPERT_ROWS(i32, int32_t) {
  return expertRows(Ids<int32_t>{ids, count}, experts, slot, skip, rows, most);
}

LLMC_UK_DECLARE_EXPERT_ROWS(i64, int64_t) {
  return expertRows(Ids<int64_t>{ids, count}, experts, slot, skip, rows, most);
}

void llmc_uk_gather_rows(const float *x, int64_t stride, const int64_t *rows, int64_t m,
                         int64_t choices, int64_t k, float *y) {
  for (int64_t i = 0; i < m; ++i, y += k) {
    const float *row = x + rows[i] / choices * stride;
    for (int64_t p = 0; p < k; ++p)
      y[p] = row[p];
  }
}

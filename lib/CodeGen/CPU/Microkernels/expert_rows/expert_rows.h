//===- expert_rows.h - contract of the grouping of rows by expert ---------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   llmc_uk_expert_rows_<type>(ids, count, experts, slot, skip, rows, most)
//
// Row i of `count` is for expert ids[i]; an id outside [0, experts) counts as the nearest
// one. There are min(count, experts) slots, one per expert that occurs and some without
// rows: with count >= experts slot s is expert s; else it is the expert of row s, and has
// no rows where an earlier row is for the same one.
//
// Returns how many rows the slot has behind its first `skip`, and writes the first `most`
// of those to `rows`, ascending.
//
//   llmc_uk_gather_rows(x, stride, rows, m, choices, k, y)
//
// y[i * k + p] = x[rows[i] / choices * stride + p] for i in [0, m), p in [0, k).
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_UK_EXPERT_ROWS_H
#define LLMC_UK_EXPERT_ROWS_H

#include <stdint.h>

#define LLMC_UK_DECLARE_EXPERT_ROWS(name, type)                                \
  extern "C" int64_t llmc_uk_expert_rows_##name(                               \
      const type *ids, int64_t count, int64_t experts, int64_t slot,           \
      int64_t skip, int64_t *rows, int64_t most)
LLMC_UK_DECLARE_EXPERT_ROWS(i32, int32_t);
LLMC_UK_DECLARE_EXPERT_ROWS(i64, int64_t);

extern "C" void llmc_uk_gather_rows(const float *x, int64_t stride, const int64_t *rows,
                                    int64_t m, int64_t choices, int64_t k, float *y);

#endif // LLMC_UK_EXPERT_ROWS_H

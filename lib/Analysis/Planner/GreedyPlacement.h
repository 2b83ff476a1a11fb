//===- GreedyPlacement.h - fast offsets, one item after the other
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_ANALYSIS_PLANNER_GREEDYPLACEMENT_H
#define LLMC_LIB_ANALYSIS_PLANNER_GREEDYPLACEMENT_H

#include "PackingProblem.h"

namespace llmc::planner {

/// Places the items of one component in several orders, keeps the lowest peak, then
/// moves items that ended above the target to the front of their order and tries again
/// ("squeaky wheel", Joslin and Clements 1999) as long as a fixed amount of work lasts.
/// Stops when the peak is at most `target`. Returns the peak; kMaxBytes where every
/// order passes it (offsets mean nothing then).
int64_t placeGreedily(const PackingProblem &problem, std::span<const int> items, int64_t target,
                      std::span<int64_t> offsets);

} // namespace llmc::planner

#endif // LLMC_LIB_ANALYSIS_PLANNER_GREEDYPLACEMENT_H

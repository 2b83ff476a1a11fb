//===- GreedyPlacement.h - fast offsets, in several orders that learn
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_ANALYSIS_PLANNER_GREEDYPLACEMENT_H
#define LLMC_LIB_ANALYSIS_PLANNER_GREEDYPLACEMENT_H

#include "PackingProblem.h"

namespace llmc::planner {

/// Places the items of one component valley by valley (ValleyPlacement.h) in several orders,
/// keeps the lowest peak, then moves items that ended above the target forward in their
/// order and tries again ("squeaky wheel", Joslin and Clements 1999). Stops when the peak
/// is at most `target`, or when more than `maxWork` was done (as ValleyPlacement counts; one
/// order is always tried). Returns the peak; kMaxBytes where every order passes it (offsets
/// mean nothing then).
int64_t placeGreedily(const PackingProblem &problem, std::span<const int> items, int64_t target,
                      int64_t maxWork, std::span<int64_t> offsets);

} // namespace llmc::planner

#endif // LLMC_LIB_ANALYSIS_PLANNER_GREEDYPLACEMENT_H

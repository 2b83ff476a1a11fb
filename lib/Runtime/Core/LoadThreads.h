//===- LoadThreads.h - several threads for the time of a load ---*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_RUNTIME_CORE_LOADTHREADS_H
#define LLMC_RUNTIME_CORE_LOADTHREADS_H

#include <cstdint>

namespace llmc::runtime {

/// Calls `work(context)` on this thread and on up to `threads` - 1 others (0: as many as
/// there are physical cores), never more than `most` in all, and waits for them. Returns
/// the errno value of a thread that could not be started, or 0: the others do its work.
int runOnThreads(uint32_t threads, uint64_t most, void *(*work)(void *), void *context);

} // namespace llmc::runtime

#endif // LLMC_RUNTIME_CORE_LOADTHREADS_H

//===- LoadThreads.cpp - several threads for the time of a load -----------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LoadThreads.h"

#include "CPUTopology.h"

#include <pthread.h>

int llmc::runtime::runOnThreads(uint32_t threads, uint64_t most, void *(*work)(void *),
                                void *context) {
  constexpr uint32_t limit = 64;
  pthread_t helpers[limit];
  if (threads == 0)
    threads = countCPUs().physicalCores;
  if (threads > limit)
    threads = limit;
  if (threads > most)
    threads = static_cast<uint32_t>(most);
  uint32_t started = 0;
  int reason = 0;
  while (started + 1 < threads && reason == 0) {
    reason = pthread_create(&helpers[started], nullptr, work, context);
    started += reason == 0;
  }
  work(context);
  for (uint32_t i = 0; i < started; ++i)
    pthread_join(helpers[i], nullptr);
  return reason;
}

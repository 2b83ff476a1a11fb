//===- CPUTopology.cpp - how many threads pay -----------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CPUTopology.h"

#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

using namespace llmc::runtime;

namespace {

/// 8192 is the largest NR_CPUS that Linux offers on x86-64.
constexpr uint32_t maxProcessors = 8192;

struct ProcessorSet {
  unsigned long words[maxProcessors / (8 * sizeof(unsigned long))] = {};
  bool contains(uint32_t cpu) const {
    constexpr uint32_t bits = 8 * sizeof(unsigned long);
    return cpu < maxProcessors && (words[cpu / bits] >> (cpu % bits) & 1);
  }
};

/// Reads a small kernel text file; empty if there is none.
void readText(const char *path, char *text, size_t capacity) {
  text[0] = '\0';
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return;
  ssize_t size = read(fd, text, capacity - 1);
  text[size > 0 ? size : 0] = '\0';
  close(fd);
}

uint64_t parseNumber(const char *&text) {
  uint64_t value = 0;
  while (*text >= '0' && *text <= '9')
    value = value * 10 + static_cast<uint64_t>(*text++ - '0');
  return value;
}

/// Whether `cpu` is the lowest allowed one of its core; true if unknown.
bool leadsItsCore(uint32_t cpu, const ProcessorSet &allowed) {
  char path[96] = "/sys/devices/system/cpu/cpu";
  size_t used = std::strlen(path);
  for (uint32_t unit = 1000; unit; unit /= 10)
    if (cpu >= unit || unit == 1)
      path[used++] = static_cast<char>('0' + cpu / unit % 10);
  std::strcpy(path + used, "/topology/thread_siblings_list");
  char text[256];
  readText(path, text, sizeof(text));
  // "0,64" or "0-1" or a mix
  for (const char *at = text; *at >= '0' && *at <= '9';) {
    uint64_t first = parseNumber(at), last = first;
    if (*at == '-')
      last = parseNumber(++at);
    for (uint64_t sibling = first; sibling <= last && sibling < cpu; ++sibling)
      if (allowed.contains(static_cast<uint32_t>(sibling)))
        return false;
    if (*at == ',')
      ++at;
  }
  return true;
}

/// Whole processors that the container may use (cgroup v2), or `none`.
uint32_t cgroupQuota(uint32_t none) {
  char text[64];
  readText("/sys/fs/cgroup/cpu.max", text, sizeof(text));
  const char *at = text;
  uint64_t quota = parseNumber(at); // stays 0 for "max 100000"
  if (quota == 0 || *at != ' ')
    return none;
  uint64_t period = parseNumber(++at);
  if (period == 0)
    return none;
  uint64_t processors = (quota + period - 1) / period;
  return processors < none ? static_cast<uint32_t>(processors) : none;
}

} // namespace

CPUCount llmc::runtime::countCPUs() {
  ProcessorSet allowed;
  uint32_t cores = 0, processors = 0;
  if (sched_getaffinity(0, sizeof(allowed.words), reinterpret_cast<cpu_set_t *>(allowed.words)) ==
      0)
    for (uint32_t cpu = 0; cpu < maxProcessors; ++cpu)
      if (allowed.contains(cpu)) {
        ++processors;
        cores += leadsItsCore(cpu, allowed);
      }
  processors = processors ? processors : 1;
  processors = cgroupQuota(processors);
  cores = cores ? cores : 1;
  return {cores < processors ? cores : processors, processors};
}

//===- AvailableMemory.cpp - what the system can still give ---------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AvailableMemory.h"

#include <cstring>
#include <fcntl.h>
#include <unistd.h>

using namespace llmc::runtime;

namespace {

/// The beginning of a small system file as text; empty where it cannot be read.
struct SystemText {
  char text[4096];

  explicit SystemText(const char *path) {
    ssize_t count = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
      count = read(fd, text, sizeof(text) - 1);
      close(fd);
    }
    text[count > 0 ? count : 0] = '\0';
  }
};

/// The number at the beginning of `text`, behind spaces; UINT64_MAX if there is none.
uint64_t parseNumber(const char *text) {
  while (*text == ' ')
    ++text;
  if (*text < '0' || *text > '9')
    return UINT64_MAX;
  uint64_t number = 0;
  for (; *text >= '0' && *text <= '9'; ++text)
    if (__builtin_mul_overflow(number, uint64_t{10}, &number) ||
        __builtin_add_overflow(number, static_cast<uint64_t>(*text - '0'), &number))
      return UINT64_MAX;
  return number;
}

} // namespace

uint64_t llmc::runtime::availableMemory() {
  static const char key[] = "MemAvailable:";
  uint64_t bytes = UINT64_MAX;
  SystemText facts("/proc/meminfo");
  if (const char *line = std::strstr(facts.text, key)) {
    uint64_t kibibytes = parseNumber(line + sizeof(key) - 1);
    if (kibibytes < UINT64_MAX / 1024)
      bytes = kibibytes * 1024;
  }
  SystemText membership("/proc/self/cgroup");
  uint64_t most = controlGroupBound("/sys/fs/cgroup", membership.text);
  return most < bytes ? most : bytes;
}

uint64_t llmc::runtime::controlGroupBound(const char *root, const char *membership) {
  static const char key[] = "0::", file[] = "/memory.max";
  char path[2048];
  size_t rootLength = std::strlen(root), length = rootLength;
  std::memcpy(path, root, rootLength);
  if (const char *group = std::strstr(membership, key)) {
    group += sizeof(key) - 1;
    size_t groupLength = std::strcspn(group, "\n");
    if (groupLength > sizeof(path) - sizeof(file) - rootLength)
      return UINT64_MAX;
    std::memcpy(path + rootLength, group, groupLength);
    length += groupLength;
  }
  // "max" where there is no bound. What the group uses already is mostly page cache,
  // which gives way, and is not subtracted.
  uint64_t bound = UINT64_MAX;
  for (;;) {
    std::memcpy(path + length, file, sizeof(file));
    uint64_t bytes = parseNumber(SystemText(path).text);
    bound = bytes < bound ? bytes : bound;
    if (length == rootLength)
      return bound;
    do
      --length;
    while (length > rootLength && path[length] != '/');
  }
}

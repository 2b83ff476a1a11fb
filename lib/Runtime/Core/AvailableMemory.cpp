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

/// Where the groups of one hierarchy and their bounds are: ROOT MOUNT GROUP FILE.
struct Hierarchy {
  const char *root, *mount, *file;
};

/// A path that ends with its line.
struct GroupPath {
  const char *text;
  size_t length;
};

/// The group in the hierarchy of this controller, "" for the one of version 2, from lines
/// NUMBER:CONTROLLER,CONTROLLER:GROUP; the root where there is none.
GroupPath groupOf(const char *controller, const char *membership) {
  size_t wanted = std::strlen(controller);
  for (const char *line = membership; *line;) {
    size_t length = std::strcspn(line, "\n");
    const char *name = line + std::strcspn(line, ":\n");
    while (*name == ':' || *name == ',') {
      ++name;
      size_t nameLength = std::strcspn(name, ",:\n");
      bool isWanted = nameLength == wanted && std::memcmp(name, controller, wanted) == 0;
      name += nameLength;
      const char *group = name + std::strcspn(name, ":\n");
      if (isWanted && *group == ':')
        return {group + 1, length - static_cast<size_t>(group + 1 - line)};
      if (*name == ':')
        break; // what follows is the path
    }
    line += length + (line[length] == '\n');
  }
  return {"", 0};
}

/// The smallest bound of a group and of those that it lies in.
uint64_t hierarchyBound(const Hierarchy &hierarchy, GroupPath group) {
  // Version 1 says so where there is none: the largest number of whole pages.
  constexpr uint64_t none = INT64_MAX - 0xffff;
  char path[2048];
  size_t rootLength = std::strlen(hierarchy.root), mountLength = std::strlen(hierarchy.mount);
  size_t fileSize = std::strlen(hierarchy.file) + 1, top = rootLength + mountLength;
  if (top + fileSize > sizeof(path) || group.length > sizeof(path) - fileSize - top)
    return UINT64_MAX;
  std::memcpy(path, hierarchy.root, rootLength);
  std::memcpy(path + rootLength, hierarchy.mount, mountLength);
  std::memcpy(path + top, group.text, group.length);
  // "max" where there is no bound. What the group uses already is mostly page cache,
  // which gives way, and is not subtracted.
  uint64_t bound = UINT64_MAX;
  for (size_t length = top + group.length;;) {
    std::memcpy(path + length, hierarchy.file, fileSize);
    uint64_t bytes = parseNumber(SystemText(path).text);
    if (bytes < none && bytes < bound)
      bound = bytes;
    if (length == top)
      return bound;
    do
      --length;
    while (length > top && path[length] != '/');
  }
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
  uint64_t two = hierarchyBound({root, "", "/memory.max"}, groupOf("", membership));
  uint64_t one =
      hierarchyBound({root, "/memory", "/memory.limit_in_bytes"}, groupOf("memory", membership));
  return one < two ? one : two;
}

//===- LoadedCode.cpp - a dlopen'ed code object ---------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LoadedCode.h"

#include "Error.h"
#include "Memory.h"

#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>

using namespace llmc::runtime;

LoadedCode::~LoadedCode() {
  if (handle)
    dlclose(handle);
}

namespace {

/// What of the loaded object is looked for, and whether it equals the file.
struct Comparison {
  ElfW(Addr) loadAddress;
  const uint8_t *elf;
  bool equal;
};

bool sameReadOnlySegments(const dl_phdr_info &loaded, const uint8_t *elf) {
  Elf64_Ehdr header;
  std::memcpy(&header, elf, sizeof(header));
  // Equal program headers first: only then are the sizes safe to read.
  size_t tableBytes = size_t{header.e_phnum} * sizeof(Elf64_Phdr);
  if (loaded.dlpi_phnum != header.e_phnum ||
      std::memcmp(loaded.dlpi_phdr, elf + header.e_phoff, tableBytes) != 0)
    return false;
  for (unsigned i = 0; i < loaded.dlpi_phnum; ++i) {
    const ElfW(Phdr) &segment = loaded.dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) || !(segment.p_flags & PF_R))
      continue;
    auto *memory = reinterpret_cast<const void *>(loaded.dlpi_addr + segment.p_vaddr);
    if (std::memcmp(memory, elf + segment.p_offset, segment.p_filesz) != 0)
      return false;
  }
  return true;
}

int compareIfFound(dl_phdr_info *loaded, size_t, void *argument) {
  auto *comparison = static_cast<Comparison *>(argument);
  if (loaded->dlpi_addr != comparison->loadAddress)
    return 0;
  comparison->equal = sameReadOnlySegments(*loaded, comparison->elf);
  return 1;
}

} // namespace

llmc_status_t LoadedCode::load(const char *path, const uint8_t *elf, llmc_error_t *error) {
  // A name without slash would be looked up in the library path.
  size_t length = std::strlen(path);
  Array<char> withSlash;
  const char *name = path;
  if (!std::strchr(path, '/')) {
    if (!withSlash.allocate(defaultAllocator(), length + 3))
      return ErrorWriter(error, LLMC_STATUS_OUT_OF_MEMORY) << "no memory to load '" << path << "'";
    std::memcpy(withSlash.data(), "./", 2);
    std::memcpy(withSlash.data() + 2, path, length);
    name = withSlash.data();
  }
  handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return ErrorWriter(error, LLMC_STATUS_LOAD_FAILED)
           << "cannot load code of '" << path << "': " << dlerror();
  link_map *map = nullptr;
  Comparison comparison = {0, elf, false};
  if (dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0) {
    comparison.loadAddress = map->l_addr;
    dl_iterate_phdr(compareIfFound, &comparison);
  }
  if (!comparison.equal)
    return ErrorWriter(error, LLMC_STATUS_LOAD_FAILED)
           << "another version of '" << path
           << "' is still loaded in this process; destroy its modules first";
  queryFn = reinterpret_cast<llmc_module_query_fn>(dlsym(handle, LLMC_MODULE_QUERY_SYMBOL));
  if (!queryFn)
    return ErrorWriter(error, LLMC_STATUS_BAD_ARTIFACT)
           << "'" << path << "' does not export " << LLMC_MODULE_QUERY_SYMBOL;
  return LLMC_STATUS_OK;
}

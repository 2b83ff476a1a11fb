//===- ResourcePages.cpp - memory of constants that are mapped from the model
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Dialect/LLM/IR/ResourcePages.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include <sys/mman.h>

using namespace mlir;

void llmc::releasePages(ElementsAttr value) {
  auto resource = dyn_cast<DenseResourceElementsAttr>(value);
  AsmResourceBlob *blob = resource ? resource.getRawHandle().getBlob() : nullptr;
  if (!blob || blob->isMutable())
    return;
  ArrayRef<char> bytes = blob->getData();
  uintptr_t page = 4096;
  uintptr_t begin = (reinterpret_cast<uintptr_t>(bytes.data()) + page - 1) / page * page;
  uintptr_t end = reinterpret_cast<uintptr_t>(bytes.data() + bytes.size()) / page * page;
  if (begin < end)
    madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED);
}

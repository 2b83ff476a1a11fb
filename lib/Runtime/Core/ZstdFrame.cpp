//===- ZstdFrame.cpp - the wall around libzstd ----------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The only file that sees libzstd, and that the option without it changes.
//
//===----------------------------------------------------------------------===//

#include "ZstdFrame.h"

using namespace llmc::runtime;

#if LLMC_RUNTIME_ZSTD

#include <zstd.h>

bool llmc::runtime::hasZstd() { return true; }

ZstdDecoder::ZstdDecoder() : context(ZSTD_createDCtx()) {}
ZstdDecoder::~ZstdDecoder() { ZSTD_freeDCtx(static_cast<ZSTD_DCtx *>(context)); }

const char *ZstdDecoder::decode(const uint8_t *frame, size_t frameBytes, uint8_t *target,
                                size_t targetBytes) {
  if (!context)
    return "no memory for the decompressor";
  size_t written = ZSTD_decompressDCtx(static_cast<ZSTD_DCtx *>(context), target, targetBytes,
                                       frame, frameBytes);
  if (ZSTD_isError(written))
    return ZSTD_getErrorName(written);
  return written == targetBytes ? nullptr : "it has another size";
}

#else

bool llmc::runtime::hasZstd() { return false; }
ZstdDecoder::ZstdDecoder() : context(nullptr) {}
ZstdDecoder::~ZstdDecoder() = default;
const char *ZstdDecoder::decode(const uint8_t *, size_t, uint8_t *, size_t) {
  return "this runtime was built without zstd";
}

#endif

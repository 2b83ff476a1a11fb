//===- WeightChunks.cpp - the weight region in chunks, and their index
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "WeightChunks.h"
#include "llmc/Dialect/Exec/IR/ExecOps.h"
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/MathExtras.h"

#include <atomic>
#include <thread>
#include <zstd.h>

using namespace mlir;
using namespace llmc;

/// Large enough for zstd to find what repeats, small enough for all threads to have some
/// at load.
static constexpr uint64_t kChunkBytes = uint64_t(4) << 20;
/// Buffers of one batch: twice as many chunks.
static constexpr unsigned kMostThreads = 8;
/// Level 19 makes files smaller by 0 to 8 % (demo, stories15M), and takes many times as long.
static constexpr int kLevel = 3;

std::vector<llmc_weights_chunk_t> llmc::planWeightChunks(ModuleOp module) {
  std::vector<llmc_weights_chunk_t> chunks;
  uint64_t begin = 0;
  auto cutUntil = [&](uint64_t end) {
    while (begin < end) {
      llmc_weights_chunk_t chunk = {};
      chunk.offset = begin;
      chunk.size = std::min(end - begin, kChunkBytes);
      chunks.push_back(chunk);
      begin += chunk.size;
    }
  };
  for (auto weight : module.getOps<exec::WeightOp>()) {
    if (*weight.getBytes() < exec::kOwnPagesBytes)
      continue;
    cutUntil(*weight.getOffset());
    cutUntil(llvm::alignTo(*weight.getOffset() + *weight.getBytes(), exec::kPageBytes));
  }
  uint64_t size = weightsBytes(module);
  cutUntil(size);
  if (!chunks.empty()) // the last one ends with the region, not with a page
    chunks.back().size = size - chunks.back().offset;
  return chunks;
}

uint64_t llmc::weightsIndexBytes(uint64_t numChunks) {
  return numChunks * sizeof(llmc_weights_chunk_t) + sizeof(llmc_weights_index_t);
}

static unsigned numThreads() {
  return std::clamp(std::thread::hardware_concurrency(), 1u, kMostThreads);
}

WeightChunkStream::WeightChunkStream(std::vector<llmc_weights_chunk_t> planned,
                                     WeightsCompression compression, llvm::raw_ostream &target)
    : raw_ostream(/*unbuffered=*/true), chunks(std::move(planned)), compression(compression),
      target(target), dataBegin(target.tell()) {}

void WeightChunkStream::write_impl(const char *bytes, size_t size) {
  while (size) {
    size_t last = std::min<size_t>(firstPending + numThreads(), chunks.size()) - 1;
    uint64_t batchEnd = chunks[last].offset + chunks[last].size;
    size_t count = std::min<uint64_t>(size, batchEnd - position);
    pending.append(bytes, count);
    position += count;
    bytes += count;
    size -= count;
    if (position == batchEnd)
      encodePending();
  }
}

/// One frame with zstd's own checksum of the content; empty on failure.
static std::string compressFrame(StringRef bytes) {
  std::string frame;
  ZSTD_CCtx *context = ZSTD_createCCtx();
  if (!context)
    return frame;
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  frame.resize(ZSTD_compressBound(bytes.size()));
  size_t written = ZSTD_compress2(context, frame.data(), frame.size(), bytes.data(), bytes.size());
  ZSTD_freeCCtx(context);
  frame.resize(ZSTD_isError(written) ? 0 : written);
  return frame;
}

void WeightChunkStream::encodePending() {
  size_t end = firstPending;
  while (end < chunks.size() && chunks[end].offset + chunks[end].size <= position)
    ++end;
  uint64_t base = chunks[firstPending].offset;
  std::vector<std::string> frames(end - firstPending);
  std::atomic<size_t> next = firstPending;
  auto encode = [&] {
    for (size_t i; (i = next.fetch_add(1)) < end;) {
      StringRef bytes = StringRef(pending).substr(chunks[i].offset - base, chunks[i].size);
      auto hash = llvm::BLAKE3::hash<sizeof(chunks[i].content)>(
          ArrayRef(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()));
      llvm::copy(hash, chunks[i].content);
      if (compression == WeightsCompression::Zstd)
        frames[i - firstPending] = compressFrame(bytes);
    }
  };
  std::vector<std::thread> helpers;
  for (size_t i = 1; i < frames.size(); ++i)
    helpers.emplace_back(encode);
  encode();
  for (std::thread &helper : helpers)
    helper.join();
  for (size_t i = firstPending; i < end; ++i) {
    StringRef stored = StringRef(pending).substr(chunks[i].offset - base, chunks[i].size);
    if (compression == WeightsCompression::Zstd) {
      stored = frames[i - firstPending];
      compressorFailed |= stored.empty();
    }
    chunks[i].stored_offset = target.tell() - dataBegin;
    chunks[i].stored_size = stored.size();
    target << stored;
  }
  pending.clear();
  firstPending = end;
}

bool WeightChunkStream::finish() {
  assert((chunks.empty() || firstPending == chunks.size()) && "bytes of the region are missing");
  uint64_t dataEnd = target.tell() - dataBegin;
  // A page of its own: chunks are mapped by whole pages.
  target.write_zeros(llvm::alignTo(dataEnd, exec::kPageBytes) - dataEnd);
  llmc_weights_index_t index = {};
  memcpy(index.magic, LLMC_WEIGHTS_INDEX_MAGIC, sizeof(index.magic));
  index.num_chunks = chunks.size();
  index.chunks_offset = target.tell() - dataBegin;
  index.region_size = position;
  StringRef table(reinterpret_cast<const char *>(chunks.data()),
                  chunks.size() * sizeof(chunks.front()));
  index.checksum = fnv1a64(table);
  index.encoding = compression == WeightsCompression::Zstd ? LLMC_WEIGHTS_ZSTD : LLMC_WEIGHTS_PLAIN;
  target << table;
  target.write(reinterpret_cast<const char *>(&index), sizeof(index));
  return !compressorFailed;
}

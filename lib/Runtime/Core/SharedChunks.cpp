//===- SharedChunks.cpp - weights that are in memory already --------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SharedChunks.h"

#include "Artifact.h"

#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <unistd.h>

using namespace llmc::runtime;

namespace {

/// A model of 60 GB has 15,000 chunks: some 15 in a list.
constexpr size_t numLists = 1024;

struct {
  pthread_mutex_t mutex;
  SharedChunk *lists[numLists];
} table = {PTHREAD_MUTEX_INITIALIZER, {}};

SharedChunk *&listOf(const uint8_t *content) {
  uint64_t hash; // the content is one already
  std::memcpy(&hash, content, sizeof(hash));
  return table.lists[hash % numLists];
}

} // namespace

SharedChunks::SharedChunks() { pthread_mutex_lock(&table.mutex); }
SharedChunks::~SharedChunks() { pthread_mutex_unlock(&table.mutex); }

SharedChunk *SharedChunks::find(const llmc_weights_chunk_t &chunk) {
  for (SharedChunk *entry = listOf(chunk.content); entry; entry = entry->next)
    if (entry->size == chunk.size &&
        std::memcmp(entry->content, chunk.content, sizeof(chunk.content)) == 0) {
      ++entry->numUsers;
      return entry;
    }
  return nullptr;
}

ChunkSource *SharedChunks::newSource(int fd, bool isMemory) {
  auto *source = static_cast<ChunkSource *>(std::malloc(sizeof(ChunkSource)));
  if (source)
    *source = {fd, isMemory, 0};
  else
    close(fd);
  return source;
}

void SharedChunks::closeIfUnused(ChunkSource *source) {
  if (!source || source->numChunks)
    return;
  close(source->fd);
  std::free(source);
}

SharedChunk *SharedChunks::add(const llmc_weights_chunk_t &chunk, ChunkSource *source,
                               uint64_t offset) {
  auto *entry = static_cast<SharedChunk *>(std::malloc(sizeof(SharedChunk)));
  if (!entry)
    return nullptr;
  SharedChunk *&list = listOf(chunk.content);
  *entry = {{}, chunk.size, source, offset, 1, list};
  std::memcpy(entry->content, chunk.content, sizeof(chunk.content));
  ++source->numChunks;
  list = entry;
  return entry;
}

void SharedChunks::release(SharedChunk *chunk) {
  if (--chunk->numUsers)
    return;
  SharedChunk **place = &listOf(chunk->content);
  while (*place != chunk)
    place = &(*place)->next;
  *place = chunk->next;
  ChunkSource *source = chunk->source;
  // The source may live on for other chunks.
  uint64_t pagesBytes = (chunk->size + filePageBytes - 1) / filePageBytes * filePageBytes;
  if (source->isMemory)
    fallocate(source->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
              static_cast<off_t>(chunk->offset), static_cast<off_t>(pagesBytes));
  std::free(chunk);
  --source->numChunks;
  closeIfUnused(source);
}

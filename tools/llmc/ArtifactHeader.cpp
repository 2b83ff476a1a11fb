//===- ArtifactHeader.cpp - what an artifact says about itself
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ArtifactHeader.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llmc;

static llvm::Error broken(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

bool ArtifactHeader::isArtifact(llvm::StringRef file) {
  return file.size() > sizeof(llmc_artifact_trailer_t) &&
         file.take_back(sizeof(llmc_artifact_trailer_t)).starts_with(LLMC_ARTIFACT_MAGIC);
}

/// The size of all frames behind a safetensors header; none where there are no frames.
static std::optional<uint64_t> findFrames(llvm::StringRef data) {
  llmc_weights_index_t index;
  if (data.size() < sizeof(index))
    return std::nullopt;
  memcpy(&index, data.end() - sizeof(index), sizeof(index));
  if (memcmp(index.magic, LLMC_WEIGHTS_INDEX_MAGIC, sizeof(index.magic)) != 0 ||
      index.encoding == LLMC_WEIGHTS_PLAIN)
    return std::nullopt;
  uint64_t bytes = 0, room = data.size() - sizeof(index);
  for (uint64_t i = 0; i < index.num_chunks; ++i) {
    llmc_weights_chunk_t chunk;
    uint64_t begin = index.chunks_offset + i * sizeof(chunk);
    if (begin > room || sizeof(chunk) > room - begin)
      break;
    memcpy(&chunk, data.data() + begin, sizeof(chunk));
    bytes += chunk.stored_size;
  }
  return bytes;
}

llvm::Expected<ArtifactHeader> ArtifactHeader::read(llvm::StringRef path, llvm::StringRef file) {
  ArtifactHeader result;
  memcpy(&result.end, file.end() - sizeof(result.end), sizeof(result.end));
  std::unique_ptr<llvm::MemoryBuffer> external;
  llvm::StringRef weights;
  if (result.hasExternalWeights()) {
    auto opened = llvm::MemoryBuffer::getFile(path + ".weights", /*IsText=*/false,
                                              /*RequiresNullTerminator=*/false);
    if (!opened)
      return broken("cannot read '" + path + ".weights': " + opened.getError().message());
    external = std::move(*opened);
    weights = external->getBuffer();
  } else {
    uint64_t offset = result.end.safetensors_offset, size = result.end.safetensors_size;
    if (offset > file.size() || size > file.size() - offset)
      return broken("'" + path + "' is truncated: its weights end after the file");
    weights = file.substr(offset, size);
  }
  uint64_t length = 0;
  if (weights.size() >= sizeof(length))
    memcpy(&length, weights.data(), sizeof(length));
  if (weights.size() < sizeof(length) || length > weights.size() - sizeof(length))
    return broken("'" + path + "' has a broken weights header");
  auto header = llvm::json::parse(weights.substr(sizeof(length), length));
  if (!header)
    return broken("'" + path +
                  "' has a broken weights header: " + llvm::toString(header.takeError()));
  result.header = std::move(*header);
  result.frameBytes = findFrames(weights.substr(sizeof(length) + length));
  const llvm::json::Object *root = result.header.getAsObject();
  const llvm::json::Object *metadata = root ? root->getObject("__metadata__") : nullptr;
  auto text = metadata ? metadata->getString("llmc.manifest") : std::nullopt;
  if (!text)
    return broken("'" + path + "' has no manifest");
  auto manifest = llvm::json::parse(*text);
  if (!manifest || !manifest->getAsObject()) {
    if (!manifest)
      llvm::consumeError(manifest.takeError());
    return broken("'" + path + "' has a broken manifest");
  }
  result.description = std::move(*manifest);
  return result;
}

llvm::StringRef ArtifactHeader::producer() const {
  return tensors().getObject("__metadata__")->getString("llmc.producer").value_or("");
}

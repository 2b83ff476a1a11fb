//===- WeightChunks.h - the weight region in chunks, and their index
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_LIB_CODEGEN_WEIGHTCHUNKS_H
#define LLMC_LIB_CODEGEN_WEIGHTCHUNKS_H

#include "llmc-c/ModuleABI.h"
#include "llmc/CodeGen/Artifact.h"
#include "llvm/Support/raw_ostream.h"
#include <vector>

namespace llmc {

/// Cuts the weight region of a planned module where a weight with pages of its own begins
/// or ends, and every few MiB: equal weights make equal chunks, wherever they lie. Only
/// `offset` and `size` are set.
std::vector<llmc_weights_chunk_t> planWeightChunks(mlir::ModuleOp module);

/// Bytes of an index of so many chunks.
uint64_t weightsIndexBytes(uint64_t numChunks);

/// Takes the bytes of the weight region in order, and writes them as chunks. Several are
/// hashed and compressed at a time; the result does not depend on the number of threads.
class WeightChunkStream : public llvm::raw_ostream {
public:
  /// `chunks` are those of planWeightChunks. `data` is where the file's data begins in
  /// `target`.
  WeightChunkStream(std::vector<llmc_weights_chunk_t> chunks, WeightsCompression compression,
                    llvm::raw_ostream &target);
  ~WeightChunkStream() override { flush(); }

  /// Writes what is left, and the index behind it. False where the compressor fails.
  bool finish();

private:
  void write_impl(const char *bytes, size_t size) override;
  uint64_t current_pos() const override { return position; }
  void encodePending();

  std::vector<llmc_weights_chunk_t> chunks;
  WeightsCompression compression;
  llvm::raw_ostream &target;
  uint64_t dataBegin; ///< where the file's data begins in `target`
  uint64_t position = 0;
  std::string pending;     ///< bytes of whole chunks from `firstPending` on, and a part of one
  size_t firstPending = 0; ///< chunks before it are written
  uint64_t pendingEnd = 0; ///< of the region: where the next batch is complete
  bool compressorFailed = false;
};

} // namespace llmc

#endif // LLMC_LIB_CODEGEN_WEIGHTCHUNKS_H

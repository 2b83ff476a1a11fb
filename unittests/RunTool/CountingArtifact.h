//===- CountingArtifact.h - an artifact and its tokenizer -------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_UNITTESTS_RUNTOOL_COUNTINGARTIFACT_H
#define LLMC_UNITTESTS_RUNTOOL_COUNTINGARTIFACT_H

#include "CountingModule.h"
#include "FileIO.h"

#include "llmc-c/ModuleABI.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace llmc::run {

inline uint64_t fnv1a64(const std::string &data) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (char byte : data)
    hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3u;
  return hash;
}

/// The artifact's bytes around the module that the build made.
inline std::string makeArtifact() {
  std::string error;
  std::string file = readFile(COUNTING_MODULE_PATH, error).value_or("");
  EXPECT_FALSE(file.empty()) << error;
  llmc_artifact_trailer_t trailer = {};
  std::memcpy(trailer.magic, LLMC_ARTIFACT_MAGIC, sizeof trailer.magic);
  trailer.abi_version = LLMC_MODULE_ABI_VERSION;
  trailer.elf_size = file.size();
  trailer.elf_checksum = fnv1a64(file);
  file.resize((file.size() + 4095) / 4096 * 4096);
  std::string header = COUNTING_HEADER;
  header.resize(COUNTING_HEADER_BYTES, ' ');
  trailer.header_checksum = fnv1a64(header);
  trailer.safetensors_offset = file.size();
  uint64_t headerBytes = header.size();
  file.append(reinterpret_cast<char *>(&headerBytes), sizeof headerBytes);
  file += header + std::string(COUNTING_WEIGHTS_BYTES, '\0');
  trailer.safetensors_size = file.size() - trailer.safetensors_offset;
  return file.append(reinterpret_cast<char *>(&trailer), sizeof trailer);
}

/// A token for each letter from a to f, and the ends of a text.
constexpr const char *TokenizerJson = R"({
  "version": "1.0", "truncation": null, "padding": null,
  "added_tokens": [
    {"id": 0, "content": "<s>", "single_word": false, "lstrip": false,
     "rstrip": false, "normalized": false, "special": true},
    {"id": 1, "content": "</s>", "single_word": false, "lstrip": false,
     "rstrip": false, "normalized": false, "special": true}],
  "normalizer": null, "pre_tokenizer": null,
  "post_processor": {"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
               {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}},
             {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}},
  "decoder": {"type": "Fuse"},
  "model": {"type": "BPE", "dropout": null, "unk_token": null,
    "continuing_subword_prefix": null, "end_of_word_suffix": null,
    "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
    "vocab": {"<s>": 0, "</s>": 1, "a": 2, "b": 3, "c": 4, "d": 5, "e": 6,
              "f": 7},
    "merges": []}})";

} // namespace llmc::run

#endif // LLMC_UNITTESTS_RUNTOOL_COUNTINGARTIFACT_H

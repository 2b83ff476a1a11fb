//===- TinyArtifact.h - writes artifacts, sound and broken ------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_UNITTESTS_RUNTIME_TINYARTIFACT_H
#define LLMC_UNITTESTS_RUNTIME_TINYARTIFACT_H

#include "Core/Artifact.h"

#include "llmc-c/ModuleABI.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace llmc::test {

using Bytes = std::string;

inline uint64_t fnv(const Bytes &bytes) {
  return runtime::fnv1a64(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
}

/// The safetensors header that TinyModule.c expects. With its 8-byte length it
/// fills a page, so that the data is page aligned.
inline Bytes tinyHeader() {
  Bytes header = R"({"__metadata__":{"producer":"test"},)"
                 R"("w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})";
  header.resize(4096 - 8, ' ');
  return header;
}

inline Bytes safetensors(const Bytes &header, const Bytes &data) {
  uint64_t size = header.size();
  return Bytes(reinterpret_cast<const char *>(&size), 8) + header + data;
}

inline Bytes tinyData() {
  float w[4] = {2, 3, 4, 5};
  return Bytes(reinterpret_cast<const char *>(w), sizeof(w));
}

inline Bytes tinyWeights() { return safetensors(tinyHeader(), tinyData()); }

inline Bytes readFile(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

inline void writeFile(const std::string &path, const Bytes &bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// The parts of an artifact; a test changes some and packs them.
struct TinyArtifact {
  Bytes elf;
  Bytes weights = tinyWeights();
  llmc_artifact_trailer_t trailer = {};

  explicit TinyArtifact(const std::string &elfPath) : elf(readFile(elfPath)) {
    std::memcpy(trailer.magic, LLMC_ARTIFACT_MAGIC, 8);
    trailer.abi_version = LLMC_MODULE_ABI_VERSION;
    trailer.header_checksum = fnv(tinyHeader());
    measure();
  }

  size_t weightsOffset() const { return (elf.size() + 4095) / 4096 * 4096; }

  /// Makes the trailer agree with code and weights.
  void measure() {
    trailer.elf_size = elf.size();
    trailer.elf_checksum = fnv(elf);
    trailer.safetensors_offset = weightsOffset();
    trailer.safetensors_size = weights.size();
  }

  void makeExternal() {
    weights.clear();
    measure();
    trailer.flags = LLMC_ARTIFACT_EXTERNAL_WEIGHTS;
  }

  Bytes pack() const {
    Bytes file = elf;
    file.resize(weightsOffset());
    file += weights;
    return file + Bytes(reinterpret_cast<const char *>(&trailer), sizeof(trailer));
  }
};

/// A folder that goes away with the test.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "llmc-rt-XXXXXX").string();
    folder = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  std::string operator/(const std::string &name) const { return folder + "/" + name; }

private:
  std::string folder;
};

} // namespace llmc::test

#endif // LLMC_UNITTESTS_RUNTIME_TINYARTIFACT_H

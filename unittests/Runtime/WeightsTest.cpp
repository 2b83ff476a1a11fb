//===- WeightsTest.cpp - chunks of weights: compressed, shared, broken ----===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TinyArtifact.h"
#include "ToyModule.h"

#include "Core/Module.h"

#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <numeric>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#if LLMC_RUNTIME_ZSTD
#include <zstd.h>
#endif

using namespace llmc;
using namespace llmc::test;

namespace {

constexpr size_t page = 4096;

/// `count` bytes that hardly repeat; different for each seed.
Bytes noise(size_t count, uint32_t seed) {
  Bytes bytes(count, '\0');
  uint64_t state = seed + 1;
  for (char &byte : bytes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<char>(state >> 60); // half of the bits: compressible
  }
  return bytes;
}

Bytes compress([[maybe_unused]] const Bytes &content) {
#if LLMC_RUNTIME_ZSTD
  ZSTD_CCtx *context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  Bytes frame(ZSTD_compressBound(content.size()), '\0');
  frame.resize(ZSTD_compress2(context, frame.data(), frame.size(), content.data(), content.size()));
  ZSTD_freeCCtx(context);
  return frame;
#else
  return content;
#endif
}

/// A weights file with an index, whose parts a test may change before it is packed.
struct WeightsFile {
  Bytes header = tinyHeader();
  std::vector<Bytes> stored;
  std::vector<llmc_weights_chunk_t> chunks;
  llmc_weights_index_t footer = {};
  Bytes region;

  WeightsFile(const std::vector<Bytes> &contents, bool isCompressed) {
    uint64_t place = 0;
    for (const Bytes &content : contents) {
      stored.push_back(isCompressed ? compress(content) : content);
      llmc_weights_chunk_t chunk = {region.size(), content.size(), place, stored.back().size(), {}};
      uint64_t hash[2] = {fnv(content), fnv(content + "x")}; // any will do: equal for equal bytes
      std::memcpy(chunk.content, hash, sizeof(chunk.content));
      chunks.push_back(chunk);
      place += stored.back().size();
      region += content;
    }
    std::memcpy(footer.magic, LLMC_WEIGHTS_INDEX_MAGIC, 8);
    footer.region_size = region.size();
    footer.encoding = isCompressed ? LLMC_WEIGHTS_ZSTD : LLMC_WEIGHTS_PLAIN;
    measure();
  }

  /// Makes the footer agree with the chunks.
  void measure() {
    footer.num_chunks = chunks.size();
    size_t bytes = 0;
    for (const Bytes &piece : stored)
      bytes += piece.size();
    footer.chunks_offset = (bytes + page - 1) / page * page;
    footer.checksum = fnv(table());
  }

  Bytes table() const {
    return Bytes(reinterpret_cast<const char *>(chunks.data()), chunks.size() * sizeof(chunks[0]));
  }

  Bytes pack() const {
    Bytes data;
    for (const Bytes &piece : stored)
      data += piece;
    data.resize((data.size() + page - 1) / page * page);
    return safetensors(header, data + table() +
                                   Bytes(reinterpret_cast<const char *>(&footer), sizeof(footer)));
  }
};

/// Code for weights of any size: set them before a load.
llmc_module_desc_t describedModule;
const llmc_module_desc_t *describedQuery(uint32_t) { return &describedModule; }

/// Loads weights as a linked module would, from a file.
class LoadedWeights {
public:
  llmc_status_t load(const std::string &path, uint64_t regionBytes,
                     const llmc_module_options_t &options = defaults()) {
    return load({path.c_str(), nullptr, 0}, regionBytes, options);
  }
  llmc_status_t load(const llmc_weights_source_t &source, uint64_t regionBytes,
                     const llmc_module_options_t &options = defaults()) {
    unload();
    describedModule = *functionalQuery(LLMC_MODULE_ABI_VERSION);
    describedModule.weights_bytes = regionBytes;
    describedModule.weights_checksum = fnv(tinyHeader());
    return llmc_module_load_static(describedQuery, &source, &options, &module, &error);
  }
  ~LoadedWeights() { unload(); }

  static llmc_module_options_t defaults() {
    llmc_module_options_t options = {};
    options.struct_size = sizeof(options);
    return options;
  }

  void unload() {
    llmc_module_destroy(module);
    module = nullptr;
  }

  std::string_view region() const {
    return {reinterpret_cast<const char *>(module->weights.data), module->weights.dataBytes};
  }
  uint64_t sharedBytes() const {
    llmc_module_info_t info = {};
    info.struct_size = sizeof(info);
    llmc_module_info(module, &info, nullptr);
    return info.weights_shared_bytes;
  }

  llmc_module_t *module = nullptr;
  llmc_error_t error = {};
};

/// Both encodings where the runtime has zstd.
std::vector<bool> encodings() {
#if LLMC_RUNTIME_ZSTD
  return {false, true};
#else
  return {false};
#endif
}

std::vector<Bytes> someContents(uint32_t seed = 1) {
  return {noise(3 * page, seed), noise(page, seed + 1), noise(64 * page, seed + 2),
          noise(100, seed + 3)};
}

TEST(Weights, ChunksBecomeTheRegion) {
  TemporaryFolder folder;
  for (bool isCompressed : encodings())
    for (int choice = 0; choice < 16; ++choice) {
      WeightsFile file(someContents(), isCompressed);
      writeFile(folder / "w", file.pack());
      llmc_module_options_t options = LoadedWeights::defaults();
      options.prefault = choice & 1;
      options.huge_pages = choice & 2;
      options.lock = choice & 4;
      options.load_threads = choice & 8 ? 3 : 0;
      LoadedWeights weights;
      ASSERT_EQ(weights.load(folder / "w", file.region.size(), options), LLMC_STATUS_OK)
          << weights.error.message;
      EXPECT_TRUE(weights.region() == file.region) << isCompressed << " " << choice;
      EXPECT_EQ(weights.sharedBytes(), 0u);
    }
}

TEST(Weights, ChunksInTheCallersMemory) {
  for (bool isCompressed : encodings()) {
    WeightsFile file(someContents(), isCompressed);
    Bytes packed = file.pack();
    void *memory = std::aligned_alloc(page, (packed.size() + page - 1) / page * page);
    std::memcpy(memory, packed.data(), packed.size());
    {
      LoadedWeights weights, again;
      for (LoadedWeights *loaded : {&weights, &again}) {
        ASSERT_EQ(loaded->load({nullptr, memory, packed.size()}, file.region.size()),
                  LLMC_STATUS_OK)
            << loaded->error.message;
        EXPECT_TRUE(loaded->region() == file.region);
      }
      EXPECT_EQ(std::memcmp(memory, packed.data(), packed.size()), 0) << "the caller's memory";
    }
    std::free(memory);
  }
}

//===----------------------------------------------------------------------===//
// Broken files
//===----------------------------------------------------------------------===//

struct BrokenIndex {
  const char *name;
  std::function<void(WeightsFile &)> change;
  llmc_status_t status;
  const char *says;
};

const BrokenIndex brokenIndexes[] = {
    {"magic", [](WeightsFile &f) { f.footer.magic[3] ^= 1; }, LLMC_STATUS_WEIGHTS_MISMATCH,
     "bytes of weights, found"},
    {"regionSize", [](WeightsFile &f) { f.footer.region_size = 77; }, LLMC_STATUS_WEIGHTS_MISMATCH,
     "bytes of weights, found 77"},
    {"encoding", [](WeightsFile &f) { f.footer.encoding = 7; }, LLMC_STATUS_VERSION_MISMATCH,
     "encoding 7"},
    {"indexBehindTheEnd", [](WeightsFile &f) { f.footer.chunks_offset = UINT64_MAX - 100; },
     LLMC_STATUS_BAD_ARTIFACT, "do not end where the index does"},
    {"tooManyChunks", [](WeightsFile &f) { f.footer.num_chunks = UINT64_MAX / 48 + 2; },
     LLMC_STATUS_BAD_ARTIFACT, "do not end where the index does"},
    {"fewerChunks", [](WeightsFile &f) { f.footer.num_chunks -= 1; }, LLMC_STATUS_BAD_ARTIFACT,
     "do not end where the index does"},
    {"checksum", [](WeightsFile &f) { f.chunks[1].stored_offset += 1; }, LLMC_STATUS_BAD_ARTIFACT,
     "index is corrupted: checksum"},
    {"missingChunk",
     [](WeightsFile &f) {
       f.chunks.pop_back();
       f.measure();
     },
     LLMC_STATUS_BAD_ARTIFACT, "end at"},
    {"noChunks",
     [](WeightsFile &f) {
       f.chunks.clear();
       f.measure();
     },
     LLMC_STATUS_BAD_ARTIFACT, "end at 0 of"},
    {"gap",
     [](WeightsFile &f) {
       f.chunks[1].offset += page;
       f.measure();
     },
     LLMC_STATUS_BAD_ARTIFACT, "chunk 1 of the weights"},
    {"emptyChunk",
     [](WeightsFile &f) {
       f.chunks[2].size = 0;
       f.measure();
     },
     LLMC_STATUS_BAD_ARTIFACT, "chunk 2 of the weights"},
    {"hugeChunk",
     [](WeightsFile &f) {
       f.chunks[0].size = UINT64_MAX - page + 1;
       f.measure();
     },
     LLMC_STATUS_BAD_ARTIFACT, "chunk 0 of the weights"},
    {"unevenChunk",
     [](WeightsFile &f) {
       f.chunks[0].size += 1;
       f.measure();
     },
     LLMC_STATUS_BAD_ARTIFACT, "chunk 0 of the weights"},
    {"storedOutside",
     [](WeightsFile &f) {
       f.chunks[1].stored_offset = UINT64_MAX - 10;
       f.measure();
     },
     LLMC_STATUS_BAD_ARTIFACT, "chunk 1 of the weights"},
    {"storedTooLong",
     [](WeightsFile &f) {
       f.chunks[1].stored_size = UINT64_MAX - 10;
       f.measure();
     },
     LLMC_STATUS_BAD_ARTIFACT, "chunk 1 of the weights"},
};

TEST(Weights, BrokenIndexes) {
  TemporaryFolder folder;
  for (bool isCompressed : encodings())
    for (const BrokenIndex &broken : brokenIndexes) {
      WeightsFile file(someContents(), isCompressed);
      size_t regionBytes = file.region.size();
      broken.change(file);
      writeFile(folder / "w", file.pack());
      LoadedWeights weights;
      EXPECT_EQ(weights.load(folder / "w", regionBytes), broken.status)
          << broken.name << ": " << weights.error.message;
      EXPECT_NE(std::string_view(weights.error.message).find(broken.says), std::string_view::npos)
          << broken.name << ": " << weights.error.message;
      // Nothing of it is left for others to share.
      WeightsFile sound(someContents(), isCompressed);
      writeFile(folder / "sound", sound.pack());
      ASSERT_EQ(weights.load(folder / "sound", regionBytes), LLMC_STATUS_OK);
      EXPECT_EQ(weights.sharedBytes(), 0u) << broken.name;
    }
}

TEST(Weights, PlainChunksLieInPlace) {
  TemporaryFolder folder;
  for (int field = 0; field < 2; ++field) {
    WeightsFile file(someContents(), false);
    (field ? file.chunks[1].stored_offset : file.chunks[1].stored_size) -= 1;
    file.measure();
    writeFile(folder / "w", file.pack());
    LoadedWeights weights;
    EXPECT_EQ(weights.load(folder / "w", file.region.size()), LLMC_STATUS_BAD_ARTIFACT);
  }
}

TEST(Weights, EveryTruncation) {
  TemporaryFolder folder;
  for (bool isCompressed : encodings()) {
    WeightsFile file({noise(page, 1), noise(300, 2)}, isCompressed);
    Bytes packed = file.pack();
    for (size_t size = 0; size < packed.size(); size += 61) {
      writeFile(folder / "w", packed.substr(0, size));
      LoadedWeights weights;
      ASSERT_NE(weights.load(folder / "w", file.region.size()), LLMC_STATUS_OK) << size;
    }
  }
}

#if LLMC_RUNTIME_ZSTD

const BrokenIndex brokenFrames[] = {
    {"garbage", [](WeightsFile &f) { f.stored[2] = noise(f.stored[2].size(), 9); },
     LLMC_STATUS_BAD_ARTIFACT, "chunk 2 of the weights is corrupted: "},
    {"zeros", [](WeightsFile &f) { f.stored[0] = Bytes(f.stored[0].size(), '\0'); },
     LLMC_STATUS_BAD_ARTIFACT, "chunk 0 of the weights is corrupted: "},
    {"contentChecksum", [](WeightsFile &f) { f.stored[1].back() ^= 1; }, LLMC_STATUS_BAD_ARTIFACT,
     "chunk 1 of the weights is corrupted: "},
    {"truncated",
     [](WeightsFile &f) {
       f.chunks[2].stored_size -= 40;
       f.measure();
     },
     LLMC_STATUS_BAD_ARTIFACT, "chunk 2 of the weights is corrupted: "},
    {"empty",
     [](WeightsFile &f) {
       f.chunks[2].stored_size = 0;
       f.measure();
     },
     LLMC_STATUS_BAD_ARTIFACT, "chunk 2 of the weights is corrupted: "},
    {"longerContent",
     [](WeightsFile &f) {
       f.chunks[1].stored_offset = f.chunks[0].stored_offset;
       f.chunks[1].stored_size = f.chunks[0].stored_size;
       f.measure();
     },
     LLMC_STATUS_BAD_ARTIFACT, "chunk 1 of the weights is corrupted: "},
    {"shorterContent",
     [](WeightsFile &f) {
       f.chunks[0].stored_offset = f.chunks[1].stored_offset;
       f.chunks[0].stored_size = f.chunks[1].stored_size;
       f.measure();
     },
     LLMC_STATUS_BAD_ARTIFACT, "chunk 0 of the weights is corrupted: it has another size"},
};

TEST(Weights, BrokenFrames) {
  TemporaryFolder folder;
  for (const BrokenIndex &broken : brokenFrames) {
    WeightsFile file(someContents(), true);
    broken.change(file);
    writeFile(folder / "w", file.pack());
    LoadedWeights weights;
    EXPECT_EQ(weights.load(folder / "w", file.region.size()), broken.status) << broken.name;
    EXPECT_NE(std::string_view(weights.error.message).find(broken.says), std::string_view::npos)
        << broken.name << ": " << weights.error.message;
    WeightsFile sound(someContents(), true);
    writeFile(folder / "sound", sound.pack());
    ASSERT_EQ(weights.load(folder / "sound", sound.region.size()), LLMC_STATUS_OK);
    EXPECT_EQ(weights.sharedBytes(), 0u) << broken.name;
    EXPECT_TRUE(weights.region() == sound.region) << broken.name;
  }
}

TEST(Weights, EveryByteOfAFrame) {
  TemporaryFolder folder;
  WeightsFile sound({noise(300, 1)}, true);
  for (size_t i = 0; i < sound.stored[0].size(); ++i) {
    WeightsFile file = sound;
    file.stored[0][i] ^= static_cast<char>(1 << i % 8);
    writeFile(folder / "w", file.pack());
    LoadedWeights weights;
    // A bit that means nothing may have any value; another content never passes.
    if (weights.load(folder / "w", sound.region.size()) == LLMC_STATUS_OK) {
      EXPECT_TRUE(weights.region() == sound.region) << i;
    }
  }
}

/// Bytes of memory behind the descriptors of this process that weights are in.
uint64_t decompressedBytes() {
  uint64_t bytes = 0;
  for (const auto &entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    std::string target = std::filesystem::read_symlink(entry.path(), ignored).string();
    struct stat facts;
    if (target.starts_with("/memfd:llmc-weights") && stat(entry.path().c_str(), &facts) == 0)
      bytes += static_cast<uint64_t>(facts.st_blocks) * 512;
  }
  return bytes;
}

TEST(Weights, MemoryOfSharedChunksGoesWithTheLastUser) {
  TemporaryFolder folder;
  WeightsFile first({noise(4 * page, 1), noise(50 * page, 2)}, true);
  WeightsFile second({noise(4 * page, 1), noise(20 * page, 3)}, true);
  writeFile(folder / "1", first.pack());
  writeFile(folder / "2", second.pack());
  LoadedWeights one, two, three;
  ASSERT_EQ(one.load(folder / "1", first.region.size()), LLMC_STATUS_OK);
  EXPECT_EQ(decompressedBytes(), 54 * page);
  ASSERT_EQ(two.load(folder / "2", second.region.size()), LLMC_STATUS_OK);
  EXPECT_EQ(decompressedBytes(), 74 * page);
  EXPECT_EQ(two.sharedBytes(), 4 * page);
  one.unload();
  EXPECT_EQ(decompressedBytes(), 24 * page);
  EXPECT_TRUE(two.region() == second.region);
  ASSERT_EQ(three.load(folder / "1", first.region.size()), LLMC_STATUS_OK);
  EXPECT_EQ(three.sharedBytes(), 4 * page);
  EXPECT_EQ(decompressedBytes(), 74 * page);
  two.unload();
  EXPECT_TRUE(three.region() == first.region);
  three.unload();
  EXPECT_EQ(decompressedBytes(), 0u);
}

#else

TEST(Weights, CompressedOnesAreRefusedWithoutZstd) {
  TemporaryFolder folder;
  WeightsFile file(someContents(), false);
  file.footer.encoding = LLMC_WEIGHTS_ZSTD;
  writeFile(folder / "w", file.pack());
  LoadedWeights weights;
  EXPECT_EQ(weights.load(folder / "w", file.region.size()), LLMC_STATUS_UNSUPPORTED);
  EXPECT_NE(std::string_view(weights.error.message).find("LLMC_RUNTIME_ZSTD"),
            std::string_view::npos)
      << weights.error.message;
}

#endif

//===----------------------------------------------------------------------===//
// Sharing
//===----------------------------------------------------------------------===//

/// The process' memory in bytes, with pages that it has twice counted once; 0 where the
/// system does not say, or a sanitizer keeps records of what is read.
uint64_t proportionalBytes() {
#if defined(__SANITIZE_THREAD__)
  return 0;
#endif
  std::ifstream facts("/proc/self/smaps_rollup");
  for (std::string line; std::getline(facts, line);)
    if (line.starts_with("Pss:"))
      return std::stoull(line.substr(4)) * 1024;
  return 0;
}

uint64_t sumOf(std::string_view bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), uint64_t{0},
                         [](uint64_t sum, char byte) { return sum + static_cast<uint8_t>(byte); });
}

TEST(Weights, EqualChunksAreInMemoryOnce) {
  TemporaryFolder folder;
  constexpr size_t large = 1024 * page; // 4 MiB
  for (bool firstIsCompressed : encodings())
    for (bool secondIsCompressed : encodings()) {
      // The equal chunks are at different offsets, and not all side by side.
      Bytes a = noise(large, 1), b = noise(large, 2);
      WeightsFile first({a, b, noise(page, 3)}, firstIsCompressed);
      WeightsFile second({noise(5 * page, 4), b, noise(page, 5), a}, secondIsCompressed);
      writeFile(folder / "1", first.pack());
      writeFile(folder / "2", second.pack());
      LoadedWeights one, two;
      ASSERT_EQ(one.load(folder / "1", first.region.size()), LLMC_STATUS_OK);
      uint64_t sum = sumOf(first.region);
      EXPECT_EQ(sumOf(one.region()), sum); // touches every page
      uint64_t before = proportionalBytes();
      ASSERT_EQ(two.load(folder / "2", second.region.size()), LLMC_STATUS_OK);
      EXPECT_TRUE(two.region() == second.region);
      EXPECT_EQ(two.sharedBytes(), 2 * large);
      if (before) {
        EXPECT_LT(proportionalBytes(), before + large / 4)
            << "8 MiB of equal weights are there twice";
      }
      one.unload();
      EXPECT_TRUE(two.region() == second.region) << "after the first module is gone";
      ASSERT_EQ(one.load(folder / "1", first.region.size()), LLMC_STATUS_OK);
      EXPECT_EQ(one.sharedBytes(), 2 * large);
      two.unload();
      EXPECT_TRUE(one.region() == first.region) << "after the second module is gone";
    }
}

TEST(Weights, EqualChunksOfOneFileAreInMemoryOnce) {
  TemporaryFolder folder;
  for (bool isCompressed : encodings()) {
    Bytes content = noise(16 * page, 1);
    WeightsFile file({content, noise(page, 2), content}, isCompressed);
    writeFile(folder / "w", file.pack());
    LoadedWeights weights;
    ASSERT_EQ(weights.load(folder / "w", file.region.size()), LLMC_STATUS_OK);
    EXPECT_TRUE(weights.region() == file.region);
    EXPECT_EQ(weights.sharedBytes(), content.size());
  }
}

/// A file that is replaced or removed stays what a loaded module reads.
TEST(Weights, SharedChunksOutliveTheirFile) {
  TemporaryFolder folder;
  Bytes content = noise(64 * page, 1);
  WeightsFile first({content, noise(page, 2)}, false), second({noise(page, 3), content}, false);
  writeFile(folder / "1", first.pack());
  writeFile(folder / "2", second.pack());
  LoadedWeights one, two;
  ASSERT_EQ(one.load(folder / "1", first.region.size()), LLMC_STATUS_OK);
  std::filesystem::remove(folder / "1");
  ASSERT_EQ(two.load(folder / "2", second.region.size()), LLMC_STATUS_OK);
  EXPECT_EQ(two.sharedBytes(), content.size());
  one.unload();
  EXPECT_TRUE(two.region() == second.region);
}

TEST(Weights, NoDescriptorIsLeftOpen) {
  TemporaryFolder folder;
  auto count = [] {
    auto fds = std::filesystem::directory_iterator("/proc/self/fd");
    return std::distance(begin(fds), end(fds));
  };
  auto before = count();
  for (bool isCompressed : encodings()) {
    WeightsFile file(someContents(), isCompressed);
    writeFile(folder / "w", file.pack());
    for (bool hugePages : {false, true}) {
      llmc_module_options_t options = LoadedWeights::defaults();
      options.huge_pages = hugePages;
      LoadedWeights one, two;
      ASSERT_EQ(one.load(folder / "w", file.region.size(), options), LLMC_STATUS_OK);
      ASSERT_EQ(two.load(folder / "w", file.region.size(), options), LLMC_STATUS_OK);
    }
  }
  EXPECT_EQ(count(), before);
}

TEST(Weights, LoadsOnManyThreads) {
  TemporaryFolder folder;
  for (bool isCompressed : encodings()) {
    WeightsFile file(someContents(), isCompressed);
    writeFile(folder / "w", file.pack());
    // One description for all threads: it is the same weights.
    describedModule = *functionalQuery(LLMC_MODULE_ABI_VERSION);
    describedModule.weights_bytes = file.region.size();
    describedModule.weights_checksum = fnv(tinyHeader());
    std::string path = folder / "w";
    auto work = [&] {
      for (int i = 0; i < 20; ++i) {
        llmc_weights_source_t source = {path.c_str(), nullptr, 0};
        llmc_module_t *module = nullptr;
        ASSERT_EQ(llmc_module_load_static(describedQuery, &source, nullptr, &module, nullptr),
                  LLMC_STATUS_OK);
        std::string_view region(reinterpret_cast<const char *>(module->weights.data),
                                module->weights.dataBytes);
        EXPECT_TRUE(region == file.region);
        llmc_module_destroy(module);
      }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back(work);
    for (std::thread &thread : threads)
      thread.join();
  }
}

//===----------------------------------------------------------------------===//
// Larger than memory
//===----------------------------------------------------------------------===//

/// As the C function loads, on a system with so much memory.
llmc_status_t loadWith(uint64_t availableBytes, const std::string &path, uint64_t regionBytes,
                       llmc_module &module, const llmc_module_options_t &options,
                       llmc_error_t &error) {
  describedModule = *functionalQuery(LLMC_MODULE_ABI_VERSION);
  describedModule.weights_bytes = regionBytes;
  describedModule.weights_checksum = fnv(tinyHeader());
  return runtime::loadStatic(module, describedQuery, {path.c_str(), nullptr, 0},
                             {options, availableBytes}, &error);
}

TEST(Weights, LargerThanMemoryRunsFromTheFileAndSaysSo) {
  TemporaryFolder folder;
  WeightsFile file(someContents(), false);
  writeFile(folder / "w", file.pack());
  uint64_t size = file.region.size();
  for (uint64_t available : {size - 1, size}) {
    llmc_module_options_t options = LoadedWeights::defaults();
    options.prefault = options.lock = true;
    llmc_module *module = runtime::newModule();
    llmc_error_t error = {};
    ASSERT_EQ(loadWith(available, folder / "w", size, *module, options, error), LLMC_STATUS_OK)
        << error.message;
    std::string_view region(reinterpret_cast<const char *>(module->weights.data), size);
    EXPECT_TRUE(region == file.region);
    const char *text = nullptr;
    ASSERT_EQ(llmc_module_warnings(module, &text, nullptr), LLMC_STATUS_OK);
    if (available < size) {
      EXPECT_EQ(std::string(text),
                "weights of " + std::to_string(size) + " bytes exceed the " +
                    std::to_string(available) +
                    " bytes of available memory: steps read them from the file again and again\n"
                    "weights are neither read ahead nor locked: they do not fit\n");
    } else {
      EXPECT_EQ(std::string_view(text).find("exceed"), std::string_view::npos) << text;
    }
    module->release();
  }
}

#if LLMC_RUNTIME_ZSTD
TEST(Weights, CompressedOnesHaveToFit) {
  TemporaryFolder folder;
  WeightsFile file(someContents(), true);
  writeFile(folder / "w", file.pack());
  uint64_t size = file.region.size();
  llmc_module *module = runtime::newModule();
  llmc_error_t error = {};
  EXPECT_EQ(loadWith(size - 1, folder / "w", size, *module, LoadedWeights::defaults(), error),
            LLMC_STATUS_OUT_OF_MEMORY);
  EXPECT_NE(std::string_view(error.message)
                .find("need " + std::to_string(size) + " bytes of memory, " +
                      std::to_string(size - 1) + " are available"),
            std::string_view::npos)
      << error.message;
  module->release();
  // What is there already needs no memory.
  LoadedWeights resident;
  ASSERT_EQ(resident.load(folder / "w", size), LLMC_STATUS_OK);
  module = runtime::newModule();
  EXPECT_EQ(loadWith(0, folder / "w", size, *module, LoadedWeights::defaults(), error),
            LLMC_STATUS_OK)
      << error.message;
  module->release();
}
#endif

} // namespace

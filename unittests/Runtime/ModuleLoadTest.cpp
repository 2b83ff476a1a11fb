//===- ModuleLoadTest.cpp - artifacts, sound and broken -------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TinyArtifact.h"

#include "llmc/Runtime.hpp"

#include <functional>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llmc;
using namespace llmc::test;

namespace {

/// Runs the module on one row; w[0] is 2.
void expectDoubles(const Module &module) {
  Session session;
  Error error;
  ASSERT_EQ(session.create(module, &error), LLMC_STATUS_OK) << error.message;
  float x[3] = {1, 2, 3}, y[3] = {};
  llmc_tensor_t input = {"x", LLMC_DTYPE_F32, 2, {1, 3}, x, sizeof(x)};
  llmc_tensor_t output = {"y", 0, 0, {}, y, sizeof(y)};
  ASSERT_EQ(session.run({&input, 1}, {&output, 1}, &error), LLMC_STATUS_OK) << error.message;
  EXPECT_EQ(y[0], 2);
  EXPECT_EQ(y[2], 6);
}

TEST(ModuleLoad, EmbeddedWeights) {
  TemporaryFolder folder;
  writeFile(folder / "a.llmc", TinyArtifact(TINY_MODULE).pack());
  for (bool prefault : {false, true}) {
    Module module;
    Error error;
    llmc_module_options_t options = Module::defaultOptions();
    options.prefault = prefault;
    ASSERT_EQ(module.load((folder / "a.llmc").c_str(), options, &error), LLMC_STATUS_OK)
        << error.message;
    EXPECT_STREQ(module.info().name, "tiny");
    EXPECT_STREQ(module.info().producer, "by hand");
    EXPECT_EQ(module.info().weights_bytes, 16u);
    EXPECT_EQ(module.metadata(), tinyHeader());
    expectDoubles(module);
  }
}

/// Whatever the system grants of them, options never fail a load.
TEST(ModuleLoad, ResidencyOptions) {
  TemporaryFolder folder;
  writeFile(folder / "a.llmc", TinyArtifact(TINY_MODULE).pack());
  for (int choice = 0; choice < 16; ++choice) {
    Module module;
    Error error;
    llmc_module_options_t options = Module::defaultOptions();
    options.prefault = choice & 1;
    options.huge_pages = choice & 2;
    options.lock = choice & 4;
    options.load_threads = choice & 8 ? 3 : 0;
    ASSERT_EQ(module.load((folder / "a.llmc").c_str(), options, &error), LLMC_STATUS_OK)
        << error.message;
    std::string_view warnings = module.warnings();
    EXPECT_TRUE(warnings.empty() || warnings.back() == '\n') << warnings;
    if (!options.huge_pages && !options.lock) {
      EXPECT_EQ(warnings, "");
    }
    expectDoubles(module);
  }
}

/// For a process of its own, as the limit holds for all of it: loads with a lock that the
/// system refuses, prints the warnings and ends.
[[noreturn]] void lockWithoutPermission(const TemporaryFolder &folder) {
  chmod((folder / ".").c_str(), 0755);
  chmod((folder / "a.llmc").c_str(), 0644);
  rlimit none = {0, 0};
  // Root is above the limit.
  if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || (geteuid() == 0 && seteuid(65534) != 0))
    _exit(3);
  Module module;
  Error error;
  llmc_module_options_t options = Module::defaultOptions();
  options.lock = true;
  if (module.load((folder / "a.llmc").c_str(), options, &error) != LLMC_STATUS_OK) {
    std::fprintf(stderr, "not loaded: %s\n", error.message);
    _exit(2);
  }
  std::fprintf(stderr, "%s", std::string(module.warnings()).c_str());
  _exit(0);
}

TEST(ModuleLoad, RefusedLockIsAWarning) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizers' mlock does nothing and succeeds";
#endif
  TemporaryFolder folder;
  writeFile(folder / "a.llmc", TinyArtifact(TINY_MODULE).pack());
  EXPECT_EXIT(lockWithoutPermission(folder), testing::ExitedWithCode(0),
              "weights are not locked in memory: ");
}

TEST(ModuleLoad, ExternalWeights) {
  TemporaryFolder folder;
  TinyArtifact artifact(TINY_MODULE);
  artifact.makeExternal();
  writeFile(folder / "a.llmc", artifact.pack());
  writeFile(folder / "a.llmc.weights", tinyWeights());
  Module module;
  Error error;
  ASSERT_EQ(module.load((folder / "a.llmc").c_str(), &error), LLMC_STATUS_OK) << error.message;
  expectDoubles(module);

  std::string elsewhere = folder / "elsewhere";
  std::filesystem::rename(folder / "a.llmc.weights", elsewhere);
  llmc_module_options_t options = Module::defaultOptions();
  options.weights_path = elsewhere.c_str();
  ASSERT_EQ(module.load((folder / "a.llmc").c_str(), options, &error), LLMC_STATUS_OK)
      << error.message;
  expectDoubles(module);
}

TEST(ModuleLoad, PathWithoutSlash) {
  TemporaryFolder folder;
  writeFile(folder / "a.llmc", TinyArtifact(TINY_MODULE).pack());
  std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(std::filesystem::path(folder / "."));
  Module module;
  Error error;
  EXPECT_EQ(module.load("a.llmc", &error), LLMC_STATUS_OK) << error.message;
  std::filesystem::current_path(before);
}

TEST(ModuleLoad, SessionKeepsModuleAlive) {
  TemporaryFolder folder;
  writeFile(folder / "a.llmc", TinyArtifact(TINY_MODULE).pack());
  Session session;
  {
    Module module;
    ASSERT_EQ(module.load((folder / "a.llmc").c_str()), LLMC_STATUS_OK);
    ASSERT_EQ(session.create(module), LLMC_STATUS_OK);
  }
  float x[3] = {5, 5, 5};
  llmc_tensor_t input = {nullptr, LLMC_DTYPE_F32, 2, {1, 3}, x, sizeof(x)};
  llmc_tensor_t output = {};
  ASSERT_EQ(session.run({&input, 1}, {&output, 1}), LLMC_STATUS_OK);
  EXPECT_EQ(static_cast<float *>(output.data)[1], 10);
}

TEST(ModuleLoad, RefusesStaleCodeAfterReplacement) {
  TemporaryFolder folder;
  std::string path = folder / "a.llmc";
  writeFile(path, TinyArtifact(TINY_MODULE).pack());
  Module old, fresh;
  Error error;
  ASSERT_EQ(old.load(path.c_str()), LLMC_STATUS_OK);
  writeFile(folder / "new", TinyArtifact(TINY_OTHER_NAME).pack());
  std::filesystem::rename(folder / "new", path);
  EXPECT_EQ(fresh.load(path.c_str(), &error), LLMC_STATUS_LOAD_FAILED);
  EXPECT_NE(std::string_view(error.message).find("still loaded"), std::string_view::npos)
      << error.message;
  old = Module();
  ASSERT_EQ(fresh.load(path.c_str(), &error), LLMC_STATUS_OK) << error.message;
  EXPECT_STREQ(fresh.info().name, "other");
}

//===----------------------------------------------------------------------===//
// Broken files
//===----------------------------------------------------------------------===//

struct Broken {
  const char *name;
  /// Writes what is to be loaded to `path`.
  std::function<void(const std::string &path)> write;
  llmc_status_t status;
  const char *says;
};

/// An artifact changed before it is packed.
template <typename Change>
std::function<void(const std::string &)> packed(Change change, const char *elf = TINY_MODULE) {
  return [=](const std::string &path) {
    TinyArtifact artifact(elf);
    change(artifact);
    writeFile(path, artifact.pack());
  };
}

/// A sound artifact's bytes, changed.
template <typename Change> std::function<void(const std::string &)> bytes(Change change) {
  return [=](const std::string &path) {
    Bytes file = TinyArtifact(TINY_MODULE).pack();
    change(file);
    writeFile(path, file);
  };
}

void unchanged(TinyArtifact &) {}

const Broken brokenFiles[] = {
    {"missing", [](const std::string &) {}, LLMC_STATUS_NOT_FOUND, "cannot open"},
    {"directory", [](const std::string &path) { std::filesystem::create_directory(path); },
     LLMC_STATUS_BAD_ARTIFACT, "directory"},
    {"pipe", [](const std::string &path) { mkfifo(path.c_str(), 0600); }, LLMC_STATUS_BAD_ARTIFACT,
     "not a regular file"},
    {"empty", [](const std::string &path) { writeFile(path, ""); }, LLMC_STATUS_BAD_ARTIFACT,
     "only 0 bytes"},
    {"text", [](const std::string &path) { writeFile(path, Bytes(5000, 'x')); },
     LLMC_STATUS_BAD_ARTIFACT, "not an llmc artifact"},
    {"foreignELF", [](const std::string &path) { writeFile(path, readFile(TINY_MODULE)); },
     LLMC_STATUS_BAD_ARTIFACT, "ELF file without llmc trailer"},
    {"63bytes", bytes([](Bytes &file) { file.resize(63); }), LLMC_STATUS_BAD_ARTIFACT,
     "only 63 bytes"},
    {"half", bytes([](Bytes &file) { file.resize(file.size() / 2); }), LLMC_STATUS_BAD_ARTIFACT,
     "truncated"},
    {"oneByteShort", bytes([](Bytes &file) { file.pop_back(); }), LLMC_STATUS_BAD_ARTIFACT,
     "truncated"},
    {"trailerOnly", bytes([](Bytes &file) { file.erase(0, file.size() - 64); }),
     LLMC_STATUS_BAD_ARTIFACT, "code claims"},
    {"magic", packed([](TinyArtifact &a) { a.trailer.magic[7] = '2'; }), LLMC_STATUS_BAD_ARTIFACT,
     "trailer"},
    {"trailerVersion", packed([](TinyArtifact &a) { a.trailer.abi_version = 99; }),
     LLMC_STATUS_VERSION_MISMATCH, "version 99"},
    {"unknownFlag", packed([](TinyArtifact &a) { a.trailer.flags = 128; }),
     LLMC_STATUS_VERSION_MISMATCH, "flags"},
    {"hugeELF", packed([](TinyArtifact &a) { a.trailer.elf_size = UINT64_MAX; }),
     LLMC_STATUS_BAD_ARTIFACT, "code claims"},
    {"noELF", packed([](TinyArtifact &a) {
       a.trailer.elf_size = 0;
       a.trailer.elf_checksum = fnv("");
     }),
     LLMC_STATUS_BAD_ARTIFACT, "too short for an ELF header"},
    {"ELFChecksum", packed([](TinyArtifact &a) { ++a.trailer.elf_checksum; }),
     LLMC_STATUS_BAD_ARTIFACT, "code is corrupted"},
    {"flippedCode", packed([](TinyArtifact &a) { a.elf[2000] ^= 1; }), LLMC_STATUS_BAD_ARTIFACT,
     "code is corrupted"},
    {"notELF", packed([](TinyArtifact &a) {
       a.elf[0] = 'X';
       a.measure();
     }),
     LLMC_STATUS_BAD_ARTIFACT, "not a 64-bit ELF"},
    {"otherMachine", packed([](TinyArtifact &a) {
       a.elf[18] = 40; // EM_ARM
       a.measure();
     }),
     LLMC_STATUS_CPU_UNSUPPORTED, "machine 40"},
    {"programHeaders", packed([](TinyArtifact &a) {
       a.elf[0x27] = 1; // top byte of e_phoff
       a.measure();
     }),
     LLMC_STATUS_BAD_ARTIFACT, "program headers"},
    {"hugeOffset",
     packed([](TinyArtifact &a) { a.trailer.safetensors_offset = UINT64_MAX - 4095; }),
     LLMC_STATUS_BAD_ARTIFACT, "weights claim"},
    {"hugeSize", packed([](TinyArtifact &a) { a.trailer.safetensors_size = UINT64_MAX; }),
     LLMC_STATUS_BAD_ARTIFACT, "weights claim"},
    {"headerChecksum", packed([](TinyArtifact &a) { ++a.trailer.header_checksum; }),
     LLMC_STATUS_BAD_ARTIFACT, "header has checksum"},
    {"flippedHeader", packed([](TinyArtifact &a) { a.weights[100] ^= 1; }),
     LLMC_STATUS_BAD_ARTIFACT, "header has checksum"},
    {"hugeHeader", packed([](TinyArtifact &a) { a.weights[7] = 127; }), LLMC_STATUS_BAD_ARTIFACT,
     "header claims"},
    {"longHeader", packed([](TinyArtifact &a) { a.weights[2] = 1; }), LLMC_STATUS_BAD_ARTIFACT,
     "header claims"},
    {"noHeader", packed([](TinyArtifact &a) {
       a.weights.resize(7);
       a.measure();
     }),
     LLMC_STATUS_BAD_ARTIFACT, "too short"},
    {"notJSON", packed([](TinyArtifact &a) { a.weights[8] = 'x'; }), LLMC_STATUS_BAD_ARTIFACT,
     "not JSON"},
    {"misaligned", packed([](TinyArtifact &a) { a.weights[0] -= 8; }), LLMC_STATUS_BAD_ARTIFACT,
     "not aligned"},
    {"dataTooLong", packed([](TinyArtifact &a) {
       a.weights += "more";
       a.measure();
     }),
     LLMC_STATUS_WEIGHTS_MISMATCH, "needs 16 bytes of weights, found 20"},
    {"noWeights", packed([](TinyArtifact &a) {
       a.weights.clear();
       a.measure();
     }),
     LLMC_STATUS_WEIGHTS_MISMATCH, "found 0"},
    {"bothWeights",
     packed([](TinyArtifact &a) { a.trailer.flags = LLMC_ARTIFACT_EXTERNAL_WEIGHTS; }),
     LLMC_STATUS_BAD_ARTIFACT, "both inside and external"},
    {"externalMissing", packed([](TinyArtifact &a) { a.makeExternal(); }), LLMC_STATUS_NOT_FOUND,
     ".weights'"},
    {"externalForeign",
     [](const std::string &path) {
       packed([](TinyArtifact &a) { a.makeExternal(); })(path);
       Bytes header = tinyHeader();
       header.back() = '\n';
       writeFile(path + ".weights", safetensors(header, tinyData()));
     },
     LLMC_STATUS_WEIGHTS_MISMATCH, "header has checksum"},
    {"externalTruncated",
     [](const std::string &path) {
       packed([](TinyArtifact &a) { a.makeExternal(); })(path);
       writeFile(path + ".weights", tinyWeights().substr(0, 1000));
     },
     LLMC_STATUS_BAD_ARTIFACT, "header claims 4088 bytes"},
    {"unknownCPU", packed([](TinyArtifact &a) { a.trailer.required_cpu = 1ull << 63; }),
     LLMC_STATUS_CPU_UNSUPPORTED, "unknown to this runtime"},
    {"descriptorCPU", packed(unchanged, TINY_UNKNOWN_CPU), LLMC_STATUS_CPU_UNSUPPORTED,
     "unknown to this runtime"},
    {"descriptorVersion", packed(unchanged, TINY_ABI_99), LLMC_STATUS_VERSION_MISMATCH,
     "version 99"},
    {"descriptorSize", packed(unchanged, TINY_SIZE_120), LLMC_STATUS_VERSION_MISMATCH, "120 bytes"},
    {"descriptorChecksum", packed(unchanged, TINY_CHECKSUM_1), LLMC_STATUS_WEIGHTS_MISMATCH,
     "header checksum 0x0000000000000001"},
    {"queryNull", packed(unchanged, TINY_QUERY_NULL), LLMC_STATUS_VERSION_MISMATCH,
     "does not speak"},
    {"noQuery", packed(unchanged, TINY_NO_QUERY), LLMC_STATUS_BAD_ARTIFACT, "does not export"},
};

TEST(ModuleLoad, BrokenFiles) {
  for (const Broken &broken : brokenFiles) {
    TemporaryFolder folder;
    std::string path = folder / broken.name;
    broken.write(path);
    llmc_module_t *module = nullptr;
    Error error;
    EXPECT_EQ(llmc_module_load(path.c_str(), nullptr, &module, &error), broken.status)
        << broken.name << ": " << error.message;
    EXPECT_EQ(error.code, broken.status) << broken.name;
    EXPECT_EQ(module, nullptr) << broken.name;
    std::string_view message = error.message;
    EXPECT_NE(message.find(broken.says), message.npos) << message;
    EXPECT_NE(message.find(broken.name), message.npos) << "no path: " << message;
    // Without an error record the status is the same.
    EXPECT_EQ(llmc_module_load(path.c_str(), nullptr, &module, nullptr), broken.status);
  }
}

TEST(ModuleLoad, EveryTruncation) {
  TemporaryFolder folder;
  Bytes file = TinyArtifact(TINY_MODULE).pack();
  std::string path = folder / "a.llmc";
  for (size_t size = 0; size < file.size(); size += size + 300 < file.size() ? 97 : 1) {
    writeFile(path, file.substr(0, size));
    Module module;
    ASSERT_NE(module.load(path.c_str()), LLMC_STATUS_OK) << size;
  }
}

TEST(ModuleLoad, EveryTrailerBit) {
  TemporaryFolder folder;
  Bytes file = TinyArtifact(TINY_MODULE).pack();
  std::string path = folder / "a.llmc";
  for (size_t bit = 0; bit < 64 * 8; ++bit) {
    Bytes flipped = file;
    flipped[file.size() - 64 + bit / 8] ^= static_cast<char>(1 << bit % 8);
    writeFile(path, flipped);
    Module module;
    // A CPU feature that this machine has is no contradiction.
    if (module.load(path.c_str()) == LLMC_STATUS_OK) {
      EXPECT_GE(bit / 8, offsetof(llmc_artifact_trailer_t, required_cpu));
    }
  }
}

TEST(ModuleLoad, ArgumentsAndOptions) {
  Error error;
  llmc_module_t *module = nullptr;
  EXPECT_EQ(llmc_module_load(nullptr, nullptr, &module, &error), LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(llmc_module_load("x", nullptr, nullptr, &error), LLMC_STATUS_INVALID_ARGUMENT);
  llmc_module_options_t options = {};
  EXPECT_EQ(llmc_module_load("x", &options, &module, &error), LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(std::string_view(error.message).find("struct_size"), std::string_view::npos);
  // A caller from the future: fine as long as the new option is unset.
  struct {
    llmc_module_options_t known;
    uint64_t future;
  } later = {};
  later.known.struct_size = sizeof(later);
  EXPECT_EQ(llmc_module_load("/nonexistent", &later.known, &module, &error), LLMC_STATUS_NOT_FOUND);
  later.future = 1;
  EXPECT_EQ(llmc_module_load("/nonexistent", &later.known, &module, &error),
            LLMC_STATUS_INVALID_ARGUMENT);
  llmc_module_destroy(nullptr);
}

} // namespace

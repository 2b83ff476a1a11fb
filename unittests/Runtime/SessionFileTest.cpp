//===- SessionFileTest.cpp - sequences saved and restored -----------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ToySequences.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace llmc;
using namespace llmc::test;

namespace {

llmc_session_options_t options(uint32_t maxSequences = 5) {
  llmc_session_options_t options = Session::defaultOptions();
  options.threads = 1;
  options.max_sequences = maxSequences;
  return options;
}

class SessionFile : public testing::TestWithParam<llmc_module_query_fn> {
protected:
  void SetUp() override {
    folder = std::filesystem::path(testing::TempDir()) /
             ("llmc-session-file-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder);
    path = (folder / "s.session").string();
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string read() const {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void write(const std::string &bytes) const {
    std::ofstream(path, std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
  }

  std::filesystem::path folder;
  std::string path;
};

INSTANTIATE_TEST_SUITE_P(Toys, SessionFile,
                         testing::Values(statefulQuery, recurrentQuery, windowedQuery));

TEST_P(SessionFile, AnotherSessionGoesOn) {
  ToySequences saved;
  saved.create(GetParam(), options());
  saved.prefill(1, someTokens(11, 1));
  saved.fork(1);
  saved.prefill(4, someTokens(3, 2));
  saved.decode({4, 1}, {8, 9});
  ASSERT_EQ(saved.session.save(path.c_str(), &saved.error), LLMC_STATUS_OK) << saved.error.message;
  // Nothing else is left in the folder.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);

  ToySequences restored;
  restored.create(GetParam(), options());
  ASSERT_EQ(restored.session.restore(path.c_str(), &restored.error), LLMC_STATUS_OK)
      << restored.error.message;
  restored.held = saved.held;
  EXPECT_EQ(restored.usedBlocks(), saved.usedBlocks()); // what was shared still is
  EXPECT_EQ(restored.session.info().num_sequences, 3u);
  restored.compare({4, 1});
  restored.decode({0, 1, 4}, {3, 4, 5});
  restored.decode({4, 0}, {6, 7});
}

TEST_P(SessionFile, OneSequenceJoinsOthers) {
  ToySequences toys;
  toys.create(GetParam(), options());
  toys.prefill(0, someTokens(9, 1));
  toys.prefill(1, someTokens(7, 2));
  uint32_t one = 1;
  ASSERT_EQ(toys.session.save(std::span(&one, 1), path.c_str()), LLMC_STATUS_OK);
  uint32_t number = 0;
  size_t count = 0;
  ASSERT_EQ(llmc_session_restore(toys.session.get(), path.c_str(), &number, 1, &count, &toys.error),
            LLMC_STATUS_OK)
      << toys.error.message;
  EXPECT_EQ(count, 1u);
  EXPECT_EQ(number, 2u); // 1 is in use
  toys.held[2] = toys.held[1];
  toys.compare({2});
  toys.decode({2, 0, 1}, {1, 2, 3});
  EXPECT_EQ(llmc_session_restore(toys.session.get(), path.c_str(), &number, 0, &count, &toys.error),
            LLMC_STATUS_INVALID_ARGUMENT);
}

TEST_P(SessionFile, EveryTruncationAndEveryByteIsNoticed) {
  ToySequences toys;
  toys.create(GetParam(), options());
  toys.prefill(0, someTokens(9, 1));
  ASSERT_EQ(toys.session.save(path.c_str()), LLMC_STATUS_OK);
  toys.decode({0}, {2});
  uint64_t blocks = toys.usedBlocks();
  std::string whole = read();
  auto refuses = [&](const std::string &bytes, const std::string &what) {
    write(bytes);
    Status status = toys.session.restore(path.c_str(), &toys.error);
    bool isExpected =
        status == LLMC_STATUS_BAD_SESSION_FILE || status == LLMC_STATUS_VERSION_MISMATCH;
    EXPECT_TRUE(isExpected) << what << ": " << status << ' ' << toys.error.message;
    EXPECT_EQ(toys.usedBlocks(), blocks);
    EXPECT_EQ(toys.session.info().num_sequences, 1u);
    toys.compare({0});
  };
  for (size_t size = 0; size < whole.size(); ++size)
    refuses(whole.substr(0, size), "size " + std::to_string(size));
  refuses(whole + "x", "one byte more");
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string broken = whole;
    broken[i] ^= 0x10;
    refuses(broken, "byte " + std::to_string(i));
  }
  refuses(std::string(4096, 'x'), "text");
  toys.decode({0}, {3});
  write(whole);
  EXPECT_EQ(toys.session.restore(path.c_str(), &toys.error), LLMC_STATUS_OK) << toys.error.message;
}

TEST_P(SessionFile, OtherModulesAndLittleRoomAreRefused) {
  ToySequences toys;
  toys.create(GetParam(), options());
  toys.prefill(0, someTokens(9, 1));
  toys.prefill(1, someTokens(30, 1));
  ASSERT_EQ(toys.session.save(path.c_str()), LLMC_STATUS_OK);
  ToySequences other;
  other.create(GetParam() == statefulQuery ? recurrentQuery : statefulQuery, options());
  EXPECT_EQ(other.session.restore(path.c_str(), &other.error), LLMC_STATUS_MODULE_MISMATCH);
  EXPECT_NE(std::string_view(other.error.message).find("was saved by another module"),
            std::string_view::npos);

  llmc_session_options_t little = options();
  little.max_seq = 20;
  ToySequences shorter;
  shorter.create(GetParam(), little);
  EXPECT_EQ(shorter.session.restore(path.c_str(), &shorter.error), LLMC_STATUS_CAPACITY);
  little = options();
  little.cache_tokens = 8;
  ToySequences smaller;
  smaller.create(GetParam(), little);
  EXPECT_EQ(smaller.session.restore(path.c_str(), &smaller.error), LLMC_STATUS_CAPACITY);
  EXPECT_EQ(smaller.usedBlocks(), 0u);
  ToySequences full;
  full.create(GetParam(), options());
  uint32_t number;
  for (int i = 0; i < 4; ++i)
    ASSERT_EQ(full.session.createSequence(number), LLMC_STATUS_OK);
  EXPECT_EQ(full.session.restore(path.c_str(), &full.error), LLMC_STATUS_CAPACITY);
  EXPECT_EQ(full.session.info().num_sequences, 4u);
  EXPECT_EQ(full.usedBlocks(), 0u);
}

TEST_P(SessionFile, PathsAndArguments) {
  ToySequences toys;
  toys.create(GetParam(), options());
  EXPECT_EQ(toys.session.restore(path.c_str(), &toys.error), LLMC_STATUS_NOT_FOUND);
  EXPECT_EQ(toys.session.restore(folder.c_str(), &toys.error), LLMC_STATUS_BAD_SESSION_FILE);
  EXPECT_EQ(toys.session.save((path + "/none").c_str(), &toys.error), LLMC_STATUS_IO);
  EXPECT_EQ(toys.session.save(folder.c_str(), &toys.error), LLMC_STATUS_IO); // a folder
  uint32_t numbers[2] = {0, 0};
  EXPECT_EQ(toys.session.save(std::span(numbers, 1), path.c_str(), &toys.error),
            LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_STREQ(toys.error.message, "sequence 0 is not in use");
  toys.prefill(0, {1});
  EXPECT_EQ(toys.session.save(numbers, path.c_str(), &toys.error), LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_STREQ(toys.error.message, "sequence 0 is to be saved twice");
  EXPECT_EQ(llmc_session_save(toys.session.get(), nullptr, 0, nullptr, &toys.error),
            LLMC_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  // A session without sequences is a file, too.
  ASSERT_EQ(toys.session.reset(), LLMC_STATUS_OK);
  ASSERT_EQ(toys.session.save(path.c_str()), LLMC_STATUS_OK);
  EXPECT_EQ(toys.session.restore(path.c_str(), &toys.error), LLMC_STATUS_OK) << toys.error.message;
}

} // namespace

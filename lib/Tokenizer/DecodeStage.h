//===- DecodeStage.h - One step from tokens to text -------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Decoding is a chain of stages. Text flows through it in fragments, so the
// same code serves whole texts and streams: each stage passes on what can no
// longer change and keeps the rest.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_DECODESTAGE_H
#define LLMC_LIB_TOKENIZER_DECODESTAGE_H

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace llmc::tokenizer {

/// Receives a list of tokens: for each, any number of text() with whole
/// characters, then endToken(); after the last, finish().
class DecodeStage {
public:
  virtual ~DecodeStage() = default;
  virtual void text(std::string_view fragment) = 0;
  virtual void endToken() = 0;
  /// Passes on what was kept and prepares for a new list.
  virtual void finish() = 0;
};

/// Makes the state of one stage that hands its output to `next`.
using StageFactory = std::function<std::unique_ptr<DecodeStage>(DecodeStage &next)>;

/// Room that buffers of stages have from the start, so that tokens allocate nothing.
constexpr size_t kReservedBytes = 1024;

/// The steps that work on one token at a time, given the token and its position
/// in the list.
using TokenRewrite = std::function<void(std::string &token, size_t index)>;
StageFactory rewriteStage(TokenRewrite rewrite);

/// Bytes spelled in GPT-2's alphabet back to text; the list becomes one token.
StageFactory byteLevelStage();

/// Runs of tokens "<0xHH>" to the characters that they spell, or to one U+FFFD
/// for each byte where they spell none.
StageFactory byteFallbackStage();

/// Joins the list to one token.
StageFactory fuseStage();

/// Removes up to `start` and up to `stop` times `character` from the ends of
/// each token.
StageFactory stripStage(std::string character, size_t start, size_t stop);

/// Replaces `suffix` by a space, by nothing in the last token.
StageFactory suffixStage(std::string suffix);

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_DECODESTAGE_H

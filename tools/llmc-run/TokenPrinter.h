//===- TokenPrinter.h - new tokens on the standard output -------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_RUN_TOKENPRINTER_H
#define LLMC_TOOLS_LLMC_RUN_TOKENPRINTER_H

#include "llmc/Tokenizer/Tokenizer.h"

#include <span>

namespace llmc::run {

/// Where new tokens go: text as it becomes certain, or ids on one line. A token allocates
/// nothing, beside the standard output's own buffer with the first one.
class TokenPrinter {
public:
  TokenPrinter(const tokenizer::Tokenizer &tokenizer, bool printIds)
      : decoder(tokenizer, /*skipSpecial=*/true), printIds(printIds) {}

  /// The prompt goes through the decoder in any case: how a token reads may
  /// depend on the one before it.
  void startWith(std::span<const int32_t> prompt, bool hidePrompt);
  void push(int32_t id);
  /// Ends the line; a second call does nothing.
  void finish();

private:
  void write(std::string_view text);

  tokenizer::StreamDecoder decoder;
  bool printIds;
  bool isFirst = true;
  char last = 0;
};

} // namespace llmc::run

#endif // LLMC_TOOLS_LLMC_RUN_TOKENPRINTER_H

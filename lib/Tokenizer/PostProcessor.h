//===- PostProcessor.h - Tokens around a text -------------------*- C++ -*-===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The `post_processor` of a tokenizer.json, for one text (not pairs): all known
// types amount to ids before and ids after it.
//
//===----------------------------------------------------------------------===//

#ifndef LLMC_LIB_TOKENIZER_POSTPROCESSOR_H
#define LLMC_LIB_TOKENIZER_POSTPROCESSOR_H

#include "JsonNode.h"

namespace llmc::tokenizer {

struct PostProcessor {
  std::vector<int32_t> before, after;
};

/// Reads the post-processor; nothing around the text where it is not present.
/// Mistakes are recorded in the document.
PostProcessor parsePostProcessor(const JsonNode &node, int depth = 0);

} // namespace llmc::tokenizer

#endif // LLMC_LIB_TOKENIZER_POSTPROCESSOR_H

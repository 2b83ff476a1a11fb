//===- TokenPrinter.cpp - new tokens on the standard output ---------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TokenPrinter.h"

#include <cstdio>

using namespace llmc::run;

void TokenPrinter::startWith(std::span<const int32_t> prompt, bool hidePrompt) {
  for (int32_t id : prompt) {
    std::string_view text = decoder.push(id);
    if (!printIds && !hidePrompt)
      write(text);
  }
  std::fflush(stdout);
}

void TokenPrinter::push(int32_t id) {
  if (printIds) {
    std::printf("%s%d", isFirst ? "" : " ", id);
    isFirst = false;
  } else {
    write(decoder.push(id));
  }
  std::fflush(stdout);
}

void TokenPrinter::finish() {
  if (!printIds)
    write(decoder.finish());
  if (last != '\n')
    write("\n");
  std::fflush(stdout);
}

void TokenPrinter::write(std::string_view text) {
  if (text.empty())
    return;
  std::fwrite(text.data(), 1, text.size(), stdout);
  last = text.back();
}

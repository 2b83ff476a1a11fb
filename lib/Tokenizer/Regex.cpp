//===- Regex.cpp - Compiling and searching with PCRE2 ---------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Owns the PCRE2 objects. The text is known to be valid UTF-8, so the check is
// off: PCRE2 would repeat it from every start offset, which is quadratic.
//
//===----------------------------------------------------------------------===//

#include "Regex.h"
#include "Unicode.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

using namespace llmc::tokenizer;

struct Regex::Compiled {
  std::string source;
  pcre2_code *code = nullptr;
  ~Compiled() { pcre2_code_free(code); }
};

Regex::Regex(std::unique_ptr<Compiled> compiled) : compiled(std::move(compiled)) {}
Regex::~Regex() = default;
Regex::Regex(Regex &&) noexcept = default;
Regex &Regex::operator=(Regex &&) noexcept = default;

static std::string messageOf(int code) {
  PCRE2_UCHAR buffer[256];
  if (pcre2_get_error_message(code, buffer, sizeof(buffer)) < 0)
    return "error " + std::to_string(code);
  return reinterpret_cast<const char *>(buffer);
}

Expected<Regex> Regex::compile(std::string_view pattern) {
  Expected<std::string> translated = translateRegex(pattern);
  if (!translated)
    return translated.error();
  std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(
      pcre2_compile_context_create(nullptr), &pcre2_compile_context_free);
  if (!context)
    return Error{"out of memory"};
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);

  auto compiled = std::make_unique<Compiled>();
  compiled->source = pattern;
  int code = 0;
  PCRE2_SIZE offset = 0;
  // Ruby's ^ and $ are always line anchors.
  compiled->code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated->data()), translated->size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code,
                    &offset, context.get());
  if (!compiled->code)
    return Error{"invalid regular expression '" + std::string(pattern) + "': " + messageOf(code)};
  // Without JIT support the interpreter serves; the result is not needed.
  pcre2_jit_compile(compiled->code, PCRE2_JIT_COMPLETE);
  return Regex(std::move(compiled));
}

MaybeError Regex::findAll(std::string_view text, std::vector<Range> &matches) const {
  std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
      pcre2_match_data_create_from_pattern(compiled->code, nullptr), &pcre2_match_data_free);
  if (!data)
    return Error{"out of memory"};
  auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  size_t position = 0;
  size_t lastEnd = std::string_view::npos;
  while (position <= text.size()) {
    int code = pcre2_match(compiled->code, subject, text.size(), position, PCRE2_NO_UTF_CHECK,
                           data.get(), nullptr);
    if (code == PCRE2_ERROR_JIT_STACKLIMIT)
      code = pcre2_match(compiled->code, subject, text.size(), position,
                         PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data.get(), nullptr);
    if (code == PCRE2_ERROR_NOMATCH)
      return std::nullopt;
    if (code < 0)
      return Error{"regular expression '" + compiled->source + "' failed: " + messageOf(code)};
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(data.get());
    // \K in a lookahead may put the end before the start.
    if (range[1] < range[0] || range[0] < position)
      return Error{"regular expression '" + compiled->source +
                   "' failed: match ends before it starts"};
    bool empty = range[0] == range[1];
    if (!empty || range[0] != lastEnd)
      matches.push_back({range[0], range[1]});
    lastEnd = position = range[1];
    if (empty && position < text.size())
      position += characterSize(static_cast<unsigned char>(text[position]));
    else if (empty)
      return std::nullopt;
  }
  return std::nullopt;
}

//===- DecodeStage.cpp - The stages between tokens and text ---------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each class keeps as little as it can: a token, a run of byte tokens, half a
// character, or a few characters at an end.
//
//===----------------------------------------------------------------------===//

#include "DecodeStage.h"
#include "ByteAlphabet.h"
#include "Unicode.h"

#include <algorithm>

using namespace llmc::tokenizer;

namespace {

/// Base of the stages that look at whole tokens.
class WholeTokenStage : public DecodeStage {
public:
  explicit WholeTokenStage(DecodeStage &next) : next(next) { token.reserve(kReservedBytes); }
  void text(std::string_view fragment) final { token += fragment; }
  void endToken() final {
    take(token);
    token.clear();
  }
  void finish() override { next.finish(); }

protected:
  /// May change the token, which is not used any more.
  virtual void take(std::string &whole) = 0;
  void pass(std::string_view whole) {
    next.text(whole);
    next.endToken();
  }
  DecodeStage &next;

private:
  std::string token;
};

class RewriteStage : public WholeTokenStage {
public:
  RewriteStage(DecodeStage &next, TokenRewrite rewrite)
      : WholeTokenStage(next), rewrite(std::move(rewrite)) {}
  void finish() override {
    index = 0;
    next.finish();
  }

protected:
  void take(std::string &whole) override {
    rewrite(whole, index++);
    pass(whole);
  }

private:
  TokenRewrite rewrite;
  size_t index = 0;
};

class ByteLevelStage : public WholeTokenStage {
public:
  explicit ByteLevelStage(DecodeStage &next) : WholeTokenStage(next) {
    bytes.reserve(kReservedBytes);
  }
  void finish() override {
    if (!bytes.empty()) // Half a character that nothing completed.
      next.text(replacementCharacter);
    bytes.clear();
    next.endToken();
    next.finish();
  }

protected:
  void take(std::string &whole) override {
    // A token outside the alphabet (an added one) stands for its own text.
    if (!appendAlphabetBytes(whole, bytes))
      bytes += whole;
    size_t settled = 0;
    while (settled < bytes.size()) {
      std::string_view rest = std::string_view(bytes).substr(settled);
      Utf8Prefix prefix = classifyUtf8(rest);
      if (prefix.kind == Utf8Prefix::Truncated)
        break;
      next.text(prefix.kind == Utf8Prefix::Complete ? rest.substr(0, prefix.size)
                                                    : replacementCharacter);
      settled += prefix.size;
    }
    bytes.erase(0, settled);
  }

private:
  std::string bytes; ///< The beginning of a character.
};

class ByteFallbackStage : public WholeTokenStage {
public:
  explicit ByteFallbackStage(DecodeStage &next) : WholeTokenStage(next) {
    run.reserve(kReservedBytes);
  }
  void finish() override {
    flush();
    next.finish();
  }

protected:
  void take(std::string &whole) override {
    if (int byte = byteOf(whole); byte >= 0) {
      run += static_cast<char>(byte);
      return;
    }
    flush();
    pass(whole);
  }

private:
  static int byteOf(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>')
      return -1;
    int value = 0;
    for (char c : token.substr(3, 2)) {
      static constexpr std::string_view digits = "0123456789ABCDEFabcdef";
      size_t digit = digits.find(c);
      if (digit == std::string_view::npos)
        return -1;
      value = value * 16 + static_cast<int>(digit < 16 ? digit : digit - 6);
    }
    return value;
  }

  void flush() {
    if (run.empty())
      return;
    bool valid = true;
    for (std::string_view rest = run; valid && !rest.empty();) {
      Utf8Prefix prefix = classifyUtf8(rest);
      valid = prefix.kind == Utf8Prefix::Complete;
      rest.remove_prefix(prefix.size);
    }
    if (valid)
      pass(run);
    else
      for (size_t i = 0; i < run.size(); ++i)
        pass(replacementCharacter);
    run.clear();
  }

  /// All bytes of the run: a later byte can turn each of them into U+FFFD.
  std::string run;
};

class FuseStage : public DecodeStage {
public:
  explicit FuseStage(DecodeStage &next) : next(next) {}
  void text(std::string_view fragment) override { next.text(fragment); }
  void endToken() override {}
  void finish() override {
    next.endToken();
    next.finish();
  }

private:
  DecodeStage &next;
};

class StripStage : public DecodeStage {
public:
  StripStage(DecodeStage &next, std::string character, size_t start, size_t stop)
      : next(next), character(std::move(character)), start(start), stop(stop), startLeft(start) {
    kept.reserve(kReservedBytes);
  }

  void text(std::string_view fragment) override {
    while (startLeft > 0 && !fragment.empty()) {
      if (fragment.starts_with(character)) {
        fragment.remove_prefix(character.size());
        --startLeft;
      } else {
        startLeft = 0;
      }
    }
    // Keep the characters at the end that may have to go.
    kept += fragment;
    size_t end = kept.size();
    for (size_t i = 0; i < stop && endsWithCharacter(end); ++i)
      end -= character.size();
    if (end > 0)
      next.text(std::string_view(kept).substr(0, end));
    kept.erase(0, end);
  }

  void endToken() override {
    kept.clear();
    startLeft = start;
    next.endToken();
  }

  void finish() override { next.finish(); }

private:
  bool endsWithCharacter(size_t end) const {
    return std::string_view(kept).substr(0, end).ends_with(character);
  }

  DecodeStage &next;
  std::string character;
  size_t start, stop;
  size_t startLeft;
  std::string kept;
};

class SuffixStage : public WholeTokenStage {
public:
  SuffixStage(DecodeStage &next, std::string suffix)
      : WholeTokenStage(next), suffix(std::move(suffix)) {
    waiting.reserve(kReservedBytes);
  }
  void finish() override {
    if (hasWaiting)
      passReplaced("");
    hasWaiting = false;
    next.finish();
  }

protected:
  void take(std::string &whole) override {
    if (hasWaiting)
      passReplaced(" ");
    waiting.swap(whole);
    hasWaiting = true;
  }

private:
  void passReplaced(std::string_view content) {
    std::string_view whole = waiting;
    size_t last = 0;
    for (size_t at; !suffix.empty() && (at = whole.find(suffix, last)) != std::string::npos;
         last = at + suffix.size()) {
      next.text(whole.substr(last, at - last));
      next.text(content);
    }
    next.text(whole.substr(last));
    next.endToken();
  }

  std::string suffix;
  std::string waiting; ///< The newest token: it may be the last.
  bool hasWaiting = false;
};

template <typename Stage, typename... Args> StageFactory makeFactory(Args... args) {
  return [=](DecodeStage &next) -> std::unique_ptr<DecodeStage> {
    return std::make_unique<Stage>(next, args...);
  };
}

} // namespace

StageFactory llmc::tokenizer::rewriteStage(TokenRewrite rewrite) {
  return makeFactory<RewriteStage>(std::move(rewrite));
}
StageFactory llmc::tokenizer::byteLevelStage() { return makeFactory<ByteLevelStage>(); }
StageFactory llmc::tokenizer::byteFallbackStage() { return makeFactory<ByteFallbackStage>(); }
StageFactory llmc::tokenizer::fuseStage() { return makeFactory<FuseStage>(); }
StageFactory llmc::tokenizer::stripStage(std::string character, size_t start, size_t stop) {
  return makeFactory<StripStage>(std::move(character), start, stop);
}
StageFactory llmc::tokenizer::suffixStage(std::string suffix) {
  return makeFactory<SuffixStage>(std::move(suffix));
}

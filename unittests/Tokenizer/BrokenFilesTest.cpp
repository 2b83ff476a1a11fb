//===- BrokenFilesTest.cpp - Mistakes in tokenizer.json -------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each broken file gives an error that names the place and what is wrong; none
// crashes.
//
//===----------------------------------------------------------------------===//

#include "llmc/Tokenizer/Tokenizer.h"

#include <gtest/gtest.h>

using namespace llmc::tokenizer;

namespace {

constexpr std::string_view bpe =
    R"("model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []})";

std::string errorOf(const std::string &text) {
  auto tokenizer = Tokenizer::loadFromJson(text);
  return tokenizer ? "loaded" : tokenizer.error().message;
}

/// The error of a file with a sound model and `parts`, without "tokenizer.json:
/// ".
std::string errorWith(const std::string &parts) {
  std::string error = errorOf("{" + std::string(bpe) + ", " + parts + "}");
  std::string_view file = "tokenizer.json: ";
  return error.starts_with(file) ? error.substr(file.size()) : error;
}

std::string modelError(const std::string &members) {
  std::string error = errorOf("{\"model\": {" + members + "}}");
  std::string_view place = "tokenizer.json: model";
  return error.starts_with(place) ? error.substr(place.size()) : error;
}

} // namespace

TEST(BrokenTokenizer, NotAFile) {
  EXPECT_NE(errorOf("").find("not valid JSON"), std::string::npos);
  EXPECT_NE(errorOf("{\"model\": {").find("not valid JSON"), std::string::npos);
  EXPECT_NE(errorOf("{\"a\": \"\xFF\"}").find("not valid JSON"), std::string::npos);
  EXPECT_EQ(errorOf("[]"), "tokenizer.json: expected an object, found array");
  EXPECT_EQ(errorOf("{}"), "tokenizer.json: model: expected an object");
  EXPECT_NE(errorOf(std::string(100000, '[')).find("not valid JSON"), std::string::npos);
}

TEST(BrokenTokenizer, Vocabulary) {
  EXPECT_EQ(modelError(R"("type": "Magic")"), ": unknown model 'Magic'");
  EXPECT_EQ(modelError(R"("type": 3)"), ".type: expected a string, found number");
  EXPECT_EQ(modelError(R"("type": "BPE", "vocab": [], "merges": [])"),
            ".vocab: expected an object of tokens and ids");
  EXPECT_EQ(modelError(R"("type": "BPE", "vocab": {"a": "x"}, "merges": [])"),
            ".vocab['a']: expected an id from 0 to 4194303, found \"x\"");
  for (const char *id : {"-1", "1.5", "5000000", "18446744073709551615"})
    EXPECT_NE(modelError(R"("type": "BPE", "merges": [], "vocab": {"a": )" + std::string(id) + "}")
                  .find("expected an id"),
              std::string::npos);
  EXPECT_EQ(modelError(R"("type": "BPE", "vocab": {"a": 1, "b": 1}, "merges": [])"),
            ".vocab: 'a' and 'b' have the same id 1");
  EXPECT_EQ(modelError(R"("type": "BPE", "vocab": {"a": 0}, "merges": [],
                          "unk_token": "?")"),
            ".unk_token: '?' is not in the vocabulary");
  EXPECT_EQ(modelError(R"("type": "BPE", "vocab": {}, "merges": [],
                          "dropout": 0.1)"),
            ".dropout: dropout is not supported");
}

TEST(BrokenTokenizer, Merges) {
  auto mergeError = [](const std::string &merges) {
    return modelError(R"("type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2},
                         "merges": )" +
                      merges);
  };
  EXPECT_EQ(mergeError("{}"), ".merges: expected an array of merges");
  EXPECT_EQ(mergeError(R"(["a b", "a x"])"), ".merges[1]: 'x' is not in the vocabulary");
  EXPECT_EQ(mergeError(R"([["b", "a"]])"), ".merges[0]: 'ba' is not in the vocabulary");
  EXPECT_EQ(mergeError(R"(["ab"])"), ".merges[0]: expected two tokens with a "
                                     "space between, found 'ab'");
  EXPECT_EQ(mergeError(R"([["a"]])"), R"(.merges[0]: expected "a b" or ["a", "b"])");
  EXPECT_EQ(mergeError("[1]"), R"(.merges[0]: expected "a b" or ["a", "b"])");
  EXPECT_EQ(mergeError(R"(["a b"], "continuing_subword_prefix": "##")"),
            ".merges[0]: 'b' is shorter than the prefix '##'");
}

TEST(BrokenTokenizer, OtherModels) {
  EXPECT_EQ(modelError(R"("type": "WordPiece", "vocab": {"a": 0})"),
            ".unk_token: '[UNK]' is not in the vocabulary");
  EXPECT_EQ(modelError(R"("type": "WordPiece", "vocab": {"[UNK]": 0},
                          "max_input_chars_per_word": -1)"),
            ".max_input_chars_per_word: expected a whole number from 0 to "
            "10000");
  EXPECT_EQ(modelError(R"("type": "Unigram", "vocab": [["a", 0], ["b"]])"),
            ".vocab[1]: expected [token, score]");
  EXPECT_EQ(modelError(R"("type": "Unigram", "vocab": [["a", 0]], "unk_id": 1)"),
            ".unk_id: no token has the id 1");
}

TEST(BrokenTokenizer, AddedTokens) {
  EXPECT_EQ(errorWith(R"("added_tokens": [{"content": "x"}])"),
            "added_tokens[0].id: expected a token id, found nothing");
  EXPECT_EQ(errorWith(R"("added_tokens": [{"id": 9999999, "content": "x"}])"),
            "added_tokens[0]: the id exceeds 4194303");
  EXPECT_EQ(errorWith(R"("added_tokens": [{"id": 1, "content": "x"}])"),
            "added_tokens[0]: 'x' has the id 1 of the model's token 'b'");
  EXPECT_EQ(errorWith(R"("added_tokens": [{"id": 7, "content": "b"}])"),
            "added_tokens[0]: 'b' has the id 7, but the model gives it 1");
  EXPECT_EQ(errorWith(R"("added_tokens": [{"id": 7, "content": "x"},
                                          {"id": 7, "content": "y"}])"),
            "added_tokens[1]: 'y' or its id 7 is given twice");
  EXPECT_EQ(errorWith(R"("added_tokens": [{"id": 7, "content": "x",
                                           "special": "yes"}])"),
            "added_tokens[0].special: expected true or false, found string");
  EXPECT_EQ(errorWith(R"("added_tokens": [3])"),
            "added_tokens[0]: expected an object, found number");
}

TEST(BrokenTokenizer, UnknownComponents) {
  EXPECT_EQ(errorWith(R"("normalizer": {"type": "Magic"})"),
            "normalizer: unknown normalizer 'Magic'");
  EXPECT_EQ(errorWith(R"("normalizer": {"type": "Precompiled",
                                        "precompiled_charsmap": "AAAA"})"),
            "normalizer: normalizer 'Precompiled' with a character map is not "
            "supported");
  EXPECT_EQ(errorWith(R"("pre_tokenizer": {"type": "Sequence",
                          "pretokenizers": [{"type": "UnicodeScripts"}]})"),
            "pre_tokenizer.pretokenizers[0]: unknown pre-tokenizer "
            "'UnicodeScripts'");
  EXPECT_EQ(errorWith(R"("post_processor": {"type": "Magic"})"),
            "post_processor: unknown post-processor 'Magic'");
  EXPECT_EQ(errorWith(R"("decoder": {"type": "CTC"})"), "decoder: unknown decoder 'CTC'");
}

TEST(BrokenTokenizer, Patterns) {
  auto splitError = [](const std::string &pattern) {
    return errorWith(R"("pre_tokenizer": {"type": "Split", "behavior":
                        "Isolated", "pattern": )" +
                     pattern + "}");
  };
  for (const char *regex : {"(", "[a", "a{2", "\\\\", "\\\\p{Nothing}", "[]", "[a[b]]", "[^a&&b]",
                            "\\\\uZZZZ", "(?<=a+)b"}) {
    std::string error = splitError(R"({"Regex": ")" + std::string(regex) + "\"}");
    if (std::string_view(regex) == "a{2") // Literal in both libraries.
      EXPECT_EQ(error, "loaded");
    else
      EXPECT_TRUE(error.starts_with("pre_tokenizer.pattern.Regex: ")) << error;
  }
  EXPECT_EQ(splitError("{}"), "pre_tokenizer.pattern: expected {\"String\": ..}"
                              " or {\"Regex\": ..}");
  EXPECT_EQ(errorWith(R"("pre_tokenizer": {"type": "Split", "behavior": "Up",
                         "pattern": {"String": "a"}})"),
            "pre_tokenizer.behavior: unknown split behavior 'Up'");
}

TEST(BrokenTokenizer, AroundTheText) {
  EXPECT_EQ(errorWith(R"("post_processor": {"type": "BertProcessing",
                         "cls": ["a", 0], "sep": ["x", 99]})"),
            "post_processor: no token has the id 99");
  EXPECT_EQ(errorWith(R"("post_processor": {"type": "BertProcessing",
                         "cls": ["a"], "sep": ["x", 99]})"),
            "post_processor.cls: expected [token, id]");
  EXPECT_EQ(errorWith(R"("post_processor": {"type": "TemplateProcessing",
                         "single": [], "special_tokens": {}})"),
            "post_processor.single: expected the sequence A");
  EXPECT_EQ(errorWith(R"("decoder": {"type": "Strip", "content": ""})"),
            "decoder: expected one character to strip");
}

TEST(BrokenTokenizer, DeepNesting) {
  std::string open, close;
  for (int i = 0; i < 50000; ++i) {
    open += R"({"type": "Sequence", "normalizers": [)";
    close += "]}";
  }
  std::string error = errorWith("\"normalizer\": " + open + close);
  EXPECT_NE(error.find("sequences are nested too deeply"), std::string::npos);
}

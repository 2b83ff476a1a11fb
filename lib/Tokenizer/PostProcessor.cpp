//===- PostProcessor.cpp - Tokens around a text ---------------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Templates, the two fixed ones of Bert and RoBERTa, and sequences of them.
//
//===----------------------------------------------------------------------===//

#include "PostProcessor.h"
#include "Normalizers.h"

using namespace llmc::tokenizer;

static PostProcessor parseTemplate(const JsonNode &node) {
  PostProcessor result;
  bool textSeen = false;
  JsonNode special = node.member("special_tokens");
  JsonNode single = node.member("single");
  for (const JsonNode &item : single.elements()) {
    if (JsonNode token = item.member("SpecialToken"); token.present()) {
      JsonNode entry = special.member(token.requiredString("id"));
      for (const JsonNode &id : entry.member("ids").elements())
        (textSeen ? result.after : result.before).push_back(id.asId());
    } else if (JsonNode text = item.member("Sequence"); text.present()) {
      if (textSeen || text.requiredString("id") != "A")
        item.fail("expected the sequence A, once");
      textSeen = true;
    } else {
      item.fail("expected a SpecialToken or a Sequence");
    }
  }
  if (!textSeen)
    single.fail("expected the sequence A");
  return result;
}

/// The id in `["[CLS]", 101]`.
static std::vector<int32_t> pairedId(const JsonNode &node) {
  std::vector<JsonNode> pair = node.elements();
  if (pair.size() == 2)
    return {pair[1].asId()};
  node.fail("expected [token, id]");
  return {};
}

PostProcessor llmc::tokenizer::parsePostProcessor(const JsonNode &node, int depth) {
  PostProcessor result;
  if (!node.present())
    return result;
  std::string type = node.requiredString("type");
  if (type == "TemplateProcessing")
    return parseTemplate(node);
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    result.before = pairedId(node.member("cls"));
    result.after = pairedId(node.member("sep"));
  } else if (type == "Sequence") {
    if (depth >= maxSequenceDepth) {
      node.fail("sequences are nested too deeply");
      return result;
    }
    for (const JsonNode &step : node.member("processors").elements()) {
      PostProcessor next = parsePostProcessor(step, depth + 1);
      if (next.before.empty() && next.after.empty())
        continue;
      // Hugging Face would read the first one's output as a pair of texts.
      if (!result.before.empty() || !result.after.empty())
        step.fail("a second post-processor that adds tokens is not supported");
      result = std::move(next);
    }
  } else if (type != "ByteLevel") { // ByteLevel only moves offsets.
    node.fail("unknown post-processor '" + type + "'");
  }
  return result;
}

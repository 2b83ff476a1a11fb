//===- StatefulStepsTest.cpp - prefill and decode of states of every kind -===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A decoder with a convolution, a recurrence, attention over latent vectors and plain
// attention. Its stateful steps must give what its functional phase gives for the whole
// sequence at once.
//
//===----------------------------------------------------------------------===//
#include "CompiledFunction.h"
#include <random>

using namespace mlir;
using namespace llmc;
using llmc::reference::Tensor;

namespace {

constexpr int64_t kVocabulary = 16;

/// "dense<[[..], ..]> : tensor<RxCxf32>"
std::string weight(int64_t rows, int64_t columns, unsigned seed) {
  std::mt19937 engine(seed);
  std::string text = "dense<[";
  for (int64_t r = 0; r < rows; ++r) {
    text += r ? ", [" : "[";
    for (int64_t c = 0; c < columns; ++c)
      text += (c ? ", " : "") + std::to_string((engine() % 2001) / 1000.0 - 1.0);
    text += "]";
  }
  return text + "]> : tensor<" + std::to_string(rows) + "x" + std::to_string(columns) + "xf32>";
}

std::string decoder() {
  auto constant = [](const char *name, int64_t rows, int64_t columns, unsigned seed) {
    return std::string("  %") + name + " = llm.constant " + weight(rows, columns, seed) + "\n";
  };
  return R"(
!ids = tensor<?x?xi64, #llm.dims<"B", "S">>
!x = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>
!xt = tensor<?x8x?xf32, #llm.dims<"B", "8", "S">>
!x2 = tensor<?x?x2xf32, #llm.dims<"B", "S", "2">>
!x4 = tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">>
!h = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "S", "4">>
!h1 = tensor<?x2x?x1xf32, #llm.dims<"B", "2", "S", "1">>
!window = tensor<?x8x2xf32, #llm.dims<"B", "8", "2">>
!matrix = tensor<?x2x4x4xf32, #llm.dims<"B", "2", "4", "4">>
!latent = tensor<?x?x4xf32, #llm.dims<"B", "S", "4">>
!pastLatent = tensor<?x?x4xf32, #llm.dims<"B", "P", "4">>
!allLatent = tensor<?x?x4xf32, #llm.dims<"B", "P + S", "4">>
!past = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P", "4">>
!all = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P + S", "4">>
!logits = tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>
func.func @run(%ids: !ids {llm.name = "input_ids"}, %window: !window {llm.name = "window"},
    %past: !past {llm.name = "past"}, %matrix: !matrix {llm.name = "matrix"},
    %pastLatent: !pastLatent {llm.name = "latent"})
    -> (!logits {llm.name = "logits"}, !matrix, !window, !all, !allLatent) {
)" + constant("table", 16, 8, 1) +
         constant("wconv", 8, 3, 2) + constant("wq", 8, 8, 3) + constant("wk", 8, 8, 4) +
         constant("wv", 8, 8, 5) + constant("wg", 8, 2, 6) + constant("wb", 8, 2, 7) +
         constant("wc", 8, 4, 8) + constant("wup", 4, 8, 9) + constant("head", 8, 16, 10) + R"(
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, !ids) -> !x
  // A convolution and its window.
  %et = llm.transpose %e [0, 2, 1] : !x
  %c = llm.causal_conv %et, %wconv past %window : (!xt, tensor<8x3xf32>, !window) -> !xt
  %cs = llm.unary silu %c : !xt
  %ct = llm.transpose %cs [0, 2, 1] : !xt
  %seen = llm.concat 2 (%window, %et) : !window, !xt
  %newWindow = llm.slice %seen ["0", "0", "S"] [1, 1, 1] : tensor<?x8x?xf32, #llm.dims<"B", "8", "S + 2">> to !window
  %x0 = llm.binary add %e, %ct : !x, !x
  // A recurrence.
  %q = llm.linear %x0, %wq : (!x, tensor<8x8xf32>) -> !x
  %k = llm.linear %x0, %wk : (!x, tensor<8x8xf32>) -> !x
  %v = llm.linear %x0, %wv : (!x, tensor<8x8xf32>) -> !x
  %q4 = llm.reshape %q : !x to !x4
  %k4 = llm.reshape %k : !x to !x4
  %v4 = llm.reshape %v : !x to !x4
  %qh = llm.transpose %q4 [0, 2, 1, 3] : !x4
  %kh = llm.transpose %k4 [0, 2, 1, 3] : !x4
  %vh = llm.transpose %v4 [0, 2, 1, 3] : !x4
  %tenth = llm.constant dense<0.1> : tensor<f32>
  %ks = llm.binary mul %kh, %tenth : !h, tensor<f32>
  %g = llm.linear %x0, %wg : (!x, tensor<8x2xf32>) -> !x2
  %gs = llm.unary softplus %g : !x2
  %gn = llm.unary neg %gs : !x2
  %gt = llm.transpose %gn [0, 2, 1] : !x2
  %gh = llm.reshape %gt : tensor<?x2x?xf32, #llm.dims<"B", "2", "S">> to !h1
  %b = llm.linear %x0, %wb : (!x, tensor<8x2xf32>) -> !x2
  %bs = llm.unary sigmoid %b : !x2
  %bt = llm.transpose %bs [0, 2, 1] : !x2
  %bh = llm.reshape %bt : tensor<?x2x?xf32, #llm.dims<"B", "2", "S">> to !h1
  %r, %newMatrix = llm.linear_attention %qh, %ks, %vh decay %gh beta %bh past %matrix {scale = 0.5 : f64, delta}
      : (!h, !h, !h, !h1, !h1, !matrix) -> (!h, !matrix)
  %rt = llm.transpose %r [0, 2, 1, 3] : !h
  %rx = llm.reshape %rt : !x4 to !x
  %x1 = llm.binary add %x0, %rx : !x, !x
  // Keys and values made of one latent vector per token.
  %l = llm.linear %x1, %wc : (!x, tensor<8x4xf32>) -> !latent
  %allLatent = llm.concat 1 (%pastLatent, %l) : !pastLatent, !latent
  %up = llm.linear %allLatent, %wup : (!allLatent, tensor<4x8xf32>) -> tensor<?x?x8xf32, #llm.dims<"B", "P + S", "8">>
  %up4 = llm.reshape %up : tensor<?x?x8xf32, #llm.dims<"B", "P + S", "8">> to tensor<?x?x2x4xf32, #llm.dims<"B", "P + S", "2", "4">>
  %uph = llm.transpose %up4 [0, 2, 1, 3] : tensor<?x?x2x4xf32, #llm.dims<"B", "P + S", "2", "4">>
  %a = llm.attention %qh, %uph, %uph {scale = 0.5 : f64, causal} : (!h, !all, !all) -> !h
  %at = llm.transpose %a [0, 2, 1, 3] : !h
  %ax = llm.reshape %at : !x4 to !x
  %x2 = llm.binary add %x1, %ax : !x, !x
  // Plain attention.
  %all = llm.concat 2 (%past, %vh) : !past, !h
  %d = llm.attention %kh, %all, %all {scale = 0.5 : f64, causal} : (!h, !all, !all) -> !h
  %dt = llm.transpose %d [0, 2, 1, 3] : !h
  %dx = llm.reshape %dt : !x4 to !x
  %x3 = llm.binary add %x2, %dx : !x, !x
  %logits = llm.linear %x3, %head : (!x, tensor<8x16xf32>) -> !logits
  return %logits, %newMatrix, %newWindow, %all, %allLatent : !logits, !matrix, !window, !all, !allLatent
})";
}

class StatefulStepsTest : public CompiledFunction {
protected:
  /// The functional phase's logits of the last of `tokens`, without a past.
  std::vector<double> functionalLogits(const std::vector<int64_t> &tokens) {
    int64_t count = int64_t(tokens.size());
    std::vector<Tensor> outputs =
        run(functional.get(),
            {Tensor::fromInts(i64(), {1, count}, tokens), Tensor(f32(), {1, 8, 2}),
             Tensor(f32(), {1, 2, 0, 4}), Tensor(f32(), {1, 2, 4, 4}), Tensor(f32(), {1, 0, 4})});
    std::vector<double> logits;
    for (int64_t i = 0; i < kVocabulary; ++i)
      logits.push_back(outputs[0].getFloat((count - 1) * kVocabulary + i));
    return logits;
  }

  void expectLogits(llmc_session_t *session, const std::vector<std::vector<int64_t>> &held) {
    const float *logits = nullptr;
    size_t rows = 0, vocabulary = 0;
    ASSERT_EQ(llmc_session_logits(session, &logits, &rows, &vocabulary, &error), LLMC_STATUS_OK)
        << error.message;
    ASSERT_EQ(rows, held.size());
    for (size_t row = 0; row < rows; ++row) {
      std::vector<double> expected = functionalLogits(held[row]);
      for (size_t i = 0; i < vocabulary; ++i)
        ASSERT_NEAR(expected[i], logits[row * vocabulary + i], 2e-4)
            << "sequence " << row << " of " << held[row].size() << " tokens, logit " << i;
    }
  }

  void build() {
    compile(decoder(), /*maxBatch=*/3, /*maxSeq=*/48, /*prefillChunk=*/8);
    ASSERT_TRUE(module);
    functional = makeSession();
  }

  static std::vector<int64_t> tokens(int64_t count, int64_t seed) {
    std::vector<int64_t> result;
    for (int64_t i = 0; i < count; ++i)
      result.push_back((i * 7 + seed * 5 + i * i) % kVocabulary);
    return result;
  }

  std::shared_ptr<llmc_session_t> functional;
};

} // namespace

TEST_F(StatefulStepsTest, PrefillThenDecode) {
  build();
  for (uint32_t threads : {1u, 3u})
    for (int64_t prompt : {1, 5, 8, 21}) { // within a chunk, a chunk, several
      auto session = makeSession(threads);
      std::vector<int64_t> held = tokens(prompt, 1);
      ASSERT_EQ(llmc_session_prefill(session.get(), 1, held.size(), held.data(), &error),
                LLMC_STATUS_OK)
          << error.message;
      expectLogits(session.get(), {held});
      for (int64_t next : tokens(4, 2)) {
        held.push_back(next);
        ASSERT_EQ(llmc_session_decode(session.get(), 1, &next, &error), LLMC_STATUS_OK)
            << error.message;
        expectLogits(session.get(), {held});
      }
    }
}

TEST_F(StatefulStepsTest, SequencesOfDifferentLengths) {
  build();
  auto session = makeSession(2);
  std::vector<int64_t> first = tokens(6, 1), second = tokens(6, 2), both = first;
  both.insert(both.end(), second.begin(), second.end());
  ASSERT_EQ(llmc_session_prefill(session.get(), 2, 6, both.data(), &error), LLMC_STATUS_OK)
      << error.message;
  expectLogits(session.get(), {first, second});
  // The first begins anew beside the second.
  ASSERT_EQ(llmc_session_truncate(session.get(), 0, 0, &error), LLMC_STATUS_OK);
  first.clear();
  for (int64_t step = 0; step < 3; ++step) {
    int64_t next[] = {3 + step, 9 - step};
    first.push_back(next[0]);
    second.push_back(next[1]);
    ASSERT_EQ(llmc_session_decode(session.get(), 2, next, &error), LLMC_STATUS_OK) << error.message;
    expectLogits(session.get(), {first, second});
  }
  // And all of them.
  ASSERT_EQ(llmc_session_reset(session.get(), &error), LLMC_STATUS_OK);
  first = tokens(3, 4);
  ASSERT_EQ(llmc_session_prefill(session.get(), 1, 3, first.data(), &error), LLMC_STATUS_OK);
  expectLogits(session.get(), {first});
}

TEST_F(StatefulStepsTest, FixedStatesAreReported) {
  build();
  llmc_module_info_t info = {};
  info.struct_size = sizeof(info);
  ASSERT_EQ(llmc_module_info(module, &info, &error), LLMC_STATUS_OK);
  EXPECT_EQ(info.num_states, 4u);
  EXPECT_EQ(info.state_bytes_per_sequence, 4u * (8 * 2 + 2 * 4 * 4));
  EXPECT_EQ(info.state_bytes_per_token, 4u * (4 + 2 * 4));
}

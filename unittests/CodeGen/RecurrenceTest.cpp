//===- RecurrenceTest.cpp - compiled causal_conv and linear_attention -----===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "CompiledFunction.h"

using namespace mlir;
using namespace llmc;

namespace {
using RecurrenceTest = CompiledFunction;
}

TEST_F(RecurrenceTest, CausalConvWithPast) {
  compile(R"(
    !x = tensor<?x20x?xf32, #llm.dims<"batch", "20", "seq">>
    !p = tensor<?x20x3xf32, #llm.dims<"batch", "20", "3">>
    func.func @run(%x: !x, %w: tensor<20x4xf32>, %b: tensor<20xf32>, %p: !p) -> (!x, !x) {
      %0 = llm.causal_conv %x, %w bias %b past %p : (!x, tensor<20x4xf32>, tensor<20xf32>, !p) -> !x
      %1 = llm.unary silu %0 : !x
      %2 = llm.causal_conv %1, %w : (!x, tensor<20x4xf32>) -> !x
      return %1, %2 : !x, !x
    })");
  for (int64_t seq : {1, 2, 3, 17})
    for (int64_t batch : {1, 3})
      check({uniform(f32(), {batch, 20, seq}, 1), uniform(f32(), {20, 4}, 2),
             uniform(f32(), {20}, 3), uniform(f32(), {batch, 20, 3}, 4)});
}

TEST_F(RecurrenceTest, CausalConvOfOneTap) {
  compile(R"(
    !x = tensor<2x5x7xf32>
    func.func @run(%x: !x, %w: tensor<5x1xf32>, %p: tensor<2x5x0xf32>) -> !x {
      %0 = llm.causal_conv %x, %w past %p : (!x, tensor<5x1xf32>, tensor<2x5x0xf32>) -> !x
      return %0 : !x
    })");
  check({uniform(f32(), {2, 5, 7}, 1), uniform(f32(), {5, 1}, 2), uniform(f32(), {2, 5, 0}, 3)});
}

TEST_F(RecurrenceTest, GatedDeltaRule) {
  compile(R"(
    !q = tensor<?x4x?x24xf32, #llm.dims<"batch", "4", "seq", "24">>
    !k = tensor<?x2x?x24xf32, #llm.dims<"batch", "2", "seq", "24">>
    !v = tensor<?x?x2x80xf32, #llm.dims<"batch", "seq", "2", "80">>
    !vt = tensor<?x2x?x80xf32, #llm.dims<"batch", "2", "seq", "80">>
    !g = tensor<?x2x?x1xf32, #llm.dims<"batch", "2", "seq", "1">>
    !s = tensor<?x2x24x80xf32, #llm.dims<"batch", "2", "24", "80">>
    !o = tensor<?x4x?x80xf32, #llm.dims<"batch", "4", "seq", "80">>
    func.func @run(%q: !q, %k: !k, %v: !v, %g: !g, %b: !g, %p: !s) -> (!o, !s) {
      %vt = llm.transpose %v [0, 2, 1, 3] : !v
      %o, %s = llm.linear_attention %q, %k, %vt decay %g beta %b past %p {scale = 0.5 : f64, delta}
          : (!q, !k, !vt, !g, !g, !s) -> (!o, !s)
      return %o, %s : !o, !s
    })");
  for (int64_t seq : {1, 2, 9})
    check({uniform(f32(), {2, 4, seq, 24}, 1), uniform(f32(), {2, 2, seq, 24}, 2, -0.3, 0.3),
           uniform(f32(), {2, seq, 2, 80}, 3), uniform(f32(), {2, 2, seq, 1}, 4, -2, 0),
           uniform(f32(), {2, 2, seq, 1}, 5, 0, 1), uniform(f32(), {2, 2, 24, 80}, 6)},
          4e-6);
}

TEST_F(RecurrenceTest, DecayPerChannelOnlyOutputUsed) {
  compile(R"(
    !k = tensor<1x3x?x10xf32, #llm.dims<"1", "3", "seq", "10">>
    !v = tensor<1x3x?x7xf32, #llm.dims<"1", "3", "seq", "7">>
    !s = tensor<1x3x10x7xf32>
    func.func @run(%q: !k, %k: !k, %v: !v, %g: !k) -> !v {
      %o, %s = llm.linear_attention %q, %k, %v decay %g {scale = 1.0 : f64}
          : (!k, !k, !v, !k) -> (!v, !s)
      return %o : !v
    })");
  for (int64_t seq : {1, 6})
    check({uniform(f32(), {1, 3, seq, 10}, 1), uniform(f32(), {1, 3, seq, 10}, 2),
           uniform(f32(), {1, 3, seq, 7}, 3), uniform(f32(), {1, 3, seq, 10}, 4, -1, 0)},
          4e-6);
}

TEST_F(RecurrenceTest, SelectiveScan) {
  // As Mamba has it: all channels one head, B and C shared, the state [channels, states].
  compile(R"(
    !n = tensor<?x1x?x16xf32, #llm.dims<"batch", "1", "seq", "16">>
    !d = tensor<?x1x?x70xf32, #llm.dims<"batch", "1", "seq", "70">>
    !x = tensor<?x70x?xf32, #llm.dims<"batch", "70", "seq">>
    !xt = tensor<?x?x70xf32, #llm.dims<"batch", "seq", "70">>
    !p = tensor<?x70x16xf32, #llm.dims<"batch", "70", "16">>
    !p4 = tensor<?x1x70x16xf32, #llm.dims<"batch", "1", "70", "16">>
    !s = tensor<?x1x16x70xf32, #llm.dims<"batch", "1", "16", "70">>
    func.func @run(%c: !n, %b: !n, %x: !x, %dt: !d, %a: tensor<1x16x70xf32>, %p: !p) -> (!d, !p) {
      %xt = llm.transpose %x [0, 2, 1] : !x
      %v = llm.reshape %xt : !xt to !d
      %p4 = llm.reshape %p : !p to !p4
      %past = llm.transpose %p4 [0, 1, 3, 2] : !p4
      %o, %s = llm.linear_attention %c, %b, %v decay %dt rates %a past %past {scale = 1.0 : f64}
          : (!n, !n, !d, !d, tensor<1x16x70xf32>, !s) -> (!d, !s)
      %st = llm.transpose %s [0, 1, 3, 2] : !s
      %state = llm.reshape %st : !p4 to !p
      return %o, %state : !d, !p
    })");
  for (int64_t seq : {1, 7})
    check({uniform(f32(), {2, 1, seq, 16}, 1), uniform(f32(), {2, 1, seq, 16}, 2),
           uniform(f32(), {2, 70, seq}, 3), uniform(f32(), {2, 1, seq, 70}, 4, 0.01, 0.5),
           uniform(f32(), {1, 16, 70}, 5, -8, -0.5), uniform(f32(), {2, 70, 16}, 6)},
          4e-6);
}

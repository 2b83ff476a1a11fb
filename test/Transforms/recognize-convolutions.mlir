// RUN: llmc-opt %s --llmc-recognize-convolutions --canonicalize | FileCheck %s

// Padding on both sides, of which the slice takes the positions of x. The window has
// one more past position than the convolution reads.
// CHECK-LABEL: func @padded_and_sliced
// CHECK: %[[PAST:.*]] = llm.slice %arg0 ["0", "0", "1"] [1, 1, 1] : tensor<2x8x4xf32> to tensor<2x8x3xf32>
// CHECK: llm.causal_conv %arg1, %{{.*}} past %[[PAST]]
// CHECK-NOT: llm.conv
func.func @padded_and_sliced(%past: tensor<2x8x4xf32>, %x: tensor<2x8x?xf32, #llm.dims<"2", "8", "s">>) -> tensor<2x8x?xf32, #llm.dims<"2", "8", "s">> {
  %w = llm.constant dense<0.5> : tensor<8x1x4xf32>
  %0 = llm.concat 2 (%past, %x) : tensor<2x8x4xf32>, tensor<2x8x?xf32, #llm.dims<"2", "8", "s">>
  %1 = llm.conv %0, %w {strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 3, 3>, groups = 8 : i64} : (tensor<2x8x?xf32, #llm.dims<"2", "8", "s + 4">>, tensor<8x1x4xf32>) -> tensor<2x8x?xf32, #llm.dims<"2", "8", "s + 7">>
  %2 = llm.slice %1 ["0", "0", "0"] [1, 1, 1] : tensor<2x8x?xf32, #llm.dims<"2", "8", "s + 7">> to tensor<2x8x?xf32, #llm.dims<"2", "8", "s + 4">>
  %3 = llm.unary silu %2 : tensor<2x8x?xf32, #llm.dims<"2", "8", "s + 4">>
  %4 = llm.slice %3 ["0", "0", "4"] [1, 1, 1] : tensor<2x8x?xf32, #llm.dims<"2", "8", "s + 4">> to tensor<2x8x?xf32, #llm.dims<"2", "8", "s">>
  return %4 : tensor<2x8x?xf32, #llm.dims<"2", "8", "s">>
}

// Reads one position ahead.
// CHECK-LABEL: func @not_causal
// CHECK: llm.conv
func.func @not_causal(%x: tensor<1x4x6xf32>) -> tensor<1x4x6xf32> {
  %w = llm.constant dense<0.5> : tensor<4x1x3xf32>
  %0 = llm.conv %x, %w {strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 1, 1>, groups = 4 : i64} : (tensor<1x4x6xf32>, tensor<4x1x3xf32>) -> tensor<1x4x6xf32>
  return %0 : tensor<1x4x6xf32>
}

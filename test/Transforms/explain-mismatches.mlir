// RUN: llmc-opt %s --llmc-explain-mismatches | FileCheck %s

// CHECK-LABEL: @softmax
func.func @softmax(%s: tensor<1x4x3x5xf32>, %v: tensor<1x4x5x8xf32>) -> tensor<1x4x3x8xf32> {
  // CHECK: llm.softmax {{.*}}llm.mismatch = "attention: the scores are no scaled and masked product of queries and keys"
  %p = llm.softmax 3 %s : tensor<1x4x3x5xf32>
  %y = llm.matmul %p, %v : tensor<1x4x3x5xf32>, tensor<1x4x5x8xf32>
  return %y : tensor<1x4x3x8xf32>
}

// A router's probabilities weigh no values.
// CHECK-LABEL: @router
func.func @router(%s: tensor<3x5xf32>) -> tensor<3x5xf32> {
  // CHECK-NOT: llm.mismatch
  %p = llm.softmax 1 %s : tensor<3x5xf32>
  return %p : tensor<3x5xf32>
}

// CHECK-LABEL: @mean
func.func @mean(%x: tensor<2x8x4xf32>) -> tensor<2x1x4xf32> {
  // CHECK: llm.reduce {{.*}}llm.mismatch = "rms_norm: the mean is over dimension 1 of [2, 8, 4], not the last"
  %s = llm.binary mul %x, %x : tensor<2x8x4xf32>, tensor<2x8x4xf32>
  %m = llm.reduce mean %s [1] {keepdims = true} : tensor<2x8x4xf32>
  %r = llm.unary sqrt %m : tensor<2x1x4xf32>
  return %r : tensor<2x1x4xf32>
}

// CHECK-LABEL: @rotary
func.func @rotary(%x: tensor<3x4xf32>, %sin: tensor<3x4xf32>) -> tensor<3x4xf32> {
  // CHECK: llm.unary {{.*}}llm.mismatch = "rotary: x * cos is not added to the turned halves times sin"
  %a = llm.slice %x ["0", "2"] [1, 1] : tensor<3x4xf32> to tensor<3x2xf32>
  %b = llm.slice %x ["0", "0"] [1, 1] : tensor<3x4xf32> to tensor<3x2xf32>
  %n = llm.unary neg %a : tensor<3x2xf32>
  %t = llm.concat 1 (%n, %b) : tensor<3x2xf32>, tensor<3x2xf32>
  %y = llm.binary mul %t, %sin : tensor<3x4xf32>, tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// CHECK-LABEL: @linear
func.func @linear(%x: tensor<3x4xf32>) -> tensor<3x2xf32> {
  // CHECK: llm.matmul {{.*}}llm.mismatch = "linear: the weight is converted from f16 when the model runs"
  %w = llm.constant dense<1.0> : tensor<4x2xf16>
  %c = llm.cast %w : tensor<4x2xf16> to tensor<4x2xf32>
  %y = llm.matmul %x, %c : tensor<3x4xf32>, tensor<4x2xf32>
  return %y : tensor<3x2xf32>
}

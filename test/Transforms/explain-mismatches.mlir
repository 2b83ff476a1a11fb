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
  // CHECK: llm.matmul {{.*}}llm.mismatch = "linear: the weight is converted from f64 when the model runs"
  %w = llm.constant dense<1.0> : tensor<4x2xf64>
  %c = llm.cast %w : tensor<4x2xf64> to tensor<4x2xf32>
  %y = llm.matmul %x, %c : tensor<3x4xf32>, tensor<4x2xf32>
  return %y : tensor<3x2xf32>
}

// A step that forgets behind what it adds.
// CHECK-LABEL: @recurrence
!wide = tensor<?x3x1xf32, #llm.dims<"b", "3", "1">>
!narrow = tensor<?x1x2xf32, #llm.dims<"b", "1", "2">>
!scan = tensor<?x3x2xf32, #llm.dims<"b", "3", "2">>
func.func @recurrence(%dt: !wide, %x: !wide, %b: !narrow, %c: !narrow, %past: !scan) -> (!wide, !scan) {
  // CHECK: llm.binary {{.*}}llm.mismatch = "linear_attention: no choice of query, key, value, decay and beta among its inputs computes the same"
  %a = llm.constant dense<[[-1.0, -2.0], [-3.0, -4.0], [-5.0, -6.0]]> : tensor<3x2xf32>
  %exponent = llm.binary mul %dt, %a : !wide, tensor<3x2xf32>
  %factor = llm.unary exp %exponent : !scan
  %new = llm.binary mul %x, %b : !wide, !narrow
  %kept = llm.binary mul %past, %x : !scan, !wide
  %sum = llm.binary add %kept, %new : !scan, !scan
  %state = llm.binary mul %factor, %sum : !scan, !scan
  %ct = llm.reshape %c : !narrow to tensor<?x2x1xf32, #llm.dims<"b", "2", "1">>
  %y = llm.matmul %state, %ct : !scan, tensor<?x2x1xf32, #llm.dims<"b", "2", "1">>
  return %y, %state : !wide, !scan
}

// CHECK-LABEL: @experts
func.func @experts(%x: tensor<4x8xf32>, %scores: tensor<4x2xf32>, %i: tensor<3x1xi64>, %j: tensor<3x1xi64>, %u: tensor<3x8xf32>, %v: tensor<3x8xf32>) -> (tensor<4x8xf32>, tensor<4x1xi64>) {
  // CHECK: llm.scatter_nd add {{.*}}llm.mismatch = "expert_linear: the rows of 2 terms are not those that chose each of as many experts"
  %ids = llm.top_k_indices 1 %scores "1" {largest} : tensor<4x2xf32>
  %y0 = llm.scatter_nd add %x, %i, %u : tensor<4x8xf32>, tensor<3x1xi64>, tensor<3x8xf32>
  %y1 = llm.scatter_nd add %y0, %j, %v : tensor<4x8xf32>, tensor<3x1xi64>, tensor<3x8xf32>
  return %y1, %ids : tensor<4x8xf32>, tensor<4x1xi64>
}

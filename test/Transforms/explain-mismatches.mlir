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
func.func @mean(%x: tensor<2x8x4xf32>) -> tensor<2x8x4xf32> {
  // CHECK: llm.reduce {{.*}}llm.mismatch = "rms_norm: the mean is over dimension 1 of [2, 8, 4], not the last"
  %s = llm.binary mul %x, %x : tensor<2x8x4xf32>, tensor<2x8x4xf32>
  %m = llm.reduce mean %s [1] {keepdims = true} : tensor<2x8x4xf32>
  %r = llm.unary sqrt %m : tensor<2x1x4xf32>
  %y = llm.binary div %x, %r : tensor<2x8x4xf32>, tensor<2x1x4xf32>
  return %y : tensor<2x8x4xf32>
}

// What stands between the product and the softmax is named.
// CHECK-LABEL: @chunks
func.func @chunks(%q: tensor<1x2x4x8xf32>, %kt: tensor<1x2x8x4xf32>, %v: tensor<1x2x6x8xf32>) -> tensor<1x2x4x8xf32> {
  // CHECK: llm.softmax {{.*}}llm.mismatch = "attention: the scores are no scaled and masked product of queries and keys: they come from llm.concat"
  %s = llm.matmul %q, %kt : tensor<1x2x4x8xf32>, tensor<1x2x8x4xf32>
  %part = llm.slice %s ["0", "0", "0", "0"] [1, 1, 1, 1] : tensor<1x2x4x4xf32> to tensor<1x2x4x2xf32>
  %joined = llm.concat 3(%s, %part) : tensor<1x2x4x4xf32>, tensor<1x2x4x2xf32>
  %p = llm.softmax 3 %joined : tensor<1x2x4x6xf32>
  %y = llm.matmul %p, %v : tensor<1x2x4x6xf32>, tensor<1x2x6x8xf32>
  return %y : tensor<1x2x4x8xf32>
}

// A softmax of what no product of activations made is the kernel of a convolution.
// CHECK-LABEL: @kernel
func.func @kernel(%x: tensor<2x3x8xf32>, %v: tensor<2x5x8xf32>) -> tensor<2x3x8xf32> {
  // CHECK-NOT: llm.mismatch
  %w = llm.constant dense<1.0> : tensor<8x5xf32>
  %s = llm.linear %x, %w : (tensor<2x3x8xf32>, tensor<8x5xf32>) -> tensor<2x3x5xf32>
  %p = llm.softmax 2 %s : tensor<2x3x5xf32>
  %y = llm.matmul %p, %v : tensor<2x3x5xf32>, tensor<2x5x8xf32>
  return %y : tensor<2x3x8xf32>
}

// Neither a norm over time, of a weight, nor a division by a length that is bounded from
// below is a norm of a model's width.
// CHECK-LABEL: @other_norms
func.func @other_norms(%x: tensor<2x8x?xf32, #llm.dims<"2", "8", "t">>, %w: tensor<4x8x3xf32>) -> (tensor<2x8x1xf32>, tensor<1x1x3xf32>, tensor<4x8x1xf32>) {
  // CHECK-NOT: llm.mismatch
  %s = llm.binary mul %x, %x : tensor<2x8x?xf32, #llm.dims<"2", "8", "t">>, tensor<2x8x?xf32, #llm.dims<"2", "8", "t">>
  %m = llm.reduce mean %s [2] {keepdims = true} : tensor<2x8x?xf32, #llm.dims<"2", "8", "t">>
  %r = llm.unary sqrt %m : tensor<2x8x1xf32>
  %u = llm.binary mul %w, %w : tensor<4x8x3xf32>, tensor<4x8x3xf32>
  %n = llm.reduce sum %u [0, 1] {keepdims = true} : tensor<4x8x3xf32>
  %g = llm.unary sqrt %n : tensor<1x1x3xf32>
  %least = llm.constant dense<1.0e-12> : tensor<f32>
  %length = llm.reduce sum %u [2] {keepdims = true} : tensor<4x8x3xf32>
  %root = llm.unary sqrt %length : tensor<4x8x1xf32>
  %bounded = llm.binary max %root, %least : tensor<4x8x1xf32>, tensor<f32>
  return %r, %g, %bounded : tensor<2x8x1xf32>, tensor<1x1x3xf32>, tensor<4x8x1xf32>
}

// Gemma 3n: a length that is given to something else, and a bound of some deviations.
// CHECK-LABEL: @lengths
func.func @lengths(%x: tensor<2x3x8xf32>, %given: tensor<2x3x1xf32>) -> (tensor<2x3x8xf32>, tensor<2x3x1xf32>) {
  // CHECK-NOT: "rms_norm
  %least = llm.constant dense<1.0e-5> : tensor<f32>
  %s = llm.binary mul %x, %x : tensor<2x3x8xf32>, tensor<2x3x8xf32>
  %m = llm.reduce mean %s [2] {keepdims = true} : tensor<2x3x8xf32>
  %bounded = llm.binary max %m, %least : tensor<2x3x1xf32>, tensor<f32>
  %root = llm.unary sqrt %bounded : tensor<2x3x1xf32>
  %length = llm.binary mul %x, %given : tensor<2x3x8xf32>, tensor<2x3x1xf32>
  %other = llm.binary div %length, %root : tensor<2x3x8xf32>, tensor<2x3x1xf32>
  %two = llm.constant dense<2.0> : tensor<f32>
  %t = llm.binary mul %other, %other : tensor<2x3x8xf32>, tensor<2x3x8xf32>
  %n = llm.reduce mean %t [2] {keepdims = true} : tensor<2x3x8xf32>
  %deviation = llm.unary sqrt %n : tensor<2x3x1xf32>
  %several = llm.binary mul %deviation, %two : tensor<2x3x1xf32>, tensor<f32>
  %bound = llm.binary add %several, %given : tensor<2x3x1xf32>, tensor<2x3x1xf32>
  return %other, %bound : tensor<2x3x8xf32>, tensor<2x3x1xf32>
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

// CHECK-LABEL: @stacked_experts
func.func @stacked_experts(%x: tensor<1x4x8xf32>, %scores: tensor<3x4x1xf32>) -> tensor<4x5xf32> {
  // CHECK: llm.reduce sum {{.*}}llm.mismatch = "expert_linear: what experts add that a token did not choose is not known to be zero; all of them are computed"
  %w = llm.constant dense<1.0> : tensor<3x8x5xf32>
  %h = llm.matmul %x, %w : tensor<1x4x8xf32>, tensor<3x8x5xf32>
  %z = llm.binary mul %h, %scores : tensor<3x4x5xf32>, tensor<3x4x1xf32>
  %y = llm.reduce sum %z [0] {keepdims = false} : tensor<3x4x5xf32>
  return %y : tensor<4x5xf32>
}

// CHECK-LABEL: @gathered_experts
func.func @gathered_experts(%x: tensor<6x3x16xf32>, %x1: tensor<6x1x16xf32>, %table: tensor<4x16x8xf32>, %ids: tensor<6xi64>) -> (tensor<6x3x8xf32>, tensor<6x1x8xf32>) {
  %w = llm.constant dense<1.0> : tensor<4x16x8xf32>
  %m = llm.gather 0 %w, %ids : tensor<4x16x8xf32>, tensor<6xi64>
  %n = llm.gather 0 %table, %ids : tensor<4x16x8xf32>, tensor<6xi64>
  // CHECK: llm.matmul {{.*}}llm.mismatch = "expert_linear: not one row per chosen matrix, but [6, 3, 16] for [6]"
  %y = llm.matmul %x, %m : tensor<6x3x16xf32>, tensor<6x16x8xf32>
  // CHECK: llm.matmul {{.*}}llm.mismatch = "expert_linear: the gathered matrices are computed when the model runs"
  %z = llm.matmul %x1, %n : tensor<6x1x16xf32>, tensor<6x16x8xf32>
  return %y, %z : tensor<6x3x8xf32>, tensor<6x1x8xf32>
}

// CHECK-LABEL: @stacked_experts_behind_softmax
func.func @stacked_experts_behind_softmax(%x: tensor<1x4x8xf32>, %scores: tensor<4x3xf32>) -> tensor<4x5xf32> {
  // CHECK-NOT: llm.expert_linear
  // CHECK: llm.reduce sum {{.*}}llm.mismatch = "expert_linear: llm.softmax stands between the stacked experts and their sum"
  %w = llm.constant dense<1.0> : tensor<3x8x5xf32>
  %zeros = llm.constant dense<0.0> : tensor<4x3xf32>
  %ids = llm.top_k_indices 1 %scores "2" {largest} : tensor<4x3xf32>
  %best = llm.gather_elements 1 %scores, %ids : tensor<4x3xf32>, tensor<4x2xi64>
  %dense = llm.scatter_elements replace 1 %zeros, %ids, %best : tensor<4x3xf32>, tensor<4x2xi64>, tensor<4x2xf32>
  %turned = llm.transpose %dense [1, 0] : tensor<4x3xf32>
  %column = llm.reshape %turned : tensor<3x4xf32> to tensor<3x4x1xf32>
  %h = llm.matmul %x, %w : tensor<1x4x8xf32>, tensor<3x8x5xf32>
  %p = llm.softmax 2 %h : tensor<3x4x5xf32>
  %z = llm.binary mul %p, %column : tensor<3x4x5xf32>, tensor<3x4x1xf32>
  %y = llm.reduce sum %z [0] {keepdims = false} : tensor<3x4x5xf32>
  return %y : tensor<4x5xf32>
}

// RUN: llmc-opt %s --llmc-fold-constants | FileCheck %s

// CHECK-LABEL: @evaluates
func.func @evaluates() -> tensor<2xf32> {
  %a = llm.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %b = llm.constant dense<1.0> : tensor<f32>
  // CHECK: llm.constant dense<[2.000000e+00, 3.000000e+00]> : tensor<2xf32>
  %0 = llm.binary add %a, %b : tensor<2xf32>, tensor<f32>
  return %0 : tensor<2xf32>
}

// 300 * 300 elements are more than the limit.
// CHECK-LABEL: @keeps_large
func.func @keeps_large() -> tensor<300x300xi64> {
  // CHECK: llm.binary mul
  %a = llm.constant dense<2> : tensor<300x1xi64>
  %b = llm.constant dense<3> : tensor<1x300xi64>
  %0 = llm.binary mul %a, %b : tensor<300x1xi64>, tensor<1x300xi64>
  return %0 : tensor<300x300xi64>
}

// CHECK-LABEL: @symbolic_sizes
func.func @symbolic_sizes() -> tensor<2xi64> {
  %s = llm.dim_values ["seq", "past"] : tensor<2xi64>
  %c = llm.constant dense<[1, 2]> : tensor<2xi64>
  // CHECK: llm.dim_values ["seq + 1", "past + 2"]
  %0 = llm.binary add %s, %c : tensor<2xi64>, tensor<2xi64>
  return %0 : tensor<2xi64>
}

// CHECK-LABEL: @outer_product
func.func @outer_product(%a: tensor<2x4x1xf32>, %b: tensor<2x1x3xf32>) -> tensor<2x4x3xf32> {
  // CHECK: llm.binary mul %{{.*}}, %{{.*}} : tensor<2x4x1xf32>, tensor<2x1x3xf32>
  %0 = llm.matmul %a, %b : tensor<2x4x1xf32>, tensor<2x1x3xf32>
  return %0 : tensor<2x4x3xf32>
}

// CHECK-LABEL: @casts
func.func @casts(%a: tensor<4xf16>, %b: tensor<4xf32>) -> (tensor<4xf16>, tensor<4xf32>) {
  // f16 -> f32 -> f16 is nothing; f32 -> f16 -> f32 rounds.
  // CHECK: %[[N:.*]] = llm.cast %arg1 : tensor<4xf32> to tensor<4xf16>
  // CHECK: %[[W:.*]] = llm.cast %[[N]]
  // CHECK: return %arg0, %[[W]]
  %0 = llm.cast %a : tensor<4xf16> to tensor<4xf32>
  %1 = llm.cast %0 : tensor<4xf32> to tensor<4xf16>
  %2 = llm.cast %b : tensor<4xf32> to tensor<4xf16>
  %3 = llm.cast %2 : tensor<4xf16> to tensor<4xf32>
  return %1, %3 : tensor<4xf16>, tensor<4xf32>
}

// CHECK-LABEL: @operand_broadcast
func.func @operand_broadcast(%a: tensor<1x8xf32>, %b: tensor<4x8xf32>) -> tensor<4x8xf32> {
  // CHECK: llm.binary add %arg0, %arg1 : tensor<1x8xf32>, tensor<4x8xf32>
  %0 = llm.broadcast %a : tensor<1x8xf32> to tensor<4x8xf32>
  %1 = llm.binary add %0, %b : tensor<4x8xf32>, tensor<4x8xf32>
  return %1 : tensor<4x8xf32>
}

// CHECK-LABEL: @sink_broadcast
func.func @sink_broadcast(%a: tensor<1x8xf32>) -> tensor<4x8xf32> {
  // CHECK: %[[S:.*]] = llm.binary mul %arg0, %{{.*}} : tensor<1x8xf32>, tensor<f32>
  // CHECK: llm.broadcast %[[S]] : tensor<1x8xf32> to tensor<4x8xf32>
  %c = llm.constant dense<2.0> : tensor<f32>
  %0 = llm.broadcast %a : tensor<1x8xf32> to tensor<4x8xf32>
  %1 = llm.binary mul %0, %c : tensor<4x8xf32>, tensor<f32>
  return %1 : tensor<4x8xf32>
}

// CHECK-LABEL: @slices
func.func @slices(%a: tensor<4x8xf32>, %b: tensor<4x2xf32>) -> (tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>) {
  // CHECK: %[[A:.*]] = llm.slice %arg0 ["0", "4"] [1, 2] : tensor<4x8xf32> to tensor<4x2xf32>
  %0 = llm.slice %a ["0", "2"] [1, 1] : tensor<4x8xf32> to tensor<4x6xf32>
  %1 = llm.slice %0 ["0", "2"] [1, 2] : tensor<4x6xf32> to tensor<4x2xf32>
  // The first slice of the concat hits its second piece, the other both.
  // CHECK: %[[C:.*]] = llm.concat
  // CHECK: %[[B:.*]] = llm.slice %[[C]] ["0", "7"]
  // CHECK: return %[[A]], %arg1, %[[B]]
  %2 = llm.concat 1 (%a, %b) : tensor<4x8xf32>, tensor<4x2xf32>
  %3 = llm.slice %2 ["0", "8"] [1, 1] : tensor<4x10xf32> to tensor<4x2xf32>
  %4 = llm.slice %2 ["0", "7"] [1, 1] : tensor<4x10xf32> to tensor<4x2xf32>
  return %1, %3, %4 : tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>
}

// CHECK-LABEL: @transposes
func.func @transposes(%a: tensor<4x1x8xf32>) -> (tensor<1x4x8xf32>, tensor<8x1x4xf32>) {
  // CHECK: llm.reshape %arg0 : tensor<4x1x8xf32> to tensor<1x4x8xf32>
  // CHECK: llm.transpose %arg0 [2, 1, 0]
  %0 = llm.transpose %a [1, 0, 2] : tensor<4x1x8xf32>
  %1 = llm.transpose %a [2, 1, 0] : tensor<4x1x8xf32>
  return %0, %1 : tensor<1x4x8xf32>, tensor<8x1x4xf32>
}

// CHECK-LABEL: @select_by_constant
func.func @select_by_constant(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: return %arg1
  %c = llm.constant dense<false> : tensor<4xi1>
  %0 = llm.select %c, %a, %b : tensor<4xi1>, tensor<4xf32>, tensor<4xf32>
  return %0 : tensor<4xf32>
}

// Writes to known neighbouring rows, and to one place along an axis, are concatenations;
// a place that is read is a slice of one.
// CHECK-LABEL: @scatters
func.func @scatters(%x: tensor<4x8xf32>, %u: tensor<2x8xf32>, %v: tensor<4x1xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<8xf32>) {
  // CHECK: %[[A:.*]] = llm.slice %arg0 ["0", "0"] [1, 1] : tensor<4x8xf32> to tensor<1x8xf32>
  // CHECK: %[[B:.*]] = llm.slice %arg0 ["3", "0"] [1, 1] : tensor<4x8xf32> to tensor<1x8xf32>
  // CHECK: llm.concat 0(%[[A]], %arg1, %[[B]])
  %rows = llm.constant dense<[[1], [2]]> : tensor<2x1xi64>
  %0 = llm.scatter_nd replace %x, %rows, %u : tensor<4x8xf32>, tensor<2x1xi64>, tensor<2x8xf32>
  // CHECK: %[[C:.*]] = llm.slice %arg0 ["0", "0"] [1, 1] : tensor<4x8xf32> to tensor<4x7xf32>
  // CHECK: llm.concat 1(%[[C]], %arg2)
  %last = llm.constant dense<-1> : tensor<4x1xi64>
  %1 = llm.scatter_elements replace 1 %x, %last, %v : tensor<4x8xf32>, tensor<4x1xi64>, tensor<4x1xf32>
  // CHECK: %[[D:.*]] = llm.slice %arg1 ["1", "0"] [1, 1] : tensor<2x8xf32> to tensor<1x8xf32>
  // CHECK: llm.reshape %[[D]] : tensor<1x8xf32> to tensor<8xf32>
  %two = llm.constant dense<2> : tensor<i64>
  %2 = llm.gather 0 %0, %two : tensor<4x8xf32>, tensor<i64>
  return %0, %1, %2 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<8xf32>
}

// CHECK-LABEL: @single_indices
func.func @single_indices(%x: tensor<4x8xf32>, %i: tensor<3x1xi64>, %y: tensor<4xf32>, %j: tensor<3xi64>) -> (tensor<3x8xf32>, tensor<3xf32>) {
  // CHECK: llm.gather 0 %arg0, %{{.*}} : tensor<4x8xf32>, tensor<3xi64>
  // CHECK: llm.gather 0 %arg2, %arg3
  %0 = llm.gather_nd 0 %x, %i : tensor<4x8xf32>, tensor<3x1xi64>
  %1 = llm.gather_elements 0 %y, %j : tensor<4xf32>, tensor<3xi64>
  return %0, %1 : tensor<3x8xf32>, tensor<3xf32>
}

// CHECK-LABEL: @transposed_pieces
func.func @transposed_pieces(%x: tensor<4x8xf32>, %y: tensor<4x2xf32>) -> tensor<4x10xf32> {
  // CHECK: %[[C:.*]] = llm.concat 1(%arg0, %arg1)
  // CHECK: return %[[C]]
  %0 = llm.transpose %x [1, 0] : tensor<4x8xf32>
  %1 = llm.transpose %y [1, 0] : tensor<4x2xf32>
  %2 = llm.concat 0 (%0, %1) : tensor<8x4xf32>, tensor<2x4xf32>
  %3 = llm.transpose %2 [1, 0] : tensor<10x4xf32>
  return %3 : tensor<4x10xf32>
}

// What takes long is not evaluated: windows of 125 over 32768 elements.
// CHECK-LABEL: @many_terms
func.func @many_terms() -> tensor<1x1x28x28x28xf32> {
  // CHECK: llm.window_reduce
  %0 = llm.constant dense<1.0> : tensor<1x1x32x32x32xf32>
  %1 = llm.window_reduce sum %0 {window = array<i64: 5, 5, 5>, strides = array<i64: 1, 1, 1>, dilations = array<i64: 1, 1, 1>, pads = array<i64: 0, 0, 0, 0, 0, 0>} : (tensor<1x1x32x32x32xf32>) -> tensor<1x1x28x28x28xf32>
  return %1 : tensor<1x1x28x28x28xf32>
}

// Few symbolic elements become sizes, many stay computed.
// CHECK-LABEL: @many_sizes
func.func @many_sizes(%x: tensor<?x2xf32, #llm.dims<"n", "2">>) -> (tensor<64xi64>, tensor<65xi64>) {
  // CHECK: llm.dim_values [{{.*}}] : tensor<64xi64>
  // CHECK: llm.broadcast {{.*}} tensor<65xi64>
  // CHECK-NOT: llm.dim_values {{.*}} tensor<65xi64>
  %0 = llm.dim_values ["n"] : tensor<1xi64>
  %1 = llm.broadcast %0 : tensor<1xi64> to tensor<64xi64>
  %2 = llm.broadcast %0 : tensor<1xi64> to tensor<65xi64>
  return %1, %2 : tensor<64xi64>, tensor<65xi64>
}

// Movements of a 16-bit matrix in f32 move it in 16 bits: rows of a table, a transpose, what
// a slice of it leaves.
// CHECK-LABEL: @widened_matrix
func.func @widened_matrix(%ids: tensor<3xi64>, %x: tensor<2x2xf16>) -> (tensor<3x2xf32>, tensor<2x1xf32>, tensor<2x2xf32>) {
  // CHECK: %[[ROWS:.*]] = llm.gather 0 %{{.*}}, %arg0 : tensor<2x2xf16>, tensor<3xi64>
  // CHECK: llm.cast %[[ROWS]] : tensor<3x2xf16> to tensor<3x2xf32>
  // CHECK: %[[TURNED:.*]] = llm.transpose %{{.*}} [1, 0] : tensor<2x2xf16>
  // CHECK: %[[PART:.*]] = llm.slice %[[TURNED]] {{.*}} : tensor<2x2xf16> to tensor<2x1xf16>
  // CHECK: llm.cast %[[PART]] : tensor<2x1xf16> to tensor<2x1xf32>
  %0 = llm.constant dense_resource<half> : tensor<2x2xf16>
  %1 = llm.cast %0 : tensor<2x2xf16> to tensor<2x2xf32>
  %2 = llm.gather 0 %1, %ids : tensor<2x2xf32>, tensor<3xi64>
  %3 = llm.transpose %1 [1, 0] : tensor<2x2xf32>
  %4 = llm.slice %3 ["0", "1"] [1, 1] : tensor<2x2xf32> to tensor<2x1xf32>
  // What is no constant stays.
  // CHECK: %[[WIDE:.*]] = llm.cast %arg1
  // CHECK: llm.transpose %[[WIDE]]
  %5 = llm.cast %x : tensor<2x2xf16> to tensor<2x2xf32>
  %6 = llm.transpose %5 [1, 0] : tensor<2x2xf32>
  return %2, %4, %6 : tensor<3x2xf32>, tensor<2x1xf32>, tensor<2x2xf32>
}

// Windows of 2^64 elements in all are not walked through.
// CHECK-LABEL: func.func @huge_window
func.func @huge_window() -> tensor<1x1x1x1x1xf32> {
  // CHECK: llm.window_reduce
  %0 = llm.constant dense<1.0> : tensor<1x1x1x1x1xf32>
  %1 = llm.window_reduce max %0 {window = array<i64: 4194304, 4194304, 1048576>, strides = array<i64: 1, 1, 1>, dilations = array<i64: 1, 1, 1>, pads = array<i64: 4194303, 4194303, 1048575, 0, 0, 0>} : (tensor<1x1x1x1x1xf32>) -> tensor<1x1x1x1x1xf32>
  return %1 : tensor<1x1x1x1x1xf32>
}

{-#
  dialect_resources: {
    builtin: {
      half: "0x04000000003C004000420044"
    }
  }
#-}

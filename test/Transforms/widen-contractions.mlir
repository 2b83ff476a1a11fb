// RUN: llmc-opt %s -split-input-file -llmc-widen-contractions | FileCheck %s

// CHECK-LABEL: func.func @linear
// CHECK-DAG: %[[W:.*]] = llm.cast %{{.*}} : tensor<2x4xf16> to tensor<2x4xf32>
// CHECK-DAG: %[[X:.*]] = llm.cast %{{.*}} : tensor<3x2xf16> to tensor<3x2xf32>
// CHECK: %[[Y:.*]] = llm.linear %[[X]], %[[W]] : (tensor<3x2xf32>, tensor<2x4xf32>) -> tensor<3x4xf32>
// CHECK: llm.cast %[[Y]] : tensor<3x4xf32> to tensor<3x4xf16>
func.func @linear(%x: tensor<3x2xf16>) -> tensor<3x4xf16> {
  %w = llm.constant dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf16>
  %0 = llm.linear %x, %w : (tensor<3x2xf16>, tensor<2x4xf16>) -> tensor<3x4xf16>
  return %0 : tensor<3x4xf16>
}

// -----

// Matrices of other types have no packed layout.
// CHECK-LABEL: func.func @doubles
// CHECK: llm.transpose {{.*}} [1, 0] : tensor<4x2xf64>
// CHECK: llm.matmul
// CHECK: llm.binary add
func.func @doubles(%x: tensor<3x2xf64>, %b: tensor<4xf64>) -> tensor<3x4xf64> {
  %w = llm.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]> : tensor<4x2xf64>
  %0 = llm.linear %x, %w bias %b {transposed} : (tensor<3x2xf64>, tensor<4x2xf64>, tensor<4xf64>) -> tensor<3x4xf64>
  return %0 : tensor<3x4xf64>
}

// -----

// A state's type is another pass's choice; appending rounds.
// CHECK-LABEL: func.func @states
// CHECK-NOT: llm.cast
// CHECK: llm.state_append
func.func @states(%t: tensor<1x2x3x8xf16>, %n: tensor<1xi64>, %s: !llm.state<tensor<2x8xf16>>)
    -> !llm.state<tensor<2x8xf16>> {
  %0 = llm.state_append %s, %t, %n : !llm.state<tensor<2x8xf16>>, tensor<1x2x3x8xf16>, tensor<1xi64>
  return %0 : !llm.state<tensor<2x8xf16>>
}

// -----

// Nothing to do.
// CHECK-LABEL: func.func @singles
// CHECK-NOT: llm.cast
func.func @singles(%x: tensor<3x2xf32>, %y: tensor<2x4xf32>) -> tensor<3x4xf32> {
  %0 = llm.matmul %x, %y : tensor<3x2xf32>, tensor<2x4xf32>
  return %0 : tensor<3x4xf32>
}

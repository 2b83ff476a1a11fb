// RUN: llmc-opt %s -split-input-file -llmc-widen-contractions | FileCheck %s

// The weight stays as it is.
// CHECK-LABEL: func.func @linear
// CHECK: %[[W:.*]] = llm.constant
// CHECK: %[[X:.*]] = llm.cast %arg0 : tensor<3x2xf16> to tensor<3x2xf32>
// CHECK-NEXT: %[[Y:.*]] = llm.linear %[[X]], %[[W]] : (tensor<3x2xf32>, tensor<2x4xf16>) -> tensor<3x4xf32>
// CHECK: llm.cast %[[Y]] : tensor<3x4xf32> to tensor<3x4xf16>
func.func @linear(%x: tensor<3x2xf16>) -> tensor<3x4xf16> {
  %w = llm.constant dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf16>
  %0 = llm.linear %x, %w : (tensor<3x2xf16>, tensor<2x4xf16>) -> tensor<3x4xf16>
  return %0 : tensor<3x4xf16>
}

// -----

// The weights of experts, too; a bias is as wide as the sum.
// CHECK-LABEL: func.func @experts
// CHECK-DAG: %[[X:.*]] = llm.cast %arg0 : tensor<3x2xbf16> to tensor<3x2xf32>
// CHECK-DAG: %[[B:.*]] = llm.cast %arg2 : tensor<5x4xbf16> to tensor<5x4xf32>
// CHECK: llm.expert_linear %[[X]], %arg1, %{{.*}} bias %[[B]] : (tensor<3x2xf32>, tensor<3x2xi64>, tensor<5x2x4xbf16>, tensor<5x4xf32>) -> tensor<3x2x4xf32>
func.func @experts(%x: tensor<3x2xbf16>, %ids: tensor<3x2xi64>, %b: tensor<5x4xbf16>) -> tensor<3x2x4xbf16> {
  %w = llm.constant dense<1.0> : tensor<5x2x4xbf16>
  %0 = llm.expert_linear %x, %ids, %w bias %b : (tensor<3x2xbf16>, tensor<3x2xi64>, tensor<5x2x4xbf16>, tensor<5x4xbf16>) -> tensor<3x2x4xbf16>
  return %0 : tensor<3x2x4xbf16>
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

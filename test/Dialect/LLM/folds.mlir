// RUN: llmc-opt %s -canonicalize | FileCheck %s

// CHECK-LABEL: func.func @neutral
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>)
// CHECK: return %[[X]], %[[X]], %[[X]], %[[X]], %[[X]]
func.func @neutral(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %zero = llm.constant dense<0.0> : tensor<f32>
  %one = llm.constant dense<1.0> : tensor<f32>
  %0 = llm.binary add %zero, %x : tensor<f32>, tensor<4xf32>
  %1 = llm.binary sub %x, %zero : tensor<4xf32>, tensor<f32>
  %2 = llm.binary mul %one, %x : tensor<f32>, tensor<4xf32>
  %3 = llm.binary div %x, %one : tensor<4xf32>, tensor<f32>
  %4 = llm.binary pow %x, %one : tensor<4xf32>, tensor<f32>
  return %0, %1, %2, %3, %4 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// 0 - x, 1 / x and 1 ^ x are not x; a sum that broadcasts has another shape.
// CHECK-LABEL: func.func @not_neutral
// CHECK: llm.binary sub
// CHECK: llm.binary div
// CHECK: llm.binary pow
// CHECK: llm.binary add
func.func @not_neutral(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<3x4xf32>) {
  %zero = llm.constant dense<0.0> : tensor<f32>
  %one = llm.constant dense<1.0> : tensor<f32>
  %wide = llm.constant dense<0.0> : tensor<3x4xf32>
  %0 = llm.binary sub %zero, %x : tensor<f32>, tensor<4xf32>
  %1 = llm.binary div %one, %x : tensor<f32>, tensor<4xf32>
  %2 = llm.binary pow %one, %x : tensor<f32>, tensor<4xf32>
  %3 = llm.binary add %x, %wide : tensor<4xf32>, tensor<3x4xf32>
  return %0, %1, %2, %3 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<3x4xf32>
}

// CHECK-LABEL: func.func @logical
// CHECK-SAME: (%[[X:.*]]: tensor<4xi1>)
// CHECK: return %[[X]], %[[X]], %[[X]]
func.func @logical(%x: tensor<4xi1>) -> (tensor<4xi1>, tensor<4xi1>, tensor<4xi1>) {
  %true = llm.constant dense<true> : tensor<i1>
  %false = llm.constant dense<false> : tensor<i1>
  %0 = llm.binary logical_and %x, %true : tensor<4xi1>, tensor<i1>
  %1 = llm.binary logical_or %false, %x : tensor<i1>, tensor<4xi1>
  %2 = llm.unary logical_not %x : tensor<4xi1>
  %3 = llm.unary logical_not %2 : tensor<4xi1>
  return %0, %1, %3 : tensor<4xi1>, tensor<4xi1>, tensor<4xi1>
}

// CHECK-LABEL: func.func @movement
// CHECK-SAME: (%[[X:.*]]: tensor<2x3x4xf32>)
func.func @movement(%x: tensor<2x3x4xf32>) -> (tensor<24xf32>, tensor<4x2x3xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>) {
  // CHECK-DAG: %[[R:.*]] = llm.reshape %[[X]] : tensor<2x3x4xf32> to tensor<24xf32>
  %0 = llm.reshape %x : tensor<2x3x4xf32> to tensor<6x4xf32>
  %1 = llm.reshape %0 : tensor<6x4xf32> to tensor<24xf32>
  // Two cyclic shifts of three dimensions are the third.
  // CHECK-DAG: %[[T:.*]] = llm.transpose %[[X]] [2, 0, 1]
  %2 = llm.transpose %x [1, 2, 0] : tensor<2x3x4xf32>
  %3 = llm.transpose %2 [1, 2, 0] : tensor<3x4x2xf32>
  %4 = llm.transpose %3 [1, 2, 0] : tensor<4x2x3xf32>
  %5 = llm.slice %x ["0", "0", "0"] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x3x4xf32>
  // CHECK: return %[[R]], %[[T]], %[[X]], %[[X]]
  return %1, %3, %4, %5 : tensor<24xf32>, tensor<4x2x3xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>
}

// Reversed, a box of the same shape is another one.
// CHECK-LABEL: func.func @reversed
// CHECK: llm.slice
func.func @reversed(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = llm.slice %x ["3"] [-1] : tensor<4xf32> to tensor<4xf32>
  return %0 : tensor<4xf32>
}

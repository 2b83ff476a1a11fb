// RUN: llmc-opt %s --llmc-recognize-activations | FileCheck %s

// CHECK-LABEL: @silu
func.func @silu(%x: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: llm.unary silu %arg0
  %0 = llm.unary sigmoid %x : tensor<4xf32>
  %1 = llm.binary mul %0, %x : tensor<4xf32>, tensor<4xf32>
  return %1 : tensor<4xf32>
}

// x itself is a product; its factors are not the activation's.
// CHECK-LABEL: @gelu_erf
func.func @gelu_erf(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: %[[X:.*]] = llm.binary mul %arg0, %arg1
  // CHECK: llm.unary gelu_erf %[[X]]
  %root2 = llm.constant dense<1.41421354> : tensor<f32>
  %one = llm.constant dense<1.0> : tensor<f32>
  %half = llm.constant dense<0.5> : tensor<f32>
  %x = llm.binary mul %a, %b : tensor<4xf32>, tensor<4xf32>
  %0 = llm.binary div %x, %root2 : tensor<4xf32>, tensor<f32>
  %1 = llm.unary erf %0 : tensor<4xf32>
  %2 = llm.binary add %1, %one : tensor<4xf32>, tensor<f32>
  %3 = llm.binary mul %x, %2 : tensor<4xf32>, tensor<4xf32>
  %4 = llm.binary mul %3, %half : tensor<4xf32>, tensor<f32>
  return %4 : tensor<4xf32>
}

// CHECK-LABEL: @gelu_tanh
func.func @gelu_tanh(%x: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: llm.unary gelu_tanh %arg0
  %k = llm.constant dense<0.797884583> : tensor<f32>
  %c = llm.constant dense<4.471500e-02> : tensor<f32>
  %one = llm.constant dense<1.0> : tensor<f32>
  %half = llm.constant dense<0.5> : tensor<f32>
  %three = llm.constant dense<3.0> : tensor<f32>
  %0 = llm.binary mul %x, %half : tensor<4xf32>, tensor<f32>
  %1 = llm.binary pow %x, %three : tensor<4xf32>, tensor<f32>
  %2 = llm.binary mul %1, %c : tensor<4xf32>, tensor<f32>
  %3 = llm.binary add %x, %2 : tensor<4xf32>, tensor<4xf32>
  %4 = llm.binary mul %3, %k : tensor<4xf32>, tensor<f32>
  %5 = llm.unary tanh %4 : tensor<4xf32>
  %6 = llm.binary add %5, %one : tensor<4xf32>, tensor<f32>
  %7 = llm.binary mul %0, %6 : tensor<4xf32>, tensor<4xf32>
  return %7 : tensor<4xf32>
}

// CHECK-LABEL: @gelu_tanh_factored
func.func @gelu_tanh_factored(%x: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: llm.unary gelu_tanh %arg0
  %k = llm.constant dense<0.797884583> : tensor<f32>
  %c = llm.constant dense<4.471500e-02> : tensor<f32>
  %one = llm.constant dense<1.0> : tensor<f32>
  %half = llm.constant dense<0.5> : tensor<f32>
  %0 = llm.binary mul %x, %k : tensor<4xf32>, tensor<f32>
  %1 = llm.binary mul %x, %c : tensor<4xf32>, tensor<f32>
  %2 = llm.binary mul %1, %x : tensor<4xf32>, tensor<4xf32>
  %3 = llm.binary add %one, %2 : tensor<f32>, tensor<4xf32>
  %4 = llm.binary mul %0, %3 : tensor<4xf32>, tensor<4xf32>
  %5 = llm.unary tanh %4 : tensor<4xf32>
  %6 = llm.binary add %one, %5 : tensor<f32>, tensor<4xf32>
  %7 = llm.binary mul %half, %x : tensor<f32>, tensor<4xf32>
  %8 = llm.binary mul %7, %6 : tensor<4xf32>, tensor<4xf32>
  return %8 : tensor<4xf32>
}

// Quick GELU's sigmoid has another argument; the last product lacks the half.
// CHECK-LABEL: @unknown
func.func @unknown(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  // CHECK-NOT: silu
  // CHECK-NOT: gelu
  %c = llm.constant dense<1.702> : tensor<f32>
  %root = llm.constant dense<0.707106769> : tensor<f32>
  %one = llm.constant dense<1.0> : tensor<f32>
  %0 = llm.binary mul %x, %c : tensor<4xf32>, tensor<f32>
  %1 = llm.unary sigmoid %0 : tensor<4xf32>
  %2 = llm.binary mul %x, %1 : tensor<4xf32>, tensor<4xf32>
  %3 = llm.binary mul %x, %root : tensor<4xf32>, tensor<f32>
  %4 = llm.unary erf %3 : tensor<4xf32>
  %5 = llm.binary add %4, %one : tensor<4xf32>, tensor<f32>
  %6 = llm.binary mul %x, %5 : tensor<4xf32>, tensor<4xf32>
  return %2, %6 : tensor<4xf32>, tensor<4xf32>
}

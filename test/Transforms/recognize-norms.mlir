// RUN: llmc-opt %s --llmc-recognize-norms | FileCheck %s

// CHECK-LABEL: @llama
func.func @llama(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  // CHECK: llm.rms_norm %arg0, %{{.*}} {epsilon = 5.000000e-01 : f64}
  // CHECK-NEXT: return
  %two = llm.constant dense<2.0> : tensor<f32>
  %eps = llm.constant dense<0.5> : tensor<f32>
  %one = llm.constant dense<1.0> : tensor<f32>
  %w = llm.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %0 = llm.binary pow %x, %two : tensor<2x4xf32>, tensor<f32>
  %1 = llm.reduce mean %0 [1] {keepdims = true} : tensor<2x4xf32>
  %2 = llm.binary add %1, %eps : tensor<2x1xf32>, tensor<f32>
  %3 = llm.unary sqrt %2 : tensor<2x1xf32>
  %4 = llm.binary div %one, %3 : tensor<f32>, tensor<2x1xf32>
  %5 = llm.binary mul %x, %4 : tensor<2x4xf32>, tensor<2x1xf32>
  %6 = llm.binary mul %w, %5 : tensor<4xf32>, tensor<2x4xf32>
  return %6 : tensor<2x4xf32>
}

// Computed on f32 of a half-precision x, weighted in half precision.
// CHECK-LABEL: @half
func.func @half(%h: tensor<2x4xf16>) -> tensor<2x4xf16> {
  // CHECK: llm.rms_norm %arg0, %{{.*}} : tensor<2x4xf16>, tensor<4xf16>
  %eps = llm.constant dense<0.5> : tensor<f32>
  %w = llm.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf16>
  %x = llm.cast %h : tensor<2x4xf16> to tensor<2x4xf32>
  %0 = llm.binary mul %x, %x : tensor<2x4xf32>, tensor<2x4xf32>
  %1 = llm.reduce mean %0 [1] {keepdims = true} : tensor<2x4xf32>
  %2 = llm.binary add %eps, %1 : tensor<f32>, tensor<2x1xf32>
  %3 = llm.unary rsqrt %2 : tensor<2x1xf32>
  %4 = llm.binary mul %3, %x : tensor<2x1xf32>, tensor<2x4xf32>
  %5 = llm.cast %4 : tensor<2x4xf32> to tensor<2x4xf16>
  %6 = llm.binary mul %w, %5 : tensor<4xf16>, tensor<2x4xf16>
  return %6 : tensor<2x4xf16>
}

// CHECK-LABEL: @layer_norm
func.func @layer_norm(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  // CHECK: llm.layer_norm %arg0, %{{.*}} bias %{{.*}} {epsilon = 5.000000e-01 : f64}
  // CHECK-NEXT: return
  %two = llm.constant dense<2.0> : tensor<f32>
  %eps = llm.constant dense<0.5> : tensor<f32>
  %w = llm.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %b = llm.constant dense<[5.0, 6.0, 7.0, 8.0]> : tensor<4xf32>
  %m = llm.reduce mean %x [1] {keepdims = true} : tensor<2x4xf32>
  %d = llm.binary sub %x, %m : tensor<2x4xf32>, tensor<2x1xf32>
  %0 = llm.binary pow %d, %two : tensor<2x4xf32>, tensor<f32>
  %1 = llm.reduce mean %0 [1] {keepdims = true} : tensor<2x4xf32>
  %2 = llm.binary add %1, %eps : tensor<2x1xf32>, tensor<f32>
  %3 = llm.unary sqrt %2 : tensor<2x1xf32>
  %4 = llm.binary div %d, %3 : tensor<2x4xf32>, tensor<2x1xf32>
  %5 = llm.binary mul %4, %w : tensor<2x4xf32>, tensor<4xf32>
  %6 = llm.binary add %5, %b : tensor<2x4xf32>, tensor<4xf32>
  return %6 : tensor<2x4xf32>
}

// A mean over another dimension, and the root of another value's squares.
// CHECK-LABEL: @unknown
func.func @unknown(%x: tensor<4x4xf32>, %y: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  // CHECK-NOT: llm.rms_norm
  %eps = llm.constant dense<0.5> : tensor<f32>
  %0 = llm.binary mul %x, %x : tensor<4x4xf32>, tensor<4x4xf32>
  %1 = llm.reduce mean %0 [0] {keepdims = true} : tensor<4x4xf32>
  %2 = llm.binary add %1, %eps : tensor<1x4xf32>, tensor<f32>
  %3 = llm.unary rsqrt %2 : tensor<1x4xf32>
  %4 = llm.binary mul %x, %3 : tensor<4x4xf32>, tensor<1x4xf32>
  %5 = llm.reduce mean %0 [1] {keepdims = true} : tensor<4x4xf32>
  %6 = llm.binary add %5, %eps : tensor<4x1xf32>, tensor<f32>
  %7 = llm.unary rsqrt %6 : tensor<4x1xf32>
  %8 = llm.binary mul %y, %7 : tensor<4x4xf32>, tensor<4x1xf32>
  return %4, %8 : tensor<4x4xf32>, tensor<4x4xf32>
}

// An exporter's optimiser has dropped an epsilon of 1e-8.
// CHECK-LABEL: func.func @no_epsilon(
// CHECK: llm.rms_norm %{{.+}}, %{{.+}} {epsilon = 0.000000e+00 : f64}
func.func @no_epsilon(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %two = llm.constant dense<2.0> : tensor<f32>
  %square = llm.binary pow %x, %two : tensor<2x8xf32>, tensor<f32>
  %mean = llm.reduce mean %square [1] {keepdims = true} : tensor<2x8xf32>
  %root = llm.unary sqrt %mean : tensor<2x1xf32>
  %scale = llm.unary reciprocal %root : tensor<2x1xf32>
  %y = llm.binary mul %x, %scale : tensor<2x8xf32>, tensor<2x1xf32>
  return %y : tensor<2x8xf32>
}

// RUN: llmc-opt %s --llmc-recognize-quantized-linear --split-input-file | FileCheck %s

// A scale per output: one group of the inputs, which kernels take in pieces. -3 + 128 = 125.
// CHECK-LABEL: @per_output
func.func @per_output(%x: tensor<7x32xf32>) -> tensor<7x2xf32> {
  // CHECK: llm.linear %arg0, %[[W:.*]] scales %[[S:.*]] {bits = 8 : i64, columns = 32 : i64, group_size = 32 : i64}
  // CHECK-SAME: (tensor<7x32xf32>, tensor<2x1x32xui8>, tensor<2x1xf32>) -> tensor<7x2xf32>
  // CHECK-NOT: llm.matmul
  %q = llm.constant dense<-3> : tensor<32x2xi8>
  %s = llm.constant dense<[0.5, 0.25]> : tensor<2xf32>
  %0 = llm.cast %q : tensor<32x2xi8> to tensor<32x2xf32>
  %1 = llm.binary mul %0, %s : tensor<32x2xf32>, tensor<2xf32>
  %2 = llm.matmul %x, %1 : tensor<7x32xf32>, tensor<32x2xf32>
  return %2 : tensor<7x2xf32>
}
// CHECK: constant: "0x400000007D7D7D7D

// -----

// Blocks of 16 inputs with zero points, outputs first.
// CHECK-LABEL: @blocks
func.func @blocks(%x: tensor<7x32xf32>) -> tensor<7x2xf32> {
  // CHECK: llm.linear %arg0, %{{.*}} scales %{{.*}} zero_points %{{.*}} {bits = 4 : i64, columns = 32 : i64, group_size = 16 : i64}
  // CHECK-SAME: (tensor<7x32xf32>, tensor<2x2x8xui8>, tensor<2x2xf32>, tensor<2x1xui8>)
  %q = llm.constant dense<5> : tensor<2x32xui4>
  %s = llm.constant dense<[[[0.5], [0.25]], [[1.0], [2.0]]]> : tensor<2x2x1xf32>
  %z = llm.constant dense<[[[1.0], [2.0]], [[3.0], [4.0]]]> : tensor<2x2x1xf32>
  %split = llm.reshape %q : tensor<2x32xui4> to tensor<2x2x16xui4>
  %0 = llm.cast %split : tensor<2x2x16xui4> to tensor<2x2x16xf32>
  %1 = llm.binary sub %0, %z : tensor<2x2x16xf32>, tensor<2x2x1xf32>
  %2 = llm.binary mul %1, %s : tensor<2x2x16xf32>, tensor<2x2x1xf32>
  %3 = llm.reshape %2 : tensor<2x2x16xf32> to tensor<2x32xf32>
  %t = llm.transpose %3 [1, 0] : tensor<2x32xf32>
  %4 = llm.matmul %x, %t : tensor<7x32xf32>, tensor<32x2xf32>
  return %4 : tensor<7x2xf32>
}

// -----

// A scale per input is no scale of a group.
// CHECK-LABEL: @per_input
func.func @per_input(%x: tensor<7x2xf32>) -> tensor<7x32xf32> {
  // CHECK: llm.matmul
  %q = llm.constant dense<-3> : tensor<2x32xi8>
  %s = llm.constant dense<[[0.5], [0.25]]> : tensor<2x1xf32>
  %0 = llm.cast %q : tensor<2x32xi8> to tensor<2x32xf32>
  %1 = llm.binary mul %0, %s : tensor<2x32xf32>, tensor<2x1xf32>
  %2 = llm.matmul %x, %1 : tensor<7x2xf32>, tensor<2x32xf32>
  return %2 : tensor<7x32xf32>
}

// -----

// sum (a - z) w = sum a w - z * sum w, with sums of 4 * 3 = 12.
// CHECK-LABEL: @integers
func.func @integers(%a: tensor<7x4xui8>, %z: tensor<i32>) -> tensor<7x2xi32> {
  // CHECK: %[[SUMS:.*]] = llm.constant dense<12> : tensor<2xi32>
  // CHECK: %[[P:.*]] = llm.linear %arg0, %{{.*}} : (tensor<7x4xui8>, tensor<4x2xi8>) -> tensor<7x2xi32>
  // CHECK: %[[M:.*]] = llm.binary mul %arg1, %[[SUMS]]
  // CHECK: llm.binary sub %[[P]], %[[M]]
  // CHECK-NOT: llm.matmul
  %w = llm.constant dense<3> : tensor<4x2xi8>
  %0 = llm.cast %a : tensor<7x4xui8> to tensor<7x4xi32>
  %1 = llm.binary sub %0, %z : tensor<7x4xi32>, tensor<i32>
  %2 = llm.cast %w : tensor<4x2xi8> to tensor<4x2xi32>
  %3 = llm.matmul %1, %2 : tensor<7x4xi32>, tensor<4x2xi32>
  return %3 : tensor<7x2xi32>
}

// -----

// Unsigned weights with a zero point per output: 130 - 128 = 2, and the rows of a are summed.
// CHECK-LABEL: @asymmetric
func.func @asymmetric(%a: tensor<7x4xui8>) -> tensor<7x2xi32> {
  // CHECK-DAG: llm.constant dense<[0, 2]> : tensor<2xi32>
  // CHECK: llm.linear %arg0, %{{.*}} : (tensor<7x4xui8>, tensor<4x2xi8>) -> tensor<7x2xi32>
  // CHECK: llm.reduce sum %{{.*}} [1] {keepdims = true} : tensor<7x4xi32>
  %w = llm.constant dense<131> : tensor<4x2xui8>
  %z = llm.constant dense<[128, 130]> : tensor<2xi32>
  %0 = llm.cast %a : tensor<7x4xui8> to tensor<7x4xi32>
  %1 = llm.cast %w : tensor<4x2xui8> to tensor<4x2xi32>
  %2 = llm.binary sub %1, %z : tensor<4x2xi32>, tensor<2xi32>
  %3 = llm.matmul %0, %2 : tensor<7x4xi32>, tensor<4x2xi32>
  return %3 : tensor<7x2xi32>
}

// -----

// Two dynamic operands stay.
// CHECK-LABEL: @dynamic
func.func @dynamic(%a: tensor<7x4xui8>, %b: tensor<4x2xi8>) -> tensor<7x2xi32> {
  // CHECK: llm.matmul
  %0 = llm.cast %a : tensor<7x4xui8> to tensor<7x4xi32>
  %1 = llm.cast %b : tensor<4x2xi8> to tensor<4x2xi32>
  %2 = llm.matmul %0, %1 : tensor<7x4xi32>, tensor<4x2xi32>
  return %2 : tensor<7x2xi32>
}

// -----

// Zero points of whole numbers are packed; others are not, and the matrix is spelt out.
// CHECK-LABEL: @float_zero_points
func.func @float_zero_points(%x: tensor<7x32xf32>) -> (tensor<7x2xf32>, tensor<7x2xf32>) {
  %w = llm.constant dense<5> : tensor<2x2x8xui8>
  %s = llm.constant dense<0.5> : tensor<2x2xf32>
  %whole = llm.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %half = llm.constant dense<[[1.0, 2.0], [3.0, 4.5]]> : tensor<2x2xf32>
  // CHECK: llm.linear {{.*}} zero_points {{.*}} (tensor<7x32xf32>, tensor<2x2x8xui8>, tensor<2x2xf32>, tensor<2x1xui8>)
  %0 = llm.linear %x, %w scales %s zero_points %whole {bits = 4 : i64, group_size = 16 : i64, columns = 32 : i64} : (tensor<7x32xf32>, tensor<2x2x8xui8>, tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<7x2xf32>
  // CHECK: llm.embedding {{.*}} zero_points {{.*}} tensor<2x2xf32>) -> tensor<2x32xf32>
  // CHECK: llm.matmul
  %1 = llm.linear %x, %w scales %s zero_points %half {bits = 4 : i64, group_size = 16 : i64, columns = 32 : i64} : (tensor<7x32xf32>, tensor<2x2x8xui8>, tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<7x2xf32>
  return %0, %1 : tensor<7x2xf32>, tensor<7x2xf32>
}

// -----

// A scale per output: groups of 256 inputs with equal scales and zero points (3 of 4 bits).
// CHECK-LABEL: @experts_per_output
func.func @experts_per_output(%x: tensor<7x512xf32>, %ids: tensor<7x1xi64>) -> tensor<7x1x2xf32> {
  // CHECK-DAG: %[[S:.*]] = llm.constant dense_resource<{{.*}}> : tensor<3x2x2xf32>
  // CHECK-DAG: %[[Z:.*]] = llm.constant dense_resource<{{.*}}> : tensor<3x2x1xui8>
  // CHECK: llm.expert_linear %arg0, %arg1, %{{.*}} scales %[[S]] zero_points %[[Z]] {bits = 4 : i64, columns = 512 : i64, group_size = 256 : i64}
  // CHECK-SAME: tensor<3x2x2x128xui8>
  %w = llm.constant dense<37> : tensor<3x2x1x256xui8>
  %s = llm.constant dense<0.5> : tensor<3x2x1xf32>
  %z = llm.constant dense<3> : tensor<3x2x1xui8>
  %0 = llm.expert_linear %x, %ids, %w scales %s zero_points %z {bits = 4 : i64, columns = 512 : i64, group_size = 512 : i64}
    : (tensor<7x512xf32>, tensor<7x1xi64>, tensor<3x2x1x256xui8>, tensor<3x2x1xf32>, tensor<3x2x1xui8>) -> tensor<7x1x2xf32>
  return %0 : tensor<7x1x2xf32>
}
// CHECK: constant{{.*}}: "0x40000000333333333333"

// -----

// 20 inputs are one group that is not full; zero points of floats are packed.
// CHECK-LABEL: @experts_of_20
func.func @experts_of_20(%x: tensor<7x20xf32>, %ids: tensor<7x1xi64>) -> tensor<7x1x2xf32> {
  // CHECK: llm.expert_linear {{.*}} zero_points {{.*}} {bits = 2 : i64, columns = 20 : i64, group_size = 32 : i64}
  // CHECK-SAME: tensor<1x2x1x8xui8>, tensor<1x2x1xf32>, tensor<1x2x1xui8>
  %w = llm.constant dense<27> : tensor<1x2x1x5xui8>
  %s = llm.constant dense<0.5> : tensor<1x2x1xf32>
  %z = llm.constant dense<2.0> : tensor<1x2x1xf32>
  %0 = llm.expert_linear %x, %ids, %w scales %s zero_points %z {bits = 2 : i64, columns = 20 : i64, group_size = 20 : i64}
    : (tensor<7x20xf32>, tensor<7x1xi64>, tensor<1x2x1x5xui8>, tensor<1x2x1xf32>, tensor<1x2x1xf32>) -> tensor<7x1x2xf32>
  return %0 : tensor<7x1x2xf32>
}
// CHECK: constant{{.*}}: "0x400000001B1B1B1B1B0000001B1B1B1B1B000000"

// -----

// Numbers of 2 bits move up by 2 with their zero points: -1 is 1, and 16 of them 0x55555555.
// CHECK-LABEL: @two_bits
func.func @two_bits(%x: tensor<7x16xf32>) -> tensor<7x1xf32> {
  // CHECK: llm.linear {{.*}} scales {{.*}} {bits = 2 : i64, columns = 16 : i64, group_size = 16 : i64}
  // CHECK-SAME: tensor<1x1x4xui8>, tensor<1x1xf32>
  %q = llm.constant dense<-1> : tensor<16x1xi2>
  %s = llm.constant dense<0.5> : tensor<f32>
  %0 = llm.cast %q : tensor<16x1xi2> to tensor<16x1xf32>
  %1 = llm.binary mul %0, %s : tensor<16x1xf32>, tensor<f32>
  %2 = llm.matmul %x, %1 : tensor<7x16xf32>, tensor<16x1xf32>
  return %2 : tensor<7x1xf32>
}
// CHECK: constant{{.*}}: "0x4000000055555555"

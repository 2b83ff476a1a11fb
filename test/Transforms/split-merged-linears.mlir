// RUN: llmc-opt %s --llmc-split-merged-linears --canonicalize | FileCheck %s

// Columns of a matrix [K, N], and its bias.
// CHECK-LABEL: @columns
func.func @columns(%x: tensor<3x2xf32>) -> (tensor<3x2xf32>, tensor<3x1xf32>) {
  // CHECK-DAG: %[[A:.*]] = llm.constant {{.*}}tensor<2x2xf32>
  // CHECK-DAG: %[[B:.*]] = llm.constant {{.*}}tensor<2x1xf32>
  // CHECK-DAG: %[[BIAS:.*]] = llm.constant {{.*}}tensor<1xf32>
  // CHECK-DAG: llm.linear %arg0, %[[A]] bias %{{.*}} -> tensor<3x2xf32>
  // CHECK-DAG: llm.linear %arg0, %[[B]] bias %[[BIAS]] {{.*}} -> tensor<3x1xf32>
  // CHECK-NOT: llm.slice
  %w = llm.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %b = llm.constant dense<[7.0, 8.0, 9.0]> : tensor<3xf32>
  %y = llm.linear %x, %w bias %b : (tensor<3x2xf32>, tensor<2x3xf32>, tensor<3xf32>) -> tensor<3x3xf32>
  %0 = llm.slice %y ["0", "0"] [1, 1] : tensor<3x3xf32> to tensor<3x2xf32>
  %1 = llm.slice %y ["0", "2"] [1, 1] : tensor<3x3xf32> to tensor<3x1xf32>
  return %0, %1 : tensor<3x2xf32>, tensor<3x1xf32>
}

// Rows of a transposed matrix, behind a reshape of the rows of the input.
// CHECK-LABEL: @rows
func.func @rows(%x: tensor<6x2xf32>) -> (tensor<2x3x1xf32>, tensor<2x3x2xf32>) {
  // CHECK-DAG: llm.linear %arg0, %{{.*}} {transposed} : (tensor<6x2xf32>, tensor<1x2xf32>) -> tensor<6x1xf32>
  // CHECK-DAG: llm.linear %arg0, %{{.*}} {transposed} : (tensor<6x2xf32>, tensor<2x2xf32>) -> tensor<6x2xf32>
  // CHECK-NOT: llm.slice
  %w = llm.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %y = llm.linear %x, %w {transposed} : (tensor<6x2xf32>, tensor<3x2xf32>) -> tensor<6x3xf32>
  %r = llm.reshape %y : tensor<6x3xf32> to tensor<2x3x3xf32>
  %0 = llm.slice %r ["0", "0", "0"] [1, 1, 1] : tensor<2x3x3xf32> to tensor<2x3x1xf32>
  %1 = llm.slice %r ["0", "0", "1"] [1, 1, 1] : tensor<2x3x3xf32> to tensor<2x3x2xf32>
  return %0, %1 : tensor<2x3x1xf32>, tensor<2x3x2xf32>
}

// 4-bit rows take their scales and zero points along.
// CHECK-LABEL: @bits
func.func @bits(%x: tensor<1x32xf32>) -> (tensor<1x1xf32>, tensor<1x1xf32>) {
  // CHECK-COUNT-2: llm.linear %arg0, %{{.*}} scales %{{.*}} zero_points %{{.*}} {bits = 4 : i64, columns = 32 : i64, group_size = 32 : i64} : (tensor<1x32xf32>, tensor<1x1x16xui8>, tensor<1x1xf32>, tensor<1x1xui8>) -> tensor<1x1xf32>
  %w = llm.constant dense<17> : tensor<2x1x16xui8>
  %s = llm.constant dense<[[1.0], [2.0]]> : tensor<2x1xf32>
  %z = llm.constant dense<[[3], [4]]> : tensor<2x1xui8>
  %y = llm.linear %x, %w scales %s zero_points %z {bits = 4 : i64, columns = 32 : i64, group_size = 32 : i64} : (tensor<1x32xf32>, tensor<2x1x16xui8>, tensor<2x1xf32>, tensor<2x1xui8>) -> tensor<1x2xf32>
  %0 = llm.slice %y ["0", "0"] [1, 1] : tensor<1x2xf32> to tensor<1x1xf32>
  %1 = llm.slice %y ["0", "1"] [1, 1] : tensor<1x2xf32> to tensor<1x1xf32>
  return %0, %1 : tensor<1x1xf32>, tensor<1x1xf32>
}

// A result that is used as a whole stays one.
// CHECK-LABEL: @whole
func.func @whole(%x: tensor<3x2xf32>) -> (tensor<3x3xf32>, tensor<3x1xf32>, tensor<3x2xf32>) {
  // CHECK-COUNT-1: llm.linear
  // CHECK-COUNT-2: llm.slice
  %w = llm.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %y = llm.linear %x, %w : (tensor<3x2xf32>, tensor<2x3xf32>) -> tensor<3x3xf32>
  %0 = llm.slice %y ["0", "2"] [1, 1] : tensor<3x3xf32> to tensor<3x1xf32>
  %1 = llm.slice %y ["0", "0"] [1, 1] : tensor<3x3xf32> to tensor<3x2xf32>
  return %y, %0, %1 : tensor<3x3xf32>, tensor<3x1xf32>, tensor<3x2xf32>
}

// RUN: llmc-opt %s --llmc-recognize-linear | FileCheck %s

// CHECK-LABEL: @with_bias
func.func @with_bias(%x: tensor<2x3x2xf32>) -> tensor<2x3x4xf32> {
  // CHECK: llm.linear %arg0, %{{.*}} bias %{{.*}} : (tensor<2x3x2xf32>, tensor<2x4xf32>, tensor<4xf32>)
  // CHECK-NOT: llm.binary
  %w = llm.constant dense<1.0> : tensor<2x4xf32>
  %0 = llm.matmul %x, %w : tensor<2x3x2xf32>, tensor<2x4xf32>
  %b = llm.constant dense<2.0> : tensor<4xf32>
  %1 = llm.binary add %b, %0 : tensor<4xf32>, tensor<2x3x4xf32>
  return %1 : tensor<2x3x4xf32>
}

// CHECK-LABEL: @transposed
func.func @transposed(%x: tensor<3x2xf16>) -> tensor<3x4xf16> {
  // CHECK-NOT: llm.transpose
  // CHECK: llm.linear %arg0, %{{.*}} {transposed} : (tensor<3x2xf16>, tensor<4x2xf16>)
  %w = llm.constant dense<1.0> : tensor<4x2xf16>
  %t = llm.transpose %w [1, 0] : tensor<4x2xf16>
  %0 = llm.matmul %x, %t : tensor<3x2xf16>, tensor<2x4xf16>
  return %0 : tensor<3x4xf16>
}

// A matrix of 16 bits that the model widens is the weight itself.
// CHECK-LABEL: @widened
func.func @widened(%x: tensor<3x2xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>) {
  // CHECK-NOT: llm.cast
  // CHECK: llm.linear %arg0, %{{.*}} : (tensor<3x2xf32>, tensor<2x4xf16>)
  // CHECK: llm.linear %arg0, %{{.*}} {transposed} : (tensor<3x2xf32>, tensor<4x2xbf16>)
  %v = llm.constant dense<1.0> : tensor<2x4xf16>
  %w = llm.constant dense<1.0> : tensor<4x2xbf16>
  %wide = llm.cast %v : tensor<2x4xf16> to tensor<2x4xf32>
  %0 = llm.matmul %x, %wide : tensor<3x2xf32>, tensor<2x4xf32>
  %t = llm.transpose %w [1, 0] : tensor<4x2xbf16>
  %u = llm.cast %t : tensor<2x4xbf16> to tensor<2x4xf32>
  %1 = llm.matmul %x, %u : tensor<3x2xf32>, tensor<2x4xf32>
  return %0, %1 : tensor<3x4xf32>, tensor<3x4xf32>
}

// Casts that round, or of what is no constant, stay.
// CHECK-LABEL: @rounded
func.func @rounded(%x: tensor<3x2xf16>, %y: tensor<3x2xf32>, %w: tensor<2x4xf16>) -> (tensor<3x4xf16>, tensor<3x4xf32>) {
  // CHECK: llm.matmul
  // CHECK: llm.matmul
  %v = llm.constant dense<1.0> : tensor<2x4xf32>
  %narrow = llm.cast %v : tensor<2x4xf32> to tensor<2x4xf16>
  %0 = llm.matmul %x, %narrow : tensor<3x2xf16>, tensor<2x4xf16>
  %wide = llm.cast %w : tensor<2x4xf16> to tensor<2x4xf32>
  %1 = llm.matmul %y, %wide : tensor<3x2xf32>, tensor<2x4xf32>
  return %0, %1 : tensor<3x4xf16>, tensor<3x4xf32>
}

// GPT-2: rows flattened for Gemm and split again.
// CHECK-LABEL: @flattened_rows
func.func @flattened_rows(%x: tensor<?x?x2xf32, #llm.dims<"batch", "seq", "2">>) -> tensor<?x?x4xf32, #llm.dims<"batch", "seq", "4">> {
  // CHECK-NOT: llm.reshape
  // CHECK: llm.linear %arg0, %{{.*}} bias
  // CHECK-NOT: llm.reshape
  %w = llm.constant dense<1.0> : tensor<2x4xf32>
  %b = llm.constant dense<2.0> : tensor<4xf32>
  %f = llm.reshape %x : tensor<?x?x2xf32, #llm.dims<"batch", "seq", "2">> to tensor<?x2xf32, #llm.dims<"batch * seq", "2">>
  %0 = llm.matmul %f, %w : tensor<?x2xf32, #llm.dims<"batch * seq", "2">>, tensor<2x4xf32>
  %1 = llm.binary add %0, %b : tensor<?x4xf32, #llm.dims<"batch * seq", "4">>, tensor<4xf32>
  %2 = llm.reshape %1 : tensor<?x4xf32, #llm.dims<"batch * seq", "4">> to tensor<?x?x4xf32, #llm.dims<"batch", "seq", "4">>
  return %2 : tensor<?x?x4xf32, #llm.dims<"batch", "seq", "4">>
}

// CHECK-LABEL: @leading_one
func.func @leading_one(%x: tensor<5x3x2xf32>, %y: tensor<3x2xf32>) -> (tensor<5x3x4xf32>, tensor<1x3x4xf32>) {
  // The second product has a rank that linear would lose.
  // CHECK: llm.linear %arg0
  // CHECK: llm.matmul %arg1
  %w = llm.constant dense<1.0> : tensor<1x2x4xf32>
  %0 = llm.matmul %x, %w : tensor<5x3x2xf32>, tensor<1x2x4xf32>
  %1 = llm.matmul %y, %w : tensor<3x2xf32>, tensor<1x2x4xf32>
  return %0, %1 : tensor<5x3x4xf32>, tensor<1x3x4xf32>
}

// CHECK-LABEL: @embedding
func.func @embedding(%ids: tensor<1x3xi64>) -> (tensor<1x3x4xf32>, tensor<1x3xi64>) {
  // CHECK: llm.embedding %{{.*}}, %arg0 : (tensor<8x4xf32>, tensor<1x3xi64>)
  // CHECK: llm.gather
  %t = llm.constant dense<1.0> : tensor<8x4xf32>
  %l = llm.constant dense<[1, 2, 3]> : tensor<3xi64>
  %0 = llm.gather 0 %t, %ids : tensor<8x4xf32>, tensor<1x3xi64>
  %1 = llm.gather 0 %l, %ids : tensor<3xi64>, tensor<1x3xi64>
  return %0, %1 : tensor<1x3x4xf32>, tensor<1x3xi64>
}

// A product of activations and a residual sum stay.
// CHECK-LABEL: @unknown
func.func @unknown(%x: tensor<3x2xf32>, %w: tensor<2x4xf32>, %r: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>) {
  // CHECK: llm.matmul
  // CHECK: llm.linear
  // CHECK: llm.binary add
  %c = llm.constant dense<1.0> : tensor<2x4xf32>
  %0 = llm.matmul %x, %w : tensor<3x2xf32>, tensor<2x4xf32>
  %1 = llm.matmul %x, %c : tensor<3x2xf32>, tensor<2x4xf32>
  %2 = llm.binary add %1, %r : tensor<3x4xf32>, tensor<3x4xf32>
  return %0, %2 : tensor<3x4xf32>, tensor<3x4xf32>
}

// An einsum's weight [out, heads, dim]: its own bytes are the matrix, transposed.
// CHECK-LABEL: @einsum_weight
func.func @einsum_weight(%x: tensor<5x6xf32>) -> tensor<5x4xf32> {
  // CHECK: %[[W:.+]] = llm.constant dense<{{\[\[}}0.000000e+00, 1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00, 5.000000e+00], [6.000000e+00,
  // CHECK: llm.linear %arg0, %[[W]] {transposed} : (tensor<5x6xf32>, tensor<4x6xf32>)
  %w = llm.constant dense<[[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], [[6.0, 7.0, 8.0], [9.0, 10.0, 11.0]], [[12.0, 13.0, 14.0], [15.0, 16.0, 17.0]], [[18.0, 19.0, 20.0], [21.0, 22.0, 23.0]]]> : tensor<4x2x3xf32>
  %t = llm.transpose %w [1, 2, 0] : tensor<4x2x3xf32>
  %m = llm.reshape %t : tensor<2x3x4xf32> to tensor<6x4xf32>
  %y = llm.matmul %x, %m : tensor<5x6xf32>, tensor<6x4xf32>
  return %y : tensor<5x4xf32>
}

// Rows of a joined projection.
// CHECK-LABEL: @sliced_weight
func.func @sliced_weight(%x: tensor<5x2xf32>) -> tensor<5x2xf32> {
  // CHECK-NOT: llm.slice
  // CHECK: llm.linear %arg0, %{{.*}} {transposed} : (tensor<5x2xf32>, tensor<2x2xf32>)
  %w = llm.constant dense<[[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]> : tensor<3x2xf32>
  %s = llm.slice %w ["1", "0"] [1, 1] : tensor<3x2xf32> to tensor<2x2xf32>
  %t = llm.transpose %s [1, 0] : tensor<2x2xf32>
  %y = llm.matmul %x, %t : tensor<5x2xf32>, tensor<2x2xf32>
  return %y : tensor<5x2xf32>
}

// Neither the bytes nor their transpose: the inputs' parts change places. They are copied.
// CHECK-LABEL: @permuted_weight
func.func @permuted_weight(%x: tensor<5x4xf32>) -> tensor<5x2xf32> {
  // CHECK: %[[W:.+]] = llm.constant {{.*}} : tensor<4x2xf32>
  // CHECK: llm.linear %arg0, %[[W]] :
  %w = llm.constant dense<[[[0.0, 1.0], [2.0, 3.0]], [[4.0, 5.0], [6.0, 7.0]]]> : tensor<2x2x2xf32>
  %t = llm.transpose %w [1, 0, 2] : tensor<2x2x2xf32>
  %m = llm.reshape %t : tensor<2x2x2xf32> to tensor<4x2xf32>
  %y = llm.matmul %x, %m : tensor<5x4xf32>, tensor<4x2xf32>
  return %y : tensor<5x2xf32>
}

// A matrix for each of several batches is no linear layer.
// CHECK-LABEL: @batched_weight
func.func @batched_weight(%x: tensor<2x5x2xf32>) -> tensor<2x5x2xf32> {
  // CHECK: llm.matmul
  %w = llm.constant dense<[[[0.0, 1.0], [2.0, 3.0]], [[4.0, 5.0], [6.0, 7.0]]]> : tensor<2x2x2xf32>
  %t = llm.transpose %w [0, 2, 1] : tensor<2x2x2xf32>
  %y = llm.matmul %x, %t : tensor<2x5x2xf32>, tensor<2x2x2xf32>
  return %y : tensor<2x5x2xf32>
}

// A matrix on the left multiplies columns: those of one token are a row, those that were
// transposed were rows.
// CHECK-LABEL: @left
func.func @left(%x: tensor<2x3x1xf32>, %y: tensor<2x5x3xf32>) -> (tensor<2x4x1xf32>, tensor<2x4x5xf32>) {
  // CHECK: %[[ROW:.+]] = llm.reshape %arg0 : tensor<2x3x1xf32> to tensor<2x1x3xf32>
  // CHECK: %[[FIRST:.+]] = llm.linear %[[ROW]], %{{.*}} {transposed} : (tensor<2x1x3xf32>, tensor<4x3xf32>)
  // CHECK: llm.reshape %[[FIRST]] : tensor<2x1x4xf32> to tensor<2x4x1xf32>
  // CHECK: %[[SECOND:.+]] = llm.linear %arg1, %{{.*}} {transposed} : (tensor<2x5x3xf32>, tensor<4x3xf32>)
  // CHECK: llm.transpose %[[SECOND]] [0, 2, 1] : tensor<2x5x4xf32>
  // CHECK-NOT: llm.matmul
  %w = llm.constant dense<1.0> : tensor<4x3xf32>
  %0 = llm.matmul %w, %x : tensor<4x3xf32>, tensor<2x3x1xf32>
  %t = llm.transpose %y [0, 2, 1] : tensor<2x5x3xf32>
  %1 = llm.matmul %w, %t : tensor<4x3xf32>, tensor<2x3x5xf32>
  return %0, %1 : tensor<2x4x1xf32>, tensor<2x4x5xf32>
}

// Columns that would have to be moved stay, and so does a matrix for each of a batch.
// CHECK-LABEL: @left_of_columns
func.func @left_of_columns(%x: tensor<2x3x5xf32>, %y: tensor<2x3x1xf32>) -> (tensor<2x4x5xf32>, tensor<2x4x1xf32>) {
  // CHECK-NOT: llm.linear
  %w = llm.constant dense<1.0> : tensor<4x3xf32>
  %0 = llm.matmul %w, %x : tensor<4x3xf32>, tensor<2x3x5xf32>
  %v = llm.constant dense<1.0> : tensor<2x4x3xf32>
  %1 = llm.matmul %v, %y : tensor<2x4x3xf32>, tensor<2x3x1xf32>
  return %0, %1 : tensor<2x4x5xf32>, tensor<2x4x1xf32>
}

// RUN: llmc-opt %s --llmc-recognize-experts --cse | FileCheck %s

// One matrix per row, gathered.
// CHECK-LABEL: func @gathered
// CHECK: llm.expert_linear %{{.*}}, %arg1, %{{.*}} : (tensor<6x16xf32>, tensor<6xi64>, tensor<4x16x8xf32>)
// CHECK-NOT: llm.matmul
func.func @gathered(%x: tensor<6x1x16xf32>, %ids: tensor<6xi64>) -> tensor<6x1x8xf32> {
  %w = llm.constant dense<1.0> : tensor<4x16x8xf32>
  %m = llm.gather 0 %w, %ids : tensor<4x16x8xf32>, tensor<6xi64>
  %y = llm.matmul %x, %m : tensor<6x1x16xf32>, tensor<6x16x8xf32>
  return %y : tensor<6x1x8xf32>
}

// Matrices to the left of columns, of 16 bits, and copies of a token's row: the row is read.
// CHECK-LABEL: func @gathered_left
// CHECK: %[[IDS:.*]] = llm.reshape %arg1 : tensor<?xi64, {{.*}}> to tensor<?x2xi64
// CHECK: llm.expert_linear %{{.*}}, %[[IDS]], %{{.*}} bias %{{.*}} {transposed} : (tensor<?x16xf32, {{.*}}>, tensor<?x2xi64, {{.*}}>, tensor<4x8x16xf16>, tensor<4x8xf32>)
// CHECK-NOT: llm.matmul
// CHECK-NOT: llm.binary
func.func @gathered_left(%x: tensor<?x16xf32, #llm.dims<"t", "16">>, %ids: tensor<?xi64, #llm.dims<"2 * t">>) -> tensor<?x8xf32, #llm.dims<"2 * t", "8">> {
  %w = llm.constant dense<1.0> : tensor<4x8x16xf16>
  %wide = llm.cast %w : tensor<4x8x16xf16> to tensor<4x8x16xf32>
  %b = llm.constant dense<1.0> : tensor<4x8xf32>
  %x1 = llm.reshape %x : tensor<?x16xf32, #llm.dims<"t", "16">> to tensor<?x1x16xf32, #llm.dims<"t", "1", "16">>
  %x2 = llm.broadcast %x1 : tensor<?x1x16xf32, #llm.dims<"t", "1", "16">> to tensor<?x2x16xf32, #llm.dims<"t", "2", "16">>
  %rows = llm.reshape %x2 : tensor<?x2x16xf32, #llm.dims<"t", "2", "16">> to tensor<?x16x1xf32, #llm.dims<"2 * t", "16", "1">>
  %m = llm.gather 0 %wide, %ids : tensor<4x8x16xf32>, tensor<?xi64, #llm.dims<"2 * t">>
  %y = llm.matmul %m, %rows : tensor<?x8x16xf32, #llm.dims<"2 * t", "8", "16">>, tensor<?x16x1xf32, #llm.dims<"2 * t", "16", "1">>
  %flat = llm.reshape %y : tensor<?x8x1xf32, #llm.dims<"2 * t", "8", "1">> to tensor<?x8xf32, #llm.dims<"2 * t", "8">>
  %bias = llm.gather 0 %b, %ids : tensor<4x8xf32>, tensor<?xi64, #llm.dims<"2 * t">>
  %z = llm.binary add %flat, %bias : tensor<?x8xf32, #llm.dims<"2 * t", "8">>, tensor<?x8xf32, #llm.dims<"2 * t", "8">>
  return %z : tensor<?x8xf32, #llm.dims<"2 * t", "8">>
}

// All tokens twice, one after another: a token's choices do not follow one another.
// CHECK-LABEL: func @repeated_in_turn
// CHECK: llm.broadcast
// CHECK: llm.expert_linear %{{.*}}, %arg1, %{{.*}} : (tensor<?x16xf32, {{.*}}>, tensor<?xi64
func.func @repeated_in_turn(%x: tensor<?x16xf32, #llm.dims<"t", "16">>, %ids: tensor<?xi64, #llm.dims<"2 * t">>) -> tensor<?x1x8xf32, #llm.dims<"2 * t", "1", "8">> {
  %w = llm.constant dense<1.0> : tensor<4x16x8xf32>
  %x1 = llm.reshape %x : tensor<?x16xf32, #llm.dims<"t", "16">> to tensor<1x?x16xf32, #llm.dims<"1", "t", "16">>
  %x2 = llm.broadcast %x1 : tensor<1x?x16xf32, #llm.dims<"1", "t", "16">> to tensor<2x?x16xf32, #llm.dims<"2", "t", "16">>
  %rows = llm.reshape %x2 : tensor<2x?x16xf32, #llm.dims<"2", "t", "16">> to tensor<?x1x16xf32, #llm.dims<"2 * t", "1", "16">>
  %m = llm.gather 0 %w, %ids : tensor<4x16x8xf32>, tensor<?xi64, #llm.dims<"2 * t">>
  %y = llm.matmul %rows, %m : tensor<?x1x16xf32, #llm.dims<"2 * t", "1", "16">>, tensor<?x16x8xf32, #llm.dims<"2 * t", "16", "8">>
  return %y : tensor<?x1x8xf32, #llm.dims<"2 * t", "1", "8">>
}

// Several rows for one chosen matrix.
// CHECK-LABEL: func @rows_per_matrix
// CHECK-NOT: llm.expert_linear
// CHECK: llm.matmul
func.func @rows_per_matrix(%x: tensor<6x3x16xf32>, %ids: tensor<6xi64>) -> tensor<6x3x8xf32> {
  %w = llm.constant dense<1.0> : tensor<4x16x8xf32>
  %m = llm.gather 0 %w, %ids : tensor<4x16x8xf32>, tensor<6xi64>
  %y = llm.matmul %x, %m : tensor<6x3x16xf32>, tensor<6x16x8xf32>
  return %y : tensor<6x3x8xf32>
}

// Rows sorted by expert, a product per expert, and back. Two tokens with two choices
// each; the ranges come from counting the ids.
// CHECK-LABEL: func @sorted
// CHECK: %[[IDS:.*]] = llm.reshape %arg1 : tensor<?xi64, {{.*}}> to tensor<?x2xi64
// CHECK: %[[E:.*]] = llm.expert_linear %arg0, %[[IDS]], %{{.*}} : (tensor<?x16xf32, {{.*}}>, tensor<?x2xi64, {{.*}}>, tensor<2x16x8xf32>)
// CHECK-NOT: llm.define_size
// CHECK-NOT: llm.matmul
// CHECK-NOT: llm.gather
func.func @sorted(%x: tensor<?x16xf32, #llm.dims<"t", "16">>, %ids: tensor<?xi64, #llm.dims<"2 * t">>) -> tensor<?x8xf32, #llm.dims<"2 * t", "8">> {
  %w0 = llm.constant dense<1.0> : tensor<16x8xf32>
  %w1 = llm.constant dense<2.0> : tensor<16x8xf32>
  %two = llm.constant dense<2> : tensor<i64>
  %zeros = llm.constant dense<0> : tensor<2xi64>
  %one = llm.constant dense<1> : tensor<i64>
  %perm = llm.top_k_indices 0 %ids "2 * t" : tensor<?xi64, #llm.dims<"2 * t">>
  %sortedIds = llm.gather 0 %ids, %perm : tensor<?xi64, #llm.dims<"2 * t">>, tensor<?xi64, #llm.dims<"2 * t">>
  %token = llm.binary div %perm, %two : tensor<?xi64, #llm.dims<"2 * t">>, tensor<i64>
  %rows = llm.gather 0 %x, %token : tensor<?x16xf32, #llm.dims<"t", "16">>, tensor<?xi64, #llm.dims<"2 * t">>
  %ones = llm.broadcast %one : tensor<i64> to tensor<?xi64, #llm.dims<"2 * t">>
  %counts = llm.scatter_elements add 0 %zeros, %sortedIds, %ones : tensor<2xi64>, tensor<?xi64, #llm.dims<"2 * t">>, tensor<?xi64, #llm.dims<"2 * t">>
  %c0 = llm.slice %counts ["0"] [1] : tensor<2xi64> to tensor<1xi64>
  %c1 = llm.slice %counts ["1"] [1] : tensor<2xi64> to tensor<1xi64>
  llm.define_size "n0" <= "2 * t" (%c0) : tensor<1xi64>
  llm.define_size "n1" <= "2 * t" (%c1) : tensor<1xi64>
  %r0 = llm.iota {start = "0", step = "1", dim = 0} : tensor<?xi64, #llm.dims<"n0">>
  %i1 = llm.iota {start = "0", step = "1", dim = 0} : tensor<?xi64, #llm.dims<"n1">>
  %r1 = llm.binary add %i1, %c0 : tensor<?xi64, #llm.dims<"n1">>, tensor<1xi64>
  %x0 = llm.gather 0 %rows, %r0 : tensor<?x16xf32, #llm.dims<"2 * t", "16">>, tensor<?xi64, #llm.dims<"n0">>
  %x1 = llm.gather 0 %rows, %r1 : tensor<?x16xf32, #llm.dims<"2 * t", "16">>, tensor<?xi64, #llm.dims<"n1">>
  %y0 = llm.matmul %x0, %w0 : tensor<?x16xf32, #llm.dims<"n0", "16">>, tensor<16x8xf32>
  %y1 = llm.matmul %x1, %w1 : tensor<?x16xf32, #llm.dims<"n1", "16">>, tensor<16x8xf32>
  %y = llm.concat 0 (%y0, %y1) : tensor<?x8xf32, #llm.dims<"n0", "8">>, tensor<?x8xf32, #llm.dims<"n1", "8">>
  %count = llm.iota {start = "0", step = "1", dim = 0} : tensor<?xi64, #llm.dims<"2 * t">>
  %places = llm.reshape %perm : tensor<?xi64, #llm.dims<"2 * t">> to tensor<?x1xi64, #llm.dims<"2 * t", "1">>
  %inverse = llm.scatter_nd replace %count, %places, %count : tensor<?xi64, #llm.dims<"2 * t">>, tensor<?x1xi64, #llm.dims<"2 * t", "1">>, tensor<?xi64, #llm.dims<"2 * t">>
  %same = llm.reshape %y : tensor<?x8xf32, #llm.dims<"n0 + n1", "8">> to tensor<?x8xf32, #llm.dims<"2 * t", "8">>
  %z = llm.gather 0 %same, %inverse : tensor<?x8xf32, #llm.dims<"2 * t", "8">>, tensor<?xi64, #llm.dims<"2 * t">>
  return %z : tensor<?x8xf32, #llm.dims<"2 * t", "8">>
}

// The same with matrices of few bits, whose inputs are rounded: the rounding is per row and
// does not hinder the way back.
// CHECK-LABEL: func @sorted_few_bits
// CHECK: llm.unary round {{.*}} : tensor<?x2x16xf32
// CHECK: llm.expert_linear %{{.*}}, %arg1, %{{.*}} scales %{{.*}} {bits = 4 : i64, columns = 32 : i64, group_size = 16 : i64} : (tensor<?x32xf32, {{.*}}>, tensor<?xi64, {{.*}}>, tensor<2x8x2x8xui8>, tensor<2x8x2xf32>)
// CHECK-NOT: llm.define_size
// CHECK-NOT: llm.linear
// CHECK-NOT: llm.gather
func.func @sorted_few_bits(%x: tensor<?x32xf32, #llm.dims<"t", "32">>, %ids: tensor<?xi64, #llm.dims<"2 * t">>) -> tensor<?x8xf32, #llm.dims<"2 * t", "8">> {
  %w0 = llm.constant dense<1> : tensor<8x2x8xui8>
  %w1 = llm.constant dense<2> : tensor<8x2x8xui8>
  %s = llm.constant dense<0.5> : tensor<8x2xf32>
  %two = llm.constant dense<2> : tensor<i64>
  %zeros = llm.constant dense<0> : tensor<2xi64>
  %one = llm.constant dense<1> : tensor<i64>
  %perm = llm.top_k_indices 0 %ids "2 * t" : tensor<?xi64, #llm.dims<"2 * t">>
  %sortedIds = llm.gather 0 %ids, %perm : tensor<?xi64, #llm.dims<"2 * t">>, tensor<?xi64, #llm.dims<"2 * t">>
  %token = llm.binary div %perm, %two : tensor<?xi64, #llm.dims<"2 * t">>, tensor<i64>
  %rows = llm.gather 0 %x, %token : tensor<?x32xf32, #llm.dims<"t", "32">>, tensor<?xi64, #llm.dims<"2 * t">>
  %ones = llm.broadcast %one : tensor<i64> to tensor<?xi64, #llm.dims<"2 * t">>
  %counts = llm.scatter_elements add 0 %zeros, %sortedIds, %ones : tensor<2xi64>, tensor<?xi64, #llm.dims<"2 * t">>, tensor<?xi64, #llm.dims<"2 * t">>
  %c0 = llm.slice %counts ["0"] [1] : tensor<2xi64> to tensor<1xi64>
  %c1 = llm.slice %counts ["1"] [1] : tensor<2xi64> to tensor<1xi64>
  llm.define_size "n0" <= "2 * t" (%c0) : tensor<1xi64>
  llm.define_size "n1" <= "2 * t" (%c1) : tensor<1xi64>
  %r0 = llm.iota {start = "0", step = "1", dim = 0} : tensor<?xi64, #llm.dims<"n0">>
  %i1 = llm.iota {start = "0", step = "1", dim = 0} : tensor<?xi64, #llm.dims<"n1">>
  %r1 = llm.binary add %i1, %c0 : tensor<?xi64, #llm.dims<"n1">>, tensor<1xi64>
  %x0 = llm.gather 0 %rows, %r0 : tensor<?x32xf32, #llm.dims<"2 * t", "32">>, tensor<?xi64, #llm.dims<"n0">>
  %x1 = llm.gather 0 %rows, %r1 : tensor<?x32xf32, #llm.dims<"2 * t", "32">>, tensor<?xi64, #llm.dims<"n1">>
  %y0 = llm.linear %x0, %w0 scales %s {bits = 4 : i64, columns = 32 : i64, group_size = 16 : i64, activations = #llm<activations int8>} : (tensor<?x32xf32, #llm.dims<"n0", "32">>, tensor<8x2x8xui8>, tensor<8x2xf32>) -> tensor<?x8xf32, #llm.dims<"n0", "8">>
  %y1 = llm.linear %x1, %w1 scales %s {bits = 4 : i64, columns = 32 : i64, group_size = 16 : i64, activations = #llm<activations int8>} : (tensor<?x32xf32, #llm.dims<"n1", "32">>, tensor<8x2x8xui8>, tensor<8x2xf32>) -> tensor<?x8xf32, #llm.dims<"n1", "8">>
  %y = llm.concat 0 (%y0, %y1) : tensor<?x8xf32, #llm.dims<"n0", "8">>, tensor<?x8xf32, #llm.dims<"n1", "8">>
  %count = llm.iota {start = "0", step = "1", dim = 0} : tensor<?xi64, #llm.dims<"2 * t">>
  %places = llm.reshape %perm : tensor<?xi64, #llm.dims<"2 * t">> to tensor<?x1xi64, #llm.dims<"2 * t", "1">>
  %inverse = llm.scatter_nd replace %count, %places, %count : tensor<?xi64, #llm.dims<"2 * t">>, tensor<?x1xi64, #llm.dims<"2 * t", "1">>, tensor<?xi64, #llm.dims<"2 * t">>
  %same = llm.reshape %y : tensor<?x8xf32, #llm.dims<"n0 + n1", "8">> to tensor<?x8xf32, #llm.dims<"2 * t", "8">>
  %z = llm.gather 0 %same, %inverse : tensor<?x8xf32, #llm.dims<"2 * t", "8">>, tensor<?xi64, #llm.dims<"2 * t">>
  return %z : tensor<?x8xf32, #llm.dims<"2 * t", "8">>
}

// The ranges are fixed: what they compute has nothing to do with the ids.
// CHECK-LABEL: func @fixed_ranges
// CHECK-NOT: llm.expert_linear
// CHECK: return
func.func @fixed_ranges(%x: tensor<4x16xf32>) -> tensor<4x8xf32> {
  %w0 = llm.constant dense<1.0> : tensor<16x8xf32>
  %w1 = llm.constant dense<2.0> : tensor<16x8xf32>
  %r0 = llm.constant dense<[0, 1]> : tensor<2xi64>
  %r1 = llm.constant dense<[2, 3]> : tensor<2xi64>
  %x0 = llm.gather 0 %x, %r0 : tensor<4x16xf32>, tensor<2xi64>
  %x1 = llm.gather 0 %x, %r1 : tensor<4x16xf32>, tensor<2xi64>
  %y0 = llm.matmul %x0, %w0 : tensor<2x16xf32>, tensor<16x8xf32>
  %y1 = llm.matmul %x1, %w1 : tensor<2x16xf32>, tensor<16x8xf32>
  %y = llm.concat 0 (%y0, %y1) : tensor<2x8xf32>, tensor<2x8xf32>
  return %y : tensor<4x8xf32>
}

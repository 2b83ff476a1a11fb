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

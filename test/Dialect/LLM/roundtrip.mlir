// What is printed is read again as the same, also in generic form: optional operands,
// default attributes, sizes and states.
// RUN: llmc-opt %s > %t.once && llmc-opt %t.once | diff %t.once -
// RUN: llmc-opt %s --mlir-print-op-generic | llmc-opt | diff %t.once -
// RUN: FileCheck %s < %t.once

// CHECK-LABEL: func.func @sizes
// CHECK-SAME: tensor<?x?x4xf32, #llm.dims<"batch", "past + seq", "4">>
func.func @sizes(%x: tensor<?x?x4xf32, #llm.dims<"batch", "past + seq", "4">>) {
  // CHECK: llm.dim_values ["batch"] : tensor<i64>
  %0 = llm.dim_values ["batch"] : tensor<i64>
  // CHECK: llm.iota {dim = 0 : i64, start = "past", step = "2"}
  %1 = llm.iota {start = "past", step = "2", dim = 0} : tensor<?xi64, #llm.dims<"seq">>
  // CHECK: llm.slice %{{.*}} ["0", "past", "3"] [1, 1, -1]
  %2 = llm.slice %x ["0", "past", "3"] [1, 1, -1] : tensor<?x?x4xf32, #llm.dims<"batch", "past + seq", "4">> to tensor<?x?x4xf32, #llm.dims<"batch", "seq", "4">>
  return
}

// CHECK-LABEL: func.func @optional_operands
func.func @optional_operands(%x: tensor<3x32xf32>, %w: tensor<4x1x16xui8>, %s: tensor<4x1xf32>, %z: tensor<4x1xui8>, %b: tensor<4xf32>, %n: tensor<32xf32>) {
  // CHECK: llm.linear %{{.*}}, %{{.*}} scales %{{.*}} zero_points %{{.*}} bias %{{.*}} {
  %0 = llm.linear %x, %w scales %s zero_points %z bias %b {bits = 4 : i64, group_size = 32 : i64, columns = 32 : i64, activations = #llm<activations int8>}
      : (tensor<3x32xf32>, tensor<4x1x16xui8>, tensor<4x1xf32>, tensor<4x1xui8>, tensor<4xf32>) -> tensor<3x4xf32>
  // CHECK: llm.layer_norm %{{[^ ]*}}, %{{[^ ]*}} {epsilon
  %1 = llm.layer_norm %x, %n {epsilon = 1.0e-5 : f64} : (tensor<3x32xf32>, tensor<32xf32>) -> tensor<3x32xf32>
  return
}

// CHECK-LABEL: func.func @states
func.func @states(%q: tensor<1x4x3x16xf32>, %k: tensor<1x2x3x16xf32>, %lens: tensor<1xi64>, %s: !llm.state<tensor<2x16xf32>>) -> !llm.state<tensor<2x16xf32>> {
  // CHECK: %[[S:.*]] = llm.state_append
  %0 = llm.state_append %s, %k, %lens : !llm.state<tensor<2x16xf32>>, tensor<1x2x3x16xf32>, tensor<1xi64>
  // CHECK: llm.attention %{{.*}}, %[[S]], %[[S]] past_lens %{{.*}} {causal, scale = 2.500000e-01 : f64, window = 8 : i64}
  %1 = llm.attention %q, %0, %0 past_lens %lens {scale = 0.25 : f64, causal, window = 8 : i64}
      : (tensor<1x4x3x16xf32>, !llm.state<tensor<2x16xf32>>, !llm.state<tensor<2x16xf32>>, tensor<1xi64>) -> tensor<1x4x3x16xf32>
  // CHECK: return %[[S]]
  return %0 : !llm.state<tensor<2x16xf32>>
}

// CHECK-LABEL: func.func @loop
// CHECK: llm.loop "i0"<"seq"(%{{.*}}) captured(%{{.*}}) stacks ["-i0 + seq - 1"]
// CHECK: llm.loop "i0"<"3"() captured() stacks []
func.func @loop(%h: tensor<4xf32>, %x: tensor<?x4xf32, #llm.dims<"seq", "4">>) -> (tensor<4xf32>, tensor<?x4xf32, #llm.dims<"seq", "4">>) {
  %0:2 = llm.loop "i0" < "seq"(%h) captured(%x) stacks ["-i0 + seq - 1"] : (tensor<4xf32>, tensor<?x4xf32, #llm.dims<"seq", "4">>) -> (tensor<4xf32>, tensor<?x4xf32, #llm.dims<"seq", "4">>) {
  ^bb0(%a: tensor<4xf32>, %b: tensor<?x4xf32, #llm.dims<"seq", "4">>):
    llm.yield %a, %a : tensor<4xf32>, tensor<4xf32>
  }
  llm.loop "i0" < "3"() captured() stacks [] : () -> () {
    llm.yield
  }
  return %0#0, %0#1 : tensor<4xf32>, tensor<?x4xf32, #llm.dims<"seq", "4">>
}

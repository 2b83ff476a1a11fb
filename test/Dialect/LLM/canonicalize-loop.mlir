// RUN: llmc-opt %s -canonicalize | FileCheck %s

// Constants and sizes go into the body, equal values are captured once, and what the body
// does not use is not captured.
// CHECK-LABEL: func.func @captures
// CHECK-SAME: %[[H:.*]]: tensor<2xi64>, %[[X:.*]]: tensor<2xi64>, %{{.*}}: tensor<2xi64>
// CHECK-NOT: llm.constant
// CHECK: llm.loop "i0"<"seq"(%[[H]]) captured(%[[X]])
// CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<2xi64>, %[[B:.*]]: tensor<2xi64>):
// CHECK-DAG: %[[W:.*]] = llm.constant dense<[3, 4]> : tensor<2xi64>
// CHECK-DAG: %[[S:.*]] = llm.dim_values ["seq", "4"] : tensor<2xi64>
// CHECK: %[[P:.*]] = llm.binary mul %[[A]], %[[W]]
// CHECK: %[[Q:.*]] = llm.binary add %[[P]], %[[S]]
// CHECK: %[[R:.*]] = llm.binary sub %[[Q]], %[[B]]
// CHECK: %[[T:.*]] = llm.binary sub %[[R]], %[[B]]
// CHECK: llm.yield %[[T]]
func.func @captures(%h: tensor<2xi64>, %x: tensor<2xi64>, %unused: tensor<2xi64>, %y: tensor<?xf32, #llm.dims<"seq">>) -> tensor<2xi64> {
  %w = llm.constant dense<[3, 4]> : tensor<2xi64>
  %s = llm.dim_values ["seq", "4"] : tensor<2xi64>
  %0 = llm.loop "i0" < "seq" (%h) captured (%unused, %w, %x, %s, %x) stacks [] : (tensor<2xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<2xi64> {
  ^bb0(%a: tensor<2xi64>, %u: tensor<2xi64>, %v: tensor<2xi64>, %b: tensor<2xi64>, %c: tensor<2xi64>, %d: tensor<2xi64>):
    %1 = llm.binary mul %a, %v : tensor<2xi64>, tensor<2xi64>
    %2 = llm.binary add %1, %c : tensor<2xi64>, tensor<2xi64>
    %3 = llm.binary sub %2, %b : tensor<2xi64>, tensor<2xi64>
    %4 = llm.binary sub %3, %d : tensor<2xi64>, tensor<2xi64>
    llm.yield %4 : tensor<2xi64>
  }
  return %0 : tensor<2xi64>
}

// A loop whose results nobody uses goes.
// CHECK-LABEL: func.func @dead
// CHECK-NOT: llm.loop
func.func @dead(%h: tensor<2xi64>) -> tensor<2xi64> {
  %0 = llm.loop "i0" < "3" (%h) captured () stacks [] : (tensor<2xi64>) -> tensor<2xi64> {
  ^bb0(%a: tensor<2xi64>):
    llm.yield %a : tensor<2xi64>
  }
  return %h : tensor<2xi64>
}

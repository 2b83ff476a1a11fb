// RUN: llmc-opt %s -llmc-convert-llm-to-exec | FileCheck %s

#dims = #llm.dims<"seq", "4">
// The initial value is an argument, which is copied. The product is a linear with a packed
// weight, of which the sum with the slice is the epilogue. It is written where its row of
// the stack lies, and copied from there.
// CHECK-LABEL: exec.program @scan
// CHECK-SAME: "run"
// CHECK: %[[H:.*]] = exec.dispatch @pointwise_0(%arg0)
// CHECK: %[[L:.*]]:2 = exec.loop "i0"<"seq"(%[[H]]) stacks ["seq - i0 - 1"]
// CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<1x4xf32>):
// CHECK-NEXT: %[[W:.*]] = exec.load_weight
// CHECK-NEXT: %[[S:.*]] = exec.dispatch @linear_1(%[[A]], %[[W]], %arg1)
// CHECK-NEXT: %[[V:.*]] = exec.view %[[S]] : tensor<1x4xf32> to tensor<4xf32>
// CHECK-NEXT: %[[N:.*]] = exec.dispatch @pointwise_0(%[[S]])
// CHECK-NEXT: exec.yield %[[N]], %[[V]]
// CHECK: exec.return %[[L]]#0, %[[L]]#1
func.func @scan(%h: tensor<1x4xf32> {llm.name = "h"}, %x: tensor<?x4xf32, #dims> {llm.name = "x"}) -> (tensor<1x4xf32> {llm.name = "y"}, tensor<?x4xf32, #dims> {llm.name = "z"}) attributes {llm.phase = "run", llm.symbols = [{name = "seq", min = 0 : i64, max = 8 : i64} ]} {
  %0:2 = llm.loop "i0" < "seq" (%h) captured (%x) stacks ["seq - i0 - 1"] : (tensor<1x4xf32>, tensor<?x4xf32, #dims>) -> (tensor<1x4xf32>, tensor<?x4xf32, #dims>) {
  ^bb0(%a: tensor<1x4xf32>, %b: tensor<?x4xf32, #dims>):
    %w = llm.constant dense<[[1.0, 0.0, 0.0, 2.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]> : tensor<4x4xf32>
    %1 = llm.slice %b ["i0", "0"] [1, 1] : tensor<?x4xf32, #dims> to tensor<1x4xf32>
    %2 = llm.linear %a, %w : (tensor<1x4xf32>, tensor<4x4xf32>) -> tensor<1x4xf32>
    %3 = llm.binary add %2, %1 : tensor<1x4xf32>, tensor<1x4xf32>
    %4 = llm.reshape %3 : tensor<1x4xf32> to tensor<4xf32>
    llm.yield %3, %4 : tensor<1x4xf32>, tensor<4xf32>
  }
  return %0#0, %0#1 : tensor<1x4xf32>, tensor<?x4xf32, #dims>
}

// Each becomes the other: one is kept before the other goes into its place. What is computed only for
// the loop is its buffer without a copy, and a value that does not change is not written.
// CHECK-LABEL: exec.program @exchanged
// CHECK: %[[P:.*]] = exec.dispatch @{{.*}}(%arg0)
// CHECK: %[[Q:.*]] = exec.dispatch @{{.*}}(%arg0)
// CHECK: %[[R:.*]] = exec.dispatch @{{.*}}(%arg0)
// CHECK: exec.loop "i0"<"3"(%[[P]], %[[Q]], %[[R]]) stacks []
// CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<4xf32>, %[[B:.*]]: tensor<4xf32>, %[[C:.*]]: tensor<4xf32>):
// CHECK-NEXT: %[[B1:.*]] = exec.dispatch @{{.*}}(%[[B]])
// CHECK-NEXT: %[[A1:.*]] = exec.dispatch @{{.*}}(%[[A]])
// CHECK-NEXT: %[[A2:.*]] = exec.dispatch @{{.*}}(%[[B1]])
// CHECK-NEXT: exec.yield %[[A2]], %[[A1]], %[[C]]
func.func @exchanged(%h: tensor<4xf32> {llm.name = "h"}) -> (tensor<4xf32> {llm.name = "y"}, tensor<4xf32> {llm.name = "z"}, tensor<4xf32> {llm.name = "u"}) attributes {llm.phase = "run", llm.symbols = []} {
  %p = llm.unary neg %h : tensor<4xf32>
  %q = llm.unary exp %h : tensor<4xf32>
  %r = llm.unary abs %h : tensor<4xf32>
  %0:3 = llm.loop "i0" < "3" (%p, %q, %r) captured () stacks [] : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  ^bb0(%a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>):
    llm.yield %b, %a, %c : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  }
  return %0#0, %0#1, %0#2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// Nothing reads the carried value behind the kernel that gives the next one: it writes there.
// CHECK-LABEL: exec.program @overwritten
// CHECK: exec.loop
// CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<4xf32>):
// CHECK-NEXT: %[[X:.*]] = exec.dispatch @reduce{{.*}}(%[[A]])
// CHECK-NEXT: %[[Y:.*]] = exec.dispatch @pointwise{{.*}}(%arg0, %[[X]])
// CHECK-NEXT: exec.yield %[[Y]]
func.func @overwritten(%h: tensor<4xf32> {llm.name = "h"}) -> (tensor<4xf32> {llm.name = "y"}) attributes {llm.phase = "run", llm.symbols = []} {
  %0 = llm.loop "i0" < "3" (%h) captured (%h) stacks [] : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>, %b: tensor<4xf32>):
    %1 = llm.reduce sum %a [0] {keepdims = true} : tensor<4xf32>
    %2 = llm.binary mul %b, %1 : tensor<4xf32>, tensor<1xf32>
    llm.yield %2 : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}

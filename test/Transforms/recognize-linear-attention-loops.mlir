// RUN: llmc-opt %s -llmc-recognize-linear-attention | FileCheck %s

// What looks like the decay of a recurrence inside a loop's body is none of the function's.
// CHECK-LABEL: func @in_a_loop
// CHECK: llm.loop
// CHECK: llm.unary exp
// CHECK-NOT: llm.linear_attention
func.func @in_a_loop(%ids: tensor<?x?xi64, #llm.dims<"batch", "seq">>, %table: tensor<8x6xf32>) -> tensor<?x?x2x3xf32, #llm.dims<"batch", "seq", "2", "3">> {
  %0 = llm.gather 0 %table, %ids : tensor<8x6xf32>, tensor<?x?xi64, #llm.dims<"batch", "seq">>
  %1 = llm.reshape %0 : tensor<?x?x6xf32, #llm.dims<"batch", "seq", "6">> to tensor<?x?x2x3xf32, #llm.dims<"batch", "seq", "2", "3">>
  %2 = llm.loop "i0" < "40"(%1) captured() stacks [] : (tensor<?x?x2x3xf32, #llm.dims<"batch", "seq", "2", "3">>) -> (tensor<?x?x2x3xf32, #llm.dims<"batch", "seq", "2", "3">>) {
  ^bb0(%a: tensor<?x?x2x3xf32, #llm.dims<"batch", "seq", "2", "3">>):
    %3 = llm.unary exp %a : tensor<?x?x2x3xf32, #llm.dims<"batch", "seq", "2", "3">>
    llm.yield %3 : tensor<?x?x2x3xf32, #llm.dims<"batch", "seq", "2", "3">>
  }
  return %2 : tensor<?x?x2x3xf32, #llm.dims<"batch", "seq", "2", "3">>
}

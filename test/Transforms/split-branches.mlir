// RUN: llmc-opt %s -llmc-split-branches | FileCheck %s

// The input stays in both signatures; a fact about a branch's sizes is applied.
// CHECK-LABEL: func.func @run(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?xf32, #llm.dims<"n">>, %{{.*}}: tensor<1xi1>
// CHECK-SAME: llm.guard = {input = 1 : i64, value = 1 : i64}
// CHECK-NOT: llm.if
// CHECK: llm.unary exp %[[X]]
// CHECK-LABEL: func.func @run_else(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<4xf32>
// CHECK-SAME: llm.guard = {input = 1 : i64, value = 0 : i64}
// CHECK-NOT: llm.if
// CHECK: llm.unary neg %[[X]]
func.func @run(%x: tensor<?xf32, #llm.dims<"n">>, %flag: tensor<1xi1>) -> tensor<?xf32, #llm.dims<"n">> {
  %scalar = llm.reshape %flag : tensor<1xi1> to tensor<i1>
  %0 = llm.if %scalar {llm.else_sizes = {n = "4"}} : tensor<i1> -> (tensor<?xf32, #llm.dims<"n">>) {
    %1 = llm.unary exp %x : tensor<?xf32, #llm.dims<"n">>
    llm.yield %1 : tensor<?xf32, #llm.dims<"n">>
  } else {
    %2 = llm.unary neg %x : tensor<?xf32, #llm.dims<"n">>
    llm.yield %2 : tensor<?xf32, #llm.dims<"n">>
  }
  return %0 : tensor<?xf32, #llm.dims<"n">>
}

// A condition that is computed stays.
// CHECK-LABEL: func.func @computed(
// CHECK: llm.if
// CHECK-NOT: @computed_else
func.func @computed(%x: tensor<4xf32>, %flag: tensor<1xi1>) -> tensor<4xf32> {
  %not = llm.unary logical_not %flag : tensor<1xi1>
  %0 = llm.if %not : tensor<1xi1> -> (tensor<4xf32>) {
    llm.yield %x : tensor<4xf32>
  } else {
    %1 = llm.unary neg %x : tensor<4xf32>
    llm.yield %1 : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}

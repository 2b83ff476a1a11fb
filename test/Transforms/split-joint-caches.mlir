// RUN: %llmc-opt %s --llmc-split-joint-caches --split-input-file | FileCheck %s

// Caches 2 and 0 of three: each has a past, in the joint one's order.
// CHECK-LABEL: func.func @run(
// CHECK-SAME: tensor<3x?x2x?x4xf32, #llm.dims<"3", "batch", "2", "past", "4">> {llm.name = "past"}
// CHECK-LABEL: func.func private @run_caches(
// CHECK-SAME: %[[FIRST:[a-z0-9]+]]: tensor<?x2x?x4xf32, #llm.dims<"batch", "2", "past", "4">> {llm.name = "past.0"}
// CHECK-SAME: %[[LAST:[a-z0-9]+]]: tensor<?x2x?x4xf32, #llm.dims<"batch", "2", "past", "4">> {llm.name = "past.2"}
// CHECK-SAME: llm.stateful_source
// CHECK-NOT: llm.slice
// CHECK: %[[SUM:.+]] = llm.binary add %[[LAST]], %[[FIRST]]
// CHECK: return %{{.+}}, %[[LAST]], %[[SUM]] :
func.func @run(%ids: tensor<?x?xi64, #llm.dims<"batch", "seq">>,
               %past: tensor<3x?x2x?x4xf32, #llm.dims<"3", "batch", "2", "past", "4">> {llm.name = "past"})
    -> (tensor<?x?x4xf32, #llm.dims<"batch", "seq", "4">> {llm.name = "logits"},
        tensor<2x?x2x?x4xf32, #llm.dims<"2", "batch", "2", "past", "4">> {llm.name = "present"}) {
  %rows = llm.constant dense<0.5> : tensor<9x4xf32>
  %x = llm.embedding %rows, %ids : (tensor<9x4xf32>, tensor<?x?xi64, #llm.dims<"batch", "seq">>) -> tensor<?x?x4xf32, #llm.dims<"batch", "seq", "4">>
  %2 = llm.slice %past ["2", "0", "0", "0", "0"] [1, 1, 1, 1, 1] : tensor<3x?x2x?x4xf32, #llm.dims<"3", "batch", "2", "past", "4">> to tensor<1x?x2x?x4xf32, #llm.dims<"1", "batch", "2", "past", "4">>
  %last = llm.reshape %2 : tensor<1x?x2x?x4xf32, #llm.dims<"1", "batch", "2", "past", "4">> to tensor<?x2x?x4xf32, #llm.dims<"batch", "2", "past", "4">>
  %0 = llm.slice %past ["0", "0", "0", "0", "0"] [1, 1, 1, 1, 1] : tensor<3x?x2x?x4xf32, #llm.dims<"3", "batch", "2", "past", "4">> to tensor<1x?x2x?x4xf32, #llm.dims<"1", "batch", "2", "past", "4">>
  %first = llm.reshape %0 : tensor<1x?x2x?x4xf32, #llm.dims<"1", "batch", "2", "past", "4">> to tensor<?x2x?x4xf32, #llm.dims<"batch", "2", "past", "4">>
  %sum = llm.binary add %last, %first : tensor<?x2x?x4xf32, #llm.dims<"batch", "2", "past", "4">>, tensor<?x2x?x4xf32, #llm.dims<"batch", "2", "past", "4">>
  %a = llm.reshape %last : tensor<?x2x?x4xf32, #llm.dims<"batch", "2", "past", "4">> to tensor<1x?x2x?x4xf32, #llm.dims<"1", "batch", "2", "past", "4">>
  %b = llm.reshape %sum : tensor<?x2x?x4xf32, #llm.dims<"batch", "2", "past", "4">> to tensor<1x?x2x?x4xf32, #llm.dims<"1", "batch", "2", "past", "4">>
  %present = llm.concat 0(%a, %b) : tensor<1x?x2x?x4xf32, #llm.dims<"1", "batch", "2", "past", "4">>, tensor<1x?x2x?x4xf32, #llm.dims<"1", "batch", "2", "past", "4">>
  return %x, %present : tensor<?x?x4xf32, #llm.dims<"batch", "seq", "4">>, tensor<2x?x2x?x4xf32, #llm.dims<"2", "batch", "2", "past", "4">>
}

// -----

// What is read at once stays one tensor.
// CHECK-LABEL: func.func @whole(
// CHECK-NOT: @whole_caches
func.func @whole(%ids: tensor<?x?xi64, #llm.dims<"batch", "seq">>,
                 %past: tensor<2x?x2x?x4xf32, #llm.dims<"2", "batch", "2", "past", "4">>)
    -> (tensor<?x?x4xf32, #llm.dims<"batch", "seq", "4">>,
        tensor<2x?x2x?x4xf32, #llm.dims<"2", "batch", "2", "past", "4">>) {
  %rows = llm.constant dense<0.5> : tensor<9x4xf32>
  %x = llm.embedding %rows, %ids : (tensor<9x4xf32>, tensor<?x?xi64, #llm.dims<"batch", "seq">>) -> tensor<?x?x4xf32, #llm.dims<"batch", "seq", "4">>
  %present = llm.unary neg %past : tensor<2x?x2x?x4xf32, #llm.dims<"2", "batch", "2", "past", "4">>
  return %x, %present : tensor<?x?x4xf32, #llm.dims<"batch", "seq", "4">>, tensor<2x?x2x?x4xf32, #llm.dims<"2", "batch", "2", "past", "4">>
}

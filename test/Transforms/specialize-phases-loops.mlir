// RUN: llmc-opt %s -llmc-specialize-phases="max-batch=4 max-seq=64" | FileCheck %s

// What a loop goes over is a sequence, although it is the first dimension; the batch stands
// behind it. A first dimension that no loop goes over is a batch.
// CHECK-LABEL: func.func @run
// CHECK-SAME: llm.symbols = [{max = 64 : i64, min = 0 : i64, name = "steps"}, {max = 4 : i64, min = 1 : i64, name = "rows"}, {max = 4 : i64, min = 1 : i64, name = "other"}]
func.func @run(%x: tensor<?x?x8xf32, #llm.dims<"steps", "rows", "8">>, %h: tensor<?x8xf32, #llm.dims<"rows", "8">>, %y: tensor<?x8xf32, #llm.dims<"other", "8">>) -> (tensor<?x8xf32, #llm.dims<"rows", "8">>, tensor<?x8xf32, #llm.dims<"other", "8">>) {
  %0 = llm.loop "i0" < "steps" (%h) captured (%x) stacks [] : (tensor<?x8xf32, #llm.dims<"rows", "8">>, tensor<?x?x8xf32, #llm.dims<"steps", "rows", "8">>) -> tensor<?x8xf32, #llm.dims<"rows", "8">> {
  ^bb0(%a: tensor<?x8xf32, #llm.dims<"rows", "8">>, %b: tensor<?x?x8xf32, #llm.dims<"steps", "rows", "8">>):
    %1 = llm.slice %b ["i0", "0", "0"] [1, 1, 1] : tensor<?x?x8xf32, #llm.dims<"steps", "rows", "8">> to tensor<1x?x8xf32, #llm.dims<"1", "rows", "8">>
    %2 = llm.reshape %1 : tensor<1x?x8xf32, #llm.dims<"1", "rows", "8">> to tensor<?x8xf32, #llm.dims<"rows", "8">>
    %3 = llm.binary add %a, %2 : tensor<?x8xf32, #llm.dims<"rows", "8">>, tensor<?x8xf32, #llm.dims<"rows", "8">>
    llm.yield %3 : tensor<?x8xf32, #llm.dims<"rows", "8">>
  }
  return %0, %y : tensor<?x8xf32, #llm.dims<"rows", "8">>, tensor<?x8xf32, #llm.dims<"other", "8">>
}

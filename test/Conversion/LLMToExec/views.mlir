// RUN: llmc-opt %s -llmc-convert-llm-to-exec -split-input-file | FileCheck %s

// Whether n * m splits into rows of 4 cannot be derived from its sizes: the product reads
// the same bytes under the shape that the reshape gives.
// CHECK-LABEL: exec.program @uncertain
// CHECK: %[[SUM:.*]] = exec.dispatch @pointwise_0
// CHECK-NEXT: %[[ROWS:.*]] = exec.view %[[SUM]]
// CHECK-NEXT: exec.dispatch @matmul_1(%[[ROWS]], %arg1)
// CHECK: exec.kernel @matmul_1
// CHECK-NOT: llm.reshape
// CHECK: exec.yield
func.func @uncertain(%x: tensor<?x?xf32, #llm.dims<"n", "m">>, %w: tensor<4x3xf32>)
    -> (tensor<?x?xf32, #llm.dims<"n", "m">>, tensor<?x3xf32, #llm.dims<"floordiv(m * n, 4)", "3">>)
    attributes {llm.phase = "run", llm.symbols = [{name = "n", min = 4 : i64, max = 8 : i64}, {name = "m", min = 4 : i64, max = 8 : i64}]} {
  %0 = llm.binary add %x, %x : tensor<?x?xf32, #llm.dims<"n", "m">>, tensor<?x?xf32, #llm.dims<"n", "m">>
  %1 = llm.reshape %0 : tensor<?x?xf32, #llm.dims<"n", "m">> to tensor<?x4xf32, #llm.dims<"floordiv(m * n, 4)", "4">>
  %2 = llm.matmul %1, %w : tensor<?x4xf32, #llm.dims<"floordiv(m * n, 4)", "4">>, tensor<4x3xf32>
  return %0, %2 : tensor<?x?xf32, #llm.dims<"n", "m">>, tensor<?x3xf32, #llm.dims<"floordiv(m * n, 4)", "3">>
}

// -----

// A running sum reads a slice where it lies; no kernel copies it.
// CHECK-LABEL: exec.program @sliced
// CHECK: %[[EXP:.*]] = exec.dispatch @pointwise_0
// CHECK-NEXT: exec.dispatch @cumulative_1(%[[EXP]])
// CHECK: exec.kernel @cumulative_1
// CHECK: llm.slice
// CHECK-NEXT: llm.cumulative
func.func @sliced(%x: tensor<4x8xf32>) -> tensor<4x3xf32> attributes {llm.phase = "run", llm.symbols = []} {
  %0 = llm.unary exp %x : tensor<4x8xf32>
  %1 = llm.slice %0 ["0", "5"] [1, 1] : tensor<4x8xf32> to tensor<4x3xf32>
  %2 = llm.cumulative sum 1 %1 : tensor<4x3xf32>
  return %2 : tensor<4x3xf32>
}

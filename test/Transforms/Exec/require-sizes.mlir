// RUN: llmc-opt %s -llmc-require-sizes | FileCheck %s

// What nothing proves, once each: a broadcast beside a constant size, a contraction, the
// number of elements behind a view. What is provable or of size 1 is no requirement.
// CHECK-LABEL: exec.program @run
// CHECK-SAME: requirements = {{\[\[}}"k", "192"], ["n", "2 * rows"]]
// CHECK-SAME: symbols
exec.kernel @add "pointwise" {
^bb0(%x: tensor<?x?xf32, #llm.dims<"rows", "k">>, %bias: tensor<192xf32>):
  %0 = llm.binary add %x, %bias : tensor<?x?xf32, #llm.dims<"rows", "k">>, tensor<192xf32>
  %1 = llm.unary relu %0 : tensor<?x192xf32, #llm.dims<"rows", "192">>
  exec.yield %1 : tensor<?x192xf32, #llm.dims<"rows", "192">>
}
exec.kernel @times "matmul" {
^bb0(%x: tensor<?x?xf32, #llm.dims<"rows", "k">>, %y: tensor<192x4xf32>):
  %0 = llm.matmul %x, %y : tensor<?x?xf32, #llm.dims<"rows", "k">>, tensor<192x4xf32>
  exec.yield %0 : tensor<?x4xf32, #llm.dims<"rows", "4">>
}
exec.program @run "run" attributes {symbols = [{name = "rows", min = 0 : i64, max = 8 : i64}, {name = "k", min = 0 : i64, max = 512 : i64}, {name = "n", min = 0 : i64, max = 512 : i64}], input_names = ["x", "y", "bias", "z"], output_names = ["a", "b", "c", "d"]} {
^bb0(%x: tensor<?x?xf32, #llm.dims<"rows", "k">>, %y: tensor<192x4xf32>, %bias: tensor<192xf32>, %z: tensor<?xf32, #llm.dims<"n">>):
  %0 = exec.dispatch @add(%x, %bias) : (tensor<?x?xf32, #llm.dims<"rows", "k">>, tensor<192xf32>) -> tensor<?x192xf32, #llm.dims<"rows", "192">>
  %1 = exec.dispatch @times(%x, %y) : (tensor<?x?xf32, #llm.dims<"rows", "k">>, tensor<192x4xf32>) -> tensor<?x4xf32, #llm.dims<"rows", "4">>
  %2 = exec.view %z : tensor<?xf32, #llm.dims<"n">> to tensor<?x2xf32, #llm.dims<"rows", "2">>
  %3 = exec.view %1 : tensor<?x4xf32, #llm.dims<"rows", "4">> to tensor<4x?xf32, #llm.dims<"4", "rows">>
  exec.return %0, %1, %2, %3 : tensor<?x192xf32, #llm.dims<"rows", "192">>, tensor<?x4xf32, #llm.dims<"rows", "4">>, tensor<?x2xf32, #llm.dims<"rows", "2">>, tensor<4x?xf32, #llm.dims<"4", "rows">>
}

// A size that data defines cannot be checked before the program runs.
// CHECK-LABEL: exec.program @data
// CHECK-NOT: requirements
// CHECK: exec.return
exec.kernel @mix "pointwise" {
^bb0(%x: tensor<?xf32, #llm.dims<"d0">>, %y: tensor<8xf32>):
  %0 = llm.binary add %x, %y : tensor<?xf32, #llm.dims<"d0">>, tensor<8xf32>
  exec.yield %0 : tensor<8xf32>
}
exec.program @data "run" attributes {symbols = [{name = "d0", min = 0 : i64, max = 8 : i64}], input_names = ["n", "y"], output_names = ["z"]} {
^bb0(%n: tensor<i64>, %y: tensor<8xf32>):
  exec.define_size "d0" <= "8" (%n) : tensor<i64>
  %0 = llm.slice %y ["0"] [1] : tensor<8xf32> to tensor<?xf32, #llm.dims<"d0">>
  %1 = exec.dispatch @mix(%0, %y) : (tensor<?xf32, #llm.dims<"d0">>, tensor<8xf32>) -> tensor<8xf32>
  exec.return %1 : tensor<8xf32>
}

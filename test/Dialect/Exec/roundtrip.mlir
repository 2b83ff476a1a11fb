// What is printed is read again as the same, also in generic form.
// RUN: llmc-opt %s > %t.once && llmc-opt %t.once | diff %t.once -
// RUN: llmc-opt %s --mlir-print-op-generic | llmc-opt | diff %t.once -
// RUN: FileCheck %s < %t.once

// CHECK: exec.weight @norm dense dense<1.000000e+00> : tensor<4xf32>
exec.weight @norm dense dense<1.0> : tensor<4xf32>
// CHECK: exec.weight @dense_matrix panels {columns = 4 : i64, outputs = 2 : i64, transposed}
exec.weight @dense_matrix panels {columns = 4 : i64, outputs = 2 : i64, transposed} dense<1.0> : tensor<2x4xf32>
// CHECK: exec.weight @int4 row_blocks {
// CHECK-SAME: offset = 64 : i64
exec.weight @int4 row_blocks {columns = 32 : i64, outputs = 2 : i64, group_size = 32 : i64, scales = dense<1.0> : tensor<2x1xf32>, offset = 64 : i64, bytes = 320 : i64} dense<1> : tensor<2x1x16xui8>
// CHECK: exec.kernel @double "pointwise"
exec.kernel @double "pointwise" {
^bb0(%x: tensor<?xf32, #llm.dims<"n">>):
  %0 = llm.binary add %x, %x : tensor<?xf32, #llm.dims<"n">>, tensor<?xf32, #llm.dims<"n">>
  exec.yield %0 : tensor<?xf32, #llm.dims<"n">>
}
// CHECK: exec.program @run "run" attributes
// CHECK-SAME: guard = {input = 0 : i64, value = true}
exec.program @run "run" attributes {symbols = [{name = "n", min = 1, max = 8}], input_names = ["x"], output_names = ["y"], guard = {input = 0 : i64, value = true}, arena_bytes = 64 : i64, lower_bound = 64 : i64} {
^bb0(%x: tensor<?xf32, #llm.dims<"n">>):
  // CHECK: exec.load_weight @norm : tensor<4xf32>
  %w = exec.load_weight @norm : tensor<4xf32>
  // CHECK: exec.dispatch @double(%{{.*}}) {offsets = array<i64: 0>}
  %0 = exec.dispatch @double(%x) {offsets = array<i64: 0>} : (tensor<?xf32, #llm.dims<"n">>) -> tensor<?xf32, #llm.dims<"n">>
  // CHECK: exec.barrier
  exec.barrier
  %1 = exec.dispatch @double(%0) {offsets = array<i64: -1>} : (tensor<?xf32, #llm.dims<"n">>) -> tensor<?xf32, #llm.dims<"n">>
  // CHECK: exec.view %{{.*}} : tensor<?xf32, #llm.dims<"n">> to tensor<1x?xf32, #llm.dims<"1", "n">>
  %2 = exec.view %1 : tensor<?xf32, #llm.dims<"n">> to tensor<1x?xf32, #llm.dims<"1", "n">>
  // CHECK: exec.return
  exec.return %2 : tensor<1x?xf32, #llm.dims<"1", "n">>
}

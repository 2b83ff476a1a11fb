// RUN: llmc-opt %s -llmc-insert-barriers -llmc-plan-arena -llmc-verify-plan -split-input-file | FileCheck %s

exec.kernel @k "pointwise" {
^bb0(%x: tensor<20xf32>):
  exec.yield %x : tensor<20xf32>
}
// Each buffer has 20 * 4 = 80 bytes, 128 in multiples of 64. A buffer is free in the
// group after its last reader's:
//   group     0  1  2  3
//   %0 -> 128 ======
//   %1 -> 0      ======
//   %2 -> 128       ======   takes %0's place
//   %3 is the output.
// Two live at once: 2 * 128 = 256 bytes, which is also the lower bound.
// CHECK-LABEL: exec.program @chain
// CHECK-SAME: arena_bytes = 256 : i64
// CHECK-SAME: lower_bound = 256 : i64
// CHECK: offsets = array<i64: 128>
// CHECK: offsets = array<i64: 0>
// CHECK: offsets = array<i64: 128>
// CHECK: offsets = array<i64: -1>
exec.program @chain "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"]} {
^bb0(%x: tensor<20xf32>):
  %0 = exec.dispatch @k(%x) : (tensor<20xf32>) -> tensor<20xf32>
  %1 = exec.dispatch @k(%0) : (tensor<20xf32>) -> tensor<20xf32>
  %2 = exec.dispatch @k(%1) : (tensor<20xf32>) -> tensor<20xf32>
  %3 = exec.dispatch @k(%2) : (tensor<20xf32>) -> tensor<20xf32>
  exec.return %3 : tensor<20xf32>
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<?x?xf16, #llm.dims<"batch", "seq">>):
  exec.yield %x : tensor<?x?xf16, #llm.dims<"batch", "seq">>
}
// At most 2 * 100 elements of 2 bytes: 400, 448 = 7 * 64 in the arena. An output is
// in its caller's memory also where it is returned through a view.
// CHECK-LABEL: exec.program @bounds
// CHECK-SAME: arena_bytes = 448 : i64
// CHECK: offsets = array<i64: 0>
// CHECK: offsets = array<i64: -1>
exec.program @bounds "run" attributes {symbols = [{name = "batch", min = 1, max = 2}, {name = "seq", min = 1, max = 100}], input_names = ["x"], output_names = ["y"]} {
^bb0(%x: tensor<?x?xf16, #llm.dims<"batch", "seq">>):
  %0 = exec.dispatch @k(%x) : (tensor<?x?xf16, #llm.dims<"batch", "seq">>) -> tensor<?x?xf16, #llm.dims<"batch", "seq">>
  %1 = exec.dispatch @k(%0) : (tensor<?x?xf16, #llm.dims<"batch", "seq">>) -> tensor<?x?xf16, #llm.dims<"batch", "seq">>
  %2 = exec.view %1 : tensor<?x?xf16, #llm.dims<"batch", "seq">> to tensor<?xf16, #llm.dims<"batch * seq">>
  exec.return %2 : tensor<?xf16, #llm.dims<"batch * seq">>
}

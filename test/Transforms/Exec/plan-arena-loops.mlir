// RUN: llmc-opt %s -llmc-insert-barriers -llmc-plan-arena -llmc-verify-plan -split-input-file | FileCheck %s

exec.kernel @k "pointwise" {
^bb0(%x: tensor<20xf32>):
  exec.yield %x : tensor<20xf32>
}
// Buffers have 80 bytes, 128 in multiples of 64. %0 is read by every iteration and %1 is
// carried: both live to the end of the loop, and the stack of 3 * 80 = 240 bytes (256)
// from its beginning, although nobody writes it in the first group.
//   group  0  1  2  3  4
//   %0     ============
//   %1     ===============   the loop's result is read in group 4
//   stack     ============
//   %3        ======         written and read in one iteration
//   %4           ======      lies in the stack
//   %6                  =    output
// In group 1: 128 + 128 + 256 + 128 = 640 bytes.
// CHECK-LABEL: exec.program @lives
// CHECK-SAME: arena_bytes = 640 : i64
// CHECK-SAME: lower_bound = 640 : i64
// CHECK: exec.loop
// CHECK: exec.dispatch @k({{.*}}) {offsets = array<i64: -1>}
// CHECK: exec.dispatch @k({{.*}}) {offsets = array<i64: -1>}
exec.program @lives "run" attributes {symbols = [], input_names = ["x"], output_names = ["y", "z"]} {
^bb0(%x: tensor<20xf32>):
  %0 = exec.dispatch @k(%x) : (tensor<20xf32>) -> tensor<20xf32>
  %1 = exec.dispatch @k(%x) : (tensor<20xf32>) -> tensor<20xf32>
  %2:2 = exec.loop "i0" < "3" (%1) stacks ["i0"] : (tensor<20xf32>) -> (tensor<20xf32>, tensor<3x20xf32>) {
  ^bb0(%a: tensor<20xf32>):
    %3 = exec.dispatch @k(%0) : (tensor<20xf32>) -> tensor<20xf32>
    %4 = exec.dispatch @k(%3) : (tensor<20xf32>) -> tensor<20xf32>
    %5 = exec.dispatch @k(%4) : (tensor<20xf32>) -> tensor<20xf32>
    exec.yield %5, %4 : tensor<20xf32>, tensor<20xf32>
  }
  %6 = exec.dispatch @k(%2#0) : (tensor<20xf32>) -> tensor<20xf32>
  %7 = exec.view %2#1 : tensor<3x20xf32> to tensor<60xf32>
  %8 = exec.dispatch @sum(%7) : (tensor<60xf32>) -> tensor<1xf32>
  exec.return %6, %8 : tensor<20xf32>, tensor<1xf32>
}
exec.kernel @sum "reduce" {
^bb0(%x: tensor<60xf32>):
  %0 = llm.reduce sum %x [0] {keepdims = true} : tensor<60xf32>
  exec.yield %0 : tensor<1xf32>
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<20xf32>):
  exec.yield %x : tensor<20xf32>
}
// Elementwise, in the last group of the body, and %0 dies with the loop: nothing may take
// its place all the same, because the next iteration reads it. Carried values and stacks that
// are outputs lie in the caller's memory.
// CHECK-LABEL: exec.program @not_in_place
// CHECK-SAME: arena_bytes = 256 : i64
// CHECK: exec.dispatch @k(%arg0) {offsets = array<i64: 0>}
// CHECK: exec.dispatch @k(%arg0) {offsets = array<i64: -1>}
// CHECK: exec.loop {{.*}} {offsets = array<i64: -1>}
// CHECK: exec.dispatch @k({{.*}}) {offsets = array<i64: 128>}
exec.program @not_in_place "run" attributes {symbols = [], input_names = ["x"], output_names = ["y", "z"]} {
^bb0(%x: tensor<20xf32>):
  %0 = exec.dispatch @k(%x) : (tensor<20xf32>) -> tensor<20xf32>
  %1 = exec.dispatch @k(%x) : (tensor<20xf32>) -> tensor<20xf32>
  %2:2 = exec.loop "i0" < "3" (%1) stacks ["i0"] : (tensor<20xf32>) -> (tensor<20xf32>, tensor<3x20xf32>) {
  ^bb0(%a: tensor<20xf32>):
    %3 = exec.dispatch @k(%0) : (tensor<20xf32>) -> tensor<20xf32>
    %4 = exec.dispatch @k(%3) : (tensor<20xf32>) -> tensor<20xf32>
    exec.yield %a, %4 : tensor<20xf32>, tensor<20xf32>
  }
  exec.return %2#0, %2#1 : tensor<20xf32>, tensor<3x20xf32>
}

// RUN: llmc-opt %s -llmc-insert-barriers -llmc-plan-arena -llmc-verify-plan -split-input-file | FileCheck %s

exec.kernel @exp "pointwise" {
^bb0(%x: tensor<16xf32>):
  %0 = llm.unary exp %x : tensor<16xf32>
  exec.yield %0 : tensor<16xf32>
}
exec.kernel @half "pointwise" {
^bb0(%x: tensor<32xf32>):
  %0 = llm.slice %x ["16"] [1] : tensor<32xf32> to tensor<16xf32>
  exec.yield %0 : tensor<16xf32>
}
exec.kernel @neg "pointwise" {
^bb0(%x: tensor<32xf32>):
  %0 = llm.unary neg %x : tensor<32xf32>
  exec.yield %0 : tensor<32xf32>
}
// The joined buffer of 128 bytes lives from its first part on; %1 lies beside it, although
// only the other part is written in its step. A part may be read before the rest is there,
// and nothing begins over a part alone: %2 lies beside it, but the result over the whole.
// CHECK-LABEL: exec.program @joined
// CHECK-SAME: arena_bytes = 192 : i64
// CHECK-SAME: lower_bound = 192 : i64
// CHECK: exec.dispatch @exp({{.*}}) {offsets = array<i64: -1>}
// CHECK: exec.barrier
// CHECK: exec.dispatch @exp({{.*}}) {offsets = array<i64: [[OTHER:[0-9]+]]>}
// CHECK: exec.barrier
// CHECK: exec.dispatch @exp({{.*}}) {offsets = array<i64: -1>}
// CHECK: exec.join 0({{.*}}) {offset = [[WHOLE:[0-9]+]] : i64}
// The join is read: a barrier.
// CHECK: exec.barrier
// CHECK: exec.dispatch @neg({{.*}}) {offsets = array<i64: [[WHOLE]]>}
// CHECK: exec.barrier
// CHECK: exec.dispatch @half({{.*}}) {offsets = array<i64: -1>}
exec.program @joined "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"]} {
^bb0(%x: tensor<16xf32>):
  %0 = exec.dispatch @exp(%x) : (tensor<16xf32>) -> tensor<16xf32>
  %1 = exec.dispatch @exp(%0) : (tensor<16xf32>) -> tensor<16xf32>
  %2 = exec.dispatch @exp(%1) : (tensor<16xf32>) -> tensor<16xf32>
  %all = exec.join 0(%0, %2) : (tensor<16xf32>, tensor<16xf32>) -> tensor<32xf32>
  %3 = exec.dispatch @neg(%all) : (tensor<32xf32>) -> tensor<32xf32>
  %4 = exec.dispatch @half(%3) : (tensor<32xf32>) -> tensor<16xf32>
  exec.return %4 : tensor<16xf32>
}

// -----

exec.kernel @exp "pointwise" {
^bb0(%x: tensor<16xf32>):
  %0 = llm.unary exp %x : tensor<16xf32>
  exec.yield %0 : tensor<16xf32>
}
// Parts of an output lie in the output.
// CHECK-LABEL: exec.program @output
// CHECK-SAME: arena_bytes = 0 : i64
// CHECK-COUNT-2: offsets = array<i64: -1>
// CHECK: offset = -1 : i64
exec.program @output "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"]} {
^bb0(%x: tensor<16xf32>):
  %0 = exec.dispatch @exp(%x) : (tensor<16xf32>) -> tensor<16xf32>
  %1 = exec.dispatch @exp(%0) : (tensor<16xf32>) -> tensor<16xf32>
  %all = exec.join 0(%0, %1) : (tensor<16xf32>, tensor<16xf32>) -> tensor<32xf32>
  %y = exec.view %all : tensor<32xf32> to tensor<2x16xf32>
  exec.return %y : tensor<2x16xf32>
}

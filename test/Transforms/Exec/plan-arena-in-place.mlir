// RUN: llmc-opt %s -llmc-insert-barriers -llmc-plan-arena -llmc-verify-plan -split-input-file | FileCheck %s

// Every buffer has 4 * 16 * 4 = 256 bytes. Each kernel reads of its first operand the
// element that it writes, or a row before it writes it: one place is enough.
exec.kernel @start "pointwise" {
^bb0(%x: tensor<4x16xf32>):
  %0 = llm.unary exp %x : tensor<4x16xf32>
  exec.yield %0 : tensor<4x16xf32>
}
exec.kernel @scale "pointwise" {
^bb0(%x: tensor<4x16xf32>, %s: tensor<16xf32>):
  %0 = llm.binary mul %x, %s : tensor<4x16xf32>, tensor<16xf32>
  exec.yield %0 : tensor<4x16xf32>
}
exec.kernel @norm "rms_norm" {
^bb0(%x: tensor<4x16xf32>, %w: tensor<16xf32>):
  %0 = llm.unary neg %x : tensor<4x16xf32>
  %1 = llm.rms_norm %0, %w {epsilon = 1.000000e-05 : f64} : tensor<4x16xf32>, tensor<16xf32>
  exec.yield %1 : tensor<4x16xf32>
}
exec.kernel @reshaped "pointwise" {
^bb0(%x: tensor<4x16xf32>):
  %0 = llm.reshape %x : tensor<4x16xf32> to tensor<1x64xf32>
  %1 = llm.unary exp %0 : tensor<1x64xf32>
  exec.yield %1 : tensor<1x64xf32>
}
exec.kernel @softmax "softmax" {
^bb0(%x: tensor<1x64xf32>):
  %0 = llm.softmax 1 %x : tensor<1x64xf32>
  exec.yield %0 : tensor<1x64xf32>
}
// CHECK-LABEL: exec.program @chain
// CHECK-SAME: arena_bytes = 256 : i64
// CHECK-SAME: lower_bound = 256 : i64
exec.program @chain "run" attributes {symbols = [], input_names = ["x", "w"], output_names = ["y"]} {
^bb0(%x: tensor<4x16xf32>, %w: tensor<16xf32>):
  %0 = exec.dispatch @start(%x) : (tensor<4x16xf32>) -> tensor<4x16xf32>
  %1 = exec.dispatch @scale(%0, %w) : (tensor<4x16xf32>, tensor<16xf32>) -> tensor<4x16xf32>
  %2 = exec.dispatch @norm(%1, %w) : (tensor<4x16xf32>, tensor<16xf32>) -> tensor<4x16xf32>
  %3 = exec.dispatch @reshaped(%2) : (tensor<4x16xf32>) -> tensor<1x64xf32>
  %4 = exec.dispatch @softmax(%3) : (tensor<1x64xf32>) -> tensor<1x64xf32>
  %5 = exec.dispatch @softmax(%4) : (tensor<1x64xf32>) -> tensor<1x64xf32>
  exec.return %5 : tensor<1x64xf32>
}

// -----

exec.weight @w panels {columns = 16 : i64, outputs = 16 : i64, offset = 0 : i64, bytes = 2048 : i64} dense<1.0> : tensor<16x16xf32>
exec.kernel @start "pointwise" {
^bb0(%x: tensor<4x16xf32>):
  %0 = llm.unary exp %x : tensor<4x16xf32>
  exec.yield %0 : tensor<4x16xf32>
}
exec.kernel @linear_add "linear" {
^bb0(%x: tensor<4x16xf32>, %w: tensor<16x16xf32>, %r: tensor<4x16xf32>):
  %0 = llm.linear %x, %w : (tensor<4x16xf32>, tensor<16x16xf32>) -> tensor<4x16xf32>
  %1 = llm.binary add %0, %r : tensor<4x16xf32>, tensor<4x16xf32>
  exec.yield %1 : tensor<4x16xf32>
}
// A chain of residuals: each sum lies over what is added, never over the matrix that
// every tile reads. Two buffers of 256 bytes are alive.
// CHECK-LABEL: exec.program @residuals
// CHECK-SAME: arena_bytes = 512 : i64
// CHECK-SAME: lower_bound = 512 : i64
// CHECK: exec.dispatch @start({{.*}}) {offsets = array<i64: [[R:[0-9]+]]>}
// CHECK: exec.dispatch @start({{.*}}) {offsets = array<i64: [[H:[0-9]+]]>}
// CHECK: exec.dispatch @linear_add({{.*}}) {offsets = array<i64: [[R]]>}
// CHECK: exec.dispatch @start({{.*}}) {offsets = array<i64: [[H]]>}
// CHECK: exec.dispatch @linear_add({{.*}}) {offsets = array<i64: [[R]]>}
exec.program @residuals "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"]} {
^bb0(%x: tensor<4x16xf32>):
  %w = exec.load_weight @w : tensor<16x16xf32>
  %r0 = exec.dispatch @start(%x) : (tensor<4x16xf32>) -> tensor<4x16xf32>
  %h0 = exec.dispatch @start(%r0) : (tensor<4x16xf32>) -> tensor<4x16xf32>
  %r1 = exec.dispatch @linear_add(%h0, %w, %r0) : (tensor<4x16xf32>, tensor<16x16xf32>, tensor<4x16xf32>) -> tensor<4x16xf32>
  %h1 = exec.dispatch @start(%r1) : (tensor<4x16xf32>) -> tensor<4x16xf32>
  %r2 = exec.dispatch @linear_add(%h1, %w, %r1) : (tensor<4x16xf32>, tensor<16x16xf32>, tensor<4x16xf32>) -> tensor<4x16xf32>
  %y = exec.dispatch @start(%r2) : (tensor<4x16xf32>) -> tensor<4x16xf32>
  exec.return %y : tensor<4x16xf32>
}

// -----

// What a kernel reads elsewhere, or under another size of element, keeps its place: two
// buffers of 16 * 16 * 4 = 1024 bytes each time.
exec.kernel @start "pointwise" {
^bb0(%x: tensor<16x16xf32>):
  %0 = llm.unary exp %x : tensor<16x16xf32>
  exec.yield %0 : tensor<16x16xf32>
}
exec.kernel @transposed "pointwise" {
^bb0(%x: tensor<16x16xf32>):
  %0 = llm.transpose %x [1, 0] : tensor<16x16xf32>
  %1 = llm.binary add %x, %0 : tensor<16x16xf32>, tensor<16x16xf32>
  exec.yield %1 : tensor<16x16xf32>
}
exec.kernel @sum "reduce" {
^bb0(%x: tensor<16x16xf32>):
  %0 = llm.reduce sum %x [1] {keepdims = true} : tensor<16x16xf32>
  %1 = llm.binary sub %x, %0 : tensor<16x16xf32>, tensor<16x1xf32>
  exec.yield %1 : tensor<16x16xf32>
}
exec.kernel @matmul "matmul" {
^bb0(%x: tensor<16x16xf32>, %y: tensor<16x16xf32>):
  %0 = llm.matmul %x, %x : tensor<16x16xf32>, tensor<16x16xf32>
  %1 = llm.binary add %0, %y : tensor<16x16xf32>, tensor<16x16xf32>
  exec.yield %1 : tensor<16x16xf32>
}
// CHECK-LABEL: exec.program @elsewhere
// CHECK-SAME: arena_bytes = 2048 : i64
exec.program @elsewhere "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"]} {
^bb0(%x: tensor<16x16xf32>):
  %0 = exec.dispatch @start(%x) : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %1 = exec.dispatch @transposed(%0) : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %2 = exec.dispatch @start(%1) : (tensor<16x16xf32>) -> tensor<16x16xf32>
  exec.return %2 : tensor<16x16xf32>
}
// CHECK-LABEL: exec.program @reduced
// CHECK-SAME: arena_bytes = 2048 : i64
exec.program @reduced "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"]} {
^bb0(%x: tensor<16x16xf32>):
  %0 = exec.dispatch @start(%x) : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %1 = exec.dispatch @sum(%0) : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %2 = exec.dispatch @start(%1) : (tensor<16x16xf32>) -> tensor<16x16xf32>
  exec.return %2 : tensor<16x16xf32>
}
// A product is left where the result goes before anything is added to it.
// CHECK-LABEL: exec.program @product
// CHECK-SAME: arena_bytes = 2048 : i64
exec.program @product "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"]} {
^bb0(%x: tensor<16x16xf32>):
  %0 = exec.dispatch @start(%x) : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %1 = exec.dispatch @matmul(%x, %0) : (tensor<16x16xf32>, tensor<16x16xf32>) -> tensor<16x16xf32>
  %2 = exec.dispatch @start(%1) : (tensor<16x16xf32>) -> tensor<16x16xf32>
  exec.return %2 : tensor<16x16xf32>
}
// Two dispatches of one group read %0: neither may overwrite it. Three buffers.
// CHECK-LABEL: exec.program @shared
// CHECK-SAME: arena_bytes = 3072 : i64
exec.program @shared "run" attributes {symbols = [], input_names = ["x"], output_names = ["y", "z"]} {
^bb0(%x: tensor<16x16xf32>):
  %0 = exec.dispatch @start(%x) : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %1 = exec.dispatch @start(%0) : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %2 = exec.dispatch @start(%0) : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %3 = exec.dispatch @start(%1) : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %4 = exec.dispatch @start(%2) : (tensor<16x16xf32>) -> tensor<16x16xf32>
  exec.return %3, %4 : tensor<16x16xf32>, tensor<16x16xf32>
}

// -----

exec.kernel @count "pointwise" {
^bb0(%x: tensor<i64>):
  %0 = llm.unary neg %x : tensor<i64>
  exec.yield %0 : tensor<i64>
}
// A late worker reads the size: its 64 bytes are not overwritten, though it dies.
// CHECK-LABEL: exec.program @size
// CHECK-SAME: arena_bytes = 128 : i64
exec.program @size "run" attributes {symbols = [{name = "k0", min = 0 : i64, max = 8 : i64}], input_names = ["n"], output_names = ["y"]} {
^bb0(%n: tensor<i64>):
  %0 = exec.dispatch @count(%n) : (tensor<i64>) -> tensor<i64>
  exec.define_size "k0" <= "8" (%0) : tensor<i64>
  %1 = exec.dispatch @count(%0) : (tensor<i64>) -> tensor<i64>
  %2 = exec.dispatch @count(%1) : (tensor<i64>) -> tensor<i64>
  exec.return %2 : tensor<i64>
}

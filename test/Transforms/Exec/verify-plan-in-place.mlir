// RUN: llmc-opt %s -llmc-verify-plan -split-input-file -verify-diagnostics

// Written over an operand that dies: nothing is wrong.
exec.kernel @k "pointwise" {
^bb0(%x: tensor<4xf32>):
  %0 = llm.unary exp %x : tensor<4xf32>
  exec.yield %0 : tensor<4xf32>
}
exec.program @fine "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"], arena_bytes = 64 : i64, lower_bound = 64 : i64} {
^bb0(%x: tensor<4xf32>):
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.barrier
  %1 = exec.dispatch @k(%0) {offsets = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.barrier
  %2 = exec.dispatch @k(%1) {offsets = array<i64: -1>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.return %2 : tensor<4xf32>
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<4xf32>):
  %0 = llm.unary exp %x : tensor<4xf32>
  exec.yield %0 : tensor<4xf32>
}
exec.program @read_later "run" attributes {symbols = [], input_names = ["x"], output_names = ["y", "z"], arena_bytes = 64 : i64, lower_bound = 64 : i64} {
^bb0(%x: tensor<4xf32>):
  // expected-note@+1 {{which is written here; it is no operand that dies there}}
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.barrier
  // expected-error@+1 {{buffer overlaps one that is in use}}
  %1 = exec.dispatch @k(%0) {offsets = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.barrier
  %2 = exec.dispatch @k(%1) {offsets = array<i64: -1>} : (tensor<4xf32>) -> tensor<4xf32>
  %3 = exec.dispatch @k(%0) {offsets = array<i64: -1>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.return %2, %3 : tensor<4xf32>, tensor<4xf32>
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<4xf32>):
  %0 = llm.unary exp %x : tensor<4xf32>
  exec.yield %0 : tensor<4xf32>
}
exec.program @no_operand "run" attributes {symbols = [], input_names = ["x"], output_names = ["y", "z"], arena_bytes = 64 : i64, lower_bound = 64 : i64} {
^bb0(%x: tensor<4xf32>):
  // expected-note@+1 {{which is written here; it is no operand that dies there}}
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.barrier
  %1 = exec.dispatch @k(%0) {offsets = array<i64: -1>} : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error@+1 {{buffer overlaps one that is in use}}
  %2 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.barrier
  %3 = exec.dispatch @k(%2) {offsets = array<i64: -1>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.return %1, %3 : tensor<4xf32>, tensor<4xf32>
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<4xf32>):
  %0 = llm.unary exp %x : tensor<4xf32>
  exec.yield %0 : tensor<4xf32>
}
exec.program @two_readers "run" attributes {symbols = [], input_names = ["x"], output_names = ["y", "z"], arena_bytes = 64 : i64, lower_bound = 64 : i64} {
^bb0(%x: tensor<4xf32>):
  // expected-note@+1 {{which is written here; another dispatch of the same group reads it}}
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.barrier
  %1 = exec.dispatch @k(%0) {offsets = array<i64: -1>} : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error@+1 {{buffer overlaps one that is in use}}
  %2 = exec.dispatch @k(%0) {offsets = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.barrier
  %3 = exec.dispatch @k(%2) {offsets = array<i64: -1>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.return %1, %3 : tensor<4xf32>, tensor<4xf32>
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<32xf32>):
  %0 = llm.unary exp %x : tensor<32xf32>
  exec.yield %0 : tensor<32xf32>
}
exec.program @shifted "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"], arena_bytes = 192 : i64, lower_bound = 128 : i64} {
^bb0(%x: tensor<32xf32>):
  // expected-note@+1 {{which is written here; the two begin at different places}}
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<32xf32>) -> tensor<32xf32>
  exec.barrier
  // expected-error@+1 {{buffer overlaps one that is in use}}
  %1 = exec.dispatch @k(%0) {offsets = array<i64: 64>} : (tensor<32xf32>) -> tensor<32xf32>
  exec.barrier
  %2 = exec.dispatch @k(%1) {offsets = array<i64: -1>} : (tensor<32xf32>) -> tensor<32xf32>
  exec.return %2 : tensor<32xf32>
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<4x4xf32>):
  %0 = llm.transpose %x [1, 0] : tensor<4x4xf32>
  exec.yield %0 : tensor<4x4xf32>
}
exec.program @elsewhere "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"], arena_bytes = 64 : i64, lower_bound = 64 : i64} {
^bb0(%x: tensor<4x4xf32>):
  // expected-note@+1 {{which is written here; the kernel reads other elements of it than the one it writes}}
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  exec.barrier
  // expected-error@+1 {{buffer overlaps one that is in use}}
  %1 = exec.dispatch @k(%0) {offsets = array<i64: 0>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  exec.barrier
  %2 = exec.dispatch @k(%1) {offsets = array<i64: -1>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  exec.return %2 : tensor<4x4xf32>
}

// -----

// The same bytes through a view that the kernel reads transposed.
exec.kernel @start "pointwise" {
^bb0(%x: tensor<4x4xf32>):
  %0 = llm.unary exp %x : tensor<4x4xf32>
  exec.yield %0 : tensor<4x4xf32>
}
exec.kernel @k "pointwise" {
^bb0(%x: tensor<4x4xf32>, %y: tensor<4x4xf32>):
  %0 = llm.transpose %y [1, 0] : tensor<4x4xf32>
  %1 = llm.binary add %x, %0 : tensor<4x4xf32>, tensor<4x4xf32>
  exec.yield %1 : tensor<4x4xf32>
}
exec.program @view "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"], arena_bytes = 64 : i64, lower_bound = 64 : i64} {
^bb0(%x: tensor<4x4xf32>):
  // expected-note@+1 {{which is written here; the kernel reads other elements of it than the one it writes}}
  %0 = exec.dispatch @start(%x) {offsets = array<i64: 0>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  exec.barrier
  %1 = exec.view %0 : tensor<4x4xf32> to tensor<4x4xf32>
  // expected-error@+1 {{buffer overlaps one that is in use}}
  %2 = exec.dispatch @k(%0, %1) {offsets = array<i64: 0>} : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  exec.barrier
  %3 = exec.dispatch @start(%2) {offsets = array<i64: -1>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  exec.return %3 : tensor<4x4xf32>
}

// -----

exec.kernel @count "pointwise" {
^bb0(%x: tensor<i64>):
  %0 = llm.unary neg %x : tensor<i64>
  exec.yield %0 : tensor<i64>
}
exec.program @size "run" attributes {symbols = [{name = "k0", min = 0 : i64, max = 8 : i64}], input_names = ["n"], output_names = [], arena_bytes = 64 : i64, lower_bound = 64 : i64} {
^bb0(%n: tensor<i64>):
  // expected-note@+1 {{which is written here; a size is read from it until the end}}
  %0 = exec.dispatch @count(%n) {offsets = array<i64: 0>} : (tensor<i64>) -> tensor<i64>
  exec.barrier
  exec.define_size "k0" <= "8" (%0) : tensor<i64>
  // expected-error@+1 {{buffer overlaps one that is in use}}
  %1 = exec.dispatch @count(%0) {offsets = array<i64: 0>} : (tensor<i64>) -> tensor<i64>
  exec.return
}

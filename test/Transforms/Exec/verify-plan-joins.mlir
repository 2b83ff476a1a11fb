// RUN: llmc-opt %s -llmc-verify-plan -split-input-file -verify-diagnostics

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
exec.program @early "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"], arena_bytes = 128 : i64, lower_bound = 128 : i64} {
^bb0(%x: tensor<16xf32>):
  %0 = exec.dispatch @exp(%x) {offsets = array<i64: -1>} : (tensor<16xf32>) -> tensor<16xf32>
  exec.barrier
  // expected-note@+1 {{the buffer is written here}}
  %1 = exec.dispatch @exp(%x) {offsets = array<i64: -1>} : (tensor<16xf32>) -> tensor<16xf32>
  %2 = exec.join 0(%0, %1) {offset = 0 : i64} : (tensor<16xf32>, tensor<16xf32>) -> tensor<32xf32>
  // expected-error@+1 {{reads a buffer written since the last barrier}}
  %3 = exec.dispatch @half(%2) {offsets = array<i64: -1>} : (tensor<32xf32>) -> tensor<16xf32>
  exec.return %3 : tensor<16xf32>
}

// -----

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
// The first part is there already.
exec.program @overlap "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"], arena_bytes = 128 : i64, lower_bound = 128 : i64} {
^bb0(%x: tensor<16xf32>):
  %0 = exec.dispatch @exp(%x) {offsets = array<i64: -1>} : (tensor<16xf32>) -> tensor<16xf32>
  exec.barrier
  // expected-error@+1 {{buffer overlaps one that is in use}}
  %1 = exec.dispatch @exp(%x) {offsets = array<i64: 0>} : (tensor<16xf32>) -> tensor<16xf32>
  exec.barrier
  %2 = exec.dispatch @exp(%1) {offsets = array<i64: -1>} : (tensor<16xf32>) -> tensor<16xf32>
  // expected-note@+1 {{which is written here; it is no operand that dies there}}
  %3 = exec.join 0(%0, %2) {offset = 0 : i64} : (tensor<16xf32>, tensor<16xf32>) -> tensor<32xf32>
  exec.barrier
  %4 = exec.dispatch @half(%3) {offsets = array<i64: -1>} : (tensor<32xf32>) -> tensor<16xf32>
  exec.return %4 : tensor<16xf32>
}

// -----

exec.kernel @exp "pointwise" {
^bb0(%x: tensor<16xf32>):
  %0 = llm.unary exp %x : tensor<16xf32>
  exec.yield %0 : tensor<16xf32>
}
exec.program @own "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"], arena_bytes = 128 : i64, lower_bound = 128 : i64} {
^bb0(%x: tensor<16xf32>):
  // expected-error@+1 {{part of a larger buffer has a place of its own}}
  %0 = exec.dispatch @exp(%x) {offsets = array<i64: 0>} : (tensor<16xf32>) -> tensor<16xf32>
  %1 = exec.dispatch @exp(%x) {offsets = array<i64: -1>} : (tensor<16xf32>) -> tensor<16xf32>
  %2 = exec.join 0(%0, %1) {offset = -1 : i64} : (tensor<16xf32>, tensor<16xf32>) -> tensor<32xf32>
  exec.return %2 : tensor<32xf32>
}

// -----

exec.kernel @exp "pointwise" {
^bb0(%x: tensor<16xf32>):
  %0 = llm.unary exp %x : tensor<16xf32>
  exec.yield %0 : tensor<16xf32>
}
exec.program @placed "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"], arena_bytes = 128 : i64, lower_bound = 128 : i64} {
^bb0(%x: tensor<16xf32>):
  %0 = exec.dispatch @exp(%x) {offsets = array<i64: -1>} : (tensor<16xf32>) -> tensor<16xf32>
  %1 = exec.dispatch @exp(%x) {offsets = array<i64: -1>} : (tensor<16xf32>) -> tensor<16xf32>
  // expected-error@+1 {{output has a place in the arena}}
  %2 = exec.join 0(%0, %1) {offset = 0 : i64} : (tensor<16xf32>, tensor<16xf32>) -> tensor<32xf32>
  exec.return %2 : tensor<32xf32>
}

// -----

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
exec.program @nowhere "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"], arena_bytes = 128 : i64, lower_bound = 128 : i64} {
^bb0(%x: tensor<16xf32>):
  %0 = exec.dispatch @exp(%x) {offsets = array<i64: -1>} : (tensor<16xf32>) -> tensor<16xf32>
  %1 = exec.dispatch @exp(%x) {offsets = array<i64: -1>} : (tensor<16xf32>) -> tensor<16xf32>
  // expected-error@+1 {{joined or stacked buffer has no place in the arena}}
  %2 = exec.join 0(%0, %1) : (tensor<16xf32>, tensor<16xf32>) -> tensor<32xf32>
  exec.barrier
  %3 = exec.dispatch @half(%2) {offsets = array<i64: -1>} : (tensor<32xf32>) -> tensor<16xf32>
  exec.return %3 : tensor<16xf32>
}

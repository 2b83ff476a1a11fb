// RUN: llmc-opt %s -llmc-verify-plan -split-input-file -verify-diagnostics

// Nothing is unfinished where iterations begin.
exec.kernel @k "pointwise" {
^bb0(%x: tensor<16xf32>):
  exec.yield %x : tensor<16xf32>
}
exec.program @before "run" attributes {symbols = [], input_names = ["x"], output_names = [], arena_bytes = 512 : i64, lower_bound = 0 : i64} {
^bb0(%x: tensor<16xf32>):
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<16xf32>) -> tensor<16xf32>
  // expected-error@+1 {{no barrier stands before the loop}}
  %9 = exec.loop "i0" < "3" (%0) stacks [] {offsets = array<i64>} : (tensor<16xf32>) -> tensor<16xf32> {
  ^bb0(%a: tensor<16xf32>):
    %2 = exec.dispatch @k(%x) {offsets = array<i64: 64>} : (tensor<16xf32>) -> tensor<16xf32>
    exec.barrier
    %3 = exec.dispatch @k(%2) {offsets = array<i64: -1>} : (tensor<16xf32>) -> tensor<16xf32>
    exec.barrier
    exec.yield %3 : tensor<16xf32>
  }
  exec.return
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<16xf32>):
  exec.yield %x : tensor<16xf32>
}
exec.program @behind "run" attributes {symbols = [], input_names = ["x"], output_names = [], arena_bytes = 512 : i64, lower_bound = 0 : i64} {
^bb0(%x: tensor<16xf32>):
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<16xf32>) -> tensor<16xf32>
  exec.barrier
  // expected-error@+1 {{no barrier stands at the end of the loop's body}}
  %9 = exec.loop "i0" < "3" (%0) stacks [] {offsets = array<i64>} : (tensor<16xf32>) -> tensor<16xf32> {
  ^bb0(%a: tensor<16xf32>):
    %2 = exec.dispatch @k(%x) {offsets = array<i64: 64>} : (tensor<16xf32>) -> tensor<16xf32>
    exec.barrier
    %3 = exec.dispatch @k(%2) {offsets = array<i64: -1>} : (tensor<16xf32>) -> tensor<16xf32>
    exec.yield %3 : tensor<16xf32>
  }
  exec.return
}

// -----

// Two dispatches at the same time, one over what the other reads.
exec.kernel @k "pointwise" {
^bb0(%x: tensor<16xf32>):
  exec.yield %x : tensor<16xf32>
}
exec.program @race "run" attributes {symbols = [], input_names = ["x"], output_names = [], arena_bytes = 512 : i64, lower_bound = 0 : i64} {
^bb0(%x: tensor<16xf32>):
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<16xf32>) -> tensor<16xf32>
  exec.barrier
  %9 = exec.loop "i0" < "3" (%0) stacks [] {offsets = array<i64>} : (tensor<16xf32>) -> tensor<16xf32> {
  ^bb0(%a: tensor<16xf32>):
    %2 = exec.dispatch @k(%a) {offsets = array<i64: 64>} : (tensor<16xf32>) -> tensor<16xf32>
    // expected-error@+1 {{overwrites a state or carried value read since the last barrier}}
    %3 = exec.dispatch @k(%x) {offsets = array<i64: -1>} : (tensor<16xf32>) -> tensor<16xf32>
    exec.barrier
    exec.yield %3 : tensor<16xf32>
  }
  exec.return
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<16xf32>):
  exec.yield %x : tensor<16xf32>
}
exec.program @late "run" attributes {symbols = [], input_names = ["x"], output_names = [], arena_bytes = 512 : i64, lower_bound = 0 : i64} {
^bb0(%x: tensor<16xf32>):
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<16xf32>) -> tensor<16xf32>
  exec.barrier
  %9 = exec.loop "i0" < "3" (%0) stacks [] {offsets = array<i64>} : (tensor<16xf32>) -> tensor<16xf32> {
  ^bb0(%a: tensor<16xf32>):
    %3 = exec.dispatch @k(%x) {offsets = array<i64: -1>} : (tensor<16xf32>) -> tensor<16xf32>
    exec.barrier
    // expected-error@+1 {{reads a state or carried value that is overwritten already}}
    %2 = exec.dispatch @k(%a) {offsets = array<i64: 64>} : (tensor<16xf32>) -> tensor<16xf32>
    exec.barrier
    exec.yield %3 : tensor<16xf32>
  }
  exec.return
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<16xf32>):
  exec.yield %x : tensor<16xf32>
}
exec.program @at_once "run" attributes {symbols = [], input_names = ["x"], output_names = [], arena_bytes = 512 : i64, lower_bound = 0 : i64} {
^bb0(%x: tensor<16xf32>):
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<16xf32>) -> tensor<16xf32>
  exec.barrier
  %9 = exec.loop "i0" < "3" (%0) stacks [] {offsets = array<i64>} : (tensor<16xf32>) -> tensor<16xf32> {
  ^bb0(%a: tensor<16xf32>):
    // expected-error@+1 {{reads a carried value while it overwrites it}}
    %3 = exec.dispatch @k(%a) {offsets = array<i64: -1>} : (tensor<16xf32>) -> tensor<16xf32>
    exec.barrier
    exec.yield %3 : tensor<16xf32>
  }
  exec.return
}

// -----

// Read in the first group of the body, and again by the next iteration: its place is not free
// in the second one.
exec.kernel @k "pointwise" {
^bb0(%x: tensor<16xf32>):
  exec.yield %x : tensor<16xf32>
}
exec.program @again "run" attributes {symbols = [], input_names = ["x"], output_names = [], arena_bytes = 512 : i64, lower_bound = 0 : i64} {
^bb0(%x: tensor<16xf32>):
  // expected-note@+1 {{which is written here; it is no operand that dies there}}
  %5 = exec.dispatch @k(%x) {offsets = array<i64: 64>} : (tensor<16xf32>) -> tensor<16xf32>
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<16xf32>) -> tensor<16xf32>
  exec.barrier
  %9 = exec.loop "i0" < "3" (%0) stacks [] {offsets = array<i64>} : (tensor<16xf32>) -> tensor<16xf32> {
  ^bb0(%a: tensor<16xf32>):
    %2 = exec.dispatch @k(%5) {offsets = array<i64: 128>} : (tensor<16xf32>) -> tensor<16xf32>
    exec.barrier
    // expected-error@+1 {{buffer overlaps one that is in use}}
    %6 = exec.dispatch @k(%x) {offsets = array<i64: 64>} : (tensor<16xf32>) -> tensor<16xf32>
    exec.barrier
    %3 = exec.dispatch @k(%2) {offsets = array<i64: -1>} : (tensor<16xf32>) -> tensor<16xf32>
    exec.barrier
    exec.yield %3 : tensor<16xf32>
  }
  exec.return
}

// -----

// A stack is there from the beginning of the loop on.
exec.kernel @k "pointwise" {
^bb0(%x: tensor<16xf32>):
  exec.yield %x : tensor<16xf32>
}
exec.program @stack "run" attributes {symbols = [], input_names = ["x"], output_names = [], arena_bytes = 512 : i64, lower_bound = 0 : i64} {
^bb0(%x: tensor<16xf32>):
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<16xf32>) -> tensor<16xf32>
  exec.barrier
  // expected-note@+1 {{which is written here; it is no operand that dies there}}
  %9:2 = exec.loop "i0" < "3" (%0) stacks ["i0"] {offsets = array<i64: 64>} : (tensor<16xf32>) -> (tensor<16xf32>, tensor<3x16xf32>) {
  ^bb0(%a: tensor<16xf32>):
    // expected-error@+1 {{buffer overlaps one that is in use}}
    %2 = exec.dispatch @k(%x) {offsets = array<i64: 64>} : (tensor<16xf32>) -> tensor<16xf32>
    exec.barrier
    %3 = exec.dispatch @k(%2) {offsets = array<i64: -1>} : (tensor<16xf32>) -> tensor<16xf32>
    exec.barrier
    exec.yield %a, %3 : tensor<16xf32>, tensor<16xf32>
  }
  exec.return
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<16xf32>):
  exec.yield %x : tensor<16xf32>
}
exec.program @no_place "run" attributes {symbols = [], input_names = ["x"], output_names = [], arena_bytes = 512 : i64, lower_bound = 0 : i64} {
^bb0(%x: tensor<16xf32>):
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<16xf32>) -> tensor<16xf32>
  exec.barrier
  // expected-error@+1 {{joined or stacked buffer has no place in the arena}}
  %9:2 = exec.loop "i0" < "3" (%0) stacks ["i0"] {offsets = array<i64: -1>} : (tensor<16xf32>) -> (tensor<16xf32>, tensor<3x16xf32>) {
  ^bb0(%a: tensor<16xf32>):
    %3 = exec.dispatch @k(%x) {offsets = array<i64: -1>} : (tensor<16xf32>) -> tensor<16xf32>
    exec.barrier
    exec.yield %a, %3 : tensor<16xf32>, tensor<16xf32>
  }
  exec.return
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<16xf32>):
  exec.yield %x : tensor<16xf32>
}
exec.program @own_place "run" attributes {symbols = [], input_names = ["x"], output_names = [], arena_bytes = 512 : i64, lower_bound = 0 : i64} {
^bb0(%x: tensor<16xf32>):
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<16xf32>) -> tensor<16xf32>
  exec.barrier
  %9 = exec.loop "i0" < "3" (%0) stacks [] {offsets = array<i64>} : (tensor<16xf32>) -> tensor<16xf32> {
  ^bb0(%a: tensor<16xf32>):
    // expected-error@+1 {{part of a larger buffer has a place of its own}}
    %3 = exec.dispatch @k(%x) {offsets = array<i64: 64>} : (tensor<16xf32>) -> tensor<16xf32>
    exec.barrier
    exec.yield %3 : tensor<16xf32>
  }
  exec.return
}

// RUN: llmc-opt %s -llmc-verify-plan -split-input-file -verify-diagnostics

// expected-error@+1 {{weight has no offset}}
exec.weight @w dense dense<1.0> : tensor<4xf32>

// -----

// expected-error@+1 {{weight's offset 16 is no multiple of 64}}
exec.weight @w dense {offset = 16 : i64, bytes = 16 : i64} dense<1.0> : tensor<4xf32>

// -----

exec.weight @a dense {offset = 0 : i64, bytes = 80 : i64} dense<1.0> : tensor<20xf32>
// expected-error@+1 {{weight at 64 overlaps one that ends at 80}}
exec.weight @b dense {offset = 64 : i64, bytes = 16 : i64} dense<1.0> : tensor<4xf32>

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
exec.program @race "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"], arena_bytes = 64 : i64, lower_bound = 64 : i64} {
^bb0(%x: tensor<4xf32>):
  // expected-note@+1 {{the buffer is written here}}
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %1 = exec.view %0 : tensor<4xf32> to tensor<4xf32>
  // expected-error@+1 {{reads a buffer written since the last barrier}}
  %2 = exec.dispatch @k(%1) {offsets = array<i64: -1>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.return %2 : tensor<4xf32>
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
exec.program @overlap "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"], arena_bytes = 64 : i64, lower_bound = 64 : i64} {
^bb0(%x: tensor<4xf32>):
  // expected-note@+1 {{which is written here}}
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.barrier
  // %0 is read in this group, so its bytes are not free yet.
  // expected-error@+1 {{buffer overlaps one that is in use}}
  %1 = exec.dispatch @k(%0) {offsets = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.barrier
  %2 = exec.dispatch @k(%1) {offsets = array<i64: -1>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.return %2 : tensor<4xf32>
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<?xf32, #llm.dims<"n">>):
  exec.yield %x : tensor<?xf32, #llm.dims<"n">>
}
exec.program @outside "run" attributes {symbols = [{name = "n", min = 1, max = 32}], input_names = ["x"], output_names = ["y"], arena_bytes = 64 : i64, lower_bound = 64 : i64} {
^bb0(%x: tensor<?xf32, #llm.dims<"n">>):
  // Up to 32 elements of 4 bytes.
  // expected-error@+1 {{buffer of 128 bytes at 0 ends outside the arena of 64}}
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<?xf32, #llm.dims<"n">>) -> tensor<?xf32, #llm.dims<"n">>
  exec.barrier
  %1 = exec.dispatch @k(%0) {offsets = array<i64: -1>} : (tensor<?xf32, #llm.dims<"n">>) -> tensor<?xf32, #llm.dims<"n">>
  exec.return %1 : tensor<?xf32, #llm.dims<"n">>
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
exec.program @output "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"], arena_bytes = 64 : i64, lower_bound = 64 : i64} {
^bb0(%x: tensor<4xf32>):
  // expected-error@+1 {{output or state has a place in the arena}}
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.return %0 : tensor<4xf32>
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
exec.program @no_place "run" attributes {symbols = [], input_names = ["x"], output_names = [], arena_bytes = 64 : i64, lower_bound = 64 : i64} {
^bb0(%x: tensor<4xf32>):
  // expected-error@+1 {{buffer has no place in the arena}}
  %0 = exec.dispatch @k(%x) {offsets = array<i64: -1>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.return
}

// -----

exec.kernel @load "pointwise" {
^bb0(%s: !llm.state<tensor<4xf32>, fixed = true>):
  %0 = llm.state_load %s : !llm.state<tensor<4xf32>, fixed = true> to tensor<1x4xf32>
  exec.yield %0 : tensor<1x4xf32>
}
exec.kernel @store "state_store" {
^bb0(%s: !llm.state<tensor<4xf32>, fixed = true>, %x: tensor<1x4xf32>):
  %0 = llm.state_store %s, %x : !llm.state<tensor<4xf32>, fixed = true>, tensor<1x4xf32>
  exec.yield %0 : !llm.state<tensor<4xf32>, fixed = true>
}
exec.program @race "decode" attributes {symbols = [], input_names = ["s", "x"], output_names = ["y", "s"], arena_bytes = 0 : i64, lower_bound = 0 : i64} {
^bb0(%s: !llm.state<tensor<4xf32>, fixed = true>, %x: tensor<1x4xf32>):
  %0 = exec.dispatch @load(%s) {offsets = array<i64: -1>} : (!llm.state<tensor<4xf32>, fixed = true>) -> tensor<1x4xf32>
  // expected-error@+1 {{overwrites a state or carried value read since the last barrier}}
  %1 = exec.dispatch @store(%s, %x) {offsets = array<i64: -1>} : (!llm.state<tensor<4xf32>, fixed = true>, tensor<1x4xf32>) -> !llm.state<tensor<4xf32>, fixed = true>
  exec.return %0, %1 : tensor<1x4xf32>, !llm.state<tensor<4xf32>, fixed = true>
}

// -----

exec.kernel @load "pointwise" {
^bb0(%s: !llm.state<tensor<4xf32>, fixed = true>):
  %0 = llm.state_load %s : !llm.state<tensor<4xf32>, fixed = true> to tensor<1x4xf32>
  exec.yield %0 : tensor<1x4xf32>
}
exec.kernel @store "state_store" {
^bb0(%s: !llm.state<tensor<4xf32>, fixed = true>, %x: tensor<1x4xf32>):
  %0 = llm.state_store %s, %x : !llm.state<tensor<4xf32>, fixed = true>, tensor<1x4xf32>
  exec.yield %0 : !llm.state<tensor<4xf32>, fixed = true>
}
exec.program @late "decode" attributes {symbols = [], input_names = ["s", "x"], output_names = ["y", "s"], arena_bytes = 0 : i64, lower_bound = 0 : i64} {
^bb0(%s: !llm.state<tensor<4xf32>, fixed = true>, %x: tensor<1x4xf32>):
  %0 = exec.dispatch @store(%s, %x) {offsets = array<i64: -1>} : (!llm.state<tensor<4xf32>, fixed = true>, tensor<1x4xf32>) -> !llm.state<tensor<4xf32>, fixed = true>
  exec.barrier
  // expected-error@+1 {{reads a state or carried value that is overwritten already}}
  %1 = exec.dispatch @load(%s) {offsets = array<i64: -1>} : (!llm.state<tensor<4xf32>, fixed = true>) -> tensor<1x4xf32>
  exec.return %1, %0 : tensor<1x4xf32>, !llm.state<tensor<4xf32>, fixed = true>
}

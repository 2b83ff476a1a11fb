// RUN: llmc-opt %s -split-input-file -verify-diagnostics

// expected-error@+1 {{C1: panels needs columns and outputs}}
exec.weight @w panels dense<1.0> : tensor<4x4xf32>

// -----

// expected-error@+1 {{C1: dense has columns or outputs}}
exec.weight @w dense {columns = 4 : i64} dense<1.0> : tensor<4x4xf32>

// -----

// expected-error@+1 {{C2: expected a matrix of 4 x 8, or several, found 'tensor<8x4xf32>'}}
exec.weight @w panels {columns = 4 : i64, outputs = 8 : i64} dense<1.0> : tensor<8x4xf32>

// -----

// expected-error@+1 {{C3: row_blocks needs group_size and scales}}
exec.weight @w row_blocks {columns = 32 : i64, outputs = 16 : i64} dense<1> : tensor<16x1x16xui8>

// -----

// expected-error@+1 {{C3: dense has group_size, scales or zero_points}}
exec.weight @w dense {group_size = 32 : i64} dense<1.0> : tensor<4xf32>

// -----

// expected-error@+1 {{C4: offset and bytes come together}}
exec.weight @w dense {offset = 0 : i64} dense<1.0> : tensor<4xf32>

// -----

// expected-error@+1 {{C1: expected exec.yield at the end}}
exec.kernel @k "pointwise" {
^bb0(%x: tensor<4xf32>):
  llm.yield %x : tensor<4xf32>
}

// -----

// expected-error@+1 {{C1: expected exec.return at the end}}
exec.program @p "run" attributes {symbols = [], input_names = [], output_names = []} {
^bb0:
  llm.yield
}

// -----

// expected-error@+1 {{C2: expected a name for each of 1 inputs}}
exec.program @p "run" attributes {symbols = [], input_names = [], output_names = []} {
^bb0(%x: tensor<4xf32>):
  exec.return
}

// -----

// expected-error@+1 {{C3: expected a name for each of 1 outputs}}
exec.program @p "run" attributes {symbols = [], input_names = ["x"], output_names = [1]} {
^bb0(%x: tensor<4xf32>):
  exec.return %x : tensor<4xf32>
}

// -----

// expected-error@+1 {{C4: expected {name, min, max} with min <= max}}
exec.program @p "run" attributes {symbols = [{name = "n", min = 2, max = 1}], input_names = [], output_names = []} {
^bb0:
  exec.return
}

// -----

// expected-error@+1 {{C5: lower_bound 128 is above arena_bytes 64}}
exec.program @p "run" attributes {symbols = [], input_names = [], output_names = [], arena_bytes = 64 : i64, lower_bound = 128 : i64} {
^bb0:
  exec.return
}

// -----

exec.program @load_kernel "run" attributes {symbols = [], input_names = [], output_names = []} {
^bb0:
  // expected-error@+1 {{C1: @w is no exec.weight}}
  %0 = exec.load_weight @w : tensor<4xf32>
  exec.return
}

// -----

// expected-note@+1 {{the weight is here}}
exec.weight @w dense dense<1.0> : tensor<4xf32>
exec.program @load_type "run" attributes {symbols = [], input_names = [], output_names = []} {
^bb0:
  // expected-error@+1 {{C2: 'tensor<2x2xf32>' for a weight of type 'tensor<4xf32>'}}
  %0 = exec.load_weight @w : tensor<2x2xf32>
  exec.return
}

// -----

exec.weight @w dense dense<1.0> : tensor<4xf32>
exec.program @dispatch_weight "run" attributes {symbols = [], input_names = ["x"], output_names = []} {
^bb0(%x: tensor<4xf32>):
  // expected-error@+1 {{C1: @w is no exec.kernel}}
  %0 = exec.dispatch @w(%x) : (tensor<4xf32>) -> tensor<4xf32>
  exec.return
}

// -----

// expected-note@+1 {{the kernel is here}}
exec.kernel @k "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
exec.program @dispatch_inputs "run" attributes {symbols = [], input_names = ["x"], output_names = []} {
^bb0(%x: tensor<8xf32>):
  // expected-error@+1 {{C2: inputs ('tensor<8xf32>') for a kernel's ('tensor<4xf32>')}}
  %0 = exec.dispatch @k(%x) : (tensor<8xf32>) -> tensor<4xf32>
  exec.return
}

// -----

// expected-note@+1 {{the kernel is here}}
exec.kernel @k "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
exec.program @dispatch_outputs "run" attributes {symbols = [], input_names = ["x"], output_names = []} {
^bb0(%x: tensor<4xf32>):
  // expected-error@+1 {{C3: outputs ('tensor<8xf32>') for a kernel's ('tensor<4xf32>')}}
  %0 = exec.dispatch @k(%x) : (tensor<4xf32>) -> tensor<8xf32>
  exec.return
}

// -----

exec.program @offsets "run" attributes {symbols = [], input_names = ["x"], output_names = []} {
^bb0(%x: tensor<4xf32>):
  // expected-error@+1 {{C4: 2 offsets for 1 outputs}}
  %0 = exec.dispatch @k(%x) {offsets = array<i64: 0, 64>} : (tensor<4xf32>) -> tensor<4xf32>
  exec.return
}

// -----

exec.program @view_type "run" attributes {symbols = [], input_names = ["x"], output_names = []} {
^bb0(%x: tensor<4xf32>):
  // expected-error@+1 {{C1: element types of 'tensor<4xf32>' and 'tensor<4xi32>' differ}}
  %0 = exec.view %x : tensor<4xf32> to tensor<4xi32>
  exec.return
}

// -----

exec.program @view_size "run" attributes {symbols = [], input_names = ["x"], output_names = []} {
^bb0(%x: tensor<4xf32>):
  // expected-error@+1 {{C2: 4 elements seen as 6}}
  %0 = exec.view %x : tensor<4xf32> to tensor<2x3xf32>
  exec.return
}

// -----

// expected-error@+1 {{C2: cannot write rows "3 +" apart}}
exec.kernel @k "pointwise" attributes {row_stride = "3 +"} {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}

// -----

exec.kernel @k "pointwise" attributes {row_stride = "8"} {
^bb0(%x: tensor<2x4xf32>):
  exec.yield %x : tensor<2x4xf32>
}
exec.program @p "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"]} {
^bb0(%x: tensor<2x4xf32>):
  // expected-error@+1 {{C6: writes rows apart from each other into no joined buffer}}
  %0 = exec.dispatch @k(%x) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  exec.return %0 : tensor<2x4xf32>
}

// -----

exec.program @p "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"]} {
^bb0(%x: tensor<2x4xf32>):
  // expected-error@+1 {{C1: no parts along dimension 2 of 'tensor<2x4xf32>'}}
  %0 = exec.join 2 (%x) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  exec.return %0 : tensor<2x4xf32>
}

// -----

exec.program @p "run" attributes {symbols = [], input_names = ["x", "z"], output_names = ["y"]} {
^bb0(%x: tensor<2x4xf32>, %z: tensor<2x4xi32>):
  // expected-error@+1 {{C1: 'tensor<2x4xi32>' as a part of 'tensor<4x4xf32>'}}
  %0 = exec.join 0 (%x, %z) : (tensor<2x4xf32>, tensor<2x4xi32>) -> tensor<4x4xf32>
  exec.return %0 : tensor<4x4xf32>
}

// -----

exec.program @p "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"]} {
^bb0(%x: tensor<2x4xf32>):
  // expected-error@+1 {{C1: parts of 4 together in 5}}
  %0 = exec.join 0 (%x, %x) : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<5x4xf32>
  exec.return %0 : tensor<5x4xf32>
}

// -----

exec.program @p "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"]} {
^bb0(%x: tensor<2x4xf32>):
  // expected-error@+1 {{C2: a part is not the only result of a dispatch, or something else, too}}
  %0 = exec.join 0 (%x, %x) : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<4x4xf32>
  exec.return %0 : tensor<4x4xf32>
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<2x4xf32>):
  exec.yield %x : tensor<2x4xf32>
}
exec.program @p "run" attributes {symbols = [], input_names = ["x"], output_names = ["y", "part"]} {
^bb0(%x: tensor<2x4xf32>):
  %0 = exec.dispatch @k(%x) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  // expected-error@+1 {{C2: a part is not the only result of a dispatch, or something else, too}}
  %1 = exec.join 0 (%0) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  exec.return %1, %0 : tensor<2x4xf32>, tensor<2x4xf32>
}

// -----

// expected-note@+1 {{the kernel is here}}
exec.kernel @k "pointwise" {
^bb0(%x: tensor<2x4xf32>):
  exec.yield %x : tensor<2x4xf32>
}
exec.program @p "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"]} {
^bb0(%x: tensor<2x4xf32>):
  %0 = exec.dispatch @k(%x) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %1 = exec.dispatch @k(%x) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  // expected-error@+1 {{C3: the kernel of a part writes other rows}}
  %2 = exec.join 1 (%0, %1) : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
  exec.return %2 : tensor<2x8xf32>
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<2x4xf32>):
  exec.yield %x : tensor<2x4xf32>
}
exec.program @p "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"]} {
^bb0(%x: tensor<2x4xf32>):
  %0 = exec.dispatch @k(%x) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  // expected-error@+1 {{C4: the offset is below -1}}
  %1 = exec.join 0 (%0) {offset = -2 : i64} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  exec.return %1 : tensor<2x4xf32>
}

// -----

// expected-error@+1 {{C7: expected a pair of expressions of given symbols, found ["n", "k"]}}
exec.program @p "run" attributes {symbols = [{name = "n", min = 0 : i64, max = 8 : i64}], requirements = [["n", "4"], ["n", "k"]], input_names = ["x"], output_names = []} {
^bb0(%x: tensor<?xf32, #llm.dims<"n">>):
  exec.return
}

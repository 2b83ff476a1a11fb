// RUN: llmc-opt %s -llmc-verify-partition -split-input-file -verify-diagnostics

// expected-error@+1 {{only weights, kernels and programs are left after the partition phase}}
func.func @left() {
  return
}

// -----

// expected-error@+1 {{no program dispatches this kernel}}
exec.kernel @k "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}

// -----

// expected-error@+1 {{no program loads this weight}}
exec.weight @w dense dense<1.0> : tensor<4xf32>

// -----

// expected-error@+1 {{the size 'n' is no symbol of the program}}
exec.program @p "run" attributes {symbols = [], input_names = ["x"], output_names = []} {
^bb0(%x: tensor<?xf32, #llm.dims<"n + 1">>):
  exec.return
}

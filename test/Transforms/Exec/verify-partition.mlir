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

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<?xf32, #llm.dims<"k">>):
  exec.yield %x : tensor<?xf32, #llm.dims<"k">>
}
exec.program @early "run" attributes {symbols = [{name = "k", min = 0 : i64, max = 8 : i64}], input_names = ["n", "x"], output_names = []} {
^bb0(%n: tensor<i64>, %x: tensor<8xf32>):
  // expected-error@+1 {{the size 'k' is no symbol of the program}}
  %0 = exec.view %x : tensor<8xf32> to tensor<?xf32, #llm.dims<"k">>
  exec.define_size "k" <= "8" (%n) : tensor<i64>
  %1 = exec.dispatch @k(%0) : (tensor<?xf32, #llm.dims<"k">>) -> tensor<?xf32, #llm.dims<"k">>
  exec.return
}

// -----

exec.kernel @k "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
// A team counts each dispatch of a step: 2048 * 2049 are too many.
// expected-error@+1 {{its loops issue more than 4194304 dispatches at the largest sizes (--max-seq, --max-batch)}}
exec.program @run "run" attributes {symbols = [{name = "n", min = 0 : i64, max = 2048 : i64} ], input_names = ["x", "y"], output_names = ["z"]} {
^bb0(%x: tensor<4xf32>, %y: tensor<?xf32, #llm.dims<"n">>):
  %0 = exec.dispatch @k(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = exec.loop "i0" < "n" (%0) stacks [] : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    %2 = exec.dispatch @k(%a) : (tensor<4xf32>) -> tensor<4xf32>
    %3 = exec.loop "i1" < "n" (%2) stacks [] : (tensor<4xf32>) -> tensor<4xf32> {
    ^bb0(%b: tensor<4xf32>):
      %4 = exec.dispatch @k(%x) : (tensor<4xf32>) -> tensor<4xf32>
      exec.yield %4 : tensor<4xf32>
    }
    exec.yield %a : tensor<4xf32>
  }
  exec.return %1 : tensor<4xf32>
}

// RUN: llmc-opt %s -llmc-plan-arena -verify-diagnostics

exec.kernel @k "pointwise" {
^bb0(%x: tensor<?xf32, #llm.dims<"n">>):
  exec.yield %x : tensor<?xf32, #llm.dims<"n">>
}
exec.program @unbounded "run" attributes {symbols = [], input_names = ["x"], output_names = []} {
^bb0(%x: tensor<?xf32, #llm.dims<"n">>):
  // expected-error@+1 {{cannot bound the size n of a buffer below 2^46 elements}}
  %0 = exec.dispatch @k(%x) : (tensor<?xf32, #llm.dims<"n">>) -> tensor<?xf32, #llm.dims<"n">>
  exec.return
}
exec.program @vast "run" attributes {symbols = [{max = 4611686018427387904 : i64, min = 0 : i64, name = "n"}], input_names = ["x"], output_names = []} {
^bb0(%x: tensor<?xf32, #llm.dims<"n">>):
  // expected-error@+1 {{cannot bound the size n of a buffer below 2^46 elements}}
  %0 = exec.dispatch @k(%x) : (tensor<?xf32, #llm.dims<"n">>) -> tensor<?xf32, #llm.dims<"n">>
  exec.return
}

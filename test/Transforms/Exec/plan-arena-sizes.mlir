// RUN: llmc-opt %s -llmc-insert-barriers -llmc-plan-arena -llmc-verify-plan | FileCheck %s

exec.kernel @count "pointwise" {
^bb0(%x: tensor<i64>):
  exec.yield %x : tensor<i64>
}
exec.kernel @k "pointwise" {
^bb0(%x: tensor<?xf32, #llm.dims<"k0">>):
  exec.yield %x : tensor<?xf32, #llm.dims<"k0">>
}
exec.kernel @first "pointwise" {
^bb0(%x: tensor<8xf32>):
  %0 = llm.slice %x ["0"] [1] : tensor<8xf32> to tensor<?xf32, #llm.dims<"k0">>
  exec.yield %0 : tensor<?xf32, #llm.dims<"k0">>
}
// The size's 64 bytes are nobody else's until the end: two buffers of 32 bytes take turns
// beside them.
// CHECK: exec.program @sizes {{.*}}arena_bytes = 192
// CHECK: exec.dispatch @count(%{{.*}}) {offsets = array<i64: [[SIZE:[0-9]+]]>}
// CHECK: exec.define_size
// CHECK-NOT: offsets = array<i64: [[SIZE]]>
// CHECK: exec.return
exec.program @sizes "run" attributes {symbols = [{name = "k0", min = 0 : i64, max = 8 : i64}], input_names = ["n", "x"], output_names = ["y"]} {
^bb0(%n: tensor<i64>, %x: tensor<8xf32>):
  %0 = exec.dispatch @count(%n) : (tensor<i64>) -> tensor<i64>
  exec.define_size "k0" <= "8" (%0) : tensor<i64>
  %1 = exec.dispatch @first(%x) : (tensor<8xf32>) -> tensor<?xf32, #llm.dims<"k0">>
  %2 = exec.dispatch @k(%1) : (tensor<?xf32, #llm.dims<"k0">>) -> tensor<?xf32, #llm.dims<"k0">>
  %3 = exec.dispatch @k(%2) : (tensor<?xf32, #llm.dims<"k0">>) -> tensor<?xf32, #llm.dims<"k0">>
  %4 = exec.dispatch @k(%3) : (tensor<?xf32, #llm.dims<"k0">>) -> tensor<?xf32, #llm.dims<"k0">>
  exec.return %4 : tensor<?xf32, #llm.dims<"k0">>
}

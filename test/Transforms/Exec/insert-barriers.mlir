// RUN: llmc-opt %s -llmc-insert-barriers | FileCheck %s

exec.kernel @k "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
// A diamond: two independent dispatches run at the same time, also where one's
// input is seen through a view.
// CHECK-LABEL: exec.program @diamond
// CHECK: %[[A:.*]] = exec.dispatch
// CHECK-NOT: exec.barrier
// CHECK: exec.view %[[A]]
// CHECK-NEXT: exec.barrier
// CHECK-NEXT: %[[L:.*]] = exec.dispatch
// CHECK-NEXT: exec.dispatch
// CHECK-NEXT: exec.barrier
// CHECK-NEXT: exec.dispatch @k(%[[L]])
// The first result was complete two barriers ago.
// CHECK-NEXT: exec.dispatch @k(%[[A]])
// CHECK-NEXT: exec.return
exec.program @diamond "run" attributes {symbols = [], input_names = ["x"], output_names = ["y", "z"]} {
^bb0(%x: tensor<4xf32>):
  %0 = exec.dispatch @k(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = exec.view %0 : tensor<4xf32> to tensor<4xf32>
  %2 = exec.dispatch @k(%1) : (tensor<4xf32>) -> tensor<4xf32>
  %3 = exec.dispatch @k(%0) : (tensor<4xf32>) -> tensor<4xf32>
  %4 = exec.dispatch @k(%2) : (tensor<4xf32>) -> tensor<4xf32>
  %5 = exec.dispatch @k(%0) : (tensor<4xf32>) -> tensor<4xf32>
  exec.return %4, %5 : tensor<4xf32>, tensor<4xf32>
}

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
// A state is overwritten when those that read it are done, though none of them writes
// what the store reads.
// CHECK-LABEL: exec.program @overwritten
// CHECK: exec.dispatch @load
// CHECK-NEXT: exec.barrier
// CHECK-NEXT: exec.dispatch @store
exec.program @overwritten "decode" attributes {symbols = [], input_names = ["s", "x"], output_names = ["y", "s"]} {
^bb0(%s: !llm.state<tensor<4xf32>, fixed = true>, %x: tensor<1x4xf32>):
  %0 = exec.dispatch @load(%s) : (!llm.state<tensor<4xf32>, fixed = true>) -> tensor<1x4xf32>
  %1 = exec.dispatch @store(%s, %x) : (!llm.state<tensor<4xf32>, fixed = true>, tensor<1x4xf32>) -> !llm.state<tensor<4xf32>, fixed = true>
  exec.return %0, %1 : tensor<1x4xf32>, !llm.state<tensor<4xf32>, fixed = true>
}

exec.kernel @count "pointwise" {
^bb0(%x: tensor<i64>):
  exec.yield %x : tensor<i64>
}
// Who reads a size waits for it; a size that is an input is there.
// CHECK-LABEL: exec.program @sizes
// CHECK: exec.define_size "k0"
// CHECK-NEXT: exec.dispatch
// CHECK-NEXT: exec.barrier
// CHECK-NEXT: exec.define_size "k1"
exec.program @sizes "run" attributes {symbols = [{name = "k0", min = 0 : i64, max = 8 : i64}, {name = "k1", min = 0 : i64, max = 8 : i64}], input_names = ["n"], output_names = []} {
^bb0(%n: tensor<i64>):
  exec.define_size "k0" <= "8" (%n) : tensor<i64>
  %0 = exec.dispatch @count(%n) : (tensor<i64>) -> tensor<i64>
  exec.define_size "k1" <= "k0" (%0) : tensor<i64>
  exec.return
}

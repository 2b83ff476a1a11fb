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

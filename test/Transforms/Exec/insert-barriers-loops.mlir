// RUN: llmc-opt %s -llmc-insert-barriers | FileCheck %s

exec.kernel @k "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
exec.kernel @add "pointwise" {
^bb0(%x: tensor<4xf32>, %y: tensor<4xf32>):
  %0 = llm.binary add %x, %y : tensor<4xf32>, tensor<4xf32>
  exec.yield %0 : tensor<4xf32>
}
// All is done before the first iteration and before each next one; what overwrites a
// carried value waits for those that read it; and behind the loop all is done again.
// CHECK-LABEL: exec.program @carried
// CHECK: %[[I:.*]] = exec.dispatch @k
// CHECK-NEXT: exec.barrier
// CHECK-NEXT: exec.loop
// CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<4xf32>):
// CHECK-NEXT: exec.dispatch @k(%[[A]])
// CHECK-NEXT: %[[N:.*]] = exec.dispatch @k(%arg0)
// CHECK-NEXT: exec.barrier
// CHECK-NEXT: %[[C:.*]] = exec.dispatch @k(%[[N]])
// CHECK-NEXT: exec.barrier
// CHECK-NEXT: exec.yield %[[C]]
// CHECK: exec.dispatch @k
// CHECK-NEXT: exec.return
exec.program @carried "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"]} {
^bb0(%x: tensor<4xf32>):
  %0 = exec.dispatch @k(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = exec.loop "i0" < "3" (%0) stacks [] : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    %2 = exec.dispatch @k(%a) : (tensor<4xf32>) -> tensor<4xf32>
    %3 = exec.dispatch @k(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %4 = exec.dispatch @k(%3) : (tensor<4xf32>) -> tensor<4xf32>
    exec.yield %4 : tensor<4xf32>
  }
  %5 = exec.dispatch @k(%1) : (tensor<4xf32>) -> tensor<4xf32>
  exec.return %5 : tensor<4xf32>
}

// Written without need of an earlier result, but over what the first dispatch reads.
// CHECK-LABEL: exec.program @overwritten
// CHECK: exec.loop
// CHECK: exec.dispatch @k(%{{.*}}) : {{.*}}
// CHECK-NEXT: exec.barrier
// CHECK-NEXT: exec.dispatch @k(%arg0)
// CHECK-NEXT: exec.barrier
// CHECK-NEXT: exec.yield
exec.program @overwritten "run" attributes {symbols = [], input_names = ["x"], output_names = ["y", "z"]} {
^bb0(%x: tensor<4xf32>):
  %0 = exec.dispatch @k(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1:2 = exec.loop "i0" < "3" (%0) stacks ["i0"] : (tensor<4xf32>) -> (tensor<4xf32>, tensor<3x4xf32>) {
  ^bb0(%a: tensor<4xf32>):
    %2 = exec.dispatch @k(%a) : (tensor<4xf32>) -> tensor<4xf32>
    %3 = exec.dispatch @k(%x) : (tensor<4xf32>) -> tensor<4xf32>
    exec.yield %3, %2 : tensor<4xf32>, tensor<4xf32>
  }
  exec.return %1#0, %1#1 : tensor<4xf32>, tensor<3x4xf32>
}

// The body of the inner loop ends with a barrier; nothing is left for the outer one.
// CHECK-LABEL: exec.program @nested
// CHECK: exec.dispatch
// CHECK-NEXT: exec.barrier
// CHECK-NEXT: exec.loop
// CHECK: exec.dispatch
// CHECK-NEXT: exec.barrier
// CHECK-NEXT: exec.loop
// CHECK: exec.dispatch
// CHECK-NEXT: exec.barrier
// CHECK-NEXT: exec.yield
// CHECK-NEXT: }
// CHECK-NEXT: exec.yield
exec.program @nested "run" attributes {symbols = [], input_names = ["x"], output_names = ["y"]} {
^bb0(%x: tensor<4xf32>):
  %0 = exec.dispatch @k(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = exec.loop "i0" < "3" (%0) stacks [] : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    %2 = exec.dispatch @k(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %3 = exec.loop "i1" < "2" (%2) stacks [] : (tensor<4xf32>) -> tensor<4xf32> {
    ^bb0(%b: tensor<4xf32>):
      %4 = exec.dispatch @k(%x) : (tensor<4xf32>) -> tensor<4xf32>
      exec.yield %4 : tensor<4xf32>
    }
    exec.yield %a : tensor<4xf32>
  }
  exec.return %1 : tensor<4xf32>
}

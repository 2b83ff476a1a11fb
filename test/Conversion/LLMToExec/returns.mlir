// Every output is a buffer of its own that a dispatch writes.
// RUN: llmc-opt %s -split-input-file -llmc-convert-llm-to-exec | FileCheck %s

// CHECK-LABEL: exec.program @argument
// CHECK: %[[COPY:.*]] = exec.dispatch @pointwise_0(%arg0)
// CHECK-NEXT: exec.return %[[COPY]]
func.func @argument(%x: tensor<4xf32>) -> tensor<4xf32>
    attributes {llm.phase = "run", llm.symbols = []} {
  return %x : tensor<4xf32>
}

// -----

// CHECK-LABEL: exec.program @twice
// CHECK: %[[Y:.*]] = exec.dispatch
// CHECK: %[[COPY:.*]] = exec.dispatch @{{.*}}(%[[Y]])
// CHECK-NEXT: exec.return %[[Y]], %[[COPY]]
func.func @twice(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
    attributes {llm.phase = "run", llm.symbols = []} {
  %0 = llm.unary neg %x : tensor<4xf32>
  return %0, %0 : tensor<4xf32>, tensor<4xf32>
}

// -----

// A state is its argument's storage: nothing is copied.
// CHECK-LABEL: exec.program @state
// CHECK-NOT: exec.dispatch
// CHECK: exec.return %arg0
func.func @state(%s: !llm.state<tensor<2x4xf32>>) -> !llm.state<tensor<2x4xf32>>
    attributes {llm.phase = "decode", llm.symbols = []} {
  return %s : !llm.state<tensor<2x4xf32>>
}

// A constant is stored once per layout that it is read in.
// RUN: llmc-opt %s -split-input-file -llmc-convert-llm-to-exec | FileCheck %s

// The product reads panels, the sum rows, in one kernel.
// CHECK-LABEL: exec.program @two_layouts
// CHECK: exec.dispatch @linear_0(%{{.*}}, %{{.*}}, %{{.*}})
// CHECK-DAG: exec.weight @{{.*}} panels {columns = 2 : i64, outputs = 2 : i64}
// CHECK-DAG: exec.weight @{{.*}} dense
func.func @two_layouts(%x: tensor<2x2xf32>) -> tensor<2x2xf32>
    attributes {llm.phase = "run", llm.symbols = []} {
  %w = llm.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %0 = llm.linear %x, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = llm.binary add %0, %w : tensor<2x2xf32>, tensor<2x2xf32>
  return %1 : tensor<2x2xf32>
}

// -----

// Microkernels read weights from memory, also where all elements are equal.
// CHECK-LABEL: exec.program @splat
// CHECK: exec.load_weight
// CHECK: exec.weight @{{.*}} panels
// CHECK-NOT: exec.weight
func.func @splat(%x: tensor<3x2xf32>, %y: tensor<5x2xf32>) -> (tensor<3x2xf32>, tensor<5x2xf32>)
    attributes {llm.phase = "run", llm.symbols = []} {
  %w = llm.constant dense<1.0> : tensor<2x2xf32>
  %0 = llm.linear %x, %w : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %1 = llm.linear %y, %w : (tensor<5x2xf32>, tensor<2x2xf32>) -> tensor<5x2xf32>
  return %0, %1 : tensor<3x2xf32>, tensor<5x2xf32>
}

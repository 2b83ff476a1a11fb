// What becomes one kernel, what two, and what none.
// RUN: llmc-opt %s -split-input-file -llmc-convert-llm-to-exec | FileCheck %s

// The residual add is the product's epilogue.
// CHECK-LABEL: exec.program @residual
// CHECK-COUNT-1: exec.dispatch @linear_0
// CHECK-NOT: exec.dispatch
// CHECK: exec.kernel @linear_0
// CHECK: llm.linear
// CHECK-NEXT: llm.binary
func.func @residual(%x: tensor<3x2xf32>, %r: tensor<3x4xf32>) -> tensor<3x4xf32>
    attributes {llm.phase = "run", llm.symbols = []} {
  %w = llm.constant dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>
  %0 = llm.linear %x, %w : (tensor<3x2xf32>, tensor<2x4xf32>) -> tensor<3x4xf32>
  %1 = llm.binary add %r, %0 : tensor<3x4xf32>, tensor<3x4xf32>
  return %1 : tensor<3x4xf32>
}

// -----

// One product per kernel: the earlier keeps silu, the later mul.
// CHECK-LABEL: exec.program @gated
// CHECK-COUNT-2: exec.dispatch
// CHECK-NOT: exec.dispatch
// CHECK: exec.kernel
// CHECK: llm.linear
// CHECK-NEXT: llm.unary
// CHECK-NEXT: exec.yield
// CHECK: exec.kernel
// CHECK: llm.linear
// CHECK-NEXT: llm.binary
func.func @gated(%x: tensor<3x2xf32>) -> tensor<3x2xf32>
    attributes {llm.phase = "run", llm.symbols = []} {
  %g = llm.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %u = llm.constant dense<[[5.0, 6.0], [7.0, 8.0]]> : tensor<2x2xf32>
  %0 = llm.linear %x, %g : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %1 = llm.unary silu %0 : tensor<3x2xf32>
  %2 = llm.linear %x, %u : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %3 = llm.binary mul %1, %2 : tensor<3x2xf32>, tensor<3x2xf32>
  return %3 : tensor<3x2xf32>
}

// -----

// Layers that compute alike share a kernel and differ in weights.
// CHECK-LABEL: exec.program @layers
// CHECK: %[[A:.*]] = exec.load_weight
// CHECK: exec.dispatch @linear_0(%{{.*}}, %[[A]])
// CHECK: %[[B:.*]] = exec.load_weight
// CHECK: exec.dispatch @linear_0(%{{.*}}, %[[B]])
// CHECK-COUNT-1: exec.kernel
// CHECK-NOT: exec.kernel
func.func @layers(%x: tensor<3x2xf32>) -> tensor<3x2xf32>
    attributes {llm.phase = "run", llm.symbols = []} {
  %a = llm.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %b = llm.constant dense<[[5.0, 6.0], [7.0, 8.0]]> : tensor<2x2xf32>
  %0 = llm.linear %x, %a : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %1 = llm.linear %0, %b : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  return %1 : tensor<3x2xf32>
}

// -----

// CHECK-LABEL: exec.program @view
// CHECK: %[[Y:.*]] = exec.dispatch @linear_0
// CHECK-NEXT: exec.view %[[Y]] : tensor<3x2xf32> to tensor<6xf32>
// CHECK-NEXT: exec.return
func.func @view(%x: tensor<3x2xf32>) -> tensor<6xf32>
    attributes {llm.phase = "run", llm.symbols = []} {
  %a = llm.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %0 = llm.linear %x, %a : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %1 = llm.reshape %0 : tensor<3x2xf32> to tensor<6xf32>
  return %1 : tensor<6xf32>
}

// -----

// The heads are put side by side by the kernel that computes them.
// CHECK-LABEL: exec.program @attention
// CHECK-COUNT-1: exec.dispatch @attention_0
// CHECK-NOT: exec.dispatch
// CHECK: exec.kernel @attention_0
// CHECK: llm.attention
// CHECK-NEXT: llm.transpose
func.func @attention(%q: tensor<1x4x7x16xf32>, %k: tensor<1x2x7x16xf32>) -> tensor<1x7x64xf32>
    attributes {llm.phase = "run", llm.symbols = []} {
  %0 = llm.attention %q, %k, %k {scale = 0.25 : f64, causal}
      : (tensor<1x4x7x16xf32>, tensor<1x2x7x16xf32>, tensor<1x2x7x16xf32>) -> tensor<1x4x7x16xf32>
  %1 = llm.transpose %0 [0, 2, 1, 3] : tensor<1x4x7x16xf32>
  %2 = llm.reshape %1 : tensor<1x7x4x16xf32> to tensor<1x7x64xf32>
  return %2 : tensor<1x7x64xf32>
}

// -----

// Rows are written one by one: a kernel of its own makes columns of them.
// CHECK-LABEL: exec.program @attention_columns
// CHECK: exec.dispatch @attention_0
// CHECK: exec.dispatch @pointwise_1
func.func @attention_columns(%q: tensor<1x4x7x16xf32>, %k: tensor<1x2x7x16xf32>) -> tensor<1x4x16x7xf32>
    attributes {llm.phase = "run", llm.symbols = []} {
  %0 = llm.attention %q, %k, %k {scale = 0.25 : f64, causal}
      : (tensor<1x4x7x16xf32>, tensor<1x2x7x16xf32>, tensor<1x2x7x16xf32>) -> tensor<1x4x7x16xf32>
  %1 = llm.transpose %0 [0, 1, 3, 2] : tensor<1x4x7x16xf32>
  return %1 : tensor<1x4x16x7xf32>
}

// -----

// A convolution stores its result, and reads what is in memory.
// CHECK-LABEL: exec.program @convolution
// CHECK: exec.dispatch @pointwise
// CHECK: exec.dispatch @conv
// CHECK: exec.dispatch @pointwise
// CHECK-NOT: exec.dispatch
func.func @convolution(%x: tensor<1x4x7xf32>, %w: tensor<4x1x3xf32>) -> tensor<1x4x5xf32>
    attributes {llm.phase = "run", llm.symbols = []} {
  %0 = llm.unary exp %x : tensor<1x4x7xf32>
  %1 = llm.conv %0, %w {strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 0, 0>, groups = 4 : i64} : (tensor<1x4x7xf32>, tensor<4x1x3xf32>) -> tensor<1x4x5xf32>
  %2 = llm.unary silu %1 : tensor<1x4x5xf32>
  return %2 : tensor<1x4x5xf32>
}

// -----

// A scatter computes its input while it copies it.
// CHECK-LABEL: exec.program @scatter
// CHECK-COUNT-1: exec.dispatch @scatter_nd
// CHECK-NOT: exec.dispatch
func.func @scatter(%x: tensor<4x8xf32>, %i: tensor<3x1xi64>, %u: tensor<3x8xf32>) -> tensor<4x8xf32>
    attributes {llm.phase = "run", llm.symbols = []} {
  %0 = llm.unary neg %x : tensor<4x8xf32>
  %1 = llm.scatter_nd replace %0, %i, %u : tensor<4x8xf32>, tensor<3x1xi64>, tensor<3x8xf32>
  return %1 : tensor<4x8xf32>
}

// -----

// A weight keeps its 16 bits; the epilogue stays f32, where the product was written.
// CHECK-LABEL: exec.program @half
// CHECK: exec.load_weight @{{.*}} : tensor<2x4xf16>
// CHECK: exec.dispatch @linear
// CHECK: exec.dispatch @pointwise
// CHECK-NOT: exec.dispatch
// CHECK: exec.weight {{.*}}panels{{.*}}tensor<2x4xf16>
func.func @half(%x: tensor<3x2xf32>) -> tensor<3x4xf16>
    attributes {llm.phase = "run", llm.symbols = []} {
  %w = llm.constant dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf16>
  %1 = llm.linear %x, %w : (tensor<3x2xf32>, tensor<2x4xf16>) -> tensor<3x4xf32>
  %2 = llm.cast %1 : tensor<3x4xf32> to tensor<3x4xf16>
  return %2 : tensor<3x4xf16>
}

// What overwrites a state is a kernel of its own behind its readers, or works in place.
// RUN: llmc-opt %s -split-input-file -llmc-convert-llm-to-exec | FileCheck %s

!window = !llm.state<tensor<8x2xf32>, fixed = true>

// The convolution reads the window where it lies, and the new window is complete before
// it goes there. The store comes behind the convolution's dispatch, later than it stood.
// CHECK-LABEL: exec.program @window
// CHECK: %[[NEW:.*]] = exec.dispatch @state_load_0(%arg1, %arg0)
// CHECK: exec.dispatch @causal_conv_{{[0-9]+}}(%arg0, %{{.*}}, %arg1)
// CHECK-NEXT: exec.dispatch @state_store_{{[0-9]+}}(%arg1, %[[NEW]])
// CHECK-NEXT: exec.return
func.func @window(%x: tensor<1x8x1xf32>, %s: !window) -> (tensor<1x8x1xf32>, !window)
    attributes {llm.phase = "decode", llm.symbols = []} {
  %w = llm.constant dense<[[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 4.0]]> : tensor<8x3xf32>
  %past = llm.state_load %s : !window to tensor<1x8x2xf32>
  %all = llm.concat 2 (%past, %x) : tensor<1x8x2xf32>, tensor<1x8x1xf32>
  %new = llm.slice %all ["0", "0", "1"] [1, 1, 1] : tensor<1x8x3xf32> to tensor<1x8x2xf32>
  %stored = llm.state_store %s, %new : !window, tensor<1x8x2xf32>
  %0 = llm.causal_conv %x, %w past %past : (tensor<1x8x1xf32>, tensor<8x3xf32>, tensor<1x8x2xf32>) -> tensor<1x8x1xf32>
  return %0, %stored : tensor<1x8x1xf32>, !window
}

// -----

!matrix = !llm.state<tensor<2x4x4xf32>, fixed = true>
!h = tensor<1x2x1x4xf32>

// One kernel for both results, in place.
// CHECK-LABEL: exec.program @in_place
// CHECK: exec.dispatch @linear_attention_0({{.*}}) : ({{.*}}) -> (tensor<1x2x1x4xf32>, !llm.state<tensor<2x4x4xf32>, fixed = true>)
// CHECK-NEXT: exec.return
func.func @in_place(%q: !h, %k: !h, %v: !h, %s: !matrix) -> (!h, !matrix)
    attributes {llm.phase = "decode", llm.symbols = []} {
  %past = llm.state_load %s : !matrix to tensor<1x2x4x4xf32>
  %o, %new = llm.linear_attention %q, %k, %v past %past {scale = 1.0 : f64} : (!h, !h, !h, tensor<1x2x4x4xf32>) -> (!h, tensor<1x2x4x4xf32>)
  %stored = llm.state_store %s, %new : !matrix, tensor<1x2x4x4xf32>
  return %o, %stored : !h, !matrix
}

// -----

// Two outputs of one dispatch.
// CHECK-LABEL: exec.program @two
// CHECK: %[[R:.*]]:2 = exec.dispatch @linear_attention_0
// CHECK-NEXT: exec.return %[[R]]#0, %[[R]]#1
func.func @two(%q: tensor<1x2x3x4xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x2x4x4xf32>)
    attributes {llm.phase = "run", llm.symbols = []} {
  %o, %s = llm.linear_attention %q, %q, %q {scale = 1.0 : f64} : (tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x2x4x4xf32>)
  return %o, %s : tensor<1x2x3x4xf32>, tensor<1x2x4x4xf32>
}

// -----

// A size from data: whoever computes it stores it.
// CHECK-LABEL: exec.program @size
// CHECK: %[[N:.*]] = exec.dispatch @reduce_0
// CHECK-NEXT: exec.define_size "k0"{{ ?}}<= "8"{{ ?}}(%[[N]])
// CHECK-NEXT: exec.dispatch @nonzero_{{[0-9]+}}
func.func @size(%x: tensor<8xi1>) -> tensor<?x1xi64, #llm.dims<"k0", "1">>
    attributes {llm.phase = "run", llm.symbols = [{name = "k0", min = 0 : i64, max = 8 : i64}]} {
  %i = llm.cast %x : tensor<8xi1> to tensor<8xi64>
  %n = llm.reduce sum %i [0] {keepdims = false} : tensor<8xi64>
  llm.define_size "k0" <= "8" (%n) : tensor<i64>
  %0 = llm.nonzero %x : tensor<8xi1> to tensor<?x1xi64, #llm.dims<"k0", "1">>
  return %0 : tensor<?x1xi64, #llm.dims<"k0", "1">>
}

// RUN: llmc-opt %s -llmc-convert-llm-to-exec -split-input-file | FileCheck %s

!x = tensor<?x4xf32, #llm.dims<"n", "4">>
!h = tensor<?x8xf32, #llm.dims<"n", "8">>
!all = tensor<?x16xf32, #llm.dims<"n", "16">>

// Both kernels write their rows of 8 and 4 elements into rows of 16; the input is copied
// there. No kernel is left for the concatenation.
// CHECK-LABEL: exec.program @rows
// CHECK: %[[A:.*]] = exec.dispatch @linear_0
// CHECK: %[[B:.*]] = exec.dispatch @softmax_1
// CHECK: %[[C:.*]] = exec.dispatch @pointwise_2(%arg0)
// CHECK: %[[ALL:.*]] = exec.join 1(%[[A]], %[[B]], %[[C]])
// CHECK: exec.dispatch @linear_3(%[[ALL]]
// CHECK: exec.kernel @linear_0 "linear" attributes {row_stride = "16"}
// CHECK: exec.kernel @softmax_1 "softmax" attributes {row_stride = "16"}
// CHECK: exec.kernel @pointwise_2 "pointwise" attributes {row_stride = "16"}
// CHECK: exec.kernel @linear_3 "linear" {
func.func @rows(%x: !x) -> !x attributes {llm.phase = "run", llm.symbols = [{name = "n", min = 1 : i64, max = 8 : i64}]} {
  %up = llm.constant dense<1.0> : tensor<4x8xf32>
  %down = llm.constant dense<1.0> : tensor<16x4xf32>
  %0 = llm.linear %x, %up : (!x, tensor<4x8xf32>) -> !h
  %1 = llm.softmax 1 %x : !x
  %2 = llm.concat 1 (%0, %1, %x) : !h, !x, !x
  %3 = llm.linear %2, %down : (!all, tensor<16x4xf32>) -> !x
  return %3 : !x
}

// -----

!n = tensor<?x2x4xf32, #llm.dims<"n", "2", "4">>
!both = tensor<?x2x4xf32, #llm.dims<"2 * n", "2", "4">>

// Along the outermost dimension parts are contiguous, and may be seen as another shape. The
// output is written in place, too.
// CHECK-LABEL: exec.program @contiguous
// CHECK: %[[A:.*]] = exec.dispatch @softmax_0
// CHECK: %[[B:.*]] = exec.dispatch @softmax_1
// CHECK: %[[VIEW:.*]] = exec.view %[[B]]
// CHECK: %[[ALL:.*]] = exec.join 0(%[[A]], %[[VIEW]])
// CHECK: exec.return %[[ALL]]
// CHECK-NOT: row_stride
func.func @contiguous(%x: !n) -> !both attributes {llm.phase = "run", llm.symbols = [{name = "n", min = 1 : i64, max = 8 : i64}]} {
  %0 = llm.softmax 2 %x : !n
  %1 = llm.reshape %x : !n to tensor<?x8xf32, #llm.dims<"n", "8">>
  %2 = llm.softmax 1 %1 : tensor<?x8xf32, #llm.dims<"n", "8">>
  %3 = llm.reshape %2 : tensor<?x8xf32, #llm.dims<"n", "8">> to !n
  %4 = llm.concat 0 (%0, %3) : !n, !n
  return %4 : !both
}

// -----

!x = tensor<2x4xf32>
!all = tensor<2x12xf32>

// A kernel that computes all parts anyway; one value twice and two copies; rows that are
// needed without what lies between them; a part that is an output.
// CHECK-LABEL: exec.program @kernels
// CHECK-NOT: exec.join
// CHECK: exec.kernel
func.func @kernels(%x: !x, %y: !x) -> (!all, !all, !all, !all, !x, !x)
    attributes {llm.phase = "run", llm.symbols = []} {
  %0 = llm.unary exp %x : !x
  %1 = llm.unary exp %y : !x
  %2 = llm.concat 1 (%0, %1, %0) : !x, !x, !x
  %3 = llm.softmax 1 %x : !x
  %4 = llm.concat 1 (%x, %3, %y) : !x, !x, !x
  %5 = llm.softmax 1 %y : !x
  %6 = llm.softmax 1 %5 : !x
  %7 = llm.concat 1 (%5, %x, %y) : !x, !x, !x
  %8 = llm.softmax 1 %6 : !x
  %9 = llm.concat 1 (%8, %x, %x) : !x, !x, !x
  return %2, %4, %7, %9, %6, %8 : !all, !all, !all, !all, !x, !x
}

// -----

!first = tensor<?x4xf32, #llm.dims<"k0", "4">>
!rest = tensor<?x4xf32, #llm.dims<"8 - k0", "4">>

// Where data decides the sizes of the parts, nobody knows their places in time.
// CHECK-LABEL: exec.program @parts
// CHECK-NOT: exec.join
// CHECK: exec.return
func.func @parts(%x: tensor<8x4xf32>, %n: tensor<i64>) -> tensor<8x4xf32> attributes {llm.phase = "run", llm.symbols = [{name = "k0", min = 0 : i64, max = 8 : i64}]} {
  llm.define_size "k0" <= "8" (%n) : tensor<i64>
  %0 = llm.slice %x ["0", "0"] [1, 1] : tensor<8x4xf32> to !first
  %1 = llm.slice %x ["k0", "0"] [1, 1] : tensor<8x4xf32> to !rest
  %2 = llm.softmax 1 %0 : !first
  %3 = llm.softmax 1 %1 : !rest
  %4 = llm.concat 0 (%2, %3) : !first, !rest
  %5 = llm.reshape %4 : tensor<8x4xf32> to tensor<4x8xf32>
  %6 = llm.softmax 1 %5 : tensor<4x8xf32>
  %7 = llm.reshape %6 : tensor<4x8xf32> to tensor<8x4xf32>
  return %7 : tensor<8x4xf32>
}

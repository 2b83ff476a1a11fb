// The rounded input is made once for all linears that share it.
// RUN: llmc-opt %s -llmc-convert-llm-to-exec | FileCheck %s

// CHECK-LABEL: exec.program @shared
// CHECK: %[[Q:.*]] = exec.dispatch @quantize_input_0(%arg0)
// CHECK-NOT: @quantize_input
// CHECK: exec.dispatch @linear_1(%[[Q]],
// CHECK: exec.dispatch @linear_1(%[[Q]],
// CHECK: exec.dispatch @linear_1(%[[Q]],
// CHECK: exec.return
func.func @shared(%x: tensor<3x32xf32>) -> (tensor<3x1xf32>, tensor<3x1xf32>, tensor<3x1xf32>)
    attributes {llm.phase = "run", llm.symbols = []} {
  %a = llm.constant dense<[[[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]]]> : tensor<1x1x16xui8>
  %b = llm.constant dense<[[[1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]]]> : tensor<1x1x16xui8>
  %c = llm.constant dense<[[[2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]]]> : tensor<1x1x16xui8>
  %s = llm.constant dense<[[0.5]]> : tensor<1x1xf32>
  %0 = llm.linear %x, %a scales %s {bits = 4 : i64, group_size = 32 : i64, columns = 32 : i64, activations = #llm<activations int8>}
      : (tensor<3x32xf32>, tensor<1x1x16xui8>, tensor<1x1xf32>) -> tensor<3x1xf32>
  %1 = llm.linear %x, %b scales %s {bits = 4 : i64, group_size = 32 : i64, columns = 32 : i64, activations = #llm<activations int8>}
      : (tensor<3x32xf32>, tensor<1x1x16xui8>, tensor<1x1xf32>) -> tensor<3x1xf32>
  %2 = llm.linear %x, %c scales %s {bits = 4 : i64, group_size = 32 : i64, columns = 32 : i64, activations = #llm<activations int8>}
      : (tensor<3x32xf32>, tensor<1x1x16xui8>, tensor<1x1xf32>) -> tensor<3x1xf32>
  return %0, %1, %2 : tensor<3x1xf32>, tensor<3x1xf32>, tensor<3x1xf32>
}

// 4-bit and 8-bit weights take the same rounded input; f32 activations take it as it is.
// CHECK-LABEL: exec.program @widths
// CHECK: %[[Q:.*]] = exec.dispatch @quantize_input_{{[0-9]+}}(%arg0)
// CHECK-NOT: @quantize_input
// CHECK: exec.dispatch @linear_{{[0-9]+}}(%[[Q]],
// CHECK: exec.dispatch @linear_{{[0-9]+}}(%[[Q]],
// CHECK: exec.dispatch @linear_{{[0-9]+}}(%arg0,
// CHECK: exec.return
func.func @widths(%x: tensor<3x16xf32>) -> (tensor<3x1xf32>, tensor<3x1xf32>, tensor<3x1xf32>)
    attributes {llm.phase = "run", llm.symbols = []} {
  %a = llm.constant dense<[[[0, 1, 2, 3, 4, 5, 6, 7]]]> : tensor<1x1x8xui8>
  %b = llm.constant dense<[[[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]]]> : tensor<1x1x16xui8>
  %c = llm.constant dense<[[[1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]]]> : tensor<1x1x16xui8>
  %s = llm.constant dense<[[0.5]]> : tensor<1x1xf32>
  %0 = llm.linear %x, %a scales %s {bits = 4 : i64, group_size = 16 : i64, columns = 16 : i64, activations = #llm<activations int8>}
      : (tensor<3x16xf32>, tensor<1x1x8xui8>, tensor<1x1xf32>) -> tensor<3x1xf32>
  %1 = llm.linear %x, %b scales %s {bits = 8 : i64, group_size = 16 : i64, columns = 16 : i64, activations = #llm<activations int8>}
      : (tensor<3x16xf32>, tensor<1x1x16xui8>, tensor<1x1xf32>) -> tensor<3x1xf32>
  %2 = llm.linear %x, %c scales %s {bits = 8 : i64, group_size = 16 : i64, columns = 16 : i64}
      : (tensor<3x16xf32>, tensor<1x1x16xui8>, tensor<1x1xf32>) -> tensor<3x1xf32>
  return %0, %1, %2 : tensor<3x1xf32>, tensor<3x1xf32>, tensor<3x1xf32>
}

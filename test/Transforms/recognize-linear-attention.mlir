// RUN: llmc-opt %s --llmc-recognize-linear-attention | FileCheck %s

// Linear attention without decay over one chunk: what the past says, and the masked
// products within the chunk.
// CHECK-LABEL: func @one_chunk
// CHECK: %[[O:.*]], %[[S:.*]] = llm.linear_attention %arg0, %arg1, %arg2 past %arg3 {scale = 1.000000e+00 : f64}
// CHECK: return %[[O]], %[[S]]
func.func @one_chunk(%q: tensor<1x2x?x4xf32, #llm.dims<"1", "2", "t", "4">>, %k: tensor<1x2x?x4xf32, #llm.dims<"1", "2", "t", "4">>, %v: tensor<1x2x?x3xf32, #llm.dims<"1", "2", "t", "3">>, %past: tensor<1x2x4x3xf32>) -> (tensor<1x2x?x3xf32, #llm.dims<"1", "2", "t", "3">>, tensor<1x2x4x3xf32>) {
  %zero = llm.constant dense<0.0> : tensor<f32>
  %q5 = llm.reshape %q : tensor<1x2x?x4xf32, #llm.dims<"1", "2", "t", "4">> to tensor<1x2x1x?x4xf32, #llm.dims<"1", "2", "1", "t", "4">>
  %k5 = llm.reshape %k : tensor<1x2x?x4xf32, #llm.dims<"1", "2", "t", "4">> to tensor<1x2x1x?x4xf32, #llm.dims<"1", "2", "1", "t", "4">>
  %v5 = llm.reshape %v : tensor<1x2x?x3xf32, #llm.dims<"1", "2", "t", "3">> to tensor<1x2x1x?x3xf32, #llm.dims<"1", "2", "1", "t", "3">>
  %p5 = llm.reshape %past : tensor<1x2x4x3xf32> to tensor<1x2x1x4x3xf32>
  %i = llm.iota {start = "0", step = "1", dim = 0} : tensor<?x1xi64, #llm.dims<"t", "1">>
  %j = llm.iota {start = "0", step = "1", dim = 0} : tensor<?xi64, #llm.dims<"t">>
  %past_part = llm.matmul %q5, %p5 : tensor<1x2x1x?x4xf32, #llm.dims<"1", "2", "1", "t", "4">>, tensor<1x2x1x4x3xf32>
  %kt = llm.transpose %k5 [0, 1, 2, 4, 3] : tensor<1x2x1x?x4xf32, #llm.dims<"1", "2", "1", "t", "4">>
  %scores = llm.matmul %q5, %kt : tensor<1x2x1x?x4xf32, #llm.dims<"1", "2", "1", "t", "4">>, tensor<1x2x1x4x?xf32, #llm.dims<"1", "2", "1", "4", "t">>
  %visible = llm.compare le %j, %i : tensor<?xi64, #llm.dims<"t">>, tensor<?x1xi64, #llm.dims<"t", "1">>
  %masked = llm.select %visible, %scores, %zero : tensor<?x?xi1, #llm.dims<"t", "t">>, tensor<1x2x1x?x?xf32, #llm.dims<"1", "2", "1", "t", "t">>, tensor<f32>
  %chunk_part = llm.matmul %masked, %v5 : tensor<1x2x1x?x?xf32, #llm.dims<"1", "2", "1", "t", "t">>, tensor<1x2x1x?x3xf32, #llm.dims<"1", "2", "1", "t", "3">>
  %o5 = llm.binary add %past_part, %chunk_part : tensor<1x2x1x?x3xf32, #llm.dims<"1", "2", "1", "t", "3">>, tensor<1x2x1x?x3xf32, #llm.dims<"1", "2", "1", "t", "3">>
  %o = llm.reshape %o5 : tensor<1x2x1x?x3xf32, #llm.dims<"1", "2", "1", "t", "3">> to tensor<1x2x?x3xf32, #llm.dims<"1", "2", "t", "3">>
  %new = llm.matmul %kt, %v5 : tensor<1x2x1x4x?xf32, #llm.dims<"1", "2", "1", "4", "t">>, tensor<1x2x1x?x3xf32, #llm.dims<"1", "2", "1", "t", "3">>
  %s5 = llm.binary add %p5, %new : tensor<1x2x1x4x3xf32>, tensor<1x2x1x4x3xf32>
  %s = llm.reshape %s5 : tensor<1x2x1x4x3xf32> to tensor<1x2x4x3xf32>
  return %o, %s : tensor<1x2x?x3xf32, #llm.dims<"1", "2", "t", "3">>, tensor<1x2x4x3xf32>
}

// Adds twice what a recurrence would.
// CHECK-LABEL: func @no_recurrence
// CHECK-NOT: llm.linear_attention
// CHECK: return
func.func @no_recurrence(%q: tensor<1x2x?x4xf32, #llm.dims<"1", "2", "t", "4">>, %k: tensor<1x2x?x4xf32, #llm.dims<"1", "2", "t", "4">>, %v: tensor<1x2x?x3xf32, #llm.dims<"1", "2", "t", "3">>, %past: tensor<1x2x4x3xf32>) -> (tensor<1x2x?x3xf32, #llm.dims<"1", "2", "t", "3">>, tensor<1x2x4x3xf32>) {
  %q5 = llm.reshape %q : tensor<1x2x?x4xf32, #llm.dims<"1", "2", "t", "4">> to tensor<1x2x1x?x4xf32, #llm.dims<"1", "2", "1", "t", "4">>
  %k5 = llm.reshape %k : tensor<1x2x?x4xf32, #llm.dims<"1", "2", "t", "4">> to tensor<1x2x1x?x4xf32, #llm.dims<"1", "2", "1", "t", "4">>
  %v5 = llm.reshape %v : tensor<1x2x?x3xf32, #llm.dims<"1", "2", "t", "3">> to tensor<1x2x1x?x3xf32, #llm.dims<"1", "2", "1", "t", "3">>
  %p5 = llm.reshape %past : tensor<1x2x4x3xf32> to tensor<1x2x1x4x3xf32>
  %kt = llm.transpose %k5 [0, 1, 2, 4, 3] : tensor<1x2x1x?x4xf32, #llm.dims<"1", "2", "1", "t", "4">>
  %new = llm.matmul %kt, %v5 : tensor<1x2x1x4x?xf32, #llm.dims<"1", "2", "1", "4", "t">>, tensor<1x2x1x?x3xf32, #llm.dims<"1", "2", "1", "t", "3">>
  %s1 = llm.binary add %p5, %new : tensor<1x2x1x4x3xf32>, tensor<1x2x1x4x3xf32>
  %s2 = llm.binary add %s1, %new : tensor<1x2x1x4x3xf32>, tensor<1x2x1x4x3xf32>
  %s = llm.reshape %s2 : tensor<1x2x1x4x3xf32> to tensor<1x2x4x3xf32>
  %o5 = llm.matmul %q5, %s2 : tensor<1x2x1x?x4xf32, #llm.dims<"1", "2", "1", "t", "4">>, tensor<1x2x1x4x3xf32>
  %o = llm.reshape %o5 : tensor<1x2x1x?x3xf32, #llm.dims<"1", "2", "1", "t", "3">> to tensor<1x2x?x3xf32, #llm.dims<"1", "2", "t", "3">>
  return %o, %s : tensor<1x2x?x3xf32, #llm.dims<"1", "2", "t", "3">>, tensor<1x2x4x3xf32>
}

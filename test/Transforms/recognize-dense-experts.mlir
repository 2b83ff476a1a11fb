// RUN: llmc-opt %s --llmc-recognize-experts --cse | FileCheck %s

// Sums over stacked experts, each computed for all tokens.
!x = tensor<?x4xf32, #llm.dims<"t", "4">>
!x1 = tensor<1x?x4xf32, #llm.dims<"1", "t", "4">>
!xe = tensor<3x?x4xf32, #llm.dims<"3", "t", "4">>
!y = tensor<?x5xf32, #llm.dims<"t", "5">>
!h = tensor<3x?x5xf32, #llm.dims<"3", "t", "5">>
!th = tensor<?x3x5xf32, #llm.dims<"t", "3", "5">>
!tc = tensor<?x3x1xf32, #llm.dims<"t", "3", "1">>
!scores = tensor<?x3xf32, #llm.dims<"t", "3">>
!ids = tensor<?x2xi64, #llm.dims<"t", "2">>
!best = tensor<?x2xf32, #llm.dims<"t", "2">>
!column = tensor<3x?x1xf32, #llm.dims<"3", "t", "1">>

// The weights stand behind the experts.
// CHECK-LABEL: func @weight_behind
// CHECK: llm.expert_linear {{.*}}tensor<?x2xi64, {{.*}}>, tensor<3x4x5xf32>) -> tensor<?x2x5xf32
// CHECK-NOT: llm.matmul
// CHECK: llm.reduce sum %{{[0-9]+}} [1]
// CHECK: return
func.func @weight_behind(%x: !x, %scores: !scores) -> !y {
  %w = llm.constant dense<1.0> : tensor<3x4x5xf32>
  %fill = llm.constant dense<0.0> : tensor<f32>
  %ids = llm.top_k_indices 1 %scores "2" {largest} : !scores
  %best = llm.gather_elements 1 %scores, %ids : !scores, !ids
  %filled = llm.broadcast %fill : tensor<f32> to !scores
  %dense = llm.scatter_elements replace 1 %filled, %ids, %best : !scores, !ids, !best
  %turned = llm.transpose %dense [1, 0] : !scores
  %column = llm.reshape %turned : tensor<3x?xf32, #llm.dims<"3", "t">> to !column
  %x1 = llm.reshape %x : !x to !x1
  %h = llm.matmul %x1, %w : !x1, tensor<3x4x5xf32>
  %z = llm.binary mul %h, %column : !h, !column
  %y = llm.reduce sum %z [0] {keepdims = false} : !h
  return %y : !y
}

// Matrices of few bits, dequantised with a scale and a zero point for each output of each expert.
// CHECK-LABEL: func @few_bits
// CHECK: llm.expert_linear {{.*}} zero_points {{.*}} {bits = 8 : i64, columns = 4 : i64, group_size = 32 : i64} : (tensor<?x4xf32, {{.*}}>, tensor<?x2xi64, {{.*}}>, tensor<3x5x1x32xui8>, tensor<3x5x1xf32>, tensor<3x5x1xui8>) -> tensor<?x2x5xf32
// CHECK-NOT: llm.matmul
// CHECK: return
func.func @few_bits(%x: !x, %scores: !scores) -> !y {
  %q = llm.constant dense<7> : tensor<3x4x5xi8>
  %scale = llm.constant dense<0.5> : tensor<3x1x5xf32>
  %zero = llm.constant dense<-3.0> : tensor<3x1x5xf32>
  %numbers = llm.cast %q : tensor<3x4x5xi8> to tensor<3x4x5xf32>
  %centred = llm.binary sub %numbers, %zero : tensor<3x4x5xf32>, tensor<3x1x5xf32>
  %w = llm.binary mul %centred, %scale : tensor<3x4x5xf32>, tensor<3x1x5xf32>
  %fill = llm.constant dense<0.0> : tensor<f32>
  %ids = llm.top_k_indices 1 %scores "2" {largest} : !scores
  %best = llm.gather_elements 1 %scores, %ids : !scores, !ids
  %filled = llm.broadcast %fill : tensor<f32> to !scores
  %dense = llm.scatter_elements replace 1 %filled, %ids, %best : !scores, !ids, !best
  %turned = llm.transpose %dense [1, 0] : !scores
  %column = llm.reshape %turned : tensor<3x?xf32, #llm.dims<"3", "t">> to !column
  %x1 = llm.reshape %x : !x to !x1
  %h = llm.matmul %x1, %w : !x1, tensor<3x4x5xf32>
  %z = llm.binary mul %h, %column : !h, !column
  %y = llm.reduce sum %z [0] {keepdims = false} : !h
  return %y : !y
}

// Experts come after tokens in the sum.
// CHECK-LABEL: func @tokens_first
// CHECK: llm.expert_linear {{.*}}tensor<?x2xi64, {{.*}}>, tensor<3x4x5xf32>) -> tensor<?x2x5xf32
// CHECK-NOT: llm.matmul
// CHECK: llm.reduce sum %{{[0-9]+}} [1]
// CHECK: return
func.func @tokens_first(%x: !x, %scores: !scores) -> !y {
  %w = llm.constant dense<1.0> : tensor<3x4x5xf32>
  %fill = llm.constant dense<0.0> : tensor<f32>
  %ids = llm.top_k_indices 1 %scores "2" {largest} : !scores
  %best = llm.gather_elements 1 %scores, %ids : !scores, !ids
  %filled = llm.broadcast %fill : tensor<f32> to !scores
  %dense = llm.scatter_elements replace 1 %filled, %ids, %best : !scores, !ids, !best
  %turned = llm.transpose %dense [1, 0] : !scores
  %column = llm.reshape %turned : tensor<3x?xf32, #llm.dims<"3", "t">> to !column
  %x1 = llm.reshape %x : !x to !x1
  %h = llm.matmul %x1, %w : !x1, tensor<3x4x5xf32>
  %t = llm.transpose %h [1, 0, 2] : !h
  %c = llm.reshape %dense : !scores to !tc
  %z = llm.binary mul %t, %c : !th, !tc
  %y = llm.reduce sum %z [1] {keepdims = false} : !th
  return %y : !y
}

// An input of zero stays zero through products and silu.
// CHECK-LABEL: func @weight_before
// CHECK: llm.expert_linear {{.*}}tensor<?x2xi64, {{.*}}>, tensor<3x4x5xf32>) -> tensor<?x2x5xf32
// CHECK-NOT: llm.matmul
// CHECK: llm.reduce sum %{{[0-9]+}} [1]
// CHECK: return
func.func @weight_before(%x: !x, %scores: !scores) -> !y {
  %w = llm.constant dense<1.0> : tensor<3x4x5xf32>
  %fill = llm.constant dense<0.0> : tensor<f32>
  %ids = llm.top_k_indices 1 %scores "2" {largest} : !scores
  %best = llm.gather_elements 1 %scores, %ids : !scores, !ids
  %filled = llm.broadcast %fill : tensor<f32> to !scores
  %dense = llm.scatter_elements replace 1 %filled, %ids, %best : !scores, !ids, !best
  %turned = llm.transpose %dense [1, 0] : !scores
  %column = llm.reshape %turned : tensor<3x?xf32, #llm.dims<"3", "t">> to !column
  %x1 = llm.reshape %x : !x to !x1
  %xw = llm.binary mul %x1, %column : !x1, !column
  %h = llm.matmul %xw, %w : !xe, tensor<3x4x5xf32>
  %a = llm.unary silu %h : !h
  %y = llm.reduce sum %a [0] {keepdims = false} : !h
  return %y : !y
}

// Every expert adds its bias.
// CHECK-LABEL: func @bias_behind_weight
// CHECK-NOT: llm.expert_linear
// CHECK: return
func.func @bias_behind_weight(%x: !x, %scores: !scores) -> !y {
  %w = llm.constant dense<1.0> : tensor<3x4x5xf32>
  %fill = llm.constant dense<0.0> : tensor<f32>
  %ids = llm.top_k_indices 1 %scores "2" {largest} : !scores
  %best = llm.gather_elements 1 %scores, %ids : !scores, !ids
  %filled = llm.broadcast %fill : tensor<f32> to !scores
  %dense = llm.scatter_elements replace 1 %filled, %ids, %best : !scores, !ids, !best
  %turned = llm.transpose %dense [1, 0] : !scores
  %column = llm.reshape %turned : tensor<3x?xf32, #llm.dims<"3", "t">> to !column
  %x1 = llm.reshape %x : !x to !x1
  %xw = llm.binary mul %x1, %column : !x1, !column
  %h = llm.matmul %xw, %w : !xe, tensor<3x4x5xf32>
  %b = llm.constant dense<[[[1.0, 2.0, 3.0, 4.0, 5.0]], [[1.0, 2.0, 3.0, 4.0, 5.0]], [[1.0, 2.0, 3.0, 4.0, 6.0]]]> : tensor<3x1x5xf32>
  %a = llm.binary add %h, %b : !h, tensor<3x1x5xf32>
  %y = llm.reduce sum %a [0] {keepdims = false} : !h
  return %y : !y
}

// A sigmoid of zero is not zero.
// CHECK-LABEL: func @sigmoid_behind_weight
// CHECK-NOT: llm.expert_linear
// CHECK: return
func.func @sigmoid_behind_weight(%x: !x, %scores: !scores) -> !y {
  %w = llm.constant dense<1.0> : tensor<3x4x5xf32>
  %fill = llm.constant dense<0.0> : tensor<f32>
  %ids = llm.top_k_indices 1 %scores "2" {largest} : !scores
  %best = llm.gather_elements 1 %scores, %ids : !scores, !ids
  %filled = llm.broadcast %fill : tensor<f32> to !scores
  %dense = llm.scatter_elements replace 1 %filled, %ids, %best : !scores, !ids, !best
  %turned = llm.transpose %dense [1, 0] : !scores
  %column = llm.reshape %turned : tensor<3x?xf32, #llm.dims<"3", "t">> to !column
  %x1 = llm.reshape %x : !x to !x1
  %xw = llm.binary mul %x1, %column : !x1, !column
  %h = llm.matmul %xw, %w : !xe, tensor<3x4x5xf32>
  %a = llm.unary sigmoid %h : !h
  %y = llm.reduce sum %a [0] {keepdims = false} : !h
  return %y : !y
}

// Experts that were not chosen have a weight, too.
// CHECK-LABEL: func @filled
// CHECK-NOT: llm.expert_linear
// CHECK: return
func.func @filled(%x: !x, %scores: !scores) -> !y {
  %w = llm.constant dense<1.0> : tensor<3x4x5xf32>
  %fill = llm.constant dense<0.5> : tensor<f32>
  %ids = llm.top_k_indices 1 %scores "2" {largest} : !scores
  %best = llm.gather_elements 1 %scores, %ids : !scores, !ids
  %filled = llm.broadcast %fill : tensor<f32> to !scores
  %dense = llm.scatter_elements replace 1 %filled, %ids, %best : !scores, !ids, !best
  %turned = llm.transpose %dense [1, 0] : !scores
  %column = llm.reshape %turned : tensor<3x?xf32, #llm.dims<"3", "t">> to !column
  %x1 = llm.reshape %x : !x to !x1
  %h = llm.matmul %x1, %w : !x1, tensor<3x4x5xf32>
  %z = llm.binary mul %h, %column : !h, !column
  %y = llm.reduce sum %z [0] {keepdims = false} : !h
  return %y : !y
}

// Division by the weights.
// CHECK-LABEL: func @divided
// CHECK-NOT: llm.expert_linear
// CHECK: return
func.func @divided(%x: !x, %scores: !scores) -> !y {
  %w = llm.constant dense<1.0> : tensor<3x4x5xf32>
  %fill = llm.constant dense<0.0> : tensor<f32>
  %ids = llm.top_k_indices 1 %scores "2" {largest} : !scores
  %best = llm.gather_elements 1 %scores, %ids : !scores, !ids
  %filled = llm.broadcast %fill : tensor<f32> to !scores
  %dense = llm.scatter_elements replace 1 %filled, %ids, %best : !scores, !ids, !best
  %turned = llm.transpose %dense [1, 0] : !scores
  %column = llm.reshape %turned : tensor<3x?xf32, #llm.dims<"3", "t">> to !column
  %x1 = llm.reshape %x : !x to !x1
  %h = llm.matmul %x1, %w : !x1, tensor<3x4x5xf32>
  %z = llm.binary div %h, %column : !h, !column
  %y = llm.reduce sum %z [0] {keepdims = false} : !h
  return %y : !y
}

// A mean is divided by the number of all experts.
// CHECK-LABEL: func @mean
// CHECK-NOT: llm.expert_linear
// CHECK: return
func.func @mean(%x: !x, %scores: !scores) -> !y {
  %w = llm.constant dense<1.0> : tensor<3x4x5xf32>
  %fill = llm.constant dense<0.0> : tensor<f32>
  %ids = llm.top_k_indices 1 %scores "2" {largest} : !scores
  %best = llm.gather_elements 1 %scores, %ids : !scores, !ids
  %filled = llm.broadcast %fill : tensor<f32> to !scores
  %dense = llm.scatter_elements replace 1 %filled, %ids, %best : !scores, !ids, !best
  %turned = llm.transpose %dense [1, 0] : !scores
  %column = llm.reshape %turned : tensor<3x?xf32, #llm.dims<"3", "t">> to !column
  %x1 = llm.reshape %x : !x to !x1
  %h = llm.matmul %x1, %w : !x1, tensor<3x4x5xf32>
  %z = llm.binary mul %h, %column : !h, !column
  %y = llm.reduce mean %z [0] {keepdims = false} : !h
  return %y : !y
}

// RUN: llmc-opt %s --llmc-recognize-linear-attention --llmc-fold-constants | FileCheck %s
// Recurrences of narrow floats are computed in f32.
// RUN: sed s/f32/f16/g %s | llmc-opt - --llmc-recognize-linear-attention --llmc-fold-constants | FileCheck %s --check-prefix=NARROW
// RUN: sed s/f32/bf16/g %s | llmc-opt - --llmc-recognize-linear-attention --llmc-fold-constants | FileCheck %s --check-prefix=NARROW

// Linear attention without decay over one chunk: what the past says, and the masked
// products within the chunk.
// CHECK-LABEL: func @one_chunk
// NARROW-LABEL: func @one_chunk
// NARROW: llm.linear_attention
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
// NARROW-LABEL: func @no_recurrence
// NARROW-NOT: llm.linear_attention
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

// One token of a selective scan as exporters of Mamba write a step: decays are
// exponentials of a step size per channel times a constant per channel and state.
// CHECK-LABEL: func @selective_scan_step
// NARROW-LABEL: func @selective_scan_step
// NARROW: llm.linear_attention
// CHECK-SAME: (%[[DT:[^:]*]]: {{.*}}, %[[X:[^:]*]]: {{.*}}, %[[B:[^:]*]]: {{.*}}, %[[C:[^:]*]]: {{.*}}, %[[PAST:[^:]*]]: tensor
// CHECK: %[[A:.*]] = llm.constant dense<{{\[\[}}[-1.000000e+00, -3.000000e+00, -5.000000e+00], [-2.000000e+00, -4.000000e+00, -6.000000e+00]]]> : tensor<1x2x3xf32>
// CHECK: %[[O:.*]], %[[S:.*]] = llm.linear_attention {{.*}} decay {{.*}} rates %[[A]] past {{.*}} {scale = 1.000000e+00 : f64}
// CHECK-SAME: (tensor<?x1x1x3xf32, {{.*}}>, tensor<?x1x2x3xf32, {{.*}}>)
!wide = tensor<?x3x1xf32, #llm.dims<"b", "3", "1">>
!narrow = tensor<?x1x2xf32, #llm.dims<"b", "1", "2">>
!scan = tensor<?x3x2xf32, #llm.dims<"b", "3", "2">>
func.func @selective_scan_step(%dt: !wide, %x: !wide, %b: !narrow, %c: !narrow, %past: !scan) -> (!wide, !scan) {
  %a = llm.constant dense<[[-1.0, -2.0], [-3.0, -4.0], [-5.0, -6.0]]> : tensor<3x2xf32>
  %exponent = llm.binary mul %dt, %a : !wide, tensor<3x2xf32>
  %factor = llm.unary exp %exponent : !scan
  %db = llm.binary mul %dt, %b : !wide, !narrow
  %dbx = llm.binary mul %db, %x : !scan, !wide
  %kept = llm.binary mul %factor, %past : !scan, !scan
  %state = llm.binary add %kept, %dbx : !scan, !scan
  %ct = llm.reshape %c : !narrow to tensor<?x2x1xf32, #llm.dims<"b", "2", "1">>
  %y = llm.matmul %state, %ct : !scan, tensor<?x2x1xf32, #llm.dims<"b", "2", "1">>
  return %y, %state : !wide, !scan
}

// The same with one decay per head, as Mamba 2 writes a step: the state is [Dv, Dk].
// CHECK-LABEL: func @state_space_step
// NARROW-LABEL: func @state_space_step
// NARROW: llm.linear_attention
// CHECK: %[[FACTOR:.*]] = llm.constant dense<{{.*}}> : tensor<2x1x1xf32>
// CHECK: %[[DECAY:.*]] = llm.binary mul {{.*}}, %[[FACTOR]]
// CHECK: llm.linear_attention {{.*}} decay %[[DECAY]] past {{.*}} {scale = 1.000000e+00 : f64}
// CHECK-NOT: llm.unary exp
!dt = tensor<?x2x1x1xf32, #llm.dims<"b", "2", "1", "1">>
!xs = tensor<?x2x3x1xf32, #llm.dims<"b", "2", "3", "1">>
!bs = tensor<?x2x1x4xf32, #llm.dims<"b", "2", "1", "4">>
!ss = tensor<?x2x3x4xf32, #llm.dims<"b", "2", "3", "4">>
func.func @state_space_step(%dt: !dt, %x: !xs, %b: !bs, %c: !bs, %past: !ss) -> (tensor<?x2x3xf32, #llm.dims<"b", "2", "3">>, !ss) {
  %a = llm.constant dense<[[[-1.0]], [[-0.5]]]> : tensor<2x1x1xf32>
  %exponent = llm.binary mul %dt, %a : !dt, tensor<2x1x1xf32>
  %factor = llm.unary exp %exponent : !dt
  %dx = llm.binary mul %dt, %x : !dt, !xs
  %new = llm.binary mul %dx, %b : !xs, !bs
  %kept = llm.binary mul %past, %factor : !ss, !dt
  %state = llm.binary add %kept, %new : !ss, !ss
  %read = llm.binary mul %state, %c : !ss, !bs
  %y = llm.reduce sum %read [3] {keepdims = false} : !ss
  return %y, %state : tensor<?x2x3xf32, #llm.dims<"b", "2", "3">>, !ss
}

// One step of the gated delta rule; the factor is no exponential, so its logarithm decays.
// CHECK-LABEL: func @gated_delta_step
// NARROW-LABEL: func @gated_delta_step
// NARROW: llm.linear_attention
// CHECK: %[[LOG:.*]] = llm.unary log
// CHECK: llm.linear_attention {{.*}} decay %[[LOG]] beta {{.*}} past {{.*}} {delta, scale = 1.000000e+00 : f64}
!g = tensor<?x2x1x1xf32, #llm.dims<"b", "2", "1", "1">>
!k = tensor<?x2x4x1xf32, #llm.dims<"b", "2", "4", "1">>
!v = tensor<?x2x1x3xf32, #llm.dims<"b", "2", "1", "3">>
!m = tensor<?x2x4x3xf32, #llm.dims<"b", "2", "4", "3">>
func.func @gated_delta_step(%q: !k, %k: !k, %v: !v, %g: !g, %beta: !g, %past: !m) -> (!v, !m) {
  %factor = llm.unary sigmoid %g : !g
  %kept = llm.binary mul %past, %factor : !m, !g
  %seen = llm.binary mul %kept, %k : !m, !k
  %predicted = llm.reduce sum %seen [2] {keepdims = true} : !m
  %error = llm.binary sub %v, %predicted : !v, !v
  %u = llm.binary mul %error, %beta : !v, !g
  %new = llm.binary mul %k, %u : !k, !v
  %state = llm.binary add %kept, %new : !m, !m
  %read = llm.binary mul %state, %q : !m, !k
  %o = llm.reduce sum %read [2] {keepdims = true} : !m
  return %o, %state : !v, !m
}

// Two tokens unrolled from zeros; the value skips the recurrence besides.
// CHECK-LABEL: func @unrolled_from_zeros
// NARROW-LABEL: func @unrolled_from_zeros
// NARROW: llm.linear_attention
// CHECK: %[[O:.*]], %{{.*}} = llm.linear_attention {{.*}} decay {{.*}} rates
// CHECK-NOT: past
// CHECK-NOT: llm.unary exp
!two = tensor<1x2x3xf32>
func.func @unrolled_from_zeros(%ids: tensor<1x2xi64>, %dt: !two, %x: !two, %b: tensor<1x2x4xf32>, %c: tensor<1x2x4xf32>) -> !two {
  %a = llm.constant dense<[[-1.0, -2.0, -3.0, -4.0], [-1.5, -2.5, -3.5, -4.5], [-0.5, -0.25, -1.0, -2.0]]> : tensor<3x4xf32>
  %dt4 = llm.reshape %dt : !two to tensor<1x2x3x1xf32>
  %x4 = llm.reshape %x : !two to tensor<1x2x3x1xf32>
  %b4 = llm.reshape %b : tensor<1x2x4xf32> to tensor<1x2x1x4xf32>
  %exponent = llm.binary mul %dt4, %a : tensor<1x2x3x1xf32>, tensor<3x4xf32>
  %factors = llm.unary exp %exponent : tensor<1x2x3x4xf32>
  %dx = llm.binary mul %dt4, %x4 : tensor<1x2x3x1xf32>, tensor<1x2x3x1xf32>
  %news = llm.binary mul %dx, %b4 : tensor<1x2x3x1xf32>, tensor<1x2x1x4xf32>
  %new0 = llm.slice %news ["0", "0", "0", "0"] [1, 1, 1, 1] : tensor<1x2x3x4xf32> to tensor<1x1x3x4xf32>
  %new1 = llm.slice %news ["0", "1", "0", "0"] [1, 1, 1, 1] : tensor<1x2x3x4xf32> to tensor<1x1x3x4xf32>
  %factor1 = llm.slice %factors ["0", "1", "0", "0"] [1, 1, 1, 1] : tensor<1x2x3x4xf32> to tensor<1x1x3x4xf32>
  %kept = llm.binary mul %new0, %factor1 : tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>
  %s1 = llm.binary add %kept, %new1 : tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>
  %c0 = llm.slice %c ["0", "0", "0"] [1, 1, 1] : tensor<1x2x4xf32> to tensor<1x1x4xf32>
  %c1 = llm.slice %c ["0", "1", "0"] [1, 1, 1] : tensor<1x2x4xf32> to tensor<1x1x4xf32>
  %ct0 = llm.reshape %c0 : tensor<1x1x4xf32> to tensor<1x1x4x1xf32>
  %ct1 = llm.reshape %c1 : tensor<1x1x4xf32> to tensor<1x1x4x1xf32>
  %y0 = llm.matmul %new0, %ct0 : tensor<1x1x3x4xf32>, tensor<1x1x4x1xf32>
  %y1 = llm.matmul %s1, %ct1 : tensor<1x1x3x4xf32>, tensor<1x1x4x1xf32>
  %y = llm.concat 1 (%y0, %y1) : tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>
  %y3 = llm.reshape %y : tensor<1x2x3x1xf32> to !two
  %d = llm.constant dense<[0.5, 0.25, 2.0]> : tensor<3xf32>
  %skip = llm.binary mul %x, %d : !two, tensor<3xf32>
  %sum = llm.binary add %y3, %skip : !two, !two
  return %sum : !two
}

// A step that forgets twice is no known recurrence.
// CHECK-LABEL: func @unknown_step
// NARROW-LABEL: func @unknown_step
// NARROW-NOT: llm.linear_attention
// CHECK-NOT: llm.linear_attention
func.func @unknown_step(%dt: !wide, %x: !wide, %b: !narrow, %c: !narrow, %past: !scan) -> (!wide, !scan) {
  %a = llm.constant dense<[[-1.0, -2.0], [-3.0, -4.0], [-5.0, -6.0]]> : tensor<3x2xf32>
  %exponent = llm.binary mul %dt, %a : !wide, tensor<3x2xf32>
  %factor = llm.unary exp %exponent : !scan
  %db = llm.binary mul %dt, %b : !wide, !narrow
  %dbx = llm.binary mul %db, %x : !scan, !wide
  %sum = llm.binary add %past, %dbx : !scan, !scan
  %state = llm.binary mul %factor, %sum : !scan, !scan
  %ct = llm.reshape %c : !narrow to tensor<?x2x1xf32, #llm.dims<"b", "2", "1">>
  %y = llm.matmul %state, %ct : !scan, tensor<?x2x1xf32, #llm.dims<"b", "2", "1">>
  return %y, %state : !wide, !scan
}

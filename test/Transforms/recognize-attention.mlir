// RUN: llmc-opt %s -llmc-recognize-attention -split-input-file | FileCheck %s

!q = tensor<?x4x?x8xf32, #llm.dims<"b", "4", "s", "8">>
!kv = tensor<?x2x?x8xf32, #llm.dims<"b", "2", "p + s", "8">>
!scores = tensor<?x4x?x?xf32, #llm.dims<"b", "4", "s", "p + s">>

// The scale on both sides, repeated heads, a causal mask with padding of -inf,
// and a guard against rows without keys.
// CHECK-LABEL: func.func @decomposed(
// CHECK-SAME: %[[Q:[a-z0-9]+]]: {{[^)]*}} %[[K:[a-z0-9]+]]: {{[^)]*}} %[[V:[a-z0-9]+]]: {{[^)]*}} %[[MASK:[a-z0-9]+]]: tensor<?x?xi64
// CHECK: %[[IS_KEY:.+]] = llm.compare ne %[[MASK]]
// CHECK: %[[KEYS:.+]] = llm.reshape %[[IS_KEY]] : {{.*}} to tensor<?x1x1x?xi1, #llm.dims<"b", "1", "1", "p + s">>
// CHECK: %[[BIAS:.+]] = llm.select %[[KEYS]]
// CHECK: llm.attention %[[Q]], %[[K]], %[[V]] bias %[[BIAS]] {causal, scale = 2.500000e-01 : f64}
// CHECK-NOT: llm.softmax
func.func @decomposed(%q: !q, %k: !kv, %v: !kv,
    %mask: tensor<?x?xi64, #llm.dims<"m0", "m1">>) -> !q {
  %half = llm.constant dense<0.5> : tensor<f32>
  %zero = llm.constant dense<0.0> : tensor<f32>
  %inf = llm.constant dense<0xFF800000> : tensor<f32>
  %rows = llm.iota {start = "p", step = "1", dim = 0} : tensor<?x1xi64, #llm.dims<"s", "1">>
  %cols = llm.iota {start = "0", step = "1", dim = 1} : tensor<1x?xi64, #llm.dims<"1", "p + s">>
  %le = llm.compare le %cols, %rows : tensor<1x?xi64, #llm.dims<"1", "p + s">>, tensor<?x1xi64, #llm.dims<"s", "1">>
  %bool = llm.cast %mask : tensor<?x?xi64, #llm.dims<"m0", "m1">> to tensor<?x?xi1, #llm.dims<"m0", "m1">>
  %key = llm.reshape %bool : tensor<?x?xi1, #llm.dims<"m0", "m1">> to tensor<?x1x1x?xi1, #llm.dims<"b", "1", "1", "p + s">>
  %both = llm.binary logical_and %le, %key : tensor<?x?xi1, #llm.dims<"s", "p + s">>, tensor<?x1x1x?xi1, #llm.dims<"b", "1", "1", "p + s">>
  %add = llm.select %both, %zero, %inf : tensor<?x1x?x?xi1, #llm.dims<"b", "1", "s", "p + s">>, tensor<f32>, tensor<f32>
  %k5 = llm.reshape %k : !kv to tensor<?x2x1x?x8xf32, #llm.dims<"b", "2", "1", "p + s", "8">>
  %kb = llm.broadcast %k5 : tensor<?x2x1x?x8xf32, #llm.dims<"b", "2", "1", "p + s", "8">> to tensor<?x2x2x?x8xf32, #llm.dims<"b", "2", "2", "p + s", "8">>
  %k4 = llm.reshape %kb : tensor<?x2x2x?x8xf32, #llm.dims<"b", "2", "2", "p + s", "8">> to tensor<?x4x?x8xf32, #llm.dims<"b", "4", "p + s", "8">>
  %v5 = llm.reshape %v : !kv to tensor<?x2x1x?x8xf32, #llm.dims<"b", "2", "1", "p + s", "8">>
  %vb = llm.broadcast %v5 : tensor<?x2x1x?x8xf32, #llm.dims<"b", "2", "1", "p + s", "8">> to tensor<?x2x2x?x8xf32, #llm.dims<"b", "2", "2", "p + s", "8">>
  %v4 = llm.reshape %vb : tensor<?x2x2x?x8xf32, #llm.dims<"b", "2", "2", "p + s", "8">> to tensor<?x4x?x8xf32, #llm.dims<"b", "4", "p + s", "8">>
  %kt = llm.transpose %k4 [0, 1, 3, 2] : tensor<?x4x?x8xf32, #llm.dims<"b", "4", "p + s", "8">>
  %qs = llm.binary mul %q, %half : !q, tensor<f32>
  %ks = llm.binary mul %kt, %half : tensor<?x4x8x?xf32, #llm.dims<"b", "4", "8", "p + s">>, tensor<f32>
  %qk = llm.matmul %qs, %ks : !q, tensor<?x4x8x?xf32, #llm.dims<"b", "4", "8", "p + s">>
  %masked = llm.binary add %qk, %add : !scores, tensor<?x1x?x?xf32, #llm.dims<"b", "1", "s", "p + s">>
  %p = llm.softmax 3 %masked : !scores
  %nan = llm.unary is_nan %p : !scores
  %guarded = llm.select %nan, %zero, %p : tensor<?x4x?x?xi1, #llm.dims<"b", "4", "s", "p + s">>, tensor<f32>, !scores
  %out = llm.matmul %guarded, %v4 : !scores, tensor<?x4x?x8xf32, #llm.dims<"b", "4", "p + s", "8">>
  return %out : !q
}

// -----

!q = tensor<?x4x?x8xf32, #llm.dims<"b", "4", "s", "8">>
!scores = tensor<?x4x?x?xf32, #llm.dims<"b", "4", "s", "s">>

// A window of 3 with a replaced score, a softcap, and a division.
// CHECK-LABEL: func.func @window(
// CHECK: llm.attention %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %{{[a-z0-9]+}} {causal, scale = 5.000000e-01 : f64, softcap = 3.000000e+01 : f64, window = 3 : i64}
func.func @window(%q: !q, %k: !q, %v: !q) -> !q {
  %two = llm.constant dense<2.0> : tensor<f32>
  %cap = llm.constant dense<30.0> : tensor<f32>
  %big = llm.constant dense<-3.4028234663852886e+38> : tensor<f32>
  %w = llm.constant dense<3> : tensor<i64>
  %rows = llm.iota {start = "0", step = "1", dim = 0} : tensor<?x1xi64, #llm.dims<"s", "1">>
  %cols = llm.iota {start = "0", step = "1", dim = 1} : tensor<1x?xi64, #llm.dims<"1", "s">>
  %le = llm.compare le %cols, %rows : tensor<1x?xi64, #llm.dims<"1", "s">>, tensor<?x1xi64, #llm.dims<"s", "1">>
  %first = llm.binary sub %rows, %w : tensor<?x1xi64, #llm.dims<"s", "1">>, tensor<i64>
  %gt = llm.compare gt %cols, %first : tensor<1x?xi64, #llm.dims<"1", "s">>, tensor<?x1xi64, #llm.dims<"s", "1">>
  %both = llm.binary logical_and %le, %gt : tensor<?x?xi1, #llm.dims<"s", "s">>, tensor<?x?xi1, #llm.dims<"s", "s">>
  %kt = llm.transpose %k [0, 1, 3, 2] : !q
  %qk = llm.matmul %q, %kt : !q, tensor<?x4x8x?xf32, #llm.dims<"b", "4", "8", "s">>
  %scaled = llm.binary div %qk, %two : !scores, tensor<f32>
  %d = llm.binary div %scaled, %cap : !scores, tensor<f32>
  %t = llm.unary tanh %d : !scores
  %capped = llm.binary mul %t, %cap : !scores, tensor<f32>
  %masked = llm.select %both, %capped, %big : tensor<?x?xi1, #llm.dims<"s", "s">>, !scores, tensor<f32>
  %p = llm.softmax 3 %masked : !scores
  %out = llm.matmul %p, %v : !scores, !q
  return %out : !q
}

// -----

!q = tensor<2x4x3x8xf32>
!scores = tensor<2x4x3x3xf32>

// Scores that are kept above the lowest number are those scores; above zero they are others.
// CHECK-LABEL: func.func @floor(
// CHECK: llm.attention {{.*}}causal
// CHECK-NOT: llm.attention
// CHECK: llm.softmax
func.func @floor(%q: !q, %k: !q, %v: !q) -> (!q, !q) {
  %lowest = llm.constant dense<-3.4028234663852886e+38> : tensor<f32>
  %zero = llm.constant dense<0.0> : tensor<f32>
  %rows = llm.iota {start = "0", step = "1", dim = 0} : tensor<3x1xi64>
  %cols = llm.iota {start = "0", step = "1", dim = 1} : tensor<1x3xi64>
  %le = llm.compare le %cols, %rows : tensor<1x3xi64>, tensor<3x1xi64>
  %mask = llm.select %le, %zero, %lowest : tensor<3x3xi1>, tensor<f32>, tensor<f32>
  %kt = llm.transpose %k [0, 1, 3, 2] : !q
  %qk = llm.matmul %q, %kt : !q, tensor<2x4x8x3xf32>
  %masked = llm.binary add %qk, %mask : !scores, tensor<3x3xf32>
  %kept = llm.binary max %masked, %lowest : !scores, tensor<f32>
  %p0 = llm.softmax 3 %kept : !scores
  %0 = llm.matmul %p0, %v : !scores, !q
  %positive = llm.binary max %masked, %zero : !scores, tensor<f32>
  %p1 = llm.softmax 3 %positive : !scores
  %1 = llm.matmul %p1, %v : !scores, !q
  return %0, %1 : !q, !q
}

// -----

!q = tensor<1x4x?x8xf32, #llm.dims<"1", "4", "s", "8">>

// Attention that was imported as one operation; the guard holds for rows whose
// keys are all masked.
// CHECK-LABEL: func.func @imported(
// CHECK: %[[OUT:.+]] = llm.attention {{.*}} bias %{{.*}} {causal, scale = 1.000000e+00 : f64}
// CHECK-NEXT: return %[[OUT]]
func.func @imported(%q: !q, %k: !q, %v: !q, %mask: tensor<1x?xi1, #llm.dims<"1", "s">>) -> !q {
  %zero = llm.constant dense<0.0> : tensor<f32>
  %one = llm.constant dense<1.0> : tensor<f32>
  %big = llm.constant dense<-3.4028234663852886e+38> : tensor<f32>
  %rows = llm.iota {start = "0", step = "1", dim = 0} : tensor<?x1xi64, #llm.dims<"s", "1">>
  %cols = llm.iota {start = "0", step = "1", dim = 1} : tensor<1x?xi64, #llm.dims<"1", "s">>
  %le = llm.compare le %cols, %rows : tensor<1x?xi64, #llm.dims<"1", "s">>, tensor<?x1xi64, #llm.dims<"s", "1">>
  %both = llm.binary logical_and %le, %mask : tensor<?x?xi1, #llm.dims<"s", "s">>, tensor<1x?xi1, #llm.dims<"1", "s">>
  %bias = llm.select %both, %zero, %big : tensor<?x?xi1, #llm.dims<"s", "s">>, tensor<f32>, tensor<f32>
  %ones = llm.cast %both : tensor<?x?xi1, #llm.dims<"s", "s">> to tensor<?x?xf32, #llm.dims<"s", "s">>
  %count = llm.reduce sum %ones [1] {keepdims = true} : tensor<?x?xf32, #llm.dims<"s", "s">>
  %none = llm.compare lt %count, %one : tensor<?x1xf32, #llm.dims<"s", "1">>, tensor<f32>
  %a = llm.attention %q, %k, %v bias %bias {scale = 1.0 : f64} : (!q, !q, !q, tensor<?x?xf32, #llm.dims<"s", "s">>) -> !q
  %out = llm.select %none, %zero, %a : tensor<?x1xi1, #llm.dims<"s", "1">>, tensor<f32>, !q
  return %out : !q
}

// -----

!q = tensor<1x4x?x8xf32, #llm.dims<"1", "4", "s", "8">>

// A bias that depends on a float input, or that no attribute can say, stays.
// CHECK-LABEL: func.func @kept(
// CHECK-SAME: %[[FLOATS:[a-z0-9]+]]: tensor<1x1x?x?xf32
// CHECK: llm.attention {{.*}} bias %[[FLOATS]] {scale
// CHECK: %[[DISTANCE:.+]] = llm.unary sqrt
// CHECK: llm.attention {{.*}} bias %[[DISTANCE]] {scale
func.func @kept(%q: !q, %floats: tensor<1x1x?x?xf32, #llm.dims<"1", "1", "s", "s">>) -> (!q, !q) {
  %a = llm.attention %q, %q, %q bias %floats {scale = 1.0 : f64} : (!q, !q, !q, tensor<1x1x?x?xf32, #llm.dims<"1", "1", "s", "s">>) -> !q
  %cols = llm.iota {start = "0", step = "1", dim = 1} : tensor<1x?xi64, #llm.dims<"1", "s">>
  %line = llm.cast %cols : tensor<1x?xi64, #llm.dims<"1", "s">> to tensor<1x?xf32, #llm.dims<"1", "s">>
  %distance = llm.unary sqrt %line : tensor<1x?xf32, #llm.dims<"1", "s">>
  %b = llm.attention %q, %q, %q bias %distance {scale = 1.0 : f64} : (!q, !q, !q, tensor<1x?xf32, #llm.dims<"1", "s">>) -> !q
  return %a, %b : !q, !q
}

// -----

!q = tensor<1x4x?x8xf32, #llm.dims<"1", "4", "s", "8">>
!o = tensor<1x?x4x8xf32, #llm.dims<"1", "s", "4", "8">>

// The guard comes behind the transpose to [B, S, H, D].
// CHECK-LABEL: func.func @guard_behind_transpose(
// CHECK: %[[A:.+]] = llm.attention
// CHECK-NEXT: %[[OUT:.+]] = llm.transpose %[[A]] [0, 2, 1, 3]
// CHECK-NEXT: return %[[OUT]]
func.func @guard_behind_transpose(%q: !q, %k: !q, %v: !q, %mask: tensor<1x?xi1, #llm.dims<"1", "s">>) -> !o {
  %zero = llm.constant dense<0.0> : tensor<f32>
  %one = llm.constant dense<1.0> : tensor<f32>
  %big = llm.constant dense<-3.4028234663852886e+38> : tensor<f32>
  %rows = llm.iota {start = "0", step = "1", dim = 2} : tensor<1x1x?x1xi64, #llm.dims<"1", "1", "s", "1">>
  %cols = llm.iota {start = "0", step = "1", dim = 1} : tensor<1x?xi64, #llm.dims<"1", "s">>
  %le = llm.compare le %cols, %rows : tensor<1x?xi64, #llm.dims<"1", "s">>, tensor<1x1x?x1xi64, #llm.dims<"1", "1", "s", "1">>
  %both = llm.binary logical_and %le, %mask : tensor<1x1x?x?xi1, #llm.dims<"1", "1", "s", "s">>, tensor<1x?xi1, #llm.dims<"1", "s">>
  %bias = llm.select %both, %zero, %big : tensor<1x1x?x?xi1, #llm.dims<"1", "1", "s", "s">>, tensor<f32>, tensor<f32>
  %ones = llm.cast %both : tensor<1x1x?x?xi1, #llm.dims<"1", "1", "s", "s">> to tensor<1x1x?x?xf32, #llm.dims<"1", "1", "s", "s">>
  %count = llm.reduce sum %ones [3] {keepdims = true} : tensor<1x1x?x?xf32, #llm.dims<"1", "1", "s", "s">>
  %none = llm.compare lt %count, %one : tensor<1x1x?x1xf32, #llm.dims<"1", "1", "s", "1">>, tensor<f32>
  %a = llm.attention %q, %k, %v bias %bias {scale = 1.0 : f64} : (!q, !q, !q, tensor<1x1x?x?xf32, #llm.dims<"1", "1", "s", "s">>) -> !q
  %t = llm.transpose %a [0, 2, 1, 3] : !q
  %n = llm.reshape %none : tensor<1x1x?x1xi1, #llm.dims<"1", "1", "s", "1">> to tensor<1x?x1x1xi1, #llm.dims<"1", "s", "1", "1">>
  %out = llm.select %n, %zero, %t : tensor<1x?x1x1xi1, #llm.dims<"1", "s", "1", "1">>, tensor<f32>, !o
  return %out : !o
}

// -----

!q = tensor<2x4x3x8xf32>

// Sinks that were folded to [1, H, 1, 1], and their column taken off behind a softmax
// of shifted rows.
// CHECK-LABEL: func.func @folded_sinks(
// CHECK: %[[SINKS:.+]] = llm.reshape %{{.*}} : tensor<1x4x1x1xf32> to tensor<4xf32>
// CHECK: llm.attention %arg0, %arg0, %arg0 sinks %[[SINKS]] {scale = 1.000000e+00 : f64}
// CHECK-NOT: llm.softmax
func.func @folded_sinks(%q: !q) -> !q {
  %sinks = llm.constant dense<[[[[1.0]], [[2.0]], [[3.0]], [[4.0]]]]> : tensor<1x4x1x1xf32>
  %kt = llm.transpose %q [0, 1, 3, 2] : !q
  %s = llm.matmul %q, %kt : !q, tensor<2x4x8x3xf32>
  %column = llm.broadcast %sinks : tensor<1x4x1x1xf32> to tensor<2x4x3x1xf32>
  %joined = llm.concat 3 (%s, %column) : tensor<2x4x3x3xf32>, tensor<2x4x3x1xf32>
  %max = llm.reduce max %joined [3] {keepdims = true} : tensor<2x4x3x4xf32>
  %shifted = llm.binary sub %joined, %max : tensor<2x4x3x4xf32>, tensor<2x4x3x1xf32>
  %p = llm.softmax 3 %shifted : tensor<2x4x3x4xf32>
  %kept = llm.slice %p ["0", "0", "0", "0"] [1, 1, 1, 1] : tensor<2x4x3x4xf32> to tensor<2x4x3x3xf32>
  %o = llm.matmul %kept, %q : tensor<2x4x3x3xf32>, !q
  return %o : !q
}

// -----

!q = tensor<2x4x3x8xf32>

// Every sequence has no past, which the sizes say, too.
// CHECK-LABEL: func.func @known_past(
// CHECK: llm.attention %arg0, %arg0, %arg0 {causal, scale = 1.000000e+00 : f64}
func.func @known_past(%q: !q) -> !q {
  %zero = llm.constant dense<0> : tensor<1xi64>
  %lens = llm.broadcast %zero : tensor<1xi64> to tensor<2xi64>
  %0 = llm.attention %q, %q, %q past_lens %lens {scale = 1.0 : f64, causal} : (!q, !q, !q, tensor<2xi64>) -> !q
  return %0 : !q
}

// -----

// Heads merged with the batch around both products, with a bias of its own per head.
// CHECK-LABEL: func.func @merged_heads(
// CHECK-SAME: %[[Q:[a-z0-9]+]]: {{[^)]*}} %[[K:[a-z0-9]+]]: {{[^)]*}} %[[V:[a-z0-9]+]]: {{[^)]*}} %[[M:[a-z0-9]+]]: tensor<?x1x?xf32
// CHECK: %[[BIAS:.+]] = llm.reshape %[[M]] : {{.*}} to tensor<?x4x1x?xf32, #llm.dims<"b", "4", "1", "t">>
// CHECK: llm.attention %[[Q]], %[[K]], %[[V]] bias %[[BIAS]] {scale = 2.500000e-01 : f64}
// CHECK-NOT: llm.softmax
!q = tensor<?x4x?x8xf32, #llm.dims<"b", "4", "s", "8">>
!kv = tensor<?x4x?x8xf32, #llm.dims<"b", "4", "t", "8">>
!q3 = tensor<?x?x8xf32, #llm.dims<"4 * b", "s", "8">>
!kv3 = tensor<?x?x8xf32, #llm.dims<"4 * b", "t", "8">>
!scores = tensor<?x4x?x?xf32, #llm.dims<"b", "4", "s", "t">>
!scores3 = tensor<?x?x?xf32, #llm.dims<"4 * b", "s", "t">>
!m = tensor<?x1x?xf32, #llm.dims<"4 * b", "1", "t">>
func.func @merged_heads(%q: !q, %k: !kv, %v: !kv, %m: !m) -> !q {
  %c = llm.constant dense<0.25> : tensor<f32>
  %q3 = llm.reshape %q : !q to !q3
  %k3 = llm.reshape %k : !kv to !kv3
  %v3 = llm.reshape %v : !kv to !kv3
  %kt = llm.transpose %k3 [0, 2, 1] : !kv3
  %qk = llm.matmul %q3, %kt : !q3, tensor<?x8x?xf32, #llm.dims<"4 * b", "8", "t">>
  %scaled = llm.binary mul %qk, %c : !scores3, tensor<f32>
  %biased = llm.binary add %scaled, %m : !scores3, !m
  %four = llm.reshape %biased : !scores3 to !scores
  %p = llm.softmax 3 %four : !scores
  %p3 = llm.reshape %p : !scores to !scores3
  %pv = llm.matmul %p3, %v3 : !scores3, !kv3
  %r = llm.reshape %pv : !q3 to !q
  return %r : !q
}

// -----

// A scale outside of the mask holds for the mask, too.
// CHECK-LABEL: func.func @scaled_mask(
// CHECK: %[[BIAS:.+]] = llm.binary mul %{{.*}}, %{{.*}} : tensor<1x4x3x5xf32>, tensor<f32>
// CHECK: llm.attention %{{.*}} bias %[[BIAS]] {scale = 5.000000e-01 : f64}
func.func @scaled_mask(%q: tensor<1x4x3x8xf32>, %k: tensor<1x4x5x8xf32>, %v: tensor<1x4x5x8xf32>,
    %m: tensor<1x4x3x5xf32>) -> tensor<1x4x3x8xf32> {
  %two = llm.constant dense<2.0> : tensor<f32>
  %kt = llm.transpose %k [0, 1, 3, 2] : tensor<1x4x5x8xf32>
  %qk = llm.matmul %q, %kt : tensor<1x4x3x8xf32>, tensor<1x4x8x5xf32>
  %masked = llm.binary add %qk, %m : tensor<1x4x3x5xf32>, tensor<1x4x3x5xf32>
  %scaled = llm.binary div %masked, %two : tensor<1x4x3x5xf32>, tensor<f32>
  %p = llm.softmax 3 %scaled : tensor<1x4x3x5xf32>
  %r = llm.matmul %p, %v : tensor<1x4x3x5xf32>, tensor<1x4x5x8xf32>
  return %r : tensor<1x4x3x8xf32>
}

// -----

!q = tensor<?x2x?x8xf32, #llm.dims<"b", "2", "s", "8">>
!kv = tensor<?x2x?x8xf32, #llm.dims<"b", "2", "p + s", "8">>

// Linear in the key's position, per head, beside a causal mask: slopes. Their distances begin
// elsewhere in each row, which softmax does not see.
// CHECK-LABEL: func.func @slopes(
// CHECK: %[[SLOPES:.+]] = llm.constant dense<[5.000000e-01, -2.500000e-01]> : tensor<2xf32>
// CHECK: llm.attention %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %{{[a-z0-9]+}} slopes %[[SLOPES]] {causal, scale = 5.000000e-01 : f64}
func.func @slopes(%q: !q, %k: !kv, %v: !kv) -> !q {
  %zero = llm.constant dense<0.0> : tensor<f32>
  %inf = llm.constant dense<0xFF800000> : tensor<f32>
  %slopes = llm.constant dense<[[[0.5]], [[-0.25]]]> : tensor<2x1x1xf32>
  %rows = llm.iota {start = "p", step = "1", dim = 0} : tensor<?x1xi64, #llm.dims<"s", "1">>
  %cols = llm.iota {start = "0", step = "1", dim = 1} : tensor<1x?xi64, #llm.dims<"1", "p + s">>
  %back = llm.iota {start = "1 - p - s", step = "1", dim = 1} : tensor<1x?xi64, #llm.dims<"1", "p + s">>
  %future = llm.compare gt %cols, %rows : tensor<1x?xi64, #llm.dims<"1", "p + s">>, tensor<?x1xi64, #llm.dims<"s", "1">>
  %distance = llm.cast %back : tensor<1x?xi64, #llm.dims<"1", "p + s">> to tensor<1x?xf32, #llm.dims<"1", "p + s">>
  %alibi = llm.binary mul %slopes, %distance : tensor<2x1x1xf32>, tensor<1x?xf32, #llm.dims<"1", "p + s">>
  %bias = llm.select %future, %inf, %alibi : tensor<?x?xi1, #llm.dims<"s", "p + s">>, tensor<f32>, tensor<2x1x?xf32, #llm.dims<"2", "1", "p + s">>
  %out = llm.attention %q, %k, %v bias %bias {scale = 0.5 : f64} : (!q, !kv, !kv, tensor<2x?x?xf32, #llm.dims<"2", "s", "p + s">>) -> !q
  return %out : !q
}

// -----

!q = tensor<?x2x?x8xf32, #llm.dims<"b", "2", "s", "8">>
!kv = tensor<?x2x?x8xf32, #llm.dims<"b", "2", "p + s", "8">>
!m = tensor<?x?xi64, #llm.dims<"b", "p + s">>

// Key positions that count a mask's ones are no line where padding is scattered: they stay,
// with the padding. What the mask says becomes an attribute.
// CHECK-LABEL: func.func @counted_keys(
// CHECK-SAME: %[[MASK:[a-z0-9]+]]: tensor<?x?xi64
// CHECK-DAG: %[[IS_KEY:.+]] = llm.compare ne %[[MASK]]
// CHECK-DAG: %[[COUNTED:.+]] = llm.cumulative sum 1 %[[MASK]]
// CHECK: %[[ALIBI:.+]] = llm.binary mul
// CHECK: %[[BIAS:.+]] = llm.binary add %[[ALIBI]], %{{.+}} : tensor<?x2x1x?xf32
// CHECK: llm.attention %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %{{[a-z0-9]+}} bias %[[BIAS]] {causal, scale = 5.000000e-01 : f64}
func.func @counted_keys(%q: !q, %k: !kv, %v: !kv, %mask: !m) -> !q {
  %none = llm.constant dense<0> : tensor<i64>
  %zero = llm.constant dense<0.0> : tensor<f32>
  %big = llm.constant dense<-3.4028234663852886e+38> : tensor<f32>
  %slopes = llm.constant dense<[[[0.5]], [[0.25]]]> : tensor<2x1x1xf32>
  %rows = llm.iota {start = "p", step = "1", dim = 0} : tensor<?x1xi64, #llm.dims<"s", "1">>
  %cols = llm.iota {start = "0", step = "1", dim = 1} : tensor<1x?xi64, #llm.dims<"1", "p + s">>
  %future = llm.compare gt %cols, %rows : tensor<1x?xi64, #llm.dims<"1", "p + s">>, tensor<?x1xi64, #llm.dims<"s", "1">>
  %pad = llm.compare eq %mask, %none : !m, tensor<i64>
  %pad4 = llm.reshape %pad : tensor<?x?xi1, #llm.dims<"b", "p + s">> to tensor<?x1x1x?xi1, #llm.dims<"b", "1", "1", "p + s">>
  %hidden = llm.binary logical_or %future, %pad4 : tensor<?x?xi1, #llm.dims<"s", "p + s">>, tensor<?x1x1x?xi1, #llm.dims<"b", "1", "1", "p + s">>
  %visible = llm.select %hidden, %big, %zero : tensor<?x1x?x?xi1, #llm.dims<"b", "1", "s", "p + s">>, tensor<f32>, tensor<f32>
  %count = llm.cumulative sum 1 %mask : !m
  %float = llm.cast %count : !m to tensor<?x?xf32, #llm.dims<"b", "p + s">>
  %float4 = llm.reshape %float : tensor<?x?xf32, #llm.dims<"b", "p + s">> to tensor<?x1x1x?xf32, #llm.dims<"b", "1", "1", "p + s">>
  %alibi = llm.binary mul %slopes, %float4 : tensor<2x1x1xf32>, tensor<?x1x1x?xf32, #llm.dims<"b", "1", "1", "p + s">>
  %bias = llm.binary add %alibi, %visible : tensor<?x2x1x?xf32, #llm.dims<"b", "2", "1", "p + s">>, tensor<?x1x?x?xf32, #llm.dims<"b", "1", "s", "p + s">>
  %out = llm.attention %q, %k, %v bias %bias {scale = 0.5 : f64} : (!q, !kv, !kv, tensor<?x2x?x?xf32, #llm.dims<"b", "2", "s", "p + s">>) -> !q
  return %out : !q
}

// -----

!q = tensor<?x2x?x8xf32, #llm.dims<"b", "2", "s", "8">>
!kv = tensor<?x2x?x8xf32, #llm.dims<"b", "2", "p + s", "8">>

// Distances that end at 64 look like a line in short samples only.
// CHECK-LABEL: func.func @clipped_distance(
// CHECK: llm.attention {{.*}} bias
// CHECK-NOT: slopes
func.func @clipped_distance(%q: !q, %k: !kv, %v: !kv) -> !q {
  %slopes = llm.constant dense<[[[0.5]], [[0.25]]]> : tensor<2x1x1xf32>
  %end = llm.constant dense<64> : tensor<i64>
  %cols = llm.iota {start = "0", step = "1", dim = 1} : tensor<1x?xi64, #llm.dims<"1", "p + s">>
  %clipped = llm.binary min %cols, %end : tensor<1x?xi64, #llm.dims<"1", "p + s">>, tensor<i64>
  %distance = llm.cast %clipped : tensor<1x?xi64, #llm.dims<"1", "p + s">> to tensor<1x?xf32, #llm.dims<"1", "p + s">>
  %bias = llm.binary mul %slopes, %distance : tensor<2x1x1xf32>, tensor<1x?xf32, #llm.dims<"1", "p + s">>
  %out = llm.attention %q, %k, %v bias %bias {scale = 0.5 : f64} : (!q, !kv, !kv, tensor<2x1x?xf32, #llm.dims<"2", "1", "p + s">>) -> !q
  return %out : !q
}

// -----

!q = tensor<?x2x?x8xf32, #llm.dims<"b", "2", "s", "8">>
!kv = tensor<?x2x?x8xf32, #llm.dims<"b", "2", "p + s", "8">>

// A window that only a table of visible keys knows: 2, in a table for 12 keys.
// CHECK-LABEL: func.func @table(
// CHECK: llm.attention %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %{{[a-z0-9]+}} {causal, scale = 5.000000e-01 : f64, window = 2 : i64}
func.func @table(%q: !q, %k: !kv, %v: !kv) -> !q {
  %zero = llm.constant dense<0.0> : tensor<f32>
  %big = llm.constant dense<-3.4028234663852886e+38> : tensor<f32>
  %table = llm.constant dense<[
    [true, false, false, false, false, false, false, false, false, false, false, false],
    [true, true, false, false, false, false, false, false, false, false, false, false],
    [false, true, true, false, false, false, false, false, false, false, false, false],
    [false, false, true, true, false, false, false, false, false, false, false, false],
    [false, false, false, true, true, false, false, false, false, false, false, false],
    [false, false, false, false, true, true, false, false, false, false, false, false],
    [false, false, false, false, false, true, true, false, false, false, false, false],
    [false, false, false, false, false, false, true, true, false, false, false, false],
    [false, false, false, false, false, false, false, true, true, false, false, false],
    [false, false, false, false, false, false, false, false, true, true, false, false],
    [false, false, false, false, false, false, false, false, false, true, true, false],
    [false, false, false, false, false, false, false, false, false, false, true, true]]> : tensor<12x12xi1>
  %part = llm.slice %table ["min(12, p)", "0"] [1, 1] : tensor<12x12xi1> to tensor<?x?xi1, #llm.dims<"max(0, min(12, p + s) - min(12, p))", "min(12, p + s)">>
  %bias = llm.select %part, %zero, %big : tensor<?x?xi1, #llm.dims<"max(0, min(12, p + s) - min(12, p))", "min(12, p + s)">>, tensor<f32>, tensor<f32>
  %out = llm.attention %q, %k, %v bias %bias {scale = 0.5 : f64} : (!q, !kv, !kv, tensor<?x?xf32, #llm.dims<"max(0, min(12, p + s) - min(12, p))", "min(12, p + s)">>) -> !q
  return %out : !q
}

// -----

// Batch times heads before everything, as batched products of three dimensions have it; the
// mask is added to scores of four.
// CHECK-LABEL: func.func @three_dimensions(
// CHECK: %[[QT:.+]] = llm.transpose %{{.*}} [0, 2, 1, 3]
// CHECK: %[[A:.+]] = llm.attention %[[QT]], %arg1, %arg1 bias %arg2 {scale = 1.000000e+00 : f64}
// CHECK-NOT: llm.softmax
// CHECK: llm.transpose %[[A]] [0, 2, 1, 3]
!q = tensor<?x4x?x8xf32, #llm.dims<"b", "4", "s", "8">>
!qt = tensor<?x?x4x8xf32, #llm.dims<"b", "s", "4", "8">>
!kv = tensor<?x4x?x8xf32, #llm.dims<"b", "4", "t", "8">>
!q3 = tensor<?x?x8xf32, #llm.dims<"4 * b", "s", "8">>
!kv3 = tensor<?x?x8xf32, #llm.dims<"4 * b", "t", "8">>
!s3 = tensor<?x?x?xf32, #llm.dims<"4 * b", "s", "t">>
!s4 = tensor<?x4x?x?xf32, #llm.dims<"b", "4", "s", "t">>
!m = tensor<?x1x?x?xf32, #llm.dims<"b", "1", "s", "t">>
func.func @three_dimensions(%x: tensor<?x?x32xf32, #llm.dims<"b", "s", "32">>, %k: !kv, %m: !m) -> !qt {
  %half = llm.constant dense<0.5> : tensor<f32>
  %scaled = llm.binary mul %x, %half : tensor<?x?x32xf32, #llm.dims<"b", "s", "32">>, tensor<f32>
  %qt = llm.reshape %scaled : tensor<?x?x32xf32, #llm.dims<"b", "s", "32">> to !qt
  %q = llm.transpose %qt [0, 2, 1, 3] : !qt
  %q3 = llm.reshape %q : !q to !q3
  %k3 = llm.reshape %k : !kv to !kv3
  %kt = llm.transpose %k3 [0, 2, 1] : !kv3
  %qk = llm.matmul %q3, %kt : !q3, tensor<?x8x?xf32, #llm.dims<"4 * b", "8", "t">>
  %four = llm.reshape %qk : !s3 to !s4
  %masked = llm.binary add %four, %m : !s4, !m
  %three = llm.reshape %masked : !s4 to !s3
  %p = llm.softmax 2 %three : !s3
  %pv = llm.matmul %p, %k3 : !s3, !kv3
  %y = llm.reshape %pv : !q3 to !q
  %yt = llm.transpose %y [0, 2, 1, 3] : !q
  return %yt : !qt
}

// -----

// [tokens, batch, heads * 8] becomes [tokens, batch * heads, 8]: the heads are counted by that.
// CHECK-LABEL: func.func @tokens_first(
// CHECK: %[[Q:.+]] = llm.reshape %{{.*}} to tensor<?x4x?x8xf32, #llm.dims<"b", "4", "s", "8">>
// CHECK: %[[K:.+]] = llm.reshape %{{.*}} to tensor<?x4x?x8xf32, #llm.dims<"b", "4", "s", "8">>
// CHECK: %[[V:.+]] = llm.reshape %{{.*}} to tensor<?x4x?x8xf32, #llm.dims<"b", "4", "s", "8">>
// CHECK: llm.attention %[[Q]], %[[K]], %[[V]] {scale = 1.000000e+00 : f64}
!x = tensor<?x?x32xf32, #llm.dims<"s", "b", "32">>
!split = tensor<?x?x8xf32, #llm.dims<"s", "4 * b", "8">>
!q3 = tensor<?x?x8xf32, #llm.dims<"4 * b", "s", "8">>
func.func @tokens_first(%q: !x, %k: !x, %v: !x) -> !q3 {
  %qs = llm.reshape %q : !x to !split
  %qt = llm.transpose %qs [1, 0, 2] : !split
  %ks = llm.reshape %k : !x to !split
  %kt = llm.transpose %ks [1, 2, 0] : !split
  %vs = llm.reshape %v : !x to !split
  %vt = llm.transpose %vs [1, 0, 2] : !split
  %s = llm.matmul %qt, %kt : !q3, tensor<?x8x?xf32, #llm.dims<"4 * b", "8", "s">>
  %p = llm.softmax 2 %s : tensor<?x?x?xf32, #llm.dims<"4 * b", "s", "s">>
  %y = llm.matmul %p, %vt : tensor<?x?x?xf32, #llm.dims<"4 * b", "s", "s">>, !q3
  return %y : !q3
}

// -----

// One head, with and without a batch.
// CHECK-LABEL: func.func @single_head(
// CHECK: llm.attention {{.*}} : (tensor<2x1x3x8xf32>, tensor<2x1x5x8xf32>, tensor<2x1x5x8xf32>) -> tensor<2x1x3x8xf32>
// CHECK: llm.attention {{.*}} : (tensor<1x1x3x8xf32>, tensor<1x1x5x8xf32>, tensor<1x1x5x8xf32>) -> tensor<1x1x3x8xf32>
func.func @single_head(%q: tensor<2x3x8xf32>, %k: tensor<2x5x8xf32>, %one: tensor<3x8xf32>, %other: tensor<5x8xf32>) -> (tensor<2x3x8xf32>, tensor<3x8xf32>) {
  %kt = llm.transpose %k [0, 2, 1] : tensor<2x5x8xf32>
  %s = llm.matmul %q, %kt : tensor<2x3x8xf32>, tensor<2x8x5xf32>
  %p = llm.softmax 2 %s : tensor<2x3x5xf32>
  %y = llm.matmul %p, %k : tensor<2x3x5xf32>, tensor<2x5x8xf32>
  %kt1 = llm.transpose %other [1, 0] : tensor<5x8xf32>
  %s1 = llm.matmul %one, %kt1 : tensor<3x8xf32>, tensor<8x5xf32>
  %p1 = llm.softmax 1 %s1 : tensor<3x5xf32>
  %y1 = llm.matmul %p1, %other : tensor<3x5xf32>, tensor<5x8xf32>
  return %y, %y1 : tensor<2x3x8xf32>, tensor<3x8xf32>
}

// -----

// Windows: a bias per head, and a mask per window that every sequence shares. Windows and
// heads become one dimension, so that neither is repeated for the batch.
// CHECK-LABEL: func.func @windows(
// CHECK: %[[REL:.+]] = llm.reshape %arg1 : tensor<1x2x3x3xf32> to tensor<1x1x2x3x3xf32>
// CHECK: %[[SUM:.+]] = llm.binary add %[[REL]], %arg2 : tensor<1x1x2x3x3xf32>, tensor<1x4x1x3x3xf32>
// CHECK: %[[BIAS:.+]] = llm.reshape %[[SUM]] : tensor<1x4x2x3x3xf32> to tensor<1x8x3x3xf32>
// CHECK: llm.attention {{.*}} bias %[[BIAS]] {scale = 1.000000e+00 : f64} : (tensor<?x8x3x8xf32, #llm.dims<"b", "8", "3", "8">>
!q = tensor<?x2x3x8xf32, #llm.dims<"4 * b", "2", "3", "8">>
!s = tensor<?x2x3x3xf32, #llm.dims<"4 * b", "2", "3", "3">>
!w = tensor<?x4x2x3x3xf32, #llm.dims<"b", "4", "2", "3", "3">>
func.func @windows(%q: !q, %relative: tensor<1x2x3x3xf32>, %mask: tensor<1x4x1x3x3xf32>) -> !q {
  %kt = llm.transpose %q [0, 1, 3, 2] : !q
  %s = llm.matmul %q, %kt : !q, tensor<?x2x8x3xf32, #llm.dims<"4 * b", "2", "8", "3">>
  %biased = llm.binary add %s, %relative : !s, tensor<1x2x3x3xf32>
  %five = llm.reshape %biased : !s to !w
  %masked = llm.binary add %five, %mask : !w, tensor<1x4x1x3x3xf32>
  %four = llm.reshape %masked : !w to !s
  %p = llm.softmax 3 %four : !s
  %y = llm.matmul %p, %q : !s, !q
  return %y : !q
}

// -----

// Five dimensions, of which the keys are repeated along the last before their rows: groups
// of queries of one head of keys.
// CHECK-LABEL: func.func @groups(
// CHECK: llm.attention {{.*}} : (tensor<?x6x3x8xf32, #llm.dims<"b", "6", "3", "8">>, tensor<?x2x5x8xf32, #llm.dims<"b", "2", "5", "8">>, tensor<?x2x5x8xf32, #llm.dims<"b", "2", "5", "8">>)
!q = tensor<?x2x3x3x8xf32, #llm.dims<"b", "2", "3", "3", "8">>
!k = tensor<?x2x1x5x8xf32, #llm.dims<"b", "2", "1", "5", "8">>
!s = tensor<?x2x3x3x5xf32, #llm.dims<"b", "2", "3", "3", "5">>
func.func @groups(%q: !q, %k: !k) -> !q {
  %kt = llm.transpose %k [0, 1, 2, 4, 3] : !k
  %s = llm.matmul %q, %kt : !q, tensor<?x2x1x8x5xf32, #llm.dims<"b", "2", "1", "8", "5">>
  %p = llm.softmax 4 %s : !s
  %y = llm.matmul %p, %k : !s, !k
  return %y : !q
}

// -----

// Keys that lie as the product wants them; a factor per head; a bias that is subtracted and
// one that another product computes.
// CHECK-LABEL: func.func @factors(
// CHECK: %[[POSITION:.+]] = llm.gather 3
// CHECK: %[[Q:.+]] = llm.binary mul %arg0, %arg2 : tensor<1x2x3x8xf32>, tensor<2x1x1xf32>
// CHECK: %[[K:.+]] = llm.transpose %arg1 [0, 1, 3, 2]
// CHECK: %[[MINUS:.+]] = llm.binary mul %arg3, %{{.*}} : tensor<3x5xf32>, tensor<f32>
// CHECK: %[[SUM:.+]] = llm.binary add %[[MINUS]], %[[POSITION]]
// CHECK: llm.attention %[[Q]], %[[K]], %{{.*}} bias %[[SUM]]
// CHECK-NOT: llm.softmax
func.func @factors(%q: tensor<1x2x3x8xf32>, %kt: tensor<1x2x8x5xf32>, %f: tensor<2x1x1xf32>, %m: tensor<3x5xf32>, %r: tensor<1x2x8x9xf32>, %i: tensor<5xi64>, %v: tensor<1x2x5x8xf32>) -> tensor<1x2x3x8xf32> {
  %s = llm.matmul %q, %kt : tensor<1x2x3x8xf32>, tensor<1x2x8x5xf32>
  %factored = llm.binary mul %f, %s : tensor<2x1x1xf32>, tensor<1x2x3x5xf32>
  %less = llm.binary sub %factored, %m : tensor<1x2x3x5xf32>, tensor<3x5xf32>
  %far = llm.matmul %q, %r : tensor<1x2x3x8xf32>, tensor<1x2x8x9xf32>
  %near = llm.gather 3 %far, %i : tensor<1x2x3x9xf32>, tensor<5xi64>
  %sum = llm.binary add %near, %less : tensor<1x2x3x5xf32>, tensor<1x2x3x5xf32>
  %p = llm.softmax 3 %sum : tensor<1x2x3x5xf32>
  %y = llm.matmul %p, %v : tensor<1x2x3x5xf32>, tensor<1x2x5x8xf32>
  return %y : tensor<1x2x3x8xf32>
}

// -----

// Everything transposed: V^T P^T is the transpose of P V.
// CHECK-LABEL: func.func @transposed_result(
// CHECK: %[[V:.+]] = llm.transpose %arg2 [0, 1, 3, 2]
// CHECK: %[[A:.+]] = llm.attention %arg0, %arg1, %[[V]] {scale
// CHECK: %[[T:.+]] = llm.transpose %[[A]] [0, 1, 3, 2]
// CHECK: return %[[T]]
func.func @transposed_result(%q: tensor<1x2x3x8xf32>, %k: tensor<1x2x5x8xf32>, %vt: tensor<1x2x7x5xf32>) -> tensor<1x2x7x3xf32> {
  %kt = llm.transpose %k [0, 1, 3, 2] : tensor<1x2x5x8xf32>
  %s = llm.matmul %q, %kt : tensor<1x2x3x8xf32>, tensor<1x2x8x5xf32>
  %p = llm.softmax 3 %s : tensor<1x2x3x5xf32>
  %pt = llm.transpose %p [0, 1, 3, 2] : tensor<1x2x3x5xf32>
  %y = llm.matmul %vt, %pt : tensor<1x2x7x5xf32>, tensor<1x2x5x3xf32>
  return %y : tensor<1x2x7x3xf32>
}

// -----

// No attention: the factor behind the mask has a number per row, m - s, scores that the mask
// repeats, and probabilities that weigh several values.
// CHECK-LABEL: func.func @near_misses(
// CHECK-NOT: llm.attention
!s = tensor<1x2x3x5xf32>
!y = tensor<1x2x3x8xf32>
func.func @near_misses(%q: tensor<1x2x3x8xf32>, %one: tensor<1x1x3x8xf32>, %kt: tensor<1x2x8x5xf32>, %kt1: tensor<1x1x8x5xf32>, %m: !s, %f: tensor<3x1xf32>, %v: tensor<1x2x5x8xf32>, %vs: tensor<4x2x5x8xf32>) -> (!y, !y, !y, tensor<4x2x3x8xf32>) {
  %s = llm.matmul %q, %kt : tensor<1x2x3x8xf32>, tensor<1x2x8x5xf32>
  %masked = llm.binary add %s, %m : !s, !s
  %factored = llm.binary mul %masked, %f : !s, tensor<3x1xf32>
  %p0 = llm.softmax 3 %factored : !s
  %y0 = llm.matmul %p0, %v : !s, tensor<1x2x5x8xf32>
  %from = llm.binary sub %m, %s : !s, !s
  %p1 = llm.softmax 3 %from : !s
  %y1 = llm.matmul %p1, %v : !s, tensor<1x2x5x8xf32>
  %single = llm.matmul %one, %kt1 : tensor<1x1x3x8xf32>, tensor<1x1x8x5xf32>
  %repeated = llm.binary add %single, %m : tensor<1x1x3x5xf32>, !s
  %p2 = llm.softmax 3 %repeated : !s
  %y2 = llm.matmul %p2, %v : !s, tensor<1x2x5x8xf32>
  %p3 = llm.softmax 3 %s : !s
  %y3 = llm.matmul %p3, %vs : !s, tensor<4x2x5x8xf32>
  return %y0, %y1, %y2, %y3 : !y, !y, !y, tensor<4x2x3x8xf32>
}

// -----

!q = tensor<?x4x1x8xf32, #llm.dims<"b", "4", "1", "8">>
!k = tensor<?x4x?x8xf32, #llm.dims<"b", "4", "t", "8">>
!kt = tensor<?x4x8x?xf32, #llm.dims<"b", "4", "8", "t">>
!s = tensor<?x4x1x?xf32, #llm.dims<"b", "4", "1", "t">>
!tt = tensor<?x?xf32, #llm.dims<"t", "t">>

// What hidden keys get is no window's size: no table of a million tokens is looked at. The last
// token sees all keys.
// CHECK-LABEL: func.func @amount(
// CHECK: llm.attention %arg0, %arg1, %arg2 {causal
func.func @amount(%q: !q, %k: !k, %v: !k) -> !q {
  %hidden = llm.constant dense<-1.0e6> : tensor<f32>
  %zero = llm.constant dense<0.0> : tensor<f32>
  %key = llm.iota {dim = 0 : i64, start = "0", step = "1"} : tensor<?xi64, #llm.dims<"t">>
  %query = llm.reshape %key : tensor<?xi64, #llm.dims<"t">> to tensor<?x1xi64, #llm.dims<"t", "1">>
  %later = llm.compare gt %key, %query : tensor<?xi64, #llm.dims<"t">>, tensor<?x1xi64, #llm.dims<"t", "1">>
  %table = llm.select %later, %hidden, %zero : tensor<?x?xi1, #llm.dims<"t", "t">>, tensor<f32>, tensor<f32>
  %row = llm.slice %table ["t - 1", "0"] [1, 1] : !tt to tensor<1x?xf32, #llm.dims<"1", "t">>
  %kt = llm.transpose %k [0, 1, 3, 2] : !k
  %s = llm.matmul %q, %kt : !q, !kt
  %masked = llm.binary add %s, %row : !s, tensor<1x?xf32, #llm.dims<"1", "t">>
  %p = llm.softmax 3 %masked : !s
  %y = llm.matmul %p, %v : !s, !k
  return %y : !q
}

// -----

!q = tensor<?x4x?x8xf32, #llm.dims<"b", "4", "s", "8">>
!kv = tensor<?x2x?x8xf32, #llm.dims<"b", "2", "p + s", "8">>
!kt = tensor<?x4x8x?xf32, #llm.dims<"b", "4", "8", "p + s">>
!kti = tensor<?x4x8x?xui8, #llm.dims<"b", "4", "8", "p + s">>
!scores = tensor<?x4x?x?xf32, #llm.dims<"b", "4", "s", "p + s">>
!scoresi = tensor<?x4x?x?xui8, #llm.dims<"b", "4", "s", "p + s">>

// Quantised and dequantised keys, behind the repetition of heads and the transposition: they
// are rounded before. So are scores, which are scaled behind that, sums with the mask, and
// probabilities, in steps that are the operation's: 8 * 0.0625, 1 * 4 and 1 / 256.
// CHECK-LABEL: func.func @rounded(
// CHECK-SAME: %[[Q:[a-z0-9]+]]: {{[^)]*}} %[[K:[a-z0-9]+]]: {{[^)]*}} %[[V:[a-z0-9]+]]: {{[^)]*}} %[[MASK:[a-z0-9]+]]: tensor
// CHECK: llm.binary div %[[K]], {{.*}} : tensor<?x2x?x8xf32
// CHECK: %[[KEYS:.+]] = llm.binary mul {{.*}} : tensor<?x2x?x8xf32
// CHECK: llm.attention %[[Q]], %[[KEYS]], %[[V]] bias %[[MASK]] {biased_rounding = array<f64: 4.000000e+03, -1.200000e+02, 1.350000e+02>, scale = 8.000000e+00 : f64, score_rounding = array<f64: 5.000000e-01, -1.200000e+02, 1.350000e+02>, weight_rounding = array<f64: 3.906250e-03, 0.000000e+00, 2.550000e+02>}
// CHECK-NOT: llm.softmax
func.func @rounded(%q: !q, %k: !kv, %v: !kv, %mask: !scores) -> !q {
  %least = llm.constant dense<0.0> : tensor<f32>
  %most = llm.constant dense<255.0> : tensor<f32>
  %step = llm.constant dense<0.0625> : tensor<f32>
  %coarse = llm.constant dense<4000.0> : tensor<f32>
  %fine = llm.constant dense<0.00390625> : tensor<f32>
  %zero = llm.constant dense<120.0> : tensor<f32>
  %eight = llm.constant dense<8.0> : tensor<f32>
  %k5 = llm.reshape %k : !kv to tensor<?x2x1x?x8xf32, #llm.dims<"b", "2", "1", "p + s", "8">>
  %kb = llm.broadcast %k5 : tensor<?x2x1x?x8xf32, #llm.dims<"b", "2", "1", "p + s", "8">> to tensor<?x2x2x?x8xf32, #llm.dims<"b", "2", "2", "p + s", "8">>
  %k4 = llm.reshape %kb : tensor<?x2x2x?x8xf32, #llm.dims<"b", "2", "2", "p + s", "8">> to tensor<?x4x?x8xf32, #llm.dims<"b", "4", "p + s", "8">>
  %v5 = llm.reshape %v : !kv to tensor<?x2x1x?x8xf32, #llm.dims<"b", "2", "1", "p + s", "8">>
  %vb = llm.broadcast %v5 : tensor<?x2x1x?x8xf32, #llm.dims<"b", "2", "1", "p + s", "8">> to tensor<?x2x2x?x8xf32, #llm.dims<"b", "2", "2", "p + s", "8">>
  %v4 = llm.reshape %vb : tensor<?x2x2x?x8xf32, #llm.dims<"b", "2", "2", "p + s", "8">> to tensor<?x4x?x8xf32, #llm.dims<"b", "4", "p + s", "8">>
  %ktr = llm.transpose %k4 [0, 1, 3, 2] : tensor<?x4x?x8xf32, #llm.dims<"b", "4", "p + s", "8">>
  %krd = llm.binary div %ktr, %step : !kt, tensor<f32>
  %krr = llm.unary round %krd : !kt
  %krz = llm.binary add %krr, %zero : !kt, tensor<f32>
  %krl = llm.binary max %krz, %least : !kt, tensor<f32>
  %krh = llm.binary min %krl, %most : !kt, tensor<f32>
  %kri = llm.cast %krh : !kt to !kti
  %krf = llm.cast %kri : !kti to !kt
  %kro = llm.binary sub %krf, %zero : !kt, tensor<f32>
  %kr = llm.binary mul %kro, %step : !kt, tensor<f32>
  %qk = llm.matmul %q, %kr : !q, !kt
  %sd = llm.binary div %qk, %step : !scores, tensor<f32>
  %sr = llm.unary round %sd : !scores
  %sz = llm.binary add %sr, %zero : !scores, tensor<f32>
  %sl = llm.binary max %sz, %least : !scores, tensor<f32>
  %sh = llm.binary min %sl, %most : !scores, tensor<f32>
  %si = llm.cast %sh : !scores to !scoresi
  %sf = llm.cast %si : !scoresi to !scores
  %so = llm.binary sub %sf, %zero : !scores, tensor<f32>
  %s = llm.binary mul %so, %step : !scores, tensor<f32>
  %scaled = llm.binary mul %s, %eight : !scores, tensor<f32>
  %masked = llm.binary add %scaled, %mask : !scores, !scores
  %md = llm.binary div %masked, %coarse : !scores, tensor<f32>
  %mr = llm.unary round %md : !scores
  %mz = llm.binary add %mr, %zero : !scores, tensor<f32>
  %ml = llm.binary max %mz, %least : !scores, tensor<f32>
  %mh = llm.binary min %ml, %most : !scores, tensor<f32>
  %mi = llm.cast %mh : !scores to !scoresi
  %mf = llm.cast %mi : !scoresi to !scores
  %mo = llm.binary sub %mf, %zero : !scores, tensor<f32>
  %m = llm.binary mul %mo, %coarse : !scores, tensor<f32>
  %p = llm.softmax 3 %m : !scores
  %wd = llm.binary div %p, %fine : !scores, tensor<f32>
  %wr = llm.unary round %wd : !scores
  %wl = llm.binary max %wr, %least : !scores, tensor<f32>
  %wh = llm.binary min %wl, %most : !scores, tensor<f32>
  %wi = llm.cast %wh : !scores to !scoresi
  %wf = llm.cast %wi : !scoresi to !scores
  %w = llm.binary mul %wf, %fine : !scores, tensor<f32>
  %out = llm.matmul %w, %v4 : !scores, tensor<?x4x?x8xf32, #llm.dims<"b", "4", "p + s", "8">>
  return %out : !q
}

// -----

!q = tensor<1x4x7x8xf32>
!scores = tensor<1x4x7x7xf32>
!scoresi = tensor<1x4x7x7xui8>

// Steps in which 0 is no number would give weight to keys that a mask hides; those that saturate
// at -3 show them.
// CHECK-LABEL: func.func @rounded_too_much(
// CHECK-NOT: llm.attention
func.func @rounded_too_much(%q: !q, %kt: tensor<1x4x8x7xf32>, %v: !q, %mask: !scores) -> (!q, !q) {
  %least = llm.constant dense<0.0> : tensor<f32>
  %most = llm.constant dense<255.0> : tensor<f32>
  %fine = llm.constant dense<0.025> : tensor<f32>
  %zero = llm.constant dense<120.0> : tensor<f32>
  %below = llm.constant dense<-1.0> : tensor<f32>
  %qk = llm.matmul %q, %kt : !q, tensor<1x4x8x7xf32>
  %masked = llm.binary add %qk, %mask : !scores, !scores
  %p = llm.softmax 3 %masked : !scores
  %wd = llm.binary div %p, %fine : !scores, tensor<f32>
  %wr = llm.unary round %wd : !scores
  %wz = llm.binary add %wr, %below : !scores, tensor<f32>
  %wl = llm.binary max %wz, %least : !scores, tensor<f32>
  %wh = llm.binary min %wl, %most : !scores, tensor<f32>
  %wi = llm.cast %wh : !scores to !scoresi
  %wf = llm.cast %wi : !scoresi to !scores
  %wo = llm.binary sub %wf, %below : !scores, tensor<f32>
  %w = llm.binary mul %wo, %fine : !scores, tensor<f32>
  %weighted = llm.matmul %w, %v : !scores, !q
  %md = llm.binary div %masked, %fine : !scores, tensor<f32>
  %mr = llm.unary round %md : !scores
  %mz = llm.binary add %mr, %zero : !scores, tensor<f32>
  %ml = llm.binary max %mz, %least : !scores, tensor<f32>
  %mh = llm.binary min %ml, %most : !scores, tensor<f32>
  %mi = llm.cast %mh : !scores to !scoresi
  %mf = llm.cast %mi : !scoresi to !scores
  %mo = llm.binary sub %mf, %zero : !scores, tensor<f32>
  %m = llm.binary mul %mo, %fine : !scores, tensor<f32>
  %pm = llm.softmax 3 %m : !scores
  %shown = llm.matmul %pm, %v : !scores, !q
  return %weighted, %shown : !q, !q
}

// -----

!q = tensor<1x4x5x8xf32>
!k = tensor<1x4x3x8xf32>

// More queries than keys: there is no past to try a causal mask with.
// CHECK-LABEL: func.func @fewer_keys(
// CHECK: llm.attention %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %{{[a-z0-9]+}} bias %{{[0-9]+}} {scale = 1.000000e+00 : f64}
func.func @fewer_keys(%q: !q, %k: !k) -> !q {
  %mask = llm.constant dense<[[0.0, 0xFF800000, 0.0]]> : tensor<1x3xf32>
  %out = llm.attention %q, %k, %k bias %mask {scale = 1.0 : f64} : (!q, !k, !k, tensor<1x3xf32>) -> !q
  return %out : !q
}

// -----

!q = tensor<1x4x1024x8xf32>

// A large mask of fixed sizes, with padding; one that is larger than what is tried out.
// CHECK-LABEL: func.func @fixed_sizes(
// CHECK: llm.attention %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %{{[a-z0-9]+}} bias %{{[0-9]+}} {causal, scale = 1.000000e+00 : f64} : (tensor<1x4x1024x8xf32>, tensor<1x4x1024x8xf32>, tensor<1x4x1024x8xf32>, tensor<1x1x1x1024xf32>)
// CHECK: llm.attention %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %{{[a-z0-9]+}} bias %{{[0-9]+}} {scale = 1.000000e+00 : f64} : (tensor<1x4x65536x8xf32>
func.func @fixed_sizes(%q: !q, %mask: tensor<1x1024xi64>, %long: tensor<1x4x65536x8xf32>) -> (!q, tensor<1x4x65536x8xf32>) {
  %zero = llm.constant dense<0.0> : tensor<f32>
  %big = llm.constant dense<-3.4028234663852886e+38> : tensor<f32>
  %none = llm.constant dense<0> : tensor<i64>
  %rows = llm.iota {start = "0", step = "1", dim = 0} : tensor<1024x1xi64>
  %cols = llm.iota {start = "0", step = "1", dim = 1} : tensor<1x1024xi64>
  %isPast = llm.compare le %cols, %rows : tensor<1x1024xi64>, tensor<1024x1xi64>
  %isKey = llm.compare ne %mask, %none : tensor<1x1024xi64>, tensor<i64>
  %keys = llm.reshape %isKey : tensor<1x1024xi1> to tensor<1x1x1x1024xi1>
  %both = llm.binary logical_and %isPast, %keys : tensor<1024x1024xi1>, tensor<1x1x1x1024xi1>
  %bias = llm.select %both, %zero, %big : tensor<1x1x1024x1024xi1>, tensor<f32>, tensor<f32>
  %a = llm.attention %q, %q, %q bias %bias {scale = 1.0 : f64} : (!q, !q, !q, tensor<1x1x1024x1024xf32>) -> !q
  %longRows = llm.iota {start = "0", step = "1", dim = 0} : tensor<65536x1xi64>
  %longCols = llm.iota {start = "0", step = "1", dim = 1} : tensor<1x65536xi64>
  %isLongPast = llm.compare le %longCols, %longRows : tensor<1x65536xi64>, tensor<65536x1xi64>
  %longBias = llm.select %isLongPast, %zero, %big : tensor<65536x65536xi1>, tensor<f32>, tensor<f32>
  %b = llm.attention %long, %long, %long bias %longBias {scale = 1.0 : f64} : (tensor<1x4x65536x8xf32>, tensor<1x4x65536x8xf32>, tensor<1x4x65536x8xf32>, tensor<65536x65536xf32>) -> tensor<1x4x65536x8xf32>
  return %a, %b : !q, tensor<1x4x65536x8xf32>
}

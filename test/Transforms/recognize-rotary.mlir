// RUN: llmc-opt %s --llmc-recognize-rotary | FileCheck %s

// Two inputs share their tables.
// CHECK-LABEL: @llama
func.func @llama(%q: tensor<1x4x3x8xf32>, %k: tensor<1x2x3x8xf32>, %f: tensor<1x3x4xf32>) -> (tensor<1x4x3x8xf32>, tensor<1x2x3x8xf32>) {
  // CHECK-DAG: %[[C:.*]] = llm.unary cos %arg2 : tensor<1x3x4xf32>
  // CHECK-DAG: %[[S:.*]] = llm.unary sin %arg2 : tensor<1x3x4xf32>
  // CHECK-DAG: llm.rotary %arg0, %[[C]], %[[S]]
  // CHECK-DAG: llm.rotary %arg1, %[[C]], %[[S]]
  // CHECK-NOT: llm.binary
  %a = llm.concat 2 (%f, %f) : tensor<1x3x4xf32>, tensor<1x3x4xf32>
  %c3 = llm.unary cos %a : tensor<1x3x8xf32>
  %s3 = llm.unary sin %a : tensor<1x3x8xf32>
  %c = llm.reshape %c3 : tensor<1x3x8xf32> to tensor<1x1x3x8xf32>
  %s = llm.reshape %s3 : tensor<1x3x8xf32> to tensor<1x1x3x8xf32>
  %q0 = llm.binary mul %q, %c : tensor<1x4x3x8xf32>, tensor<1x1x3x8xf32>
  %q1 = llm.slice %q ["0", "0", "0", "0"] [1, 1, 1, 1] : tensor<1x4x3x8xf32> to tensor<1x4x3x4xf32>
  %q2 = llm.slice %q ["0", "0", "0", "4"] [1, 1, 1, 1] : tensor<1x4x3x8xf32> to tensor<1x4x3x4xf32>
  %q3 = llm.unary neg %q2 : tensor<1x4x3x4xf32>
  %q4 = llm.concat 3 (%q3, %q1) : tensor<1x4x3x4xf32>, tensor<1x4x3x4xf32>
  %q5 = llm.binary mul %q4, %s : tensor<1x4x3x8xf32>, tensor<1x1x3x8xf32>
  %q6 = llm.binary add %q0, %q5 : tensor<1x4x3x8xf32>, tensor<1x4x3x8xf32>
  %k0 = llm.binary mul %k, %c : tensor<1x2x3x8xf32>, tensor<1x1x3x8xf32>
  %k1 = llm.slice %k ["0", "0", "0", "0"] [1, 1, 1, 1] : tensor<1x2x3x8xf32> to tensor<1x2x3x4xf32>
  %k2 = llm.slice %k ["0", "0", "0", "4"] [1, 1, 1, 1] : tensor<1x2x3x8xf32> to tensor<1x2x3x4xf32>
  %k3 = llm.unary neg %k2 : tensor<1x2x3x4xf32>
  %k4 = llm.concat 3 (%k3, %k1) : tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>
  %k5 = llm.binary mul %s, %k4 : tensor<1x1x3x8xf32>, tensor<1x2x3x8xf32>
  %k6 = llm.binary add %k5, %k0 : tensor<1x2x3x8xf32>, tensor<1x2x3x8xf32>
  return %q6, %k6 : tensor<1x4x3x8xf32>, tensor<1x2x3x8xf32>
}

// GPT-NeoX, Phi: the first 4 of 6 channels turn; heads behind the sequence.
// CHECK-LABEL: @partial
func.func @partial(%q: tensor<1x3x2x6xf32>, %f: tensor<1x3x1x2xf32>) -> tensor<1x3x2x6xf32> {
  // CHECK: %[[T:.*]] = llm.transpose %arg0 [0, 2, 1, 3]
  // CHECK: %[[R:.*]] = llm.rotary %[[T]], %{{.*}}, %{{.*}} : tensor<1x2x3x6xf32>, tensor<1x3x2xf32>
  // CHECK: llm.transpose %[[R]] [0, 2, 1, 3]
  // CHECK-NOT: llm.concat
  %a = llm.concat 3 (%f, %f) : tensor<1x3x1x2xf32>, tensor<1x3x1x2xf32>
  %c = llm.unary cos %a : tensor<1x3x1x4xf32>
  %s = llm.unary sin %a : tensor<1x3x1x4xf32>
  %x = llm.slice %q ["0", "0", "0", "0"] [1, 1, 1, 1] : tensor<1x3x2x6xf32> to tensor<1x3x2x4xf32>
  %p = llm.slice %q ["0", "0", "0", "4"] [1, 1, 1, 1] : tensor<1x3x2x6xf32> to tensor<1x3x2x2xf32>
  %q0 = llm.binary mul %x, %c : tensor<1x3x2x4xf32>, tensor<1x3x1x4xf32>
  %q1 = llm.slice %q ["0", "0", "0", "0"] [1, 1, 1, 1] : tensor<1x3x2x6xf32> to tensor<1x3x2x2xf32>
  %q2 = llm.slice %q ["0", "0", "0", "2"] [1, 1, 1, 1] : tensor<1x3x2x6xf32> to tensor<1x3x2x2xf32>
  %q3 = llm.unary neg %q2 : tensor<1x3x2x2xf32>
  %q4 = llm.concat 3 (%q3, %q1) : tensor<1x3x2x2xf32>, tensor<1x3x2x2xf32>
  %q5 = llm.binary mul %q4, %s : tensor<1x3x2x4xf32>, tensor<1x3x1x4xf32>
  %q6 = llm.binary add %q0, %q5 : tensor<1x3x2x4xf32>, tensor<1x3x2x4xf32>
  %q7 = llm.concat 3 (%q6, %p) : tensor<1x3x2x4xf32>, tensor<1x3x2x2xf32>
  return %q7 : tensor<1x3x2x6xf32>
}

// gpt-oss: halves are turned apart, tables have one value per pair.
// CHECK-LABEL: @halves
func.func @halves(%q: tensor<1x4x3x8xf32>, %c: tensor<1x1x3x4xf32>, %s: tensor<1x1x3x4xf32>) -> tensor<1x4x3x8xf32> {
  // CHECK: llm.rotary %arg0, %{{.*}}, %{{.*}} : tensor<1x4x3x8xf32>, tensor<1x3x4xf32>
  %a = llm.slice %q ["0", "0", "0", "0"] [1, 1, 1, 1] : tensor<1x4x3x8xf32> to tensor<1x4x3x4xf32>
  %b = llm.slice %q ["0", "0", "0", "4"] [1, 1, 1, 1] : tensor<1x4x3x8xf32> to tensor<1x4x3x4xf32>
  %0 = llm.binary mul %a, %c : tensor<1x4x3x4xf32>, tensor<1x1x3x4xf32>
  %1 = llm.binary mul %b, %s : tensor<1x4x3x4xf32>, tensor<1x1x3x4xf32>
  %2 = llm.binary sub %0, %1 : tensor<1x4x3x4xf32>, tensor<1x4x3x4xf32>
  %3 = llm.binary mul %b, %c : tensor<1x4x3x4xf32>, tensor<1x1x3x4xf32>
  %4 = llm.binary mul %a, %s : tensor<1x4x3x4xf32>, tensor<1x1x3x4xf32>
  %5 = llm.binary add %3, %4 : tensor<1x4x3x4xf32>, tensor<1x4x3x4xf32>
  %6 = llm.concat 3 (%2, %5) : tensor<1x4x3x4xf32>, tensor<1x4x3x4xf32>
  return %6 : tensor<1x4x3x8xf32>
}

// Even and odd channels are pairs.
// CHECK-LABEL: @interleaved
func.func @interleaved(%q: tensor<1x4x3x8xf32>, %f: tensor<1x1x3x4xf32>) -> tensor<1x4x3x8xf32> {
  // CHECK: llm.rotary %arg0, %{{.*}}, %{{.*}} {interleaved} : tensor<1x4x3x8xf32>, tensor<1x3x4xf32>
  %f0 = llm.reshape %f : tensor<1x1x3x4xf32> to tensor<1x1x3x4x1xf32>
  %f1 = llm.broadcast %f0 : tensor<1x1x3x4x1xf32> to tensor<1x1x3x4x2xf32>
  %f2 = llm.reshape %f1 : tensor<1x1x3x4x2xf32> to tensor<1x1x3x8xf32>
  %c = llm.unary cos %f2 : tensor<1x1x3x8xf32>
  %s = llm.unary sin %f2 : tensor<1x1x3x8xf32>
  %a = llm.slice %q ["0", "0", "0", "0"] [1, 1, 1, 2] : tensor<1x4x3x8xf32> to tensor<1x4x3x4xf32>
  %b = llm.slice %q ["0", "0", "0", "1"] [1, 1, 1, 2] : tensor<1x4x3x8xf32> to tensor<1x4x3x4xf32>
  %n = llm.unary neg %b : tensor<1x4x3x4xf32>
  %n1 = llm.reshape %n : tensor<1x4x3x4xf32> to tensor<1x4x3x4x1xf32>
  %a1 = llm.reshape %a : tensor<1x4x3x4xf32> to tensor<1x4x3x4x1xf32>
  %r0 = llm.concat 4 (%n1, %a1) : tensor<1x4x3x4x1xf32>, tensor<1x4x3x4x1xf32>
  %r = llm.reshape %r0 : tensor<1x4x3x4x2xf32> to tensor<1x4x3x8xf32>
  %0 = llm.binary mul %q, %c : tensor<1x4x3x8xf32>, tensor<1x1x3x8xf32>
  %1 = llm.binary mul %r, %s : tensor<1x4x3x8xf32>, tensor<1x1x3x8xf32>
  %2 = llm.binary add %0, %1 : tensor<1x4x3x8xf32>, tensor<1x4x3x8xf32>
  return %2 : tensor<1x4x3x8xf32>
}

// Halves of the tables that may differ.
// CHECK-LABEL: @unknown
func.func @unknown(%q: tensor<1x4x3x8xf32>, %c: tensor<1x1x3x8xf32>, %s: tensor<1x1x3x8xf32>) -> tensor<1x4x3x8xf32> {
  // CHECK-NOT: llm.rotary
  %0 = llm.binary mul %q, %c : tensor<1x4x3x8xf32>, tensor<1x1x3x8xf32>
  %1 = llm.slice %q ["0", "0", "0", "0"] [1, 1, 1, 1] : tensor<1x4x3x8xf32> to tensor<1x4x3x4xf32>
  %2 = llm.slice %q ["0", "0", "0", "4"] [1, 1, 1, 1] : tensor<1x4x3x8xf32> to tensor<1x4x3x4xf32>
  %3 = llm.unary neg %2 : tensor<1x4x3x4xf32>
  %4 = llm.concat 3 (%3, %1) : tensor<1x4x3x4xf32>, tensor<1x4x3x4xf32>
  %5 = llm.binary mul %4, %s : tensor<1x4x3x8xf32>, tensor<1x1x3x8xf32>
  %6 = llm.binary add %0, %5 : tensor<1x4x3x8xf32>, tensor<1x4x3x8xf32>
  return %6 : tensor<1x4x3x8xf32>
}

// Pairs that lie apart in x and together in the result: x is put in halves first.
// CHECK-LABEL: @from_interleaved_to_halves
// CHECK: %[[X:.*]] = llm.concat 3(%[[A:.*]], %[[B:.*]]) : tensor<1x4x3x4xf32>, tensor<1x4x3x4xf32>
// CHECK: %[[R:.*]] = llm.rotary %[[X]], %{{.*}}, %{{.*}} : tensor<1x4x3x8xf32>, tensor<1x3x4xf32>
// CHECK: return %[[R]]
func.func @from_interleaved_to_halves(%q: tensor<1x4x3x8xf32>, %c: tensor<1x1x3x4xf32>, %s: tensor<1x1x3x4xf32>) -> tensor<1x4x3x8xf32> {
  %a = llm.slice %q ["0", "0", "0", "0"] [1, 1, 1, 2] : tensor<1x4x3x8xf32> to tensor<1x4x3x4xf32>
  %b = llm.slice %q ["0", "0", "0", "1"] [1, 1, 1, 2] : tensor<1x4x3x8xf32> to tensor<1x4x3x4xf32>
  %0 = llm.binary mul %a, %c : tensor<1x4x3x4xf32>, tensor<1x1x3x4xf32>
  %1 = llm.binary mul %b, %s : tensor<1x4x3x4xf32>, tensor<1x1x3x4xf32>
  %2 = llm.binary sub %0, %1 : tensor<1x4x3x4xf32>, tensor<1x4x3x4xf32>
  %3 = llm.binary mul %b, %c : tensor<1x4x3x4xf32>, tensor<1x1x3x4xf32>
  %4 = llm.binary mul %a, %s : tensor<1x4x3x4xf32>, tensor<1x1x3x4xf32>
  %5 = llm.binary add %3, %4 : tensor<1x4x3x4xf32>, tensor<1x4x3x4xf32>
  %6 = llm.concat 3 (%2, %5) : tensor<1x4x3x4xf32>, tensor<1x4x3x4xf32>
  return %6 : tensor<1x4x3x8xf32>
}

// Each angle twice, as tracers write repeat_interleave: the angles' dimension in front,
// broadcast, and gathered by pairs of indices.
// CHECK-LABEL: @repeated_by_gather
// CHECK: %[[G:.*]] = llm.gather_nd {{.*}}tensor<4x2xi64>
// CHECK: %[[T:.*]] = llm.transpose %[[G]] [2, 1, 0]
// CHECK: %[[C:.*]] = llm.unary cos %[[T]] : tensor<1x3x4xf32>
// CHECK: llm.rotary %arg0, %[[C]], %{{.*}} {interleaved}
func.func @repeated_by_gather(%q: tensor<1x4x3x8xf32>, %f: tensor<4x1x3x1xf32>) -> tensor<1x4x3x8xf32> {
  %pairs = llm.constant dense<[[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1], [3, 0], [3, 1]]> : tensor<8x2xi64>
  %b = llm.broadcast %f : tensor<4x1x3x1xf32> to tensor<4x2x3x1xf32>
  %g = llm.gather_nd 0 %b, %pairs : tensor<4x2x3x1xf32>, tensor<8x2xi64>
  %t = llm.transpose %g [2, 1, 0] : tensor<8x3x1xf32>
  %c3 = llm.unary cos %t : tensor<1x3x8xf32>
  %s3 = llm.unary sin %t : tensor<1x3x8xf32>
  %c = llm.reshape %c3 : tensor<1x3x8xf32> to tensor<1x1x3x8xf32>
  %s = llm.reshape %s3 : tensor<1x3x8xf32> to tensor<1x1x3x8xf32>
  %a = llm.slice %q ["0", "0", "0", "0"] [1, 1, 1, 2] : tensor<1x4x3x8xf32> to tensor<1x4x3x4xf32>
  %o = llm.slice %q ["0", "0", "0", "1"] [1, 1, 1, 2] : tensor<1x4x3x8xf32> to tensor<1x4x3x4xf32>
  %n = llm.unary neg %o : tensor<1x4x3x4xf32>
  %n1 = llm.reshape %n : tensor<1x4x3x4xf32> to tensor<1x4x3x4x1xf32>
  %a1 = llm.reshape %a : tensor<1x4x3x4xf32> to tensor<1x4x3x4x1xf32>
  %r0 = llm.concat 4 (%n1, %a1) : tensor<1x4x3x4x1xf32>, tensor<1x4x3x4x1xf32>
  %r = llm.reshape %r0 : tensor<1x4x3x4x2xf32> to tensor<1x4x3x8xf32>
  %0 = llm.binary mul %q, %c : tensor<1x4x3x8xf32>, tensor<1x1x3x8xf32>
  %1 = llm.binary mul %r, %s : tensor<1x4x3x8xf32>, tensor<1x1x3x8xf32>
  %2 = llm.binary add %0, %1 : tensor<1x4x3x8xf32>, tensor<1x4x3x8xf32>
  return %2 : tensor<1x4x3x8xf32>
}

// The same, but the gather does not pair the angles.
// CHECK-LABEL: @gathered_otherwise
// CHECK-NOT: llm.rotary
func.func @gathered_otherwise(%q: tensor<1x4x3x8xf32>, %f: tensor<4x1x3x1xf32>) -> tensor<1x4x3x8xf32> {
  %pairs = llm.constant dense<[[0, 0], [1, 1], [1, 0], [0, 1], [2, 0], [2, 1], [3, 0], [3, 1]]> : tensor<8x2xi64>
  %b = llm.broadcast %f : tensor<4x1x3x1xf32> to tensor<4x2x3x1xf32>
  %g = llm.gather_nd 0 %b, %pairs : tensor<4x2x3x1xf32>, tensor<8x2xi64>
  %t = llm.transpose %g [2, 1, 0] : tensor<8x3x1xf32>
  %c3 = llm.unary cos %t : tensor<1x3x8xf32>
  %s3 = llm.unary sin %t : tensor<1x3x8xf32>
  %c = llm.reshape %c3 : tensor<1x3x8xf32> to tensor<1x1x3x8xf32>
  %s = llm.reshape %s3 : tensor<1x3x8xf32> to tensor<1x1x3x8xf32>
  %a = llm.slice %q ["0", "0", "0", "0"] [1, 1, 1, 2] : tensor<1x4x3x8xf32> to tensor<1x4x3x4xf32>
  %o = llm.slice %q ["0", "0", "0", "1"] [1, 1, 1, 2] : tensor<1x4x3x8xf32> to tensor<1x4x3x4xf32>
  %n = llm.unary neg %o : tensor<1x4x3x4xf32>
  %n1 = llm.reshape %n : tensor<1x4x3x4xf32> to tensor<1x4x3x4x1xf32>
  %a1 = llm.reshape %a : tensor<1x4x3x4xf32> to tensor<1x4x3x4x1xf32>
  %r0 = llm.concat 4 (%n1, %a1) : tensor<1x4x3x4x1xf32>, tensor<1x4x3x4x1xf32>
  %r = llm.reshape %r0 : tensor<1x4x3x4x2xf32> to tensor<1x4x3x8xf32>
  %0 = llm.binary mul %q, %c : tensor<1x4x3x8xf32>, tensor<1x1x3x8xf32>
  %1 = llm.binary mul %r, %s : tensor<1x4x3x8xf32>, tensor<1x1x3x8xf32>
  %2 = llm.binary add %0, %1 : tensor<1x4x3x8xf32>, tensor<1x4x3x8xf32>
  return %2 : tensor<1x4x3x8xf32>
}

// nanochat: the second member is not negated, the first one is.
// CHECK-LABEL: @backward
func.func @backward(%q: tensor<1x4x3x8xf32>, %f: tensor<1x3x4xf32>) -> tensor<1x4x3x8xf32> {
  // CHECK-DAG: %[[C:.*]] = llm.unary cos %arg1 : tensor<1x3x4xf32>
  // CHECK-DAG: %[[S:.*]] = llm.unary sin %arg1 : tensor<1x3x4xf32>
  // CHECK: %[[OPPOSITE:.*]] = llm.unary neg %[[S]]
  // CHECK: llm.rotary %arg0, %[[C]], %[[OPPOSITE]] :
  // CHECK-NOT: llm.binary
  %a = llm.concat 2 (%f, %f) : tensor<1x3x4xf32>, tensor<1x3x4xf32>
  %c3 = llm.unary cos %a : tensor<1x3x8xf32>
  %s3 = llm.unary sin %a : tensor<1x3x8xf32>
  %c = llm.reshape %c3 : tensor<1x3x8xf32> to tensor<1x1x3x8xf32>
  %s = llm.reshape %s3 : tensor<1x3x8xf32> to tensor<1x1x3x8xf32>
  %q0 = llm.binary mul %q, %c : tensor<1x4x3x8xf32>, tensor<1x1x3x8xf32>
  %q1 = llm.slice %q ["0", "0", "0", "0"] [1, 1, 1, 1] : tensor<1x4x3x8xf32> to tensor<1x4x3x4xf32>
  %q2 = llm.slice %q ["0", "0", "0", "4"] [1, 1, 1, 1] : tensor<1x4x3x8xf32> to tensor<1x4x3x4xf32>
  %q3 = llm.unary neg %q1 : tensor<1x4x3x4xf32>
  %q4 = llm.concat 3 (%q2, %q3) : tensor<1x4x3x4xf32>, tensor<1x4x3x4xf32>
  %q5 = llm.binary mul %q4, %s : tensor<1x4x3x8xf32>, tensor<1x1x3x8xf32>
  %q6 = llm.binary add %q0, %q5 : tensor<1x4x3x8xf32>, tensor<1x4x3x8xf32>
  return %q6 : tensor<1x4x3x8xf32>
}

// Both or neither negated is no rotation.
// CHECK-LABEL: @mirrored
func.func @mirrored(%q: tensor<1x4x3x8xf32>, %f: tensor<1x3x4xf32>) -> tensor<1x4x3x8xf32> {
  // CHECK-NOT: llm.rotary
  %a = llm.concat 2 (%f, %f) : tensor<1x3x4xf32>, tensor<1x3x4xf32>
  %c3 = llm.unary cos %a : tensor<1x3x8xf32>
  %s3 = llm.unary sin %a : tensor<1x3x8xf32>
  %c = llm.reshape %c3 : tensor<1x3x8xf32> to tensor<1x1x3x8xf32>
  %s = llm.reshape %s3 : tensor<1x3x8xf32> to tensor<1x1x3x8xf32>
  %q0 = llm.binary mul %q, %c : tensor<1x4x3x8xf32>, tensor<1x1x3x8xf32>
  %q1 = llm.slice %q ["0", "0", "0", "0"] [1, 1, 1, 1] : tensor<1x4x3x8xf32> to tensor<1x4x3x4xf32>
  %q2 = llm.slice %q ["0", "0", "0", "4"] [1, 1, 1, 1] : tensor<1x4x3x8xf32> to tensor<1x4x3x4xf32>
  %q3 = llm.concat 3 (%q2, %q1) : tensor<1x4x3x4xf32>, tensor<1x4x3x4xf32>
  %q4 = llm.binary mul %q3, %s : tensor<1x4x3x8xf32>, tensor<1x1x3x8xf32>
  %q5 = llm.binary add %q0, %q4 : tensor<1x4x3x8xf32>, tensor<1x4x3x8xf32>
  return %q5 : tensor<1x4x3x8xf32>
}

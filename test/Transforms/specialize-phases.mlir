// RUN: llmc-opt %s -llmc-specialize-phases="max-batch=2 max-seq=64 prefill-chunk=16" -llmc-verify-specialize -split-input-file | FileCheck %s

!kv = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P", "4">>
!new = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "S", "4">>
!all = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P + S", "4">>
!x = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>

// CHECK-LABEL: func.func @run(
// CHECK-SAME: llm.phase = "run"
// CHECK-SAME: llm.symbols = [{max = 2 : i64, min = 1 : i64, name = "B"}, {max = 64 : i64, min = 1 : i64, name = "S"}, {max = 64 : i64, min = 0 : i64, name = "P"}]
// CHECK: llm.concat

// CHECK-LABEL: func.func @prefill(
// CHECK-SAME: %[[TOKENS:[a-z0-9]+]]: tensor<?x?xi64, #llm.dims<"batch", "seq">>
// CHECK-SAME: %[[LENS:[a-z0-9]+]]: tensor<?xi64, #llm.dims<"batch">>
// CHECK-SAME: %[[KS:[a-z0-9]+]]: !llm.state<tensor<2x4xf32>> {llm.name = "past.key"}
// CHECK-SAME: -> (tensor<?x16xf32, #llm.dims<"batch", "16">> {llm.name = "logits"},
// CHECK-SAME: {max = 16 : i64, min = 1 : i64, name = "seq"}
// CHECK: llm.embedding %{{.*}}, %[[TOKENS]]
// The last layer's query and the language model's head see the last token only.
// CHECK: %[[Q:.+]] = llm.slice %{{.*}} ["0", "0", "seq - 1", "0"]
// CHECK: %[[K:.+]] = llm.state_append %[[KS]], %{{.*}}, %[[LENS]]
// CHECK: %[[SKIPPED:.+]] = llm.dim_values ["seq - 1"]
// CHECK: %[[LAST:.+]] = llm.binary add %[[LENS]], %[[SKIPPED]]
// CHECK: llm.attention %[[Q]], %[[K]], %{{.*}} past_lens %[[LAST]] {causal
// CHECK: llm.linear {{.*}} -> tensor<?x1x16xf32, #llm.dims<"batch", "1", "16">>
// CHECK: return %{{.*}}, %[[K]],

// CHECK-LABEL: func.func @decode(
// CHECK-SAME: tensor<?x1xi64, #llm.dims<"batch", "1">>
// CHECK-NOT: llm.slice
// CHECK: llm.state_append
func.func @run(%ids: tensor<?x?xi64, #llm.dims<"B", "S">>,
    %mask: tensor<?x?xi64, #llm.dims<"B", "P + S">>,
    %positions: tensor<?x?xi64, #llm.dims<"B", "S">>,
    %pk: !kv {llm.name = "past.key"}, %pv: !kv {llm.name = "past.value"})
    -> (tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>, !all {llm.name = "present.key"}, !all {llm.name = "present.value"}) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %where = llm.constant dense<2.0> : tensor<64x8xf32>
  %head = llm.constant dense<1.0> : tensor<8x16xf32>
  %none = llm.constant dense<0> : tensor<i64>
  %zero = llm.constant dense<0.0> : tensor<f32>
  %inf = llm.constant dense<0xFF800000> : tensor<f32>
  %is = llm.compare ne %mask, %none : tensor<?x?xi64, #llm.dims<"B", "P + S">>, tensor<i64>
  %key = llm.reshape %is : tensor<?x?xi1, #llm.dims<"B", "P + S">> to tensor<?x1x1x?xi1, #llm.dims<"B", "1", "1", "P + S">>
  %bias = llm.select %key, %zero, %inf : tensor<?x1x1x?xi1, #llm.dims<"B", "1", "1", "P + S">>, tensor<f32>, tensor<f32>
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> !x
  %w = llm.embedding %where, %positions : (tensor<64x8xf32>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> !x
  %x = llm.binary add %e, %w : !x, !x
  %x4 = llm.reshape %x : !x to tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">>
  %q = llm.transpose %x4 [0, 2, 1, 3] : tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">>
  %k = llm.concat 2 (%pk, %q) : !kv, !new
  %v = llm.concat 2 (%pv, %q) : !kv, !new
  %a = llm.attention %q, %k, %v bias %bias {scale = 0.5 : f64, causal} : (!new, !all, !all, tensor<?x1x1x?xf32, #llm.dims<"B", "1", "1", "P + S">>) -> !new
  %at = llm.transpose %a [0, 2, 1, 3] : !new
  %y = llm.reshape %at : tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">> to !x
  %z = llm.binary add %x, %y : !x, !x
  %logits = llm.linear %z, %head : (!x, tensor<8x16xf32>) -> tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>
  return %logits, %k, %v : tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>, !all, !all
}

// -----

// No past: the functional phase only, and the reason.
// CHECK: llm.stateless_reason = "no input is a past that grows to an output or is replaced by one"
// CHECK-LABEL: func.func @run(
// CHECK-NOT: @prefill
func.func @run(%ids: tensor<?x?xi64, #llm.dims<"B", "S">>) -> tensor<?x?x8xf32, #llm.dims<"B", "S", "8">> {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>
  return %e : tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>
}

// -----

!kv = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P", "4">>
!new = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "S", "4">>
!all = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P + S", "4">>
!x = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>

// Positions from the length that all sequences share are wrong for a batch of
// sequences with different pasts.
// CHECK: llm.stateless_reason = "'llm.iota' at {{.*}} depends on the past's length, which differs between sequences"
// CHECK-NOT: @prefill
func.func @run(%ids: tensor<?x?xi64, #llm.dims<"B", "S">>, %pk: !kv) -> (!x, !all) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> !x
  %i = llm.iota {start = "P", step = "1", dim = 0} : tensor<?x1xf32, #llm.dims<"S", "1">>
  %x = llm.binary add %e, %i : !x, tensor<?x1xf32, #llm.dims<"S", "1">>
  %x4 = llm.reshape %x : !x to tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">>
  %q = llm.transpose %x4 [0, 2, 1, 3] : tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">>
  %k = llm.concat 2 (%pk, %q) : !kv, !new
  %a = llm.attention %q, %k, %k {scale = 0.5 : f64, causal} : (!new, !all, !all) -> !new
  %at = llm.transpose %a [0, 2, 1, 3] : !new
  %y = llm.reshape %at : tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">> to !x
  return %y, %k : !x, !all
}

// -----

!kv = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P", "4">>
!new = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "S", "4">>
!all = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P + S", "4">>
!x = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>

// A scale of the whole tensor, as in dynamic quantisation, is that of all tokens: only
// what comes after it is computed for the last one.
// CHECK-LABEL: func.func @run(
// CHECK-LABEL: func.func @prefill(
// CHECK: %[[X:.+]] = llm.unary relu {{.*}} : tensor<?x?x8xf32, #llm.dims<"batch", "seq", "8">>
// CHECK-DAG: %[[LAST:.+]] = llm.slice %[[X]] ["0", "seq - 1", "0"]
// CHECK-DAG: %[[MAX:.+]] = llm.reduce max %[[X]] [0, 1, 2]
// CHECK: llm.binary div %[[LAST]], %[[MAX]] : tensor<?x1x8xf32
// CHECK: llm.linear {{.*}} -> tensor<?x1x16xf32, #llm.dims<"batch", "1", "16">>
func.func @run(%ids: tensor<?x?xi64, #llm.dims<"B", "S">>, %pk: !kv)
    -> (tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>, !all) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %head = llm.constant dense<1.0> : tensor<8x16xf32>
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> !x
  %x4 = llm.reshape %e : !x to tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">>
  %q = llm.transpose %x4 [0, 2, 1, 3] : tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">>
  %k = llm.concat 2 (%pk, %q) : !kv, !new
  %a = llm.attention %q, %k, %k {scale = 0.5 : f64, causal} : (!new, !all, !all) -> !new
  %at = llm.transpose %a [0, 2, 1, 3] : !new
  %y = llm.reshape %at : tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">> to !x
  %z = llm.unary relu %y : !x
  %max = llm.reduce max %z [0, 1, 2] {keepdims = false} : !x
  %scaled = llm.binary div %z, %max : !x, tensor<f32>
  %logits = llm.linear %scaled, %head : (!x, tensor<8x16xf32>) -> tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>
  return %logits, %k : tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>, !all
}

// -----

!kv = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P", "4">>
!new = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "S", "4">>
!all = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P + S", "4">>
!x = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>
!angles = tensor<?x?x2xf32, #llm.dims<"B", "S", "2">>

// A last query turns by its own angles, and has its own row of the bias.
// CHECK-LABEL: func.func @prefill(
// CHECK: %[[ANGLES:.+]] = llm.embedding {{.*}} -> tensor<?x?x2xf32, #llm.dims<"batch", "seq", "2">>
// CHECK: %[[LAST:.+]] = llm.slice %[[ANGLES]] ["0", "seq - 1", "0"]
// CHECK: %[[Q:.+]] = llm.rotary %{{.+}}, %[[LAST]], %[[LAST]] : tensor<?x2x1x4xf32, {{.*}}>, tensor<?x1x2xf32
// CHECK: %[[BIAS:.+]] = llm.cast %{{.+}} to tensor<?x1x1x1xf32
// CHECK: llm.attention %[[Q]], %{{.+}}, %{{.+}} bias %[[BIAS]] past_lens
func.func @run(%ids: tensor<?x?xi64, #llm.dims<"B", "S">>,
    %positions: tensor<?x?xi64, #llm.dims<"B", "S">>, %pk: !kv, %pv: !kv)
    -> (!x, !all, !all) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %turns = llm.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> !x
  %angles = llm.embedding %turns, %positions : (tensor<2x2xf32>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> !angles
  %x4 = llm.reshape %e : !x to tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">>
  %h = llm.transpose %x4 [0, 2, 1, 3] : tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">>
  %q = llm.rotary %h, %angles, %angles : !new, !angles
  %k = llm.concat 2 (%pk, %h) : !kv, !new
  %v = llm.concat 2 (%pv, %h) : !kv, !new
  %at = llm.reshape %positions : tensor<?x?xi64, #llm.dims<"B", "S">> to tensor<?x1x?x1xi64, #llm.dims<"B", "1", "S", "1">>
  %bias = llm.cast %at : tensor<?x1x?x1xi64, #llm.dims<"B", "1", "S", "1">> to tensor<?x1x?x1xf32, #llm.dims<"B", "1", "S", "1">>
  %a = llm.attention %q, %k, %v bias %bias {scale = 0.5 : f64, causal} : (!new, !all, !all, tensor<?x1x?x1xf32, #llm.dims<"B", "1", "S", "1">>) -> !new
  %t = llm.transpose %a [0, 2, 1, 3] : !new
  %y = llm.reshape %t : tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">> to !x
  return %y, %k, %v : !x, !all, !all
}

// -----

!kv = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P", "4">>
!new = tensor<?x2x1x4xf32, #llm.dims<"B", "2", "1", "4">>
!all = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P + 1", "4">>
!x = tensor<?x1x8xf32, #llm.dims<"B", "1", "8">>

// A model of one token: prefill is the same step, which the runtime repeats for a prompt.
// CHECK-LABEL: func.func @prefill(
// CHECK-SAME: %{{[a-z0-9]+}}: tensor<?x1xi64, #llm.dims<"batch", "1">>
// CHECK-SAME: {max = 1 : i64, min = 1 : i64, name = "seq"}
// CHECK: llm.attention {{.*}} past_lens
// CHECK-LABEL: func.func @decode(
// CHECK-SAME: %{{[a-z0-9]+}}: tensor<?x1xi64, #llm.dims<"batch", "1">>
// CHECK-SAME: {max = 1 : i64, min = 1 : i64, name = "seq"}
// CHECK: llm.attention {{.*}} past_lens
func.func @run(%ids: tensor<?x1xi64, #llm.dims<"B", "1">>, %pk: !kv, %pv: !kv) -> (!x, !all, !all) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x1xi64, #llm.dims<"B", "1">>) -> !x
  %x4 = llm.reshape %e : !x to tensor<?x1x2x4xf32, #llm.dims<"B", "1", "2", "4">>
  %h = llm.transpose %x4 [0, 2, 1, 3] : tensor<?x1x2x4xf32, #llm.dims<"B", "1", "2", "4">>
  %k = llm.concat 2 (%pk, %h) : !kv, !new
  %v = llm.concat 2 (%pv, %h) : !kv, !new
  %a = llm.attention %h, %k, %v {scale = 0.5 : f64} : (!new, !all, !all) -> !new
  %t = llm.transpose %a [0, 2, 1, 3] : !new
  %y = llm.reshape %t : tensor<?x1x2x4xf32, #llm.dims<"B", "1", "2", "4">> to !x
  return %y, %k, %v : !x, !all, !all
}

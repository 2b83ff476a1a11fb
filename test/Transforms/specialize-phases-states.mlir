// States of every kind, found by structure: no value has a name.
// RUN: llmc-opt %s -llmc-specialize-phases="max-batch=2 max-seq=64 prefill-chunk=16" -llmc-verify-specialize -split-input-file | FileCheck %s

!x = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>
!xt = tensor<?x8x?xf32, #llm.dims<"B", "8", "S">>
!seen = tensor<?x8x?xf32, #llm.dims<"B", "8", "S + 2">>
!window = tensor<?x8x2xf32, #llm.dims<"B", "8", "2">>

// Two layers have windows of the same type, given and returned in different orders: the
// second layer's past reaches the second layer's present only.
// CHECK-LABEL: func.func @prefill(
// CHECK-SAME: %[[TOKENS:[a-z0-9]+]]: tensor<?x?xi64, #llm.dims<"batch", "seq">>
// CHECK-SAME: %[[SECOND:[a-z0-9]+]]: !llm.state<tensor<8x2xf32>, fixed = true>
// CHECK-SAME: %[[FIRST:[a-z0-9]+]]: !llm.state<tensor<8x2xf32>, fixed = true>
// CHECK-DAG: %[[P1:.+]] = llm.state_load %[[FIRST]] : {{.*}}<tensor<8x2xf32>, fixed = true> to tensor<?x8x2xf32, #llm.dims<"batch", "8", "2">>
// CHECK-DAG: %[[P2:.+]] = llm.state_load %[[SECOND]]
// CHECK: llm.causal_conv %{{.*}} past %[[P1]]
// CHECK: %[[N1:.+]] = llm.slice
// CHECK-NEXT: %[[S1:.+]] = llm.state_store %[[FIRST]], %[[N1]]
// CHECK: llm.causal_conv %{{.*}} past %[[P2]]
// CHECK: %[[S2:.+]] = llm.state_store %[[SECOND]]
// CHECK: return %{{.*}}, %[[S2]], %[[S1]]
// CHECK-LABEL: func.func @decode(
func.func @run(%ids: tensor<?x?xi64, #llm.dims<"B", "S">>, %p2: !window, %p1: !window)
    -> (!window, tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>, !window) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %head = llm.constant dense<1.0> : tensor<8x16xf32>
  %w = llm.constant dense<1.0> : tensor<8x3xf32>
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> !x
  %x1 = llm.transpose %e [0, 2, 1] : !x
  %y1 = llm.causal_conv %x1, %w past %p1 : (!xt, tensor<8x3xf32>, !window) -> !xt
  %a1 = llm.concat 2 (%p1, %x1) : !window, !xt
  %n1 = llm.slice %a1 ["0", "0", "S"] [1, 1, 1] : !seen to !window
  %y2 = llm.causal_conv %y1, %w past %p2 : (!xt, tensor<8x3xf32>, !window) -> !xt
  %a2 = llm.concat 2 (%p2, %y1) : !window, !xt
  %n2 = llm.slice %a2 ["0", "0", "S"] [1, 1, 1] : !seen to !window
  %y = llm.transpose %y2 [0, 2, 1] : !xt
  %logits = llm.linear %y, %head : (!x, tensor<8x16xf32>) -> tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>
  return %n1, %logits, %n2 : !window, tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>, !window
}

// -----

!x = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>
!past = tensor<?x?x8xf32, #llm.dims<"B", "P", "8">>
!all = tensor<?x?x8xf32, #llm.dims<"B", "P + S", "8">>
!h = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "S", "4">>
!hall = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P + S", "4">>

// A latent cache: tokens are appended in place, what reads all of them loads them, and
// attention gets the lengths. A mask of ones leaves nothing behind.
// CHECK-LABEL: func.func @decode(
// CHECK-SAME: %[[LENS:[a-z0-9]+]]: tensor<?xi64, #llm.dims<"batch">>
// CHECK-SAME: %[[STATE:[a-z0-9]+]]: !llm.state<tensor<1x8xf32>>
// CHECK-NOT: llm.binary mul
// CHECK: %[[NEW:.+]] = llm.reshape %{{.*}} to tensor<?x1x1x8xf32, #llm.dims<"batch", "1", "1", "8">>
// CHECK: %[[APPENDED:.+]] = llm.state_append %[[STATE]], %[[NEW]], %[[LENS]]
// CHECK: llm.state_load %[[APPENDED]] : {{.*}}<tensor<1x8xf32>> to tensor<?x1x?x8xf32, #llm.dims<"batch", "1", "past + 1", "8">>
// CHECK: llm.attention %{{.*}} past_lens %[[LENS]]
// CHECK: return %{{.*}}, %[[APPENDED]]
func.func @run(%ids: tensor<?x?xi64, #llm.dims<"B", "S">>, %mask: tensor<?x?xi64, #llm.dims<"B", "P + S">>, %past: !past)
    -> (tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>, !all) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %head = llm.constant dense<1.0> : tensor<8x16xf32>
  %e0 = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> !x
  %m0 = llm.slice %mask ["0", "P"] [1, 1] : tensor<?x?xi64, #llm.dims<"B", "P + S">> to tensor<?x?xi64, #llm.dims<"B", "S">>
  %m1 = llm.cast %m0 : tensor<?x?xi64, #llm.dims<"B", "S">> to tensor<?x?xf32, #llm.dims<"B", "S">>
  %m2 = llm.reshape %m1 : tensor<?x?xf32, #llm.dims<"B", "S">> to tensor<?x?x1xf32, #llm.dims<"B", "S", "1">>
  %e = llm.binary mul %e0, %m2 : !x, tensor<?x?x1xf32, #llm.dims<"B", "S", "1">>
  %all = llm.concat 1 (%past, %e) : !past, !x
  %k4 = llm.reshape %all : !all to tensor<?x?x2x4xf32, #llm.dims<"B", "P + S", "2", "4">>
  %k = llm.transpose %k4 [0, 2, 1, 3] : tensor<?x?x2x4xf32, #llm.dims<"B", "P + S", "2", "4">>
  %q4 = llm.reshape %e : !x to tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">>
  %q = llm.transpose %q4 [0, 2, 1, 3] : tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">>
  %a = llm.attention %q, %k, %k {scale = 0.5 : f64, causal} : (!h, !hall, !hall) -> !h
  %at = llm.transpose %a [0, 2, 1, 3] : !h
  %y = llm.reshape %at : tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">> to !x
  %logits = llm.linear %y, %head : (!x, tensor<8x16xf32>) -> tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>
  return %logits, %all : tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>, !all
}

// -----

!x = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>
!past = tensor<?x?x8xf32, #llm.dims<"B", "P", "8">>
!all = tensor<?x?x8xf32, #llm.dims<"B", "P + S", "8">>

// A mean over all tokens would count what lies behind a shorter sequence's end.
// CHECK: llm.stateless_reason = "'llm.reduce' at {{.*}} depends on the past's length, which differs between sequences"
// CHECK-NOT: @prefill
func.func @run(%ids: tensor<?x?xi64, #llm.dims<"B", "S">>, %past: !past) -> (!x, !all) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> !x
  %all = llm.concat 1 (%past, %e) : !past, !x
  %m = llm.reduce mean %all [1] {keepdims = true} : !all
  %y = llm.binary add %e, %m : !x, tensor<?x1x8xf32, #llm.dims<"B", "1", "8">>
  return %y, %all : !x, !all
}

// -----

!x = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>
!x16 = tensor<?x?x8xf16, #llm.dims<"B", "S", "8">>
!xh16 = tensor<?x?x2x4xf16, #llm.dims<"B", "S", "2", "4">>
!h16 = tensor<?x2x?x4xf16, #llm.dims<"B", "2", "S", "4">>
!past = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P", "4">>
!past16 = tensor<?x2x?x4xf16, #llm.dims<"B", "2", "P", "4">>
!all = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P + S", "4">>
!all16 = tensor<?x2x?x4xf16, #llm.dims<"B", "2", "P + S", "4">>

// Inputs and outputs are f32, the layers between f16: so is the state. A cache of P rows
// drops what lies behind its window when it returns; the state keeps what it is told.
// CHECK-LABEL: func.func @prefill(
// CHECK-LABEL: func.func @decode(
// CHECK-SAME: %[[LENS:[a-z0-9]+]]: tensor<?xi64, #llm.dims<"batch">>
// CHECK-SAME: %[[KEYS:[a-z0-9]+]]: !llm.state<tensor<2x4xf16>>
// CHECK-SAME: %[[VALUES:[a-z0-9]+]]: !llm.state<tensor<2x4xf16>>
// CHECK-DAG: %[[K:.+]] = llm.state_append %[[KEYS]], %{{.*}}, %[[LENS]]
// CHECK-DAG: %[[V:.+]] = llm.state_append %[[VALUES]], %{{.*}}, %[[LENS]]
// CHECK: llm.attention %{{.*}}, %[[K]], %[[V]] past_lens %[[LENS]]
// CHECK-NOT: llm.kv_evict
// CHECK: return %{{.*}}, %[[K]], %[[V]]
func.func @run(%ids: tensor<?x?xi64, #llm.dims<"B", "S">>, %pk: !past, %pv: !past16)
    -> (tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>, !all, !past16) {
  %table = llm.constant dense<1.0> : tensor<16x8xf16>
  %head = llm.constant dense<1.0> : tensor<8x16xf32>
  %e = llm.embedding %table, %ids : (tensor<16x8xf16>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> !x16
  %r = llm.reshape %e : !x16 to !xh16
  %h = llm.transpose %r [0, 2, 1, 3] : !xh16
  %pk16 = llm.cast %pk : !past to !past16
  %k = llm.concat 2 (%pk16, %h) : !past16, !h16
  %p = llm.dim_values ["P"] : tensor<1xi64>
  %pasts = llm.broadcast %p : tensor<1xi64> to tensor<?xi64, #llm.dims<"B">>
  %v = llm.kv_append %pv, %h, %pasts : !past16, !h16, tensor<?xi64, #llm.dims<"B">>
  %s = llm.dim_values ["S"] : tensor<1xi64>
  %lens = llm.broadcast %s : tensor<1xi64> to tensor<?xi64, #llm.dims<"B">>
  %kept = llm.kv_evict %v, %lens : !all16, tensor<?xi64, #llm.dims<"B">> to !past16
  %a = llm.attention %h, %k, %v {causal, scale = 0.5 : f64, window = 4 : i64} : (!h16, !all16, !all16) -> !h16
  %b = llm.transpose %a [0, 2, 1, 3] : !h16
  %c = llm.reshape %b : !xh16 to !x16
  %d = llm.cast %c : !x16 to !x
  %logits = llm.linear %d, %head : (!x, tensor<8x16xf32>) -> tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>
  %k32 = llm.cast %k : !all16 to !all
  return %logits, %k32, %kept : tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>, !all, !past16
}

// -----

!x = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>
!h = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "S", "4">>
!past = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P", "4">>
!all = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P + S", "4">>
!bias = tensor<?x2x1x?xf32, #llm.dims<"B", "2", "1", "P + S">>

// Values are read by more than attention: they are loaded, and so are the keys, because
// attention reads both in place or neither.
// CHECK-LABEL: func.func @decode(
// CHECK-DAG: llm.state_load %{{.*}} to tensor<?x2x?x4xf32, #llm.dims<"batch", "2", "past + 1", "4">>
// CHECK-DAG: llm.state_load %{{.*}} to tensor<?x2x?x4xf32, #llm.dims<"batch", "2", "past + 1", "4">>
// CHECK: llm.reduce max
// CHECK: llm.attention %{{.*}} : ({{.*}}tensor<?x2x?x4xf32, #llm.dims<"batch", "2", "past + 1", "4">>, tensor<?x2x?x4xf32, #llm.dims<"batch", "2", "past + 1", "4">>
func.func @run(%ids: tensor<?x?xi64, #llm.dims<"B", "S">>, %pk: !past, %pv: !past)
    -> (tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>, !all, !all) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %head = llm.constant dense<1.0> : tensor<8x16xf32>
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> !x
  %r = llm.reshape %e : !x to tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">>
  %h = llm.transpose %r [0, 2, 1, 3] : tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">>
  %k = llm.concat 2 (%pk, %h) : !past, !h
  %v = llm.concat 2 (%pv, %h) : !past, !h
  %most = llm.reduce max %v [3] {keepdims = false} : !all
  %bias = llm.reshape %most : tensor<?x2x?xf32, #llm.dims<"B", "2", "P + S">> to !bias
  %a = llm.attention %h, %k, %v bias %bias {scale = 0.5 : f64, causal} : (!h, !all, !all, !bias) -> !h
  %t = llm.transpose %a [0, 2, 1, 3] : !h
  %y = llm.reshape %t : tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">> to !x
  %logits = llm.linear %y, %head : (!x, tensor<8x16xf32>) -> tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>
  return %logits, %k, %v : tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>, !all, !all
}

// -----

!row = tensor<?x8xf32, #llm.dims<"B", "8">>
!x = tensor<?x1x8xf32, #llm.dims<"B", "1", "8">>
!state = tensor<2x?x8xf32, #llm.dims<"2", "B", "8">>
!layer = tensor<1x?x8xf32, #llm.dims<"1", "B", "8">>
!logits = tensor<?x16xf32, #llm.dims<"B", "16">>

// One step of two layers whose states lie behind one another with the batch second. What is
// called %a becomes the second output, because the first is computed from that elementwise.
// States have the batch first. Logits without a dimension of tokens are those of the last one.
// CHECK-LABEL: func.func @prefill(
// CHECK-SAME: %[[A:[a-z0-9]+]]: !llm.state<tensor<2x8xf32>, fixed = true>
// CHECK-SAME: %[[B:[a-z0-9]+]]: !llm.state<tensor<2x8xf32>, fixed = true>
// CHECK: %[[LB:.+]] = llm.state_load %[[B]] : {{.*}} to tensor<?x2x8xf32, #llm.dims<"batch", "2", "8">>
// CHECK: llm.transpose %[[LB]] [1, 0, 2]
// CHECK: %[[LA:.+]] = llm.state_load %[[A]]
// CHECK: %[[H:.+]] = llm.concat 0
// CHECK: %[[TH:.+]] = llm.transpose %[[H]] [1, 0, 2]
// CHECK: %[[SB:.+]] = llm.state_store %[[B]], %[[TH]]
// CHECK: %[[C:.+]] = llm.concat 0
// CHECK: %[[TC:.+]] = llm.transpose %[[C]] [1, 0, 2]
// CHECK: %[[SA:.+]] = llm.state_store %[[A]], %[[TC]]
// CHECK: return %{{.*}}, %[[SA]], %[[SB]] : tensor<?x16xf32, #llm.dims<"batch", "16">>
// CHECK-LABEL: func.func @decode(
func.func @run(%ids: tensor<?x1xi64, #llm.dims<"B", "1">>, %a: !state, %b: !state)
    -> (!state, !state, !logits) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %w = llm.constant dense<1.0> : tensor<8x8xf32>
  %head = llm.constant dense<1.0> : tensor<8x16xf32>
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x1xi64, #llm.dims<"B", "1">>) -> !x
  %x = llm.reshape %e : !x to !row
  %a0 = llm.slice %a ["0", "0", "0"] [1, 1, 1] : !state to !layer
  %b0 = llm.slice %b ["0", "0", "0"] [1, 1, 1] : !state to !layer
  %a1 = llm.slice %a ["1", "0", "0"] [1, 1, 1] : !state to !layer
  %b1 = llm.slice %b ["1", "0", "0"] [1, 1, 1] : !state to !layer
  %m0 = llm.linear %b0, %w : (!layer, tensor<8x8xf32>) -> !layer
  %x0 = llm.binary add %m0, %x : !layer, !row
  %c0 = llm.binary add %a0, %x0 : !layer, !layer
  %h0 = llm.unary tanh %c0 : !layer
  %i1 = llm.linear %h0, %w : (!layer, tensor<8x8xf32>) -> !layer
  %m1 = llm.linear %b1, %w : (!layer, tensor<8x8xf32>) -> !layer
  %x1 = llm.binary add %m1, %i1 : !layer, !layer
  %c1 = llm.binary add %a1, %x1 : !layer, !layer
  %h1 = llm.unary tanh %c1 : !layer
  %h = llm.concat 0 (%h0, %h1) : !layer, !layer
  %c = llm.concat 0 (%c0, %c1) : !layer, !layer
  %y = llm.reshape %h1 : !layer to !row
  %logits = llm.linear %y, %head : (!row, tensor<8x16xf32>) -> !logits
  return %h, %c, %logits : !state, !state, !logits
}

// -----

!row = tensor<?x8xf32, #llm.dims<"B", "8">>
!x = tensor<?x1x8xf32, #llm.dims<"B", "1", "8">>
!logits = tensor<?x16xf32, #llm.dims<"B", "16">>

// What a layer mixes with the last token's value: the first past leads to the second present
// only, and the second to none. They go by their order.
// CHECK-LABEL: func.func @prefill(
// CHECK-SAME: %[[FIRST:[a-z0-9]+]]: !llm.state<tensor<8xf32>, fixed = true>
// CHECK-SAME: %[[SECOND:[a-z0-9]+]]: !llm.state<tensor<8xf32>, fixed = true>
// CHECK: %[[X:.+]] = llm.reshape
// CHECK: llm.state_store %[[FIRST]], %[[X]]
// CHECK: %[[Y:.+]] = llm.linear
// CHECK: llm.state_store %[[SECOND]], %[[Y]]
// CHECK-LABEL: func.func @decode(
func.func @run(%ids: tensor<?x1xi64, #llm.dims<"B", "1">>, %a: !row, %b: !row)
    -> (!logits, !row, !row) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %w = llm.constant dense<1.0> : tensor<8x8xf32>
  %head = llm.constant dense<1.0> : tensor<8x16xf32>
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x1xi64, #llm.dims<"B", "1">>) -> !x
  %x = llm.reshape %e : !x to !row
  %mixed = llm.binary add %x, %a : !row, !row
  %y = llm.linear %mixed, %w : (!row, tensor<8x8xf32>) -> !row
  %all = llm.binary add %y, %b : !row, !row
  %logits = llm.linear %all, %head : (!row, tensor<8x16xf32>) -> !logits
  return %logits, %x, %y : !logits, !row, !row
}

// -----

!row = tensor<?x8xf32, #llm.dims<"B", "8">>
!x = tensor<?x1x8xf32, #llm.dims<"B", "1", "8">>
!logits = tensor<?x16xf32, #llm.dims<"B", "16">>

// Both pasts lead to both presents through a matrix: nothing says which is whose.
// CHECK: llm.stateless_reason = "the input argument 1 may be the past of several outputs of its type"
// CHECK-NOT: @prefill
func.func @run(%ids: tensor<?x1xi64, #llm.dims<"B", "1">>, %a: !row, %b: !row)
    -> (!logits, !row, !row) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %w = llm.constant dense<1.0> : tensor<8x8xf32>
  %head = llm.constant dense<1.0> : tensor<8x16xf32>
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x1xi64, #llm.dims<"B", "1">>) -> !x
  %x = llm.reshape %e : !x to !row
  %sum = llm.binary add %a, %b : !row, !row
  %y = llm.linear %sum, %w : (!row, tensor<8x8xf32>) -> !row
  %z = llm.binary add %y, %x : !row, !row
  %logits = llm.linear %z, %head : (!row, tensor<8x16xf32>) -> !logits
  return %logits, %y, %z : !logits, !row, !row
}

// -----

!x = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>
!row = tensor<?x8xf32, #llm.dims<"B", "8">>

// A loop that begins with the last token: what it gives for a token depends on the chunk.
// CHECK: llm.stateless_reason = "'llm.loop' at {{.*}} begins with the last token"
// CHECK-NOT: @prefill
func.func @run(%ids: tensor<?x?xi64, #llm.dims<"B", "S">>, %h: !row) -> (!x, !row) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> !x
  %n = llm.loop "i0" < "S" (%h) captured (%e) stacks [] : (!row, !x) -> !row {
  ^bb0(%a: !row, %b: !x):
    %1 = llm.slice %b ["0", "S - i0 - 1", "0"] [1, 1, 1] : !x to tensor<?x1x8xf32, #llm.dims<"B", "1", "8">>
    %2 = llm.reshape %1 : tensor<?x1x8xf32, #llm.dims<"B", "1", "8">> to !row
    %3 = llm.binary add %a, %2 : !row, !row
    llm.yield %3 : !row
  }
  return %e, %n : !x, !row
}

// Caches of integers: a state holds the numbers that are read of them.
// RUN: llmc-opt %s -llmc-specialize-phases="max-batch=2 max-seq=64 prefill-chunk=16" -llmc-verify-specialize -split-input-file | FileCheck %s

!x = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>
!h = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "S", "4">>
!hs = tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">>
!past = tensor<?x2x?x4xi8, #llm.dims<"B", "2", "P", "4">>
!new = tensor<?x2x?x4xi8, #llm.dims<"B", "2", "S", "4">>
!all = tensor<?x2x?x4xi8, #llm.dims<"B", "2", "P + S", "4">>
!read = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P + S", "4">>
!logits = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>

// Nothing but attention reads the numbers. The past may be empty.
// CHECK-LABEL: func.func @run(
// CHECK-SAME: {max = 64 : i64, min = 0 : i64, name = "P"}
// CHECK-LABEL: func.func @prefill(
// CHECK-SAME: %[[STATE:[a-z0-9]+]]: !llm.state<tensor<2x4xf32>>
// CHECK-DAG: %[[NEW:.+]] = llm.cast %{{.*}} to tensor<?x2x?x4xi8, #llm.dims<"batch", "2", "seq", "4">>
// CHECK-DAG: %[[FLOATS:.+]] = llm.cast %[[NEW]] : {{.*}} to tensor<?x2x?x4xf32, #llm.dims<"batch", "2", "seq", "4">>
// CHECK: %[[NUMBERS:.+]] = llm.binary mul %[[FLOATS]], %{{.*}} tensor<2x1x4xf32>
// CHECK: %[[AFTER:.+]] = llm.state_append %[[STATE]], %[[NUMBERS]]
// CHECK: llm.attention %{{.*}}, %[[AFTER]], %[[AFTER]] past_lens
// CHECK: return %{{.*}}, %[[AFTER]]
// CHECK-LABEL: func.func @decode(
func.func @run(%ids: tensor<?x?xi64, #llm.dims<"B", "S">>, %past: !past) -> (!logits, !all) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %scale = llm.constant dense<[[[0.5, 1.0, 2.0, 4.0]], [[4.0, 2.0, 1.0, 0.5]]]> : tensor<2x1x4xf32>
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> !x
  %e4 = llm.reshape %e : !x to !hs
  %q = llm.transpose %e4 [0, 2, 1, 3] : !hs
  %steps = llm.binary div %q, %scale : !h, tensor<2x1x4xf32>
  %new = llm.cast %steps : !h to !new
  %all = llm.concat 2 (%past, %new) : !past, !new
  %floats = llm.cast %all : !all to !read
  %read = llm.binary mul %floats, %scale : !read, tensor<2x1x4xf32>
  %a = llm.attention %q, %read, %read {scale = 0.5 : f64, causal} : (!h, !read, !read) -> !h
  %at = llm.transpose %a [0, 2, 1, 3] : !h
  %y = llm.reshape %at : !hs to !logits
  return %y, %all : !logits, !all
}

// -----

!x = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>
!h = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "S", "4">>
!hs = tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">>
!past = tensor<?x2x?x4xi8, #llm.dims<"B", "2", "P", "4">>
!new = tensor<?x2x?x4xi8, #llm.dims<"B", "2", "S", "4">>
!all = tensor<?x2x?x4xi8, #llm.dims<"B", "2", "P + S", "4">>
!read = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P + S", "4">>
!logits = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>

// Something else reads the numbers as well, and loads them.
// CHECK-LABEL: func.func @decode(
// CHECK-SAME: %[[STATE:[a-z0-9]+]]: !llm.state<tensor<2x4xf32>>
// CHECK: %[[NUMBERS:.+]] = llm.binary mul {{.*}} tensor<2x1x4xf32>
// CHECK: %[[AFTER:.+]] = llm.state_append %[[STATE]], %[[NUMBERS]]
// CHECK: %[[ALL:.+]] = llm.state_load %[[AFTER]] : {{.*}} to tensor<?x2x?x4xf32, #llm.dims<"batch", "2", "past + 1", "4">>
// CHECK: llm.softmax 3 %[[ALL]]
// CHECK: llm.attention
func.func @run(%ids: tensor<?x?xi64, #llm.dims<"B", "S">>, %past: !past) -> (!logits, !all) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %scale = llm.constant dense<[[[0.5, 1.0, 2.0, 4.0]], [[4.0, 2.0, 1.0, 0.5]]]> : tensor<2x1x4xf32>
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> !x
  %e4 = llm.reshape %e : !x to !hs
  %q = llm.transpose %e4 [0, 2, 1, 3] : !hs
  %steps = llm.binary div %q, %scale : !h, tensor<2x1x4xf32>
  %new = llm.cast %steps : !h to !new
  %all = llm.concat 2 (%past, %new) : !past, !new
  %floats = llm.cast %all : !all to !read
  %read = llm.binary mul %floats, %scale : !read, tensor<2x1x4xf32>
  %soft = llm.softmax 3 %read : !read
  %a = llm.attention %q, %soft, %read {scale = 0.5 : f64, causal} : (!h, !read, !read) -> !h
  %at = llm.transpose %a [0, 2, 1, 3] : !h
  %y = llm.reshape %at : !hs to !logits
  return %y, %all : !logits, !all
}

// -----

!x = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>
!h = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "S", "4">>
!hs = tensor<?x?x2x4xf32, #llm.dims<"B", "S", "2", "4">>
!past = tensor<?x2x?x4xi8, #llm.dims<"B", "2", "P", "4">>
!new = tensor<?x2x?x4xi8, #llm.dims<"B", "2", "S", "4">>
!all = tensor<?x2x?x4xi8, #llm.dims<"B", "2", "P + S", "4">>
!read = tensor<?x2x?x4xf32, #llm.dims<"B", "2", "P + S", "4">>
!logits = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>

// The integers stand for other numbers at other places of the sequence.
// CHECK: llm.stateless_reason = "the input argument 1 holds integers that stand for no numbers"
// CHECK-NOT: @prefill
func.func @run(%ids: tensor<?x?xi64, #llm.dims<"B", "S">>, %past: !past) -> (!logits, !all) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %scale = llm.constant dense<[[[0.5, 1.0, 2.0, 4.0]], [[4.0, 2.0, 1.0, 0.5]]]> : tensor<2x1x4xf32>
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> !x
  %e4 = llm.reshape %e : !x to !hs
  %q = llm.transpose %e4 [0, 2, 1, 3] : !hs
  %steps = llm.binary div %q, %scale : !h, tensor<2x1x4xf32>
  %new = llm.cast %steps : !h to !new
  %all = llm.concat 2 (%past, %new) : !past, !new
  %where = llm.iota {start = "0", step = "1", dim = 2} : tensor<1x1x?x1xi8, #llm.dims<"1", "1", "P + S", "1">>
  %moved = llm.binary add %all, %where : !all, tensor<1x1x?x1xi8, #llm.dims<"1", "1", "P + S", "1">>
  %read = llm.cast %moved : !all to !read
  %a = llm.attention %q, %read, %read {scale = 0.5 : f64, causal} : (!h, !read, !read) -> !h
  %at = llm.transpose %a [0, 2, 1, 3] : !h
  %y = llm.reshape %at : !hs to !logits
  return %y, %all : !logits, !all
}

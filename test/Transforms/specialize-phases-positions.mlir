// Positions that the graph counts itself, from the size of the past, become those of each
// sequence.
// RUN: llmc-opt %s -llmc-specialize-phases="max-batch=2 max-seq=64 prefill-chunk=16" -llmc-verify-specialize -split-input-file | FileCheck %s

!x = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>
!past = tensor<?x1x?x8xf32, #llm.dims<"B", "1", "P", "8">>
!all = tensor<?x1x?x8xf32, #llm.dims<"B", "1", "P + S", "8">>

// What the sequences shared, angles [1, S, 8], gets the batch as a first dimension until it
// meets a value that has it.
// CHECK-LABEL: func.func @prefill(
// CHECK-SAME: %[[LENS:[a-z0-9]+]]: tensor<?xi64, #llm.dims<"batch">>
// CHECK: %[[OWN:.+]] = llm.reshape %[[LENS]] : {{.*}} to tensor<?x1xi64, #llm.dims<"batch", "1">>
// CHECK: %[[INDEX:.+]] = llm.iota {{.*}}start = "0"{{.*}} : tensor<1x?xi64, #llm.dims<"1", "seq">>
// CHECK: %[[POSITIONS:.+]] = llm.binary add %[[OWN]], %[[INDEX]]
// CHECK: llm.embedding %{{.*}}, %[[POSITIONS]] : {{.*}} -> tensor<?x?x8xf32, #llm.dims<"batch", "seq", "8">>
// CHECK: %[[SINE:.+]] = llm.unary sin %{{.*}} : tensor<?x1x?x8xf32, #llm.dims<"batch", "1", "seq", "8">>
// CHECK: %[[ROWS:.+]] = llm.reshape %[[SINE]] : {{.*}} to tensor<?x?x8xf32, #llm.dims<"batch", "seq", "8">>
// CHECK: llm.binary add %{{.*}}, %[[ROWS]]
// CHECK-LABEL: func.func @decode(
func.func @run(%ids: tensor<?x?xi64, #llm.dims<"B", "S">>, %past: !past)
    -> (tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>, !all) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %where = llm.constant dense<2.0> : tensor<64x8xf32>
  %head = llm.constant dense<1.0> : tensor<8x16xf32>
  %w = llm.constant dense<0.5> : tensor<8xf32>
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> !x
  %p = llm.iota {start = "P", step = "1", dim = 0} : tensor<?xi64, #llm.dims<"S">>
  %r = llm.embedding %where, %p : (tensor<64x8xf32>, tensor<?xi64, #llm.dims<"S">>) -> tensor<?x8xf32, #llm.dims<"S", "8">>
  %p3 = llm.reshape %p : tensor<?xi64, #llm.dims<"S">> to tensor<1x?x1xi64, #llm.dims<"1", "S", "1">>
  %f = llm.cast %p3 : tensor<1x?x1xi64, #llm.dims<"1", "S", "1">> to tensor<1x?x1xf32, #llm.dims<"1", "S", "1">>
  %angles = llm.binary mul %f, %w : tensor<1x?x1xf32, #llm.dims<"1", "S", "1">>, tensor<8xf32>
  %sine = llm.unary sin %angles : tensor<1x?x8xf32, #llm.dims<"1", "S", "8">>
  %x0 = llm.binary add %e, %r : !x, tensor<?x8xf32, #llm.dims<"S", "8">>
  %x = llm.binary add %x0, %sine : !x, tensor<1x?x8xf32, #llm.dims<"1", "S", "8">>
  %k = llm.reshape %x : !x to tensor<?x1x?x8xf32, #llm.dims<"B", "1", "S", "8">>
  %all = llm.concat 2 (%past, %k) : !past, tensor<?x1x?x8xf32, #llm.dims<"B", "1", "S", "8">>
  %a = llm.attention %k, %all, %all {scale = 0.5 : f64, causal} : (tensor<?x1x?x8xf32, #llm.dims<"B", "1", "S", "8">>, !all, !all) -> tensor<?x1x?x8xf32, #llm.dims<"B", "1", "S", "8">>
  %y = llm.reshape %a : tensor<?x1x?x8xf32, #llm.dims<"B", "1", "S", "8">> to !x
  %logits = llm.linear %y, %head : (!x, tensor<8x16xf32>) -> tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>
  return %logits, %all : tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>, !all
}

// -----

!x = tensor<?x?x8xf32, #llm.dims<"B", "S", "8">>
!past = tensor<?x1x?x8xf32, #llm.dims<"B", "1", "P", "8">>
!all = tensor<?x1x?x8xf32, #llm.dims<"B", "1", "P + S", "8">>
!m = tensor<?x?xi64, #llm.dims<"B", "P + S">>

// A running sum of the mask counts ones; its end and the end of a table begin at each
// sequence's own length.
// CHECK-LABEL: func.func @decode(
// CHECK-SAME: %[[LENS:[a-z0-9]+]]: tensor<?xi64, #llm.dims<"batch">>
// CHECK-NOT: llm.cumulative
// CHECK-DAG: %[[OWN:.+]] = llm.reshape %[[LENS]] : {{.*}} to tensor<?x1xi64, #llm.dims<"batch", "1">>
// CHECK-DAG: llm.gather 0 %{{.*}}, %{{.*}} : tensor<64x8xf32>, tensor<?x1xi64, #llm.dims<"batch", "1">>
// CHECK-DAG: llm.embedding %{{.*}}, %{{.*}} : (tensor<64x8xf32>, tensor<?x1xi64, #llm.dims<"batch", "1">>)
// CHECK: return
func.func @run(%ids: tensor<?x?xi64, #llm.dims<"B", "S">>, %mask: !m, %past: !past)
    -> (tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>, !all) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %where = llm.constant dense<2.0> : tensor<64x8xf32>
  %head = llm.constant dense<1.0> : tensor<8x16xf32>
  %one = llm.constant dense<1> : tensor<i64>
  %e = llm.embedding %table, %ids : (tensor<16x8xf32>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> !x
  %c = llm.cumulative sum 1 %mask : !m
  %d = llm.binary sub %c, %one : !m, tensor<i64>
  %p = llm.slice %d ["0", "P"] [1, 1] : !m to tensor<?x?xi64, #llm.dims<"B", "S">>
  %r = llm.embedding %where, %p : (tensor<64x8xf32>, tensor<?x?xi64, #llm.dims<"B", "S">>) -> !x
  %rows = llm.iota {start = "0", step = "1", dim = 0} : tensor<64x8xi64>
  %places = llm.cast %rows : tensor<64x8xi64> to tensor<64x8xf32>
  %s = llm.slice %places ["min(64, P)", "0"] [1, 1] : tensor<64x8xf32> to tensor<?x8xf32, #llm.dims<"max(0, min(64, P + S) - min(64, P))", "8">>
  %x0 = llm.binary add %e, %r : !x, !x
  %x = llm.binary add %x0, %s : !x, tensor<?x8xf32, #llm.dims<"max(0, min(64, P + S) - min(64, P))", "8">>
  %k = llm.reshape %x : !x to tensor<?x1x?x8xf32, #llm.dims<"B", "1", "S", "8">>
  %all = llm.concat 2 (%past, %k) : !past, tensor<?x1x?x8xf32, #llm.dims<"B", "1", "S", "8">>
  %a = llm.attention %k, %all, %all {scale = 0.5 : f64, causal} : (tensor<?x1x?x8xf32, #llm.dims<"B", "1", "S", "8">>, !all, !all) -> tensor<?x1x?x8xf32, #llm.dims<"B", "1", "S", "8">>
  %y = llm.reshape %a : tensor<?x1x?x8xf32, #llm.dims<"B", "1", "S", "8">> to !x
  %logits = llm.linear %y, %head : (!x, tensor<8x16xf32>) -> tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>
  return %logits, %all : tensor<?x?x16xf32, #llm.dims<"B", "S", "16">>, !all
}

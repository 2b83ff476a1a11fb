// RUN: llmc-opt %s -llmc-grow-static-caches -split-input-file 2>%t | FileCheck %s
// RUN: FileCheck %s --check-prefix=REASON <%t

// A cache of 8 places for 2 sequences, written at the length that an input tells. The copy
// has sizes of its own; a dimension of 1 that was the token's is found among others. Tokens
// choose rows of a table, also where the model widens it.
// CHECK-LABEL: func.func @run(
// CHECK: llm.scatter_nd
// CHECK-LABEL: func.func private @run_growing(
// CHECK-SAME: %[[IDS:[a-z0-9]+]]: tensor<?x?xi64, #llm.dims<"batch", "seq">>
// CHECK-SAME: %[[CACHE:[a-z0-9]+]]: tensor<?x2x?x4xf32, #llm.dims<"batch", "2", "past", "4">>)
// CHECK-SAME: -> (tensor<?x?x16xf32, #llm.dims<"batch", "seq", "16">>, tensor<?x2x?x4xf32, #llm.dims<"batch", "2", "past + seq", "4">>)
// CHECK-SAME: llm.stateful_source
// CHECK-DAG: llm.iota {{.*}}start = "past"
// CHECK-DAG: %[[NEW:.+]] = llm.reshape %{{.+}} : {{.*}} to tensor<?x?x2x4xf32, #llm.dims<"batch", "seq", "2", "4">>
// CHECK-DAG: %[[HEADS:.+]] = llm.transpose %[[NEW]] [0, 2, 1, 3]
// CHECK: %[[ALL:.+]] = llm.concat 2(%[[CACHE]], %{{.+}})
// CHECK: llm.attention %[[HEADS]], %[[ALL]], %[[ALL]] bias %{{.+}} : {{.*}} -> tensor<?x2x?x4xf32, #llm.dims<"batch", "2", "seq", "4">>
// CHECK: return %{{.+}}, %[[ALL]] :
func.func @run(%ids: tensor<2x1xi64>, %mask: tensor<2x1x1x8xi1>, %cache: tensor<2x2x8x4xf32>, %length: tensor<i64>)
    -> (tensor<2x1x16xf32>, tensor<2x2x8x4xf32>, tensor<i64>) {
  %narrow = llm.constant dense<1.0> : tensor<16x8xf16>
  %table = llm.cast %narrow : tensor<16x8xf16> to tensor<16x8xf32>
  %head = llm.constant dense<1.0> : tensor<8x16xf32>
  %zero = llm.constant dense<0.0> : tensor<f32>
  %hidden = llm.constant dense<0xFF800000> : tensor<f32>
  %one = llm.constant dense<1> : tensor<i64>
  %x = llm.gather 0 %table, %ids : tensor<16x8xf32>, tensor<2x1xi64>
  %new = llm.reshape %x : tensor<2x1x8xf32> to tensor<2x1x2x4xf32>
  %heads = llm.transpose %new [0, 2, 1, 3] : tensor<2x1x2x4xf32>
  %at = llm.reshape %length : tensor<i64> to tensor<1x1xi64>
  %old = llm.transpose %cache [2, 0, 1, 3] : tensor<2x2x8x4xf32>
  %added = llm.transpose %new [1, 0, 2, 3] : tensor<2x1x2x4xf32>
  %written = llm.scatter_nd replace %old, %at, %added : tensor<8x2x2x4xf32>, tensor<1x1xi64>, tensor<1x2x2x4xf32>
  %all = llm.transpose %written [1, 2, 0, 3] : tensor<8x2x2x4xf32>
  %bias = llm.select %mask, %zero, %hidden : tensor<2x1x1x8xi1>, tensor<f32>, tensor<f32>
  %a = llm.attention %heads, %all, %all bias %bias {scale = 0.5 : f64} : (tensor<2x2x1x4xf32>, tensor<2x2x8x4xf32>, tensor<2x2x8x4xf32>, tensor<2x1x1x8xf32>) -> tensor<2x2x1x4xf32>
  %back = llm.transpose %a [0, 2, 1, 3] : tensor<2x2x1x4xf32>
  %y = llm.reshape %back : tensor<2x1x2x4xf32> to tensor<2x1x8xf32>
  %logits = llm.matmul %y, %head : tensor<2x1x8xf32>, tensor<8x16xf32>
  %next = llm.binary add %length, %one : tensor<i64>, tensor<i64>
  return %logits, %all, %next : tensor<2x1x16xf32>, tensor<2x2x8x4xf32>, tensor<i64>
}

// -----

// A cache written one place later holds something else behind its end.
// REASON: no input is a cache that the new tokens are written into
// CHECK-LABEL: func.func @elsewhere(
// CHECK-NOT: @elsewhere_growing
func.func @elsewhere(%ids: tensor<2x1xi64>, %cache: tensor<2x1x8x8xf32>, %length: tensor<i64>)
    -> (tensor<2x1x8xf32>, tensor<2x1x8x8xf32>) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %one = llm.constant dense<1> : tensor<i64>
  %x = llm.gather 0 %table, %ids : tensor<16x8xf32>, tensor<2x1xi64>
  %later = llm.binary add %length, %one : tensor<i64>, tensor<i64>
  %at = llm.reshape %later : tensor<i64> to tensor<1x1xi64>
  %old = llm.transpose %cache [2, 0, 1, 3] : tensor<2x1x8x8xf32>
  %added = llm.reshape %x : tensor<2x1x8xf32> to tensor<1x2x1x8xf32>
  %written = llm.scatter_nd replace %old, %at, %added : tensor<8x2x1x8xf32>, tensor<1x1xi64>, tensor<1x2x1x8xf32>
  %all = llm.transpose %written [1, 2, 0, 3] : tensor<8x2x1x8xf32>
  return %x, %all : tensor<2x1x8xf32>, tensor<2x1x8x8xf32>
}

// -----

// A constant for each of the two sequences is none for three.
// REASON: 'llm.binary' at {{.*}} does not treat tokens and sequences alike
// CHECK-LABEL: func.func @own_constants(
// CHECK-NOT: @own_constants_growing
func.func @own_constants(%ids: tensor<2x1xi64>, %cache: tensor<2x1x8x8xf32>, %length: tensor<i64>)
    -> (tensor<2x1x8xf32>, tensor<2x1x8x8xf32>) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %own = llm.constant dense<[[[0.5]], [[2.0]]]> : tensor<2x1x1xf32>
  %x0 = llm.gather 0 %table, %ids : tensor<16x8xf32>, tensor<2x1xi64>
  %x = llm.binary mul %x0, %own : tensor<2x1x8xf32>, tensor<2x1x1xf32>
  %at = llm.reshape %length : tensor<i64> to tensor<1x1xi64>
  %old = llm.transpose %cache [2, 0, 1, 3] : tensor<2x1x8x8xf32>
  %new = llm.reshape %x : tensor<2x1x8xf32> to tensor<2x1x1x8xf32>
  %added = llm.transpose %new [1, 0, 2, 3] : tensor<2x1x1x8xf32>
  %written = llm.scatter_nd replace %old, %at, %added : tensor<8x2x1x8xf32>, tensor<1x1xi64>, tensor<1x2x1x8xf32>
  %all = llm.transpose %written [1, 2, 0, 3] : tensor<8x2x1x8xf32>
  return %x, %all : tensor<2x1x8xf32>, tensor<2x1x8x8xf32>
}

// -----

// A length that is data, too, would be needed per sequence.
// REASON: the input argument 2 is needed for more than writing into caches
// CHECK-LABEL: func.func @length_as_data(
// CHECK-NOT: @length_as_data_growing
func.func @length_as_data(%ids: tensor<2x1xi64>, %cache: tensor<2x1x8x8xf32>, %length: tensor<i64>)
    -> (tensor<2x1x8xf32>, tensor<2x1x8x8xf32>) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %x0 = llm.gather 0 %table, %ids : tensor<16x8xf32>, tensor<2x1xi64>
  %float = llm.cast %length : tensor<i64> to tensor<f32>
  %x = llm.binary mul %x0, %float : tensor<2x1x8xf32>, tensor<f32>
  %at = llm.reshape %length : tensor<i64> to tensor<1x1xi64>
  %old = llm.transpose %cache [2, 0, 1, 3] : tensor<2x1x8x8xf32>
  %new = llm.reshape %x : tensor<2x1x8xf32> to tensor<2x1x1x8xf32>
  %added = llm.transpose %new [1, 0, 2, 3] : tensor<2x1x1x8xf32>
  %written = llm.scatter_nd replace %old, %at, %added : tensor<8x2x1x8xf32>, tensor<1x1xi64>, tensor<1x2x1x8xf32>
  %all = llm.transpose %written [1, 2, 0, 3] : tensor<8x2x1x8xf32>
  return %x, %all : tensor<2x1x8xf32>, tensor<2x1x8x8xf32>
}

// -----

// A cache with more places than can be tried out (one of 2^33 was tried, and ended the compiler).
// REASON: no input is a cache that the new tokens are written into
// CHECK-LABEL: func.func @vast_cache(
// CHECK-NOT: @vast_cache_growing
func.func @vast_cache(%ids: tensor<2x1xi64>, %cache: tensor<2x1x8589934592x8xf32>, %length: tensor<i64>)
    -> (tensor<2x1x8xf32>, tensor<2x1x8589934592x8xf32>) {
  %table = llm.constant dense<1.0> : tensor<16x8xf32>
  %x = llm.gather 0 %table, %ids : tensor<16x8xf32>, tensor<2x1xi64>
  %at = llm.reshape %length : tensor<i64> to tensor<1x1xi64>
  %old = llm.transpose %cache [2, 0, 1, 3] : tensor<2x1x8589934592x8xf32>
  %new = llm.reshape %x : tensor<2x1x8xf32> to tensor<2x1x1x8xf32>
  %added = llm.transpose %new [1, 0, 2, 3] : tensor<2x1x1x8xf32>
  %written = llm.scatter_nd replace %old, %at, %added : tensor<8589934592x2x1x8xf32>, tensor<1x1xi64>, tensor<1x2x1x8xf32>
  %all = llm.transpose %written [1, 2, 0, 3] : tensor<8589934592x2x1x8xf32>
  return %x, %all : tensor<2x1x8xf32>, tensor<2x1x8589934592x8xf32>
}

// A constant is stored once per layout that it is read in.
// RUN: llmc-opt %s -split-input-file -llmc-convert-llm-to-exec | FileCheck %s

// The product reads panels, the sum rows, in one kernel.
// CHECK-LABEL: exec.program @two_layouts
// CHECK: exec.dispatch @linear_0(%{{.*}}, %{{.*}}, %{{.*}})
// CHECK-DAG: exec.weight @{{.*}} panels {columns = 2 : i64, outputs = 2 : i64}
// CHECK-DAG: exec.weight @{{.*}} dense
func.func @two_layouts(%x: tensor<2x2xf32>) -> tensor<2x2xf32>
    attributes {llm.phase = "run", llm.symbols = []} {
  %w = llm.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %0 = llm.linear %x, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = llm.binary add %0, %w : tensor<2x2xf32>, tensor<2x2xf32>
  return %1 : tensor<2x2xf32>
}

// -----

// Microkernels read weights from memory, also where all elements are equal.
// CHECK-LABEL: exec.program @splat
// CHECK: exec.load_weight
// CHECK: exec.weight @{{.*}} panels
// CHECK-NOT: exec.weight
func.func @splat(%x: tensor<3x2xf32>, %y: tensor<5x2xf32>) -> (tensor<3x2xf32>, tensor<5x2xf32>)
    attributes {llm.phase = "run", llm.symbols = []} {
  %w = llm.constant dense<1.0> : tensor<2x2xf32>
  %0 = llm.linear %x, %w : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %1 = llm.linear %y, %w : (tensor<5x2xf32>, tensor<2x2xf32>) -> tensor<5x2xf32>
  return %0, %1 : tensor<3x2xf32>, tensor<5x2xf32>
}

// -----

// The matrices of experts have the layouts of other weights; scales and zero points of
// n-bit ones go into the packed bytes.
// CHECK-LABEL: exec.program @experts
// CHECK-DAG: exec.weight @{{.*}} row_blocks {{.*}}columns = 32 : i64, group_size = 16 : i64, outputs = 2 : i64
// CHECK-DAG: exec.weight @{{.*}} panels {columns = 2 : i64, outputs = 5 : i64}
// CHECK-DAG: llm.expert_linear %{{.*}}, %{{.*}}, %[[W:.*]] scales %[[W]] {
func.func @experts(%x: tensor<3x32xf32>, %ids: tensor<3x2xi64>) -> tensor<3x2x5xf32>
    attributes {llm.phase = "run", llm.symbols = []} {
  %w = llm.constant dense<1> : tensor<4x2x2x8xui8>
  %s = llm.constant dense<0.5> : tensor<4x2x2xf32>
  %v = llm.constant dense<2.0> : tensor<4x2x5xf32>
  %0 = llm.expert_linear %x, %ids, %w scales %s {bits = 4 : i64, group_size = 16 : i64, columns = 32 : i64} : (tensor<3x32xf32>, tensor<3x2xi64>, tensor<4x2x2x8xui8>, tensor<4x2x2xf32>) -> tensor<3x2x2xf32>
  %1 = llm.expert_linear %0, %ids, %v : (tensor<3x2x2xf32>, tensor<3x2xi64>, tensor<4x2x5xf32>) -> tensor<3x2x5xf32>
  return %1 : tensor<3x2x5xf32>
}

// -----

// Tied weights are stored once: the embedding looks its rows up in the panels of the
// product. A sum reads the same matrix by rows.
// CHECK-LABEL: exec.program @tied
// CHECK: %[[TABLE:.*]] = exec.load_weight @[[W:.*]] : tensor<5x4xf32>
// CHECK: %[[ROWS:.*]] = exec.dispatch @embedding_0(%[[TABLE]], %{{.*}})
// CHECK: exec.dispatch @linear_{{.*}}(%[[ROWS]], %[[TABLE]])
// CHECK: exec.dispatch @pointwise_{{.*}}(%[[DENSE:.*]])
// CHECK: llm.embedding {{.*}}exec.panels
// CHECK-DAG: exec.weight @[[W]] panels {columns = 4 : i64, outputs = 5 : i64, transposed}
// CHECK-DAG: exec.weight @{{.*}} dense
// CHECK-NOT: exec.weight
func.func @tied(%ids: tensor<3xi64>) -> (tensor<3x5xf32>, tensor<5x4xf32>)
    attributes {llm.phase = "run", llm.symbols = []} {
  %w = llm.constant dense<[[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 5.0]]> : tensor<5x4xf32>
  %rows = llm.embedding %w, %ids : (tensor<5x4xf32>, tensor<3xi64>) -> tensor<3x4xf32>
  %logits = llm.linear %rows, %w {transposed} : (tensor<3x4xf32>, tensor<5x4xf32>) -> tensor<3x5xf32>
  %sum = llm.binary add %w, %w : tensor<5x4xf32>, tensor<5x4xf32>
  return %logits, %sum : tensor<3x5xf32>, tensor<5x4xf32>
}

// -----

// Tied weights of 16 bits have panels of 16 bits.
// CHECK-LABEL: exec.program @tied_half
// CHECK: %[[TABLE:.*]] = exec.load_weight @[[W:.*]] : tensor<5x2xf16>
// CHECK: exec.dispatch @embedding_0(%[[TABLE]], %{{.*}})
// CHECK: exec.dispatch @linear_{{.*}}(%{{.*}}, %[[TABLE]])
// CHECK: llm.embedding {{.*}}exec.panels
// CHECK: exec.weight @[[W]] panels {columns = 2 : i64, outputs = 5 : i64, transposed} {{.*}} : tensor<5x2xf16>
// CHECK-NOT: exec.weight
func.func @tied_half(%ids: tensor<3xi64>) -> tensor<3x5xf32>
    attributes {llm.phase = "run", llm.symbols = []} {
  %w = llm.constant dense<[[1.0, 2.0], [3.0, 4.0], [1.0, 2.0], [3.0, 4.0], [1.0, 5.0]]> : tensor<5x2xf16>
  %rows = llm.embedding %w, %ids : (tensor<5x2xf16>, tensor<3xi64>) -> tensor<3x2xf16>
  %wide = llm.cast %rows : tensor<3x2xf16> to tensor<3x2xf32>
  %logits = llm.linear %wide, %w {transposed} : (tensor<3x2xf32>, tensor<5x2xf16>) -> tensor<3x5xf32>
  return %logits : tensor<3x5xf32>
}

// -----

// A product that is not transposed has other panels: the table is stored beside them.
// CHECK-LABEL: exec.program @not_tied
// CHECK-NOT: exec.panels
// CHECK-DAG: exec.weight @{{.*}} panels
// CHECK-DAG: exec.weight @{{.*}} dense
func.func @not_tied(%ids: tensor<3xi64>) -> tensor<3x2xf32>
    attributes {llm.phase = "run", llm.symbols = []} {
  %w = llm.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %rows = llm.embedding %w, %ids : (tensor<2x2xf32>, tensor<3xi64>) -> tensor<3x2xf32>
  %y = llm.linear %rows, %w : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// -----

// Rows are stored once, whatever the shapes they are read in: the others are views. Other
// element types and other orders of elements are other bytes.
// CHECK-LABEL: exec.program @shapes
// CHECK: %[[ROWS:.*]] = exec.load_weight @table : tensor<3x2xf32>
// CHECK: exec.dispatch @embedding_0(%[[ROWS]], %{{.*}})
// CHECK: %[[LOADED:.*]] = exec.load_weight @table : tensor<3x2xf32>
// CHECK: %[[ROW:.*]] = exec.view %[[LOADED]] : tensor<3x2xf32> to tensor<6xf32>
// CHECK: exec.dispatch @pointwise_{{.*}}(%{{.*}}, %[[ROW]])
// CHECK: exec.load_weight @table_{{.*}} : tensor<6xi32>
// CHECK: exec.dispatch @linear_{{.*}}
// CHECK-DAG: exec.weight @table dense dense_resource<table> : tensor<3x2xf32>
// CHECK-DAG: exec.weight @table_{{.*}} dense dense_resource<table> : tensor<6xi32>
// CHECK-DAG: exec.weight @table_{{.*}} panels {{.*}} : tensor<2x3xf32>
// CHECK-NOT: exec.weight
func.func @shapes(%ids: tensor<3xi64>, %x: tensor<6xf32>, %y: tensor<6xi32>, %z: tensor<4x2xf32>) -> (tensor<3x2xf32>, tensor<6xf32>, tensor<6xi32>, tensor<4x3xf32>)
    attributes {llm.phase = "run", llm.symbols = []} {
  %table = llm.constant dense_resource<table> : tensor<3x2xf32>
  %row = llm.constant dense_resource<table> : tensor<6xf32>
  %bits = llm.constant dense_resource<table> : tensor<6xi32>
  %matrix = llm.constant dense_resource<table> : tensor<2x3xf32>
  %0 = llm.embedding %table, %ids : (tensor<3x2xf32>, tensor<3xi64>) -> tensor<3x2xf32>
  %1 = llm.binary add %x, %row : tensor<6xf32>, tensor<6xf32>
  %2 = llm.binary add %y, %bits : tensor<6xi32>, tensor<6xi32>
  %3 = llm.linear %z, %matrix : (tensor<4x2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return %0, %1, %2, %3 : tensor<3x2xf32>, tensor<6xf32>, tensor<6xi32>, tensor<4x3xf32>
}

{-#
  dialect_resources: {
    builtin: {
      table: "0x040000000000803F00000040000040400000804000000041000080BF"
    }
  }
#-}

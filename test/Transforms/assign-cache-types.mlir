// RUN: llmc-opt %s -llmc-assign-cache-types | FileCheck %s --check-prefixes=CHECK,F32
// RUN: llmc-opt %s -llmc-assign-cache-types=type=f16 | FileCheck %s --check-prefixes=CHECK,F16
// RUN: llmc-opt %s -llmc-assign-cache-types=type=bf16 | FileCheck %s --check-prefixes=CHECK,BF16
// RUN: llmc-opt %s -llmc-assign-cache-types=type=int8 | FileCheck %s --check-prefixes=CHECK,INT8
// RUN: not llmc-opt %s -llmc-assign-cache-types=type=int3 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// UNKNOWN: unknown cache type 'int3'; expected f32, f16, bf16 or int8

// Tokens and what is read keep their types: only the state changes, and all that follow.
// CHECK-LABEL: func.func @tokens
// F32-SAME: !llm.state<tensor<2x8xf32>>) -> (tensor<1x2x9x8xf16>, !llm.state<tensor<2x8xf32>>)
// F16-SAME: !llm.state<tensor<2x8xf16>>) -> (tensor<1x2x9x8xf16>, !llm.state<tensor<2x8xf16>>)
// BF16-SAME: !llm.state<tensor<2x8xbf16>>) -> (tensor<1x2x9x8xf16>, !llm.state<tensor<2x8xbf16>>)
// INT8-SAME: !llm.state<tensor<2x8xi8>>) -> (tensor<1x2x9x8xf16>, !llm.state<tensor<2x8xi8>>)
// CHECK: llm.state_append {{.*}} tensor<1x2x3x8xf16>
// INT8: llm.state_load {{.*}} : <tensor<2x8xi8>> to tensor<1x2x9x8xf16>
func.func @tokens(%t: tensor<1x2x3x8xf16>, %n: tensor<1xi64>, %s: !llm.state<tensor<2x8xf16>>)
    -> (tensor<1x2x9x8xf16>, !llm.state<tensor<2x8xf16>>) {
  %0 = llm.state_append %s, %t, %n : !llm.state<tensor<2x8xf16>>, tensor<1x2x3x8xf16>, tensor<1xi64>
  %1 = llm.state_load %0 : !llm.state<tensor<2x8xf16>> to tensor<1x2x9x8xf16>
  return %1, %0 : tensor<1x2x9x8xf16>, !llm.state<tensor<2x8xf16>>
}

// CHECK-LABEL: func.func @fixed
// CHECK-SAME: !llm.state<tensor<64x3xf32>, fixed = true>
func.func @fixed(%s: !llm.state<tensor<64x3xf32>, fixed = true>) -> tensor<1x64x3xf32> {
  %0 = llm.state_load %s : !llm.state<tensor<64x3xf32>, fixed = true> to tensor<1x64x3xf32>
  return %0 : tensor<1x64x3xf32>
}

// Doubles have no narrower meaning.
// CHECK-LABEL: func.func @doubles
// CHECK-SAME: !llm.state<tensor<2x8xf64>>
func.func @doubles(%s: !llm.state<tensor<2x8xf64>>) -> tensor<1x2x9x8xf64> {
  %0 = llm.state_load %s : !llm.state<tensor<2x8xf64>> to tensor<1x2x9x8xf64>
  return %0 : tensor<1x2x9x8xf64>
}

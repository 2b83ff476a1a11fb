// RUN: llmc-opt %s --llmc-fold-equal-constants | FileCheck %s
// RUN: llmc-opt %s --llmc-fold-equal-constants --cse | FileCheck %s --check-prefix=CSE

// Two names with the same 16 bytes, a third one that differs in the last of them, and the
// first bytes under another type.
// CHECK-LABEL: @equal_bytes
// CSE-LABEL: @equal_bytes
func.func @equal_bytes() -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2x2xf32>) {
  // CHECK: llm.constant dense_resource<head> : tensor<4xf32>
  // CHECK: llm.constant dense_resource<head> : tensor<4xf32>
  // CHECK: llm.constant dense_resource<other> : tensor<4xf32>
  // CHECK: llm.constant dense_resource<head> : tensor<2x2xf32>
  // CSE-COUNT-3: llm.constant
  // CSE-NEXT: return
  %0 = llm.constant dense_resource<head> : tensor<4xf32>
  %1 = llm.constant dense_resource<tied> : tensor<4xf32>
  %2 = llm.constant dense_resource<other> : tensor<4xf32>
  %3 = llm.constant dense_resource<square> : tensor<2x2xf32>
  return %0, %1, %2, %3 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2x2xf32>
}

// Across functions, too.
// CHECK-LABEL: @second_function
func.func @second_function() -> tensor<4xf32> {
  // CHECK: llm.constant dense_resource<head> : tensor<4xf32>
  %0 = llm.constant dense_resource<tied> : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// A resource without bytes equals nothing.
// CHECK-LABEL: @elided
func.func @elided() -> (tensor<4xf32>, tensor<4xf32>) {
  // CHECK: llm.constant dense_resource<missing> : tensor<4xf32>
  // CHECK: llm.constant dense_resource<lost> : tensor<4xf32>
  %0 = llm.constant dense_resource<missing> : tensor<4xf32>
  %1 = llm.constant dense_resource<lost> : tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

{-#
  dialect_resources: {
    builtin: {
      head: "0x040000000000803F000000400000404000008040",
      tied: "0x040000000000803F000000400000404000008040",
      other: "0x040000000000803F000000400000404000008041",
      square: "0x040000000000803F000000400000404000008040"
    }
  }
#-}

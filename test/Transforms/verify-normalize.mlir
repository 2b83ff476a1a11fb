// RUN: llmc-opt %s -llmc-verify-normalize -split-input-file -verify-diagnostics

func.func @branch(%x: tensor<4xf32>, %flag: tensor<1xi1>) -> tensor<4xf32> {
  // expected-error@+1 {{a branch is left whose condition is not an input of the function}}
  %0 = llm.if %flag : tensor<1xi1> -> (tensor<4xf32>) {
    llm.yield %x : tensor<4xf32>
  } else {
    llm.yield %x : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}

// -----

// expected-error@+1 {{the dynamic sizes of 'tensor<?xf32>' have no expressions}}
func.func @sizes(%x: tensor<?xf32>) -> tensor<?xf32> {
  return %x : tensor<?xf32>
}

// -----

func.func private @callee()
func.func @dialect() {
  // expected-error@+1 {{operation is not of the llm dialect after the normalize phase}}
  func.call @callee() : () -> ()
  return
}

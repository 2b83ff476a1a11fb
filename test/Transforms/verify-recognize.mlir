// RUN: llmc-opt %s -llmc-verify-recognize -split-input-file -verify-diagnostics

func.func @good(%x: tensor<3x2xf32>) -> tensor<3x4xf32> {
  %w = llm.constant dense<1.0> : tensor<4x2xf32>
  %t = llm.transpose %w [1, 0] : tensor<4x2xf32>
  %0 = llm.linear %x, %t : (tensor<3x2xf32>, tensor<2x4xf32>) -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// -----

func.func @weight(%x: tensor<3x2xf32>, %w: tensor<2x4xf32>) -> tensor<3x4xf32> {
  // expected-error@+1 {{weight is no constant}}
  %0 = llm.linear %x, %w : (tensor<3x2xf32>, tensor<2x4xf32>) -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// -----

func.func @bias(%x: tensor<3x2xf32>, %b: tensor<4xf32>) -> tensor<3x4xf32> {
  %w = llm.constant dense<1.0> : tensor<2x4xf32>
  // expected-error@+1 {{bias is no constant}}
  %0 = llm.linear %x, %w bias %b : (tensor<3x2xf32>, tensor<2x4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// -----

func.func @table(%t: tensor<8x4xf32>, %ids: tensor<1x3xi64>) -> tensor<1x3x4xf32> {
  // expected-error@+1 {{table is no constant}}
  %0 = llm.embedding %t, %ids : (tensor<8x4xf32>, tensor<1x3xi64>) -> tensor<1x3x4xf32>
  return %0 : tensor<1x3x4xf32>
}

// -----

func.func @branch(%c: tensor<1xi1>, %x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{a branch is left after the recognize phase}}
  %0 = llm.if %c : tensor<1xi1> -> (tensor<4xf32>) {
    llm.yield %x : tensor<4xf32>
  } else {
    llm.yield %x : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}

// One case per constraint of the tensor operations, in the order of LLMTensorOps.td.
// RUN: llmc-opt %s -split-input-file -verify-diagnostics

func.func @dim_values_c1() {
  // expected-error@+1 {{C1: needs an integer tensor of rank 0 or 1 with 2 elements}}
  %0 = llm.dim_values ["a", "b"] : tensor<3xi64>
  return
}

// -----

func.func @dim_values_expression() {
  // expected-error@+1 {{cannot read the expression 'a +'}}
  %0 = llm.dim_values ["a +"] : tensor<1xi64>
  return
}

// -----

func.func @iota_c1() {
  // expected-error@+1 {{C1: dimension 1 of}}
  %0 = llm.iota {start = "0", step = "1", dim = 1} : tensor<4xi64>
  return
}

// -----

func.func @binary_c1(%a: tensor<4xf32>, %b: tensor<4xi64>) {
  // expected-error@+1 {{llm.binary: C1: element types 'f32' and 'i64' differ}}
  %0 = llm.binary add %a, %b : tensor<4xf32>, tensor<4xi64>
  return
}

// -----

func.func @binary_c2(%a: tensor<4xf32>, %b: tensor<3xf32>) {
  // expected-error@+1 {{llm.binary: C2: shapes}}
  %0 = llm.binary add %a, %b : tensor<4xf32>, tensor<3xf32>
  return
}

// -----

func.func @compare_c1(%a: tensor<4xf32>, %b: tensor<4xi64>) {
  // expected-error@+1 {{llm.compare: C1: element types}}
  %0 = llm.compare lt %a, %b : tensor<4xf32>, tensor<4xi64>
  return
}

// -----

func.func @compare_c2(%a: tensor<4xf32>, %b: tensor<3xf32>) {
  // expected-error@+1 {{llm.compare: C2: shapes}}
  %0 = llm.compare lt %a, %b : tensor<4xf32>, tensor<3xf32>
  return
}

// -----

func.func @select_c1(%c: tensor<4xi1>, %a: tensor<4xf32>, %b: tensor<4xi64>) {
  // expected-error@+1 {{llm.select: C1: element types}}
  %0 = llm.select %c, %a, %b : tensor<4xi1>, tensor<4xf32>, tensor<4xi64>
  return
}

// -----

func.func @select_c2(%c: tensor<3xi1>, %a: tensor<4xf32>) {
  // expected-error@+1 {{llm.select: C2: shapes}}
  %0 = llm.select %c, %a, %a : tensor<3xi1>, tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func @cast(%a: tensor<4xf32>) {
  // expected-error@+1 {{changes the shape}}
  %0 = llm.cast %a : tensor<4xf32> to tensor<3xi64>
  return
}

// -----

func.func @reshape_c1(%a: tensor<4xf32>) {
  // expected-error@+1 {{C1: changes the element type}}
  %0 = llm.reshape %a : tensor<4xf32> to tensor<4xi32>
  return
}

// -----

func.func @reshape_c2(%a: tensor<4xf32>) {
  // expected-error@+1 {{C2: 4 elements become 6}}
  %0 = llm.reshape %a : tensor<4xf32> to tensor<2x3xf32>
  return
}

// -----

func.func @broadcast_c1(%a: tensor<1x4xf32>) {
  // expected-error@+1 {{C1: rank 2 does not fit in 1}}
  %0 = llm.broadcast %a : tensor<1x4xf32> to tensor<4xf32>
  return
}

// -----

func.func @broadcast_c2(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{C2:}}
  %0 = llm.broadcast %a : tensor<2x4xf32> to tensor<3x4xf32>
  return
}

// -----

func.func @transpose_c1(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{llm.transpose: C1: not a permutation of 2 dimensions}}
  %0 = llm.transpose %a [0, 2] : tensor<2x4xf32>
  return
}

// -----

// No permutation of nothing but the empty one.
func.func @transpose_c1_scalar(%a: tensor<f32>) {
  // expected-error@+1 {{llm.transpose: C1: not a permutation of 0 dimensions}}
  %0 = llm.transpose %a [1] : tensor<f32>
  return
}

// -----

func.func @slice_c1_step(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{C1: needs a start and a step other than 0 for each of 2 dimensions}}
  %0 = llm.slice %a ["0", "0"] [1, 0] : tensor<2x4xf32> to tensor<2x1xf32>
  return
}

// -----

func.func @slice_c1_rank(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{C1: needs a start and a step other than 0 for each of 2 dimensions}}
  %0 = llm.slice %a ["0"] [1, 1] : tensor<2x4xf32> to tensor<2x1xf32>
  return
}

// -----

func.func @concat_c1(%a: tensor<4xf32>) {
  // expected-error@+1 {{llm.concat: C1: axis 1 of rank 1}}
  %0 = llm.concat 1 (%a, %a) : tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func @concat_c2(%a: tensor<2x4xf32>, %b: tensor<3x4xf32>) {
  // expected-error@+1 {{llm.concat: C2:}}
  %0 = llm.concat 1 (%a, %b) : tensor<2x4xf32>, tensor<3x4xf32>
  return
}

// -----

func.func @gather_c1(%a: tensor<4xf32>, %i: tensor<2xi64>) {
  // expected-error@+1 {{llm.gather: C1: axis 1 of rank 1}}
  %0 = llm.gather 1 %a, %i : tensor<4xf32>, tensor<2xi64>
  return
}

// -----

func.func @gather_c2(%a: tensor<4xf32>, %i: tensor<2xf32>) {
  // expected-error@+1 {{llm.gather: C2: indices of type 'f32'}}
  %0 = llm.gather 0 %a, %i : tensor<4xf32>, tensor<2xf32>
  return
}

// -----

func.func @gather_nd_c1(%a: tensor<4xf32>, %i: tensor<3x2xi64>) {
  // expected-error@+1 {{llm.gather_nd: C1:}}
  %0 = llm.gather_nd 0 %a, %i : tensor<4xf32>, tensor<3x2xi64>
  return
}

// -----

func.func @reduce_c1(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{llm.reduce: C1: axis 1}}
  %0 = llm.reduce sum %a [1, 1] {keepdims = true} : tensor<2x4xf32>
  return
}

// -----

func.func @softmax_c1(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{llm.softmax: C1: axis 2}}
  %0 = llm.softmax 2 %a : tensor<2x4xf32>
  return
}

// -----

func.func @matmul_c1(%a: tensor<4xf32>, %b: tensor<4x2xf32>) {
  // expected-error@+1 {{llm.matmul: C1:}}
  %0 = llm.matmul %a, %b : tensor<4xf32>, tensor<4x2xf32>
  return
}

// -----

func.func @matmul_c2(%a: tensor<2x4xf32>, %b: tensor<3x2xf32>) {
  // expected-error@+1 {{llm.matmul: C2:}}
  %0 = llm.matmul %a, %b : tensor<2x4xf32>, tensor<3x2xf32>
  return
}

// -----

func.func @matmul_c3(%a: tensor<2x2x4xf32>, %b: tensor<3x4x2xf32>) {
  // expected-error@+1 {{llm.matmul: C3:}}
  %0 = llm.matmul %a, %b : tensor<2x2x4xf32>, tensor<3x4x2xf32>
  return
}

// One case per constraint of the tensor operations, in the order of LLMTensorOps.td.
// RUN: llmc-opt %s -split-input-file -verify-diagnostics

func.func @dim_values_c1() {
  // expected-error@+1 {{C1: needs a static integer tensor of 2 elements}}
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

// -----

func.func @unary_bitwise(%a: tensor<4xf32>) {
  // expected-error@+1 {{llm.unary: bitwise_not is for integers}}
  %0 = llm.unary bitwise_not %a : tensor<4xf32>
  return
}

// -----

func.func @binary_bitwise(%a: tensor<4xf32>) {
  // expected-error@+1 {{llm.binary: shift_left is for integers}}
  %0 = llm.binary shift_left %a, %a : tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func @bitcast_c1(%a: tensor<4xf32>) {
  // expected-error@+1 {{C1: 'tensor<4xf32>' and 'tensor<4xi64>' have elements of other widths}}
  %0 = llm.bitcast %a : tensor<4xf32> to tensor<4xi64>
  return
}

// -----

func.func @gather_elements_c1(%a: tensor<4x8xf32>, %i: tensor<4x2xi64>) {
  // expected-error@+1 {{llm.gather_elements: C1: axis 2 of rank 2}}
  %0 = llm.gather_elements 2 %a, %i : tensor<4x8xf32>, tensor<4x2xi64>
  return
}

// -----

func.func @gather_elements_c2(%a: tensor<4x8xf32>, %i: tensor<4xi64>) {
  // expected-error@+1 {{llm.gather_elements: C2: indices}}
  %0 = llm.gather_elements 1 %a, %i : tensor<4x8xf32>, tensor<4xi64>
  return
}

// -----

func.func @scatter_elements_c1(%a: tensor<4x8xf32>, %i: tensor<4x2xi64>, %u: tensor<4x2xf32>) {
  // expected-error@+1 {{llm.scatter_elements: C1: axis 2 of rank 2}}
  %0 = llm.scatter_elements add 2 %a, %i, %u : tensor<4x8xf32>, tensor<4x2xi64>, tensor<4x2xf32>
  return
}

// -----

func.func @scatter_elements_c2(%a: tensor<4x8xf32>, %i: tensor<4x2xi64>, %u: tensor<4x3xf32>) {
  // expected-error@+1 {{llm.scatter_elements: C2: indices}}
  %0 = llm.scatter_elements add 1 %a, %i, %u : tensor<4x8xf32>, tensor<4x2xi64>, tensor<4x3xf32>
  return
}

// -----

func.func @scatter_elements_c3(%a: tensor<4x8xf32>, %i: tensor<4x2xi64>, %u: tensor<4x2xf16>) {
  // expected-error@+1 {{llm.scatter_elements: C3:}}
  %0 = llm.scatter_elements add 1 %a, %i, %u : tensor<4x8xf32>, tensor<4x2xi64>, tensor<4x2xf16>
  return
}

// -----

func.func @scatter_nd_c1(%a: tensor<4x8xf32>, %i: tensor<3x3xi64>, %u: tensor<3xf32>) {
  // expected-error@+1 {{llm.scatter_nd: C1: indices}}
  %0 = llm.scatter_nd add %a, %i, %u : tensor<4x8xf32>, tensor<3x3xi64>, tensor<3xf32>
  return
}

// -----

func.func @scatter_nd_c2(%a: tensor<4x8xf32>, %i: tensor<3x1xi64>, %u: tensor<3x7xf32>) {
  // expected-error@+1 {{llm.scatter_nd: C2: updates}}
  %0 = llm.scatter_nd add %a, %i, %u : tensor<4x8xf32>, tensor<3x1xi64>, tensor<3x7xf32>
  return
}

// -----

func.func @scatter_nd_c3(%a: tensor<4x8xf32>, %i: tensor<3x1xi64>, %u: tensor<3x8xf16>) {
  // expected-error@+1 {{llm.scatter_nd: C3:}}
  %0 = llm.scatter_nd add %a, %i, %u : tensor<4x8xf32>, tensor<3x1xi64>, tensor<3x8xf16>
  return
}

// -----

func.func @cumulative_c1(%a: tensor<4x8xf32>) {
  // expected-error@+1 {{llm.cumulative: C1: axis 2}}
  %0 = llm.cumulative sum 2 %a : tensor<4x8xf32>
  return
}

// -----

func.func @top_k_c1(%a: tensor<4x8xf32>) {
  // expected-error@+1 {{llm.top_k_indices: C1: axis 2}}
  %0 = llm.top_k_indices 2 %a "1" : tensor<4x8xf32>
  return
}

// -----

func.func @top_k_c2(%a: tensor<4x8xf32>) {
  // expected-error@+1 {{llm.top_k_indices: C2: the first 9 of 8}}
  %0 = llm.top_k_indices 1 %a "9" : tensor<4x8xf32>
  return
}

// -----

func.func @conv_c1(%x: tensor<1x4xf32>, %w: tensor<4x4xf32>) {
  // expected-error@+2 {{llm.conv: C1:}}
  // expected-error@+1 {{failed to infer returned types}}
  %0 = llm.conv %x, %w {strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 0, 0>, groups = 1 : i64} : (tensor<1x4xf32>, tensor<4x4xf32>) -> tensor<1x4xf32>
  return
}

// -----

func.func @conv_c2(%x: tensor<1x4x7xf32>, %w: tensor<4x4x3xf32>) {
  // expected-error@+2 {{llm.conv: C2:}}
  // expected-error@+1 {{failed to infer returned types}}
  %0 = llm.conv %x, %w {strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 0>, groups = 1 : i64} : (tensor<1x4x7xf32>, tensor<4x4x3xf32>) -> tensor<1x4x5xf32>
  return
}

// -----

func.func @conv_c3(%x: tensor<1x4x7xf32>, %w: tensor<4x4x3xf32>) {
  // expected-error@+2 {{llm.conv: C3:}}
  // expected-error@+1 {{failed to infer returned types}}
  %0 = llm.conv %x, %w {strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 0, 0>, groups = 2 : i64} : (tensor<1x4x7xf32>, tensor<4x4x3xf32>) -> tensor<1x4x5xf32>
  return
}

// -----

func.func @conv_c4(%x: tensor<1x4x7xf32>, %w: tensor<4x4x3xf32>, %b: tensor<3xf32>) {
  // expected-error@+2 {{llm.conv: C4: bias}}
  // expected-error@+1 {{failed to infer returned types}}
  %0 = llm.conv %x, %w bias %b {strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 0, 0>, groups = 1 : i64} : (tensor<1x4x7xf32>, tensor<4x4x3xf32>, tensor<3xf32>) -> tensor<1x4x5xf32>
  return
}

// -----

func.func @conv_c5(%x: tensor<1x4x7xf32>, %w: tensor<4x4x?xf32, #llm.dims<"4", "4", "k">>) {
  // expected-error@+2 {{llm.conv: C5: kernel}}
  // expected-error@+1 {{failed to infer returned types}}
  %0 = llm.conv %x, %w {strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 0, 0>, groups = 1 : i64} : (tensor<1x4x7xf32>, tensor<4x4x?xf32, #llm.dims<"4", "4", "k">>) -> tensor<1x4x5xf32>
  return
}

// -----

func.func @window_reduce_c1(%a: tensor<4x8xf32>) {
  // expected-error@+2 {{llm.window_reduce: C1:}}
  // expected-error@+1 {{failed to infer returned types}}
  %0 = llm.window_reduce max %a {window = array<i64>, strides = array<i64>, dilations = array<i64>, pads = array<i64>} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @window_reduce_c2(%a: tensor<1x4x8xf32>) {
  // expected-error@+2 {{llm.window_reduce: C2:}}
  // expected-error@+1 {{failed to infer returned types}}
  %0 = llm.window_reduce max %a {window = array<i64: 0>, strides = array<i64: 1>, dilations = array<i64: 1>, pads = array<i64: 0, 0>} : (tensor<1x4x8xf32>) -> tensor<1x4x8xf32>
  return
}

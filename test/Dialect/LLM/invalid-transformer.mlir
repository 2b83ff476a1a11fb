// One case per constraint of the model operations, in the order of LLMTransformerOps.td.
// RUN: llmc-opt %s -split-input-file -verify-diagnostics

func.func @linear_c1(%x: tensor<3x5xf32>, %w: tensor<2x4xf32>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{llm.linear: C1:}}
  %0 = llm.linear %x, %w : (tensor<3x5xf32>, tensor<2x4xf32>) -> tensor<3x4xf32>
  return
}

// -----

func.func @linear_c2(%x: tensor<3x2xf16>, %w: tensor<2x4xf32>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{llm.linear: C2: weight 'tensor<2x4xf32>'}}
  %0 = llm.linear %x, %w : (tensor<3x2xf16>, tensor<2x4xf32>) -> tensor<3x4xf16>
  return
}

// -----

func.func @linear_c3_no_scales(%x: tensor<3x32xf32>, %w: tensor<4x1x16xui8>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{llm.linear: C3: n-bit weights need}}
  %0 = llm.linear %x, %w {bits = 4 : i64, group_size = 32 : i64, columns = 32 : i64}
      : (tensor<3x32xf32>, tensor<4x1x16xui8>) -> tensor<3x4xf32>
  return
}

// -----

func.func @linear_c3_scales(%x: tensor<3x32xf32>, %w: tensor<4x1x16xui8>, %s: tensor<8xf32>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{llm.linear: C3: scales}}
  %0 = llm.linear %x, %w scales %s {bits = 4 : i64, group_size = 32 : i64, columns = 32 : i64}
      : (tensor<3x32xf32>, tensor<4x1x16xui8>, tensor<8xf32>) -> tensor<3x4xf32>
  return
}

// -----

func.func @linear_c4(%x: tensor<3x2xf32>, %w: tensor<2x4xf32>, %b: tensor<2xf32>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{llm.linear: C4: bias 'tensor<2xf32>' for 4 outputs}}
  %0 = llm.linear %x, %w bias %b : (tensor<3x2xf32>, tensor<2x4xf32>, tensor<2xf32>) -> tensor<3x4xf32>
  return
}

// -----

func.func @quantize_input_c1(%x: tensor<3x32xf16>) {
  // expected-error@+1 {{llm.quantize_input: C1:}}
  %0 = llm.quantize_input %x : tensor<3x32xf16>
  return
}

// -----

func.func @embedding_c1(%t: tensor<8x4xf32>, %ids: tensor<3xf32>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{llm.embedding: C1: ids of type 'f32'}}
  %0 = llm.embedding %t, %ids : (tensor<8x4xf32>, tensor<3xf32>) -> tensor<3x4xf32>
  return
}

// -----

func.func @embedding_c2(%t: tensor<8x16xui8>, %ids: tensor<3xi64>, %s: tensor<8x1xf32>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{llm.embedding: C2:}}
  %0 = llm.embedding %t, %ids scales %s {bits = 4 : i64, group_size = 32 : i64}
      : (tensor<8x16xui8>, tensor<3xi64>, tensor<8x1xf32>) -> tensor<3x32xf32>
  return
}

// -----

func.func @rms_norm_c1(%x: tensor<3x4xf32>, %w: tensor<3xf32>) {
  // expected-error@+1 {{llm.rms_norm: C1:}}
  %0 = llm.rms_norm %x, %w {epsilon = 1.0e-5 : f64} : tensor<3x4xf32>, tensor<3xf32>
  return
}

// -----

func.func @layer_norm_c1(%x: tensor<3x4xf32>, %w: tensor<4xf32>, %b: tensor<3xf32>) {
  // expected-error@+2 {{failed to infer returned types}}
  // expected-error@+1 {{llm.layer_norm: C1:}}
  %0 = llm.layer_norm %x, %w bias %b {epsilon = 1.0e-5 : f64}
      : (tensor<3x4xf32>, tensor<4xf32>, tensor<3xf32>) -> tensor<3x4xf32>
  return
}

// -----

func.func @rotary_c1(%x: tensor<4x7x16xf32>, %c: tensor<1x7x8xf32>) {
  // expected-error@+1 {{llm.rotary: C1:}}
  %0 = llm.rotary %x, %c, %c : tensor<4x7x16xf32>, tensor<1x7x8xf32>
  return
}

// -----

func.func @rotary_c2(%x: tensor<1x4x7x16xf32>, %c: tensor<1x7x9xf32>) {
  // expected-error@+1 {{llm.rotary: C2: rotates 18 of 16 channels}}
  %0 = llm.rotary %x, %c, %c : tensor<1x4x7x16xf32>, tensor<1x7x9xf32>
  return
}

// -----

func.func @attention_c1(%q: tensor<1x4x7x16xf32>, %k: tensor<1x3x7x16xf32>) {
  // expected-error@+1 {{C1: query}}
  %0 = llm.attention %q, %k, %k {scale = 1.0 : f64}
      : (tensor<1x4x7x16xf32>, tensor<1x3x7x16xf32>, tensor<1x3x7x16xf32>) -> tensor<1x4x7x16xf32>
  return
}

// -----

func.func @attention_c1_no_heads(%q: tensor<1x4x7x16xf32>, %k: tensor<1x0x7x16xf32>) {
  // expected-error@+1 {{C1: query}}
  %0 = llm.attention %q, %k, %k {scale = 1.0 : f64}
      : (tensor<1x4x7x16xf32>, tensor<1x0x7x16xf32>, tensor<1x0x7x16xf32>) -> tensor<1x4x7x16xf32>
  return
}

// -----

func.func @attention_c2(%q: tensor<1x4x7x16xf32>, %b: tensor<1x1x1x7x7xf32>) {
  // expected-error@+1 {{C2: bias}}
  %0 = llm.attention %q, %q, %q bias %b {scale = 1.0 : f64}
      : (tensor<1x4x7x16xf32>, tensor<1x4x7x16xf32>, tensor<1x4x7x16xf32>, tensor<1x1x1x7x7xf32>) -> tensor<1x4x7x16xf32>
  return
}

// -----

func.func @attention_c4(%q: tensor<1x4x7x16xf32>, %s: tensor<2xf32>) {
  // expected-error@+1 {{C4: slopes 'tensor<2xf32>' for 4 heads}}
  %0 = llm.attention %q, %q, %q slopes %s {scale = 1.0 : f64}
      : (tensor<1x4x7x16xf32>, tensor<1x4x7x16xf32>, tensor<1x4x7x16xf32>, tensor<2xf32>) -> tensor<1x4x7x16xf32>
  return
}

// -----

func.func @attention_c6_part(%q: tensor<1x4x7x16xf32>) {
  // expected-error@+1 {{C6: a rounding is no list of step, low, high}}
  %0 = llm.attention %q, %q, %q {scale = 1.0 : f64, score_rounding = array<f64: 0.5, 0.0>}
      : (tensor<1x4x7x16xf32>, tensor<1x4x7x16xf32>, tensor<1x4x7x16xf32>) -> tensor<1x4x7x16xf32>
  return
}

// -----

func.func @attention_c6_zero(%q: tensor<1x4x7x16xf32>) {
  // expected-error@+1 {{C6: a rounding is no list of step, low, high}}
  %0 = llm.attention %q, %q, %q {scale = 1.0 : f64, weight_rounding = array<f64: 0.5, 1.0, 2.0>}
      : (tensor<1x4x7x16xf32>, tensor<1x4x7x16xf32>, tensor<1x4x7x16xf32>) -> tensor<1x4x7x16xf32>
  return
}

// -----

func.func @attention_c3(%q: tensor<1x4x7x16xf32>, %k: !llm.state<tensor<2x16xf32>>) {
  // expected-error@+1 {{C3: states need past_lens}}
  %0 = llm.attention %q, %k, %k {scale = 1.0 : f64}
      : (tensor<1x4x7x16xf32>, !llm.state<tensor<2x16xf32>>, !llm.state<tensor<2x16xf32>>) -> tensor<1x4x7x16xf32>
  return
}

// -----

func.func @kv_append_c1(%past: tensor<1x2x5x16xf32>, %new: tensor<1x3x3x16xf32>, %lens: tensor<1xi64>) {
  // expected-error@+1 {{llm.kv_append: C1:}}
  %0 = llm.kv_append %past, %new, %lens : tensor<1x2x5x16xf32>, tensor<1x3x3x16xf32>, tensor<1xi64>
  return
}

// -----

func.func @kv_evict_c1(%cache: tensor<1x2x5x16xf32>, %lens: tensor<1xi64>) {
  // expected-error@+1 {{C1: cache}}
  %0 = llm.kv_evict %cache, %lens : tensor<1x2x5x16xf32>, tensor<1xi64> to tensor<1x3x4x16xf32>
  return
}

// -----

func.func @state_append_c1(%state: !llm.state<tensor<2x16xf32>>, %new: tensor<1x2x3x8xf32>, %lens: tensor<1xi64>) {
  // expected-error@+1 {{C1: tokens}}
  %0 = llm.state_append %state, %new, %lens : !llm.state<tensor<2x16xf32>>, tensor<1x2x3x8xf32>, tensor<1xi64>
  return
}

// -----

func.func @expert_linear_C1(%x: tensor<3x4xf32>, %ids: tensor<3x2xf32>, %w: tensor<5x4x6xf32>) {
  // expected-error@+2 {{C1: ids of type 'f32'}}
  // expected-error@+1 {{failed to infer returned types}}
  %0 = llm.expert_linear %x, %ids, %w : (tensor<3x4xf32>, tensor<3x2xf32>, tensor<5x4x6xf32>) -> tensor<3x2x6xf32>
  return
}

// -----

func.func @expert_linear_C2(%x: tensor<3x5xf32>, %ids: tensor<3x2xi64>, %w: tensor<5x4x6xf32>) {
  // expected-error@+2 {{C2: input [3, 5] with ids [3, 2] and 4 columns}}
  // expected-error@+1 {{failed to infer returned types}}
  %0 = llm.expert_linear %x, %ids, %w : (tensor<3x5xf32>, tensor<3x2xi64>, tensor<5x4x6xf32>) -> tensor<3x2x6xf32>
  return
}

// -----

func.func @expert_linear_C3(%x: tensor<3x4xf32>, %ids: tensor<3x2xi64>, %w: tensor<4x6xf32>) {
  // expected-error@+2 {{C3: weight 'tensor<4x6xf32>' for input 'tensor<3x4xf32>'}}
  // expected-error@+1 {{failed to infer returned types}}
  %0 = llm.expert_linear %x, %ids, %w : (tensor<3x4xf32>, tensor<3x2xi64>, tensor<4x6xf32>) -> tensor<3x2x6xf32>
  return
}

// -----

func.func @expert_linear_C4(%x: tensor<3x4xf32>, %ids: tensor<3x2xi64>, %w: tensor<5x4x6xf32>, %b: tensor<6xf32>) {
  // expected-error@+2 {{C4: bias [6]}}
  // expected-error@+1 {{failed to infer returned types}}
  %0 = llm.expert_linear %x, %ids, %w bias %b : (tensor<3x4xf32>, tensor<3x2xi64>, tensor<5x4x6xf32>, tensor<6xf32>) -> tensor<3x2x6xf32>
  return
}

// -----

func.func @linear_attention_C2(%q: tensor<1x1x3x2xf32>, %v: tensor<1x1x3x4xf32>, %g: tensor<1x1x3x2xf32>, %a: tensor<1x2x4xf32>) {
  // With rates a decay is one of columns, not of rows.
  // expected-error@+2 {{C2: decay or beta do not fit key [1, 1, 3, 2]}}
  // expected-error@+1 {{failed to infer returned types}}
  %o, %s = llm.linear_attention %q, %q, %v decay %g rates %a {scale = 1.0 : f64} : (tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x2xf32>, tensor<1x2x4xf32>) -> (tensor<1x1x3x4xf32>, tensor<1x1x2x4xf32>)
  return
}

// -----

func.func @linear_attention_C5(%q: tensor<1x1x3x2xf32>, %v: tensor<1x1x3x4xf32>, %g: tensor<1x1x3x4xf32>, %a: tensor<1x4x2xf32>) {
  // expected-error@+2 {{C5: rates [1, 4, 2] where a decay and [1, 2, 4] are due}}
  // expected-error@+1 {{failed to infer returned types}}
  %o, %s = llm.linear_attention %q, %q, %v decay %g rates %a {scale = 1.0 : f64} : (tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x4x2xf32>) -> (tensor<1x1x3x4xf32>, tensor<1x1x2x4xf32>)
  return
}

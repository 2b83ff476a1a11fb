// RUN: llmc-opt %s -llmc-verify-specialize -split-input-file -verify-diagnostics

// expected-error@+1 {{function has no llm.phase}}
func.func @phase() {
  return
}

// -----

// expected-error@+1 {{the size 'n' is not in llm.symbols}}
func.func @unlisted(%x: tensor<?xf32, #llm.dims<"n">>) attributes {llm.phase = "run", llm.symbols = []} {
  return
}

// -----

// expected-error@+1 {{the size 'n' is no input's dimension by itself}}
func.func @unbound(%x: tensor<?xf32, #llm.dims<"n + 1">>)
    attributes {llm.phase = "run", llm.symbols = [{name = "n", min = 1, max = 4}]} {
  return
}

// -----

// expected-error@+1 {{a stateful phase gives logits and the states that it took}}
func.func @lost(%tokens: tensor<1x1xi64>, %lens: tensor<1xi64>, %state: !llm.state<tensor<2x4xf32>>)
    -> tensor<1x8xf32> attributes {llm.phase = "decode", llm.symbols = []} {
  %0 = llm.constant dense<0.0> : tensor<1x8xf32>
  return %0 : tensor<1x8xf32>
}

// -----

func.func @bias(%tokens: tensor<1x1xi64>, %lens: tensor<1xi64>, %state: !llm.state<tensor<2x4xf32>>)
    -> (tensor<1x8xf32>, !llm.state<tensor<2x4xf32>>)
    attributes {llm.phase = "decode", llm.symbols = []} {
  %0 = llm.constant dense<0.0> : tensor<1x8xf32>
  %q = llm.constant dense<0.0> : tensor<1x2x1x4xf32>
  // expected-error@+1 {{attention on states has a bias for 8 keys, expected past + 1}}
  %1 = llm.attention %q, %state, %state bias %0 past_lens %lens {scale = 1.0 : f64}
      : (tensor<1x2x1x4xf32>, !llm.state<tensor<2x4xf32>>, !llm.state<tensor<2x4xf32>>, tensor<1x8xf32>, tensor<1xi64>)
      -> tensor<1x2x1x4xf32>
  return %0, %state : tensor<1x8xf32>, !llm.state<tensor<2x4xf32>>
}

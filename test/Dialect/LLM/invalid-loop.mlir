// One case per constraint of llm.loop.
// RUN: llmc-opt %s -split-input-file -verify-diagnostics

func.func @c1_trip(%h: tensor<4xf32>) {
  // expected-error@+1 {{C1: cannot run 'i0 + 1' times}}
  %0 = llm.loop "i0" < "i0 + 1" (%h) captured () stacks [] : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    llm.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @c1_position(%h: tensor<4xf32>) {
  // expected-error@+1 {{C1: cannot read the position "i0 +"}}
  %0 = llm.loop "i0" < "3" () captured (%h) stacks ["i0 +"] : (tensor<4xf32>) -> tensor<3x4xf32> {
  ^bb0(%a: tensor<4xf32>):
    llm.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @c2(%h: tensor<4xf32>) {
  // expected-error@+1 {{C2: block arguments ('tensor<5xf32>') for operands ('tensor<4xf32>')}}
  %0 = llm.loop "i0" < "3" (%h) captured () stacks [] : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<5xf32>):
    %1 = llm.constant dense<0.0> : tensor<4xf32>
    llm.yield %1 : tensor<4xf32>
  }
  return
}

// -----

func.func @c3(%h: tensor<4xf32>) {
  // expected-error@+1 {{C3: expected llm.yield and results of 1 carried values and 0 slices}}
  %0 = llm.loop "i0" < "3" (%h) captured () stacks [] : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    llm.yield %a, %a : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @c4(%h: tensor<4xf32>) {
  // expected-error@+1 {{C4: carried value 0 changes from 'tensor<4xf32>' to 'tensor<8xf32>'}}
  %0 = llm.loop "i0" < "3" (%h) captured () stacks [] : (tensor<4xf32>) -> tensor<8xf32> {
  ^bb0(%a: tensor<4xf32>):
    %1 = llm.concat 0 (%a, %a) : tensor<4xf32>, tensor<4xf32>
    llm.yield %1 : tensor<8xf32>
  }
  return
}

// -----

func.func @c5(%h: tensor<4xf32>) {
  // expected-error@+1 {{C5: result 0 is 'tensor<4xf32>', expected 'tensor<3x4xf32>'}}
  %0 = llm.loop "i0" < "3" () captured (%h) stacks ["i0"] : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    llm.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @c6_size(%h: tensor<4xf32>) {
  llm.loop "i0" < "3" () captured (%h) stacks [] : (tensor<4xf32>) -> () {
  ^bb0(%a: tensor<4xf32>):
    // expected-error@+1 {{C6: a size depends on the iteration "i0"}}
    %1 = llm.slice %a ["0"] [1] : tensor<4xf32> to tensor<?xf32, #llm.dims<"i0">>
    llm.yield
  }
  return
}

// -----

func.func @c6_trip(%h: tensor<4xf32>) {
  %0 = llm.loop "i0" < "3" (%h) captured () stacks [] : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    // expected-error@+1 {{C6: a size depends on the iteration "i0"}}
    %1 = llm.loop "i1" < "i0" (%a) captured () stacks [] : (tensor<4xf32>) -> tensor<4xf32> {
    ^bb0(%b: tensor<4xf32>):
      llm.yield %b : tensor<4xf32>
    }
    llm.yield %1 : tensor<4xf32>
  }
  return
}

// -----

func.func @c7(%n: tensor<i64>) {
  // expected-error@+1 {{C7: the body defines a size or has a state}}
  llm.loop "i0" < "3" () captured (%n) stacks [] : (tensor<i64>) -> () {
  ^bb0(%a: tensor<i64>):
    llm.define_size "k" <= "8" (%a) : tensor<i64>
    llm.yield
  }
  return
}

// -----

func.func @isolated(%h: tensor<4xf32>, %x: tensor<4xf32>) {
  // expected-note@+1 {{required by region isolation constraints}}
  %0 = llm.loop "i0" < "3" (%h) captured () stacks [] : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    // expected-error@+1 {{using value defined outside the region}}
    %1 = llm.binary add %a, %x : tensor<4xf32>, tensor<4xf32>
    llm.yield %1 : tensor<4xf32>
  }
  return
}

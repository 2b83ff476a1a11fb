// One case per constraint of exec.loop.
// RUN: llmc-opt %s -split-input-file -verify-diagnostics

exec.kernel @copy "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
exec.program @run "run" attributes {symbols = [], input_names = ["h"], output_names = []} {
^bb0(%h: tensor<4xf32>):
  %0 = exec.dispatch @copy(%h) : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error@+1 {{C1: cannot read the trip count '3 +' or a position of []}}
  %1 = exec.loop "i0" < "3 +" (%0) stacks [] : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    exec.yield %a : tensor<4xf32>
  }
  exec.return
}

// -----

exec.kernel @copy "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
exec.program @run "run" attributes {symbols = [], input_names = ["h"], output_names = []} {
^bb0(%h: tensor<4xf32>):
  %0 = exec.dispatch @copy(%h) : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error@+1 {{C2: expected exec.yield, arguments and results for 1 carried values and 0 stacks}}
  %1 = exec.loop "i0" < "3" (%0) stacks [] : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    exec.yield %a, %a : tensor<4xf32>, tensor<4xf32>
  }
  exec.return
}

// -----

exec.kernel @copy "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
exec.program @run "run" attributes {symbols = [], input_names = ["h"], output_names = []} {
^bb0(%h: tensor<4xf32>):
  %0 = exec.dispatch @copy(%h) : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error@+1 {{C2: 'tensor<2x2xf32>' for the result 'tensor<4xf32>'}}
  %1 = exec.loop "i0" < "3" (%0) stacks [] : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    %2 = exec.view %a : tensor<4xf32> to tensor<2x2xf32>
    exec.yield %2 : tensor<2x2xf32>
  }
  exec.return
}

// -----

exec.kernel @copy "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
exec.program @run "run" attributes {symbols = [], input_names = ["h"], output_names = []} {
^bb0(%h: tensor<4xf32>):
  // expected-error@+1 {{C3: 'tensor<4xf32>' for the result 'tensor<4xf32>'}}
  %1 = exec.loop "i0" < "3" () stacks ["i0"] : () -> tensor<4xf32> {
  ^bb0:
    %2 = exec.dispatch @copy(%h) : (tensor<4xf32>) -> tensor<4xf32>
    exec.yield %2 : tensor<4xf32>
  }
  exec.return
}

// -----

exec.kernel @copy "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
exec.program @run "run" attributes {symbols = [], input_names = ["h"], output_names = []} {
^bb0(%h: tensor<4xf32>):
  // expected-error@+1 {{C4: an initial value is not the only result of a dispatch, or something else uses it}}
  %1 = exec.loop "i0" < "3" (%h) stacks [] : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    exec.yield %a : tensor<4xf32>
  }
  exec.return
}

// -----

exec.kernel @copy "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
exec.program @run "run" attributes {symbols = [], input_names = ["h"], output_names = []} {
^bb0(%h: tensor<4xf32>):
  %0 = exec.dispatch @copy(%h) : (tensor<4xf32>) -> tensor<4xf32>
  %5 = exec.dispatch @copy(%0) : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error@+1 {{C4: an initial value is not the only result of a dispatch, or something else uses it}}
  %1 = exec.loop "i0" < "3" (%0) stacks [] : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    exec.yield %a : tensor<4xf32>
  }
  exec.return
}

// -----

exec.kernel @pair "pointwise" {
^bb0(%x: tensor<4xf32>):
  %0 = llm.unary neg %x : tensor<4xf32>
  exec.yield %x, %0 : tensor<4xf32>, tensor<4xf32>
}
exec.kernel @copy "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
exec.program @run "run" attributes {symbols = [], input_names = ["h"], output_names = []} {
^bb0(%h: tensor<4xf32>):
  %0:2 = exec.dispatch @pair(%h) : (tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  // expected-error@+1 {{C4: an initial value is not the only result of a dispatch, or something else uses it}}
  %1 = exec.loop "i0" < "3" (%0#0) stacks [] : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    exec.yield %a : tensor<4xf32>
  }
  exec.return
}

// -----

exec.kernel @copy "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
exec.program @run "run" attributes {symbols = [], input_names = ["h"], output_names = []} {
^bb0(%h: tensor<4xf32>):
  %0 = exec.dispatch @copy(%h) : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error@+1 {{C5: what the body gives at 0 is not the only result of a dispatch in it}}
  %1 = exec.loop "i0" < "3" (%0) stacks [] : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    exec.yield %h : tensor<4xf32>
  }
  exec.return
}

// -----

exec.kernel @copy "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
exec.program @run "run" attributes {symbols = [], input_names = ["h"], output_names = []} {
^bb0(%h: tensor<4xf32>):
  %0 = exec.dispatch @copy(%h) : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error@+1 {{C6: what the body gives at 1 has another place, too}}
  %1:2 = exec.loop "i0" < "3" (%0) stacks ["i0"] : (tensor<4xf32>) -> (tensor<4xf32>, tensor<3x4xf32>) {
  ^bb0(%a: tensor<4xf32>):
    %2 = exec.dispatch @copy(%a) : (tensor<4xf32>) -> tensor<4xf32>
    exec.yield %2, %2 : tensor<4xf32>, tensor<4xf32>
  }
  exec.return
}

// -----

exec.kernel @copy "pointwise" {
^bb0(%x: tensor<4xf32>):
  exec.yield %x : tensor<4xf32>
}
exec.program @run "run" attributes {symbols = [], input_names = ["h"], output_names = []} {
^bb0(%h: tensor<4xf32>):
  %0 = exec.dispatch @copy(%h) : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error@+1 {{C7: expected an offset of -1 or more for each of 0 stacks}}
  %1 = exec.loop "i0" < "3" (%0) stacks [] {offsets = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    exec.yield %a : tensor<4xf32>
  }
  exec.return
}

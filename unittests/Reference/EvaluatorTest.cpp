//===- EvaluatorTest.cpp - symbols, slices of programs, errors
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Fixture.h"
#include "mlir/IR/AsmState.h"

using namespace mlir;
using namespace llmc::llm;
using namespace llmc::reference;

TEST_F(ReferenceTest, LearnsSymbolsFromArguments) {
  expectInts(run("%a: tensor<?x?xf32, #llm.dims<\"seq\", \"past + seq\">>",
                 "%0 = llm.dim_values [\"seq\", \"past\", \"2 * past\"] : tensor<3xi64>\n"
                 "return %0 : tensor<3xi64>",
                 {Tensor(f32(), {2, 5})}),
             {3}, {2, 3, 6});
}

TEST_F(ReferenceTest, ContradictingSymbolFails) {
  FailureOr<Tensor> result =
      run("%a: tensor<?x?xf32, #llm.dims<\"n\", \"n\">>",
          "return %a : tensor<?x?xf32, #llm.dims<\"n\", \"n\">>", {Tensor(f32(), {2, 3})});
  ASSERT_TRUE(failed(result));
  EXPECT_EQ(evaluator.message(), "argument 0: size 3 where 'n' is 2");
}

TEST_F(ReferenceTest, IotaCountsFromSymbol) {
  expectInts(run("%a: tensor<?x?xf32, #llm.dims<\"seq\", \"past\">>",
                 "%0 = llm.iota {start = \"past\", step = \"2\", dim = 1 : i64} : tensor<2x?xi64, "
                 "#llm.dims<\"2\", \"seq\">>\n"
                 "return %0 : tensor<2x?xi64, #llm.dims<\"2\", \"seq\">>",
                 {Tensor(f32(), {3, 10})}),
             {2, 3}, {10, 12, 14, 10, 12, 14});
}

TEST_F(ReferenceTest, EvaluatesOnlyTheSliceBehindAValue) {
  module = parseSourceString<ModuleOp>(R"(
    func.func @run(%a: tensor<2xf32>, %unbound: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
      %0 = llm.unary neg %unbound : tensor<2xf32>
      %1 = llm.unary neg %a : tensor<2xf32>
      %2 = llm.binary add %1, %1 : tensor<2xf32>, tensor<2xf32>
      return %2, %0 : tensor<2xf32>, tensor<2xf32>
    })",
                                       &context);
  func::FuncOp function = *module->getOps<func::FuncOp>().begin();
  Operation *end = function.front().getTerminator();
  evaluator.bind(function.getArgument(0), floats({2}, {1, 2}));
  expectFloats(evaluator.evaluate(end->getOperand(0)), {2}, {-2, -4});
  EXPECT_TRUE(failed(evaluator.evaluate(end->getOperand(1))));
  EXPECT_EQ(evaluator.message(), "argument 1 is not bound");
}

TEST_F(ReferenceTest, BoundResultHidesItsOperation) {
  module = parseSourceString<ModuleOp>(R"(
    func.func @run(%a: tensor<2xf32>) -> tensor<2xf32> {
      %0 = llm.unary neg %a : tensor<2xf32>
      %1 = llm.unary abs %0 : tensor<2xf32>
      return %1 : tensor<2xf32>
    })",
                                       &context);
  func::FuncOp function = *module->getOps<func::FuncOp>().begin();
  evaluator.bind(function.front().front().getResult(0), floats({2}, {-3, 4}));
  expectFloats(evaluator.evaluate(function.front().getTerminator()->getOperand(0)), {2}, {3, 4});
}

TEST_F(ReferenceTest, IfTakesOneRegion) {
  std::string body = R"(
    %0 = llm.if %c : tensor<1xi1> -> (tensor<1xf32>) {
      %1 = llm.unary neg %a : tensor<1xf32>
      llm.yield %1 : tensor<1xf32>
    } else {
      llm.yield %a : tensor<1xf32>
    }
    return %0 : tensor<1xf32>)";
  const char *signature = "%c: tensor<1xi1>, %a: tensor<1xf32>";
  expectFloats(run(signature, body, {Tensor::fromInts(integer(1), {1}, {1}), floats({1}, {5})}),
               {1}, {-5});
  expectFloats(run(signature, body, {Tensor::fromInts(integer(1), {1}, {0}), floats({1}, {5})}),
               {1}, {5});
}

TEST_F(ReferenceTest, ReadsWeightsWithoutCopy) {
  static const float weights[] = {1, 2, 3};
  auto type = RankedTensorType::get({3}, f32());
  auto attr = DenseResourceElementsAttr::get(
      type, "w", UnmanagedAsmResourceBlob::allocateInferAlign(ArrayRef<float>(weights)));
  FailureOr<Tensor> tensor = Tensor::fromAttr(attr);
  expectFloats(tensor, {3}, {1, 2, 3});
  EXPECT_EQ(tensor->bytes().data(), reinterpret_cast<const char *>(weights));
}

TEST_F(ReferenceTest, AttributesRoundTrip) {
  Tensor bools = Tensor::fromInts(integer(1), {3}, {1, 0, 1});
  expectInts(Tensor::fromAttr(bools.toAttr()), {3}, {1, 0, 1});
  Tensor halves = Tensor::fromFloats(Float16Type::get(&context), {2}, {0.5, -1.25});
  expectFloats(Tensor::fromAttr(halves.toAttr()), {2}, {0.5, -1.25});
  Tensor bytes =
      Tensor::fromInts(IntegerType::get(&context, 8, IntegerType::Unsigned), {2}, {255, 1});
  expectInts(Tensor::fromAttr(bytes.toAttr()), {2}, {255, 1});
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

// The carried value is x0, x0 + x1, ..; its stack lies from the end on. Without an iteration
// the initial value stays.
TEST_F(ReferenceTest, LoopCarriesAndStacks) {
  const char *argument = "%h: tensor<1xf32>, %x: tensor<?xf32, #llm.dims<\"n\">>";
  std::string body = R"(
    %0:2 = llm.loop "i0" < "n" (%h) captured (%x) stacks ["n - 1 - i0"] : (tensor<1xf32>, tensor<?xf32, #llm.dims<"n">>) -> (tensor<1xf32>, tensor<?x1xf32, #llm.dims<"n", "1">>) {
    ^bb0(%a: tensor<1xf32>, %b: tensor<?xf32, #llm.dims<"n">>):
      %1 = llm.slice %b ["i0"] [1] : tensor<?xf32, #llm.dims<"n">> to tensor<1xf32>
      %2 = llm.binary add %a, %1 : tensor<1xf32>, tensor<1xf32>
      llm.yield %2, %2 : tensor<1xf32>, tensor<1xf32>
    }
  )";
  std::string last = body + "return %0#0 : tensor<1xf32>";
  std::string all = body + "return %0#1 : tensor<?x1xf32, #llm.dims<\"n\", \"1\">>";
  expectFloats(run(argument, last, {floats({1}, {10}), floats({3}, {1, 2, 4})}), {1}, {17});
  expectFloats(run(argument, all, {floats({1}, {10}), floats({3}, {1, 2, 4})}), {3, 1},
               {17, 13, 11});
  expectFloats(run(argument, last, {floats({1}, {10}), floats({0}, {})}), {1}, {10});
}

TEST_F(ReferenceTest, LoopInALoopSeesBothIterations) {
  expectInts(run("%h: tensor<i64>", R"(
    %0 = llm.loop "i0" < "3" (%h) captured () stacks [] : (tensor<i64>) -> tensor<i64> {
    ^bb0(%a: tensor<i64>):
      %1 = llm.loop "i1" < "2" (%a) captured () stacks [] : (tensor<i64>) -> tensor<i64> {
      ^bb0(%b: tensor<i64>):
        %2 = llm.dim_values ["10 * i0 + i1"] : tensor<i64>
        %3 = llm.binary add %b, %2 : tensor<i64>, tensor<i64>
        llm.yield %3 : tensor<i64>
      }
      llm.yield %1 : tensor<i64>
    }
    return %0 : tensor<i64>)",
                 {ints({}, {1000})}),
             {}, {1000 + 2 * (0 + 10 + 20) + 3 * 1});
}

TEST_F(ReferenceTest, RowOutsideAStackFails) {
  FailureOr<Tensor> result = run("%h: tensor<2xf32>", R"(
    %0 = llm.loop "i0" < "3" () captured (%h) stacks ["i0 + 1"] : (tensor<2xf32>) -> tensor<3x2xf32> {
    ^bb0(%a: tensor<2xf32>):
      llm.yield %a : tensor<2xf32>
    }
    return %0 : tensor<3x2xf32>)",
                                 {floats({2}, {1, 2})});
  ASSERT_TRUE(failed(result));
  EXPECT_EQ(evaluator.message(), "llm.loop: iteration 2 writes row 3 of [3, 2]");
}

//===----------------------------------------------------------------------===//
// Limits
//===----------------------------------------------------------------------===//

// A million elements are not begun where fewer are left; those before it are counted.
TEST_F(ReferenceTest, MoreElementsThanAllowedFail) {
  const char *text = R"(
    func.func @run(%x: tensor<1xf32>) -> tensor<1000x1000xf32> {
      %0 = llm.broadcast %x : tensor<1xf32> to tensor<1000xf32>
      %1 = llm.broadcast %0 : tensor<1000xf32> to tensor<1000x1000xf32>
      return %1 : tensor<1000x1000xf32>
    })";
  module = parseSourceString<ModuleOp>(text, &context);
  ASSERT_TRUE(module);
  auto function = *module->getOps<func::FuncOp>().begin();
  evaluator = Evaluator({}, 1'000'000);
  EXPECT_TRUE(failed(evaluator.run(function, {floats({1}, {1})})));
  EXPECT_EQ(evaluator.message(), "llm.broadcast: more elements than there is time for");
  EXPECT_LT(evaluator.remainingElements(), 999'001);
  evaluator = Evaluator({}, 1'002'000);
  EXPECT_TRUE(succeeded(evaluator.run(function, {floats({1}, {1})})));
}

// Iterations count where they compute nothing.
TEST_F(ReferenceTest, EndlessLoopFails) {
  FailureOr<Tensor> result = run("%h: tensor<1xf32>", R"(
    %0 = llm.loop "i0" < "1000000000000000" (%h) captured () stacks [] : (tensor<1xf32>) -> tensor<1xf32> {
    ^bb0(%a: tensor<1xf32>):
      llm.yield %a : tensor<1xf32>
    }
    return %0 : tensor<1xf32>)",
                                 {floats({1}, {1})});
  ASSERT_TRUE(failed(result));
  EXPECT_EQ(evaluator.message(), "llm.yield: more elements than there is time for");
}

//===- ExpertLinearTest.cpp - compiled products with a matrix per row -----===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fewer rows than experts, more, and more than are multiplied at once; ids outside count
// as the nearest expert.
//
//===----------------------------------------------------------------------===//
#include "CompiledFunction.h"
#include "llvm/Support/FormatVariadic.h"
#include <random>

using namespace mlir;
using namespace llmc;

namespace {

class ExpertLinearTest : public CompiledFunction {
protected:
  void compile(const std::string &text) { CompiledFunction::compile(text, 512, 64, 64); }

  /// Ids of `experts`, some outside, most of them one expert's.
  reference::Tensor ids(Type type, ArrayRef<int64_t> shape, int64_t experts) {
    std::mt19937 random(5);
    int64_t count = 1;
    for (int64_t size : shape)
      count *= size;
    std::vector<int64_t> values;
    for (int64_t i = 0; i < count; ++i)
      values.push_back(random() % 2 ? 1 : int64_t(random() % uint64_t(experts + 2)) - 1);
    return reference::Tensor::fromInts(type, shape, values);
  }
};

/// "dense<"0x..">" of small random floats.
std::string floats(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::string text = "dense<\"0x";
  for (int64_t i = 0; i < count; ++i) {
    float value = float(int64_t(random() % 2001) - 1000) / 4096;
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    for (int byte = 0; byte < 4; ++byte)
      text += llvm::formatv("{0:X-2}", bits >> (8 * byte) & 0xff).str();
  }
  return text + "\">";
}

std::string bytes(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::string text = "dense<\"0x";
  for (int64_t i = 0; i < count; ++i)
    text += llvm::formatv("{0:X-2}", random() & 0xff).str();
  return text + "\">";
}

/// Both layers of a mixture with a gate between; the second product's input differs per
/// choice, and its epilogue adds and scales. 100 outputs end within a panel.
TEST_F(ExpertLinearTest, Mixture) {
  compile(R"(
    !x = tensor<?x40xf32, #llm.dims<"n", "40">>
    !ids = tensor<?x3xi64, #llm.dims<"n", "3">>
    !h = tensor<?x3x100xf32, #llm.dims<"n", "3", "100">>
    !y = tensor<?x3x40xf32, #llm.dims<"n", "3", "40">>
    func.func @run(%x: !x, %ids: !ids, %w: tensor<?x3x1xf32, #llm.dims<"n", "3", "1">>) -> !y {
      %up = llm.constant )" +
          floats(5 * 40 * 100, 1) + R"( : tensor<5x40x100xf32>
      %down = llm.constant )" +
          floats(5 * 40 * 100, 2) + R"( : tensor<5x40x100xf32>
      %b = llm.constant )" +
          floats(5 * 100, 3) + R"( : tensor<5x100xf32>
      %0 = llm.expert_linear %x, %ids, %up bias %b : (!x, !ids, tensor<5x40x100xf32>, tensor<5x100xf32>) -> !h
      %1 = llm.unary silu %0 : !h
      %2 = llm.expert_linear %1, %ids, %down {transposed} : (!h, !ids, tensor<5x40x100xf32>) -> !y
      %3 = llm.binary mul %2, %w : !y, tensor<?x3x1xf32, #llm.dims<"n", "3", "1">>
      return %3 : !y
    })");
  for (int64_t n : {1, 2, 7, 100})
    check({uniform(f32(), {n, 40}, 4), ids(i64(), {n, 3}, 5), uniform(f32(), {n, 3, 1}, 6)}, 2e-6);
}

/// Ids of 32 bits, one choice, weights of 16 bits, and ids that are constant.
TEST_F(ExpertLinearTest, HalfWeights) {
  for (std::string type : {"f16", "bf16"}) {
    std::string w = "tensor<3x24x20x" + type + ">";
    // 0 to 2 with their mantissas, whose low bits are random.
    std::string values = "dense<\"0x";
    std::mt19937 random(2);
    for (int64_t i = 0; i < 3 * 24 * 20; ++i)
      values += llvm::formatv("{0:X-2}{1:X-2}", random() & 0xff, 0x30 + random() % 16).str();
    compile(R"(
      !x = tensor<?x24xf32, #llm.dims<"n", "24">>
      !ids = tensor<?xi32, #llm.dims<"n">>
      !two = tensor<?x2xi64, #llm.dims<"n", "2">>
      !y = tensor<?x20xf32, #llm.dims<"n", "20">>
      !z = tensor<?x2x20xf32, #llm.dims<"n", "2", "20">>
      func.func @run(%x: !x, %ids: !ids) -> (!y, !z) {
        %w = llm.constant )" +
            values + "\"> : " + w + R"(
        %last = llm.constant dense<2> : tensor<i64>
        %all = llm.broadcast %last : tensor<i64> to !two
        %0 = llm.expert_linear %x, %ids, %w : (!x, !ids, )" +
            w + R"() -> !y
        %1 = llm.expert_linear %x, %all, %w : (!x, !two, )" +
            w + R"() -> !z
        return %0, %1 : !y, !z
      })");
    for (int64_t n : {1, 2, 200})
      check({uniform(f32(), {n, 24}, 4), ids(IntegerType::get(&context, 32), {n}, 3)}, 2e-6);
  }
}

/// Groups that the columns do not fill, with and without zero points.
TEST_F(ExpertLinearTest, FewBits) {
  for (int64_t bits : {2, 4, 8})
    for (bool hasZeroPoints : {false, true}) {
      if (bits != 4 && hasZeroPoints == (bits == 2))
        continue; // what the other sizes test
      SCOPED_TRACE(std::to_string(bits) + (hasZeroPoints ? " with zero points" : ""));
      int64_t blob = 32 * bits / 8, zeroBytes = (2 * bits + 7) / 8;
      std::string w = llvm::formatv("tensor<4x70x2x{0}xui8>", blob);
      std::string z = llvm::formatv("tensor<4x70x{0}xui8>", zeroBytes);
      std::string zeros = hasZeroPoints
                              ? "%z = llm.constant " + bytes(280 * zeroBytes, 2) + " : " + z
                              : std::string();
      compile(R"(
        !x = tensor<?x40xf32, #llm.dims<"n", "40">>
        !ids = tensor<?x2xi64, #llm.dims<"n", "2">>
        !y = tensor<?x2x70xf32, #llm.dims<"n", "2", "70">>
        func.func @run(%x: !x, %ids: !ids) -> !y {
          %w = llm.constant )" +
              bytes(280 * 2 * blob, 1) + " : " + w + R"(
          %s = llm.constant )" +
              floats(280 * 2, 3) + R"( : tensor<4x70x2xf32>
          )" + zeros +
              llvm::formatv(
                  "\n%0 = llm.expert_linear %x, %ids, %w scales %s {0} {{bits = {1} : i64, "
                  "group_size = 32 : i64, columns = 40 : i64} : (!x, !ids, {2}, "
                  "tensor<4x70x2xf32>{3}) -> !y\n",
                  hasZeroPoints ? "zero_points %z" : "", bits, w,
                  hasZeroPoints ? ", " + z : std::string())
                  .str() +
              "return %0 : !y\n}");
      for (int64_t n : {1, 3, 90})
        check({uniform(f32(), {n, 40}, 4), ids(i64(), {n, 2}, 4)}, 2e-6);
    }
}

/// Rows too long for two of them to be copied side by side.
TEST_F(ExpertLinearTest, LongRows) {
  compile(R"(
    !x = tensor<?x40000xf32, #llm.dims<"n", "40000">>
    !y = tensor<?x2xf32, #llm.dims<"n", "2">>
    func.func @run(%x: !x, %ids: tensor<?xi64, #llm.dims<"n">>) -> !y {
      %w = llm.constant dense<0.25> : tensor<2x40000x2xf32>
      %b = llm.constant dense<[[1.0, 2.0], [30.0, 40.0]]> : tensor<2x2xf32>
      %0 = llm.expert_linear %x, %ids, %w bias %b : (!x, tensor<?xi64, #llm.dims<"n">>, tensor<2x40000x2xf32>, tensor<2x2xf32>) -> !y
      return %0 : !y
    })");
  for (int64_t n : {1, 5})
    check({uniform(f32(), {n, 40000}, 4), ids(i64(), {n}, 2)}, 1e-5);
}

} // namespace

//===- ContractionOps.cpp - matrix products
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Contraction.h"
#include "OpTable.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

Value llmc::importer::numpyMatmul(Node &n, Value a, Value b) {
  int64_t rankA = n.rank(a), rankB = n.rank(b);
  if (n.failed())
    return {};
  if (rankA == 0 || rankB == 0) {
    n.fail("an operand is a scalar");
    return {};
  }
  if (rankA == 1)
    a = n.reshape(a, {1, n.dims(a)[0]});
  if (rankB == 1)
    b = n.reshape(b, {n.dims(b)[0], 1});
  Value product = n.matmul(a, b);
  if (n.failed() || (rankA > 1 && rankB > 1))
    return product;
  Dims dims = n.dims(product);
  if (rankB == 1)
    dims.pop_back();
  if (rankA == 1)
    dims.erase(dims.end() - (rankB == 1 ? 1 : 2));
  return n.reshape(product, dims);
}

static Value times(Node &n, Value x, double factor) {
  return factor == 1.0 ? x : n.binary(BinaryKind::mul, x, n.scalar(factor, n.elementTypeOf(x)));
}

static void matmulOp(Node &n) { n.setOutput(numpyMatmul(n, n.input(0), n.input(1))); }

Value llmc::importer::gemm(Node &n) {
  Value a = n.input(0), b = n.input(1);
  if (n.rank(a) != 2 || n.rank(b) != 2)
    n.fail("needs matrices, found " + llm::formatDims(n.dims(a)) + " and " +
           llm::formatDims(n.dims(b)));
  if (n.intAttr("transA", 0))
    a = n.transpose(a, {1, 0});
  if (n.intAttr("transB", 0))
    b = n.transpose(b, {1, 0});
  Value result = times(n, n.matmul(a, b), n.floatAttr("alpha", 1));
  if (n.input(2))
    result = n.binary(BinaryKind::add, result, times(n, n.input(2), n.floatAttr("beta", 1)));
  return result;
}

static void gemmOp(Node &n) { n.setOutput(gemm(n)); }

/// The operand as a stack of matrices. With `acrossBatch` its first dimension is the
/// matrices' rows and the batch comes after it; `transposed` then exchanges the last two.
static Value fusedOperand(Node &n, Value x, bool transposed, bool acrossBatch) {
  int64_t rank = n.rank(x);
  if (n.failed() || rank < 2 || (!transposed && !acrossBatch))
    return x;
  SmallVector<int64_t> permutation = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (acrossBatch)
    std::rotate(permutation.begin(), permutation.begin() + 1, permutation.end() - 1);
  if (transposed)
    std::swap(permutation[rank - 1], permutation[rank - 2]);
  return n.transpose(x, permutation);
}

static void fusedMatmulOp(Node &n) {
  auto flag = [&](StringRef name) { return n.intAttr(name, 0) != 0; };
  Value a = fusedOperand(n, n.input(0), flag("transA"), flag("transBatchA"));
  Value b = fusedOperand(n, n.input(1), flag("transB"), flag("transBatchB"));
  n.setOutput(times(n, numpyMatmul(n, a, b), n.floatAttr("alpha", 1)));
}

void llmc::importer::addContractionOps(OpTable &t) {
  t.add("", "MatMul", 1, {matmulOp, 2, 2, 1});
  t.add("", "Gemm", 7, {gemmOp, 2, 3, 1, "alpha beta transA transB"});
  // TransposeMatMul is the older name.
  for (StringRef name : {"FusedMatMul", "TransposeMatMul"})
    t.add(kMicrosoft, name, 1,
          {fusedMatmulOp, 2, 2, 1, "alpha transA transB transBatchA transBatchB"});
}

//===- RotaryOps.cpp - rotary position embedding
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Heads.h"
#include "OpTable.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

Value llmc::importer::splitHeads(Node &n, Value x, int64_t heads) {
  Dims dims = n.dims(x);
  if (n.failed())
    return {};
  if (dims.size() != 3 || heads < 1 || !DimExpr::mod(dims[2], heads).isConstant(0)) {
    n.fail("cannot split " + llm::formatDims(dims) + " into " + Twine(heads) + " heads");
    return {};
  }
  Value split = n.reshape(x, {dims[0], dims[1], heads, DimExpr::floorDiv(dims[2], heads)});
  return n.transpose(split, {0, 2, 1, 3});
}

Value llmc::importer::mergeHeads(Node &n, Value x) {
  Value moved = n.transpose(x, {0, 2, 1, 3});
  Dims dims = n.dims(moved);
  if (n.failed())
    return {};
  return n.reshape(moved, {dims[0], dims[1], dims[2] * dims[3]});
}

Value llmc::importer::rotate(Node &n, Value x, Value cos, Value sin, Value positions,
                             RotaryOptions options) {
  if (n.failed())
    return {};
  if (positions) {
    if (n.rank(cos) != 2 || n.rank(sin) != 2) {
      n.fail("the cosine cache is " + llm::formatDims(n.dims(cos)) + ", not a matrix");
      return {};
    }
    cos = n.infer<llm::GatherOp>(uint64_t(0), cos, positions);
    sin = n.infer<llm::GatherOp>(uint64_t(0), sin, positions);
  }
  Dims input = n.dims(x), table = n.dims(cos);
  if (n.failed())
    return {};
  if (input.size() != 4 || table.size() != 3) {
    n.fail("cannot rotate " + llm::formatDims(input) + " by " + llm::formatDims(table));
    return {};
  }
  DimExpr rotated = options.channels ? DimExpr(options.channels) : input[3];
  n.requireEqual(table[2] * 2, rotated, "rotated channels");
  if (!table[0].isConstant(1))
    n.requireEqual(table[0], input[0], "batch size of the cosines");
  n.requireEqual(table[1], n.dims(x)[2], "sequence length of the cosines");
  return n.infer<llm::RotaryOp>(x, cos, sin, options.interleaved);
}

/// Puts a 3-D operand's heads apart, rotates, and puts them together again.
static Value rotateAnyRank(Node &n, Value x, Value cos, Value sin, Value positions,
                           int64_t headSize) {
  RotaryOptions options{n.intAttr("interleaved", 0) != 0, n.intAttr("rotary_embedding_dim", 0)};
  if (n.rank(x) == 4)
    return rotate(n, x, cos, sin, positions, options);
  int64_t heads = n.intAttr("num_heads", 0);
  if (heads == 0 && headSize > 0 && n.rank(x) == 3)
    heads = DimExpr::floorDiv(n.dims(x)[2], headSize).constant().value_or(0);
  return mergeHeads(n, rotate(n, splitHeads(n, x, heads), cos, sin, positions, options));
}

/// Opset 23: X, cos_cache, sin_cache, position_ids; the caches are per token
/// where there are no positions.
static void rotaryOp(Node &n) {
  n.setOutput(rotateAnyRank(n, n.input(0), n.input(1), n.input(2), n.input(3), 0));
}

/// com.microsoft: input, position_ids, cos_cache, sin_cache. One position
/// stands for the first token of each sequence; [B, S] positions for all. onnxruntime
/// never applies `scale`, and `is_packed_batching` only lifts its limit on S.
static void microsoftRotaryOp(Node &n) {
  Value x = n.input(0), positions = n.cast(n.input(1), n.builder.getI64Type());
  if (n.rank(positions) < 2 && (n.rank(x) == 3 || n.rank(x) == 4)) {
    const DimExpr sequence = n.dims(x)[n.rank(x) - 2];
    Value first = n.reshape(positions, {llm::product(n.dims(positions)), 1});
    positions = n.binary(BinaryKind::add, first, n.iota(sequence));
  }
  // Without num_heads the caches span a whole head.
  int64_t headSize = n.rank(n.input(2)) == 2 ? 2 * n.dims(n.input(2))[1].constant().value_or(0) : 0;
  n.setOutput(rotateAnyRank(n, x, n.input(2), n.input(3), positions, headSize));
}

void llmc::importer::addRotaryOps(OpTable &t) {
  t.add("", "RotaryEmbedding", 23,
        {rotaryOp, 3, 4, 1, "interleaved num_heads rotary_embedding_dim"});
  t.add(kMicrosoft, "RotaryEmbedding", 1,
        {microsoftRotaryOp, 4, 4, 1,
         "interleaved num_heads rotary_embedding_dim is_packed_batching scale"});
}

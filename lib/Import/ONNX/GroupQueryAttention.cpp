//===- GroupQueryAttention.cpp - com.microsoft GroupQueryAttention
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rotary embedding, cache append and causal attention in one node, as
// onnxruntime-genai writes it. seqlens_k[b] is the number of valid keys of
// sequence b after this step, minus one.
//
// A quantised cache holds round(x / scale) of what is appended, and attention reads scale times
// that, of new tokens and old ones alike. So integers are appended, and a present has those of
// its past as they were.
//
//===----------------------------------------------------------------------===//
#include "Attend.h"
#include "Heads.h"
#include "OpTable.h"
#include "Quantization.h"
#include <limits>

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

/// Query, key and value as [B, H, S, D], from three operands or a packed one.
static Attention splitOperands(Node &n, int64_t heads, int64_t keyHeads) {
  Value query = n.input(0), key = n.input(1), value = n.input(2);
  if (n.rank(query) != 3 || heads < 1 || keyHeads < 1 || heads % keyHeads) {
    n.fail("query " + llm::formatDims(n.dims(query)) + " with num_heads " + Twine(heads) +
           " and kv_num_heads " + Twine(keyHeads));
    return {};
  }
  if (!key) {
    DimExpr width = n.dims(query)[2], all = DimExpr(keyHeads) * 2 + heads;
    if (!DimExpr::mod(width, all).isConstant(0)) {
      n.fail("packed width " + width.str() + " does not divide into " + all.str() + " heads");
      return {};
    }
    DimExpr head = DimExpr::floorDiv(width, all);
    DimExpr queryWidth = head * heads, keyWidth = head * keyHeads;
    key = n.slice(query, 2, queryWidth, keyWidth);
    value = n.slice(query, 2, queryWidth + keyWidth, keyWidth);
    query = n.slice(query, 2, 0, queryWidth);
  } else if (!value) {
    n.fail("has a key but no value");
  }
  return {splitHeads(n, query, heads), splitHeads(n, key, keyHeads),
          splitHeads(n, value, keyHeads)};
}

static void rejectUnknown(Node &n) {
  if (n.intAttr("sliding_window_cache", 0)) {
    if (n.intAttr("local_window_size", -1) < 1 || !n.input(3))
      n.fail("sliding_window_cache needs local_window_size and past_key");
    if (n.input(10) || n.hasOutput(3))
      n.fail("not supported: sliding_window_cache with attention_bias or qk_output");
  }
  if ((n.stringAttr("k_quant_type", "NONE") == "NONE") !=
      (n.stringAttr("v_quant_type", "NONE") == "NONE"))
    n.fail("k_quant_type and v_quant_type ask for one quantised cache of two");
  if (!n.input(5) || !n.input(6))
    n.fail("needs seqlens_k and total_sequence_length");
  if (bool(n.input(3)) != bool(n.input(4)))
    n.fail("needs past_key and past_value together");
  if (bool(n.input(14)) != bool(n.input(15)))
    n.fail("needs q_norm_weight and k_norm_weight together");
}

/// seqlens_k + 1: tokens of each sequence, this step's included.
static Value totalLengths(Node &n, const DimExpr &batch) {
  return n.binary(BinaryKind::add, n.reshape(n.asI64(n.input(5)), batch), 1);
}

/// max(total - S, 0): tokens of each sequence before this step.
static Value pastLengths(Node &n, Value totals, const DimExpr &sequence) {
  return n.binary(BinaryKind::max, n.binary(BinaryKind::sub, totals, n.size(sequence)), 0);
}

/// How many tokens a cache of `capacity` rows for a `window` holds after `totals` tokens,
/// always the newest. It drops capacity - window + 1 at once when it is full
/// (com.microsoft.GroupQueryAttention, "Windowed KV Cache").
static Value residentLengths(Node &n, Value totals, const DimExpr &capacity, int64_t window) {
  Value dropped = n.binary(BinaryKind::max, n.size(capacity - window + 1), 1);
  Value excess = n.binary(BinaryKind::max, n.binary(BinaryKind::sub, totals, n.size(capacity)), 0);
  Value rounds =
      n.binary(BinaryKind::div,
               n.binary(BinaryKind::add, excess, n.binary(BinaryKind::sub, dropped, 1)), dropped);
  return n.binary(BinaryKind::sub, totals, n.binary(BinaryKind::mul, rounds, dropped));
}

/// Root-mean-square norms of each head of query and key, before they are rotated.
static void applyHeadNorms(Node &n, Attention &a) {
  if (!n.input(14))
    return;
  llvm::APFloat epsilon(n.floatAttr("qk_norm_epsilon", 1e-6));
  a.query = n.infer<llm::RMSNormOp>(a.query, n.input(14), epsilon);
  a.key = n.infer<llm::RMSNormOp>(a.key, n.input(15), epsilon);
}

static void applyRotary(Node &n, Attention &a, Value pastLens) {
  if (n.failed() || !n.intAttr("do_rotary", 0))
    return;
  Value cos = n.input(7), sin = n.input(8);
  if (!cos || !sin)
    return n.fail("do_rotary needs cos_cache and sin_cache");
  Dims dims = n.dims(a.query);
  Value positions =
      n.input(9) ? n.cast(n.input(9), n.builder.getI64Type())
                 : n.binary(BinaryKind::add, n.reshape(pastLens, {dims[0], 1}), n.iota(dims[2]));
  std::optional<int64_t> channels = n.rank(cos) == 2 ? n.dims(cos)[1].constant() : std::nullopt;
  if (!channels || *channels > n.symbols.maxElements)
    return n.fail("cos_cache " + llm::formatDims(n.dims(cos)) + " has no constant width");
  RotaryOptions options{n.intAttr("rotary_interleaved", 0) != 0, 2 * *channels};
  a.query = rotate(n, a.query, cos, sin, positions, options);
  a.key = rotate(n, a.key, cos, sin, positions, options);
}

namespace {
/// What a cache holds of a number x.
struct CacheFormat {
  int64_t bits = 0; ///< 0: x; 8: round(x / scale); 4: that + 8, two in a byte, low bits first
  Value scale = {}; ///< f32, of all or [Hkv, 1, D]
};

/// Keys and values, [B, Hkv, T, D] or as a cache holds them.
struct KeysAndValues {
  Value key, value;
};
} // namespace

/// The scale in input `i` for what has the sizes of `tokens`.
static Value cacheScale(Node &n, int i, bool isPerChannel, Value tokens) {
  Value scale = n.input(i);
  if (!scale || n.failed()) {
    n.fail("a quantised cache needs k_scale and v_scale");
    return {};
  }
  Dims dims = n.dims(tokens);
  DimExpr count = isPerChannel ? dims[1] * dims[3] : DimExpr(1);
  n.requireEqual(llm::product(n.dims(scale)), count, "elements of the cache's scale");
  if (!isa<FloatType>(n.elementTypeOf(scale)))
    n.fail("the cache's scale is no floating-point number");
  scale = n.cast(scale, n.builder.getF32Type());
  return n.reshape(scale, isPerChannel ? Dims{dims[1], 1, dims[3]} : Dims{});
}

/// The format of the keys' or values' cache, from the attribute `name` and the scale in input `i`.
static CacheFormat cacheFormat(Node &n, StringRef name, int i, Value tokens) {
  std::string type = n.stringAttr(name, "NONE");
  if (n.failed() || type == "NONE")
    return {};
  bool isPerChannel = type == "PER_CHANNEL";
  if (!isPerChannel && type != "PER_TENSOR")
    n.fail(name + " is '" + type + "', expected NONE, PER_TENSOR or PER_CHANNEL");
  int64_t bits = n.intAttr("kv_cache_bit_width", 0);
  if (bits != 8 && bits != 4)
    n.fail("kv_cache_bit_width is " + Twine(bits) + ", expected 8 or 4 for a quantised cache");
  if (bits == 4 && !n.failed() && !DimExpr::mod(n.dims(tokens)[3], 2).isConstant(0))
    n.fail("head size " + n.dims(tokens)[3].str() + " for two numbers in a byte");
  return {bits, cacheScale(n, i, isPerChannel, tokens)};
}

/// Numbers from 0 to 15 in f32, two in a byte.
static Value packPairs(Node &n, Value x) {
  if (n.failed())
    return {};
  Dims dims = n.dims(x), pairs = dims;
  dims.back() = pairs.back() = DimExpr::floorDiv(dims.back(), 2);
  pairs.push_back(2);
  Value split = n.reshape(x, pairs);
  auto half = [&](int64_t i) { return n.reshape(n.slice(split, n.rank(split) - 1, i, 1), dims); };
  Value low = half(0), high = half(1);
  Value bytes = n.binary(BinaryKind::add, low, n.binary(BinaryKind::mul, high, 16));
  return n.cast(bytes, IntegerType::get(n.builder.getContext(), 8, IntegerType::Unsigned));
}

/// What a cache holds of `x`. As onnxruntime computes it: x times a rounded reciprocal, which is 1
/// for a scale of 0.
static Value encode(Node &n, Value x, const CacheFormat &format) {
  if (!format.bits || n.failed())
    return x;
  Type f32 = n.builder.getF32Type();
  Value one = n.scalar(1, f32), isZero = n.compare(llm::ComparePredicate::eq, format.scale, 0);
  Value reciprocal = n.select(isZero, one, n.binary(BinaryKind::div, one, format.scale));
  Value steps = n.unary(UnaryKind::round, n.binary(BinaryKind::mul, n.cast(x, f32), reciprocal));
  double end = double(int64_t(1) << (format.bits - 1));
  steps = n.binary(BinaryKind::min, n.binary(BinaryKind::max, steps, -end), end - 1);
  return format.bits == 8 ? n.cast(steps, n.builder.getI8Type())
                          : packPairs(n, n.binary(BinaryKind::add, steps, end));
}

/// The numbers that `cache` holds, as `element`.
static Value decode(Node &n, Value cache, const CacheFormat &format, Type element) {
  if (!format.bits || n.failed())
    return cache;
  Type f32 = n.builder.getF32Type();
  Value steps = cache;
  if (format.bits == 4)
    steps = unpackBits(n, cache, 4, n.dims(cache)[3] * 2);
  steps = n.cast(steps, f32);
  if (format.bits == 4)
    steps = n.binary(BinaryKind::sub, steps, 8);
  return n.cast(n.binary(BinaryKind::mul, steps, format.scale), element);
}

/// `added` behind the past, each sequence at its own length.
static KeysAndValues appendToPast(Node &n, KeysAndValues added, Value pastLens) {
  KeysAndValues past{n.input(3), n.input(4)};
  if (n.failed() || !past.key)
    return added;
  for (auto [was, is] : {std::pair(past.key, added.key), std::pair(past.value, added.value)}) {
    if (n.rank(was) != 4) {
      n.fail("past_key " + llm::formatDims(n.dims(was)) + " has not rank 4");
      return {};
    }
    n.requireEqual(n.dims(was)[0], n.dims(is)[0], "batch size of the past");
    n.requireEqual(n.dims(was)[1], n.dims(is)[1], "heads of the past");
    n.requireEqual(n.dims(was)[3], n.dims(is)[3], "head size of the past");
    Type from = n.elementTypeOf(was), to = n.elementTypeOf(is);
    if (from != to && !(isa<FloatType>(from) && isa<FloatType>(to)))
      n.fail("the past has not the elements of its cache: kv_cache_bit_width is " +
             Twine(n.intAttr("kv_cache_bit_width", 0)) +
             ", which takes int8 for 8, uint8 for 4 and floats for 0");
  }
  n.requireEqual(n.dims(past.key)[2], n.dims(past.value)[2], "lengths of the past");
  return {n.infer<llm::KVAppendOp>(past.key, added.key, pastLens),
          n.infer<llm::KVAppendOp>(past.value, added.value, pastLens)};
}

/// Weights of the softmax's denominator: head_sink, or with smooth_softmax exp(0) per head.
static Value sinksOf(Node &n, int64_t heads) {
  if (n.input(11))
    return n.input(11);
  if (n.intAttr("smooth_softmax", 0) <= 0)
    return {};
  return n.broadcast(n.scalar(0, n.elementTypeOf(n.input(0))), {heads});
}

/// onnxruntime gives 0 for the scores of keys that are not visible.
static Value visibleScores(Node &n, const AttentionSteps &steps) {
  Value isHidden =
      n.compare(llm::ComparePredicate::eq, steps.biased, -std::numeric_limits<double>::infinity());
  return n.failed() ? Value()
                    : n.select(isHidden, n.scalar(0, n.elementTypeOf(steps.biased)), steps.biased);
}

/// The present of a windowed cache: `all`, the resident tokens and the new ones, without the
/// oldest of them.
static Value evict(Node &n, Value all, const DimExpr &capacity, Value evicted) {
  if (n.failed())
    return {};
  Dims dims = n.dims(all);
  dims[2] = capacity;
  return n.make<llm::KVEvictOp>(llm::makeTensorType(dims, n.elementTypeOf(all)), all, evicted);
}

static void groupQueryAttentionOp(Node &n) {
  rejectUnknown(n);
  int64_t heads = n.intAttr("num_heads", 0), keyHeads = n.intAttr("kv_num_heads", 0);
  Attention a = splitOperands(n, heads, keyHeads);
  if (n.failed())
    return;
  Dims query = n.dims(a.query);
  Value totals = totalLengths(n, query[0]);
  a.pastLens = pastLengths(n, totals, query[2]);
  applyHeadNorms(n, a);
  applyRotary(n, a, a.pastLens);
  // Of a windowed cache's rows the distances between tokens are as ever, but its first one
  // is not the sequence's first.
  bool slides = n.intAttr("sliding_window_cache", 0) != 0;
  int64_t window = std::max<int64_t>(n.intAttr("local_window_size", -1), 0);
  DimExpr capacity = slides && n.rank(n.input(3)) == 4 ? n.dims(n.input(3))[2] : DimExpr(0);
  Value evicted;
  if (slides) {
    Value added = n.binary(BinaryKind::sub, totals, a.pastLens);
    a.pastLens = residentLengths(n, a.pastLens, capacity, window);
    evicted = n.binary(BinaryKind::sub, n.binary(BinaryKind::add, a.pastLens, added),
                       residentLengths(n, totals, capacity, window));
  }
  CacheFormat keys = cacheFormat(n, "k_quant_type", 12, a.key);
  CacheFormat values = cacheFormat(n, "v_quant_type", 13, a.value);
  KeysAndValues added{encode(n, a.key, keys), encode(n, a.value, values)};
  KeysAndValues cache = appendToPast(n, added, a.pastLens);
  Type element = n.elementTypeOf(a.query);
  a.key = decode(n, cache.key, keys, element);
  a.value = decode(n, cache.value, values, element);
  checkOperands(n, a);
  if (n.failed())
    return;
  std::optional<Dims> total = slides ? std::nullopt : n.known(n.input(6));
  if (total && total->size() == 1)
    n.requireEqual(n.dims(a.key)[2], total->front(), "total_sequence_length");
  a.scale = n.floatAttr("scale", 0);
  if (a.scale == 0)
    a.scale = defaultScale(n, a.query);
  a.bias = n.input(10);
  a.sinks = sinksOf(n, heads);
  a.causal = n.intAttr("causal", 1) != 0;
  a.window = window;
  a.softcap = n.floatAttr("softcap", 0);
  int64_t shown = n.hasOutput(3) ? n.intAttr("qk_output", 0) : 0;
  if (shown < 0 || shown > 2)
    n.fail("qk_output is " + Twine(shown) + ", expected 0 to 2");
  Value out;
  if (shown) {
    AttentionSteps steps = attendInSteps(n, a, n.builder.getF32Type());
    out = steps.result;
    n.setOutput(3, shown == 1 ? visibleScores(n, steps) : steps.probabilities);
  } else {
    out = attend(n, a);
  }
  n.setOutput(0, mergeHeads(n, out));
  n.setOutput(1, slides ? evict(n, cache.key, capacity, evicted) : cache.key);
  n.setOutput(2, slides ? evict(n, cache.value, capacity, evicted) : cache.value);
}

void llmc::importer::addGroupQueryAttentionOps(OpTable &t) {
  t.add(kMicrosoft, "GroupQueryAttention", 1,
        {groupQueryAttentionOp, 1, 16, 4,
         "causal do_rotary k_quant_type kv_cache_bit_width kv_num_heads local_window_size "
         "num_heads qk_norm_epsilon qk_output rotary_interleaved scale sliding_window_cache "
         "smooth_softmax softcap v_quant_type",
         "caches of float8; sliding_window_cache with attention_bias or qk_output"});
}

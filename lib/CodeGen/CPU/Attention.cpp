//===- Attention.cpp - attention kernels
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "KernelBuilder.h"
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "llmc/Dialect/Exec/IR/StateLayout.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::cpu;
using namespace llmc::llm;

/// Query positions of one tile.
static constexpr int64_t kTilePositions = 32;

namespace {
/// Where keys or values of one head of one sequence lie, in elements, and their scales, in
/// f32.
struct CacheAddress {
  Value pointer, blockStride, tokenStride;
  Value scales = {}, scalesBlockStride = {}; ///< null without scales
};
} // namespace

/// Fields of llmc_uk_attention_params in order: 13 pointers, 21 sizes, 2 floats.
static Type paramsType(OpBuilder &builder) {
  MLIRContext *context = builder.getContext();
  SmallVector<Type> fields(13, LLVM::LLVMPointerType::get(context));
  fields.append(21, builder.getI64Type());
  fields.append(2, builder.getF32Type());
  return LLVM::LLVMStructType::getLiteral(context, fields);
}

/// The microkernel that reads keys and values of a type; none for others.
static std::optional<Microkernel> findMicrokernel(Type cacheType) {
  if (cacheType.isF32())
    return Microkernel::AttentionF32;
  if (cacheType.isF16())
    return Microkernel::AttentionF32F16;
  if (cacheType.isBF16())
    return Microkernel::AttentionF32BF16;
  if (cacheType.isInteger(8))
    return Microkernel::AttentionF32I8;
  return std::nullopt;
}

/// The microkernel's form of a rounding: the number of triples, and the triples, in memory.
Value KernelBuilder::storeRounding(ArrayRef<double> rounding) {
  SmallVector<double> numbers{double(rounding.size() / 3)};
  llvm::append_range(numbers, rounding);
  Type f32 = builder.getF32Type(), pointer = LLVM::LLVMPointerType::get(builder.getContext());
  Value memory =
      LLVM::AllocaOp::create(builder, loc, pointer, f32, index.constant(numbers.size()), 4);
  for (auto [i, number] : llvm::enumerate(numbers))
    LLVM::StoreOp::create(builder, loc, emitter.floatConstant(f32, number),
                          offsetPointer(memory, index.constant(i), f32));
  return memory;
}

LogicalResult KernelBuilder::lowerAttention(AttentionOp attention, Value root) {
  if (failed(requireF32(attention,
                        {attention.getQuery(), attention.getKey(), attention.getValue(),
                         attention.getBias(), attention.getSinks(), attention.getSlopes(), root})))
    return failure();
  Dims query = getDims(attention.getQuery()), dims = getDims(attention.getResult());
  bool hasState = isa<StateType>(attention.getKey().getType());
  Type f32 = builder.getF32Type();
  auto elementOf = [&](Value source) -> Type {
    auto state = dyn_cast<StateType>(source.getType());
    return state ? state.getToken().getElementType() : f32;
  };
  Type cacheType = elementOf(attention.getKey());
  std::optional<Microkernel> microkernel = findMicrokernel(cacheType);
  if (!microkernel || elementOf(attention.getValue()) != cacheType)
    return attention.emitError("the CPU back end reads keys and values of f32, f16, bf16 or i8, "
                               "both of one type, found ")
           << cacheType << " and " << elementOf(attention.getValue());

  // The output may be stored transposed; its strides in the attention's own order.
  Dims outDims = getDims(root), outStrides = contiguousStrides(outDims);
  if (auto transpose = root.getDefiningOp<TransposeOp>()) {
    Dims permuted(4, DimExpr(0));
    for (auto [result, axis] : llvm::enumerate(transpose.getPermutation()))
      permuted[axis] = outStrides[result];
    outStrides = permuted;
  } else if (root != attention.getResult()) {
    return attention.emitError("unexpected operation after attention in a kernel");
  }

  auto headsOf = [](Type type) {
    if (auto state = dyn_cast<StateType>(type))
      return getDims(state.getToken())[0];
    return getDims(cast<RankedTensorType>(type))[1];
  };
  DimExpr kvHeads = headsOf(attention.getKey().getType());
  DimExpr group = DimExpr::floorDiv(query[1], kvHeads);
  DimExpr blocks = DimExpr::ceilDiv(query[2], kTilePositions);
  Dims grid = {query[0], kvHeads, blocks};
  tiles = product(grid);
  Indices at = index.delinearize(tile, grid);
  Value sequence = at[0], kvHead = at[1];
  Value position0 = index.mul(at[2], index.constant(kTilePositions));
  Value newTokens = index.size(query[2]);
  Value positions = clipped(position0, kTilePositions, newTokens);
  Value head0 = index.mul(kvHead, index.size(group));

  Value past, total;
  if (attention.getPastLens()) {
    past = emitter.element(attention.getPastLens(), {sequence});
    if (past.getType() != builder.getI64Type())
      past = arith::ExtSIOp::create(builder, loc, builder.getI64Type(), past);
    total = index.add(past, newTokens);
    if (!hasState) // lengths are data: they must not lead out of the tensor
      total = index.min(total, index.size(getDims(attention.getKey())[2]));
  } else {
    total = index.size(getDims(attention.getKey())[2]);
    past = index.sub(total, newTokens);
  }

  auto cacheAddress = [&](Value source) -> FailureOr<CacheAddress> {
    if (auto state = dyn_cast<StateType>(source.getType())) {
      int64_t width = state.getToken().getDimSize(1);
      int64_t bytes = exec::stateBytes(state, target.blockTokens);
      Value row = index.mul(kvHead, index.constant(target.blockTokens));
      CacheAddress address{
          offsetPointer(pointers[source], index.mul(row, index.constant(width)), cacheType),
          index.constant(bytes / exec::elementBytes(cacheType)), index.constant(width)};
      if (exec::hasScales(state)) {
        int64_t scales = exec::scalesOffset(state, target.blockTokens);
        address.scales =
            offsetPointer(pointers[source], index.add(row, index.constant(scales / 4)), f32);
        address.scalesBlockStride = index.constant(bytes / 4);
      }
      return address;
    }
    std::optional<StridedView> view = getStridedView(source);
    if (!view || !pointers.contains(view->root))
      return attention.emitError("keys or values are not in memory");
    Value offset = index.size(view->offset);
    offset = index.add(offset, index.mul(sequence, index.size(view->strides[0])));
    offset = index.add(offset, index.mul(kvHead, index.size(view->strides[1])));
    return CacheAddress{offsetPointer(pointers[view->root], offset, f32), index.constant(0),
                        index.size(view->strides[2])};
  };
  FailureOr<CacheAddress> key = cacheAddress(attention.getKey());
  FailureOr<CacheAddress> value = cacheAddress(attention.getValue());
  std::optional<StridedView> q = getStridedView(attention.getQuery());
  if (failed(key) || failed(value) || !q || !pointers.contains(q->root))
    return attention.emitError("operands are not in memory");

  auto windowOffset = [&](const DimExpr &base, ArrayRef<DimExpr> strides, ArrayRef<DimExpr> sizes) {
    Value offset = index.size(base);
    Value starts[] = {sequence, head0, position0};
    for (size_t d = 0; d < 3; ++d)
      if (!sizes[d].isConstant(1))
        offset = index.add(offset, index.mul(starts[d], index.size(strides[d])));
    return offset;
  };
  Value qPointer =
      offsetPointer(pointers[q->root], windowOffset(q->offset, q->strides, query), f32);
  Value outPointer = offsetPointer(output, windowOffset(0, outStrides, dims), f32);

  Value null = LLVM::ZeroOp::create(builder, loc, LLVM::LLVMPointerType::get(builder.getContext()));
  Value zero = index.constant(0);
  Value bias = null, biasHead = zero, biasPosition = zero;
  if (attention.getBias()) {
    std::optional<StridedView> view = getStridedView(attention.getBias());
    if (!view || !pointers.contains(view->root))
      return attention.emitError("bias is not in memory");
    size_t missing = 4 - view->dims.size();
    Dims sizes(missing, DimExpr(1)), strides(missing, DimExpr(0));
    sizes.append(view->dims);
    strides.append(view->strides);
    for (size_t d = 0; d < 3; ++d)
      if (sizes[d].isConstant(1))
        strides[d] = 0;
    bias = offsetPointer(pointers[view->root], windowOffset(view->offset, strides, sizes), f32);
    biasHead = index.size(strides[1]);
    biasPosition = index.size(strides[2]);
  }
  auto perHead = [&](Value values) {
    return values ? offsetPointer(pointers[values], head0, f32) : null;
  };
  Value table =
      hasState ? offsetPointer(blockTable, index.mul(sequence, blockStride), builder.getI32Type())
               : null;
  int64_t shift = hasState ? llvm::Log2_64(target.blockTokens) : 30;

  Type type = paramsType(builder);
  Value params = LLVM::AllocaOp::create(
      builder, loc, LLVM::LLVMPointerType::get(builder.getContext()), type, index.constant(1), 8);
  SmallVector<Value> fields = {qPointer,
                               key->pointer,
                               value->pointer,
                               outPointer,
                               table,
                               bias,
                               perHead(attention.getSinks()),
                               perHead(attention.getSlopes())};
  for (Value scales : {key->scales, value->scales})
    fields.push_back(scales ? scales : null);
  for (std::optional<ArrayRef<double>> rounding :
       {attention.getScoreRounding(), attention.getBiasedRounding(), attention.getWeightRounding()})
    fields.push_back(rounding ? storeRounding(*rounding) : null);
  fields.append({index.size(group), positions, index.add(past, position0), total,
                 index.size(query[3]), index.size(dims[3]), index.constant(attention.getCausal()),
                 index.constant(attention.getWindow()), index.constant(shift),
                 index.size(q->strides[1]), index.size(q->strides[2]), index.size(outStrides[1]),
                 index.size(outStrides[2]), key->blockStride, key->tokenStride, value->blockStride,
                 value->tokenStride, biasHead, biasPosition});
  for (Value stride : {key->scalesBlockStride, value->scalesBlockStride})
    fields.push_back(stride ? stride : zero);
  fields.append({emitter.floatConstant(f32, attention.getScale().convertToDouble()),
                 emitter.floatConstant(f32, attention.getSoftcap().convertToDouble())});
  for (auto [i, field] : llvm::enumerate(fields)) {
    Value address = LLVM::GEPOp::create(builder, loc, params.getType(), type, params,
                                        ArrayRef<LLVM::GEPArg>{0, int32_t(i)});
    LLVM::StoreOp::create(builder, loc, field, address);
  }
  emitter.call(symbolOf(*microkernel), Type(), params);
  return success();
}

//===- KernelLowering.cpp - an exec.kernel as a function over pointers
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "KernelLowering.h"
#include "KernelBuilder.h"
#include "llmc/Analysis/InPlace.h"
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/SetVector.h"
#include <set>

using namespace mlir;
using namespace llmc;
using namespace llmc::cpu;
using namespace llmc::llm;

/// Every symbol in the kernel's types and expressions, in order of appearance.
static std::vector<std::string> collectSymbols(exec::KernelOp kernel) {
  llvm::SetVector<std::string, std::vector<std::string>, std::set<std::string>> symbols;
  auto add = [&](const DimExpr &expr) {
    expr.forEachSymbol([&](const std::string &name) { symbols.insert(name); });
  };
  auto addType = [&](Type type) {
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      for (const DimExpr &dim : getDims(tensor))
        add(dim);
  };
  if (kernel.getRowStride())
    add(*DimExpr::parse(*kernel.getRowStride()));
  Block &block = kernel.getBody().front();
  for (BlockArgument argument : block.getArguments())
    addType(argument.getType());
  for (Operation &op : block) {
    for (Type type : op.getResultTypes())
      addType(type);
    if (auto slice = dyn_cast<SliceOp>(op))
      for (const DimExpr &start : parseExprs(slice.getStarts()))
        add(start);
    if (auto sizes = dyn_cast<DimValuesOp>(op))
      for (const DimExpr &expr : parseExprs(sizes.getExprs()))
        add(expr);
    if (auto iota = dyn_cast<IotaOp>(op)) {
      add(*DimExpr::parse(iota.getStart()));
      add(*DimExpr::parse(iota.getStep()));
    }
  }
  return symbols.takeVector();
}

std::string cpu::kernelName(StringRef kernel, ArrayRef<unsigned> overwritten) {
  std::string name = kernel.str();
  for (unsigned input : overwritten)
    name += "_over_" + std::to_string(input);
  return name;
}

FailureOr<LoweredKernel> cpu::lowerKernel(exec::KernelOp kernel, ArrayRef<unsigned> overwritten,
                                          ModuleOp module, const KernelTarget &target) {
  LoweredKernel lowered;
  lowered.symbols = collectSymbols(kernel);
  Block &body = kernel.getBody().front();
  auto yield = cast<exec::YieldOp>(body.getTerminator());
  lowered.usesStates = llvm::any_of(body.getArgumentTypes(), llvm::IsaPred<StateType>);

  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  Location loc = kernel.getLoc();
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext());
  Type i64 = builder.getI64Type();
  // A state is read and written through one pointer: as an output it has none.
  unsigned numOutputs = llvm::count_if(yield.getOperandTypes(), llvm::IsaPred<RankedTensorType>);
  unsigned numPointers = body.getNumArguments() + numOutputs;
  SmallVector<Type> types(numPointers, pointer);
  if (lowered.usesStates)
    types.append({pointer, i64, pointer});
  types.append(lowered.symbols.size(), i64);
  types.push_back(i64);
  auto function = func::FuncOp::create(builder, loc, kernelName(kernel.getSymName(), overwritten),
                                       builder.getFunctionType(types, {}));
  function.setPrivate();
  for (unsigned i = 0; i < numPointers; ++i)
    function.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(), builder.getUnitAttr());
  Block *entry = function.addEntryBlock();
  builder.setInsertionPointToStart(entry);

  unsigned next = body.getNumArguments();
  SmallVector<Value> outputs;
  for (unsigned i = 0; i < numOutputs; ++i)
    outputs.push_back(entry->getArgument(next++));
  Value blockTable, blockStride, slots;
  if (lowered.usesStates) {
    blockTable = entry->getArgument(next++);
    blockStride = entry->getArgument(next++);
    slots = entry->getArgument(next++);
  }
  llvm::StringMap<Value> symbols;
  for (const std::string &name : lowered.symbols)
    symbols[name] = entry->getArgument(next++);

  KernelBuilder lowering(kernel, builder, target, symbols);
  // Others are empty where they lie at the same place: reading them needs no care.
  SmallVector<BlockArgument> overwritable = getOverwritableArguments(yield.getValues().front());
  for (BlockArgument argument : body.getArguments())
    if (llvm::is_contained(overwritten, argument.getArgNumber()) &&
        llvm::is_contained(overwritable, argument))
      lowering.overwritten.push_back(argument);
    else
      lowering.pointers[argument] = entry->getArgument(argument.getArgNumber());
  lowering.outputs = outputs;
  lowering.output = outputs.empty() ? Value() : outputs.front();
  lowering.blockTable = blockTable;
  lowering.blockStride = blockStride;
  lowering.slots = slots;
  lowering.tile = entry->getArgument(next);
  if (failed(lowering.lower()))
    return failure();
  func::ReturnOp::create(builder, loc);
  lowered.tiles = lowering.tiles;
  return lowered;
}

LogicalResult KernelBuilder::lower() {
  for (auto [value, pointer] : pointers)
    if (isa<RankedTensorType>(value.getType()))
      emitter.bindBuffer(value, pointer);
  Block &body = kernel.getBody().front();
  for (BlockArgument argument : overwritten)
    emitter.bindSource(argument, [this, argument](ArrayRef<Value>) {
      Type type = cast<RankedTensorType>(argument.getType()).getElementType();
      return emitter.load(output, position, type);
    });
  bindStateLoads();
  for (auto embedding : body.getOps<EmbeddingOp>())
    if (embedding->hasAttr(exec::kPanelsAttr) && !embedding.getPacked())
      bindPanels(embedding.getTable());
  // A reshape of a buffer is the same memory: no index arithmetic.
  for (auto reshape : body.getOps<ReshapeOp>())
    if (Value pointer = memoryOf(reshape))
      emitter.bindBuffer(reshape, pointer);
  Value root = cast<exec::YieldOp>(body.getTerminator()).getValues().front();
  for (Operation &op : body) {
    if (auto linear = dyn_cast<LinearOp>(op))
      return lowerLinear(linear, root);
    if (auto experts = dyn_cast<ExpertLinearOp>(op))
      return lowerExpertLinear(experts, root);
    if (auto matmul = dyn_cast<MatmulOp>(op))
      return matmul.getType().getElementType().isF32() ? lowerMatmul(matmul, root)
                                                       : lowerMatmulRows(matmul);
    if (auto attention = dyn_cast<AttentionOp>(op))
      return lowerAttention(attention, root);
    if (auto quantize = dyn_cast<QuantizeInputOp>(op))
      return lowerQuantize(quantize);
    if (auto recurrence = dyn_cast<LinearAttentionOp>(op))
      return lowerLinearAttention(recurrence);
    if (auto append = dyn_cast<StateAppendOp>(op))
      return lowerStateAppend(append);
    if (auto store = dyn_cast<StateStoreOp>(op))
      return lowerStateStore(store);
    if (auto nonzero = dyn_cast<NonZeroOp>(op))
      return lowerNonZero(nonzero);
    if (auto conv = dyn_cast<ConvOp>(op))
      return lowerConv(conv);
    if (auto reduce = dyn_cast<WindowReduceOp>(op))
      return lowerWindowReduce(reduce);
    if (auto cumulative = dyn_cast<CumulativeOp>(op))
      return lowerCumulative(cumulative);
    if (auto topK = dyn_cast<TopKIndicesOp>(op))
      return lowerTopK(topK);
    if (auto scatter = dyn_cast<ScatterElementsOp>(op))
      return lowerScatterElements(scatter);
    if (auto scatter = dyn_cast<ScatterNDOp>(op))
      return lowerScatterND(scatter);
  }
  Operation *op = root.getDefiningOp();
  if (isa<RMSNormOp, LayerNormOp, SoftmaxOp>(op))
    return lowerRows(op);
  return lowerPointwise(root);
}

void KernelBuilder::bindPanels(Value table) {
  Value pointer = pointers.lookup(table);
  Value columns = index.size(getDims(table)[1]);
  Type element = cast<RankedTensorType>(table.getType()).getElementType();
  emitter.bindSource(table, [this, pointer, columns, element](ArrayRef<Value> indices) {
    Value width = index.constant(panelWidthF32(target.level));
    // [panel][column][row in the panel], each panel `width` rows.
    Value panel = index.divide(indices[0], width), lane = index.remainder(indices[0], width);
    Value line = index.add(index.mul(panel, columns), indices[1]);
    return emitter.load(pointer, index.add(index.mul(line, width), lane), element);
  });
}

Value KernelBuilder::memoryOf(Value value) {
  while (auto reshape = value.getDefiningOp<ReshapeOp>())
    value = reshape.getInput();
  return pointers.lookup(value);
}

Value KernelBuilder::offsetPointer(Value pointer, Value elements, Type type) {
  if (IndexEmitter::known(elements) == 0)
    return pointer;
  return LLVM::GEPOp::create(builder, loc, pointer.getType(), type, pointer,
                             ArrayRef<LLVM::GEPArg>{elements}, LLVM::GEPNoWrapFlags::inbounds);
}

Value KernelBuilder::offsetBytes(Value pointer, Value bytes) {
  return offsetPointer(pointer, bytes, builder.getI8Type());
}

Value KernelBuilder::rowStride(Value width) {
  std::optional<StringRef> stride = kernel.getRowStride();
  return stride ? index.size(*DimExpr::parse(*stride)) : width;
}

LogicalResult KernelBuilder::requireF32(Operation *op, ValueRange values) {
  for (Value value : values) {
    auto type = dyn_cast_or_null<RankedTensorType>(value ? value.getType() : Type());
    if (type && !type.getElementType().isF32())
      return op->emitError("the CPU back end computes ")
             << op->getName().getStringRef() << " in f32 only, found " << type;
  }
  return success();
}

Value KernelBuilder::clipped(Value begin, int64_t count, Value total) {
  return index.min(index.constant(count), index.sub(total, begin));
}

StringRef KernelBuilder::symbolOf(Microkernel microkernel) const {
  std::string_view name = symbol(microkernel, target.level);
  return StringRef(name.data(), name.size());
}

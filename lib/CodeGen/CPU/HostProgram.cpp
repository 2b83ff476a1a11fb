//===- HostProgram.cpp - exec.program as code that every worker runs
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "HostProgram.h"
#include "ElementEmitter.h"
#include "llmc-c/ModuleABI.h"
#include "llmc/Dialect/Exec/IR/Places.h"
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::cpu;

std::string cpu::entryName(exec::ProgramOp program) {
  return ("llmc_phase_" + program.getSymName()).str();
}
std::string cpu::shapesName(exec::ProgramOp program) {
  return ("llmc_shapes_" + program.getSymName()).str();
}

std::string cpu::unmetName(exec::ProgramOp program) {
  return ("llmc_unmet_" + program.getSymName()).str();
}

namespace {

class EntryBuilder {
public:
  EntryBuilder(exec::ProgramOp program, ModuleOp module,
               const llvm::StringMap<LoweredKernel> &kernels)
      : program(program), module(module), kernels(kernels),
        builder(OpBuilder::atBlockEnd(module.getBody())), loc(program.getLoc()),
        index(builder, loc, symbols) {}

  LogicalResult buildEntry();
  LogicalResult buildShapes();
  void buildUnmet();

private:
  Type pointerType() { return LLVM::LLVMPointerType::get(builder.getContext()); }
  Value loadField(Value base, size_t byteOffset, Type type);
  Value loadAt(Value array, int64_t position, Type type);
  Value byteOffset(Value base, int64_t bytes);
  func::FuncOp startFunction(StringRef name, unsigned numPointers, TypeRange results = {});
  void bindSymbols(Value values);
  void bindArguments();
  void bindBlock(Block &block);
  void bindParts(exec::JoinOp join);
  void bindIteration(exec::LoopOp loop);
  Value offsetBy(Value base, const DimExpr &bytes);
  void emitBlock(Block &block);
  void emitLoop(exec::LoopOp loop);
  void emitDispatch(exec::DispatchOp dispatch);
  size_t numDefined();
  Value clampSize(exec::DefineSizeOp op, Value value);
  void emitDefineSize(exec::DefineSizeOp op, size_t position);

  exec::ProgramOp program;
  ModuleOp module;
  const llvm::StringMap<LoweredKernel> &kernels;
  OpBuilder builder;
  Location loc;
  llvm::StringMap<Value> symbols;
  IndexEmitter index;
  Value step, worker, weights, arena, blockTable, blockStride, slots, next, sync;
  DenseMap<Value, Value> places; ///< value of the program -> pointer
};

Value EntryBuilder::byteOffset(Value base, int64_t bytes) {
  if (bytes == 0)
    return base;
  return LLVM::GEPOp::create(builder, loc, pointerType(), builder.getI8Type(), base,
                             ArrayRef<LLVM::GEPArg>{index.constant(bytes)});
}

Value EntryBuilder::loadField(Value base, size_t offset, Type type) {
  return LLVM::LoadOp::create(builder, loc, type, byteOffset(base, int64_t(offset)));
}

Value EntryBuilder::loadAt(Value array, int64_t position, Type type) {
  return loadField(array, size_t(position) * 8, type);
}

func::FuncOp EntryBuilder::startFunction(StringRef name, unsigned numPointers, TypeRange results) {
  SmallVector<Type> types(numPointers, pointerType());
  auto function = func::FuncOp::create(builder, loc, name, builder.getFunctionType(types, results));
  builder.setInsertionPointToStart(function.addEntryBlock());
  return function;
}

void EntryBuilder::bindSymbols(Value values) {
  SmallVector<exec::ProgramSymbol> all = exec::getSymbols(program);
  for (size_t i = 0; i < all.size() - numDefined(); ++i)
    symbols[all[i].name] = loadAt(values, i, builder.getI64Type());
}

size_t EntryBuilder::numDefined() {
  auto definitions = program.getBody().front().getOps<exec::DefineSizeOp>();
  return std::distance(definitions.begin(), definitions.end());
}

/// `value` between 0 and the bound.
Value EntryBuilder::clampSize(exec::DefineSizeOp op, Value value) {
  Value bound = index.size(*DimExpr::parse(op.getBound()));
  return index.max(index.constant(0), index.min(value, bound));
}

/// Each worker reads the size for itself. All of them tell the runtime the same.
void EntryBuilder::emitDefineSize(exec::DefineSizeOp op, size_t position) {
  Type type = op.getValue().getType().getElementType(), i64 = builder.getI64Type();
  Value size = LLVM::LoadOp::create(builder, loc, type, places.lookup(op.getValue()));
  if (type != i64)
    size = arith::ExtSIOp::create(builder, loc, i64, size);
  size = clampSize(op, size);
  symbols[op.getSymbol()] = size;
  Value array = loadField(step, offsetof(llmc_step_t, symbols), pointerType());
  LLVM::StoreOp::create(builder, loc, size, byteOffset(array, 8 * int64_t(position)),
                        /*alignment=*/8, /*isVolatile=*/false, /*isNonTemporal=*/false,
                        /*isInvariantGroup=*/false, LLVM::AtomicOrdering::monotonic);
}

/// Where inputs, states and outputs lie.
void EntryBuilder::bindArguments() {
  Block &block = program.getBody().front();
  Value inputs = loadField(step, offsetof(llmc_step_t, inputs), pointerType());
  Value outputs = loadField(step, offsetof(llmc_step_t, outputs), pointerType());
  Value states = loadField(step, offsetof(llmc_step_t, states), pointerType());
  int64_t nextInput = 0, nextState = 0, nextOutput = 0;
  for (BlockArgument argument : block.getArguments())
    places[argument] = isa<llm::StateType>(argument.getType())
                           ? loadAt(states, nextState++, pointerType())
                           : loadAt(inputs, nextInput++, pointerType());
  for (Value value : block.getTerminator()->getOperands())
    if (!isa<llm::StateType>(value.getType()))
      places[exec::getBuffer(value)] = loadAt(outputs, nextOutput++, pointerType());
}

/// Where weights and the buffers of a block lie.
void EntryBuilder::bindBlock(Block &block) {
  for (auto join : block.getOps<exec::JoinOp>())
    bindParts(join);
  for (Operation &op : block) {
    if (auto load = dyn_cast<exec::LoadWeightOp>(op)) {
      auto weight =
          SymbolTable::lookupNearestSymbolFrom<exec::WeightOp>(program, load.getWeightAttr());
      places[load.getResult()] = byteOffset(weights, *weight.getOffset());
    } else if (auto view = dyn_cast<exec::ViewOp>(op)) {
      Value place = places.lookup(view.getInput());
      places[view.getResult()] = place;
    } else if (auto loop = dyn_cast<exec::LoopOp>(op)) {
      for (auto [i, result] : llvm::enumerate(loop.getResults())) {
        std::optional<int64_t> offset = exec::getArenaOffset(result);
        Value place = i < loop.getNumCarried() ? places.lookup(loop.getInitial()[i])
                      : offset                 ? byteOffset(arena, *offset)
                                               : places.lookup(result);
        places[result] = place;
      }
    } else if (auto dispatch = dyn_cast<exec::DispatchOp>(op)) {
      for (auto [output, offset] : llvm::zip(dispatch.getOutputs(), *dispatch.getOffsets())) {
        if (isa<llm::StateType>(output.getType())) {
          Value place = places.lookup(exec::getWrittenState(dispatch));
          places[output] = place; // the same storage
        } else if (offset >= 0) {
          places[output] = byteOffset(arena, offset);
        }
      }
    }
  }
}

Value EntryBuilder::offsetBy(Value base, const DimExpr &bytes) {
  Value offset = index.size(bytes);
  return IndexEmitter::known(offset) == 0
             ? base
             : LLVM::GEPOp::create(builder, loc, pointerType(), builder.getI8Type(), base,
                                   ArrayRef<LLVM::GEPArg>{offset});
}

/// The parts lie in the arena or in an output, at offsets that sizes decide.
void EntryBuilder::bindParts(exec::JoinOp join) {
  Value &whole = places[join.getResult()];
  if (std::optional<int64_t> offset = exec::getArenaOffset(join.getResult()))
    whole = byteOffset(arena, *offset);
  Value base = whole; // `places` grows below
  Type type = join.getResult().getType().getElementType();
  for (auto [i, source] : llvm::enumerate(exec::getSources(join.getResult()))) {
    DimExpr bytes = exec::getPartOffset(join, i) * DimExpr(exec::elementBytes(type));
    places[source] = offsetBy(base, bytes);
  }
}

/// Where the loop's body finds and leaves carried values, and leaves slices.
void EntryBuilder::bindIteration(exec::LoopOp loop) {
  Block &body = loop.getBody().front();
  unsigned numCarried = loop.getNumCarried();
  llm::Dims positions = llm::parseExprs(loop.getPositions());
  for (auto [i, given] : llvm::enumerate(body.getTerminator()->getOperands())) {
    Value place = places.lookup(loop.getResult(i));
    if (i >= numCarried) {
      auto type = cast<RankedTensorType>(given.getType());
      DimExpr bytes =
          llm::product(llm::getDims(type)) * DimExpr(exec::elementBytes(type.getElementType()));
      place = offsetBy(place, positions[i - numCarried] * bytes);
    } else {
      places[body.getArgument(i)] = place;
    }
    places[exec::skipViews(given)] = place;
  }
}

/// for (index = 0; index < trip; ++index) body
void EntryBuilder::emitLoop(exec::LoopOp loop) {
  Value trip = index.size(*DimExpr::parse(loop.getTrip()));
  auto repeated = scf::ForOp::create(builder, loc, index.constant(0), trip, index.constant(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(repeated.getBody());
  symbols[loop.getIndex()] = repeated.getInductionVar();
  bindIteration(loop);
  bindBlock(loop.getBody().front());
  emitBlock(loop.getBody().front());
}

void EntryBuilder::emitDispatch(exec::DispatchOp dispatch) {
  std::string name = kernelName(dispatch.getKernel(), exec::getOverwrittenInputs(dispatch));
  const LoweredKernel &kernel = kernels.find(name)->second;
  SmallVector<Value> arguments;
  for (Value input : dispatch.getInputs())
    arguments.push_back(places.lookup(input));
  for (Value output : dispatch.getOutputs())
    if (!isa<llm::StateType>(output.getType()))
      arguments.push_back(places.lookup(output));
  if (kernel.usesStates)
    arguments.append({blockTable, blockStride, slots});
  for (const std::string &symbol : kernel.symbols)
    arguments.push_back(symbols.lookup(symbol));

  // while ((tile = next(worker, tiles)) >= 0) kernel(..., tile);
  Type i64 = builder.getI64Type();
  Value tiles = index.size(kernel.tiles);
  auto nextType = LLVM::LLVMFunctionType::get(i64, {pointerType(), i64});
  auto loop = scf::WhileOp::create(builder, loc, i64, ValueRange{});
  OpBuilder::InsertionGuard guard(builder);
  builder.createBlock(&loop.getBefore());
  Value tile =
      LLVM::CallOp::create(builder, loc, nextType, ValueRange{next, worker, tiles}).getResult();
  Value more =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge, tile, index.constant(0));
  scf::ConditionOp::create(builder, loc, more, tile);
  Block *body = builder.createBlock(&loop.getAfter(), {}, i64, loc);
  arguments.push_back(body->getArgument(0));
  func::CallOp::create(builder, loc, name, TypeRange{}, arguments);
  scf::YieldOp::create(builder, loc);
}

LogicalResult EntryBuilder::buildEntry() {
  func::FuncOp function = startFunction(entryName(program), 2);
  step = function.getArgument(0);
  worker = function.getArgument(1);
  weights = loadField(step, offsetof(llmc_step_t, weights), pointerType());
  arena = loadField(step, offsetof(llmc_step_t, arena), pointerType());
  blockTable = loadField(step, offsetof(llmc_step_t, block_table), pointerType());
  blockStride = loadField(step, offsetof(llmc_step_t, block_table_stride), builder.getI64Type());
  slots = loadField(step, offsetof(llmc_step_t, slots), pointerType());
  Value team = loadField(step, offsetof(llmc_step_t, team), pointerType());
  next = loadField(team, offsetof(llmc_team_api_t, next), pointerType());
  sync = loadField(team, offsetof(llmc_team_api_t, sync), pointerType());
  bindSymbols(loadField(step, offsetof(llmc_step_t, symbols), pointerType()));
  bindArguments();
  bindBlock(program.getBody().front());
  emitBlock(program.getBody().front());
  func::ReturnOp::create(builder, loc);
  return success();
}

void EntryBuilder::emitBlock(Block &block) {
  auto syncType =
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(builder.getContext()), pointerType());
  size_t defined = exec::getSymbols(program).size() - numDefined();
  for (Operation &op : block) {
    if (auto size = dyn_cast<exec::DefineSizeOp>(op))
      emitDefineSize(size, defined++);
    else if (isa<exec::BarrierOp>(op))
      LLVM::CallOp::create(builder, loc, syncType, ValueRange{sync, worker});
    else if (auto dispatch = dyn_cast<exec::DispatchOp>(op))
      emitDispatch(dispatch);
    else if (auto loop = dyn_cast<exec::LoopOp>(op))
      emitLoop(loop);
  }
}

LogicalResult EntryBuilder::buildShapes() {
  builder.setInsertionPointToEnd(module.getBody());
  symbols.clear();
  func::FuncOp function = startFunction(shapesName(program), 2);
  bindSymbols(function.getArgument(0));
  size_t defined = exec::getSymbols(program).size() - numDefined();
  for (auto op : program.getBody().front().getOps<exec::DefineSizeOp>())
    symbols[op.getSymbol()] =
        clampSize(op, loadAt(function.getArgument(0), defined++, builder.getI64Type()));
  int64_t position = 0;
  auto write = [&](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type)
      return;
    for (const DimExpr &dim : llm::getDims(type))
      LLVM::StoreOp::create(builder, loc, index.size(dim),
                            byteOffset(function.getArgument(1), 8 * position++));
  };
  Block &block = program.getBody().front();
  llvm::for_each(block.getArguments(), write);
  llvm::for_each(block.getTerminator()->getOperands(), write);
  func::ReturnOp::create(builder, loc);
  return success();
}

void EntryBuilder::buildUnmet() {
  SmallVector<std::pair<DimExpr, DimExpr>> requirements = exec::getRequirements(program);
  if (requirements.empty())
    return;
  builder.setInsertionPointToEnd(module.getBody());
  symbols.clear();
  func::FuncOp function = startFunction(unmetName(program), 1, builder.getI64Type());
  bindSymbols(function.getArgument(0));
  Value unmet = index.constant(int64_t(requirements.size()));
  for (int64_t i = int64_t(requirements.size()) - 1; i >= 0; --i) {
    Value a = index.size(requirements[i].first), b = index.size(requirements[i].second);
    Value differ = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, a, b);
    unmet = arith::SelectOp::create(builder, loc, differ, index.constant(i), unmet);
  }
  func::ReturnOp::create(builder, loc, unmet);
}

} // namespace

/// Says which size no symbol in `known` gives: one that no input of the phase determines has
/// no value at run time, nor has one that data decides before its definition.
static LogicalResult checkKnown(Operation *op, const Twine &what, const DimExpr &expr,
                                const llvm::StringSet<> &known) {
  std::string missing;
  expr.forEachSymbol([&](const std::string &name) {
    if (!known.contains(name))
      missing = name;
  });
  if (missing.empty())
    return success();
  return op->emitError(what) << " '" << missing << "' follows from no input of phase "
                             << op->getParentOfType<exec::ProgramOp>().getSymName();
}

/// The sizes that the block's operations need. `known` are those that have a value there.
static LogicalResult checkSizes(Block &block, llvm::StringSet<> &known,
                                const llvm::StringMap<LoweredKernel> &kernels) {
  for (Operation &op : block) {
    if (auto size = dyn_cast<exec::DefineSizeOp>(op)) {
      if (failed(checkKnown(size, "the bound's size", *DimExpr::parse(size.getBound()), known)))
        return failure();
      known.insert(size.getSymbol());
    }
    if (auto join = dyn_cast<exec::JoinOp>(op))
      for (unsigned i = 0; i < join.getParts().size(); ++i)
        if (failed(checkKnown(join, "the size", exec::getPartOffset(join, i), known)))
          return failure();
    if (auto loop = dyn_cast<exec::LoopOp>(op)) {
      if (failed(checkKnown(loop, "the size", *DimExpr::parse(loop.getTrip()), known)))
        return failure();
      known.insert(loop.getIndex());
      for (const DimExpr &position : llm::parseExprs(loop.getPositions()))
        if (failed(checkKnown(loop, "the size", position, known)))
          return failure();
      if (failed(checkSizes(loop.getBody().front(), known, kernels)))
        return failure();
      known.erase(loop.getIndex());
    }
    auto dispatch = dyn_cast<exec::DispatchOp>(op);
    if (!dispatch)
      continue;
    std::string name = kernelName(dispatch.getKernel(), exec::getOverwrittenInputs(dispatch));
    for (const std::string &symbol : kernels.find(name)->second.symbols)
      if (failed(checkKnown(dispatch, "the size", DimExpr::symbol(symbol), known)))
        return failure();
  }
  return success();
}

LogicalResult cpu::lowerProgram(exec::ProgramOp program, ModuleOp module,
                                const llvm::StringMap<LoweredKernel> &kernels) {
  llvm::StringSet<> known;
  for (const exec::ProgramSymbol &symbol : exec::getSymbols(program))
    known.insert(symbol.name);
  Block &block = program.getBody().front();
  for (auto size : block.getOps<exec::DefineSizeOp>())
    known.erase(size.getSymbol());
  if (failed(checkSizes(block, known, kernels)))
    return failure();
  EntryBuilder builder(program, module, kernels);
  if (failed(builder.buildEntry()) || failed(builder.buildShapes()))
    return failure();
  builder.buildUnmet();
  return success();
}

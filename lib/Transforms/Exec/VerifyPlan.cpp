//===- VerifyPlan.cpp - the border after the plan phase
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What both back ends rely on: every buffer and weight has a place of its own, and
// dispatches that run at the same time do not depend on each other. Lifetimes are
// counted anew, in barrier groups. A result that lies where an operand lay is proved to
// overwrite only what nobody reads any more.
//
//===----------------------------------------------------------------------===//
#include "llmc/Analysis/InPlace.h"
#include "llmc/Dialect/Exec/IR/Places.h"
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Transforms/Exec/Passes.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"

namespace llmc {
#define GEN_PASS_DEF_VERIFYPLAN
#include "llmc/Transforms/Exec/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;

namespace {

constexpr int64_t kAlignment = 64; // a cache line, and a 512-bit vector

/// A buffer in the arena and the barrier groups (both inclusive) it lives in.
struct PlacedBuffer {
  int64_t offset, bytes, firstGroup, lastGroup;
  exec::DispatchOp writer;
  SmallVector<exec::DispatchOp> lastReaders = {}; ///< dispatches of the last group
  bool isSize = false;                            ///< a late worker reads it
  bool isJoined = false;                          ///< several dispatches write it
  bool overlaps(const PlacedBuffer &other) const {
    return firstGroup <= other.lastGroup && other.firstGroup <= lastGroup &&
           offset < other.offset + other.bytes && other.offset < offset + bytes;
  }
};

struct VerifyPlan : llmc::impl::VerifyPlanBase<VerifyPlan> {
  void runOnOperation() override {
    bool isValid = succeeded(checkWeights());
    for (auto program : getOperation().getOps<exec::ProgramOp>())
      isValid = succeeded(checkBarriers(program)) && succeeded(checkArena(program)) && isValid;
    if (!isValid)
      signalPassFailure();
  }

private:
  LogicalResult checkWeights() {
    SmallVector<exec::WeightOp> weights(getOperation().getOps<exec::WeightOp>());
    for (exec::WeightOp weight : weights) {
      if (!weight.getOffset())
        return weight.emitError("weight has no offset");
      if (*weight.getOffset() % kAlignment)
        return weight.emitError("weight's offset ")
               << *weight.getOffset() << " is no multiple of " << kAlignment;
    }
    llvm::stable_sort(weights, [](exec::WeightOp a, exec::WeightOp b) {
      return *a.getOffset() < *b.getOffset();
    });
    int64_t end = 0;
    for (exec::WeightOp weight : weights) {
      if (int64_t(*weight.getOffset()) < end)
        return weight.emitError("weight at ")
               << *weight.getOffset() << " overlaps one that ends at " << end;
      end = *weight.getOffset() + *weight.getBytes();
    }
    return success();
  }

  /// Dispatches of one group read nothing that the group writes.
  LogicalResult checkBarriers(exec::ProgramOp program) {
    Group group;
    return checkBarriers(program.getBody().front(), group);
  }

  /// What runs at the same time, and what is overwritten for the rest of its block.
  struct Group {
    DenseSet<Value> written, read, overwritten;
    bool isEmpty = true;
    void finish() {
      written.clear();
      read.clear();
      isEmpty = true;
    }
  };

  LogicalResult checkBarriers(Block &block, Group &group) {
    for (Operation &op : block) {
      if (isa<exec::BarrierOp>(op))
        group.finish();
      if (auto loop = dyn_cast<exec::LoopOp>(op)) {
        if (!group.isEmpty)
          return op.emitError("no barrier stands before the loop");
        if (failed(checkBarriers(loop.getBody().front(), group)))
          return failure();
        if (!group.isEmpty)
          return op.emitError("no barrier stands at the end of the loop's body");
      }
      if (!isa<exec::DispatchOp, exec::DefineSizeOp>(op))
        continue;
      if (failed(checkReads(&op, group)) || failed(checkWrites(&op, group)))
        return failure();
      group.isEmpty &= !isa<exec::DispatchOp>(op);
    }
    return success();
  }

  LogicalResult checkReads(Operation *op, Group &group) {
    for (Value input : op->getOperands()) {
      for (Value source : exec::getSources(input))
        if (group.written.contains(source)) {
          InFlightDiagnostic error = op->emitError("reads a buffer written since the last barrier");
          error.attachNote(source.getLoc()) << "the buffer is written here";
          return error;
        }
      if (group.overwritten.contains(exec::skipViews(input)))
        return op->emitError("reads a state or carried value that is overwritten already");
    }
    return success();
  }

  LogicalResult checkWrites(Operation *op, Group &group) {
    SmallVector<Value> targets;
    if (Value state = exec::getOverwrittenState(op))
      targets.push_back(state);
    for (Value result : op->getResults())
      if (std::optional<exec::LoopPlace> place = exec::getLoopPlace(result);
          place && place->isCarried()) {
        targets.push_back(place->loop.getBody().getArgument(place->number));
        for (Value input : op->getOperands())
          if (exec::skipViews(input) == targets.back())
            return op->emitError("reads a carried value while it overwrites it");
      }
    for (Value target : targets) {
      if (group.read.contains(target))
        return op->emitError("overwrites a state or carried value read since the last barrier");
      group.overwritten.insert(target);
    }
    for (Value input : op->getOperands())
      group.read.insert(exec::skipViews(input));
    group.written.insert(op->result_begin(), op->result_end());
    return success();
  }

  /// Buffers are in the arena but for states and outputs, inside `arena_bytes`, and
  /// no two that live in the same group overlap.
  LogicalResult checkArena(exec::ProgramOp program) {
    if (!program.getArenaBytes())
      return program.emitError("program has no arena_bytes");
    DenseSet<Value> returned;
    for (Value value : program.getBody().front().getTerminator()->getOperands())
      returned.insert(exec::getBuffer(value));

    Lifetimes lives;
    if (failed(collect(program.getBody().front(), program, returned, lives)))
      return failure();
    WalkResult walked = program.walk([&](exec::JoinOp join) {
      if (!returned.contains(join.getResult()) || !exec::getArenaOffset(join.getResult()))
        return WalkResult::advance();
      join.emitError("output has a place in the arena");
      return WalkResult::interrupt();
    });
    if (walked.wasInterrupted())
      return failure();
    for (Value size : lives.sizes)
      if (auto it = lives.buffers.find(size); it != lives.buffers.end()) {
        it->second.lastGroup = lives.group;
        it->second.isSize = true;
      }
    return checkPlaces(program, llvm::to_vector(lives.buffers));
  }

  /// Buffers in the order in which they are written first.
  struct Lifetimes {
    llvm::MapVector<Value, PlacedBuffer> buffers;
    SmallVector<Value> sizes; ///< a late worker reads them after the program's end
    int64_t group = 0;

    void use(Value buffer, exec::DispatchOp reader) {
      auto it = buffers.find(buffer);
      if (it == buffers.end())
        return;
      if (std::exchange(it->second.lastGroup, group) != group)
        it->second.lastReaders.clear();
      if (reader && !llvm::is_contained(it->second.lastReaders, reader))
        it->second.lastReaders.push_back(reader);
    }
  };

  LogicalResult collect(Block &block, exec::ProgramOp program, const DenseSet<Value> &returned,
                        Lifetimes &lives) {
    for (Operation &op : block) {
      lives.group += isa<exec::BarrierOp>(op);
      if (auto size = dyn_cast<exec::DefineSizeOp>(op))
        lives.sizes.push_back(exec::getBuffer(size.getValue()));
      if (auto loop = dyn_cast<exec::LoopOp>(op);
          loop && failed(collectLoop(loop, program, returned, lives)))
        return failure();
      auto dispatch = dyn_cast<exec::DispatchOp>(op);
      if (!dispatch)
        continue;
      if (!dispatch.getOffsets())
        return dispatch.emitError("dispatch has no offsets");
      for (Value input : dispatch.getInputs())
        lives.use(exec::getBuffer(input), dispatch);
      for (auto [output, offset] : llvm::zip(dispatch.getOutputs(), *dispatch.getOffsets())) {
        Value buffer = exec::getBuffer(output);
        bool isPart = buffer != output;
        auto type = dyn_cast<RankedTensorType>(buffer.getType());
        bool isInArena = type && !returned.contains(buffer);
        if ((isInArena && !isPart) != (offset >= 0))
          return dispatch.emitError(offset < 0 ? "buffer has no place in the arena"
                                    : isPart   ? "part of a larger buffer has a place of its own"
                                               : "output or state has a place in the arena");
        if (isInArena && failed(place(buffer, dispatch, program, lives)))
          return failure();
        if (isInArena)
          lives.buffers[buffer].isJoined = !buffer.getDefiningOp<exec::DispatchOp>();
      }
    }
    return success();
  }

  LogicalResult place(Value buffer, exec::DispatchOp writer, exec::ProgramOp program,
                      Lifetimes &lives) {
    std::optional<int64_t> offset = exec::getArenaOffset(buffer);
    if (!offset)
      return emitError(buffer.getLoc(), "joined or stacked buffer has no place in the arena");
    auto type = cast<RankedTensorType>(buffer.getType());
    auto [it, isFirst] = lives.buffers.insert(
        {buffer, {*offset, sizeBytes(program, type), lives.group, lives.group, writer}});
    if (!isFirst)
      lives.use(buffer, {});
    return success();
  }

  /// Stacks live from the beginning of the loop on, and all that it uses of what was there
  /// before until its end: its iterations use it again.
  LogicalResult collectLoop(exec::LoopOp loop, exec::ProgramOp program,
                            const DenseSet<Value> &returned, Lifetimes &lives) {
    int64_t begin = lives.group;
    for (Value stack : loop.getResults().drop_front(loop.getNumCarried()))
      if (returned.contains(stack) && exec::getArenaOffset(stack))
        return loop.emitError("output has a place in the arena");
      else if (!returned.contains(stack) && failed(place(stack, {}, program, lives)))
        return failure();
    DenseSet<Value> before;
    for (auto &[value, buffer] : lives.buffers)
      before.insert(value);
    Block &body = loop.getBody().front();
    if (failed(collect(body, program, returned, lives)))
      return failure();
    int64_t end =
        lives.group - isa_and_nonnull<exec::BarrierOp>(body.getTerminator()->getPrevNode());
    for (auto &[value, buffer] : lives.buffers)
      if (before.contains(value) && buffer.lastGroup >= begin) {
        buffer.lastGroup = std::max(buffer.lastGroup, end);
        buffer.lastReaders.clear();
      }
    return success();
  }

  LogicalResult checkPlaces(exec::ProgramOp program,
                            ArrayRef<std::pair<Value, PlacedBuffer>> buffers) {
    int64_t arenaBytes = *program.getArenaBytes();
    for (size_t i = 0; i < buffers.size(); ++i) {
      const auto &[value, buffer] = buffers[i];
      if (buffer.offset % kAlignment)
        return emitError(value.getLoc(), "buffer's offset ")
               << buffer.offset << " is no multiple of " << kAlignment;
      // Not offset + bytes: an unbounded size must not wrap around.
      if (buffer.bytes > arenaBytes - buffer.offset)
        return emitError(value.getLoc(), "buffer of ")
               << buffer.bytes << " bytes at " << buffer.offset << " ends outside the arena of "
               << arenaBytes;
      for (const auto &[other, place] : buffers.take_front(i))
        if (buffer.overlaps(place)) {
          const char *reason = refuseInPlace(other, place, buffer);
          if (!reason)
            continue;
          InFlightDiagnostic error =
              emitError(value.getLoc(), "buffer overlaps one that is in use");
          error.attachNote(other.getLoc()) << "which is written here; " << reason;
          return error;
        }
    }
    return success();
  }

  /// Why `result` may not lie where `operand` does; null where it may.
  const char *refuseInPlace(Value buffer, const PlacedBuffer &operand, const PlacedBuffer &result) {
    exec::DispatchOp dispatch = result.writer;
    if (operand.lastGroup != result.firstGroup || operand.firstGroup == operand.lastGroup ||
        !llvm::is_contained(operand.lastReaders, dispatch))
      return "it is no operand that dies there";
    if (operand.isSize)
      return "a size is read from it until the end";
    if (operand.lastReaders.size() > 1)
      return "another dispatch of the same group reads it";
    if (operand.offset != result.offset)
      return "the two begin at different places";
    if (result.isJoined)
      return "it is written in parts";
    if (dispatch.getNumResults() > 1)
      return "the dispatch has several results";
    auto kernel =
        SymbolTable::lookupNearestSymbolFrom<exec::KernelOp>(dispatch, dispatch.getKernelAttr());
    Block &body = kernel.getBody().front();
    SmallVector<BlockArgument> overwritable =
        getOverwritableArguments(body.getTerminator()->getOperand(0));
    for (auto [input, argument] : llvm::zip_equal(dispatch.getInputs(), body.getArguments()))
      if (exec::getBuffer(input) == buffer &&
          (exec::isPart(input) || !llvm::is_contained(overwritable, argument)))
        return "the kernel reads other elements of it than the one it writes";
    return nullptr;
  }

  static int64_t sizeBytes(exec::ProgramOp program, RankedTensorType type) {
    int64_t count = exec::upperBound(program, llm::product(llm::getDims(type)));
    return count == DimExpr::kInfinity ? count : count * exec::elementBytes(type.getElementType());
  }
};

} // namespace

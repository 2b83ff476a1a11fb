//===- LLMToExec.cpp - partition functions into kernels and programs
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "JoinPlan.h"
#include "llmc/Analysis/Layout.h"
#include "llmc/Conversion/Passes.h"
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/raw_ostream.h"

namespace llmc {
#define GEN_PASS_DEF_CONVERTLLMTOEXEC
#include "llmc/Conversion/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;
using namespace llmc::llm;

namespace {

/// Kernels and weights of a module, each one once.
class ModuleTables {
public:
  explicit ModuleTables(ModuleOp module)
      : builder(OpBuilder::atBlockEnd(module.getBody())), symbols(module) {}

  /// The weight for a constant in the layout that `use` reads it in. Where that is dense,
  /// it may have another shape.
  exec::WeightOp weight(ConstantOp constant, OpOperand *use);
  /// `kernel` itself, or an equal one that is there already (then it is erased).
  StringAttr unique(exec::KernelOp kernel);
  exec::KernelOp makeKernel(Location loc, StringRef kind) {
    return exec::KernelOp::create(builder, loc, "kernel", kind, StringAttr());
  }

private:
  /// `linear` is the LinearOp or ExpertLinearOp that uses the constant, or null.
  template <typename Linear>
  exec::WeightOp weightOf(Linear linear, ConstantOp constant, OpOperand *use);

  OpBuilder builder;
  SymbolTable symbols;
  llvm::DenseMap<Attribute, exec::WeightOp> weights;
  llvm::StringMap<StringAttr> kernels; ///< by printed body
};

/// The name under which a constant goes into the artifact.
std::string weightName(ConstantOp constant) {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(constant.getValue()))
    return resource.getRawHandle().getKey().str();
  if (auto name = dyn_cast<NameLoc>(constant.getLoc()))
    return name.getName().str();
  return "constant";
}

/// The constant as one row: equal for those whose elements, one after the other, are.
Attribute flattened(ElementsAttr value) {
  auto type = RankedTensorType::get(value.getNumElements(), value.getElementType());
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value))
    return DenseResourceElementsAttr::get(type, resource.getRawHandle());
  auto dense = dyn_cast<DenseElementsAttr>(value);
  return dense ? Attribute(dense.reshape(type)) : Attribute(value);
}

exec::WeightOp ModuleTables::weight(ConstantOp constant, OpOperand *use) {
  if (auto experts = dyn_cast<ExpertLinearOp>(use->getOwner()))
    return weightOf(experts, constant, use);
  return weightOf(dyn_cast<LinearOp>(use->getOwner()), constant, use);
}

template <typename Linear>
exec::WeightOp ModuleTables::weightOf(Linear linear, ConstantOp constant, OpOperand *use) {
  bool isMatrix = linear && use->get() == linear.getWeight();
  auto embedding = dyn_cast<EmbeddingOp>(use->getOwner());
  bool isTied =
      embedding && embedding->hasAttr(exec::kPanelsAttr) && use->get() == embedding.getTable();
  NamedAttrList attributes;
  exec::WeightLayout layout = exec::WeightLayout::dense;
  auto value = [](Value v) { return v.getDefiningOp<ConstantOp>().getValue(); };
  auto number = [&](int64_t n) { return builder.getI64IntegerAttr(n); };
  auto setRowBlocks = [&](Attribute scales, Attribute zeroPoints, int64_t columns,
                          int64_t groupSize) {
    layout = exec::WeightLayout::row_blocks;
    attributes.set("scales", scales);
    if (zeroPoints)
      attributes.set("zero_points", zeroPoints);
    attributes.set("columns", number(columns));
    ShapedType type = constant.getValue().getShapedType(); // [.., outputs, groups, blob]
    attributes.set("outputs", number(type.getDimSize(type.getRank() - 3)));
    attributes.set("group_size", number(groupSize));
  };
  if (isMatrix && linear.getBits()) {
    setRowBlocks(value(linear.getScales()),
                 linear.getZeroPoints() ? value(linear.getZeroPoints()) : Attribute(),
                 *linear.getColumns(), *linear.getGroupSize());
  } else if (isTied && embedding.getPacked()) {
    auto inside = cast<ArrayAttr>(embedding->getAttr(exec::kPanelsAttr)).getValue();
    setRowBlocks(inside[0], inside.size() > 1 ? inside[1] : Attribute(), *embedding.getWidth(),
                 *embedding.getGroupSize());
  } else if (isMatrix || isTied) {
    layout = exec::WeightLayout::panels;
    ShapedType type = constant.getValue().getShapedType();
    int64_t last = type.getRank() - 1;
    bool transposed = isTied || linear.getTransposed();
    attributes.set("columns", number(type.getDimSize(transposed ? last : last - 1)));
    attributes.set("outputs", number(type.getDimSize(transposed ? last - 1 : last)));
    if (transposed)
      attributes.set("transposed", builder.getUnitAttr());
  }
  attributes.set("layout", exec::WeightLayoutAttr::get(builder.getContext(), layout));
  // Row-major elements are the same bytes in every shape.
  attributes.set("value", layout == exec::WeightLayout::dense ? flattened(constant.getValue())
                                                              : constant.getValue());
  exec::WeightOp &weight = weights[attributes.getDictionary(builder.getContext())];
  if (!weight) {
    attributes.set("value", constant.getValue());
    attributes.set("sym_name", builder.getStringAttr(weightName(constant)));
    OperationState state(constant.getLoc(), exec::WeightOp::getOperationName());
    state.addAttributes(attributes);
    weight = cast<exec::WeightOp>(builder.create(state));
    symbols.insert(weight);
  }
  return weight;
}

StringAttr ModuleTables::unique(exec::KernelOp kernel) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  kernel->print(stream, OpPrintingFlags().useLocalScope().printGenericOpForm());
  auto [it, inserted] = kernels.try_emplace(text);
  if (!inserted) {
    kernel->erase();
    return it->second;
  }
  kernel.setSymName((kernel.getKind() + "_" + Twine(kernels.size() - 1)).str());
  return it->second = symbols.insert(kernel);
}

/// What a kernel is named after: its anchor, or pointwise.
StringRef kernelKind(ArrayRef<Operation *> body) {
  for (Operation *op : body) {
    if (isa<LinearOp, ExpertLinearOp, MatmulOp, AttentionOp, QuantizeInputOp, LinearAttentionOp,
            StateAppendOp, StateStoreOp, NonZeroOp, ConvOp, WindowReduceOp, CumulativeOp,
            TopKIndicesOp, ScatterElementsOp, ScatterNDOp, SoftmaxOp, RMSNormOp, LayerNormOp,
            ReduceOp>(op))
      return op->getName().stripDialect();
  }
  for (Operation *op : body)
    if (isa<EmbeddingOp, RotaryOp, KVAppendOp, KVEvictOp, CausalConvOp>(op))
      return op->getName().stripDialect();
  return llvm::any_of(body, llvm::IsaPred<StateLoadOp>) ? "state_load" : "pointwise";
}

/// Scales and zero points of n-bit weights lie inside the packed weight.
bool isPackedAway(OpOperand &operand) {
  auto isPacked = [&](auto linear) {
    Value value = operand.get();
    return linear && linear.getBits() &&
           (value == linear.getScales() || value == linear.getZeroPoints()) &&
           value != linear.getWeight() && value != linear.getInput();
  };
  return isPacked(dyn_cast<LinearOp>(operand.getOwner())) ||
         isPacked(dyn_cast<ExpertLinearOp>(operand.getOwner()));
}

void cloneIntoKernel(Operation *op, OpBuilder &builder, IRMapping &mapping) {
  auto linear = dyn_cast<LinearOp>(op);
  if (auto experts = dyn_cast<ExpertLinearOp>(op); experts && experts.getBits()) {
    // The weight's bytes hold the scales and zero points: it stands for them.
    Value weight = mapping.lookup(experts.getWeight());
    mapping.map(experts.getScales(), weight);
    if (experts.getZeroPoints())
      mapping.map(experts.getZeroPoints(), weight);
  }
  if (!linear || !linear.getBits()) {
    Operation *clone = builder.clone(*op, mapping);
    if (clone->hasAttr(exec::kPanelsAttr))
      clone->setAttr(exec::kPanelsAttr, builder.getUnitAttr());
    return;
  }
  auto packed = LinearOp::create(
      builder, op->getLoc(), mapping.lookup(linear.getInput()), mapping.lookup(linear.getWeight()),
      Value(), Value(), linear.getBias() ? mapping.lookup(linear.getBias()) : Value(),
      linear.getTransposedAttr(), linear.getBitsAttr(), linear.getGroupSizeAttr(),
      linear.getColumnsAttr(), builder.getBoolAttr(bool(linear.getZeroPoints())),
      linear.getActivationsAttr());
  mapping.map(linear.getResult(), packed.getResult());
}

/// Behind reshapes, which are views.
Value getRoot(Value value) {
  while (auto reshape = value.getDefiningOp<ReshapeOp>())
    value = reshape.getInput();
  return value;
}

/// Turns a function's block into that of a program, or a loop's body into that of its
/// `exec.loop`.
class BlockBuilder {
public:
  /// What `source` computes goes to the end of `target`.
  BlockBuilder(Block &source, Block &target, ModuleTables &tables)
      : source(source), target(target), tables(tables), plan(source), joins(source, plan),
        builder(OpBuilder::atBlockEnd(&target)) {}
  void build();
  /// A function's results: every output is a buffer of its own that some dispatch writes.
  SmallVector<Value> getOutputs();

  IRMapping mapping;

private:
  /// A kernel of everything behind `roots` that is not in memory, and its dispatch. The
  /// result's rows are `rowStride` elements apart.
  ValueRange dispatch(ValueRange roots, std::optional<DimExpr> rowStride);
  /// The kernels of operands that nothing else writes into the result, and the result.
  void join(ConcatOp concat);
  void loop(LoopOp op);
  /// A buffer that the loop can change, with what its carried value is at first.
  Value getInitial(LoopOp op, unsigned number);
  /// What an iteration gives to its `exec.yield`, as values that have their place there.
  SmallVector<Value> getGiven(unsigned numCarried);
  bool canOverwrite(Value argument, exec::DispatchOp dispatch);
  /// The program's value for a function's value in memory, made on first use.
  Value lookup(Value value);
  /// The same, where the value may be a constant.
  Value lookupOrLoad(Value value);
  /// In the layout that `use` reads it in.
  Value loadWeight(ConstantOp constant, OpOperand *use);
  bool isReadAsView(OpOperand &operand);
  void collect(Value value, llvm::SetVector<Operation *> &body,
               llvm::SetVector<OpOperand *> &inputs);
  Value copy(Value value, std::optional<DimExpr> rowStride = std::nullopt);
  void setRowStride(exec::KernelOp kernel, const std::optional<DimExpr> &rowStride);

  Block &source, &target;
  ModuleTables &tables;
  FusionPlan plan;
  JoinPlan joins;
  OpBuilder builder;
  llvm::DenseMap<std::pair<Attribute, Type>, Value> loadedWeights; ///< by name and type
};

Value BlockBuilder::lookup(Value value) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  auto reshape = value.getDefiningOp<ReshapeOp>();
  assert(reshape && "only reshapes are views");
  Value view =
      exec::ViewOp::create(builder, value.getLoc(), value.getType(), lookup(reshape.getInput()));
  mapping.map(value, view);
  return view;
}

/// What a microkernel reads through strides must lie in memory with the strides of its
/// own shape where a reshape's sizes are too uncertain to derive any.
bool BlockBuilder::isReadAsView(OpOperand &operand) {
  Value source = operand.get(), root = source;
  while (auto reshape = root.getDefiningOp<ReshapeOp>())
    root = reshape.getInput();
  if (root == source || !plan.inMemory(root))
    return false;
  Operation *op = operand.getOwner();
  if (isa<LinearOp, ExpertLinearOp, QuantizeInputOp>(op))
    return !getRowMatrix(source);
  return isa<MatmulOp, AttentionOp, LinearAttentionOp>(op) && !getStridedView(source);
}

/// Operations that `value` needs inside the kernel, operands first, and the uses
/// of values that come from outside.
void BlockBuilder::collect(Value value, llvm::SetVector<Operation *> &body,
                           llvm::SetVector<OpOperand *> &inputs) {
  Operation *op = value.getDefiningOp();
  for (OpOperand &operand : op->getOpOperands()) {
    Value source = operand.get();
    if (isPackedAway(operand))
      continue;
    if (plan.inMemory(source) || isReadAsView(operand))
      inputs.insert(&operand);
    else
      collect(source, body, inputs);
  }
  body.insert(op);
}

Value BlockBuilder::loadWeight(ConstantOp constant, OpOperand *use) {
  exec::WeightOp weight = tables.weight(constant, use);
  Type stored = weight.getValue().getShapedType(), wanted = constant.getType();
  Location loc = constant.getLoc();
  Value &loaded = loadedWeights[{weight.getSymNameAttr(), wanted}];
  if (!loaded)
    loaded = exec::LoadWeightOp::create(builder, loc, stored, weight.getSymName());
  if (loaded.getType() != wanted)
    loaded = exec::ViewOp::create(builder, loc, wanted, loaded);
  return loaded;
}

Value BlockBuilder::lookupOrLoad(Value value) {
  Value root = value;
  while (auto reshape = root.getDefiningOp<ReshapeOp>())
    root = reshape.getInput();
  if (auto constant = root.getDefiningOp<ConstantOp>(); constant && !mapping.contains(root)) {
    mapping.map(root, loadWeight(constant, &*root.use_begin()));
  }
  return lookup(value);
}

void BlockBuilder::setRowStride(exec::KernelOp kernel, const std::optional<DimExpr> &rowStride) {
  if (rowStride)
    kernel.setRowStride(rowStride->str());
}

ValueRange BlockBuilder::dispatch(ValueRange roots, std::optional<DimExpr> rowStride) {
  llvm::SetVector<Operation *> body;
  llvm::SetVector<OpOperand *> uses;
  for (Value root : roots)
    collect(root, body, uses);

  Location loc = roots.front().getLoc();
  exec::KernelOp kernel = tables.makeKernel(loc, kernelKind(body.getArrayRef()));
  setRowStride(kernel, rowStride);
  Block *block = &kernel.getBody().emplaceBlock();
  OpBuilder inside = OpBuilder::atBlockBegin(block);
  IRMapping local;
  SmallVector<Value> inputs;
  for (OpOperand *use : uses) {
    Value source = use->get();
    if (local.contains(source))
      continue;
    local.map(source, block->addArgument(source.getType(), source.getLoc()));
    if (auto constant = source.getDefiningOp<ConstantOp>()) {
      inputs.push_back(loadWeight(constant, use));
    } else {
      inputs.push_back(lookupOrLoad(source));
    }
  }
  for (Operation *op : body)
    cloneIntoKernel(op, inside, local);
  SmallVector<Value> yielded;
  for (Value root : roots)
    yielded.push_back(local.lookup(root));
  exec::YieldOp::create(inside, loc, yielded);

  StringAttr name = tables.unique(kernel);
  auto dispatched = exec::DispatchOp::create(builder, loc, roots.getTypes(),
                                             FlatSymbolRefAttr::get(name), inputs, nullptr);
  return dispatched.getOutputs();
}

void BlockBuilder::join(ConcatOp concat) {
  std::optional<DimExpr> rowStride = JoinPlan::getRowStride(concat);
  SmallVector<Value> parts;
  for (OpOperand &operand : concat->getOpOperands()) {
    Value root = operand.get();
    while (auto reshape = root.getDefiningOp<ReshapeOp>())
      root = reshape.getInput();
    if (joins.isPlaced(operand))
      parts.push_back(lookup(operand.get()));
    else if (plan.inMemory(root))
      parts.push_back(copy(lookupOrLoad(operand.get()), rowStride));
    else
      parts.push_back(dispatch(operand.get(), rowStride).front());
  }
  mapping.map(concat.getResult(),
              exec::JoinOp::create(builder, concat.getLoc(), concat.getType(),
                                   int64_t(concat.getAxis()), parts, IntegerAttr())
                  .getResult());
}

/// A dispatch that writes `value` to memory of its own.
Value BlockBuilder::copy(Value value, std::optional<DimExpr> rowStride) {
  Location loc = value.getLoc();
  exec::KernelOp kernel = tables.makeKernel(loc, "pointwise");
  setRowStride(kernel, rowStride);
  Block *block = &kernel.getBody().emplaceBlock();
  Value argument = block->addArgument(value.getType(), loc);
  OpBuilder inside = OpBuilder::atBlockBegin(block);
  Value result = ReshapeOp::create(inside, loc, value.getType(), argument);
  exec::YieldOp::create(inside, loc, result);
  return exec::DispatchOp::create(builder, loc, value.getType(),
                                  FlatSymbolRefAttr::get(tables.unique(kernel)), value, nullptr)
      .getResult(0);
}

/// What overwrites a state comes behind everything that reads what it held: a load may
/// have become part of a kernel that is dispatched later than the load stood.
LogicalResult orderStateWrites(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(block)) {
    Value state = exec::getOverwrittenState(&op);
    if (!state)
      continue;
    Operation *last = &op;
    for (Operation *reader : state.getUsers())
      if (last->isBeforeInBlock(reader))
        last = reader;
    for (Operation *user : op.getUsers())
      if (user->isBeforeInBlock(last))
        return op.emitError("a state is read after it is overwritten");
    if (last != &op)
      op.moveAfter(last);
  }
  return success();
}

void BlockBuilder::build() {
  for (Operation &op : source.without_terminator()) {
    if (isa<ConstantOp>(op))
      continue;
    if (auto size = dyn_cast<DefineSizeOp>(op)) {
      exec::DefineSizeOp::create(builder, op.getLoc(), size.getSymbolAttr(), size.getBoundAttr(),
                                 lookupOrLoad(size.getValue()));
      continue;
    }
    if (auto repeated = dyn_cast<LoopOp>(op)) {
      loop(repeated);
      continue;
    }
    SmallVector<Value> roots = getKernelRoots(&op);
    if (llvm::all_of(roots,
                     [&](Value root) { return plan.inMemory(root) && !mapping.contains(root); }) &&
        !roots.empty()) {
      auto concat = dyn_cast<ConcatOp>(op);
      if (concat && joins.contains(concat))
        join(concat);
      else
        mapping.map(roots, dispatch(roots, joins.getRowStride(roots.front())));
    }
  }
}

SmallVector<Value> BlockBuilder::getOutputs() {
  SmallVector<Value> results;
  DenseSet<Value> returned;
  for (Value value : source.getTerminator()->getOperands()) {
    Value root = getRoot(value), result = lookupOrLoad(value);
    bool isState = isa<StateType>(value.getType());
    if (!isState && (isa<BlockArgument>(root) || root.getDefiningOp<ConstantOp>() ||
                     !returned.insert(root).second))
      result = copy(result);
    results.push_back(result);
  }
  return results;
}

Value BlockBuilder::getInitial(LoopOp op, unsigned number) {
  Value value = op.getInitial()[number], root = getRoot(value);
  bool isOnlyUse = value.hasOneUse();
  for (Value behind = value; isOnlyUse && behind != root; isOnlyUse = behind.hasOneUse())
    behind = behind.getDefiningOp<ReshapeOp>().getInput();
  Value initial = lookupOrLoad(value), buffer = exec::skipViews(initial);
  auto writer = buffer.getDefiningOp<exec::DispatchOp>();
  bool isOwn = isOnlyUse && writer && writer.getNumResults() == 1 && !exec::getJoin(buffer);
  return isOwn ? initial : copy(initial);
}

void BlockBuilder::loop(LoopOp op) {
  SmallVector<Value> initial;
  for (unsigned i = 0; i < op.getNumCarried(); ++i)
    initial.push_back(getInitial(op, i));
  auto repeated = exec::LoopOp::create(builder, op.getLoc(), op.getResultTypes(), op.getIndexAttr(),
                                       op.getTripAttr(), initial, op.getPositionsAttr(), nullptr);
  Block &inside = repeated.getBody().emplaceBlock();
  BlockBuilder body(op.getBody().front(), inside, tables);
  for (Value argument : op.getCarriedArguments())
    body.mapping.map(argument, inside.addArgument(argument.getType(), argument.getLoc()));
  for (auto [argument, value] : llvm::zip_equal(op.getCapturedArguments(), op.getCaptured())) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(repeated);
    body.mapping.map(argument, lookupOrLoad(value));
  }
  body.build();
  exec::YieldOp::create(body.builder, op.getLoc(), body.getGiven(op.getNumCarried()));
  mapping.map(op.getResults(), repeated.getResults());
}

/// Whether `dispatch` may write over the argument: nothing reads it from there on.
bool BlockBuilder::canOverwrite(Value argument, exec::DispatchOp dispatch) {
  return llvm::all_of(argument.getUsers(), [&](Operation *user) {
    if (auto view = dyn_cast<exec::ViewOp>(user))
      return canOverwrite(view.getResult(), dispatch);
    return target.findAncestorOpInBlock(*user)->isBeforeInBlock(dispatch);
  });
}

SmallVector<Value> BlockBuilder::getGiven(unsigned numCarried) {
  OperandRange values = source.getTerminator()->getOperands();
  DenseSet<Value> placed;
  // The dispatch in this block whose only result the value is, if that can be placed.
  auto findWriter = [&](Value value) {
    Value buffer = exec::skipViews(value);
    auto writer = buffer.getDefiningOp<exec::DispatchOp>();
    bool canPlace = writer && writer->getBlock() == &target && writer.getNumResults() == 1 &&
                    !exec::getJoin(buffer) && !placed.contains(buffer);
    return canPlace ? writer : exec::DispatchOp();
  };
  SmallVector<Value> slices, next;
  for (Value value : values.drop_front(numCarried)) {
    Value slice = lookupOrLoad(value);
    slices.push_back(findWriter(slice) ? slice : copy(slice));
    placed.insert(exec::skipViews(slices.back()));
  }
  for (Value value : values.take_front(numCarried)) {
    // A carried value that becomes another one: read before it is overwritten.
    auto argument = dyn_cast<BlockArgument>(getRoot(value));
    bool isMoved = argument && argument.getArgNumber() < numCarried &&
                   value != source.getArgument(next.size());
    next.push_back(isMoved ? copy(lookupOrLoad(value)) : lookupOrLoad(value));
  }
  for (auto [i, value] : llvm::enumerate(next)) {
    Value argument = target.getArgument(i);
    if (value == argument)
      continue;
    exec::DispatchOp writer = findWriter(value);
    if (!writer || !canOverwrite(argument, writer))
      value = copy(value);
    placed.insert(exec::skipViews(value));
  }
  next.append(slices);
  return next;
}

LogicalResult convertFunction(func::FuncOp func, ModuleTables &tables) {
  auto phase = func->getAttrOfType<StringAttr>("llm.phase");
  auto symbols = func->getAttrOfType<ArrayAttr>("llm.symbols");
  if (!phase || !symbols)
    return func.emitError("has no llm.phase and llm.symbols; run llmc-specialize-phases first");
  OpBuilder builder(func);
  auto names = [&](unsigned count, auto get) {
    SmallVector<Attribute> result;
    for (unsigned i = 0; i < count; ++i) {
      auto name = dyn_cast_or_null<StringAttr>(get(i));
      result.push_back(name ? name : builder.getStringAttr(""));
    }
    return builder.getArrayAttr(result);
  };
  auto program = exec::ProgramOp::create(
      builder, func.getLoc(), func.getSymName(), phase, symbols,
      names(func.getNumArguments(), [&](unsigned i) { return func.getArgAttr(i, "llm.name"); }),
      names(func.getNumResults(), [&](unsigned i) { return func.getResultAttr(i, "llm.name"); }),
      func->getAttrOfType<DictionaryAttr>("llm.guard"), nullptr, nullptr, nullptr);
  Block &block = program.getBody().emplaceBlock();
  BlockBuilder body(func.front(), block, tables);
  for (BlockArgument argument : func.getArguments())
    body.mapping.map(argument, block.addArgument(argument.getType(), argument.getLoc()));
  body.build();
  SmallVector<Value> results = body.getOutputs();
  builder.setInsertionPointToEnd(&block);
  exec::ReturnOp::create(builder, func.getLoc(), results);
  return orderStateWrites(block);
}

/// Gives each linear a weight constant of its own: its layout is not that of other
/// uses, and a kernel argument has one layout. Equal weights become one again.
void separateWeights(func::FuncOp func) {
  auto separate = [](auto linear) {
    auto weight = linear.getWeight().template getDefiningOp<ConstantOp>();
    if (!weight || weight->hasOneUse())
      return;
    OpBuilder builder(weight);
    linear.getWeightMutable().assign(builder.clone(*weight)->getResult(0));
  };
  func.walk([&](LinearOp linear) { separate(linear); });
  func.walk([&](ExpertLinearOp linear) { separate(linear); });
}

/// Matrices of `outputs x columns` that linears of the module read, as the artifact has
/// them: embeddings with the same (tied weights) look up rows there, and it is stored once.
class TiedMatrices {
public:
  explicit TiedMatrices(ModuleOp module) {
    module.walk([&](LinearOp linear) {
      auto constant = linear.getWeight().getDefiningOp<ConstantOp>();
      if (!constant)
        return;
      if (linear.getBits()) {
        if (ArrayAttr key = keyOf(linear, constant.getValue(), linear.getColumnsAttr()))
          rowBlocks.insert({key, constant.getValue()});
        return;
      }
      ShapedType type = constant.getValue().getShapedType();
      Type element = type.getElementType();
      if (linear.getTransposed() && type.getRank() == 2 &&
          (element.isF32() || element.isF16() || element.isBF16()))
        panels.insert(constant.getValue());
    });
  }

  void tie(func::FuncOp func) const {
    func.walk([&](EmbeddingOp embedding) {
      auto constant = embedding.getTable().getDefiningOp<ConstantOp>();
      if (!constant)
        return;
      if (!embedding.getBits() && panels.contains(constant.getValue())) {
        // A constant of its own: other uses may read the matrix by rows.
        OpBuilder builder(constant);
        embedding.getTableMutable().assign(builder.clone(*constant)->getResult(0));
        embedding->setAttr(exec::kPanelsAttr, builder.getUnitAttr());
      } else if (embedding.getBits()) {
        ArrayAttr key = keyOf(embedding, constant.getValue(), embedding.getWidthAttr());
        if (ElementsAttr weight = key ? rowBlocks.lookup(key) : ElementsAttr())
          pack(embedding, weight, key);
      }
    });
  }

private:
  /// What makes two n-bit matrices equal, as attributes: the bytes of the numbers, bits,
  /// group size, columns, scales and, if any, zero points. Null where row blocks are not
  /// what the operation says. Equal bytes are one resource at this point.
  template <typename Op> static ArrayAttr keyOf(Op op, ElementsAttr numbers, IntegerAttr columns) {
    auto constantOf = [](Value value, auto isExpected) -> Attribute {
      auto constant = value ? value.getDefiningOp<ConstantOp>() : ConstantOp();
      return constant && isExpected(getElementTypeOrSelf(constant.getType())) ? constant.getValue()
                                                                              : Attribute();
    };
    auto resource = dyn_cast<DenseResourceElementsAttr>(numbers);
    Attribute scales = constantOf(op.getScales(), [](Type type) { return type.isF32(); });
    Attribute zeros = constantOf(op.getZeroPoints(), [](Type type) { return type.isInteger(8); });
    if (!resource || !scales || bool(zeros) != bool(op.getZeroPoints()) ||
        (*op.getBits() != 4 && *op.getBits() != 8))
      return {};
    MLIRContext *context = op.getContext();
    SmallVector<Attribute> parts{StringAttr::get(context, resource.getRawHandle().getKey()),
                                 op.getBitsAttr(), op.getGroupSizeAttr(), columns, scales};
    if (zeros)
      parts.push_back(zeros);
    return ArrayAttr::get(context, parts);
  }

  static void pack(EmbeddingOp embedding, ElementsAttr weight, ArrayAttr key) {
    OpBuilder builder(embedding);
    Value table = ConstantOp::create(builder, embedding.getTable().getLoc(), weight);
    auto packed = EmbeddingOp::create(
        builder, embedding.getLoc(), table, embedding.getIds(), /*scales=*/Value(),
        /*zero_points=*/Value(), embedding.getBitsAttr(), embedding.getGroupSizeAttr(),
        embedding.getWidthAttr(), builder.getBoolAttr(bool(embedding.getZeroPoints())));
    packed->setAttr(exec::kPanelsAttr, builder.getArrayAttr(key.getValue().drop_front(4)));
    embedding.replaceAllUsesWith(packed.getResult());
    embedding.erase();
  }

  DenseSet<Attribute> panels;
  DenseMap<Attribute, ElementsAttr> rowBlocks; ///< by key
};

/// Gives each n-bit linear with int8 activations the rounded input, made once for
/// all linears that share it and its groups.
void quantizeInputs(func::FuncOp func) {
  DenseMap<std::pair<Value, int64_t>, Value> quantized;
  func.walk([&](LinearOp linear) {
    auto type = cast<RankedTensorType>(linear.getInput().getType());
    if (!linear.getBits() || linear.getActivations() != Activations::int8 ||
        !type.getElementType().isF32())
      return;
    int64_t group = *linear.getGroupSize();
    Value &input = quantized[{linear.getInput(), group}];
    if (!input) {
      OpBuilder builder(linear);
      input = QuantizeInputOp::create(builder, linear.getLoc(), linear.getInput(), group);
    }
    linear.getInputMutable().assign(input);
  });
}

struct ConvertLLMToExec : llmc::impl::ConvertLLMToExecBase<ConvertLLMToExec> {
  void runOnOperation() override {
    ModuleTables tables(getOperation());
    SmallVector<func::FuncOp> functions(getOperation().getOps<func::FuncOp>());
    TiedMatrices tied(getOperation());
    for (func::FuncOp func : functions) {
      WalkResult walked = func.getBody().walk([](Operation *op) {
        if (hasKernel(op))
          return WalkResult::advance();
        op->emitError("there is no kernel for ") << op->getName().getStringRef();
        return WalkResult::interrupt();
      });
      if (walked.wasInterrupted())
        return signalPassFailure();
      tied.tie(func);
      separateWeights(func);
      quantizeInputs(func);
      if (failed(convertFunction(func, tables)))
        return signalPassFailure();
      func.erase();
    }
  }
};

} // namespace

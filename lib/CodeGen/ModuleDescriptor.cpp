//===- ModuleDescriptor.cpp - the constant tables of ModuleABI.h
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ModuleDescriptor.h"
#include "CPU/HostProgram.h"
#include "llmc-c/ModuleABI.h"
#include "llmc/Analysis/StateWindow.h"
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "llmc/Dialect/Exec/IR/StateLayout.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Support/Version.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

using namespace llmc;
using mlir::BlockArgument;
using mlir::cast;
using mlir::dyn_cast;
using mlir::isa;
using mlir::RankedTensorType;
using mlir::StringAttr;

uint32_t llmc::abiDataType(mlir::Type type) {
  if (auto integer = dyn_cast<mlir::IntegerType>(type)) {
    bool isUnsigned = integer.isUnsigned();
    switch (integer.getWidth()) {
    case 1:
      return LLMC_DTYPE_BOOL;
    case 2:
      return isUnsigned ? LLMC_DTYPE_U2 : LLMC_DTYPE_I2;
    case 4:
      return isUnsigned ? LLMC_DTYPE_U4 : LLMC_DTYPE_I4;
    case 8:
      return isUnsigned ? LLMC_DTYPE_U8 : LLMC_DTYPE_I8;
    case 16:
      return isUnsigned ? LLMC_DTYPE_U16 : LLMC_DTYPE_I16;
    case 32:
      return isUnsigned ? LLMC_DTYPE_U32 : LLMC_DTYPE_I32;
    default:
      return isUnsigned ? LLMC_DTYPE_U64 : LLMC_DTYPE_I64;
    }
  }
  return llvm::TypeSwitch<mlir::Type, uint32_t>(type)
      .Case([](mlir::Float16Type) { return LLMC_DTYPE_F16; })
      .Case([](mlir::BFloat16Type) { return LLMC_DTYPE_BF16; })
      .Case([](mlir::Float64Type) { return LLMC_DTYPE_F64; })
      .Case([](mlir::Float8E4M3FNType) { return LLMC_DTYPE_F8E4M3FN; })
      .Case([](mlir::Float8E4M3FNUZType) { return LLMC_DTYPE_F8E4M3FNUZ; })
      .Case([](mlir::Float8E5M2Type) { return LLMC_DTYPE_F8E5M2; })
      .Case([](mlir::Float8E5M2FNUZType) { return LLMC_DTYPE_F8E5M2FNUZ; })
      .Case([](mlir::Float8E8M0FNUType) { return LLMC_DTYPE_F8E8M0FNU; })
      .Case([](mlir::Float4E2M1FNType) { return LLMC_DTYPE_F4E2M1FN; })
      .Default([](mlir::Type) { return LLMC_DTYPE_F32; });
}

namespace {

/// Builds constants whose memory is what a C compiler makes of ModuleABI.h: every
/// field in order, at its natural alignment.
class DescriptorBuilder {
public:
  DescriptorBuilder(llvm::Module &code, mlir::ModuleOp module, const ModuleProperties &properties)
      : code(code), module(module), properties(properties), context(code.getContext()) {}

  llvm::Constant *describe(uint64_t requiredCpu);

private:
  llvm::Constant *u32(uint64_t value) {
    return llvm::ConstantInt::get(llvm::Type::getInt32Ty(context), value);
  }
  llvm::Constant *u64(uint64_t value) {
    return llvm::ConstantInt::get(llvm::Type::getInt64Ty(context), value);
  }
  llvm::Constant *structure(llvm::ArrayRef<llvm::Constant *> fields) {
    return llvm::ConstantStruct::getAnon(context, fields);
  }
  llvm::Constant *global(llvm::Constant *value) {
    auto *variable = new llvm::GlobalVariable(code, value->getType(), /*isConstant=*/true,
                                              llvm::GlobalValue::PrivateLinkage, value);
    variable->setAlignment(llvm::Align(8));
    return variable;
  }
  llvm::Constant *array(llvm::ArrayRef<llvm::Constant *> values) {
    if (values.empty())
      return llvm::ConstantPointerNull::get(llvm::PointerType::get(context, 0));
    auto *type = llvm::ArrayType::get(values.front()->getType(), values.size());
    return global(llvm::ConstantArray::get(type, values));
  }
  llvm::Constant *string(llvm::StringRef text) {
    return global(llvm::ConstantDataArray::getString(context, text));
  }
  llvm::Constant *tensors(mlir::ValueRange values, mlir::ArrayAttr names,
                          llvm::ArrayRef<exec::ProgramSymbol> symbols, unsigned &count);
  llvm::Constant *phase(exec::ProgramOp program);
  llvm::Constant *states(unsigned &count);

  llvm::Module &code;
  mlir::ModuleOp module;
  const ModuleProperties &properties;
  llvm::LLVMContext &context;
};

llvm::Constant *DescriptorBuilder::tensors(mlir::ValueRange values, mlir::ArrayAttr names,
                                           llvm::ArrayRef<exec::ProgramSymbol> symbols,
                                           unsigned &count) {
  std::vector<llvm::Constant *> descriptors;
  for (auto [i, value] : llvm::enumerate(values)) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type)
      continue;
    std::vector<llvm::Constant *> dimSymbols;
    for (const DimExpr &dim : llm::getDims(type)) {
      int64_t position = -1;
      if (std::optional<std::string> name = dim.asSymbol())
        for (auto [s, symbol] : llvm::enumerate(symbols))
          if (symbol.name == *name)
            position = int64_t(s);
      dimSymbols.push_back(u32(uint32_t(position)));
    }
    auto name = cast<StringAttr>(names[i]).getValue();
    descriptors.push_back(structure({string(name), u32(abiDataType(type.getElementType())),
                                     u32(type.getRank()), array(dimSymbols)}));
  }
  count = descriptors.size();
  return array(descriptors);
}

/// "k + l = 12"; "n <= 128" for n = min(n, 128) and 128 = max(n, 128).
static std::string requirementText(const DimExpr &a, const DimExpr &b) {
  for (const auto &[size, limited] : {std::pair(a, b), std::pair(b, a)}) {
    const auto &terms = limited.terms();
    if (terms.size() != 1 || terms[0].coefficient != 1 || terms[0].factors.size() != 1)
      continue;
    const DimExpr::Atom &atom = *terms[0].factors[0];
    for (size_t i = 0; i < atom.args.size(); ++i) {
      const DimExpr &other = atom.args[1 - i];
      if (atom.args[i] == size && atom.kind == DimExpr::AtomKind::Min)
        return size.str() + " <= " + other.str();
      if (atom.args[i] == size && atom.kind == DimExpr::AtomKind::Max)
        return other.str() + " <= " + size.str();
    }
  }
  return a.str() + " = " + b.str();
}

llvm::Constant *DescriptorBuilder::phase(exec::ProgramOp program) {
  llvm::SmallVector<exec::ProgramSymbol> symbols = exec::getSymbols(program);
  std::vector<llvm::Constant *> symbolDescriptors;
  for (const exec::ProgramSymbol &symbol : symbols)
    symbolDescriptors.push_back(structure({string(symbol.name), u64(symbol.min), u64(symbol.max)}));
  mlir::Block &block = program.getBody().front();
  unsigned numInputs = 0, numOutputs = 0;
  llvm::SmallVector<mlir::Value> arguments(block.getArguments());
  llvm::Constant *inputs = tensors(arguments, program.getInputNames(), symbols, numInputs);
  llvm::Constant *outputs =
      tensors(block.getTerminator()->getOperands(), program.getOutputNames(), symbols, numOutputs);
  int64_t guardInput = -1, guardValue = 0;
  if (auto guard = program.getGuardAttr()) {
    guardInput = guard.getAs<mlir::IntegerAttr>("input").getInt();
    guardValue = guard.getAs<mlir::IntegerAttr>("value").getInt();
  }
  uint32_t kind = program.getPhase() == "decode"    ? LLMC_PHASE_DECODE
                  : program.getPhase() == "prefill" ? LLMC_PHASE_PREFILL
                                                    : LLMC_PHASE_RUN;
  uint64_t numDispatches = exec::countDispatches(program);
  auto definitions = block.getOps<exec::DefineSizeOp>();
  uint64_t numDefined = std::distance(definitions.begin(), definitions.end());
  std::vector<llvm::Constant *> requirements;
  for (const auto &[a, b] : exec::getRequirements(program))
    requirements.push_back(string(requirementText(a, b)));
  llvm::Constant *unmet = code.getFunction(cpu::unmetName(program));
  llvm::Constant *null = llvm::ConstantPointerNull::get(llvm::PointerType::get(context, 0));
  return structure({string(program.getSymName()), u32(kind), u32(uint32_t(guardInput)),
                    u64(guardValue), u64(*program.getArenaBytes()), u32(numDispatches),
                    u32(symbols.size()), array(symbolDescriptors), u32(numInputs), u32(numOutputs),
                    inputs, outputs, u32(numDefined), u32(requirements.size()), array(requirements),
                    unmet ? unmet : null, code.getFunction(cpu::shapesName(program)),
                    code.getFunction(cpu::entryName(program))});
}

llvm::Constant *DescriptorBuilder::states(unsigned &count) {
  std::vector<llvm::Constant *> descriptors;
  for (auto program : module.getOps<exec::ProgramOp>()) {
    if (program.getPhase() != "decode")
      continue;
    for (auto [i, argument] : llvm::enumerate(program.getBody().front().getArguments())) {
      auto state = dyn_cast<llm::StateType>(argument.getType());
      if (!state)
        continue;
      uint64_t bytes = exec::stateBytes(state, properties.blockTokens);
      auto name = cast<StringAttr>(program.getInputNames()[i]).getValue();
      int64_t window = state.getFixed() ? 0 : getStateWindow(module, name);
      descriptors.push_back(structure(
          {string(name), u32(state.getFixed() ? LLMC_STATE_FIXED : LLMC_STATE_BLOCKS),
           u32(abiDataType(state.getToken().getElementType())), u64(bytes), u64(window)}));
    }
  }
  count = descriptors.size();
  return array(descriptors);
}

llvm::Constant *DescriptorBuilder::describe(uint64_t requiredCpu) {
  std::vector<llvm::Constant *> phases;
  uint64_t vocabulary = 0;
  for (auto program : module.getOps<exec::ProgramOp>()) {
    phases.push_back(phase(program));
    if (program.getPhase() == "decode")
      vocabulary =
          *llm::getDims(program.getBody().front().getTerminator()->getOperand(0)).back().constant();
  }
  unsigned numStates = 0;
  llvm::Constant *stateTable = states(numStates);
  auto *reserved =
      llvm::ConstantAggregateZero::get(llvm::ArrayType::get(llvm::Type::getInt64Ty(context), 4));
  return global(structure(
      {u32(LLMC_MODULE_ABI_VERSION), u32(sizeof(llmc_module_desc_t)), string(properties.name),
       string(getProducer()), u64(requiredCpu), u64(properties.weightsBytes),
       u64(properties.weightsChecksum), u32(phases.size()), u32(numStates), array(phases),
       stateTable, u32(numStates ? properties.blockTokens : 0), u32(properties.maxBatch),
       u32(properties.maxSeq), u32(properties.prefillChunk), u64(vocabulary), reserved}));
}

} // namespace

void llmc::addModuleDescriptor(llvm::Module &code, mlir::ModuleOp module,
                               const ModuleProperties &properties, uint64_t requiredCpu) {
  llvm::Constant *descriptor = DescriptorBuilder(code, module, properties).describe(requiredCpu);
  // const llmc_module_desc_t *llmc_module_query(uint32_t abi_version)
  llvm::LLVMContext &context = code.getContext();
  llvm::Type *pointer = llvm::PointerType::get(context, 0);
  auto *type = llvm::FunctionType::get(pointer, {llvm::Type::getInt32Ty(context)}, false);
  auto *query = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage,
                                       LLMC_MODULE_QUERY_SYMBOL, code);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context, "entry", query));
  llvm::Value *known =
      builder.CreateICmpEQ(query->getArg(0), builder.getInt32(LLMC_MODULE_ABI_VERSION));
  llvm::Value *null = llvm::ConstantPointerNull::get(llvm::PointerType::get(context, 0));
  builder.CreateRet(builder.CreateSelect(known, descriptor, null));
}

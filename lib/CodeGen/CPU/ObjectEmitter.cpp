//===- ObjectEmitter.cpp - exec to LLVM IR to an object file
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "../ModuleDescriptor.h"
#include "HostProgram.h"
#include "KernelLowering.h"
#include "llmc-c/ModuleABI.h"
#include "llmc/CodeGen/CPU/CodeGen.h"
#include "llmc/Dialect/Exec/IR/Places.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Linker/Linker.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/Transforms/IPO/Internalize.h"

using namespace mlir;
using namespace llmc;

static constexpr const char *kTriple = "x86_64-unknown-linux-gnu";

static StringRef toRef(std::string_view text) { return StringRef(text.data(), text.size()); }

uint64_t cpu::requiredCpu(cpu::IsaLevel level) {
  switch (level) {
  case cpu::IsaLevel::X86_64_V3:
    return LLMC_CPU_X86_64_V3;
  case cpu::IsaLevel::X86_64_V4:
    return LLMC_CPU_X86_64_V3 | LLMC_CPU_X86_64_V4;
  case cpu::IsaLevel::X86_64_V4_VNNI:
    return LLMC_CPU_X86_64_V3 | LLMC_CPU_X86_64_V4 | LLMC_CPU_AVX512_VNNI;
  }
  llvm_unreachable("unknown ISA level");
}

std::unique_ptr<llvm::Module> cpu::lowerToLLVM(ModuleOp module, IsaLevel level,
                                               const ModuleProperties &properties,
                                               llvm::LLVMContext &context) {
  OwningOpRef<ModuleOp> code = ModuleOp::create(module.getLoc());
  KernelTarget target{level, properties.blockTokens};
  llvm::StringMap<LoweredKernel> kernels;
  bool failedAny = false;
  SymbolTable symbols(module);
  for (auto program : module.getOps<exec::ProgramOp>())
    program.walk([&](exec::DispatchOp dispatch) {
      SmallVector<unsigned> overwritten = exec::getOverwrittenInputs(dispatch);
      auto [entry, isNew] = kernels.try_emplace(kernelName(dispatch.getKernel(), overwritten));
      if (!isNew)
        return;
      auto kernel = symbols.lookup<exec::KernelOp>(dispatch.getKernel());
      FailureOr<LoweredKernel> lowered = lowerKernel(kernel, overwritten, *code, target);
      if (succeeded(lowered))
        entry->second = *lowered;
      failedAny |= failed(lowered);
    });
  if (failedAny)
    return nullptr;
  for (auto program : module.getOps<exec::ProgramOp>())
    if (failed(lowerProgram(program, *code, kernels)))
      return nullptr;

  PassManager passes(code->getContext());
  passes.addPass(createCSEPass());
  passes.addPass(createSCFToControlFlowPass());
  passes.addPass(arith::createArithExpandOpsPass());
  passes.addPass(createArithToLLVMConversionPass());
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createConvertFuncToLLVMPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  if (failed(passes.run(*code)))
    return nullptr;

  registerBuiltinDialectTranslation(*code->getContext());
  registerLLVMDialectTranslation(*code->getContext());
  std::unique_ptr<llvm::Module> result = translateModuleToLLVMIR(*code, context, "llmc_module");
  if (!result)
    return nullptr;
  addModuleDescriptor(*result, module, properties, requiredCpu(level));
  return result;
}

/// Marks generated functions so that microkernels of the same level inline into
/// them, and every call of one as to be inlined.
/// The processor has no instruction for it.
static bool roundsDoubleToHalf(const llvm::Module &module) {
  for (const llvm::Function &function : module)
    for (const llvm::Instruction &instruction : llvm::instructions(function))
      if (llvm::isa<llvm::FPTruncInst>(instruction) &&
          instruction.getType()->getScalarType()->isHalfTy() &&
          instruction.getOperand(0)->getType()->getScalarType()->isDoubleTy())
        return true;
  return false;
}

static void setAttributes(llvm::Module &module, cpu::IsaLevel level) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", toRef(cpu::targetCpu(level)));
    function.addFnAttr("target-features", toRef(cpu::targetFeatures(level)));
    function.addFnAttr("no-trapping-math", "true");
    // A loop that copies stays a loop: an artifact calls no library, memcpy included.
    function.addFnAttr("no-builtins");
    function.addFnAttr("prefer-vector-width", level == cpu::IsaLevel::X86_64_V3 ? "256" : "512");
    function.addFnAttr(llvm::Attribute::NoUnwind);
    // A kernel is called once per layer and phase: one copy of it, whatever the depth.
    if (!function.getName().starts_with("llmc_"))
      function.addFnAttr(llvm::Attribute::NoInline);
    for (llvm::BasicBlock &block : function)
      for (llvm::Instruction &instruction : block)
        if (auto *call = dyn_cast<llvm::CallBase>(&instruction))
          if (llvm::Function *callee = call->getCalledFunction();
              callee && callee->getName().starts_with("llmc_uk_"))
            call->addFnAttr(llvm::Attribute::AlwaysInline);
  }
}

LogicalResult cpu::emitObject(llvm::Module &module, IsaLevel level, Location loc,
                              SmallVectorImpl<char> &object) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  llvm::Triple triple(kTriple);
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return emitError(loc, "no code generator for ") << kTriple << ": " << error;
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, toRef(targetCpu(level)), toRef(targetFeatures(level)), llvm::TargetOptions(),
      llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Aggressive));
  module.setTargetTriple(triple);
  module.setDataLayout(machine->createDataLayout());
  setAttributes(module, level);

  std::span<const std::byte> bytes = bitcode(level);
  StringRef text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  auto kernels =
      llvm::parseBitcodeFile(llvm::MemoryBufferRef(text, "microkernels"), module.getContext());
  if (!kernels)
    return emitError(loc, "cannot read the microkernels' bitcode: ")
           << llvm::toString(kernels.takeError());
  (*kernels)->setTargetTriple(triple);
  (*kernels)->setDataLayout(module.getDataLayout());
  // Called by instruction selection only, when linking is over.
  constexpr const char *kRoundToHalf = "__truncdfhf2";
  if (roundsDoubleToHalf(module))
    module.getOrInsertFunction(kRoundToHalf, llvm::Type::getHalfTy(module.getContext()),
                               llvm::Type::getDoubleTy(module.getContext()));
  if (llvm::Linker::linkModules(module, std::move(*kernels), llvm::Linker::Flags::LinkOnlyNeeded))
    return emitError(loc, "cannot link the microkernels");
  llvm::internalizeModule(module, [&](const llvm::GlobalValue &value) {
    return value.getName() == LLMC_MODULE_QUERY_SYMBOL || value.getName() == kRoundToHalf;
  });
  if (llvm::verifyModule(module, &llvm::errs()))
    return emitError(loc, "generated LLVM IR is not valid");

  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = true;
  tuning.SLPVectorization = true;
  llvm::PassBuilder builder(machine.get(), tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(callGraph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, callGraph, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(module, modules);

  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager emission;
  if (machine->addPassesToEmitFile(emission, stream, nullptr, llvm::CodeGenFileType::ObjectFile))
    return emitError(loc, "the target cannot write object files");
  emission.run(module);
  return success();
}

//===- Phases.cpp - the passes of each phase
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "llmc/Conversion/Passes.h"
#include "llmc/Dialect/Exec/IR/ExecOps.h"
#include "llmc/Pipelines/Pipelines.h"
#include "llmc/Transforms/Exec/Passes.h"
#include "llmc/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace llmc;

static constexpr const char *kPhaseNames[] = {"import",    "normalize", "recognize", "specialize",
                                              "partition", "plan",      "codegen",   "pack"};

const char *llmc::phaseName(Phase phase) { return kPhaseNames[int(phase)]; }

std::optional<Phase> llmc::parsePhase(const std::string &name) {
  for (int i = 0; i < int(std::size(kPhaseNames)); ++i)
    if (name == kPhaseNames[i])
      return Phase(i);
  return std::nullopt;
}

void llmc::registerDialects(DialectRegistry &registry) {
  registry.insert<llm::LLMDialect, exec::ExecDialect, func::FuncDialect, arith::ArithDialect,
                  scf::SCFDialect, cf::ControlFlowDialect, LLVM::LLVMDialect>();
}

void llmc::addNormalizePasses(OpPassManager &passes) {
  passes.addPass(createSplitBranches());
  // Before operations are merged that are layouts of several tokens.
  passes.addPass(createGrowStaticCaches());
  passes.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  passes.addNestedPass<func::FuncOp>(createFoldConstants());
  passes.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  passes.addNestedPass<func::FuncOp>(createCSEPass());
  passes.addPass(createVerifyNormalized());
}

void llmc::addRecognizePasses(OpPassManager &passes, bool explain) {
  passes.addNestedPass<func::FuncOp>(createRecognizeLinearAttention());
  // Dequantised matrices of experts, too.
  passes.addNestedPass<func::FuncOp>(createRecognizeQuantizedLinear());
  // Before tables and matrices of single experts are taken for ordinary ones.
  passes.addNestedPass<func::FuncOp>(createRecognizeExperts());
  passes.addNestedPass<func::FuncOp>(createRecognizeLinear());
  passes.addNestedPass<func::FuncOp>(createSplitMergedLinears());
  passes.addNestedPass<func::FuncOp>(createRecognizeNorms());
  passes.addNestedPass<func::FuncOp>(createRecognizeActivations());
  passes.addNestedPass<func::FuncOp>(createRecognizeConvolutions());
  passes.addNestedPass<func::FuncOp>(createRecognizeRotary());
  passes.addNestedPass<func::FuncOp>(createRecognizeAttention());
  // Recognition leaves replaced subgraphs behind, and small constants.
  passes.addNestedPass<func::FuncOp>(createFoldConstants());
  passes.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  passes.addNestedPass<func::FuncOp>(createCSEPass());
  if (explain)
    passes.addNestedPass<func::FuncOp>(createExplainMismatches());
  passes.addPass(createVerifyRecognized());
}

void llmc::addSpecializePasses(OpPassManager &passes, const CompilerOptions &options) {
  passes.addPass(createSplitJointCaches());
  passes.addPass(createSpecializePhases(
      {options.maxBatch, options.maxSeq, std::min(options.prefillChunk, options.maxSeq)}));
  passes.addNestedPass<func::FuncOp>(createAssignCacheTypes({options.cacheType}));
  passes.addNestedPass<func::FuncOp>(createFoldConstants());
  passes.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  passes.addNestedPass<func::FuncOp>(createCSEPass());
  passes.addPass(createVerifySpecialized());
}

void llmc::addPartitionPasses(OpPassManager &passes) {
  passes.addPass(createFoldEqualConstants());
  passes.addNestedPass<func::FuncOp>(createWidenContractions());
  passes.addNestedPass<func::FuncOp>(createCSEPass());
  passes.addPass(createConvertLLMToExec());
  passes.addPass(createRequireSizes());
  passes.addPass(createVerifyPartition());
}

void llmc::addPlanPasses(OpPassManager &passes, int64_t panelWidth) {
  passes.addNestedPass<exec::ProgramOp>(createInsertBarriers());
  passes.addNestedPass<exec::ProgramOp>(createPlanArena());
  passes.addPass(createPlanWeights({panelWidth}));
  passes.addPass(createVerifyPlan());
}

void llmc::registerPasses() {
  registerTransformsPasses();
  registerLLMCTransformsPasses();
  registerLLMCConversionPasses();
  registerLLMCExecPasses();
  PassPipelineRegistration<>("llmc-normalize", "the normalize phase", addNormalizePasses);
  PassPipelineRegistration<>("llmc-recognize", "the recognize phase",
                             [](OpPassManager &passes) { addRecognizePasses(passes); });
  PassPipelineRegistration<>(
      "llmc-specialize", "the specialize phase with default options",
      [](OpPassManager &passes) { addSpecializePasses(passes, CompilerOptions()); });
  PassPipelineRegistration<>("llmc-partition", "the partition phase", addPartitionPasses);
  PassPipelineRegistration<>("llmc-plan", "the plan phase for panels of 32",
                             [](OpPassManager &passes) { addPlanPasses(passes, 32); });
}

//===- Compile.cpp - from an ONNX file to an artifact
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Manifest.h"
#include "llmc/CodeGen/Artifact.h"
#include "llmc/CodeGen/CPU/CodeGen.h"
#include "llmc/Dialect/Exec/IR/ExecOps.h"
#include "llmc/Dialect/Exec/IR/ProgramSymbols.h"
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llmc/Import/ONNX/Importer.h"
#include "llmc/Pipelines/Pipelines.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <fstream>
#ifdef __GLIBC__
#include <malloc.h>
#endif

using namespace mlir;
using namespace llmc;

namespace {

/// One run through the phases.
class Compilation {
public:
  Compilation(const CompilerOptions &options, MLIRContext &context, llvm::raw_ostream &printed)
      : options(options), context(context), printed(printed) {}
  LogicalResult run();

private:
  LogicalResult chooseTarget();
  LogicalResult runPasses(Phase phase, llvm::function_ref<void(OpPassManager &)> add);
  LogicalResult codeGen();
  LogicalResult pack();
  LogicalResult writeObject(StringRef header);
  WeightsCompression compression() const {
    return options.compressWeights ? WeightsCompression::Zstd : WeightsCompression::None;
  }
  void begin(Phase phase);
  /// Prints or saves the IR; true where compilation stops here.
  FailureOr<bool> finish(Phase phase);
  void printModule(llvm::raw_ostream &stream);
  LogicalResult saveTemp(StringRef name, llvm::function_ref<void(llvm::raw_ostream &)> write);

  const CompilerOptions &options;
  MLIRContext &context;
  llvm::raw_ostream &printed;
  cpu::IsaLevel level = cpu::IsaLevel::X86_64_V3;
  OwningOpRef<ModuleOp> module;
  ModuleProperties properties;
  std::string weightsHeader;
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> code;
  SmallVector<char> object;
  std::chrono::steady_clock::time_point phaseStart;
};

LogicalResult Compilation::chooseTarget() {
  Location loc = UnknownLoc::get(&context);
  if (options.cpu == "host") {
    std::optional<cpu::IsaLevel> best;
    for (cpu::IsaLevel candidate : cpu::allIsaLevels)
      if (cpu::hostSupports(candidate))
        best = candidate;
    if (!best)
      return emitError(loc, "this machine's processor is below x86-64-v3 (AVX2, FMA); choose the "
                            "target with --cpu");
    level = *best;
    return success();
  }
  for (cpu::IsaLevel candidate : cpu::allIsaLevels) {
    std::string name(cpu::isaLevelName(candidate));
    std::replace(name.begin(), name.end(), '_', '-');
    // x86_64_v4_vnni is spelled x86-64-v4-vnni.
    if (name == options.cpu) {
      level = candidate;
      return success();
    }
  }
  return emitError(loc, "unknown --cpu '")
         << options.cpu << "'; expected host, x86-64-v3, x86-64-v4 or x86-64-v4-vnni";
}

void Compilation::begin(Phase phase) {
  phaseStart = std::chrono::steady_clock::now();
  if (options.progress)
    options.progress(phase);
}

/// Peak resident memory of this process, in MB.
static double peakMemoryMB() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0)
      return std::strtod(line.c_str() + 6, nullptr) / 1024;
  return 0;
}

void Compilation::printModule(llvm::raw_ostream &stream) {
  module->print(stream, OpPrintingFlags().elideLargeElementsAttrs(64).elideLargeResourceString(0));
  stream << "\n";
}

LogicalResult Compilation::saveTemp(StringRef name,
                                    llvm::function_ref<void(llvm::raw_ostream &)> write) {
  if (options.saveTempsDir.empty())
    return success();
  if (std::error_code error = llvm::sys::fs::create_directories(options.saveTempsDir))
    return emitError(UnknownLoc::get(&context), "cannot create the folder '")
           << options.saveTempsDir << "': " << error.message();
  SmallString<128> path(options.saveTempsDir);
  llvm::sys::path::append(path, name);
  return writeFileAtomically(path, UnknownLoc::get(&context), [&](llvm::raw_pwrite_stream &stream) {
    write(stream);
    return success();
  });
}

FailureOr<bool> Compilation::finish(Phase phase) {
  if (options.timing) {
    std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - phaseStart;
    llvm::errs() << llvm::formatv("{0,-11} {1,8:f3} s   peak {2:f1} MB\n", phaseName(phase),
                                  seconds.count(), peakMemoryMB());
  }
  if (phase <= Phase::Plan) {
    std::string name = std::to_string(int(phase)) + "-" + phaseName(phase) + ".mlir";
    if (failed(saveTemp(name, [&](llvm::raw_ostream &stream) { printModule(stream); })))
      return failure();
  }
  if (options.stopAfter != phase)
    return false;
  if (phase == Phase::CodeGen)
    code->print(printed, nullptr);
  else if (phase <= Phase::Plan)
    printModule(printed);
  return true;
}

LogicalResult Compilation::runPasses(Phase phase, llvm::function_ref<void(OpPassManager &)> add) {
  begin(phase);
  PassManager passes(&context);
  add(passes);
  return passes.run(*module);
}

/// How large `symbol` may be in the prefill phase: the new tokens of a sequence, or the
/// sequences; `otherwise` where there is no such phase.
static int64_t prefillBound(ModuleOp module, const char *symbol, int64_t otherwise) {
  for (auto program : module.getOps<exec::ProgramOp>())
    if (program.getPhase() == "prefill")
      return exec::upperBound(program, DimExpr::symbol(symbol));
  return otherwise;
}

LogicalResult Compilation::codeGen() {
  begin(Phase::CodeGen);
  properties.name = llvm::sys::path::stem(options.input).str();
  properties.maxBatch = prefillBound(*module, "batch", options.maxBatch);
  properties.maxSeq = options.maxSeq;
  properties.prefillChunk =
      prefillBound(*module, "seq", std::min(options.prefillChunk, options.maxSeq));
  properties.blockTokens = options.blockTokens;
  properties.weightsBytes = weightsBytes(*module);
  weightsHeader = makeWeightsHeader(*module, makeManifest(*module, properties, level));
  properties.weightsChecksum = weightsHeaderChecksum(weightsHeader);
  code = cpu::lowerToLLVM(*module, level, properties, llvmContext);
  if (!code)
    return failure();
  if (failed(saveTemp("6-codegen.ll",
                      [&](llvm::raw_ostream &stream) { code->print(stream, nullptr); })))
    return failure();
  if (options.emit == EmitKind::LLVMIR || options.stopAfter == Phase::CodeGen)
    return success();
  if (failed(cpu::emitObject(*code, level, module->getLoc(), object)) ||
      failed(saveTemp("6-codegen.opt.ll",
                      [&](llvm::raw_ostream &stream) { code->print(stream, nullptr); })))
    return failure();
  return saveTemp("6-codegen.o",
                  [&](llvm::raw_ostream &stream) { stream.write(object.data(), object.size()); });
}

/// `.o`, a header that declares the query function, and the weights.
LogicalResult Compilation::writeObject(StringRef header) {
  SmallString<128> base(options.output);
  llvm::sys::path::replace_extension(base, "");
  auto write = [&](StringRef extension, StringRef bytes) {
    return writeFileAtomically((base + extension).str(), module->getLoc(),
                               [&](llvm::raw_pwrite_stream &stream) {
                                 stream << bytes;
                                 return success();
                               });
  };
  std::string declarations =
      "/* " + properties.name +
      ", compiled by llmc. Load with llmc_module_load_static(\n"
      " * llmc_module_query, weights, ...) of llmc-c/Runtime.h. */\n"
      "#ifndef LLMC_GENERATED_MODULE_H\n#define LLMC_GENERATED_MODULE_H\n\n"
      "#include \"llmc-c/ModuleABI.h\"\n\n#ifdef __cplusplus\nextern \"C\"\n#endif\n"
      "const llmc_module_desc_t *llmc_module_query(uint32_t abi_version);\n\n#endif\n";
  if (failed(writeWeightsFile(*module, (base + ".weights").str(), header, compression(), level)) ||
      failed(write(".h", declarations)))
    return failure();
  return write(".o", StringRef(object.data(), object.size()));
}

LogicalResult Compilation::pack() {
  begin(Phase::Pack);
  Location loc = module->getLoc();
  switch (options.emit) {
  case EmitKind::MLIR:
    return writeFileAtomically(options.output, loc, [&](llvm::raw_pwrite_stream &stream) {
      printModule(stream);
      return success();
    });
  case EmitKind::LLVMIR:
    return writeFileAtomically(options.output, loc, [&](llvm::raw_pwrite_stream &stream) {
      code->print(stream, nullptr);
      return success();
    });
  case EmitKind::Object:
    return writeObject(weightsHeader);
  case EmitKind::Artifact:
    break;
  }
  // Code is done: its memory is better spent on the weights.
  code.reset();
#ifdef __GLIBC__
  malloc_trim(0); // the heap keeps what is freed otherwise, a fifth of the peak
#endif
  SmallVector<char> shared;
  if (failed(linkSharedObject(object, loc, shared)))
    return failure();
  return writeArtifact(*module, options.output,
                       {shared, weightsHeader, options.externalWeights, compression()}, level);
}

LogicalResult Compilation::run() {
  if (failed(chooseTarget()))
    return failure();
  begin(Phase::Import);
  module = StringRef(options.input).ends_with(".mlir")
               ? parseSourceFile<ModuleOp>(options.input, &context)
               : importONNX(options.input, context);
  if (!module)
    return failure();
  if (!options.int8Activations)
    module->walk([](llm::LinearOp linear) { linear.setActivations(llm::Activations::f32); });
  int64_t panelWidth = cpu::panelWidthF32(level);
  auto phase = [&](Phase which, LogicalResult result) -> FailureOr<bool> {
    if (failed(result))
      return failure();
    return finish(which);
  };
  const std::pair<Phase, std::function<LogicalResult()>> phases[] = {
      {Phase::Import, [] { return success(); }},
      {Phase::Normalize, [&] { return runPasses(Phase::Normalize, addNormalizePasses); }},
      {Phase::Recognize,
       [&] {
         return runPasses(Phase::Recognize, [](OpPassManager &pm) { addRecognizePasses(pm); });
       }},
      {Phase::Specialize,
       [&] {
         return runPasses(Phase::Specialize,
                          [&](OpPassManager &pm) { addSpecializePasses(pm, options); });
       }},
      {Phase::Partition, [&] { return runPasses(Phase::Partition, addPartitionPasses); }},
      {Phase::Plan,
       [&] {
         return runPasses(Phase::Plan, [&](OpPassManager &pm) { addPlanPasses(pm, panelWidth); });
       }},
      {Phase::CodeGen,
       [&] {
         bool isNeeded = options.emit != EmitKind::MLIR || options.stopAfter == Phase::CodeGen;
         return isNeeded ? codeGen() : success();
       }},
      {Phase::Pack, [&] { return pack(); }},
  };
  for (const auto &[which, runPhase] : phases) {
    FailureOr<bool> stop = phase(which, runPhase());
    if (failed(stop))
      return failure();
    if (*stop)
      return success();
  }
  return success();
}

} // namespace

LogicalResult llmc::compile(const CompilerOptions &options, MLIRContext &context,
                            llvm::raw_ostream &printed) {
  return Compilation(options, context, printed).run();
}

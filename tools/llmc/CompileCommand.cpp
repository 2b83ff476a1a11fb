//===- CompileCommand.cpp - llmc compile
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "llmc/Pipelines/Pipelines.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/WithColor.h"

#include <CLI/CLI.hpp>

using namespace llmc;

namespace {

struct CompileFlags {
  std::string input, output, target = "cpu", cpu = "host", weights = "embedded";
  std::string weightsCompression = "none";
  std::string activations = "int8", cacheType = "f32", emit = "artifact", stopAfter, saveTemps;
  int64_t maxBatch = 4, maxSeq = 2048, prefillChunk = 512, blockTokens = 64;
  bool timing = false;

  void addTo(CLI::App &app) {
    app.add_option("model", input, "The model: an .onnx file, or ONNX text as .onnxtxt")
        ->type_name("M.onnx")
        ->required();
    app.add_option("-o", output, "Output file")->type_name("M.llmc");
    app.add_option("--target", target, "Back end: cpu")->capture_default_str();
    app.add_option("--cpu", cpu, "host, x86-64-v3, x86-64-v4 or x86-64-v4-vnni")
        ->capture_default_str();
    app.add_option("--max-batch", maxBatch, "Most sequences in one step")->capture_default_str();
    app.add_option("--max-seq", maxSeq, "Most tokens of a sequence, past and new")
        ->capture_default_str();
    app.add_option("--prefill-chunk", prefillChunk, "Most new tokens of a sequence in one step")
        ->capture_default_str();
    app.add_option("--kv-cache", cacheType,
                   "Keys and values are stored as f32, f16, bf16 or int8 (with a scale per head "
                   "and token)")
        ->capture_default_str();
    app.add_option("--kv-block", blockTokens, "Tokens per block of the cache, a power of two")
        ->capture_default_str();
    app.add_option("--weights", weights, "embedded or external")->capture_default_str();
    app.add_option("--weights-compression", weightsCompression,
                   "none, or zstd: smaller files, whose weights are decompressed into memory at "
                   "load")
        ->capture_default_str();
    app.add_option("--activations", activations,
                   "Inputs of 4-bit products: int8 (where the node's accuracy level allows it) "
                   "or f32")
        ->capture_default_str();
    app.add_option("--emit", emit, "artifact, object, llvm-ir or mlir")->capture_default_str();
    app.add_option("--stop-after", stopAfter,
                   "Print the IR after a phase: import, normalize, recognize, specialize, "
                   "partition, plan or codegen")
        ->type_name("PHASE");
    app.add_option("--save-temps", saveTemps, "Keep the IR of every phase in a folder")
        ->type_name("DIR");
    app.add_flag("--timing", timing, "Print time and peak memory per phase, and remarks");
  }
};

int usageError(const llvm::Twine &message) {
  llvm::WithColor::error(llvm::errs(), "llmc compile") << message << "\n";
  return 1;
}

/// Errors with the place they come from, warnings, and notes; remarks are for
/// people at a terminal who ask with --timing.
void printDiagnostic(mlir::Diagnostic &diagnostic, bool verbose) {
  if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Remark && !verbose)
    return;
  static constexpr const char *const names[] = {"note", "warning", "error", "remark"};
  llvm::errs() << names[int(diagnostic.getSeverity())] << ": ";
  if (!llvm::isa<mlir::UnknownLoc>(diagnostic.getLocation()))
    llvm::errs() << diagnostic.getLocation() << ": ";
  llvm::errs() << diagnostic << "\n";
  for (mlir::Diagnostic &note : diagnostic.getNotes())
    printDiagnostic(note, verbose);
}

} // namespace

int llmc::runCompileCommand(int argc, char **argv) {
  CompileFlags flags;
  CLI::App app("Compiles an ONNX model into one artifact", argv[0]);
  flags.addTo(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    // Help is an exception, too.
    return error.get_exit_code() == 0 ? app.exit(error) : usageError(error.what());
  }

  CompilerOptions options;
  options.input = flags.input;
  options.output = flags.output;
  options.cpu = flags.cpu;
  options.maxBatch = flags.maxBatch;
  options.maxSeq = flags.maxSeq;
  options.prefillChunk = flags.prefillChunk;
  options.saveTempsDir = flags.saveTemps;
  options.timing = flags.timing;
  if (flags.target != "cpu")
    return usageError("unknown --target '" + flags.target + "'; expected cpu");
  for (auto [name, value, most] :
       {std::tuple("max-batch", options.maxBatch, int64_t(1) << 16),
        std::tuple("max-seq", options.maxSeq, int64_t(1) << 24),
        std::tuple("prefill-chunk", options.prefillChunk, int64_t(1) << 20)})
    if (value < 1 || value > most)
      return usageError(llvm::Twine("--") + name + "=" + llvm::Twine(value) +
                        " is not between 1 and " + llvm::Twine(most));
  if (!llvm::is_contained({"f32", "f16", "bf16", "int8"}, flags.cacheType))
    return usageError("unknown --kv-cache '" + flags.cacheType +
                      "'; expected f32, f16, bf16 or int8");
  options.cacheType = flags.cacheType;
  if (flags.blockTokens < 1 || flags.blockTokens > 4096 ||
      !llvm::isPowerOf2_64(uint64_t(flags.blockTokens)))
    return usageError("--kv-block=" + llvm::Twine(flags.blockTokens) +
                      " is no power of two between 1 and 4096");
  options.blockTokens = flags.blockTokens;
  if (flags.weights != "embedded" && flags.weights != "external")
    return usageError("unknown --weights '" + flags.weights + "'; expected embedded or external");
  options.externalWeights = flags.weights == "external";
  if (flags.weightsCompression != "none" && flags.weightsCompression != "zstd")
    return usageError("unknown --weights-compression '" + flags.weightsCompression +
                      "'; expected none or zstd");
  options.compressWeights = flags.weightsCompression == "zstd";
  if (flags.activations != "int8" && flags.activations != "f32")
    return usageError("unknown --activations '" + flags.activations + "'; expected f32 or int8");
  options.int8Activations = flags.activations == "int8";
  if (flags.emit == "object")
    options.emit = EmitKind::Object;
  else if (flags.emit == "llvm-ir")
    options.emit = EmitKind::LLVMIR;
  else if (flags.emit == "mlir")
    options.emit = EmitKind::MLIR;
  else if (flags.emit != "artifact")
    return usageError("unknown --emit '" + flags.emit +
                      "'; expected artifact, object, llvm-ir or mlir");
  if (!flags.stopAfter.empty()) {
    options.stopAfter = parsePhase(flags.stopAfter);
    if (!options.stopAfter || *options.stopAfter == Phase::Pack)
      return usageError("unknown phase '" + flags.stopAfter +
                        "'; expected import, normalize, recognize, specialize, partition, plan or "
                        "codegen");
  }
  if (options.output.empty() && !options.stopAfter)
    return usageError("no output given; add -o M.llmc");
  if (llvm::sys::fs::is_directory(options.output))
    return usageError("the output '" + options.output + "' is a folder");

  bool showProgress = llvm::sys::Process::StandardErrIsDisplayed() && !options.timing;
  if (showProgress)
    options.progress = [](Phase phase) {
      llvm::errs() << "\r\033[K[" << int(phase) + 1 << "/8] " << phaseName(phase) << " ..."
                   << (phase == Phase::Pack ? "\n" : "");
    };

  mlir::DialectRegistry registry;
  registerDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  context.printOpOnDiagnostic(false);
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    printDiagnostic(diagnostic, options.timing);
    return mlir::success();
  });
  return mlir::succeeded(compile(options, context, llvm::outs())) ? 0 : 1;
}

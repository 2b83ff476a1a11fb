//===- InspectCommand.cpp - llmc inspect
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "llmc-c/ModuleABI.h"
#include "llmc/Dialect/LLM/IR/Dims.h"
#include "llmc/Import/ONNX/Importer.h"
#include "llmc/Pipelines/Pipelines.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/WithColor.h"

#include <CLI/CLI.hpp>

using namespace llmc;

static int fail(const llvm::Twine &message) {
  llvm::WithColor::error(llvm::errs(), "llmc inspect") << message << "\n";
  return 1;
}

static std::string megabytes(int64_t bytes) {
  return llvm::formatv("{0:f2} MB", double(bytes) / 1e6).str();
}

static void printTensors(llvm::StringRef title, const llvm::json::Array *tensors) {
  if (!tensors || tensors->empty())
    return;
  llvm::outs() << "  " << title << "\n";
  for (const llvm::json::Value &value : *tensors) {
    const llvm::json::Object &tensor = *value.getAsObject();
    llvm::outs() << "    " << tensor.getString("name").value_or("") << ": "
                 << tensor.getString("type").value_or("") << " [";
    const llvm::json::Array *dims = tensor.getArray("dims");
    for (size_t i = 0; dims && i < dims->size(); ++i)
      llvm::outs() << (i ? ", " : "") << (*dims)[i].getAsString().value_or("?");
    llvm::outs() << "]\n";
  }
}

static void printPhase(const llvm::json::Object &phase) {
  llvm::outs() << "phase " << phase.getString("name").value_or("") << " ("
               << phase.getString("kind").value_or("")
               << "): " << phase.getInteger("dispatches").value_or(0) << " dispatches, "
               << phase.getInteger("barriers").value_or(0) << " barriers, arena "
               << megabytes(phase.getInteger("arena_bytes").value_or(0)) << " (lower bound "
               << megabytes(phase.getInteger("arena_lower_bound").value_or(0)) << ")\n";
  if (const llvm::json::Array *symbols = phase.getArray("symbols")) {
    llvm::outs() << "  sizes";
    for (const llvm::json::Value &value : *symbols) {
      const llvm::json::Object &symbol = *value.getAsObject();
      llvm::outs() << "  " << symbol.getString("name").value_or("") << " in ["
                   << symbol.getInteger("min").value_or(0) << ", "
                   << symbol.getInteger("max").value_or(0) << "]";
    }
    llvm::outs() << "\n";
  }
  printTensors("inputs", phase.getArray("inputs"));
  printTensors("outputs", phase.getArray("outputs"));
  if (const llvm::json::Array *states = phase.getArray("states"); states && !states->empty()) {
    int64_t bytes = 0;
    for (const llvm::json::Value &value : *states)
      bytes += value.getAsObject()->getInteger("bytes_per_token").value_or(0);
    llvm::outs() << "  caches: " << states->size() << " states, " << bytes << " bytes per token\n";
  }
}

static int inspectArtifact(llvm::StringRef path, llvm::StringRef bytes) {
  llmc_artifact_trailer_t trailer;
  memcpy(&trailer, bytes.data() + bytes.size() - sizeof(trailer), sizeof(trailer));
  std::unique_ptr<llvm::MemoryBuffer> external;
  llvm::StringRef weights;
  if (trailer.flags & LLMC_ARTIFACT_EXTERNAL_WEIGHTS) {
    auto file = llvm::MemoryBuffer::getFile(path + ".weights", false, false);
    if (!file)
      return fail("cannot read '" + path + ".weights': " + file.getError().message());
    external = std::move(*file);
    weights = external->getBuffer();
  } else {
    if (trailer.safetensors_offset > bytes.size() ||
        trailer.safetensors_size > bytes.size() - trailer.safetensors_offset)
      return fail("'" + path + "' is truncated: its weights end after the file");
    weights = bytes.substr(trailer.safetensors_offset, trailer.safetensors_size);
  }
  uint64_t length = 0;
  if (weights.size() >= 8)
    memcpy(&length, weights.data(), 8);
  if (weights.size() < 8 || length > weights.size() - 8)
    return fail("'" + path + "' has a broken weights header");
  auto header = llvm::json::parse(weights.substr(8, length));
  if (!header)
    return fail("'" + path +
                "' has a broken weights header: " + llvm::toString(header.takeError()));
  const llvm::json::Object *root = header->getAsObject();
  const llvm::json::Object *metadata = root ? root->getObject("__metadata__") : nullptr;
  auto text = metadata ? metadata->getString("llmc.manifest") : std::nullopt;
  if (!text)
    return fail("'" + path + "' has no manifest");
  auto manifest = llvm::json::parse(*text);
  if (!manifest || !manifest->getAsObject())
    return fail("'" + path + "' has a broken manifest");
  const llvm::json::Object &object = *manifest->getAsObject();
  struct Weight {
    int64_t begin, end;
    llvm::StringRef name, type;
    std::string shape;
  };
  std::vector<Weight> weightList;
  for (const auto &entry : *root) {
    const llvm::json::Object *tensor = entry.second.getAsObject();
    llvm::StringRef name = entry.first;
    const llvm::json::Array *range = tensor ? tensor->getArray("data_offsets") : nullptr;
    if (name.starts_with("__") || !range || range->size() != 2)
      continue;
    Weight weight{(*range)[0].getAsInteger().value_or(0), (*range)[1].getAsInteger().value_or(0),
                  name, tensor->getString("dtype").value_or(""), ""};
    if (const llvm::json::Array *shape = tensor->getArray("shape"))
      for (const llvm::json::Value &dim : *shape)
        weight.shape +=
            (weight.shape.empty() ? "" : "x") + std::to_string(dim.getAsInteger().value_or(0));
    weightList.push_back(std::move(weight));
  }
  llvm::sort(weightList, [](const Weight &a, const Weight &b) { return a.begin < b.begin; });
  int64_t tensors = weightList.size();
  llvm::outs() << "artifact of " << object.getString("model").value_or("") << ", by "
               << metadata->getString("llmc.producer").value_or("") << "\n"
               << "target " << object.getString("cpu").value_or("") << ", max batch "
               << object.getInteger("max_batch").value_or(0) << ", max sequence "
               << object.getInteger("max_seq").value_or(0) << ", prefill chunk "
               << object.getInteger("prefill_chunk").value_or(0) << ", cache blocks of "
               << object.getInteger("block_tokens").value_or(0) << " tokens\n"
               << "code " << megabytes(trailer.elf_size) << ", weights " << tensors << " tensors, "
               << megabytes(object.getInteger("weights_bytes").value_or(0))
               << (external ? " in an external file" : "") << "\n";
  if (const llvm::json::Array *phases = object.getArray("phases"))
    for (const llvm::json::Value &phase : *phases)
      printPhase(*phase.getAsObject());
  if (const llvm::json::Array *kernels = object.getArray("kernels")) {
    llvm::outs() << "kernels: " << kernels->size() << "\n";
    for (const llvm::json::Value &value : *kernels) {
      const llvm::json::Object &kernel = *value.getAsObject();
      llvm::outs() << llvm::formatv("  {0,-24} {1,4} dispatches\n",
                                    kernel.getString("name").value_or(""),
                                    kernel.getInteger("dispatches").value_or(0));
    }
  }
  llvm::outs() << "weights (packed ones as bytes):\n";
  for (const Weight &weight : weightList)
    llvm::outs() << llvm::formatv("  {0,12} bytes  {1,-4} {2,-14} {3}\n", weight.end - weight.begin,
                                  weight.type, weight.shape, weight.name);
  return 0;
}

/// The signature, and what recognition makes of the graph.
static int inspectModel(llvm::StringRef path) {
  mlir::DialectRegistry registry;
  registerDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  mlir::OwningOpRef<mlir::ModuleOp> module = importONNX(path, context);
  if (!module)
    return 1;
  mlir::PassManager passes(&context);
  addNormalizePasses(passes);
  addRecognizePasses(passes);
  if (mlir::failed(passes.run(*module)))
    return 1;
  for (auto func : module->getOps<mlir::func::FuncOp>()) {
    llvm::outs() << "function " << func.getSymName() << "\n";
    auto print = [](llvm::StringRef kind, mlir::Type type, mlir::Attribute name) {
      auto tensor = llvm::cast<mlir::RankedTensorType>(type);
      auto text = llvm::dyn_cast_or_null<mlir::StringAttr>(name);
      llvm::outs() << "  " << kind << " " << (text ? text.getValue() : "") << ": "
                   << tensor.getElementType() << " " << llm::formatDims(llm::getDims(tensor))
                   << "\n";
    };
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      print("input", func.getArgumentTypes()[i], func.getArgAttr(i, "llm.name"));
    for (unsigned i = 0; i < func.getNumResults(); ++i)
      print("output", func.getResultTypes()[i], func.getResultAttr(i, "llm.name"));
    llvm::MapVector<llvm::StringRef, int> histogram;
    for (mlir::Operation &op : func.front().without_terminator())
      ++histogram[op.getName().getStringRef()];
    llvm::outs() << "  operations after recognition:";
    for (auto [name, count] : histogram)
      llvm::outs() << " " << name << " x" << count;
    llvm::outs() << "\n";
  }
  return 0;
}

int llmc::runInspectCommand(int argc, char **argv) {
  std::string input;
  CLI::App app("Describes an ONNX file or an artifact", argv[0]);
  app.add_option("file", input, "An ONNX model or a compiled artifact")
      ->type_name("FILE")
      ->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    // Help is an exception, too.
    return error.get_exit_code() == 0 ? app.exit(error) : fail(error.what());
  }
  auto file = llvm::MemoryBuffer::getFile(input, /*IsText=*/false,
                                          /*RequiresNullTerminator=*/false);
  if (!file)
    return fail("cannot read '" + input + "': " + file.getError().message());
  llvm::StringRef bytes = (*file)->getBuffer();
  if (bytes.size() > sizeof(llmc_artifact_trailer_t) &&
      bytes.substr(bytes.size() - sizeof(llmc_artifact_trailer_t)).starts_with(LLMC_ARTIFACT_MAGIC))
    return inspectArtifact(input, bytes);
  return inspectModel(input);
}

//===- InspectCommand.cpp - llmc inspect
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ArtifactHeader.h"
#include "Commands.h"
#include "InspectMemory.h"
#include "llmc/Analysis/ModelStructure.h"
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
    int64_t perToken = 0, perSequence = 0;
    llvm::StringRef tokenType;
    for (const llvm::json::Value &value : *states) {
      if (auto bytes = value.getAsObject()->getInteger("bytes_per_token")) {
        perToken += *bytes;
        tokenType = value.getAsObject()->getString("type").value_or("");
      }
      perSequence += value.getAsObject()->getInteger("bytes_per_sequence").value_or(0);
    }
    llvm::outs() << "  caches: " << states->size() << " states, " << perToken << " bytes per token";
    if (!tokenType.empty())
      llvm::outs() << " as " << tokenType;
    if (perSequence)
      llvm::outs() << ", " << perSequence << " bytes per sequence";
    llvm::outs() << "\n";
  }
}

static int inspectArtifact(const ArtifactHeader &artifact) {
  const llvm::json::Object &object = artifact.manifest();
  struct Weight {
    int64_t begin, end;
    llvm::StringRef name, type;
    std::string shape;
  };
  std::vector<Weight> weightList;
  for (const auto &entry : artifact.tensors()) {
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
               << artifact.producer() << "\n"
               << "target " << object.getString("cpu").value_or("") << ", max batch "
               << object.getInteger("max_batch").value_or(0) << ", max sequence "
               << object.getInteger("max_seq").value_or(0) << ", prefill chunk "
               << object.getInteger("prefill_chunk").value_or(0) << ", cache blocks of "
               << object.getInteger("block_tokens").value_or(0) << " tokens\n"
               << "code " << megabytes(artifact.trailer().elf_size) << ", weights " << tensors
               << " tensors, " << megabytes(object.getInteger("weights_bytes").value_or(0))
               << (artifact.compressedBytes()
                       ? ", compressed to " + megabytes(*artifact.compressedBytes())
                       : "")
               << (artifact.hasExternalWeights() ? " in an external file" : "") << "\n";
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

static void printSignature(mlir::func::FuncOp func) {
  auto print = [](llvm::StringRef kind, mlir::Type type, mlir::Attribute name) {
    auto tensor = llvm::cast<mlir::RankedTensorType>(type);
    auto text = llvm::dyn_cast_or_null<mlir::StringAttr>(name);
    llvm::outs() << "  " << kind << " " << (text ? text.getValue() : "") << ": "
                 << tensor.getElementType() << " " << llm::formatDims(llm::getDims(tensor)) << "\n";
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

static void printLayer(llvm::StringRef title, const LayerStructure &layer) {
  if (layer.lines.empty())
    return;
  llvm::outs() << "  " << title << "\n";
  for (const StructureLine &line : layer.lines) {
    std::string name = line.operation;
    if (line.count > 1)
      name += " x" + std::to_string(line.count);
    llvm::outs() << llvm::formatv("    {0,-20} {1}\n", name, line.details);
  }
}

/// Per layer, with equal layers in a row told once.
static void printStructure(const ModelStructure &structure) {
  printLayer("before the layers", structure.before);
  const std::vector<LayerStructure> &layers = structure.layers;
  for (size_t first = 0, next; first < layers.size(); first = next) {
    next = first + 1;
    while (next < layers.size() && layers[next] == layers[first])
      ++next;
    std::string title = "layer " + std::to_string(first);
    if (next - first > 1)
      title = "layers " + std::to_string(first) + " to " + std::to_string(next - 1) + ", alike";
    printLayer(title, layers[first]);
  }
  printLayer("after the layers", structure.after);
  if (structure.unmatched.empty())
    llvm::outs() << "  every attention, norm, rotary and linear was recognised\n";
  for (const UnmatchedPattern &left : structure.unmatched)
    llvm::outs() << "  not recognised: " << left.pattern << " at node '" << left.where
                 << "': " << left.reason << "\n";
}

static llvm::json::Object histogramOf(const LayerStructure &layer) {
  llvm::json::Object object;
  for (const auto &[name, count] : layer.histogram)
    object[name] = count;
  return object;
}

static llvm::json::Object structureToJson(mlir::func::FuncOp func,
                                          const ModelStructure &structure) {
  llvm::json::Array layers, unmatched;
  for (const LayerStructure &layer : structure.layers)
    layers.push_back(histogramOf(layer));
  for (const UnmatchedPattern &left : structure.unmatched)
    unmatched.push_back(llvm::json::Object{
        {"pattern", left.pattern}, {"node", left.where}, {"reason", left.reason}});
  return llvm::json::Object{{"function", func.getSymName()},
                            {"before", histogramOf(structure.before)},
                            {"layers", std::move(layers)},
                            {"after", histogramOf(structure.after)},
                            {"unmatched", std::move(unmatched)}};
}

namespace {
enum class ModelView { Signature, Graph, GraphJson };
} // namespace

/// The signature, and what recognition makes of the graph.
static int inspectModel(llvm::StringRef path, ModelView view) {
  mlir::DialectRegistry registry;
  registerDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  mlir::OwningOpRef<mlir::ModuleOp> module = importONNX(path, context);
  if (!module)
    return 1;
  mlir::PassManager passes(&context);
  addNormalizePasses(passes);
  addRecognizePasses(passes, /*explain=*/view != ModelView::Signature);
  if (mlir::failed(passes.run(*module)))
    return 1;
  llvm::json::Array functions;
  for (auto func : module->getOps<mlir::func::FuncOp>()) {
    if (func->hasAttr("llm.stateful_source"))
      continue; // another one, again
    if (view == ModelView::GraphJson) {
      functions.push_back(structureToJson(func, analyzeStructure(func)));
      continue;
    }
    llvm::outs() << "function " << func.getSymName() << "\n";
    if (view == ModelView::Signature)
      printSignature(func);
    else
      printStructure(analyzeStructure(func));
  }
  if (view == ModelView::GraphJson)
    llvm::outs() << llvm::formatv("{0:2}", llvm::json::Value(std::move(functions))) << "\n";
  return 0;
}

int llmc::runInspectCommand(int argc, char **argv) {
  std::string input, html;
  bool graph = false, json = false, memory = false;
  MemorySizes sizes;
  CLI::App app("Describes an ONNX file or an artifact", argv[0]);
  app.add_option("file", input, "An ONNX model or a compiled artifact")
      ->type_name("FILE")
      ->required();
  app.add_flag("--graph", graph,
               "Of an ONNX model: the recognised operations of each layer, and what was not "
               "recognised and why");
  app.add_flag("--json", json, "With --graph: counts per layer as JSON");
  app.add_flag(
      "--memory", memory,
      "Of an artifact: weights, arena, caches, their peak and the formula for other sizes");
  app.add_option("--html", html, "With --memory: draw the plan of the arena into a page")
      ->type_name("F.html");
  app.add_option("--batch", sizes.batch,
                 "With --memory: sequences of a step, at most the artifact's")
      ->type_name("N");
  app.add_option("--sequences", sizes.sequences,
                 "With --memory: sequences that a session holds, at least a batch")
      ->type_name("N");
  app.add_option("--seq", sizes.seq, "With --memory: tokens of a sequence, at most the artifact's")
      ->type_name("N");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    // Help is an exception, too.
    return error.get_exit_code() == 0 ? app.exit(error) : fail(error.what());
  }
  if (json && !graph)
    return fail("--json goes with --graph");
  if (!memory && (!html.empty() || sizes.batch || sizes.sequences || sizes.seq))
    return fail("--html, --batch, --sequences and --seq go with --memory");
  auto file = llvm::MemoryBuffer::getFile(input, /*IsText=*/false,
                                          /*RequiresNullTerminator=*/false);
  if (!file)
    return fail("cannot read '" + input + "': " + file.getError().message());
  llvm::StringRef bytes = (*file)->getBuffer();
  if (ArtifactHeader::isArtifact(bytes)) {
    if (graph)
      return fail("--graph describes ONNX models; '" + input + "' is an artifact");
    auto artifact = ArtifactHeader::read(input, bytes);
    if (!artifact)
      return fail(llvm::toString(artifact.takeError()));
    if (!memory)
      return inspectArtifact(*artifact);
    if (llvm::Error error = inspectMemory(*artifact, sizes, html))
      return fail(llvm::toString(std::move(error)));
    return 0;
  }
  if (memory)
    return fail("--memory describes artifacts; '" + input + "' is none: compile it first");
  return inspectModel(input, json    ? ModelView::GraphJson
                             : graph ? ModelView::Graph
                                     : ModelView::Signature);
}

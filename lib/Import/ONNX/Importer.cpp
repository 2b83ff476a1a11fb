//===- Importer.cpp - the import phase
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Checks the model's frame (opsets, inputs, outputs), walks its graph into one
// function, and verifies the result. On any error nothing is given back.
//
//===----------------------------------------------------------------------===//
#include "llmc/Import/ONNX/Importer.h"
#include "Scope.h"
#include "mlir/IR/Iterators.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::importer;

namespace {

class ModelImporter {
public:
  ModelImporter(std::shared_ptr<ModelFile> file, MLIRContext &context, const ImportOptions &options)
      : file(std::move(file)), options(options), builder(&context) {}

  OwningOpRef<ModuleOp> run();

private:
  Location fileLocation() { return FileLineColLoc::get(builder.getContext(), file->path(), 0, 0); }
  void error(const Twine &message) {
    emitError(fileLocation()) << message;
    hasFailed = true;
  }
  bool readOpsets();
  bool readInputs();
  bool readInput(const ValueInfoProto &input);
  bool finish(GraphWalk &walk, Scope &scope, func::FuncOp function);
  bool checkOutput(const ValueInfoProto &output, Value value);

  std::shared_ptr<ModelFile> file;
  const ImportOptions &options;
  OpBuilder builder;
  Symbols symbols;
  OpsetImports opsets;
  SmallVector<Type> inputTypes;
  SmallVector<std::string> inputNames;
  bool hasFailed = false;
};

} // namespace

bool ModelImporter::readOpsets() {
  for (const auto &import : file->proto().opset_import())
    opsets[canonicalDomain(import.domain())] = import.version();
  if (opsets.empty())
    error("the model imports no opset");
  int64_t version = opsets.lookup("");
  if (opsets.contains("") && (version < 1 || version > 28))
    error("opset " + Twine(version) + " is not supported; 1 to 28 are");
  return !hasFailed;
}

bool ModelImporter::readInput(const ValueInfoProto &input) {
  const std::string &name = input.name();
  if (name.empty() || llvm::is_contained(inputNames, name)) {
    error(name.empty() ? Twine("an input has no name")
                       : "input '" + Twine(name) + "' is defined twice");
    return false;
  }
  if (!input.type().has_tensor_type() || !input.type().tensor_type().has_shape()) {
    error("input '" + name + "' is not a tensor with a shape");
    return false;
  }
  if (input.type().tensor_type().shape().dim_size() > kMaxRank) {
    error("input '" + name + "' has more than " + Twine(kMaxRank) + " dimensions");
    return false;
  }
  int dataType = input.type().tensor_type().elem_type();
  Type element = elementType(builder.getContext(), dataType);
  if (!element) {
    error("input '" + name + "': data type " + dataTypeName(dataType) + " is not supported");
    return false;
  }
  std::string problem;
  std::optional<Dims> dims = symbols.inputDims(file->proto().graph(), input, problem);
  // A symbol and a 0 count as 1: the other sizes are multiplied for strides.
  DimExpr fixed = 1;
  for (const DimExpr &dim : dims.value_or(llm::Dims()))
    fixed = fixed * DimExpr(std::max<int64_t>(1, dim.constant().value_or(1)));
  if (dims && *fixed.constant() > options.maxElements)
    problem = "dimensions without sense: " + llm::formatDims(*dims);
  if (!problem.empty()) {
    error("input '" + name + "': " + problem);
    return false;
  }
  if (name == "input_ids" || inputNames.empty())
    symbols.protect(*dims);
  if (element.isInteger() && !element.isInteger(1) && dims->size() == 2)
    symbols.addPositive(*dims);
  inputNames.push_back(name);
  inputTypes.push_back(llm::makeTensorType(*dims, element));
  return true;
}

bool ModelImporter::readInputs() {
  llvm::StringSet<> initializers;
  for (const TensorProto &tensor : file->proto().graph().initializer())
    initializers.insert(tensor.name());
  // Old models list their weights among the inputs.
  for (const ValueInfoProto &input : file->proto().graph().input())
    if (!initializers.contains(input.name()))
      readInput(input);
  return !hasFailed;
}

bool ModelImporter::checkOutput(const ValueInfoProto &output, Value value) {
  if (!output.type().has_tensor_type())
    return true;
  const auto &declared = output.type().tensor_type();
  auto type = cast<RankedTensorType>(value.getType());
  Type element = elementType(builder.getContext(), declared.elem_type());
  if (declared.elem_type() != TensorProto::UNDEFINED && element != type.getElementType()) {
    error("output '" + output.name() + "' is declared as " + dataTypeName(declared.elem_type()) +
          " but has another data type");
    return false;
  }
  if (declared.has_shape() && declared.shape().dim_size() != type.getRank()) {
    error("output '" + output.name() + "' is declared with rank " +
          Twine(declared.shape().dim_size()) + " but has shape " +
          llm::formatDims(llm::getDims(value)));
    return false;
  }
  return true;
}

bool ModelImporter::finish(GraphWalk &walk, Scope &scope, func::FuncOp function) {
  SmallVector<Value> results;
  SmallVector<Attribute> resultAttrs, argumentAttrs;
  auto named = [&](const std::string &name) {
    return builder.getDictionaryAttr(builder.getNamedAttr("llm.name", builder.getStringAttr(name)));
  };
  llvm::StringSet<> seen;
  for (const ValueInfoProto &output : file->proto().graph().output()) {
    if (!seen.insert(output.name()).second)
      error("output '" + output.name() + "' is given twice");
    Value value = walk.lookup(scope, output.name(), "the graph's outputs", fileLocation());
    if (!value || !checkOutput(output, value))
      continue;
    results.push_back(value);
    resultAttrs.push_back(named(output.name()));
  }
  if (hasFailed || walk.errorCount())
    return false;
  if (results.empty())
    error("the graph has no outputs");
  for (const std::string &name : inputNames)
    argumentAttrs.push_back(named(name));
  func::ReturnOp::create(builder, fileLocation(), results);
  function.setType(builder.getFunctionType(function.getBody().getArgumentTypes(),
                                           ValueRange(results).getTypes()));
  function.setArgAttrsAttr(builder.getArrayAttr(argumentAttrs));
  function.setResAttrsAttr(builder.getArrayAttr(resultAttrs));
  return !hasFailed;
}

/// Integer arithmetic that folded away leaves unused constants behind.
static void eraseUnused(func::FuncOp function) {
  function.walk<WalkOrder::PostOrder, ReverseIterator>([](Operation *op) {
    if (isOpTriviallyDead(op))
      op->erase();
  });
}

OwningOpRef<ModuleOp> ModelImporter::run() {
  if (!readOpsets() || !readInputs())
    return nullptr;
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder, fileLocation());
  builder.setInsertionPointToStart(module->getBody());
  auto function =
      func::FuncOp::create(builder, fileLocation(), "run", builder.getFunctionType(inputTypes, {}));
  Block *block = function.addEntryBlock();
  builder.setInsertionPointToStart(block);
  symbols.setFunction(function);
  symbols.maxElements = options.maxElements;

  const GraphProto &graph = file->proto().graph();
  GraphWalk walk(file, builder, symbols, options.maxElements);
  walk.functions.build(file->proto(), opsets);
  Scope scope;
  scope.opsets = &opsets;
  walk.preflight(graph.node(), scope);
  if (walk.tooLarge())
    return nullptr;
  for (auto [name, argument] : llvm::zip(inputNames, block->getArguments())) {
    argument.setLoc(walk.locationOf(name));
    scope.values[name] = argument;
  }
  walk.enterGraph(graph, scope);
  walk.importNodes(graph.node(), scope);
  if (!finish(walk, scope, function))
    return nullptr;
  eraseUnused(function);
  if (failed(verify(*module)))
    return nullptr;
  return module;
}

OwningOpRef<ModuleOp> llmc::importONNX(StringRef path, MLIRContext &context,
                                       const ImportOptions &options) {
  context.loadDialect<func::FuncDialect, llm::LLMDialect>();
  std::string error;
  std::shared_ptr<ModelFile> file = ModelFile::load(path, error);
  if (!file) {
    emitError(FileLineColLoc::get(&context, path, 0, 0)) << error;
    return nullptr;
  }
  return ModelImporter(std::move(file), context, options).run();
}

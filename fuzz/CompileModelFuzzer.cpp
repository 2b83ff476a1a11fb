//===- CompileModelFuzzer.cpp - any model compiles or is refused
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// libFuzzer target: a model goes through every phase up to the memory plan. Whatever it
// is, that ends with a plan or with diagnostics: no crash, no hang, no sanitizer report.
//
//===----------------------------------------------------------------------===//
#include "ModelMutator.h"
#include "llmc/Pipelines/Pipelines.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/raw_ostream.h"
#include <google/protobuf/stubs/logging.h>
#include <sys/mman.h>
#include <unistd.h>

extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maxSize);

/// A file of this process without a name, which nothing has to remove after a crash.
static int modelFile() {
  static const int file = memfd_create("model.onnx", 0);
  return file;
}

extern "C" int LLVMFuzzerInitialize(int *, char ***) {
  // Broken messages are what this is about; protobuf's log of them is noise.
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (ftruncate(modelFile(), 0) != 0 || pwrite(modelFile(), data, size, 0) != ssize_t(size))
    return -1;
  llmc::CompilerOptions options;
  options.input = "/proc/self/fd/" + std::to_string(modelFile());
  options.cpu = "x86-64-v3";
  options.maxBatch = 2;
  options.maxSeq = 64;
  options.prefillChunk = 16;
  options.stopAfter = llmc::Phase::Plan;
  mlir::DialectRegistry registry;
  llmc::registerDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  unsigned errors = 0;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    errors += diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error;
    return mlir::success();
  });
  llvm::raw_null_ostream printed;
  // A refusal says why.
  if (mlir::failed(llmc::compile(options, context, printed)) && errors == 0)
    abort();
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize,
                                          unsigned seed) {
  std::mt19937 random(seed);
  onnx::ModelProto model;
  // Now and then plain bytes, for the parser of messages itself.
  if (random() % 32 == 0 || !model.ParseFromArray(data, int(size)))
    return LLVMFuzzerMutate(data, size, maxSize);
  for (unsigned i = 0, count = 1 + random() % 4; i < count; ++i)
    llmc::fuzz::mutate(model, random);
  std::string bytes;
  if (!model.SerializePartialToString(&bytes) || bytes.size() > maxSize)
    return LLVMFuzzerMutate(data, size, maxSize);
  memcpy(data, bytes.data(), bytes.size());
  return bytes.size();
}

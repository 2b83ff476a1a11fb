//===- FoldEqualConstants.cpp - constants with equal bytes are one
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Layers have constants of the same shapes, so that sizes distinguish little: a sample of
// the bytes does, and only what agrees there is compared from end to end.
//
//===----------------------------------------------------------------------===//
#include "llmc/Dialect/LLM/IR/LLMOps.h"
#include "llmc/Dialect/LLM/IR/ResourcePages.h"
#include "llmc/Transforms/Passes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/xxhash.h"

namespace llmc {
#define GEN_PASS_DEF_FOLDEQUALCONSTANTS
#include "llmc/Transforms/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;

namespace {

using Resource = DenseResourceElementsAttr;

/// The resource's bytes; empty where the module came without them.
ArrayRef<char> bytesOf(Resource resource) {
  AsmResourceBlob *blob = resource.getRawHandle().getBlob();
  return blob ? blob->getData() : ArrayRef<char>();
}

/// A hash of up to 16 pieces, the first and the last bytes among them, and the size.
uint64_t sampleHash(Resource resource) {
  constexpr size_t pieces = 16, pieceBytes = 64;
  ArrayRef<char> bytes = bytesOf(resource);
  SmallVector<char> sample;
  if (bytes.size() <= pieces * pieceBytes)
    sample.append(bytes.begin(), bytes.end());
  else
    for (size_t i = 0; i < pieces; ++i) {
      ArrayRef<char> piece =
          bytes.slice((bytes.size() - pieceBytes) / (pieces - 1) * i, pieceBytes);
      sample.append(piece.begin(), piece.end());
    }
  releasePages(resource);
  return llvm::xxh3_64bits(StringRef(sample.data(), sample.size())) ^ bytes.size();
}

bool haveEqualBytes(Resource a, Resource b) {
  constexpr size_t stepBytes = size_t(4) << 20;
  ArrayRef<char> left = bytesOf(a), right = bytesOf(b);
  bool isEqual = left.size() == right.size();
  for (size_t i = 0; isEqual && i < left.size(); i += stepBytes) {
    isEqual = memcmp(left.data() + i, right.data() + i, std::min(stepBytes, left.size() - i)) == 0;
    releasePages(a);
    releasePages(b);
  }
  return isEqual;
}

struct FoldEqualConstants : llmc::impl::FoldEqualConstantsBase<FoldEqualConstants> {
  void runOnOperation() override {
    // By handle: several types may look at one resource.
    llvm::MapVector<StringRef, Resource> resources;
    getOperation().walk([&](llm::ConstantOp constant) {
      if (auto resource = dyn_cast<Resource>(constant.getValue()))
        if (!bytesOf(resource).empty())
          resources.insert({resource.getRawHandle().getKey(), resource});
    });
    llvm::DenseMap<StringRef, Resource> replacement;
    llvm::DenseMap<uint64_t, SmallVector<Resource, 1>> distinct;
    for (auto [key, resource] : resources) {
      SmallVector<Resource, 1> &alike = distinct[sampleHash(resource)];
      auto *equal =
          llvm::find_if(alike, [&](Resource other) { return haveEqualBytes(resource, other); });
      if (equal == alike.end())
        alike.push_back(resource);
      else
        replacement[key] = *equal;
    }
    numFolded += replacement.size();
    getOperation().walk([&](llm::ConstantOp constant) {
      auto resource = dyn_cast<Resource>(constant.getValue());
      if (!resource)
        return;
      auto found = replacement.find(resource.getRawHandle().getKey());
      if (found != replacement.end())
        constant.setValueAttr(Resource::get(resource.getType(), found->second.getRawHandle()));
    });
  }
};

} // namespace

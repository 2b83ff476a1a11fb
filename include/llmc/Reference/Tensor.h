//===- Tensor.h - values of the reference evaluator -----------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A dense row-major tensor of any element type the llm dialect uses, accessed
// one element at a time as double or int64_t. Copies of a Tensor share their
// elements; weights are borrowed from the blob of their constant.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_REFERENCE_TENSOR_H
#define LLMC_REFERENCE_TENSOR_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <memory>
#include <vector>

namespace llmc::reference {

using Shape = llvm::SmallVector<int64_t, 4>;

class Tensor {
public:
  Tensor() = default;
  /// Zeros of an integer or float element type; i1 takes a byte per element.
  Tensor(mlir::Type element, llvm::ArrayRef<int64_t> shape);

  /// `bytes` hold the elements in row-major order and outlive the tensor.
  static Tensor borrow(mlir::Type element, llvm::ArrayRef<int64_t> shape,
                       llvm::ArrayRef<char> bytes);
  static Tensor fromFloats(mlir::Type element, llvm::ArrayRef<int64_t> shape,
                           llvm::ArrayRef<double> values);
  static Tensor fromInts(mlir::Type element, llvm::ArrayRef<int64_t> shape,
                         llvm::ArrayRef<int64_t> values);
  /// Dense elements are copied, a dense resource's blob is borrowed. Fails for
  /// other attributes, a missing blob and a blob of the wrong size.
  static mlir::FailureOr<Tensor> fromAttr(mlir::ElementsAttr attr);

  mlir::Type elementType() const { return element; }
  llvm::ArrayRef<int64_t> shape() const { return sizes; }
  int64_t dim(int64_t axis) const { return sizes[axis]; }
  int64_t rank() const { return sizes.size(); }
  int64_t numElements() const { return count; }
  int64_t sizeBytes() const { return count * elementBytes; }
  bool isFloat() const { return format >= Format::F16; }
  llvm::ArrayRef<char> bytes() const { return {data, size_t(sizeBytes())}; }

  /// Element `index` in row-major order, whatever the element type.
  double getFloat(int64_t index) const;
  /// A float element is truncated.
  int64_t getInt(int64_t index) const;
  bool getBool(int64_t index) const {
    return isFloat() ? getFloat(index) != 0 : getInt(index) != 0;
  }
  /// Floats are rounded to nearest even, narrow ones through f32, as generated code
  /// does. Integers take the truncated value, saturated at 32 bits (64 for wider types
  /// and ui32), of which narrower types keep the low bits; NaN is 0. The elements must be
  /// owned and not yet shared.
  void setFloat(int64_t index, double value);
  /// Narrow integers keep the low bits; i1 is `value != 0`.
  void setInt(int64_t index, int64_t value);

  /// Element `from` of a tensor of the same element type becomes element `index`.
  void copyElement(int64_t index, const Tensor &source, int64_t from);

  /// A copy that owns its elements and shares them with no other.
  Tensor clone() const;
  /// The same elements under a shape of as many elements.
  Tensor reshaped(llvm::ArrayRef<int64_t> shape) const;
  /// The same bits as elements of another type of as many.
  Tensor bitcast(mlir::Type type) const;
  /// A dense attribute; the caller bounds its size.
  mlir::DenseElementsAttr toAttr() const;

private:
  /// What the accessors ask of the element type for every element.
  enum class Format : uint8_t { Bool, Signed, Unsigned, F16, BF16, F32, F64, OtherFloat };
  void setElementType(mlir::Type type);

  mlir::Type element;
  Format format = Format::Signed;
  Shape sizes;
  int64_t count = 0;
  unsigned elementBits = 0;
  int64_t elementBytes = 0; ///< types of less than a byte take one
  std::shared_ptr<std::vector<char>> owned;
  const char *data = nullptr;
};

} // namespace llmc::reference

#endif // LLMC_REFERENCE_TENSOR_H

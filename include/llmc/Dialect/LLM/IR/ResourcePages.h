//===- ResourcePages.h - memory of constants that are mapped from the model
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_DIALECT_LLM_IR_RESOURCEPAGES_H
#define LLMC_DIALECT_LLM_IR_RESOURCEPAGES_H

#include "mlir/IR/BuiltinAttributes.h"

namespace llmc {

/// Gives back the pages of a resource that were read, where they are mapped from the model
/// (the importer makes such resources immutable): they come again from the page cache, and
/// compiling needs no memory for them. Other values are left alone.
void releasePages(mlir::ElementsAttr value);

} // namespace llmc

#endif // LLMC_DIALECT_LLM_IR_RESOURCEPAGES_H

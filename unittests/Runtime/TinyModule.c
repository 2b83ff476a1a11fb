//===- TinyModule.c - a compiled module, written by hand ------------------===//
//
// Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Built as the code part of the artifacts under test: y = x * w[0] for f32
// x[batch, 3]. Variants (preprocessor definitions) break one thing each.
//
//===----------------------------------------------------------------------===//

#include "llmc-c/ModuleABI.h"

#include <stddef.h>

#ifndef TINY_ABI_VERSION
#define TINY_ABI_VERSION LLMC_MODULE_ABI_VERSION
#endif
#ifndef TINY_STRUCT_SIZE
#define TINY_STRUCT_SIZE sizeof(llmc_module_desc_t)
#endif
#ifndef TINY_REQUIRED_CPU
#define TINY_REQUIRED_CPU 0
#endif
#ifndef TINY_NAME
#define TINY_NAME "tiny"
#endif
#ifndef TINY_CHECKSUM // of tinyHeader() in TinyArtifact.h
#define TINY_CHECKSUM 0x2cccf0c389fc8a6du
#endif

static void shapes(const int64_t *symbols, int64_t *dims) {
  dims[0] = dims[2] = symbols[0];
  dims[1] = dims[3] = 3;
}

static void entry(const llmc_step_t *step, llmc_worker_t *worker) {
  const float *x = step->inputs[0];
  const float *w = (const float *)(const void *)step->weights;
  float *y = step->outputs[0];
  for (int64_t row; (row = step->team->next(worker, step->symbols[0])) >= 0;)
    for (int i = 0; i < 3; ++i)
      y[row * 3 + i] = x[row * 3 + i] * w[0];
  step->team->sync(worker);
}

static const int32_t dims[] = {0, -1};
static const llmc_tensor_desc_t x = {"x", LLMC_DTYPE_F32, 2, dims};
static const llmc_tensor_desc_t y = {"y", LLMC_DTYPE_F32, 2, dims};
static const llmc_symbol_desc_t batch = {"batch", 0, 64};
static const llmc_phase_desc_t run = {
    .name = "run",
    .kind = LLMC_PHASE_RUN,
    .guard_input = -1,
    .num_dispatches = 1,
    .num_symbols = 1,
    .symbols = &batch,
    .num_inputs = 1,
    .num_outputs = 1,
    .inputs = &x,
    .outputs = &y,
    .shapes = shapes,
    .entry = entry,
};
static const llmc_module_desc_t module = {
    .abi_version = TINY_ABI_VERSION,
    .struct_size = TINY_STRUCT_SIZE,
    .name = TINY_NAME,
    .producer = "by hand",
    .required_cpu = TINY_REQUIRED_CPU,
    .weights_bytes = 16,
    .weights_checksum = TINY_CHECKSUM,
    .num_phases = 1,
    .phases = &run,
};

#ifndef TINY_NO_QUERY
const llmc_module_desc_t *llmc_module_query(uint32_t abi_version) {
#ifdef TINY_QUERY_NULL
  return abi_version ? NULL : &module;
#else
  return abi_version == LLMC_MODULE_ABI_VERSION ? &module : NULL;
#endif
}
#endif

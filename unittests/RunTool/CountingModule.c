/*===- CountingModule.c - a module small enough to know by heart
 *------------===*
 *
 * Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * What the compiler would emit for the model that CountingModule.h describes:
 * an Optimum-like run phase, prefill and decode. The run phase answers NaN
 *where mask or positions are not what a decoder must be fed.
 *===----------------------------------------------------------------------===*/
#include "CountingModule.h"
#include "llmc-c/ModuleABI.h"

#include <math.h>
#include <string.h>

/* exp() of it is COUNTING_VOCAB - 1. */
static const float likely = 1.9459101f;

static int64_t successor(int64_t token) {
  if (token < 2)
    return 2;
  return token == COUNTING_VOCAB - 1 ? 1 : token + 1;
}

static void write_logits(int64_t token, float *logits) {
  for (int64_t i = 0; i < COUNTING_VOCAB; ++i)
    logits[i] = i == successor(token) ? likely : 0.0f;
}

enum { SYM_BATCH, SYM_SEQ, SYM_PAST, NUM_SYMBOLS };

static void run_shapes(const int64_t *symbols, int64_t *dims) {
  const int64_t batch = symbols[SYM_BATCH], seq = symbols[SYM_SEQ];
  const int64_t past = symbols[SYM_PAST];
  const int64_t all[] = {
      batch, seq,                            /* input_ids */
      batch, past + seq,                     /* attention_mask */
      batch, seq,                            /* position_ids */
      batch, 1,          past,           2,  /* past_key_values.0.key */
      batch, seq,        COUNTING_VOCAB,     /* logits */
      batch, 1,          past + seq,     2}; /* present.0.key */
  memcpy(dims, all, sizeof all);
}

static void run_row(const llmc_step_t *step, int64_t row) {
  const int64_t seq = step->symbols[SYM_SEQ], past = step->symbols[SYM_PAST];
  const int64_t *ids = (const int64_t *)step->inputs[0] + row * seq;
  const int64_t *mask = (const int64_t *)step->inputs[1] + row * (past + seq);
  const int64_t *positions = (const int64_t *)step->inputs[2] + row * seq;
  const float *past_key = (const float *)step->inputs[3] + row * past * 2;
  float *logits = (float *)step->outputs[0] + row * seq * COUNTING_VOCAB;
  float *key = (float *)step->outputs[1] + row * (past + seq) * 2;
  memcpy(key, past_key, (size_t)past * 2 * sizeof(float));
  for (int64_t i = 0; i < seq; ++i) {
    write_logits(ids[i], logits + i * COUNTING_VOCAB);
    if (mask[past + i] != 1 || positions[i] != past + i)
      logits[i * COUNTING_VOCAB] = NAN;
    key[(past + i) * 2] = key[(past + i) * 2 + 1] = (float)ids[i];
  }
}

static void run_entry(const llmc_step_t *step, llmc_worker_t *worker) {
  int64_t row;
  while ((row = step->team->next(worker, step->symbols[SYM_BATCH])) >= 0)
    run_row(step, row);
}

static void step_shapes(const int64_t *symbols, int64_t *dims) {
  const int64_t all[] = {symbols[SYM_BATCH], symbols[SYM_SEQ],
                         symbols[SYM_BATCH], symbols[SYM_BATCH],
                         COUNTING_VOCAB};
  memcpy(dims, all, sizeof all);
}

static void step_entry(const llmc_step_t *step, llmc_worker_t *worker) {
  int64_t row;
  while ((row = step->team->next(worker, step->symbols[SYM_BATCH])) >= 0) {
    const int64_t seq = step->symbols[SYM_SEQ];
    const int64_t *ids = (const int64_t *)step->inputs[0] + row * seq;
    write_logits(ids[seq - 1],
                 (float *)step->outputs[0] + row * COUNTING_VOCAB);
  }
}

static const int32_t ids_dims[] = {SYM_BATCH, SYM_SEQ};
static const int32_t mask_dims[] = {SYM_BATCH, -1};
static const int32_t past_dims[] = {SYM_BATCH, -1, SYM_PAST, -1};
static const int32_t logits_dims[] = {SYM_BATCH, SYM_SEQ, -1};
static const int32_t present_dims[] = {SYM_BATCH, -1, -1, -1};
static const int32_t last_dims[] = {SYM_BATCH, -1};

static const llmc_symbol_desc_t run_symbols[] = {
    {"batch_size", 1, 2},
    {"sequence_length", 1, COUNTING_MAX_SEQ},
    {"past_sequence_length", 0, COUNTING_MAX_SEQ}};
static const llmc_tensor_desc_t run_inputs[] = {
    {"input_ids", LLMC_DTYPE_I64, 2, ids_dims},
    {"attention_mask", LLMC_DTYPE_I64, 2, mask_dims},
    {"position_ids", LLMC_DTYPE_I64, 2, ids_dims},
    {"past_key_values.0.key", LLMC_DTYPE_F32, 4, past_dims}};
static const llmc_tensor_desc_t run_outputs[] = {
    {"logits", LLMC_DTYPE_F32, 3, logits_dims},
    {"present.0.key", LLMC_DTYPE_F32, 4, present_dims}};

static const llmc_symbol_desc_t prefill_symbols[] = {
    {"batch", 1, 2}, {"seq", 1, 4}, {"past", 0, COUNTING_MAX_SEQ}};
static const llmc_symbol_desc_t decode_symbols[] = {
    {"batch", 1, 2}, {"seq", 1, 1}, {"past", 0, COUNTING_MAX_SEQ}};
static const llmc_tensor_desc_t step_inputs[] = {
    {"tokens", LLMC_DTYPE_I64, 2, ids_dims},
    {"past_lens", LLMC_DTYPE_I64, 1, ids_dims}};
static const llmc_tensor_desc_t step_outputs[] = {
    {"logits", LLMC_DTYPE_F32, 2, last_dims}};

static const llmc_phase_desc_t phases[] = {
    {"run", LLMC_PHASE_RUN, -1, 0, 0, 1, NUM_SYMBOLS, run_symbols, 4, 2,
     run_inputs, run_outputs, 0, 0, 0, 0, run_shapes, run_entry},
    {"prefill", LLMC_PHASE_PREFILL, -1, 0, 0, 1, NUM_SYMBOLS, prefill_symbols,
     2, 1, step_inputs, step_outputs, 0, 0, 0, 0, step_shapes, step_entry},
    {"decode", LLMC_PHASE_DECODE, -1, 0, 0, 1, NUM_SYMBOLS, decode_symbols, 2,
     1, step_inputs, step_outputs, 0, 0, 0, 0, step_shapes, step_entry}};

static llmc_module_desc_t module = {.abi_version = LLMC_MODULE_ABI_VERSION,
                                    .struct_size = sizeof(llmc_module_desc_t),
                                    .name = "counting",
                                    .producer = "unittests/RunTool",
                                    .weights_bytes = COUNTING_WEIGHTS_BYTES,
                                    .num_phases = 3,
                                    .phases = phases,
                                    .max_batch = 2,
                                    .max_seq = COUNTING_MAX_SEQ,
                                    .prefill_chunk = 4,
                                    .vocab_size = COUNTING_VOCAB};

const llmc_module_desc_t *llmc_module_query(uint32_t abi_version) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < COUNTING_HEADER_BYTES; ++i) {
    const char byte = i < strlen(COUNTING_HEADER) ? COUNTING_HEADER[i] : ' ';
    hash = (hash ^ (uint8_t)byte) * 0x100000001b3u;
  }
  module.weights_checksum = hash;
  return abi_version == LLMC_MODULE_ABI_VERSION ? &module : 0;
}

/*===- logits_digest.c - a digest of the logits of every step -------------===*
 *
 * Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * llmc-logits-digest MODEL THREADS STEPS TOKEN...
 * Prefills the tokens, decodes STEPS greedy ones, and prints for each step its
 * token and the FNV-1a digest of the logits' bits. Equal lines mean equal bits.
 *===----------------------------------------------------------------------===*/
#include "llmc-c/Runtime.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t digest(const float *values, size_t count) {
  const uint8_t *bytes = (const uint8_t *)values;
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < count * sizeof(float); ++i)
    hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash;
}

static int64_t largest(const float *values, size_t count) {
  size_t best = 0;
  for (size_t i = 1; i < count; ++i)
    if (values[i] > values[best])
      best = i;
  return (int64_t)best;
}

static int fail(llmc_status_t status, const llmc_error_t *error) {
  fprintf(stderr, "llmc-logits-digest: error %d: %s\n", (int)status, error->message);
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: llmc-logits-digest MODEL THREADS STEPS TOKEN...\n");
    return 2;
  }
  llmc_error_t error = {0};
  llmc_module_t *module = NULL;
  llmc_status_t status = llmc_module_load(argv[1], NULL, &module, &error);
  if (status)
    return fail(status, &error);

  llmc_session_options_t options = {0};
  options.struct_size = sizeof(options);
  options.threads = (uint32_t)strtoul(argv[2], NULL, 10);
  options.max_batch = 1;
  llmc_session_t *session = NULL;
  status = llmc_session_create(module, &options, &session, &error);
  if (status)
    return fail(status, &error);

  size_t num_tokens = (size_t)argc - 4;
  int64_t *tokens = malloc(num_tokens * sizeof(int64_t));
  if (!tokens)
    return 1;
  for (size_t i = 0; i < num_tokens; ++i)
    tokens[i] = strtoll(argv[4 + i], NULL, 10);
  status = llmc_session_prefill(session, 1, num_tokens, tokens, &error);
  free(tokens);

  long steps = strtol(argv[3], NULL, 10);
  for (long step = 0; !status; ++step) {
    const float *logits;
    size_t rows, vocab;
    status = llmc_session_logits(session, &logits, &rows, &vocab, &error);
    if (status)
      break;
    int64_t token = largest(logits, vocab);
    printf("%ld %lld %016llx\n", step, (long long)token,
           (unsigned long long)digest(logits, vocab));
    if (step == steps)
      break;
    status = llmc_session_decode(session, 1, &token, &error);
  }
  if (status)
    return fail(status, &error);
  llmc_session_destroy(session);
  llmc_module_destroy(module);
  return 0;
}

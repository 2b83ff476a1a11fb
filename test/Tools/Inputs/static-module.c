/* Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A C program that carries a compiled model: no artifact, no dlopen. Prints the most
 * likely token after three. */
#include "llmc-c/Runtime.h"
#include "m.h"

#include <stdio.h>

static int fail(const char *what, const llmc_error_t *error) {
  printf("%s: %s\n", what, error->message);
  return 1;
}

int main(int argc, char **argv) {
  llmc_error_t error;
  llmc_module_t *module = NULL;
  llmc_session_t *session = NULL;
  llmc_weights_source_t weights = {.path = argc > 1 ? argv[1] : ""};
  if (llmc_module_load_static(llmc_module_query, &weights, NULL, &module, &error))
    return fail("load", &error);
  if (llmc_session_create(module, NULL, &session, &error))
    return fail("session", &error);
  const int64_t tokens[3] = {0, 34, 262};
  if (llmc_session_prefill(session, 1, 3, tokens, &error))
    return fail("prefill", &error);
  const float *logits = NULL;
  size_t rows = 0, vocab = 0, best = 0;
  if (llmc_session_logits(session, &logits, &rows, &vocab, &error))
    return fail("logits", &error);
  for (size_t i = 1; i < vocab; ++i)
    if (logits[i] > logits[best])
      best = i;
  printf("token %zu of %zu\n", best, vocab);
  llmc_session_destroy(session);
  llmc_module_destroy(module);
  return 0;
}

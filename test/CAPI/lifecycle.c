/*===- lifecycle.c - the C API from a C program ----------------------------===*
 *
 * Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * C11: the headers compile as C, a module goes through its life, and code of
 * another ABI version is refused. The module doubles an int32 tensor.
 *===----------------------------------------------------------------------===*/

#include "llmc-c/ModuleABI.h"
#include "llmc-c/Runtime.h"
#include "llmc-c/Status.h"

#include <stdio.h>
#include <string.h>

static void shapes(const int64_t *symbols, int64_t *dims) {
  dims[0] = dims[1] = symbols[0];
}

static void entry(const llmc_step_t *step, llmc_worker_t *worker) {
  const int32_t *x = step->inputs[0];
  int32_t *y = step->outputs[0];
  for (int64_t i; (i = step->team->next(worker, step->symbols[0])) >= 0;)
    y[i] = 2 * x[i];
  step->team->sync(worker);
}

static const int32_t dims[] = {0};
static const llmc_tensor_desc_t x = {"x", LLMC_DTYPE_I32, 1, dims};
static const llmc_tensor_desc_t y = {"y", LLMC_DTYPE_I32, 1, dims};
static const llmc_symbol_desc_t length = {"n", 0, 100};
static const llmc_phase_desc_t run = {
    .name = "run",
    .kind = LLMC_PHASE_RUN,
    .guard_input = -1,
    .num_dispatches = 1,
    .num_symbols = 1,
    .symbols = &length,
    .num_inputs = 1,
    .num_outputs = 1,
    .inputs = &x,
    .outputs = &y,
    .shapes = shapes,
    .entry = entry,
};
static const llmc_module_desc_t module_desc = {
    .abi_version = LLMC_MODULE_ABI_VERSION,
    .struct_size = sizeof(llmc_module_desc_t),
    .name = "doubler",
    .producer = "by hand",
    .num_phases = 1,
    .phases = &run,
};
static const llmc_module_desc_t later_desc = {
    .abi_version = LLMC_MODULE_ABI_VERSION + 1,
    .struct_size = sizeof(llmc_module_desc_t) + 8,
};

static const llmc_module_desc_t *query(uint32_t abi_version) {
  return abi_version == LLMC_MODULE_ABI_VERSION ? &module_desc : NULL;
}
static const llmc_module_desc_t *query_later(uint32_t abi_version) {
  (void)abi_version;
  return &later_desc;
}
static const llmc_module_desc_t *query_none(uint32_t abi_version) {
  (void)abi_version;
  return NULL;
}

static int failures;

static void check(int ok, const char *what, const llmc_error_t *error) {
  if (ok)
    return;
  ++failures;
  fprintf(stderr, "failed: %s (%s)\n", what, error->message);
}

static void lifecycle(void) {
  llmc_error_t error = {0};
  llmc_module_t *module = NULL;
  llmc_session_t *session = NULL;
  check(llmc_module_load_static(query, NULL, NULL, &module, &error) ==
            LLMC_STATUS_OK,
        "load", &error);
  llmc_module_info_t info = {.struct_size = sizeof(info)};
  check(llmc_module_info(module, &info, &error) == LLMC_STATUS_OK, "info",
        &error);
  check(info.can_run && !info.can_generate && !strcmp(info.name, "doubler"),
        "facts", &error);
  llmc_session_options_t options = {.struct_size = sizeof(options),
                                    .threads = 2};
  check(llmc_session_create(module, &options, &session, &error) ==
            LLMC_STATUS_OK,
        "session", &error);
  llmc_module_destroy(module); /* the session keeps it */

  int32_t values[3] = {1, 2, 3};
  llmc_tensor_t input = {.name = "x",
                         .dtype = LLMC_DTYPE_I32,
                         .rank = 1,
                         .dims = {3},
                         .data = values,
                         .size_bytes = sizeof(values)};
  llmc_tensor_t output = {.name = "y"};
  check(llmc_session_run(session, &input, 1, &output, 1, &error) ==
            LLMC_STATUS_OK,
        "run", &error);
  check(output.data && output.dims[0] == 3 &&
            ((const int32_t *)output.data)[2] == 6,
        "result", &error);
  input.dims[0] = 101;
  check(llmc_session_run(session, &input, 1, &output, 1, &error) ==
                LLMC_STATUS_OUT_OF_RANGE &&
            error.code == LLMC_STATUS_OUT_OF_RANGE,
        "range", &error);
  llmc_session_destroy(session);
  llmc_session_destroy(NULL);
  llmc_module_destroy(NULL);
}

static void wrong_abi_version(void) {
  llmc_error_t error = {0};
  llmc_module_t *module = NULL;
  check(llmc_module_load_static(query_later, NULL, NULL, &module, &error) ==
            LLMC_STATUS_VERSION_MISMATCH,
        "later version", &error);
  check(strstr(error.message, "version 5") != NULL, "later version's message",
        &error);
  check(llmc_module_load_static(query_none, NULL, NULL, &module, &error) ==
            LLMC_STATUS_VERSION_MISMATCH,
        "no version", &error);
  check(llmc_module_load("/nonexistent.llmc", NULL, &module, NULL) ==
            LLMC_STATUS_NOT_FOUND,
        "no file, no error record", &error);
  check(module == NULL, "outputs untouched on failure", &error);
}

int main(void) {
  llmc_error_t none = {0};
  check(llmc_api_version() == LLMC_API_VERSION, "API version", &none);
  check(!strcmp(llmc_status_string(LLMC_STATUS_OK), "ok"), "status", &none);
  check(llmc_dtype_size(LLMC_DTYPE_BF16) == 2, "dtype size", &none);
  lifecycle();
  wrong_abi_version();
  return failures != 0;
}

/*===- llmc-c/Status.h - status codes and error records --------------------===*
 *
 * Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Every fallible function of the runtime returns an llmc_status_t and takes, as
 * its last parameter, an llmc_error_t that the caller owns and that may be null.
 * Nothing in the runtime aborts, exits, prints or throws.
 *
 * C11, stand-alone.
 *===----------------------------------------------------------------------===*/
#ifndef LLMC_C_STATUS_H
#define LLMC_C_STATUS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 0 is success. Numbers are never reused or changed. */
typedef int32_t llmc_status_t;
enum {
  LLMC_STATUS_OK = 0,
  LLMC_STATUS_INVALID_ARGUMENT = 1, /* the call itself is wrong */
  LLMC_STATUS_OUT_OF_MEMORY = 2,
  LLMC_STATUS_NOT_FOUND = 3,        /* no such file */
  LLMC_STATUS_IO = 4,               /* the system refused to read or map */
  LLMC_STATUS_BAD_ARTIFACT = 5,     /* foreign, truncated or corrupted file */
  LLMC_STATUS_VERSION_MISMATCH = 6, /* module ABI or struct size */
  LLMC_STATUS_CPU_UNSUPPORTED = 7,  /* processor or system lacks a feature */
  LLMC_STATUS_WEIGHTS_MISMATCH = 8, /* weights are not those of the code */
  LLMC_STATUS_LOAD_FAILED = 9,      /* the dynamic linker refused the code */
  LLMC_STATUS_BAD_MODULE = 10,      /* the descriptor contradicts itself */
  LLMC_STATUS_UNSUPPORTED = 11,     /* the module has no such ability */
  LLMC_STATUS_SHAPE_MISMATCH = 12,
  LLMC_STATUS_DTYPE_MISMATCH = 13,
  LLMC_STATUS_OUT_OF_RANGE = 14,     /* a size or token outside its bounds */
  LLMC_STATUS_CAPACITY = 15,         /* the session's max_seq, sequences or blocks */
  LLMC_STATUS_INTERNAL = 16,         /* generated code broke its own contract */
  LLMC_STATUS_BAD_SESSION_FILE = 17, /* foreign, truncated or corrupted */
  LLMC_STATUS_MODULE_MISMATCH = 18   /* a session file of other code or weights */
};

#define LLMC_ERROR_MESSAGE_BYTES 512

/* Written only when a call fails; a call that succeeds leaves it alone. */
typedef struct llmc_error {
  llmc_status_t code;
  char message[LLMC_ERROR_MESSAGE_BYTES]; /* always terminated; one line */
} llmc_error_t;

/* A short constant name such as "out of memory"; "unknown status" for others.
 * Thread-safe. The string lives as long as the program. Since 0.1. */
const char *llmc_status_string(llmc_status_t code);

#ifdef __cplusplus
}
#endif

#endif /* LLMC_C_STATUS_H */

/*===- CountingModule.h - a module small enough to know by heart
 *------------===*
 *
 * Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * What the module and the test that makes an artifact of it must agree on.
 * Tokens: 0 begins, 1 ends, 2 to 7 are the letters a to f. After a letter the
 * next one has probability 1/2, after f the end, after the beginning a; the
 * other seven tokens share the rest.
 *===----------------------------------------------------------------------===*/
#ifndef LLMC_UNITTESTS_RUNTOOL_COUNTINGMODULE_H
#define LLMC_UNITTESTS_RUNTOOL_COUNTINGMODULE_H

#define COUNTING_VOCAB 8
#define COUNTING_MAX_SEQ 16
#define COUNTING_WEIGHTS_BYTES 64

/* The safetensors header's text, padded with spaces to this size, so that the
 * data lies at byte 4096. */
#define COUNTING_HEADER_BYTES 4088
#define COUNTING_HEADER                                                                            \
  "{\"__metadata__\":{\"multiply_adds_per_token\":\"64\"},"                                        \
  "\"w\":{\"dtype\":\"F32\",\"shape\":[2,8],\"data_offsets\":[0,64]}}"

#endif /* LLMC_UNITTESTS_RUNTOOL_COUNTINGMODULE_H */

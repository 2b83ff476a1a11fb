/*===- llmc-c/Runtime.h - load and run a compiled module -------------------===*
 *
 * Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 *   module  = code + weights, immutable, shared by any number of sessions
 *   session = working memory, caches and threads for one line of requests
 *   sequence = the tokens of one text and what the caches hold of them; a session
 *              has many, and a step works on any of them together
 *
 *   llmc_module_load -> llmc_session_create -> prefill, decode, logits ...
 *                                           or llmc_session_run
 *
 * Rules that hold for every function here:
 *  - Fallible functions return a status, take `error` last (may be null), and
 *    write their other outputs only on success.
 *  - Modules may be used from many threads at once. A session may be used from
 *    any thread, but by one at a time. Two sessions never disturb each other.
 *  - Destroy functions accept null.
 *  - Structs that start with `struct_size` grow at their end only: set it to
 *    sizeof, and zero the rest for defaults.
 *  - "Borrowed" memory belongs to the handle named and dies with it or earlier,
 *    as stated.
 *  - Everything exists since 0.1 unless a function says otherwise.
 *
 * C11. Symbol and tensor numbers refer to the order in the module.
 *===----------------------------------------------------------------------===*/
#ifndef LLMC_C_RUNTIME_H
#define LLMC_C_RUNTIME_H

#include "llmc-c/ModuleABI.h"
#include "llmc-c/Status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Major in the upper 16 bits, minor in the lower; equal majors are compatible. */
#define LLMC_API_VERSION ((uint32_t)1u)

/* The LLMC_API_VERSION that the library was built with. Thread-safe. Since 0.1. */
uint32_t llmc_api_version(void);

/* Bytes of one element of an LLMC_DTYPE_*; 0 for an unknown one. Thread-safe. Since 0.1. */
size_t llmc_dtype_size(uint32_t dtype);

/* "f32", "i64", ...; "unknown" for an unknown one. Thread-safe, constant string. Since 0.1. */
const char *llmc_dtype_name(uint32_t dtype);

/*===----------------------------------------------------------------------===*
 * Module
 *===----------------------------------------------------------------------===*/

typedef struct llmc_module llmc_module_t;

typedef struct llmc_module_options {
  size_t struct_size;
  /* What the system refuses of prefault, huge_pages and lock is no error but a line of
   * llmc_module_warnings: the module works all the same. */
  /* Reads all weights into memory before the load returns, so that the first step is as fast as the
   * others. Otherwise pages come in on first use. */
  bool prefault;
  /* Path of the external weights; null means "<artifact>.weights". Ignored by an artifact that
   * carries its own. */
  const char *weights_path;
  /* Threads that `prefault` reads with, and that decompress weights. 0: one for each physical core
   * that the process may use. */
  uint32_t load_threads;
  /* Asks for huge pages for the weights (Linux: madvise). Decompressed weights then are memory of
   * the module alone, which no other module shares. */
  bool huge_pages;
  bool lock; /* keeps the weights in memory (mlock), once they are read */
} llmc_module_options_t;

/* Opens an artifact: verifies the file, its checksums and the processor before any of its code is
 * mapped, then maps code and weights. Compressed weights are decompressed into memory;
 * LLMC_STATUS_OUT_OF_MEMORY if there is too little for them. Weights that equal those of a loaded
 * module share its memory. `options` may be null. The file must not be modified while the module
 * lives (replacing it by rename is fine). On success *module is the caller's to destroy.
 * Thread-safe. Since 0.1. */
llmc_status_t llmc_module_load(const char *path, const llmc_module_options_t *options,
                               llmc_module_t **module, llmc_error_t *error);

/* Where a statically linked module finds its weights: exactly one of the two, or neither for a
 * module without weights. `data` is a whole safetensors file in memory whose tensor data is
 * 4096-byte aligned; it is borrowed for the module's life. */
typedef struct llmc_weights_source {
  const char *path;
  const void *data;
  size_t size_bytes;
} llmc_weights_source_t;

/* Makes a module of code that is linked into the program (`--emit=object`). `weights` may be null;
 * `weights_path` of `options` does not count. Thread-safe. Since 0.1. */
llmc_status_t llmc_module_load_static(llmc_module_query_fn query,
                                      const llmc_weights_source_t *weights,
                                      const llmc_module_options_t *options, llmc_module_t **module,
                                      llmc_error_t *error);

/* What the load could not do as asked, and whether the weights are larger than the memory that is
 * available (then every step reads from the file): lines of text, each ended by a newline, or "".
 * Borrowed from the module. Thread-safe. Since 0.1. */
llmc_status_t llmc_module_warnings(const llmc_module_t *module, const char **text,
                                   llmc_error_t *error);

/* Gives up the caller's hold. Sessions keep their module alive: code and weights are unmapped when
 * the last of them is gone. Thread-safe. Since 0.1. */
void llmc_module_destroy(llmc_module_t *module);

typedef struct llmc_module_info {
  size_t struct_size;
  const char *name; /* strings: borrowed from the module */
  const char *producer;
  uint32_t num_phases;
  bool can_run;        /* llmc_session_run: has a run phase */
  bool can_generate;   /* has both prefill and decode */
  uint64_t vocab_size; /* 0 unless stateful */
  uint32_t max_batch;
  uint32_t max_seq;
  uint32_t prefill_chunk;
  uint32_t block_tokens;
  uint32_t num_states;
  uint64_t required_cpu; /* LLMC_CPU_* */
  uint64_t weights_bytes;
  uint64_t arena_bytes;              /* largest phase's: what a session allocates */
  uint64_t state_bytes_per_token;    /* block states, rounded up */
  uint64_t state_bytes_per_sequence; /* fixed states */
  /* Of weights_bytes, what was in memory already when the module was loaded, because another loaded
   * module has equal weights: it is there once for both. */
  uint64_t weights_shared_bytes;
} llmc_module_info_t;

/* Fills *info up to info->struct_size. Thread-safe. Since 0.1. */
llmc_status_t llmc_module_info(const llmc_module_t *module, llmc_module_info_t *info,
                               llmc_error_t *error);

typedef struct llmc_phase_info {
  size_t struct_size;
  const char *name; /* borrowed from the module */
  uint32_t kind;    /* LLMC_PHASE_* */
  uint32_t num_symbols;
  uint32_t num_inputs;
  uint32_t num_outputs;
  uint32_t num_dispatches;
  int32_t guard_input; /* -1: serves every value */
  int64_t guard_value;
  uint64_t arena_bytes;
  /* The last ones of the symbols: the data of a call decides their value. */
  uint32_t num_defined_symbols;
  uint32_t reserved;
} llmc_phase_info_t;

/* Fills *info for phase `phase` < num_phases. Thread-safe. Since 0.1. */
llmc_status_t llmc_module_phase(const llmc_module_t *module, uint32_t phase,
                                llmc_phase_info_t *info, llmc_error_t *error);

/* The symbol's name and bounds; the name is borrowed from the module. Thread-safe. Since 0.1. */
llmc_status_t llmc_module_symbol(const llmc_module_t *module, uint32_t phase, uint32_t index,
                                 llmc_symbol_desc_t *symbol, llmc_error_t *error);

#define LLMC_MAX_RANK 8

typedef struct llmc_tensor_info {
  size_t struct_size;
  const char *name; /* borrowed from the module, as all strings here */
  uint32_t dtype;   /* LLMC_DTYPE_* */
  uint32_t rank;
  /* The symbol that a dimension is; null where it is a constant or an expression over several
   * symbols (see llmc_module_resolve_dims). */
  const char *dim_names[LLMC_MAX_RANK];
} llmc_tensor_info_t;

/* Describes an input or output of a phase. Thread-safe. Since 0.1. */
llmc_status_t llmc_module_input(const llmc_module_t *module, uint32_t phase, uint32_t index,
                                llmc_tensor_info_t *info, llmc_error_t *error);
llmc_status_t llmc_module_output(const llmc_module_t *module, uint32_t phase, uint32_t index,
                                 llmc_tensor_info_t *info, llmc_error_t *error);

/* All dimensions of a phase for the given symbol values: those of every input, then of every
 * output, one after the other, into `dims`. Defined symbols may be given as their max_value:
 * outputs then have their largest sizes. `num_dims` is the capacity in numbers; it must be at least
 * the sum of all ranks. Values outside a symbol's bounds are refused. Thread-safe. Since 0.1. */
llmc_status_t llmc_module_resolve_dims(const llmc_module_t *module, uint32_t phase,
                                       const int64_t *symbols, uint32_t num_symbols, int64_t *dims,
                                       uint32_t num_dims, llmc_error_t *error);

/* The safetensors header: JSON text, *not* terminated, whose "__metadata__" member holds what the
 * compiler recorded (tokenizer, model type, hashes). Empty for a module without weights. Borrowed
 * from the module. Thread-safe. Since 0.1. */
llmc_status_t llmc_module_metadata(const llmc_module_t *module, const char **json,
                                   size_t *size_bytes, llmc_error_t *error);

/*===----------------------------------------------------------------------===*
 * Session
 *===----------------------------------------------------------------------===*/

typedef struct llmc_session llmc_session_t;

/* Both functions or none. `alignment` is a power of two. Memory need not be zeroed. They are called
 * on the thread that uses the session, while it is created, destroyed, saved or restored, or while
 * llmc_session_run grows an output; never inside prefill, decode or fork. */
typedef struct llmc_allocator {
  void *user;
  void *(*allocate)(void *user, size_t size_bytes, size_t alignment);
  void (*deallocate)(void *user, void *memory, size_t size_bytes, size_t alignment);
} llmc_allocator_t;

typedef struct llmc_session_options {
  size_t struct_size;
  /* Upper bound of the threads that work on a step, the caller's included. 0: one for each physical
   * core that the process may use. Never more than the processors that the process may use. Results
   * do not depend on it. */
  uint32_t threads;
  uint32_t max_batch; /* sequences of one step. 0: the module's; otherwise at most that */
  uint32_t max_seq;   /* tokens of a sequence. 0: the module's; otherwise at most that */
  llmc_allocator_t allocator;
  uint32_t max_sequences; /* held at the same time. 0: max_batch; otherwise at least that */
  uint32_t reserved;      /* 0 */
  /* Tokens for which the caches have blocks, all sequences together and in whole blocks. 0: enough
   * for whatever max_sequences and max_seq allow. Steps that find too few free blocks are refused
   * with LLMC_STATUS_CAPACITY. */
  uint64_t cache_tokens;
  /* The session's bytes must not exceed it. 0: what the system says is available (Linux:
   * MemAvailable, the control group's bound), no limit with an allocator of the caller; UINT64_MAX:
   * no limit. */
  uint64_t memory_limit;
} llmc_session_options_t;

/* What a session takes from its allocator, each as bytes. Weights are the module's and shared;
 * threads and outputs of llmc_session_run are extra. */
typedef struct llmc_session_memory {
  size_t struct_size;
  uint64_t arena_bytes;
  uint64_t block_bytes; /* states that grow with their sequence */
  uint64_t slot_bytes;  /* states of fixed size */
  uint64_t logits_bytes;
  uint64_t bookkeeping_bytes;
  uint64_t total_bytes;
  uint64_t limit_bytes; /* as memory_limit says; UINT64_MAX: none */
  uint64_t num_blocks;
} llmc_session_memory_t;

/* Computes what llmc_session_create would allocate with these options, and the limit that it would
 * compare it with, and allocates nothing. `options` may be null. Thread-safe. Since 0.1. */
llmc_status_t llmc_session_measure(const llmc_module_t *module,
                                   const llmc_session_options_t *options,
                                   llmc_session_memory_t *memory, llmc_error_t *error);

/* Allocates everything that steps need: arena, caches, logits, bookkeeping. Large memory is
 * reserved, and becomes resident as it is used; what would exceed memory_limit is refused
 * beforehand, with LLMC_STATUS_OUT_OF_MEMORY and both numbers. `options` may be null. On success
 * *session is the caller's to destroy. Thread-safe. Since 0.1. */
llmc_status_t llmc_session_create(llmc_module_t *module, const llmc_session_options_t *options,
                                  llmc_session_t **session, llmc_error_t *error);

/* Frees the session and what was borrowed from it. Since 0.1. */
void llmc_session_destroy(llmc_session_t *session);

typedef struct llmc_session_info {
  size_t struct_size;
  uint32_t threads; /* as resolved */
  uint32_t max_batch;
  uint32_t max_seq;
  uint64_t arena_bytes;
  uint64_t state_bytes; /* caches, all sequences */
  uint32_t max_sequences;
  uint32_t num_sequences; /* in use */
  uint64_t num_blocks;    /* of the caches, each of the module's block_tokens */
  uint64_t num_free_blocks;
} llmc_session_info_t;

/* Fills *info up to info->struct_size. Since 0.1. */
llmc_status_t llmc_session_info(const llmc_session_t *session, llmc_session_info_t *info,
                                llmc_error_t *error);

/* A dense row-major tensor in memory that the caller owns. */
typedef struct llmc_tensor {
  const char *name; /* null: the tensor at the same position in the module */
  uint32_t dtype;
  uint32_t rank;
  int64_t dims[LLMC_MAX_RANK];
  void *data;        /* not written through for inputs; null if empty is fine */
  size_t size_bytes; /* of the memory at `data` */
} llmc_tensor_t;

/* Runs the ONNX signature once, without session state. All inputs are required; outputs may be any
 * subset (0 of them too). Where the module has several run phases, the value of their guard input
 * chooses.
 *
 * Of an output, `name`, `data` and `size_bytes` are read; dtype, rank, dims and size_bytes (the
 * tensor's own size) are written. Where the data decides a size (a defined symbol), memory of the
 * caller must have room for the largest tensor that the inputs' sizes allow, and dims are the
 * actual ones. If `data` is null on entry it is set to memory borrowed from the session, valid
 * until the next run on it ends: outputs may be passed on as inputs of that next run. Reset `data`
 * to null before each run. Caller-owned outputs must not overlap inputs. Since 0.1. */
llmc_status_t llmc_session_run(llmc_session_t *session, const llmc_tensor_t *inputs,
                               size_t num_inputs, llmc_tensor_t *outputs, size_t num_outputs,
                               llmc_error_t *error);

/*===----------------------------------------------------------------------===*
 * Sequences
 *===----------------------------------------------------------------------===*
 *
 * Sequences are numbered from 0 to max_sequences - 1. All are empty at first.
 * Appending to one takes it into use; so do create and fork, which choose the
 * lowest number that is not in use. What a sequence computes depends on its own
 * tokens only: not on its number, nor on which others are in its batch.
 */

/* Takes an unused number into use. LLMC_STATUS_CAPACITY if there is none. A caller who chooses
 * numbers itself needs no create. Since 0.1. */
llmc_status_t llmc_sequence_create(llmc_session_t *session, uint32_t *sequence,
                                   llmc_error_t *error);

/* Makes *fork a sequence that holds what `sequence` holds. Cache blocks are shared until one of the
 * two appends to the last one; states of fixed size are copied. A common beginning is shared by a
 * fork that is then truncated. Allocates nothing. Logits stay. Since 0.1. */
llmc_status_t llmc_sequence_fork(llmc_session_t *session, uint32_t sequence, uint32_t *fork,
                                 llmc_error_t *error);

/* Empties a sequence, which is not in use then; its blocks that nobody shares are free. Logits
 * stay. Freeing an unused one does nothing. Since 0.1. */
llmc_status_t llmc_sequence_free(llmc_session_t *session, uint32_t sequence, llmc_error_t *error);

/* Appends seq >= 1 tokens to each of the sequences 0 .. batch-1, and leaves the logits of each
 * one's last token. `tokens` is [batch][seq], borrowed during the call. Any seq is taken; it is cut
 * into the module's prefill chunks. Refused calls (bad tokens, LLMC_STATUS_CAPACITY, ...) change
 * nothing. Since 0.1. */
llmc_status_t llmc_session_prefill(llmc_session_t *session, size_t batch, size_t seq,
                                   const int64_t *tokens, llmc_error_t *error);

/* Appends one token to each of the sequences 0 .. batch-1; otherwise as prefill. Allocates nothing.
 * Since 0.1. */
llmc_status_t llmc_session_decode(llmc_session_t *session, size_t batch, const int64_t *tokens,
                                  llmc_error_t *error);

/* The same for sequences of the caller's choice, none of them twice: row i of `tokens` and of the
 * logits is sequences[i]'s. The sequences may have any lengths, and each step may be of others than
 * the last. Since 0.1. */
llmc_status_t llmc_sequences_prefill(llmc_session_t *session, const uint32_t *sequences,
                                     size_t batch, size_t seq, const int64_t *tokens,
                                     llmc_error_t *error);
llmc_status_t llmc_sequences_decode(llmc_session_t *session, const uint32_t *sequences,
                                    size_t batch, const int64_t *tokens, llmc_error_t *error);

/* The f32 logits [rows][vocab] of the last prefill or decode; rows is its batch. Borrowed from the
 * session until its next prefill, decode, truncate, reset or restore. LLMC_STATUS_INVALID_ARGUMENT
 * when there are none. Since 0.1. */
llmc_status_t llmc_session_logits(const llmc_session_t *session, const float **logits, size_t *rows,
                                  size_t *vocab, llmc_error_t *error);

/* Tokens that a sequence holds. Since 0.1. */
llmc_status_t llmc_session_length(const llmc_session_t *session, size_t sequence, size_t *length,
                                  llmc_error_t *error);

/* Forgets what a sequence holds beyond its first `length` tokens. A module with fixed states can
 * only go back to 0 (LLMC_STATUS_UNSUPPORTED otherwise); one whose attention has a window, as far
 * as the blocks that it still needs. Since 0.1. */
llmc_status_t llmc_session_truncate(llmc_session_t *session, size_t sequence, size_t length,
                                    llmc_error_t *error);

/* Empties every sequence; none is in use then. Since 0.1. */
llmc_status_t llmc_session_reset(llmc_session_t *session, llmc_error_t *error);

/*===----------------------------------------------------------------------===*
 * Session files
 *===----------------------------------------------------------------------===*/

/* Writes `count` sequences, each in use and given once, to a file: their tokens' caches, states,
 * lengths, numbers, and those logits of the last step that are theirs. `sequences` null: all that
 * are in use (`count` is ignored). The file appears under its name when it is complete, readable by
 * its owner only; one of that name is replaced. Blocks that sequences share are written once. Since
 * 0.1. */
llmc_status_t llmc_session_save(const llmc_session_t *session, const uint32_t *sequences,
                                size_t count, const char *path, llmc_error_t *error);

/* Adds a file's sequences to the session, under their old numbers where those are not in use. Their
 * logits become the session's. `sequences` (may be null) has `capacity` numbers and gets the new
 * ones in the order of the file, *count (may be null) how many there are. Refused, leaving the
 * session as it was: LLMC_STATUS_BAD_SESSION_FILE for a truncated, corrupted or foreign file,
 * LLMC_STATUS_VERSION_MISMATCH for one of another format, LLMC_STATUS_MODULE_MISMATCH for one of
 * other code or weights, LLMC_STATUS_CAPACITY where the session has too little room. Checksums find
 * accidents, not forgeries: restore only files that you trust. Since 0.1. */
llmc_status_t llmc_session_restore(llmc_session_t *session, const char *path, uint32_t *sequences,
                                   size_t capacity, size_t *count, llmc_error_t *error);

#ifdef __cplusplus
}
#endif

#endif /* LLMC_C_RUNTIME_H */

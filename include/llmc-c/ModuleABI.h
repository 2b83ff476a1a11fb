/*===- llmc-c/ModuleABI.h - contract between generated code and runtime ---===*
 *
 * Part of the llmc project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * The only thing that a compiled module and the runtime share. A module exports
 * one symbol, `llmc_module_query`, which returns its descriptor; everything that
 * generated code touches is passed in through llmc_step_t and llmc_team_api_t.
 * Changing a struct means a new LLMC_MODULE_ABI_VERSION and a decision record.
 *
 * C11, stand-alone: fixed-width types, no bitfields, no packing pragmas.
 *===----------------------------------------------------------------------===*/
#ifndef LLMC_C_MODULEABI_H
#define LLMC_C_MODULEABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LLMC_MODULE_ABI_VERSION 4u

/* Element types; the numbers are those of ONNX TensorProto.DataType. Elements of less
 * than 8 bits take a byte each, integers extended to it by sign or zeros. */
enum {
  LLMC_DTYPE_F32 = 1,
  LLMC_DTYPE_U8 = 2,
  LLMC_DTYPE_I8 = 3,
  LLMC_DTYPE_U16 = 4,
  LLMC_DTYPE_I16 = 5,
  LLMC_DTYPE_I32 = 6,
  LLMC_DTYPE_I64 = 7,
  LLMC_DTYPE_BOOL = 9, /* one byte, 0 or 1 */
  LLMC_DTYPE_F16 = 10,
  LLMC_DTYPE_F64 = 11,
  LLMC_DTYPE_U32 = 12,
  LLMC_DTYPE_U64 = 13,
  LLMC_DTYPE_BF16 = 16,
  LLMC_DTYPE_F8E4M3FN = 17,
  LLMC_DTYPE_F8E4M3FNUZ = 18,
  LLMC_DTYPE_F8E5M2 = 19,
  LLMC_DTYPE_F8E5M2FNUZ = 20,
  LLMC_DTYPE_U4 = 21,
  LLMC_DTYPE_I4 = 22,
  LLMC_DTYPE_F4E2M1FN = 23,
  LLMC_DTYPE_F8E8M0FNU = 24,
  LLMC_DTYPE_U2 = 25,
  LLMC_DTYPE_I2 = 26
};

/* What a processor and its operating system must allow before code may run. */
enum {
  LLMC_CPU_X86_64_V3 = 1u << 0, /* AVX2, FMA, F16C, BMI2; YMM state enabled */
  LLMC_CPU_X86_64_V4 = 1u << 1, /* AVX-512 F BW CD DQ VL; ZMM state enabled */
  LLMC_CPU_AVX512_VNNI = 1u << 2,
  LLMC_CPU_AMX_INT8 = 1u << 3, /* also tile data permission from the kernel */
  LLMC_CPU_AMX_BF16 = 1u << 4
};

/* A graph input or output with the ONNX signature. */
typedef struct llmc_tensor_desc {
  const char *name;
  uint32_t dtype; /* LLMC_DTYPE_* */
  uint32_t rank;
  /* For each dimension the index of the symbol that it *is*, or -1 where it is
   * a constant or an expression. Inputs bind symbols through this. */
  const int32_t *dim_symbols;
} llmc_tensor_desc_t;

enum {
  LLMC_PHASE_RUN = 0,     /* functional: the ONNX signature, no state */
  LLMC_PHASE_PREFILL = 1, /* stateful: `seq` tokens per sequence, last logits */
  LLMC_PHASE_DECODE = 2   /* stateful: one token per sequence */
};

/* A named size. Values outside [min, max] are refused before code runs. */
typedef struct llmc_symbol_desc {
  const char *name;
  int64_t min_value;
  int64_t max_value;
} llmc_symbol_desc_t;

/* One worker of a team inside one step; opaque to generated code. */
typedef struct llmc_worker llmc_worker_t;

/* Generated code's view of the threads. Every worker of the team runs the
 * phase's entry function; dispatches are numbered by their order of issue. */
typedef struct llmc_team_api {
  /* Returns the next tile in [0, num_tiles) of the current dispatch that no
   * worker has taken, and marks this worker's previous tile as done; -1 when
   * none is left, which also ends the dispatch for this worker. */
  int64_t (*next)(llmc_worker_t *worker, int64_t num_tiles);
  /* Waits until every tile of every dispatch issued since the last sync is done
   * (on any worker), and makes their writes visible to this worker. */
  void (*sync)(llmc_worker_t *worker);
} llmc_team_api_t;

/* Everything that one step of one phase works on. */
typedef struct llmc_step {
  const void *const *inputs;  /* run: ONNX order. prefill, decode: see below */
  void *const *outputs;       /* run: ONNX order. prefill, decode: [0] logits */
  void *const *states;        /* bases of the module's states, in their order */
  const uint8_t *weights;     /* base of the weight region, page aligned */
  uint8_t *arena;             /* at least arena_bytes, 64-byte aligned */
  int64_t *symbols;           /* values, in the phase's symbol order */
  const int32_t *block_table; /* [batch][block_table_stride]: cache block ids */
  int64_t block_table_stride;
  const llmc_team_api_t *team;
  const int32_t *slots; /* [batch]: each sequence's place in the fixed states */
} llmc_step_t;

/* prefill and decode take inputs
 *   [0] tokens      int64 [batch, seq]
 *   [1] past_lens   int64 [batch]   tokens already in each sequence's cache
 * and have the symbols 0 `batch`, 1 `seq`, 2 `past` (the largest past_lens). */
enum {
  LLMC_STATEFUL_TOKENS = 0,
  LLMC_STATEFUL_PAST_LENS = 1,
  LLMC_STATEFUL_SYMBOL_BATCH = 0,
  LLMC_STATEFUL_SYMBOL_SEQ = 1,
  LLMC_STATEFUL_SYMBOL_PAST = 2
};

typedef struct llmc_phase_desc {
  const char *name;
  uint32_t kind; /* LLMC_PHASE_* */
  /* A run phase may serve one value of a boolean or integer scalar input only
   * (a merged decoder's `use_cache_branch`): input index, or -1 for none. */
  int32_t guard_input;
  int64_t guard_value;
  uint64_t arena_bytes;
  uint32_t num_dispatches; /* upper bound of dispatches issued in one step */
  uint32_t num_symbols;
  const llmc_symbol_desc_t *symbols;
  uint32_t num_inputs;
  uint32_t num_outputs;
  const llmc_tensor_desc_t *inputs;
  const llmc_tensor_desc_t *outputs;
  /* The last ones of `symbols` whose value the data decides. A step starts with
   * their max_value there and ends with what generated code has stored. */
  uint32_t num_defined_symbols;
  uint32_t num_requirements;
  /* Equalities of sizes that this phase relies on, as text: "rows * 2 = k". */
  const char *const *requirements;
  /* The index of the first requirement that these symbols do not meet, or
   * num_requirements. Reads no defined symbol. Null where there are no requirements. */
  int64_t (*unmet)(const int64_t *symbols);
  /* Writes every dimension of every input, then of every output, in order. A
   * defined symbol beyond what the other symbols allow counts as that bound: with
   * max_value there, outputs have the largest shapes of this step. */
  void (*shapes)(const int64_t *symbols, int64_t *dims);
  void (*entry)(const llmc_step_t *step, llmc_worker_t *worker);
} llmc_phase_desc_t;

enum {
  LLMC_STATE_BLOCKS = 0, /* grows with the sequence; addressed by block table */
  LLMC_STATE_FIXED = 1   /* the same size for every sequence and length */
};

typedef struct llmc_state_desc {
  const char *name;
  uint32_t kind; /* LLMC_STATE_* */
  uint32_t dtype;
  uint64_t bytes; /* per block, or per slot: a sequence's place */
  /* Blocks: a token at position p is computed from those behind p - window only, so
   * that blocks wholly before may be given back. 0: from all of them. */
  uint64_t window;
} llmc_state_desc_t;

typedef struct llmc_module_desc {
  uint32_t abi_version; /* LLMC_MODULE_ABI_VERSION of the compiler */
  uint32_t struct_size; /* sizeof(llmc_module_desc_t) there */
  const char *name;
  const char *producer;      /* "llmc 0.1.0" */
  uint64_t required_cpu;     /* LLMC_CPU_* that all code in here needs */
  uint64_t weights_bytes;    /* size of the weight region */
  uint64_t weights_checksum; /* FNV-1a 64 of the safetensors header's JSON text:
                              * what follows its 8-byte length, padding too */
  uint32_t num_phases;
  uint32_t num_states;
  const llmc_phase_desc_t *phases;
  const llmc_state_desc_t *states;
  uint32_t block_tokens; /* tokens per cache block; 0 without block states */
  uint32_t max_batch;
  uint32_t max_seq; /* past and new tokens of one sequence */
  uint32_t prefill_chunk;
  uint64_t vocab_size; /* length of the stateful phases' logits; 0 without */
  uint64_t reserved[4];
} llmc_module_desc_t;

/* The one exported symbol. Returns null for a version it does not speak. */
typedef const llmc_module_desc_t *(*llmc_module_query_fn)(uint32_t abi_version);
#define LLMC_MODULE_QUERY_SYMBOL "llmc_module_query"

/* An artifact file: ELF shared object, zero padding to 4096, a safetensors file
 * whose data starts on a multiple of 4096 of the artifact, then this trailer as
 * the last 64 bytes. With external weights the safetensors file stands alone at
 * "<artifact>.weights" and safetensors_size is 0. All numbers little-endian. */
#define LLMC_ARTIFACT_MAGIC "LLMCART1"
typedef struct llmc_artifact_trailer {
  uint8_t magic[8];
  uint32_t abi_version;
  uint32_t flags; /* LLMC_ARTIFACT_* */
  uint64_t elf_size;
  uint64_t safetensors_offset;
  uint64_t safetensors_size; /* header and data */
  uint64_t header_checksum;  /* as llmc_module_desc_t.weights_checksum */
  uint64_t elf_checksum;     /* FNV-1a 64 of the ELF bytes */
  uint64_t required_cpu;     /* the descriptor's: checked before code is mapped */
} llmc_artifact_trailer_t;
enum { LLMC_ARTIFACT_EXTERNAL_WEIGHTS = 1u << 0 };

/* The weights index: chunks that cover the weight region in order and without a gap,
 * then llmc_weights_index_t as the last 64 bytes of the safetensors file, in which it is
 * the tensor "__index". A chunk's bytes lie in the file as they are, or each as one zstd
 * frame. A file whose data is the weight region and nothing more has no index. */
#define LLMC_WEIGHTS_INDEX_MAGIC "LLMCWIX1"
enum { LLMC_WEIGHTS_PLAIN = 0, LLMC_WEIGHTS_ZSTD = 1 };

typedef struct llmc_weights_chunk {
  uint64_t offset;        /* in the weight region, a multiple of 4096 */
  uint64_t size;          /* bytes there; a multiple of 4096 except for the last chunk */
  uint64_t stored_offset; /* from the beginning of the file's data; plain: = offset */
  uint64_t stored_size;   /* bytes there; plain: = size */
  /* The first half of the BLAKE3 hash of the `size` bytes: chunks of one size and hash
   * have the same bytes, in whatever files they are. */
  uint8_t content[16];
} llmc_weights_chunk_t;

typedef struct llmc_weights_index {
  uint8_t magic[8];
  uint64_t num_chunks;
  uint64_t chunks_offset; /* of the first llmc_weights_chunk_t, from the data's beginning */
  uint64_t region_size;   /* llmc_module_desc_t.weights_bytes */
  uint64_t checksum;      /* FNV-1a 64 of the chunks */
  uint32_t encoding;      /* LLMC_WEIGHTS_* */
  uint32_t reserved[5];   /* 0 */
} llmc_weights_index_t;

#ifdef __cplusplus
}
#define LLMC_ABI_ASSERT(condition) static_assert(condition, #condition)
#else
#define LLMC_ABI_ASSERT(condition) _Static_assert(condition, #condition)
#endif

LLMC_ABI_ASSERT(sizeof(void *) == 8);
LLMC_ABI_ASSERT(sizeof(llmc_tensor_desc_t) == 24);
LLMC_ABI_ASSERT(sizeof(llmc_symbol_desc_t) == 24);
LLMC_ABI_ASSERT(sizeof(llmc_step_t) == 80);
LLMC_ABI_ASSERT(sizeof(llmc_phase_desc_t) == 112);
LLMC_ABI_ASSERT(sizeof(llmc_state_desc_t) == 32);
LLMC_ABI_ASSERT(sizeof(llmc_module_desc_t) == 128);
LLMC_ABI_ASSERT(sizeof(llmc_artifact_trailer_t) == 64);
LLMC_ABI_ASSERT(sizeof(llmc_weights_chunk_t) == 48);
LLMC_ABI_ASSERT(sizeof(llmc_weights_index_t) == 64);

#endif /* LLMC_C_MODULEABI_H */

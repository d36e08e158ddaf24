/*
 * The contract between lensor's core and a back end (CPU here; CUDA and Metal implement the same table).
 *
 * What it is: plain C records and one table of functions. A back end computes; it owns no tensors, no queue,
 * no files. What it relies on: the core checks every shape, dtype and range before a call and calls from one
 * executor thread, in order; memory handed over stays valid until the call returns. What it never does:
 * throw, exit, allocate what outlives the call, or touch JavaScript.
 *
 * Rules every back end keeps, because results depend on them:
 *  1. Order of summation. An output element's additions happen in an order that depends only on the length of
 * the reduced axis (K, or the number of keys), never on the number of rows, the batch, paging, or threads.
 *     Keys are cut into pages of LENSOR_PAGE at fixed absolute positions; a page is reduced by itself and the
 * partial results are merged left to right.
 *  2. Numeric modes. Exact: f32 activations and accumulation, weights dequantized in registers.
 *     Fast: activations rounded to twice the bits of the weights they meet (8 for 4, 16 for 8), integer
 * products exact inside a block, blocks added in order in f32. Weights that are not quantized use f32
 * activations in both.
 *  3. Errors. Shape, dtype and range errors are the core's and come before the call. A function returns a
 * status for what can only fail at run time: interruption and memory.
 *  4. Interruption. Anything that can run longer than some milliseconds polls context->interrupted between
 * blocks.
 */
#ifndef LENSOR_ABI_H
#define LENSOR_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LENSOR_ABI_VERSION 1
#define LENSOR_MAX_RANK 8
#define LENSOR_PANEL 16 /* output rows (or keys) interleaved in one panel */
#define LENSOR_BLOCK 32 /* values along K that share a scale */
#define LENSOR_PAGE 64  /* keys in one page of a KV cache */

typedef enum lensor_status {
  LENSOR_OK = 0,
  LENSOR_INTERRUPTED = 1,
  LENSOR_OUT_OF_MEMORY = 2,
  LENSOR_BAD_INDEX = 3, /* an index tensor held a value outside its axis: known only once it is computed */
} lensor_status;

typedef enum lensor_dtype {
  LENSOR_F32 = 0,
  LENSOR_F16 = 1,
  LENSOR_BF16 = 2,
  LENSOR_I8 = 3,
  LENSOR_U8 = 4,
  LENSOR_I32 = 5,
  LENSOR_I64 = 6,
  LENSOR_BOOL = 7,
  /* block formats of weights, as GGUF defines them */
  LENSOR_Q4_0 = 16,
  LENSOR_Q4_1 = 17,
  LENSOR_Q8_0 = 18,
} lensor_dtype;

typedef enum lensor_unary {
  LENSOR_NEG,
  LENSOR_ABS,
  LENSOR_EXP,
  LENSOR_LOG,
  LENSOR_SQRT,
  LENSOR_RSQRT,
  LENSOR_SIN,
  LENSOR_COS,
  LENSOR_TANH,
  LENSOR_SIGMOID,
  LENSOR_RELU,
  LENSOR_SILU,
  LENSOR_GELU,
  LENSOR_GELU_TANH,
  LENSOR_UNARY_COUNT,
} lensor_unary;

typedef enum lensor_binary {
  LENSOR_ADD,
  LENSOR_SUB,
  LENSOR_MUL,
  LENSOR_DIV,
  LENSOR_POW,
  LENSOR_MAXIMUM,
  LENSOR_MINIMUM,
  LENSOR_EQ,
  LENSOR_NE,
  LENSOR_LT,
  LENSOR_LE,
  LENSOR_GT,
  LENSOR_GE, /* these give bool */
  LENSOR_BINARY_COUNT,
} lensor_binary;

typedef enum lensor_reduction {
  LENSOR_SUM,
  LENSOR_MEAN,
  LENSOR_MAX,
  LENSOR_MIN,
  LENSOR_ARGMAX,
  LENSOR_ARGMIN,
  LENSOR_REDUCTION_COUNT,
} lensor_reduction;

/* A strided window on memory. Strides count elements; a stride of 0 repeats (broadcast). */
typedef struct lensor_view {
  void* data;
  int64_t shape[LENSOR_MAX_RANK];
  int64_t stride[LENSOR_MAX_RANK];
  int32_t rank;
  int32_t dtype;
} lensor_view;

/* What the core lends a back end for the length of one call. */
typedef struct lensor_context lensor_context;
typedef void (*lensor_body)(void* arg, int64_t begin, int64_t end, int32_t thread);
struct lensor_context {
  void* self;
  int32_t threads;
  int (*interrupted)(lensor_context*);
  /* Runs body over [0, items) in chunks of `grain`, on any thread, in any order; returns when all are done.
     A body writes only what its own items own. Not nested. */
  void (*parallel)(lensor_context*, int64_t items, int64_t grain, lensor_body body, void* arg);
};

/* A weight matrix [rows, cols] in the back end's own layout (CPU: panels of LENSOR_PANEL rows, see
 * quant/panel.h). */
typedef struct lensor_weight {
  int32_t dtype;
  int64_t rows, cols;
  void* data;
} lensor_weight;

/* Activations [rows, cols]. In fast mode also rounded, in the forms that the weights they meet ask for, each
 * else NULL. */
typedef struct lensor_activations {
  int64_t rows, cols;
  const float* f32; /* row stride = cols */
  /* For weights of 4 bits: 8 bits with a scale for each 16 values. */
  int8_t* q8;    /* [rows, cols] */
  float* scale8; /* [rows, cols / 16] */
  float*
      total8; /* [rows, cols / LENSOR_BLOCK]: a block's rounded values added up, for weights with a minimum */
  /* For weights of 8 bits: 16 bits with a scale for each block; each four values in the order 0 2 1 3. */
  int16_t* q16;   /* [rows, cols] */
  float* scale16; /* [rows, cols / LENSOR_BLOCK] */
} lensor_activations;

/* out = x W^T, or out += x W^T; out is [x.rows, weight.rows] with a row stride. */
typedef struct lensor_linear {
  const lensor_weight* weight;
  float* out;
  int64_t out_stride;
  int32_t accumulate;
} lensor_linear;

/*
 * Causal attention of `tokens` queries over a paged cache, grouped-query:
 *   out[t, h] = sum_j softmax_j(scale * q[t, h] . k[g, j] + bias[g, j]) v[g, j],   g = h * kv_heads / heads
 * KV heads may hold different numbers of keys; query t sees the first key_count[g] - tokens + t + 1 of them.
 */
typedef struct lensor_attention {
  int32_t heads, kv_heads, head_width;
  int64_t tokens;
  const float* q; /* [tokens, heads * head_width], after RoPE */
  int64_t q_stride;
  const void* const* const* key_pages; /* [kv_heads][page], each page [LENSOR_PAGE/16][head_width][16] */
  /* [kv_heads][page], each page [LENSOR_PAGE][head_width, rounded up to 16]; memory never written must be
   * finite */
  const void* const* const* value_pages;
  const int64_t* key_count;     /* [kv_heads] */
  const float* const* key_bias; /* NULL, or [kv_heads] of NULL or [key_count]: added to the scaled scores */
  int32_t kv_dtype;             /* LENSOR_F32 or LENSOR_F16 */
  float scale;
  float* out; /* [tokens, heads * head_width] */
  int64_t out_stride;
  float* log_sum_exp; /* NULL, or [tokens, heads] */
} lensor_attention;

/* Dense causal attention maps, for looking at them: q [heads, T, d], k [kv_heads, T, d], f32, contiguous. */
typedef struct lensor_attention_map {
  int32_t heads, kv_heads, head_width;
  int64_t tokens;
  const float* q;
  const float* k;
  float scale;
  float* weights; /* NULL, or [heads, T, T], masked entries 0 */
  float* mass;    /* NULL, or [heads, T]: sum over queries of the weight each key receives */
} lensor_attention_map;

typedef struct lensor_ops {
  uint32_t abi_version;
  const char* name;

  /* ---- tensors; `out` is contiguous and of the result's dtype; views broadcast by stride 0 ---- */
  /* Cast included, as torch casts (f32 to integers truncates, integers wrap, anything not zero is true). Here
     alone `out` may be strided: it is how tensors are concatenated. */
  lensor_status (*copy)(lensor_context*, const lensor_view* x, const lensor_view* out);
  lensor_status (*unary)(lensor_context*, lensor_unary, const lensor_view* x, const lensor_view* out);
  /* x and y already have the promoted dtype and out's shape (comparisons: out is bool). */
  lensor_status (*binary)(lensor_context*, lensor_binary, const lensor_view* x, const lensor_view* y,
                          const lensor_view* out);
  lensor_status (*where)(lensor_context*, const lensor_view* condition, const lensor_view* x,
                         const lensor_view* y, const lensor_view* out);
  /* Over the last axis of a contiguous [rows, n] view. */
  lensor_status (*reduce)(lensor_context*, lensor_reduction, const lensor_view* x, const lensor_view* out);
  lensor_status (*softmax)(lensor_context*, const lensor_view* x, const lensor_view* out, int32_t log);
  lensor_status (*top_k)(lensor_context*, const lensor_view* x, const lensor_view* values,
                         const lensor_view* indices);
  /* [B, M, K] x [B, K, N] -> [B, M, N], one dtype, contiguous. */
  lensor_status (*matmul)(lensor_context*, const lensor_view* x, const lensor_view* y,
                          const lensor_view* out);
  /* out[i, ...] = x[index[i], ...]; index is i64, contiguous, negative values count from the end. */
  lensor_status (*gather)(lensor_context*, const lensor_view* x, const lensor_view* index,
                          const lensor_view* out);

  /* ---- a decoder ---- */
  size_t (*weight_bytes)(int32_t dtype, int64_t rows, int64_t cols);
  /* rows[i]: the row that becomes row i, in GGUF's layout; the caller chooses the order. Packs panels [begin,
   * end). */
  void (*weight_pack)(const lensor_weight* weight, const void* const* rows, int64_t begin, int64_t end);
  void (*weight_row)(const lensor_weight* weight, int64_t row, float* out);
  lensor_status (*quantize)(lensor_context*, const lensor_activations* x);
  lensor_status (*linear)(lensor_context*, const lensor_activations* x, const lensor_linear* jobs,
                          int32_t count);
  /* y = x / sqrt(mean(x^2) + epsilon) * gain, rows of `width`. */
  lensor_status (*rms_norm)(lensor_context*, const float* x, const float* gain, float epsilon, int64_t rows,
                            int64_t width, float* out);
  /* Rotates halves (i, i + d/2) of `heads` heads in each row by the row's cos, sin [rows, d/2]. */
  lensor_status (*rope)(lensor_context*, float* x, int64_t rows, int64_t stride, int32_t heads,
                        int32_t head_width, const float* cos, const float* sin);
  /* gate = silu(gate) * up, elementwise. */
  lensor_status (*silu_mul)(lensor_context*, float* gate, const float* up, int64_t count);
  /* Writes one KV head's keys and values [rows, head_width] at key index `at` of its pages. */
  lensor_status (*kv_write)(lensor_context*, int32_t kv_dtype, const float* k, const float* v, int64_t stride,
                            int64_t rows, int32_t head_width, int64_t at, void* const* key_pages,
                            void* const* value_pages);
  lensor_status (*attention)(lensor_context*, const lensor_attention*);
  lensor_status (*attention_map)(lensor_context*, const lensor_attention_map*);
  /* log(sum(exp(x))) of n values: what a log-probability is measured from. */
  float (*log_sum_exp)(const float* x, int64_t n);
} lensor_ops;

#ifdef __cplusplus
}
#endif
#endif

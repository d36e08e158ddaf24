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
 *     Fast: activations rounded to 8 bits for weights of 2 to 6 bits and to 16 for weights of 8, integer
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

#define LENSOR_ABI_VERSION 5
#define LENSOR_MAX_RANK 8
#define LENSOR_PANEL 16 /* output rows (or keys) interleaved in one panel */
#define LENSOR_BLOCK 32 /* values along K that share a scale */
#define LENSOR_PAGE 64  /* keys in one page of a KV cache */

typedef enum lensor_status {
  LENSOR_OK = 0,
  LENSOR_INTERRUPTED = 1,
  LENSOR_OUT_OF_MEMORY = 2,
  LENSOR_BAD_INDEX = 3, /* an index tensor held a value outside its axis: known only once it is computed */
  LENSOR_BAD_VALUE = 4, /* a matrix is not what the operation asks for (positive definite, not singular) */
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
  LENSOR_Q5_0 = 19,
  LENSOR_Q5_1 = 20,
  LENSOR_Q6_K = 21, /* from here on columns are a multiple of 256 */
  LENSOR_Q2_K = 22,
  LENSOR_Q3_K = 23,
  LENSOR_Q4_K = 24,
  LENSOR_Q5_K = 25,
  LENSOR_MXFP4 = 26, /* 32 columns: 2^(e - 128) times twice a float of 4 bits (OCP's MX) */
  /* Whole numbers of 2, 3, 4, 5, 6 or 8 bits in groups of 32, 64 or 128 columns that share a scale:
     LENSOR_GROUPED | bits << 4 | log2(group / 32) << 1 | 1 where they share a minimum too (quant/grouped.h)
   */
  LENSOR_GROUPED = 256,
  /* f16 without most of the zeros: LENSOR_SPARSE | n, of each 8 columns n are kept, 1, 2 or 4; columns are a
     multiple of 16 (quant/panel.h) */
  LENSOR_SPARSE = 512,
  /* W = up down: `data` is a lensor_factors */
  LENSOR_FACTORS = 768,
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
  /* Runs body(arg, t, t + 1, t) once on every thread t, all at the same time, so that they may wait for each
     other; returns when all are done. Not nested. */
  void (*together)(lensor_context*, lensor_body body, void* arg);
  /* Memory to work in until the call returns, counted as scratch, 64-byte aligned; NULL where there is none.
     From the caller's own thread, outside of both functions above. */
  void* (*take)(lensor_context*, size_t bytes);
  void (*give)(lensor_context*, void* data, size_t bytes);
};

/* A weight matrix [rows, cols] in the back end's own layout (CPU: panels of LENSOR_PANEL rows, see
 * quant/panel.h). */
typedef struct lensor_weight {
  int32_t dtype;
  int64_t rows, cols;
  void* data;
} lensor_weight;

/* A matrix of low rank r as two, which are of floating types: y = up (down x), down [r, cols], up [rows, r].
 */
typedef struct lensor_factors {
  lensor_weight down, up;
} lensor_factors;

/* Activations [rows, cols]. In fast mode also rounded, in the forms that the weights they meet ask for, each
 * else NULL. */
typedef struct lensor_activations {
  int64_t rows, cols;
  const float* f32; /* row stride = cols */
  /* For weights of 4 to 6 bits: 8 bits with a scale for each 16 values. */
  int8_t* q8;    /* [rows, cols] */
  float* scale8; /* [rows, cols / 16] */
  float* part8;  /* [rows, cols / 16]: 16 rounded values added up, times their scale; what an offset of the
                    weights is multiplied by */
  float* total8; /* [rows, cols / LENSOR_BLOCK]: the same of a block */
  /* For weights of 8 bits: 16 bits with a scale for each block; each four values in the order 0 2 1 3. */
  int16_t* q16;   /* [rows, cols] */
  float* scale16; /* [rows, cols / LENSOR_BLOCK] */
} lensor_activations;

/* One thing learnt beside a frozen weight [N, K]: y' = gain (y + scale B (A x)) in place of y (LoRA, Hu et
 * al. 2021; DoRA, Liu et al. 2024; IA3, Liu et al. 2022). */
typedef struct lensor_adapter {
  int32_t rank; /* 0: nothing is added */
  float scale;
  const float* down; /* A in panels along K, each [rank][LENSOR_PANEL]; zeros past K */
  const float* up;   /* B in panels along N, likewise */
  const float* gain; /* NULL, or [N rounded up to LENSOR_PANEL] */
} lensor_adapter;

/* All that stands beside a weight, the first nearest to it: y = W (input x), then each in turn, which reads x
 * itself. */
typedef struct lensor_adapters {
  const lensor_adapter* each;
  int32_t count;
  int32_t ranks;      /* of all of them together */
  const float* input; /* NULL, or [K] */
} lensor_adapters;

/* The weights of a layer that adapters stand beside, by their places in a lensor_adapters[LENSOR_ADAPTED]. */
typedef enum lensor_adapted {
  LENSOR_QUERY,
  LENSOR_KEY,
  LENSOR_VALUE,
  LENSOR_OUTPUT,
  LENSOR_GATE,
  LENSOR_UP,
  LENSOR_DOWN,
  LENSOR_ADAPTED,
} lensor_adapted;

/* out = x W^T, or out += x W^T; out is [x.rows, weight.rows] with a row stride. */
typedef struct lensor_linear {
  const lensor_weight* weight;
  float* out;
  int64_t out_stride;
  int32_t accumulate;
  /* NULL, or what stands beside the weights of a layer (lensor_layer), of which this is the one at `part`; x
   * is what `input` has made of it. */
  const lensor_adapters* const* adapters;
  int32_t part, texts;
  const float* inner; /* of each row scale A x of one adapter after the other */
  int64_t inner_stride;
  float* middle; /* of factors: down x [x.rows, r], made before up reads it */
} lensor_linear;

typedef enum lensor_kv_kind {
  LENSOR_KV_BITS,     /* whole numbers, a scale and an offset in f16 for each group */
  LENSOR_KV_RANK,     /* coordinates in an orthonormal basis */
  LENSOR_KV_CHANNELS, /* some channels; the others are 0 */
} lensor_kv_kind;

/* How one side of a head's pages, keys or values, is stored in place of numbers of the cache's dtype. */
typedef struct lensor_kv_code {
  int32_t kind;
  int32_t bits;            /* BITS: 2, 3, 4 or 8 */
  int32_t per_token;       /* BITS: a group is one key or value; else one channel of a page */
  int32_t rotated;         /* BITS: after a Hadamard rotation of the width, a power of two */
  int32_t rank;            /* RANK, CHANNELS: how many numbers of a key or value are stored */
  int32_t dtype;           /* of those: LENSOR_F32, F16 or BF16 */
  const float* basis;      /* RANK: [rank][width, rounded up to 16]; CHANNELS: NULL, or each key's factor */
  const int32_t* channels; /* CHANNELS: [rank], ascending */
} lensor_kv_code;

/* Up to LENSOR_PAGE keys of a KV head and their values, of the cache's dtype: keys [head_width][room], values
 * [room][head_width, rounded up to 16]; I8: behind either, `room` scales in f32, of each key and of each
 * value row. Reading may go 256 bytes past either. */
typedef struct lensor_kv_page {
  void* keys;
  void* values;
  int32_t room; /* LENSOR_PAGE; fewer in the last page of a head that was made smaller */
  /* NULL, or how a side is stored in place of that; the room is then a multiple of 16. Nothing is written
     there any more. */
  const lensor_kv_code *key_code, *value_code;
} lensor_kv_page;

/* What a KV head holds, pages full from the first. */
typedef struct lensor_kv_head {
  const lensor_kv_page* pages;
  int64_t count;     /* of keys, those of the pass under way included */
  const float* bias; /* NULL, or of the first `biased` keys: added to their scaled scores */
  int64_t biased;
  /* NULL: a query reads all pages. Or of the first `bounded` pages, bf16 [bounded][2][head_width rounded up
   * to 16]: the least and the most of each channel of its keys. Of those a query reads only `reads`, which
   * may hold its largest scores, and the pages behind them. */
  const uint16_t* bounds;
  int64_t bounded, reads;
} lensor_kv_head;

/*
 * Causal attention of `tokens` queries over a paged cache, grouped-query:
 *   out[t, h] = sum_j softmax_j(scale * q[t, h] . k[g, j] + bias[g, j]) v[g, j],   g = h * kv_heads / heads
 * KV heads may hold different numbers of keys; query t sees the first kv[g].count - tokens + t + 1 of them.
 */
typedef struct lensor_attention {
  int32_t heads, kv_heads, head_width;
  int64_t tokens;
  const float* q; /* [tokens, heads * head_width], after RoPE */
  int64_t q_stride;
  const lensor_kv_head* kv; /* [kv_heads] */
  int32_t kv_dtype;         /* LENSOR_F32, F16, BF16 or I8 */
  float scale;
  float* out; /* [tokens, heads * head_width] */
  int64_t out_stride;
  float* log_sum_exp; /* NULL, or [tokens, heads] */
} lensor_attention;

/*
 * Experts in place of a block's MLP: p = f(W_r n), of which the `chosen` largest (of p + bias) count, each
 * for its share of the block:  sum_e g_e W_down,e (silu(W_gate,e n) * W_up,e n),  g = scale p, or with
 * `normalized` scale p / sum(p of the chosen). The layer's gate, up and down hold those of all experts, one
 * after the other in whole panels, or one that all of them share. Shared experts, one MLP together, count
 * beside them.
 */
typedef struct lensor_experts {
  int32_t count, chosen;
  int32_t sigmoid; /* f: else softmax */
  int32_t normalized;
  float scale;
  const lensor_weight* router;                                /* [count, width] */
  const float* bias;                                          /* NULL, or [count] */
  const lensor_weight *shared_gate, *shared_up, *shared_down; /* NULL, or all there */
} lensor_experts;

/* Memory that experts work in, `chosen` times as many rows as the pass has (R). */
typedef struct lensor_experts_memory {
  float *logits, *gates;           /* [rows, count], [R] by choice */
  int32_t *experts, *rows, *first; /* [R] by choice; [R] choices in the experts' order; [count + 1] */
  float *gathered, *mixed;         /* [R, width], in the experts' order */
  lensor_activations rounded;      /* all forms of those rows */
} lensor_experts_memory;

/* A decoder block's weights, and what its heads hold with room for what a pass writes there. */
typedef struct lensor_layer {
  const float *attention_norm, *feed_forward_norm; /* gains */
  const lensor_weight *query, *key, *value, *output, *gate, *up, *down;
  const lensor_kv_head* kv; /* [kv_heads]; of a pass over several texts [texts][kv_heads] */
  /* NULL, or of each text, NULL or [LENSOR_ADAPTED]; only LENSOR_DOWN's may have an `input` */
  const lensor_adapters* const* adapters;
  const lensor_experts* experts; /* NULL, or in place of the MLP, beside which no adapters stand */
} lensor_layer;

/*
 * Rows of a residual stream through `count` layers, in place:
 *   x += W_o attention(RoPE(W_q n), RoPE(W_k n), W_v n), n = norm(x);   x += W_down (silu(W_gate n') * W_up
 * n') and, where `logits` is given, the last row's through the final norm and the head.
 */
typedef struct lensor_pass {
  int32_t heads, kv_heads, head_width, kv_dtype;
  int64_t width, feed_forward;
  float epsilon;
  int32_t fast;  /* the numeric mode */
  int64_t rows;  /* they are a head's last keys */
  int32_t texts; /* 0: the rows are of one text; or as many as rows, each the next token of its own text */
  const float *cos, *sin; /* [rows, head_width / 2] */
  const lensor_layer* layers;
  int32_t count;
  float* stream; /* [rows, width] */
  /* Memory to work in; q, k (both after RoPE) and mix are then those of the last layer. */
  float *norm, *q, *k, *v,
      *mix;             /* [rows, width], [rows, heads * head_width], k and v of kv_heads, mix like q */
  float *gate, *up;     /* [rows, feed_forward]; of experts [R, feed_forward] or [rows, shared_width] */
  float* inner;         /* NULL where no layer has adapters, or [rows, 3 * inner_width] */
  int64_t inner_width;  /* at least the ranks of the adapters beside any one weight */
  float* middle;        /* [3 * rows * middle_width], where a weight is a lensor_factors */
  int64_t middle_width; /* at least the rank of any */
  lensor_activations rounded, gated; /* all forms, for rows of the wider of width and q, and as gate */
  lensor_experts_memory experts;     /* nothing where no layer has experts */
  int64_t shared_width;
  const float* final_norm;
  const lensor_weight* head;
  float* logits; /* NULL, or [head.rows], of several texts [texts][head.rows] */
} lensor_pass;

/* Dense causal attention maps, for looking at them: q [heads, T, d], k [kv_heads, T, d], f32, contiguous. */
typedef struct lensor_attention_map {
  int32_t heads, kv_heads, head_width;
  int64_t tokens;
  const float* q;
  const float* k;
  float scale;
  float* weights; /* [heads, T, T], masked entries 0 */
} lensor_attention_map;

/*
 * out[b, m, n] = f( alpha sum_k a[b, m, k] w[b, k, n] + bias[n] ) (+ out[b, m, n]),   k in order
 * a [B, M, K], w [B, K, N], out [B, M, N]: f32, f16 or bf16 each. a and w have any strides (0 on the batch
 * axis repeats a matrix), out's last stride is 1. In place of w a packed weight, dequantized block by block.
 * With a low-rank part, of a batch of one: w + scale down up in place of w, which is never made: its sums go
 * on from those of w with a down as further columns of a.
 */
typedef struct lensor_low_rank {
  const lensor_view *down, *up; /* [1, K, R], [1, R, N] */
  float scale;
  float* inner; /* NULL or [M, R]: a down */
} lensor_low_rank;

typedef struct lensor_gemm {
  const lensor_view* a;
  const lensor_view* w;
  const lensor_weight*
      weight; /* where w is NULL: [N, K], used transposed as a linear layer does; flipped: [K, N] */
  int32_t flipped;
  int32_t compute; /* LENSOR_F32, or LENSOR_BF16: both sides rounded to bf16, their products added in f32 */
  float alpha;
  const float* bias;               /* NULL or [N] */
  int32_t activation;              /* a lensor_unary, or -1 */
  const void* addend;              /* NULL, or laid out as out is: added last; out's own data to accumulate */
  const lensor_low_rank* low_rank; /* NULL, or beside w */
  const lensor_view* out;
} lensor_gemm;

/*
 * What experts made of tokens, brought together: out[t] = (addend[t] +) sum gates[r] rows[r] over the rows r
 * with tokens[r] = t, in their order. rows [R, d], out and addend [T, d]: f32, f16 or bf16, contiguous; sums
 * in f32, rounded once.
 */
typedef struct lensor_combine {
  const lensor_view* rows;
  const int64_t* tokens; /* [R], ascending or not; each from 0 to T - 1 */
  const float* gates;    /* NULL: ones; or [R] */
  const void* addend;    /* NULL, or laid out as out is */
  const lensor_view* out;
} lensor_combine;

/* Rows of heads inside one matrix: element (t, h, i) stands at data[t * row + h * head + i]. */
typedef struct lensor_heads {
  void* data;
  int64_t row, head;
} lensor_heads;

/*
 * Attention over packed sequences, for training and for prompts without a cache; grouped-query, g = h
 * kv_heads / heads: s[h, i, j] = scale q[i, h] . k[j, g] + key_bias[g, j];   out[i, h] = sum_j
 * softmax_j(s)[h, i, j] v[j, g] Sequence n has queries [q_offsets[n], q_offsets[n + 1]) and keys likewise, of
 * which KV heads may hold different numbers. Causal: its last query sees a head's last key, each query before
 * it one fewer. With a window a query sees the last `window` of those keys. A query that sees none gives 0
 * and a log_sum_exp of -inf. Memory beside the results is O(queries + keys).
 */
typedef struct lensor_flash {
  int32_t heads, kv_heads, head_width;
  int32_t dtype;   /* of q, k, v, out and their gradients: f32 or bf16 */
  int32_t compute; /* as in lensor_gemm; sums, softmax and statistics are f32 */
  int32_t causal;
  int64_t window; /* 0: all */
  int64_t sequences;
  const int64_t *q_offsets, *k_offsets; /* [sequences + 1] */
  const int64_t* key_count;  /* NULL: all; or [sequences, kv_heads]: only so many, the first of a sequence */
  lensor_heads q, k, v, out; /* v and out without data: only statistics are wanted */
  float scale;
  const float* key_bias; /* NULL or [kv_heads, keys] */
  float* log_sum_exp;    /* NULL or [heads, queries]; the gradient needs it */
  float* entropy;        /* NULL or [heads, queries], nats: of each query's weights */
  float* mass;           /* NULL or [heads, keys]: the weights that each key receives, added up */
  int32_t mass_largest;  /* the largest of them in place of their sum */
} lensor_flash;

/* The gradients, where `of` has been computed: dv = P^T do, ds = P (do v^T - rowsum(do out)), dq = scale ds
   k, dk = scale ds^T q (FlashAttention-2, Dao 2023). Any but do may be NULL. */
typedef struct lensor_flash_grad {
  const lensor_flash* of;
  lensor_heads out; /* do */
  lensor_heads q, k, v;
  float* key_bias; /* [kv_heads, keys] */
} lensor_flash_grad;

/*
 * Attention Matching (arXiv 2602.16284) of the KV heads of one layer: n reference queries of each, pooled
 * over the query heads that read it. With s = scale q k^T + bias, Phi = exp(s - rowmax), m = rowsum(Phi):
 *   match_look: A = Phi / m, out = A v, and of each key how large its A are; or the keys that orthogonal
 *     matching pursuit picks, so that Phi_S w comes near m
 *   match_fit: of picked keys S the weights w = exp(beta), and values C that bring X C near out,
 *     X = rows of Phi_S w, each divided by its sum:   C = v_S + (X^T X + ridge s^2 I)^-1 X^T (out - X v_S),
 *     s the largest singular value of X
 * All f32 and contiguous; the sums over queries that are solved with are f64.
 */
typedef struct lensor_match {
  int32_t heads, head_width;
  int64_t keys, queries;    /* of each head */
  const float *q, *k, *v;   /* [heads, queries or keys, head_width] */
  const int64_t* key_count; /* [heads]: only so many, the first */
  const float* key_bias;    /* NULL or [heads, keys] */
  float scale;
  float *top, *mass; /* [heads, queries]: rowmax in units of log 2, and m; match_look writes them */
  float* out;        /* [heads, queries, head_width]; likewise */
  /* match_look */
  int32_t score; /* MEAN, MAX, or SUM: the root of the mean square */
  float* scores; /* [heads, keys] */
  /* Rounds of pursuit: each takes the `at_once` keys whose Phi^T (m - Phi_S w) is largest; every `interval`
     rounds w = clamp(least squares, 1e-12, most). At the end keys with w < drop go for good, and others come,
     at most three times. 0: no pursuit. */
  int32_t at_once, interval;
  double most, drop;
  int64_t room;          /* row length of what follows */
  const int64_t* wanted; /* [heads]: how many keys are picked; pursuit may find fewer */
  int32_t* picks;        /* [heads, room], in the order of picking; match_fit reads them in any order */
  float* weights;        /* [heads, room]: w; match_fit reads them where `solve` is 0 */
  int64_t* found;        /* [heads] */
  /* match_fit: of wanted[h] picks */
  int32_t solve; /* w = clamp(c + (P^T P + even s^2 I)^-1 P^T (m - c P 1), low, high), P = Phi_S and c the
                    one weight for all that comes nearest; then `steps` of projected gradient */
  int32_t
      even_queries; /* rows of P, and m, are divided by the root of m to this power first, in pursuit too:
                       at 2 a query counts for the part of its mass that is missed, however much it sees */
  int32_t steps;
  double low, high, even, ridge;
  float* values;  /* NULL: v_S stay; or [heads, room, head_width] */
  double* errors; /* [heads, 2]: |out - X v_S|^2 and |out - X C|^2, in parts of |out|^2 */
  double* curve;  /* NULL; or, and then nothing else, [heads, room]: what is left of |out|^2, in parts of it,
                     where out is fitted by the first of the picks' columns of A alone, by their number */
} lensor_match;

/* A row of logits against its target, the base of every likelihood (smoothing as torch's cross_entropy):
 *   loss = lse(x) - (1 - smoothing) x[target] - smoothing mean(x);   0 where the target is `ignore`
 * and in place of x, where wanted, its gradient times the row's factor. */
typedef struct lensor_loss_rows {
  int64_t rows, classes;
  float* logits;          /* [rows, classes] */
  const int64_t* targets; /* [rows] */
  int64_t ignore;
  float smoothing;
  float* loss;         /* NULL or [rows] */
  float* log_sum_exp;  /* NULL or [rows] */
  const float* factor; /* NULL: logits stay; or [rows]: d loss / d logits * factor replaces them */
} lensor_loss_rows;

/* Of each group of columns of a row of w the grid from end to end, w' = scale code + offset, codes from 0 to
 * 2^bits - 1, scale and offset as f16 can hold them, and the nearest of its numbers to each weight. All
 * contiguous f32. */
typedef struct lensor_round_groups {
  const lensor_view* w;    /* [rows, cols] */
  int32_t bits, symmetric; /* symmetric: offset = -2^(bits - 1) scale; else 0 lies between the ends */
  int64_t group;           /* columns, a multiple of 16 */
  float reach; /* the ends are cut to this share of the group's largest |w|, at most 1: what lies beyond is
                  cut */
  const lensor_view *scale, *offset; /* [rows, groups] */
  const lensor_view* values;         /* [rows, cols] */
} lensor_round_groups;

/* GPTQ's sweep of w with U upper, H^-1 = U^T U: w' = scale code + offset, codes from 0 to 2^bits - 1, a scale
 * and an offset for each group of columns of a row, as f16 can hold them. All contiguous f32. */
typedef struct lensor_gptq {
  const lensor_view *w, *u; /* [rows, cols], [cols, cols] */
  int32_t bits, symmetric;  /* symmetric: offset = -2^(bits - 1) scale */
  int64_t group, block; /* columns; block is a multiple of group. Corrections reach past a block at its end */
  /* NULL: a group's scale is taken when its first column's turn comes, and written; else given, with each
     column's group, i64 [cols] */
  const lensor_view* index;
  const lensor_view *scale, *offset; /* [rows, groups] */
  const lensor_view* values;         /* [rows, cols] */
} lensor_gptq;

typedef enum lensor_optimizer {
  LENSOR_SGD,    /* state1: momentum, or NULL */
  LENSOR_ADAMW,  /* state1, state2: first and second moment, f32 */
  LENSOR_ADAMW8, /* the same in 8 bits: blocks of 256 with a scale (Dettmers et al. 2022) */
  LENSOR_LION,   /* state1: momentum */
  LENSOR_OPTIMIZER_COUNT,
} lensor_optimizer;

/* One step of one parameter; formulas beside the kernel. Adafactor and Muon are put together from other
 * functions. */
typedef struct lensor_optimizer_step {
  int32_t kind;
  int64_t count, step; /* step counts from 1 */
  float* parameter;    /* f32 */
  const void* gradient;
  int32_t gradient_dtype; /* f32 or bf16 */
  float gradient_scale;   /* clipping: the gradient is multiplied by it first */
  float *state1, *state2;
  uint8_t *code1, *code2; /* ADAMW8: [count] */
  float *scale1, *scale2; /* ADAMW8: [blocks of 256] */
  float lr, beta1, beta2, epsilon, weight_decay, momentum, dampening;
  int32_t nesterov;
} lensor_optimizer_step;

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
  /* Writes one KV head's keys and values [rows, head_width] at key index `at` of its pages. */
  lensor_status (*kv_write)(lensor_context*, int32_t kv_dtype, const float* k, const float* v, int64_t stride,
                            int64_t rows, int32_t head_width, int64_t at, const lensor_kv_page* pages);
  /* The other way: rows of f32, `stride` apart. */
  lensor_status (*kv_read)(lensor_context*, int32_t kv_dtype, const lensor_kv_page* pages, int64_t at,
                           int64_t rows, int32_t head_width, float* k, float* v, int64_t stride);
  lensor_status (*attention)(lensor_context*, const lensor_attention*);
  /* What one side of a page of `room` keys (a multiple of 16) takes in a code; `values`: the values' side. */
  size_t (*kv_code_bytes)(const lensor_kv_code*, int32_t width, int32_t room, int32_t values);
  /* `count` rows of f32, 1 to `room`, into a code, and out of it: f32 [width][room], or of values
     [room][width, rounded up to 16]. Reading may go 64 bytes past the code. */
  lensor_status (*kv_encode)(lensor_context*, const lensor_kv_code*, const float* rows, int64_t stride,
                             int64_t count, int32_t width, int32_t room, int32_t values, void* out);
  void (*kv_decode)(const lensor_kv_code*, const void* from, int32_t width, int32_t room, int32_t values,
                    float* out);
  /* INTERRUPTED: what was written is no result. */
  lensor_status (*layers)(lensor_context*, const lensor_pass*);
  lensor_status (*attention_map)(lensor_context*, const lensor_attention_map*);
  /* log(sum(exp(x))) of n values: what a log-probability is measured from. */
  float (*log_sum_exp)(const float* x, int64_t n);

  /* ---- training: gradients and what they need. Rows are contiguous; every dx, dgain ... is written, not
     added to, unless it says so. Sums over rows run in row order, in fixed blocks. ---- */
  lensor_status (*gemm)(lensor_context*, const lensor_gemm*);
  /* Several, which do not depend on each other, each of a batch of one and without a low-rank part: shared
     out together, whatever their sizes. The same bits as one after the other. */
  lensor_status (*gemms)(lensor_context*, const lensor_gemm*, int64_t count);
  lensor_status (*combine)(lensor_context*, const lensor_combine*);
  /* drows[r] = gates[r] dy[tokens[r]], dgates[r] = rows[r] . dy[tokens[r]]; either may be NULL. */
  lensor_status (*combine_grad)(lensor_context*, const lensor_combine*, const lensor_view* dy,
                                const lensor_view* drows, float* dgates);
  lensor_status (*flash)(lensor_context*, const lensor_flash*);
  lensor_status (*flash_grad)(lensor_context*, const lensor_flash_grad*);
  /* dx = dy f'(x). One of x and y = f(x) is read and the other may be NULL: y by exp, sqrt, rsqrt, tanh,
     sigmoid and relu, x by the rest. All one shape and dtype, any strides. */
  lensor_status (*unary_grad)(lensor_context*, lensor_unary, const lensor_view* x, const lensor_view* y,
                              const lensor_view* dy, const lensor_view* dx);
  /* softmax: dx = y (dy - sum(dy y)); log: dx = dy - exp(y) sum(dy). [rows, n], contiguous. */
  lensor_status (*softmax_grad)(lensor_context*, const lensor_view* y, const lensor_view* dy,
                                const lensor_view* dx, int32_t log);
  /* out[index[i], ...] += x[i, ...] in the order of i; out holds its start value. The adjoint of gather. */
  lensor_status (*scatter_add)(lensor_context*, const lensor_view* x, const lensor_view* index,
                               const lensor_view* out);
  /* Along the last axis of contiguous [rows, n], from the end where `reverse`; floats add up in double,
     integers in out's dtype, which may be wider. */
  lensor_status (*cumsum)(lensor_context*, const lensor_view* x, const lensor_view* out, int32_t reverse);
  /* Stable; NaN as the largest. values like x, indices i64; both [rows, n], contiguous. */
  lensor_status (*sort)(lensor_context*, const lensor_view* x, const lensor_view* values,
                        const lensor_view* indices, int32_t descending);
  /* h[t] = a[t] h[t - 1] + x[t], h[-1] = 0, along the middle axis of contiguous [B, T, N] f32; from the end
     where `reverse`. The gradient is the same recurrence the other way. */
  lensor_status (*scan)(lensor_context*, const lensor_view* a, const lensor_view* x, const lensor_view* out,
                        int32_t reverse);
  /* Norms of rows of x (a float; statistics in f32): rms: y = x / sqrt(mean(x^2) + epsilon) gain;
     layer: y = (x - mean) / sqrt(var + epsilon) gain + bias. gain and bias are f32 [width] or NULL. */
  lensor_status (*norm)(lensor_context*, int32_t layer, const lensor_view* x, const float* gain,
                        const float* bias, float epsilon, const lensor_view* y);
  /* dgain and dbias, f32 [width], may be NULL. */
  lensor_status (*norm_grad)(lensor_context*, int32_t layer, const lensor_view* x, const float* gain,
                             float epsilon, const lensor_view* dy, const lensor_view* dx, float* dgain,
                             float* dbias);
  /* Rotary embedding of x [rows, heads, width] (rows of any stride), halves (i, i + width/2), by each row's
     position: cos, sin [positions, width/2] f32; inverse turns back, which is the gradient. */
  lensor_status (*rotate)(lensor_context*, const lensor_view* x, const int64_t* positions, const float* cos,
                          const float* sin, int32_t inverse, const lensor_view* out);
  /* out = f(gate) up, f one of relu, sigmoid, silu, gelu; contiguous, one float dtype. Results may
   * replace what they come from, here and in rotate and every gradient. */
  lensor_status (*glu)(lensor_context*, lensor_unary, const lensor_view* gate, const lensor_view* up,
                       const lensor_view* out);
  lensor_status (*glu_grad)(lensor_context*, lensor_unary, const lensor_view* gate, const lensor_view* up,
                            const lensor_view* dy, const lensor_view* dgate, const lensor_view* dup);
  lensor_status (*loss_rows)(lensor_context*, const lensor_loss_rows*);
  /* Columns of a 1-d convolution: x [N, C, L] f32 -> out [N, C, kernel, steps], 0 outside; fold adds them
   * back. */
  lensor_status (*unfold)(lensor_context*, const lensor_view* x, int64_t stride, int64_t padding,
                          int64_t dilation, const lensor_view* out);
  lensor_status (*fold)(lensor_context*, const lensor_view* x, int64_t stride, int64_t padding,
                        int64_t dilation, const lensor_view* out);
  /* Lower Cholesky factor of symmetric positive definite [B, n, n] f32, only the lower half read; BAD_VALUE
     where it is not. */
  lensor_status (*cholesky)(lensor_context*, const lensor_view* x, const lensor_view* out);
  /* Solves A x = y, A [B, n, n] triangular (upper or lower, transposed or not), y and x [B, n, m]; f32. */
  lensor_status (*solve_triangular)(lensor_context*, const lensor_view* a, const lensor_view* y,
                                    int32_t upper, int32_t transposed, const lensor_view* x);
  /* Eigenvalues, ascending [B, n], and eigenvectors as rows [B, n, n] of symmetric [B, n, n], only the lower
     half read; f32, computed in f64. BAD_VALUE where there is no number for one. */
  lensor_status (*eigen)(lensor_context*, const lensor_view* x, const lensor_view* values,
                         const lensor_view* vectors);
  /* Of each row of x [rows, n] f32, numbers that are not negative, the `count` smallest, of equal ones the
   * first: bool. */
  lensor_status (*mark_smallest)(lensor_context*, const lensor_view* x, int64_t count,
                                 const lensor_view* out);
  /* SparseGPT's sweep of w [rows, cols] with U [cols, cols] upper, H^-1 = U^T U; f32, contiguous, out may be
     w. Of each `of` columns `keep` stay (of divides block and cols, up to 64), or with of = 0 a share
     `sparsity` of each block of columns goes. BAD_VALUE where U's diagonal is not positive. */
  lensor_status (*sparse_sweep)(lensor_context*, const lensor_view* w, const lensor_view* u, int64_t block,
                                int32_t keep, int32_t of, double sparsity, const lensor_view* out);
  lensor_status (*round_groups)(lensor_context*, const lensor_round_groups*);
  /* BAD_VALUE where U's diagonal is not positive. */
  lensor_status (*gptq_sweep)(lensor_context*, const lensor_gptq*);
  /* Sum of squares of all values of x (a float), f32: for clipping. Contiguous; fixed order. */
  lensor_status (*sum_squares)(lensor_context*, const lensor_view* x, float* out);
  /* Never interrupted half way. */
  lensor_status (*optimizer_step)(lensor_context*, const lensor_optimizer_step*);

  /* ---- what the machine can do at most, on all threads of the context ---- */
  /* Operations a second of multiply-adds in registers, for about `seconds`: LENSOR_F32, and where the back
     end has an instruction for them LENSOR_BF16 and LENSOR_I8, else 0. */
  double (*probe_fma)(lensor_context*, int32_t dtype, double seconds);
  /* Bytes a second of one reading of `data`, in order, whole multiples of 256 bytes. */
  double (*probe_read)(lensor_context*, const void* data, size_t bytes);

  /* ---- Attention Matching ---- */
  lensor_status (*match_look)(lensor_context*, const lensor_match*);
  lensor_status (*match_fit)(lensor_context*, const lensor_match*);
} lensor_ops;

#ifdef __cplusplus
}
#endif
#endif

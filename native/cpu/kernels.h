// The kernels that one instruction set offers, as the ABI's table names them. Every .cc file of this folder
// but dispatch.cc is compiled once per set, with LENSOR_ISA naming its namespace (see vec.h for what such a
// file may include).
#pragma once
#include "../include/lensor_abi.h"
#include "vec.h"

namespace lensor::LENSOR_ISA {

// copy.cc
lensor_status copy(lensor_context*, const lensor_view* x, const lensor_view* out);
// elementwise.cc
lensor_status unary(lensor_context*, lensor_unary, const lensor_view* x, const lensor_view* out);
lensor_status binary(lensor_context*, lensor_binary, const lensor_view* x, const lensor_view* y,
                     const lensor_view* out);
lensor_status where(lensor_context*, const lensor_view* condition, const lensor_view* x, const lensor_view* y,
                    const lensor_view* out);
// reduce.cc
lensor_status reduce(lensor_context*, lensor_reduction, const lensor_view* x, const lensor_view* out);
lensor_status softmax(lensor_context*, const lensor_view* x, const lensor_view* out, int32_t log);
float log_sum_exp(const float* x, int64_t n);
// index.cc
lensor_status top_k(lensor_context*, const lensor_view* x, const lensor_view* values,
                    const lensor_view* indices);
lensor_status gather(lensor_context*, const lensor_view* x, const lensor_view* index, const lensor_view* out);
// matmul.cc
lensor_status matmul(lensor_context*, const lensor_view* x, const lensor_view* y, const lensor_view* out);
// gemm.cc
lensor_status gemm(lensor_context*, const lensor_gemm*);
lensor_status gemms(lensor_context*, const lensor_gemm*, int64_t count);
// experts.cc
lensor_status combine(lensor_context*, const lensor_combine*);
lensor_status combine_grad(lensor_context*, const lensor_combine*, const lensor_view* dy,
                           const lensor_view* drows, float* dgates);
// weight.cc
size_t weight_bytes(int32_t dtype, int64_t rows, int64_t cols);
void weight_pack(const lensor_weight*, const void* const* rows, int64_t begin, int64_t end);
void weight_row(const lensor_weight*, int64_t row, float* out);
// round.cc
lensor_status quantize(lensor_context*, const lensor_activations* x);
// linear.cc
lensor_status linear(lensor_context*, const lensor_activations* x, const lensor_linear* jobs, int32_t count);
// block.cc
lensor_status rms_norm(lensor_context*, const float* x, const float* gain, float epsilon, int64_t rows,
                       int64_t width, float* out);
// attention.cc
lensor_status kv_write(lensor_context*, int32_t kv_dtype, const float* k, const float* v, int64_t stride,
                       int64_t rows, int32_t head_width, int64_t at, const lensor_kv_page* pages);
lensor_status kv_read(lensor_context*, int32_t kv_dtype, const lensor_kv_page* pages, int64_t at,
                      int64_t rows, int32_t head_width, float* k, float* v, int64_t stride);
lensor_status attention(lensor_context*, const lensor_attention*);
// kv_code.cc
size_t kv_code_bytes(const lensor_kv_code*, int32_t width, int32_t room, int32_t values);
lensor_status kv_encode(lensor_context*, const lensor_kv_code*, const float* rows, int64_t stride,
                        int64_t count, int32_t width, int32_t room, int32_t values, void* out);
void kv_decode(const lensor_kv_code*, const void* from, int32_t width, int32_t room, int32_t values,
               float* out);
// layers.cc
lensor_status layers(lensor_context*, const lensor_pass*);
// attention_map.cc
lensor_status attention_map(lensor_context*, const lensor_attention_map*);
// flash.cc, flash_grad.cc
lensor_status flash(lensor_context*, const lensor_flash*);
lensor_status flash_grad(lensor_context*, const lensor_flash_grad*);
// gradient.cc
lensor_status unary_grad(lensor_context*, lensor_unary, const lensor_view* x, const lensor_view* y,
                         const lensor_view* dy, const lensor_view* dx);
lensor_status softmax_grad(lensor_context*, const lensor_view* y, const lensor_view* dy,
                           const lensor_view* dx, int32_t log);
// scatter.cc
lensor_status scatter_add(lensor_context*, const lensor_view* x, const lensor_view* index,
                          const lensor_view* out);
// norm.cc
lensor_status norm(lensor_context*, int32_t layer, const lensor_view* x, const float* gain, const float* bias,
                   float epsilon, const lensor_view* y);
lensor_status norm_grad(lensor_context*, int32_t layer, const lensor_view* x, const float* gain,
                        float epsilon, const lensor_view* dy, const lensor_view* dx, float* dgain,
                        float* dbias);
// rotate.cc
lensor_status rotate(lensor_context*, const lensor_view* x, const int64_t* positions, const float* cos,
                     const float* sin, int32_t inverse, const lensor_view* out);
// glu.cc
lensor_status glu(lensor_context*, lensor_unary, const lensor_view* gate, const lensor_view* up,
                  const lensor_view* out);
lensor_status glu_grad(lensor_context*, lensor_unary, const lensor_view* gate, const lensor_view* up,
                       const lensor_view* dy, const lensor_view* dgate, const lensor_view* dup);
// loss.cc
lensor_status loss_rows(lensor_context*, const lensor_loss_rows*);
// along.cc
lensor_status cumsum(lensor_context*, const lensor_view* x, const lensor_view* out, int32_t reverse);
lensor_status scan(lensor_context*, const lensor_view* a, const lensor_view* x, const lensor_view* out,
                   int32_t reverse);
// sort.cc
lensor_status sort(lensor_context*, const lensor_view* x, const lensor_view* values,
                   const lensor_view* indices, int32_t descending);
// convolution.cc
lensor_status unfold(lensor_context*, const lensor_view* x, int64_t stride, int64_t padding, int64_t dilation,
                     const lensor_view* out);
lensor_status fold(lensor_context*, const lensor_view* x, int64_t stride, int64_t padding, int64_t dilation,
                   const lensor_view* out);
// solve.cc
lensor_status cholesky(lensor_context*, const lensor_view* x, const lensor_view* out);
lensor_status solve_triangular(lensor_context*, const lensor_view* a, const lensor_view* y, int32_t upper,
                               int32_t transposed, const lensor_view* x);
// eigen.cc
lensor_status eigen(lensor_context*, const lensor_view* x, const lensor_view* values,
                    const lensor_view* vectors);
// sparse.cc
lensor_status mark_smallest(lensor_context*, const lensor_view* x, int64_t count, const lensor_view* out);
lensor_status sparse_sweep(lensor_context*, const lensor_view* w, const lensor_view* u, int64_t block,
                           int32_t keep, int32_t of, double sparsity, const lensor_view* out);
// grid.cc
lensor_status round_groups(lensor_context*, const lensor_round_groups*);
// gptq.cc
lensor_status gptq_sweep(lensor_context*, const lensor_gptq*);
// optimize.cc
lensor_status sum_squares(lensor_context*, const lensor_view* x, float* out);
lensor_status optimizer_step(lensor_context*, const lensor_optimizer_step*);
// probe.cc
double probe_fma(lensor_context*, int32_t dtype, double seconds);
double probe_read(lensor_context*, const void* data, size_t bytes);
// match_look.cc, match_fit.cc
lensor_status match_look(lensor_context*, const lensor_match*);
lensor_status match_fit(lensor_context*, const lensor_match*);

} // namespace lensor::LENSOR_ISA

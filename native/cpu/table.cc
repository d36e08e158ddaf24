// This instruction set's table of kernels. One line a kernel, in the ABI's order.
#include "kernels.h"

#define LENSOR_NAME_(x) #x
#define LENSOR_NAME(x) LENSOR_NAME_(x)

namespace lensor::LENSOR_ISA {

extern const lensor_ops table;
const lensor_ops table = {
    .abi_version = LENSOR_ABI_VERSION,
    .name = LENSOR_NAME(LENSOR_ISA),
    .copy = copy,
    .unary = unary,
    .binary = binary,
    .where = where,
    .reduce = reduce,
    .softmax = softmax,
    .top_k = top_k,
    .matmul = matmul,
    .gather = gather,
    .weight_bytes = weight_bytes,
    .weight_pack = weight_pack,
    .weight_row = weight_row,
    .quantize = quantize,
    .linear = linear,
    .rms_norm = rms_norm,
    .kv_write = kv_write,
    .kv_read = kv_read,
    .attention = attention,
    .kv_code_bytes = kv_code_bytes,
    .kv_encode = kv_encode,
    .kv_decode = kv_decode,
    .layers = layers,
    .attention_map = attention_map,
    .log_sum_exp = log_sum_exp,
    .gemm = gemm,
    .flash = flash,
    .flash_grad = flash_grad,
    .unary_grad = unary_grad,
    .softmax_grad = softmax_grad,
    .scatter_add = scatter_add,
    .cumsum = cumsum,
    .sort = sort,
    .scan = scan,
    .norm = norm,
    .norm_grad = norm_grad,
    .rotate = rotate,
    .glu = glu,
    .glu_grad = glu_grad,
    .loss_rows = loss_rows,
    .unfold = unfold,
    .fold = fold,
    .cholesky = cholesky,
    .solve_triangular = solve_triangular,
    .eigen = eigen,
    .mark_smallest = mark_smallest,
    .sparse_sweep = sparse_sweep,
    .gptq_sweep = gptq_sweep,
    .sum_squares = sum_squares,
    .optimizer_step = optimizer_step,
    .probe_fma = probe_fma,
    .probe_read = probe_read,
    .match_look = match_look,
    .match_fit = match_fit,
};

} // namespace lensor::LENSOR_ISA

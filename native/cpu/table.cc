// This instruction set's table of kernels. One line a kernel, in the ABI's order.
#include "kernels.h"

#define LENSOR_NAME_(x) #x
#define LENSOR_NAME(x) LENSOR_NAME_(x)

namespace lensor::LENSOR_ISA {

extern const lensor_ops table;
const lensor_ops table = {
    LENSOR_ABI_VERSION,
    LENSOR_NAME(LENSOR_ISA),
    copy,
    unary,
    binary,
    where,
    reduce,
    softmax,
    top_k,
    matmul,
    gather,
    weight_bytes,
    weight_pack,
    weight_row,
    quantize,
    linear,
    rms_norm,
    rope,
    silu_mul,
    kv_write,
    attention,
    attention_map,
    log_sum_exp,
};

} // namespace lensor::LENSOR_ISA

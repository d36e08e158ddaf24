// Operations as functions, for gradients to be written in. Each enqueues and returns at once; shapes must
// fit, as those of a recorded call do. Nothing here is recorded.
#pragma once
#include "op.h"

namespace lensor {

Tensor unary(lensor_unary op, const Tensor& x);
// Shapes broadcast; one dtype.
Tensor binary(lensor_binary op, const Tensor& x, const Tensor& y);
inline Tensor add(const Tensor& x, const Tensor& y) { return binary(LENSOR_ADD, x, y); }
inline Tensor sub(const Tensor& x, const Tensor& y) { return binary(LENSOR_SUB, x, y); }
inline Tensor mul(const Tensor& x, const Tensor& y) { return binary(LENSOR_MUL, x, y); }
inline Tensor div(const Tensor& x, const Tensor& y) { return binary(LENSOR_DIV, x, y); }
inline Tensor neg(const Tensor& x) { return unary(LENSOR_NEG, x); }
Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y);
Tensor cast(const Tensor& x, int32_t dtype);
// One value, without memory of its own size.
Tensor full(int32_t dtype, const Shape& shape, double value);
// Zeros with memory, to be written into.
Tensor zeros(int32_t dtype, const Shape& shape);
Tensor scale(const Tensor& x, double factor);
// 0, step, 2 step, ... as i64 [count].
Tensor steps(int64_t count, int64_t step);
// Row-major, in memory of its own.
Tensor copied(const Tensor& x);
Tensor contiguous(const Tensor& x);
// Row-major under another shape; copied where it is not row-major.
Tensor reshaped(const Tensor& x, const Shape& shape);
// The same, in x's memory as long as any strides can say it.
Tensor viewed(const Tensor& x, const Shape& shape);
Tensor permuted(const Tensor& x, const std::vector<int32_t>& axes);
Tensor expanded(const Tensor& x, const Shape& shape);
// The last two axes exchanged.
Tensor transposed(const Tensor& x);
// Sums over the last axis of [rows, n]: [rows].
Tensor sum_rows(const Tensor& x);
// Sums over the axes that broadcasting repeated: the adjoint of `expanded`.
Tensor sum_to(const Tensor& x, const Shape& shape);
// [B, M, K] x [B, K, N], any strides.
Tensor matmul(const Tensor& x, const Tensor& y);
// x += y, in the memory of x, which nobody else looks at.
void add_into(const Tensor& x, const Tensor& y);
// Copies y into the window that `view` is on x's buffer.
void copy_into(const Tensor& x, const lensor_view& view, const Tensor& y);

} // namespace lensor

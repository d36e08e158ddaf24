// Causal attention over a paged cache, after FlashAttention (Dao et al. 2022) with its blocks at fixed
// places:
//   a page gives  m = max_j s_j,  l = sum_j e^(s_j - m),  o = sum_j e^(s_j - m) v_j   over its visible keys
//   pages merge left to right:  M = max(m1, m2),  l = l1 e^(m1 - M) + l2 e^(m2 - M),  o likewise;  out = o /
//   l
// A page's sums depend on how many of its keys a query sees and on nothing else, so it does not matter how
// many queries share a pass, or which thread made the page's part. Several queries read a page together; few
// queries (decoding) spread their pages over the threads and merge afterwards.
#include "kernels.h"
#include <stdlib.h>

namespace lensor::LENSOR_ISA {

namespace {

constexpr int kQueries = 4; // that read a page together

// What one query has gathered: m, l, then o [padded width].
struct Part {
  float* memory;
  float& m() const { return memory[0]; }
  float& l() const { return memory[1]; }
  float* o() const { return memory + 16; }
};
LENSOR_INLINE int64_t part_floats(int32_t width) { return 16 + (width + 15) / 16 * 16; }

LENSOR_INLINE void clear(Part part, int32_t width) {
  part.m() = -INFINITY;
  part.l() = 0;
  for (int i = 0; i < width; i += 16) store(part.o() + i, zero());
}

LENSOR_INLINE void merge(Part into, Part from, int32_t width) {
  if (from.m() == -INFINITY) return;
  const float m = into.m() > from.m() ? into.m() : from.m();
  const float a = exp1(into.m() - m), b = exp1(from.m() - m);
  into.l() = into.l() * a + from.l() * b;
  into.m() = m;
  for (int i = 0; i < width; i += 16)
    store(into.o() + i, fma(load(from.o() + i), set1(b), mul(load(into.o() + i), set1(a))));
}

template <bool F16> LENSOR_INLINE f32v load_kv(const void* p, int64_t at) {
  if constexpr (F16)
    return load_f16((const uint16_t*)p + at);
  else
    return load((const float*)p + at);
}

struct Page {
  const void *k, *v;
  const float* bias; // of its first key, or null
};

// N queries that all see the first `seen` keys of a page. q: each query's row, [width].
template <int N, bool F16> void page_part(const Page& page, const float* const* q, int seen, int32_t width,
                                          float scale, const Part* parts) {
  const int padded = (width + 15) / 16 * 16;
  float p[N][LENSOR_PAGE];
  const int panels = (seen + 15) / 16;
  f32v top[N];
  for (int n = 0; n < N; n++) top[n] = set1(-INFINITY);
  for (int panel = 0; panel < panels; panel++) {
    f32v s[N];
    for (int n = 0; n < N; n++) s[n] = zero();
    for (int i = 0; i < width; i++) {
      const f32v k = load_kv<F16>(page.k, ((int64_t)panel * width + i) * 16);
      for (int n = 0; n < N; n++) s[n] = fma(k, set1(q[n][i]), s[n]);
    }
    const int left = seen - panel * 16, some = left < 16 ? left : 16;
    const f32v bias = page.bias ? load_part(page.bias + panel * 16, some, 0) : zero();
    for (int n = 0; n < N; n++) {
      store(p[n] + panel * 16, add(mul(s[n], set1(scale)), bias));
      for (int j = some; j < 16; j++) p[n][panel * 16 + j] = -INFINITY;
      top[n] = vmax(top[n], load(p[n] + panel * 16));
    }
  }
  for (int n = 0; n < N; n++) {
    const float m = lane_max(top[n]);
    parts[n].m() = m;
    f32v l = zero();
    for (int panel = 0; panel < panels; panel++) {
      // A bias may mask every key: then there is nothing to subtract from.
      const f32v e = m == -INFINITY ? zero() : vexp(sub(load(p[n] + panel * 16), set1(m)));
      store(p[n] + panel * 16, e);
      l = add(l, e);
    }
    parts[n].l() = lane_sum(l);
  }
  for (int i = 0; i < padded; i += 16) {
    f32v o[N];
    for (int n = 0; n < N; n++) o[n] = zero();
    for (int j = 0; j < seen; j++) {
      const f32v v = load_kv<F16>(page.v, (int64_t)j * padded + i);
      for (int n = 0; n < N; n++) o[n] = fma(v, set1(p[n][j]), o[n]);
    }
    for (int n = 0; n < N; n++) store(parts[n].o() + i, o[n]);
  }
}

void page_parts(const lensor_attention* a, const Page& page, const float* const* q, int count, int seen,
                const Part* parts) {
  const bool f16 = a->kv_dtype == LENSOR_F16;
  const auto four = f16 ? page_part<kQueries, true> : page_part<kQueries, false>;
  const auto one = f16 ? page_part<1, true> : page_part<1, false>;
  int n = 0;
  for (; n + kQueries <= count; n += kQueries) four(page, q + n, seen, a->head_width, a->scale, parts + n);
  for (; n < count; n++) one(page, q + n, seen, a->head_width, a->scale, parts + n);
}

LENSOR_INLINE int64_t visible(const lensor_attention* a, int32_t g, int64_t t) {
  return a->key_count[g] - a->tokens + t + 1;
}

LENSOR_INLINE Page page_of(const lensor_attention* a, int32_t g, int64_t page) {
  const float* bias = a->key_bias ? a->key_bias[g] : nullptr;
  return {a->key_pages[g][page], a->value_pages[g][page], bias ? bias + page * LENSOR_PAGE : nullptr};
}

LENSOR_INLINE void finish(const lensor_attention* a, int32_t h, int64_t t, Part part) {
  float* out = a->out + t * a->out_stride + (int64_t)h * a->head_width;
  const f32v inverse = set1(part.l() > 0 ? 1 / part.l() : 0);
  for (int i = 0; i < a->head_width; i += 16)
    store_part(out + i, mul(load(part.o() + i), inverse), a->head_width - i < 16 ? a->head_width - i : 16);
  if (a->log_sum_exp) a->log_sum_exp[t * a->heads + h] = part.m() + logf(part.l());
}

struct Call {
  lensor_context* context;
  const lensor_attention* a;
  int64_t blocks; // of queries, when many
  int64_t pages;  // most of any head, when few
  float* parts;   // when few: [heads][tokens][pages] parts
  int32_t* failed;
};

constexpr int kBlock = 16; // queries that walk the pages together

// Item: one head and one block of queries.
void many(void* arg, int64_t begin, int64_t end, int32_t) {
  const Call* call = (const Call*)arg;
  const lensor_attention* a = call->a;
  const int64_t floats = part_floats(a->head_width);
  float* memory = (float*)aligned_alloc(64, (size_t)(2 * kBlock * floats) * 4);
  if (!memory) {
    *call->failed = 1;
    return;
  }
  for (int64_t item = begin; item < end && !call->context->interrupted(call->context); item++) {
    const int32_t h = (int32_t)(item / call->blocks), g = (int32_t)((int64_t)h * a->kv_heads / a->heads);
    const int64_t first = item % call->blocks * kBlock;
    const int count = (int)(a->tokens - first < kBlock ? a->tokens - first : kBlock);
    Part sums[kBlock], parts[kBlock];
    const float* q[kBlock];
    for (int n = 0; n < count; n++) {
      sums[n] = {memory + n * floats};
      parts[n] = {memory + (kBlock + n) * floats};
      q[n] = a->q + (first + n) * a->q_stride + (int64_t)h * a->head_width;
      clear(sums[n], a->head_width);
    }
    const int64_t last = visible(a, g, first + count - 1);
    for (int64_t at = 0; at < last; at += LENSOR_PAGE) {
      const Page page = page_of(a, g, at / LENSOR_PAGE);
      // Queries that see the whole page share it; those on the diagonal see fewer keys each.
      int n = 0;
      while (n < count && visible(a, g, first + n) <= at) n++;
      for (; n < count && visible(a, g, first + n) - at < LENSOR_PAGE; n++) {
        page_parts(a, page, q + n, 1, (int)(visible(a, g, first + n) - at), parts + n);
        merge(sums[n], parts[n], a->head_width);
      }
      if (n == count) continue;
      page_parts(a, page, q + n, count - n, LENSOR_PAGE, parts + n);
      for (; n < count; n++) merge(sums[n], parts[n], a->head_width);
    }
    for (int n = 0; n < count; n++) finish(a, h, first + n, sums[n]);
  }
  free(memory);
}

// Item: one page of one query of one head.
void few(void* arg, int64_t begin, int64_t end, int32_t) {
  const Call* call = (const Call*)arg;
  const lensor_attention* a = call->a;
  for (int64_t item = begin; item < end; item++) {
    const int64_t page = item % call->pages, t = item / call->pages % a->tokens;
    const int32_t h = (int32_t)(item / call->pages / a->tokens),
                  g = (int32_t)((int64_t)h * a->kv_heads / a->heads);
    const int64_t left = visible(a, g, t) - page * LENSOR_PAGE;
    if (left <= 0) continue;
    const Part part = {call->parts + item * part_floats(a->head_width)};
    const float* q = a->q + t * a->q_stride + (int64_t)h * a->head_width;
    page_parts(a, page_of(a, g, page), &q, 1, (int)(left < LENSOR_PAGE ? left : LENSOR_PAGE), &part);
  }
}

void merge_few(void* arg, int64_t begin, int64_t end, int32_t) {
  const Call* call = (const Call*)arg;
  const lensor_attention* a = call->a;
  const int64_t floats = part_floats(a->head_width);
  float* memory = (float*)aligned_alloc(64, (size_t)floats * 4);
  if (!memory) {
    *call->failed = 1;
    return;
  }
  for (int64_t item = begin; item < end; item++) {
    const int64_t t = item % a->tokens;
    const int32_t h = (int32_t)(item / a->tokens), g = (int32_t)((int64_t)h * a->kv_heads / a->heads);
    Part sum = {memory};
    clear(sum, a->head_width);
    const int64_t pages = (visible(a, g, t) + LENSOR_PAGE - 1) / LENSOR_PAGE;
    for (int64_t page = 0; page < pages; page++)
      merge(sum, {call->parts + (item * call->pages + page) * floats}, a->head_width);
    finish(a, h, t, sum);
  }
  free(memory);
}

} // namespace

lensor_status attention(lensor_context* context, const lensor_attention* a) {
  int32_t failed = 0;
  Call call = {context, a, (a->tokens + kBlock - 1) / kBlock, 0, nullptr, &failed};
  if (a->tokens >= kQueries) {
    context->parallel(context, a->heads * call.blocks, 1, many, &call);
  } else {
    for (int32_t g = 0; g < a->kv_heads; g++) {
      const int64_t pages = (a->key_count[g] + LENSOR_PAGE - 1) / LENSOR_PAGE;
      if (pages > call.pages) call.pages = pages;
    }
    const int64_t items = a->heads * a->tokens;
    call.parts = (float*)aligned_alloc(64, (size_t)(items * call.pages * part_floats(a->head_width)) * 4);
    if (!call.parts) return LENSOR_OUT_OF_MEMORY;
    context->parallel(context, items * call.pages, call.pages < 4 ? call.pages : 4, few, &call);
    // Merging is a few hundred additions a head: worth the threads only where there are many pages.
    if (call.pages < 16)
      merge_few(&call, 0, items, 0);
    else
      context->parallel(context, items, 1, merge_few, &call);
    free(call.parts);
  }
  if (failed) return LENSOR_OUT_OF_MEMORY;
  return context->interrupted(context) ? LENSOR_INTERRUPTED : LENSOR_OK;
}

lensor_status kv_write(lensor_context*, int32_t kv_dtype, const float* k, const float* v, int64_t stride,
                       int64_t rows, int32_t head_width, int64_t at, void* const* key_pages,
                       void* const* value_pages) {
  const int padded = (head_width + 15) / 16 * 16;
  uint16_t half[16];
  for (int64_t row = 0; row < rows; row++, at++, k += stride, v += stride) {
    const int64_t slot = at % LENSOR_PAGE;
    const int64_t key = (slot / 16 * head_width) * 16 + slot % 16, value = slot * padded;
    void *kp = key_pages[at / LENSOR_PAGE], *vp = value_pages[at / LENSOR_PAGE];
    for (int i = 0; i < head_width; i += 16) {
      const int n = head_width - i < 16 ? head_width - i : 16;
      const f32v values = load_part(v + i, n, 0);
      if (kv_dtype == LENSOR_F16) {
        store_f16((uint16_t*)vp + value + i, values);
        store_f16(half, load_part(k + i, n, 0));
        for (int j = 0; j < n; j++) ((uint16_t*)kp)[key + (i + j) * 16] = half[j];
      } else {
        store((float*)vp + value + i, values);
        for (int j = 0; j < n; j++) ((float*)kp)[key + (i + j) * 16] = k[i + j];
      }
    }
  }
  return LENSOR_OK;
}

} // namespace lensor::LENSOR_ISA

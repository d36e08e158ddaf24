// Causal attention over a paged cache, after FlashAttention (Dao et al. 2022) with its blocks at fixed
// places:
//   a page gives  m = max_j s_j,  l = sum_j e^(s_j - m),  o = sum_j e^(s_j - m) v_j   over its visible keys
//   pages merge left to right:  M = max(m1, m2),  l = l1 e^(m1 - M) + l2 e^(m2 - M),  o likewise
//   out = o / l
// A row is one query of one head. A page's sums depend on how many of its keys a row sees and on nothing
// else, so it does not matter how many rows share a pass, or which thread made the page's part. The query
// heads of a KV head read its pages together; few queries (decoding) spread their pages over the threads.
#include "attention.h"
#include "attention_pages.h"
#include <stdlib.h>

namespace lensor::LENSOR_ISA {

namespace {

constexpr int kBlock = 16;    // queries that walk the pages together
constexpr int kFew = 4;       // queries from which blocks of them are worth more than pages apart
constexpr int kShort = 4;     // pages up to which a head's are not worth merging after another meeting
constexpr int64_t kWiden = 8; // rows from which a page is widened to f32 once for all

LENSOR_INLINE int64_t part_floats(int32_t width) { return 16 + padded(width); }

LENSOR_INLINE void clear(Gathered part, int32_t width) {
  part.m() = -INFINITY;
  part.l() = 0;
  for (int i = 0; i < width; i += 16) store(part.o() + i, zero());
}

LENSOR_INLINE void merge(Gathered into, Gathered from, int32_t width) {
  if (from.m() == -INFINITY) return;
  if (into.m() == -INFINITY) {
    memcpy(into.memory, from.memory, (size_t)part_floats(width) * 4);
    return;
  }
  // The larger maximum's own factor is 1.
  const float rise = from.m() - into.m(), e = exp1(rise > 0 ? -rise : rise);
  const float a = rise > 0 ? e : 1, b = rise > 0 ? 1 : e;
  into.l() = into.l() * a + from.l() * b;
  if (rise > 0) into.m() = from.m();
  for (int i = 0; i < width; i += 16)
    store(into.o() + i, fma(load(from.o() + i), set1(b), mul(load(into.o() + i), set1(a))));
}

// How many keys query t sees.
LENSOR_INLINE int64_t visible(const lensor_attention* a, int64_t g, int64_t t) {
  return a->kv[g].count - a->tokens + t + 1;
}

LENSOR_INLINE Page page_of(const lensor_attention* a, int64_t g, int64_t page) {
  const lensor_kv_head& head = a->kv[g];
  const lensor_kv_page* at = head.pages + page;
  // Nobody knows which page is next where some are left out.
  const bool last = head.bounds || (page + 1) * LENSOR_PAGE >= head.count;
  Page p = {a->kv_dtype, at->room, at->keys, at->values,     nullptr,
            nullptr,     nullptr,  0,        at[!last].keys, at[!last].values};
  if (page * LENSOR_PAGE < head.biased)
    p.bias = head.bias + page * LENSOR_PAGE, p.biased = head.biased - page * LENSOR_PAGE;
  if (a->kv_dtype == LENSOR_I8)
    p.key_scale = key_scales(*at, a->head_width), p.value_scale = value_scales(*at, a->head_width);
  return p;
}

LENSOR_INLINE bool is_coded(const lensor_kv_page& page) { return page.key_code || page.value_code; }

LENSOR_INLINE int64_t parts_floats(const AttentionPlan& plan) {
  return plan.split ? plan.a->heads * plan.a->tokens * plan.pages * part_floats(plan.a->head_width) : 0;
}
// Marks of query t's pages of KV head g.
LENSOR_INLINE float* marks_of(const AttentionPlan& plan, int64_t g, int64_t t) {
  return plan.parts + parts_floats(plan) + (t * plan.a->kv_heads + g) * plan.pages;
}
LENSOR_INLINE bool is_read(const AttentionPlan& plan, int64_t g, int64_t t, int64_t page) {
  const lensor_kv_head& head = plan.a->kv[g];
  return !head.bounds || page >= head.bounded || marks_of(plan, g, t)[page] > 0;
}

// Row r of KV head g's: query first + r / group of head g group + r % group.
struct RowsOf {
  const lensor_attention* a;
  int64_t group, g, first;

  int64_t query(int64_t r) const { return first + r / group; }
  int64_t head(int64_t r) const { return g * group + r % group; }
  const float* q(int64_t r) const { return a->q + query(r) * a->q_stride + head(r) * a->head_width; }
};

void finish(const RowsOf& rows, int64_t r, Gathered part) {
  const lensor_attention* a = rows.a;
  const int64_t t = rows.query(r), h = rows.head(r);
  float* out = a->out + t * a->out_stride + h * a->head_width;
  const f32v inverse = set1(part.l() > 0 ? 1 / part.l() : 0);
  for (int i = 0; i < a->head_width; i += 16)
    store_part(out + i, mul(load(part.o() + i), inverse), a->head_width - i < 16 ? a->head_width - i : 16);
  if (a->log_sum_exp) a->log_sum_exp[t * a->heads + h] = part.m() + logf(part.l());
}

// Many queries: `count` rows of a block walk the pages up to the last that any of them sees.
void walk_pages(const AttentionPlan& plan, const RowsOf& rows, int64_t count, float* scratch) {
  const lensor_attention* a = plan.a;
  const int32_t width = a->head_width;
  const int64_t floats = part_floats(width);
  float* wide = scratch + (count + kRows) * floats;
  const auto sum = [&](int64_t r) { return Gathered{scratch + r * floats}; };
  for (int64_t r = 0; r < count; r++) clear(sum(r), width);
  Gathered parts[kRows];
  for (int n = 0; n < kRows; n++) parts[n] = {scratch + (count + n) * floats};
  const int64_t last = visible(a, rows.g, rows.query(count - 1));
  for (int64_t at = 0; at < last; at += LENSOR_PAGE) {
    const int64_t number = at / LENSOR_PAGE;
    const auto reads = [&](int64_t r) { return is_read(plan, rows.g, rows.query(r), number); };
    int64_t r = 0;
    // Rows come in the order of their queries: the first ones may not see this page yet.
    while (visible(a, rows.g, rows.query(r)) <= at) r++;
    while (r < count && !reads(r)) r++;
    if (r == count) continue;
    Page page = page_of(a, rows.g, number);
    const lensor_kv_page& from = a->kv[rows.g].pages[number];
    if (is_coded(from))
      decode_page(&page, from, width, wide);
    else if (count >= kWiden && page.dtype != LENSOR_F32)
      widen(&page, width, wide);
    while (r < count) {
      const float* q[kRows];
      int64_t row[kRows];
      int seen[kRows], n = 0;
      for (; n < kRows && r < count; r++) {
        if (!reads(r)) continue;
        const int64_t left = visible(a, rows.g, rows.query(r)) - at;
        row[n] = r, q[n] = rows.q(r), seen[n++] = (int)(left < LENSOR_PAGE ? left : LENSOR_PAGE);
      }
      if (n) page_rows(page, q, seen, n, width, a->scale, parts);
      for (int i = 0; i < n; i++) merge(sum(row[i]), parts[i], width);
    }
  }
  for (int64_t r = 0; r < count; r++) finish(rows, r, sum(r));
}

// Where the parts of KV head g's row r are kept when pages are apart.
LENSOR_INLINE Gathered part_at(const AttentionPlan& plan, int64_t g, int64_t r, int64_t page) {
  const int64_t rows = plan.group * plan.a->tokens;
  return {plan.parts + ((g * rows + r) * plan.pages + page) * part_floats(plan.a->head_width)};
}

void one_page(const AttentionPlan& plan, int64_t g, int64_t page, float* scratch) {
  const lensor_attention* a = plan.a;
  const RowsOf rows = {a, plan.group, g, 0};
  const int64_t count = plan.group * a->tokens, at = page * LENSOR_PAGE;
  if (at >= a->kv[g].count) return;
  bool read = false;
  for (int64_t t = 0; t < a->tokens; t++) read |= is_read(plan, g, t, page);
  if (!read) return;
  Page from = page_of(a, g, page);
  if (const lensor_kv_page& own = a->kv[g].pages[page]; is_coded(own))
    decode_page(&from, own, a->head_width, scratch);
  for (int64_t r = 0; r < count;) {
    const float* q[kRows];
    Gathered parts[kRows];
    int seen[kRows], n = 0;
    for (; n < kRows && r < count; r++) {
      if (!is_read(plan, g, rows.query(r), page)) continue;
      const int64_t left = visible(a, g, rows.query(r)) - at;
      q[n] = rows.q(r), parts[n] = part_at(plan, g, r, page);
      seen[n++] = (int)(left < 0 ? 0 : left < LENSOR_PAGE ? left : LENSOR_PAGE);
    }
    if (n) page_rows(from, q, seen, n, a->head_width, a->scale, parts);
  }
}

struct Call {
  lensor_context* context;
  const AttentionPlan* plan;
  void (*item)(const AttentionPlan&, int64_t, float*);
  int32_t failed;
};

void some_items(void* arg, int64_t begin, int64_t end, int32_t) {
  Call* call = (Call*)arg;
  float* scratch = (float*)aligned_alloc(64, (size_t)attention_scratch(*call->plan) * 4);
  if (!scratch) {
    __atomic_store_n(&call->failed, 1, __ATOMIC_RELAXED);
    return;
  }
  for (int64_t item = begin; item < end && !call->context->interrupted(call->context); item++)
    call->item(*call->plan, item, scratch);
  free(scratch);
}

} // namespace

AttentionPlan attention_plan(const lensor_attention* a) {
  AttentionPlan plan = {a,      a->heads / a->kv_heads, 0, (a->tokens + kBlock - 1) / kBlock, false, false,
                        nullptr};
  for (int32_t g = 0; g < a->kv_heads; g++) {
    const int64_t pages = (a->kv[g].count + LENSOR_PAGE - 1) / LENSOR_PAGE;
    if (pages > plan.pages) plan.pages = pages;
    if (a->kv[g].bounds) plan.chooses = true;
  }
  plan.split = a->tokens < kFew && plan.pages > kShort;
  return plan;
}

int64_t attention_parts(const AttentionPlan& plan) {
  return parts_floats(plan) + attention_choices(plan) * plan.pages;
}

int64_t attention_scratch(const AttentionPlan& plan) {
  const int32_t width = plan.a->head_width;
  const int64_t floats = plan.split
                             ? part_floats(width) + widened_floats(width)
                             : (kBlock * plan.group + kRows) * part_floats(width) + widened_floats(width);
  return plan.chooses && plan.pages > floats ? plan.pages : floats;
}

int64_t attention_choices(const AttentionPlan& plan) {
  return plan.chooses ? plan.a->tokens * plan.a->kv_heads : 0;
}

void attention_choose(const AttentionPlan& plan, int64_t item, float* scratch) {
  const int64_t t = item / plan.a->kv_heads, g = item % plan.a->kv_heads;
  if (plan.a->kv[g].bounds) choose_pages(plan.a, plan.group, g, t, scratch, marks_of(plan, g, t));
}

int64_t attention_items(const AttentionPlan& plan) {
  return plan.a->kv_heads * (plan.split ? plan.pages : plan.blocks);
}

void attention_item(const AttentionPlan& plan, int64_t item, float* scratch) {
  if (plan.split) return one_page(plan, item / plan.pages, item % plan.pages, scratch);
  // The last queries see the most keys: first, so that threads end together.
  const int64_t block = plan.blocks - 1 - item / plan.a->kv_heads, first = block * kBlock;
  const int64_t left = plan.a->tokens - first;
  const RowsOf rows = {plan.a, plan.group, item % plan.a->kv_heads, first};
  walk_pages(plan, rows, (left < kBlock ? left : kBlock) * plan.group, scratch);
}

int64_t attention_merges(const AttentionPlan& plan) {
  return plan.split ? plan.a->heads * plan.a->tokens : 0;
}

void attention_merge(const AttentionPlan& plan, int64_t item, float* scratch) {
  const int64_t count = plan.group * plan.a->tokens, g = item / count, r = item % count;
  const RowsOf rows = {plan.a, plan.group, g, 0};
  const Gathered sum = {scratch};
  clear(sum, plan.a->head_width);
  const int64_t pages = (visible(plan.a, g, rows.query(r)) + LENSOR_PAGE - 1) / LENSOR_PAGE;
  for (int64_t page = 0; page < pages; page++)
    if (is_read(plan, g, rows.query(r), page)) merge(sum, part_at(plan, g, r, page), plan.a->head_width);
  finish(rows, r, sum);
}

lensor_status attention(lensor_context* context, const lensor_attention* a) {
  AttentionPlan plan = attention_plan(a);
  if (const int64_t parts = attention_parts(plan)) {
    plan.parts = (float*)aligned_alloc(64, (size_t)parts * 4);
    if (!plan.parts) return LENSOR_OUT_OF_MEMORY;
  }
  Call call = {context, &plan, attention_choose, 0};
  if (plan.chooses) context->parallel(context, attention_choices(plan), 1, some_items, &call);
  call.item = attention_item;
  context->parallel(context, attention_items(plan), plan.split ? 4 : 1, some_items, &call);
  call.item = attention_merge;
  if (plan.split) context->parallel(context, attention_merges(plan), 4, some_items, &call);
  free(plan.parts);
  if (call.failed) return LENSOR_OUT_OF_MEMORY;
  return context->interrupted(context) ? LENSOR_INTERRUPTED : LENSOR_OK;
}

lensor_status kv_write(lensor_context*, int32_t kv_dtype, const float* k, const float* v, int64_t stride,
                       int64_t rows, int32_t head_width, int64_t at, const lensor_kv_page* pages) {
  for (int64_t row = 0; row < rows; row++, at++)
    write_key(kv_dtype, k + row * stride, v + row * stride, head_width, (int)(at % LENSOR_PAGE),
              pages[at / LENSOR_PAGE]);
  return LENSOR_OK;
}

lensor_status kv_read(lensor_context*, int32_t kv_dtype, const lensor_kv_page* pages, int64_t at,
                      int64_t rows, int32_t head_width, float* k, float* v, int64_t stride) {
  const auto read = kv_dtype == LENSOR_F16    ? read_keys<LENSOR_F16>
                    : kv_dtype == LENSOR_BF16 ? read_keys<LENSOR_BF16>
                    : kv_dtype == LENSOR_I8   ? read_keys<LENSOR_I8>
                                              : read_keys<LENSOR_F32>;
  float* wide = nullptr;
  for (int64_t row = 0; row < rows;) {
    const lensor_kv_page& from = pages[(at + row) / LENSOR_PAGE];
    const bool coded = is_coded(from);
    const int64_t slot = (at + row) % LENSOR_PAGE, in_page = LENSOR_PAGE - slot, most = coded ? in_page : 16;
    const int64_t some = rows - row < most ? rows - row : most, n = some < in_page ? some : in_page;
    float *to_k = k + row * stride, *to_v = v + row * stride;
    row += n;
    if (!coded) {
      read(from, head_width, (int)slot, (int)n, to_k, to_v, stride);
      continue;
    }
    if (!wide) wide = (float*)aligned_alloc(64, (size_t)widened_floats(head_width) * 4);
    if (!wide) return LENSOR_OUT_OF_MEMORY;
    Page page = {kv_dtype, from.room, from.keys, from.values, nullptr, nullptr, nullptr, 0, nullptr, nullptr};
    if (kv_dtype == LENSOR_I8)
      page.key_scale = key_scales(from, head_width), page.value_scale = value_scales(from, head_width);
    decode_page(&page, from, head_width, wide);
    read_decoded(page, wide, head_width, (int)slot, (int)n, to_k, to_v, stride);
  }
  free(wide);
  return LENSOR_OK;
}

} // namespace lensor::LENSOR_ISA

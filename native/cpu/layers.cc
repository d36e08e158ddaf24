// Layers of a decoder in one region of all threads:
//   x += W_o attention(RoPE(W_q n), RoPE(W_k n), W_v n),  n = norm(x)
//   x += W_down (silu(W_gate n') * W_up n'),              n' = norm(x)
// A layer is six steps (seven where attention is split), each ended by a meeting; what is small is done where
// its result is needed: a lone row is normed and rounded by every thread for itself, and a piece of the gate
// is closed, and of many rows rounded, by the thread that made it. Every step is made of pieces that do not
// depend on how they are shared out.
#include "attention.h"
#include "mixture.h"
#include "page.h"
#include "pass.h"
#include <stdlib.h>

namespace lensor::LENSOR_ISA {

namespace {

// Of all rows, or of the one row of one of several texts.
lensor_attention attention_of(const lensor_pass* p, const lensor_layer* layer, int64_t text) {
  const int64_t width = (int64_t)p->heads * p->head_width, first = text * width;
  return {p->heads,
          p->kv_heads,
          p->head_width,
          rows_of_text(p),
          p->q + first,
          width,
          layer->kv + text * p->kv_heads,
          p->kv_dtype,
          1 / sqrtf((float)p->head_width),
          p->mix + first,
          width,
          nullptr};
}

// Several texts share out themselves: none spreads its pages over the threads.
AttentionPlan plan_of(const lensor_pass* p, const lensor_attention* a) {
  AttentionPlan plan = attention_plan(a);
  if (p->texts) plan.split = plan.chooses = false;
  return plan;
}

// Heads may hold fewer keys in one layer than in another: the most that any layer's attention needs.
template <class F> int64_t most_of_layers(const lensor_pass* p, const F& floats) {
  int64_t most = 0;
  for (int32_t i = 0; i < p->count; i++)
    for (int64_t text = 0; text < texts_of(p); text++) {
      const lensor_attention a = attention_of(p, p->layers + i, text);
      const int64_t some = floats(plan_of(p, &a));
      if (some > most) most = some;
    }
  return most;
}

// The queries of one KV head's group in one row, and its key and value, which go into the cache.
void place_row(const lensor_pass* p, const lensor_layer* layer, int64_t row, int64_t g) {
  const int64_t group = p->heads / p->kv_heads, d = p->head_width;
  const lensor_kv_head& head = layer->kv[(p->texts ? row : 0) * p->kv_heads + g];
  const int64_t at = head.count - (p->texts ? 1 : p->rows - row);
  const float *cos = p->cos + row * (d / 2), *sin = p->sin + row * (d / 2);
  for (int64_t h = g * group; h < (g + 1) * group; h++)
    rope_head(p->q + (row * p->heads + h) * d, p->head_width, cos, sin);
  float* k = p->k + (row * p->kv_heads + g) * d;
  rope_head(k, p->head_width, cos, sin);
  write_key(p->kv_dtype, k, p->v + (row * p->kv_heads + g) * d, p->head_width, (int)(at % LENSOR_PAGE),
            head.pages[at / LENSOR_PAGE]);
}

void attend_texts(Work* work, Own* own, const lensor_layer* layer) {
  const lensor_pass* p = work->pass;
  share(&work->team, own->thread, (int64_t)p->texts * p->kv_heads, [&](int64_t item) {
    const lensor_attention a = attention_of(p, layer, item / p->kv_heads);
    attention_item(plan_of(p, &a), item % p->kv_heads, own->attention);
  });
  meet(&work->team);
}

void attend(Work* work, Own* own, const lensor_layer* layer) {
  if (work->pass->texts) return attend_texts(work, own, layer);
  Team* team = &work->team;
  const lensor_attention a = attention_of(work->pass, layer, 0);
  AttentionPlan plan = attention_plan(&a);
  plan.parts = work->parts;
  if (plan.chooses) {
    share(team, own->thread, attention_choices(plan),
          [&](int64_t item) { attention_choose(plan, item, own->attention); });
    meet(team);
  }
  share(team, own->thread, attention_items(plan),
        [&](int64_t item) { attention_item(plan, item, own->attention); });
  meet(team);
  if (!plan.split) return;
  share(team, own->thread, attention_merges(plan),
        [&](int64_t item) { attention_merge(plan, item, own->attention); });
  meet(team);
}

// False where the pass was stopped.
bool one_layer(Work* work, Own* own, const lensor_layer* layer) {
  const lensor_pass* p = work->pass;
  const int64_t heads = (int64_t)p->heads * p->head_width, kv = (int64_t)p->kv_heads * p->head_width;
  const Readers reads = readers_of(layer, LENSOR_QUERY, 3), mixes = readers_of(layer, LENSOR_OUTPUT, 1),
                wide = readers_of(layer, LENSOR_GATE, 2), narrow = readers_of(layer, LENSOR_DOWN, 1);
  lensor_activations a =
      ready(work, own, p->stream, layer->attention_norm, p->width, p->rows, reads, &p->rounded);
  const lensor_linear three[] = {job_of(p, own, reads, 0, p->q, heads, 0),
                                 job_of(p, own, reads, 1, p->k, kv, 0),
                                 job_of(p, own, reads, 2, p->v, kv, 0)};
  products(work, own, &a, three, 3);
  share(&work->team, own->thread, p->rows * p->kv_heads,
        [&](int64_t item) { place_row(p, layer, item / p->kv_heads, item % p->kv_heads); });
  meet(&work->team);
  attend(work, own, layer);
  a = ready(work, own, p->mix, nullptr, heads, p->rows, mixes, &p->rounded);
  const lensor_linear output = job_of(p, own, mixes, 0, p->stream, p->width, 1);
  products(work, own, &a, &output, 1);
  a = ready(work, own, p->stream, layer->feed_forward_norm, p->width, p->rows, wide, &p->rounded);
  if (layer->experts) {
    mixture(work, own, &a, layer);
    return !work->team.leave;
  }
  a = gated(work, own, &a, wide, narrow);
  const lensor_linear down = job_of(p, own, narrow, 0, p->stream, p->width, 1);
  products(work, own, &a, &down, 1);
  return !work->team.leave;
}

// A thread's own memory, in one block: [row] [rounded forms] [attention].
struct Layout {
  int64_t floats = 0;
  int64_t take(int64_t count) {
    const int64_t at = floats;
    floats += (count + 15) / 16 * 16;
    return at;
  }
};

void thread_body(void* arg, int64_t, int64_t, int32_t thread) {
  Work* work = (Work*)arg;
  const lensor_pass* p = work->pass;
  const int64_t wide = widest(p);
  Layout all;
  const int64_t row = all.take(wide), q8 = all.take((wide + 3) / 4), scale8 = all.take(wide / 16 + 1),
                part8 = all.take(wide / 16 + 1), total8 = all.take(wide / 32 + 1),
                q16 = all.take((wide + 1) / 2), scale16 = all.take(wide / 32 + 1),
                attention = all.take(most_of_layers(p, attention_scratch)),
                inner = all.take(3 * p->inner_width);
  float* m = (float*)aligned_alloc(64, (size_t)all.floats * 4);
  if (!m) stop(&work->team);
  // Who has no memory still has to come to the meeting at which all learn of it.
  if (meet(&work->team)) {
    free(m);
    return;
  }
  Own own = {thread, m + row, {}, m + attention, m + inner};
  own.rounded.q8 = (int8_t*)(m + q8), own.rounded.scale8 = m + scale8, own.rounded.part8 = m + part8;
  own.rounded.total8 = m + total8, own.rounded.q16 = (int16_t*)(m + q16), own.rounded.scale16 = m + scale16;
  bool going = true;
  for (int32_t i = 0; i < p->count && going; i++) going = one_layer(work, &own, p->layers + i);
  if (going && p->logits) {
    const int64_t rows = texts_of(p);
    float* last = p->stream + (p->rows - rows) * p->width;
    const Readers reader = {{p->head}, 1, nullptr, 0};
    const auto x = ready(work, &own, last, p->final_norm, p->width, rows, reader, &p->rounded);
    const lensor_linear head = job_of(p, &own, reader, 0, p->logits, p->head->rows, 0);
    products(work, &own, &x, &head, 1);
  }
  free(m);
}

} // namespace

lensor_status layers(lensor_context* context, const lensor_pass* pass) {
  Work work = {pass, {}, nullptr};
  work.team.context = context;
  work.team.threads = context->threads;
  if (const int64_t parts = most_of_layers(pass, attention_parts)) {
    work.parts = (float*)aligned_alloc(64, (size_t)parts * 4);
    if (!work.parts) return LENSOR_OUT_OF_MEMORY;
  }
  context->together(context, thread_body, &work);
  free(work.parts);
  if (context->interrupted(context)) return LENSOR_INTERRUPTED;
  return work.team.leave ? LENSOR_OUT_OF_MEMORY : LENSOR_OK;
}

} // namespace lensor::LENSOR_ISA

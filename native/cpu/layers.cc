// Layers of a decoder in one region of all threads:
//   x += W_o attention(RoPE(W_q n), RoPE(W_k n), W_v n),  n = norm(x)
//   x += W_down (silu(W_gate n') * W_up n'),              n' = norm(x)
// A layer is six steps (seven where attention is split), each ended by a meeting; what is small is done where
// its result is needed: a lone row is normed and rounded by every thread for itself, and a piece of the gate
// is closed, and of many rows rounded, by the thread that made it. Every step is made of pieces that do not
// depend on how they are shared out.
#include "adapters.h"
#include "attention.h"
#include "linear.h"
#include "page.h"
#include "product.h"
#include "rows.h"
#include "team.h"
#include <stdlib.h>

namespace lensor::LENSOR_ISA {

namespace {

struct Work {
  const lensor_pass* pass;
  Team team;
  float* parts; // of attention that is split
};

int64_t texts_of(const lensor_pass* p) { return p->texts ? p->texts : 1; }
int64_t rows_of_text(const lensor_pass* p) { return p->texts ? 1 : p->rows; }

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

// What one thread has to itself.
struct Own {
  int32_t thread;
  float* row;                 // as wide as any input
  lensor_activations rounded; // of it
  float* attention;
  float* inner; // of adapters: [3 * inner_width]
};

int64_t widest(const lensor_pass* p) {
  const int64_t heads = (int64_t)p->heads * p->head_width, stream = p->width > heads ? p->width : heads;
  return p->feed_forward > stream ? p->feed_forward : stream;
}

// The activations that these weights meet, rounded where the mode and their types ask for it.
lensor_activations forms(const lensor_pass* p, const lensor_activations* all, int64_t rows, int64_t cols,
                         const float* x, const lensor_weight* const* weights, int count) {
  lensor_activations a = {};
  a.rows = rows, a.cols = cols, a.f32 = x;
  for (int i = 0; i < count && p->fast; i++) {
    const int32_t dtype = weights[i]->dtype;
    if (dtype == LENSOR_Q8_0)
      a.q16 = all->q16, a.scale16 = all->scale16;
    else if (is_quantized(dtype))
      a.q8 = all->q8, a.scale8 = all->scale8, a.part8 = all->part8, a.total8 = all->total8;
  }
  return a;
}

bool is_rounded(const lensor_activations& a) { return a.q8 || a.q16; }

// Weights that read the same activations, and what stands beside them in each text.
struct Readers {
  const lensor_weight* weights[3];
  int count;
  const lensor_adapters* const* adapters; // NULL, or as the layer has them
  int32_t first;                          // of the weights, among a layer's

  // What stands beside them, and makes of the row what the weights read: that of one weight alone.
  const lensor_adapters* of(const lensor_pass* p, int64_t row) const {
    const lensor_adapters* all = adapters ? adapters[p->texts ? row : 0] : nullptr;
    return all ? all + first : nullptr;
  }
};

Readers readers_of(const lensor_layer* layer, int32_t first, int count) {
  const lensor_weight* const all[] = {layer->query, layer->key, layer->value, layer->output,
                                      layer->gate,  layer->up,  layer->down};
  Readers readers = {{}, count, layer->adapters, first};
  for (int i = 0; i < count; i++) readers.weights[i] = all[first + i];
  return readers;
}

lensor_linear job_of(const lensor_pass* p, const Own* own, const Readers& readers, int i, float* out,
                     int64_t stride, int32_t accumulate) {
  return {readers.weights[i],
          out,
          stride,
          accumulate,
          readers.adapters,
          readers.first + i,
          p->texts,
          (p->rows == 1 ? own->inner : p->inner) + i * p->inner_width,
          3 * p->inner_width,
          p->middle + i * p->rows * p->middle_width};
}

// What adapters want of a row, and the row as the weights want it, at `to` where it changes.
const float* read_row(const lensor_pass* p, const Readers& readers, int64_t row, const float* x, int64_t cols,
                      float* inner, float* to) {
  const lensor_adapters* beside = readers.of(p, row);
  if (!beside) return x;
  for (int i = 0; i < readers.count; i++) inner_row(beside + i, x, cols, inner + i * p->inner_width);
  const float* input = readers.count == 1 ? beside->input : nullptr;
  if (!input) return x;
  for (int64_t i = 0; i < cols; i += 16) {
    const int n = (int)(cols - i < 16 ? cols - i : 16);
    store_part(to + i, mul(load_part(x + i, n, 0), load_part(input + i, n, 0)), n);
  }
  return to;
}

// Rows of x, normed where there is a gain, ready for the weights that read them; many may be changed in their
// place. A lone row is everyone's own.
lensor_activations ready(Work* work, Own* own, float* x, const float* gain, int64_t cols, int64_t rows,
                         const Readers& readers, const lensor_activations* rounded) {
  const lensor_pass* p = work->pass;
  if (rows == 1) {
    if (gain) norm_row(x, gain, p->epsilon, cols, own->row);
    const float* row = read_row(p, readers, 0, gain ? own->row : x, cols, own->inner, own->row);
    const auto a = forms(p, &own->rounded, 1, cols, row, readers.weights, readers.count);
    if (is_rounded(a)) round_row(&a, 0);
    return a;
  }
  float* to = gain ? p->norm : x;
  const auto a = forms(p, rounded, rows, cols, to, readers.weights, readers.count);
  if (!gain && !is_rounded(a) && !readers.adapters) return a;
  share(&work->team, own->thread, rows, [&](int64_t row) {
    if (gain) norm_row(x + row * cols, gain, p->epsilon, cols, to + row * cols);
    float* at = to + row * cols;
    read_row(p, readers, row, at, cols, p->inner + row * 3 * p->inner_width, at);
    if (is_rounded(a)) round_row(&a, row);
  });
  meet(&work->team);
  return a;
}

// What the first of a matrix's factors makes of the activations, before the second reads it.
void first_factors(Work* work, const Own* own, const lensor_activations* a, const lensor_linear* jobs,
                   int count) {
  lensor_linear first[3];
  int64_t total = 0;
  int some = 0;
  for (int i = 0; i < count; i++) {
    if (jobs[i].weight->dtype != LENSOR_FACTORS) continue;
    const lensor_weight* down = &((const lensor_factors*)jobs[i].weight->data)->down;
    first[some++] = {down, jobs[i].middle, down->rows, 0, nullptr, 0, 0, nullptr, 0, nullptr};
    total += pieces_of(down, 1);
  }
  if (!some) return;
  share(&work->team, own->thread, total, [&](int64_t item) {
    int i = 0;
    for (int64_t more; item >= (more = pieces_of(first[i].weight, 1)); i++) item -= more;
    linear_panels(a, first + i, item, 1);
  });
  meet(&work->team);
}

// All columns of some products of the same activations.
void products(Work* work, const Own* own, const lensor_activations* a, const lensor_linear* jobs, int count) {
  first_factors(work, own, a, jobs, count);
  const int64_t panels = together(a);
  int64_t total = 0;
  for (int i = 0; i < count; i++) total += pieces_of(jobs[i].weight, panels);
  share(&work->team, own->thread, total, [&](int64_t item) {
    int i = 0;
    for (int64_t some; item >= (some = pieces_of(jobs[i].weight, panels)); i++) item -= some;
    linear_panels(a, jobs + i, item * panels, panels);
  });
  meet(&work->team);
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

// silu(gate) * up, some columns at a time; of many rows, rounded at once for the matrix that reads them,
// unless adapters want whole rows of them first.
lensor_activations gated(Work* work, Own* own, const lensor_activations* a, const lensor_layer* layer) {
  const lensor_pass* p = work->pass;
  const int64_t cols = p->feed_forward, panels = together(a), wide = panels * LENSOR_PANEL;
  const Readers two = readers_of(layer, LENSOR_GATE, 2), one = readers_of(layer, LENSOR_DOWN, 1);
  const lensor_linear gate = job_of(p, own, two, 0, p->gate, cols, 0),
                      up = job_of(p, own, two, 1, p->up, cols, 0);
  const auto out = forms(p, &p->gated, p->rows, cols, p->gate, one.weights, 1);
  const bool at_once = p->rows > 1 && !one.adapters;
  const lensor_linear both[] = {gate, up};
  first_factors(work, own, a, both, 2);
  share(&work->team, own->thread, pieces_of(layer->gate, panels), [&](int64_t item) {
    linear_panels(a, &gate, item * panels, panels);
    linear_panels(a, &up, item * panels, panels);
    const int64_t first = item * wide, left = cols - first;
    for (int64_t row = 0; row < p->rows; row++)
      gate_row(p->gate + row * cols + first, p->up + row * cols + first, left < wide ? left : wide);
    if (at_once && is_rounded(out)) round_column(&out, item);
  });
  meet(&work->team);
  return at_once ? out : ready(work, own, p->gate, nullptr, cols, p->rows, one, &p->gated);
}
static_assert(kTogether * LENSOR_PANEL == LENSOR_BLOCK);

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
  a = gated(work, own, &a, layer);
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

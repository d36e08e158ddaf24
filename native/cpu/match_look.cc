// What reference queries see of one layer: their softmax over all keys, its mix of values, and of each key
// how large its weights are. As in flash attention scores stand transposed, keys down and queries across, so
// that each query has a lane of its own; a block of 64 queries keeps its scores until its softmax is known.
// Sums over queries are made within slabs cut at fixed places, then over the slabs in order.
#include "match.h"

namespace lensor::LENSOR_ISA {

namespace {

constexpr int64_t kSlab = 2 * kSide; // queries

struct Look {
  const lensor_match* m;
  const MatchPhi* phi;
  int64_t slabs;
  float* parts;   // [heads][slabs][keys]: what a slab's queries give each key
  float* scratch; // for each thread
  int64_t size;

  int64_t q_size() const { return padded(m->head_width) * kSide; }
  int64_t keys_padded() const { return padded(m->keys); }
};

// Of 16 keys' rows over the lanes of queries: use(sum, e, lane) takes sixteen of a row's values in, join(sum,
// other) two sums together; lane j of the result is key j's.
template <class Use, class Join>
LENSOR_INLINE f32v over_lanes(const float* e, int64_t keys, int64_t lanes, const Use& use, const Join& join) {
  f32v rows[16];
  for (int64_t j = 0; j < 16; j++) {
    rows[j] = zero();
    if (j < keys)
      for (int64_t lane = 0; lane < lanes; lane += 16)
        rows[j] = use(rows[j], load(e + j * kSide + lane), lane);
  }
  transpose(rows);
  for (int j = 1; j < 16; j++) rows[0] = join(rows[0], rows[j]);
  return rows[0];
}

// What 64 queries give each key, onto `part`: e [keys][kSide] times inverse [kSide] are their weights.
void gather_scores(const MatchHead& head, const float* e, const float* inverse, int64_t lanes, float* part) {
  const int32_t kind = head.m->score;
  for (int64_t j = 0; j < head.keys; j += 16) {
    const int64_t some = least(16, head.keys - j);
    const float* from = e + j * kSide;
    const auto weight = [&](f32v x, int64_t lane) { return mul(x, load(inverse + lane)); };
    const auto larger = [](f32v a, f32v b) { return vmax(a, b); };
    const auto both = [](f32v a, f32v b) { return add(a, b); };
    f32v all;
    if (kind == LENSOR_MAX)
      all = over_lanes(
          from, some, lanes, [&](f32v sum, f32v x, int64_t lane) { return vmax(sum, weight(x, lane)); },
          larger);
    else if (kind == LENSOR_MEAN)
      all = over_lanes(
          from, some, lanes, [&](f32v sum, f32v x, int64_t lane) { return add(sum, weight(x, lane)); }, both);
    else
      all = over_lanes(
          from, some, lanes,
          [&](f32v sum, f32v x, int64_t lane) {
            const f32v a = weight(x, lane);
            return fma(a, a, sum);
          },
          both);
    const f32v before = load(part + j);
    store(part + j, kind == LENSOR_MAX ? vmax(before, all) : add(before, all));
  }
}

// Queries [first, first + count) of a head, at most kSide.
void look_block(const Look& look, const MatchHead& head, int64_t first, int64_t count, float* scratch,
                float* part) {
  const int64_t d = head.d, lanes = padded(count), width = padded(d);
  float *q = scratch, *o = q + look.q_size(), *top = o + look.q_size(), *mass = top + kSide,
        *inverse = mass + kSide, *s = inverse + kSide;
  pack_columns<float>(LENSOR_F32, (const char*)head.q(first), d * 4, count, d, q);
  for (int64_t i = 0; i < width * kSide; i += kSide)
    for (int64_t lane = 0; lane < lanes; lane += 16)
      store(q + i + lane, mul(load(q + i + lane), set1(match_scale(head.m))));
  for (int64_t lane = 0; lane < lanes; lane += 16) {
    store(top + lane, set1(-INFINITY));
    store(mass + lane, zero());
  }
  for (int64_t j = 0; j < head.keys; j += kSide) {
    const int64_t some = least(kSide, head.keys - j);
    float* at = s + j * kSide;
    multiply<float>(some, lanes, d, head.k(j), d * 4, 4, q, kSide, at, kSide, true);
    if (const float* bias = head.bias())
      for (int64_t r = 0; r < some; r++)
        for (int64_t lane = 0; lane < lanes; lane += 16)
          store(at + r * kSide + lane, add(load(at + r * kSide + lane), set1(bias[j + r] * kLog2e)));
    for (int64_t lane = 0; lane < lanes; lane += 16) {
      f32v most = load(top + lane);
      for (int64_t r = 0; r < some; r++) most = vmax(most, load(at + r * kSide + lane));
      store(top + lane, most);
    }
  }
  for (int64_t j = 0; j < head.keys; j += kSide) {
    const int64_t some = least(kSide, head.keys - j);
    float* at = s + j * kSide;
    for (int64_t lane = 0; lane < lanes; lane += 16) {
      const f32v minus = sub(zero(), load(top + lane));
      f32v sum = zero();
      for (int64_t r = 0; r < some; r++) {
        const f32v e = exp2_of<float>(least_exponent(add(load(at + r * kSide + lane), minus)));
        store(at + r * kSide + lane, e);
        sum = add(sum, e);
      }
      store(mass + lane, add(load(mass + lane), sum));
    }
    multiply<float>(d, lanes, some, head.v(j), 4, d * 4, at, kSide, o, kSide, j == 0);
  }
  for (int64_t lane = 0; lane < lanes; lane += 16) store(inverse + lane, div(set1(1), load(mass + lane)));
  for (int64_t i = count; i < lanes; i++) inverse[i] = 0;
  memcpy(head.top() + first, top, (size_t)count * 4);
  memcpy(head.mass() + first, mass, (size_t)count * 4);
  for (int64_t lane = 0; lane < lanes; lane += 16)
    for (int64_t i = 0; i < d; i += 16) {
      f32v some[16];
      for (int64_t r = 0; r < 16; r++)
        some[r] = i + r < d ? mul(load(o + (i + r) * kSide + lane), load(inverse + lane)) : zero();
      transpose(some);
      for (int64_t r = 0; r < least(16, count - lane); r++)
        store_part(head.out(first + lane + r) + i, some[r], (int)least(16, d - i));
    }
  gather_scores(head, s, inverse, lanes, part);
  if (look.phi)
    for (int64_t j = 0; j < head.keys; j++) {
      float* row = look.phi->data + j * look.phi->row + first;
      memcpy(row, s + j * kSide, (size_t)count * 4);
      memset(row + count, 0, (size_t)(kSide - count) * 4);
    }
}

void finish_scores(const Look& look, const MatchHead& head, const float* parts, int64_t begin, int64_t end) {
  const int32_t kind = head.m->score;
  float* to = head.m->scores + head.h * head.m->keys;
  for (int64_t j = begin; j < end; j++) {
    float all = 0;
    for (int64_t slab = 0; slab < look.slabs; slab++) {
      const float x = parts[slab * look.keys_padded() + j];
      all = kind == LENSOR_MAX ? (x > all ? x : all) : all + x;
    }
    if (kind != LENSOR_MAX) all /= (float)head.n;
    to[j] = j >= head.keys ? 0 : kind == LENSOR_SUM ? sqrtf(all) : all;
  }
}

} // namespace

lensor_status look_at(lensor_context* context, const lensor_match* m, int64_t from, int64_t to,
                      const MatchPhi* phi) {
  Scratch room(context);
  Look look{m, phi, (m->queries + kSlab - 1) / kSlab, nullptr, nullptr, 0};
  const int64_t each = look.slabs * look.keys_padded();
  look.size = 2 * look.q_size() + 3 * kSide + look.keys_padded() * kSide;
  look.parts = room.take<float>((to - from) * each);
  look.scratch = room.take<float>(context->threads * look.size);
  if (room.failed()) return LENSOR_OUT_OF_MEMORY;
  const lensor_status status =
      in_chunks(context, (to - from) * look.slabs, 1, [&](int64_t begin, int64_t end, int32_t thread) {
        for (int64_t item = begin; item < end; item++) {
          const MatchHead head(m, from + item / look.slabs);
          const int64_t first = item % look.slabs * kSlab, last = least(head.n, first + kSlab);
          float* part = look.parts + item * look.keys_padded();
          memset(part, 0, (size_t)look.keys_padded() * 4);
          for (int64_t i = first; i < last; i += kSide)
            look_block(look, head, i, least(kSide, last - i), look.scratch + thread * look.size, part);
        }
      });
  if (status != LENSOR_OK) return status;
  constexpr int64_t kKeys = 1024;
  const int64_t pieces = (m->keys + kKeys - 1) / kKeys;
  return in_chunks(context, (to - from) * pieces, 1, [&](int64_t begin, int64_t end, int32_t) {
    for (int64_t item = begin; item < end; item++) {
      const int64_t h = item / pieces, j = item % pieces * kKeys;
      finish_scores(look, MatchHead(m, from + h), look.parts + h * each, j, least(m->keys, j + kKeys));
    }
  });
}

lensor_status match_look(lensor_context* context, const lensor_match* m) {
  if (!m->at_once) return look_at(context, m, 0, m->heads, nullptr);
  // A head's Phi is large: one at a time.
  Scratch room(context);
  MatchPhi phi{nullptr, (m->queries + kSide - 1) / kSide * kSide};
  phi.data = room.take<float>(m->keys * phi.row);
  if (room.failed()) return LENSOR_OUT_OF_MEMORY;
  lensor_status status = LENSOR_OK;
  for (int64_t h = 0; h < m->heads && status == LENSOR_OK; h++) {
    status = look_at(context, m, h, h + 1, &phi);
    if (status == LENSOR_OK) status = pursue(context, MatchHead(m, h), phi);
  }
  return status;
}

} // namespace lensor::LENSOR_ISA

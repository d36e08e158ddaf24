// Attention Matching (see lensor_match): what reference queries see of a layer and which keys pursuit picks,
// and the fits for picked keys. f32 unless said; contiguous.
//   matchLook: q [H, n, d], k, v [H, T, d], then a bias [H, T] where there is one
//     -> scores [H, T], top, mass [H, n], out [H, n, d]; of a pursuit also picks i32 [H, room], weights [H,
//        room], found i64 [H]
//     params: scale, bias, score, at once, interval, most, drop, even queries, then H times how many keys
//     there are, and H times how many are wanted
//   matchFit: q, k, v, top, mass, out, picks i32 [H, room], then a bias, then weights [H, room]
//     -> weights [H, room], values [H, room, d], errors [H, 2]; of a curve only [H, room]
//     params: scale, bias, kind (0: no weights, 1: solved for, 2: as given), values, curve, steps, low, high,
//     even, ridge, even queries, then both lists of H
#include "../tape.h"
#include "all.h"
#include <algorithm>
#include <cstring>

namespace lensor::ops {

namespace {

constexpr size_t kLook = 8, kFit = 11;

void need_floats(const Tensor& x, std::initializer_list<int64_t> shape) {
  const lensor_view& v = x.view;
  need(v.dtype == LENSOR_F32 && is_contiguous(v) && v.rank == static_cast<int32_t>(shape.size()) &&
       std::equal(shape.begin(), shape.end(), v.shape));
}

// The lists behind the options.
std::vector<int64_t> list_of(const std::vector<double>& params, size_t from, int64_t heads, int64_t most) {
  need(params.size() >= from + static_cast<size_t>(heads));
  std::vector<int64_t> list;
  for (int64_t h = 0; h < heads; h++) {
    const double x = params[from + static_cast<size_t>(h)];
    need(x >= 0 && x <= static_cast<double>(most));
    list.push_back(static_cast<int64_t>(x));
  }
  return list;
}

struct Sizes {
  int64_t heads, keys, queries, width;
};

Sizes sizes_of(const Call& call, size_t options) {
  need(call.in.size() >= 3 && call.params.size() >= options);
  const lensor_view &q = call.in[0].view, &k = call.in[1].view;
  need(q.rank == 3 && k.rank == 3);
  const Sizes s{q.shape[0], k.shape[1], q.shape[1], q.shape[2]};
  need(s.heads > 0 && s.queries > 0 && s.keys > 0 && s.width > 0 && s.keys <= INT32_MAX);
  need_floats(call.in[0], {s.heads, s.queries, s.width});
  for (size_t i : {1, 2}) need_floats(call.in[i], {s.heads, s.keys, s.width});
  for (const int64_t count : list_of(call.params, options, s.heads, s.keys)) need(count > 0);
  return s;
}

int64_t need_room(const Tensor& picks, int64_t heads) {
  const lensor_view& v = picks.view;
  need(v.rank == 2 && v.dtype == LENSOR_I32 && is_contiguous(v) && v.shape[0] == heads);
  return v.shape[1];
}

void check_look(const Call& call) {
  const Sizes s = sizes_of(call, kLook);
  const bool bias = call.params[1] != 0, pursuit = call.params[3] != 0;
  need(call.in.size() == 3u + bias && call.out.size() == (pursuit ? 7u : 4u));
  if (bias) need_floats(call.in[3], {s.heads, s.keys});
  need_floats(call.out[0], {s.heads, s.keys});
  for (size_t i : {1, 2}) need_floats(call.out[i], {s.heads, s.queries});
  need_floats(call.out[3], {s.heads, s.queries, s.width});
  const int score = static_cast<int>(call.params[2]);
  need(score == LENSOR_SUM || score == LENSOR_MEAN || score == LENSOR_MAX);
  if (!pursuit) return;
  need(call.params[3] >= 1 && call.params[3] <= 1024 && call.params[4] >= 1 && call.params[4] <= 1024);
  const int64_t room = need_room(call.out[4], s.heads);
  list_of(call.params, kLook + static_cast<size_t>(s.heads), s.heads, room);
  need_floats(call.out[5], {s.heads, room});
  const lensor_view& found = call.out[6].view;
  need(found.rank == 1 && found.dtype == LENSOR_I64 && found.shape[0] == s.heads && is_contiguous(found));
}

template <class T> T* data(const lensor_view& v) { return static_cast<T*>(v.data); }

lensor_match match_of(const Running& r, const std::vector<int64_t>& counts) {
  lensor_match m{};
  const lensor_view &q = r.in[0], &k = r.in[1];
  m.heads = static_cast<int32_t>(q.shape[0]), m.head_width = static_cast<int32_t>(q.shape[2]);
  m.queries = q.shape[1], m.keys = k.shape[1];
  m.q = data<float>(q), m.k = data<float>(k), m.v = data<float>(r.in[2]);
  m.key_count = counts.data();
  m.scale = static_cast<float>(r.param(0));
  return m;
}

lensor_status run_look(const Running& r) {
  const int64_t heads = r.in[0].shape[0], keys = r.in[1].shape[1];
  const auto counts = list_of(r.params, kLook, heads, keys);
  lensor_match m = match_of(r, counts);
  if (r.param(1) != 0) m.key_bias = data<float>(r.in[3]);
  m.score = static_cast<int32_t>(r.param(2));
  m.scores = data<float>(r.out[0]), m.top = data<float>(r.out[1]), m.mass = data<float>(r.out[2]);
  m.out = data<float>(r.out[3]);
  m.at_once = static_cast<int32_t>(r.param(3)), m.interval = static_cast<int32_t>(r.param(4));
  std::vector<int64_t> wanted;
  if (m.at_once) {
    m.most = r.param(5), m.drop = r.param(6), m.even_queries = static_cast<int32_t>(r.param(7));
    m.room = r.out[4].shape[1];
    wanted = list_of(r.params, kLook + static_cast<size_t>(heads), heads, m.room);
    m.wanted = wanted.data();
    m.picks = data<int32_t>(r.out[4]), m.weights = data<float>(r.out[5]), m.found = data<int64_t>(r.out[6]);
    // What is not found stays 0.
    std::memset(m.picks, 0, static_cast<size_t>(heads * m.room) * sizeof(int32_t));
    std::memset(m.weights, 0, static_cast<size_t>(heads * m.room) * sizeof(float));
  }
  return r.ops->match_look(r.context, &m);
}

void check_fit(const Call& call) {
  const Sizes s = sizes_of(call, kFit);
  const bool bias = call.params[1] != 0, given = call.params[2] == 2, curve = call.params[4] != 0;
  need(call.in.size() == 7u + bias + given && call.out.size() == (curve ? 1u : 3u));
  for (size_t i : {3, 4}) need_floats(call.in[i], {s.heads, s.queries});
  need_floats(call.in[5], {s.heads, s.queries, s.width});
  const int64_t room = need_room(call.in[6], s.heads);
  if (bias) need_floats(call.in[7], {s.heads, s.keys});
  if (given) need_floats(call.in[7 + bias], {s.heads, room});
  list_of(call.params, kFit + static_cast<size_t>(s.heads), s.heads, room);
  need_floats(call.out[0], {s.heads, room});
  if (curve) return;
  need_floats(call.out[1], {s.heads, room, s.width});
  need_floats(call.out[2], {s.heads, 2});
}

lensor_status run_fit(const Running& r) {
  const int64_t heads = r.in[0].shape[0], keys = r.in[1].shape[1], room = r.in[6].shape[1];
  const auto counts = list_of(r.params, kFit, heads, keys);
  const auto wanted = list_of(r.params, kFit + static_cast<size_t>(heads), heads, room);
  lensor_match m = match_of(r, counts);
  const bool bias = r.param(1) != 0;
  if (bias) m.key_bias = data<float>(r.in[7]);
  m.top = data<float>(r.in[3]), m.mass = data<float>(r.in[4]), m.out = data<float>(r.in[5]);
  m.room = room, m.wanted = wanted.data(), m.picks = data<int32_t>(r.in[6]);
  for (int64_t h = 0; h < heads; h++)
    for (int64_t i = 0; i < wanted[static_cast<size_t>(h)]; i++) {
      const int32_t pick = m.picks[h * room + i];
      if (pick < 0 || pick >= counts[static_cast<size_t>(h)]) return LENSOR_BAD_INDEX;
    }
  const int kind = static_cast<int>(r.param(2));
  m.solve = kind == 1, m.steps = static_cast<int32_t>(r.param(5));
  m.low = r.param(6), m.high = r.param(7), m.even = r.param(8), m.ridge = r.param(9);
  m.even_queries = static_cast<int32_t>(r.param(10));
  const size_t cells = static_cast<size_t>(heads * room);
  float* first = data<float>(r.out[0]);
  std::memset(first, 0, cells * sizeof(float));
  if (r.param(4) != 0) {
    std::vector<double> curve(cells);
    m.curve = curve.data();
    const lensor_status status = r.ops->match_fit(r.context, &m);
    std::copy(curve.begin(), curve.end(), first);
    return status;
  }
  m.weights = first;
  if (kind == 2) std::memcpy(first, data<float>(r.in[7 + bias]), cells * sizeof(float));
  if (kind == 0) std::fill(first, first + cells, 1.0f);
  std::memset(r.out[1].data, 0, cells * static_cast<size_t>(m.head_width) * sizeof(float));
  if (r.param(3) != 0) m.values = data<float>(r.out[1]);
  std::vector<double> errors(static_cast<size_t>(2 * heads));
  m.errors = errors.data();
  const lensor_status status = r.ops->match_fit(r.context, &m);
  std::copy(errors.begin(), errors.end(), data<float>(r.out[2]));
  return status;
}

} // namespace

const Op kMatchLook{.name = "matchLook", .check = check_look, .run = run_look};
const Op kMatchFit{.name = "matchFit", .check = check_fit, .run = run_fit};

} // namespace lensor::ops

// Attention Matching's kernels against the formulas in double: what queries see, which keys pursuit picks
// (the plain algorithm is written here), what weights and values are fitted, and that nothing depends on
// threads.
#include "tolerance.h"
#include <algorithm>
#include <limits>
#include <numeric>
#include <tuple>

using namespace lensor::test;

namespace {

using Matrix = std::vector<std::vector<double>>;

struct Layer {
  int64_t heads, keys, queries, width, room = 0;
  std::vector<float> q, k, v, bias, top, mass, out, scores, weights, values;
  std::vector<int32_t> picks;
  std::vector<int64_t> counts, wanted, found;
  std::vector<double> errors, curve;
  lensor_match m{};

  Layer(int64_t heads, int64_t keys, int64_t queries, int64_t width, double sharp = 3)
      : heads(heads), keys(keys), queries(queries), width(width), q(noise(heads * queries * width, 1)),
        k(noise(heads * keys * width, 2)), v(noise(heads * keys * width, 3)), top(heads * queries),
        mass(heads * queries), out(heads * queries * width), scores(heads * keys), counts(heads, keys) {
    for (float& x : q) x *= (float)sharp;
    m.heads = (int32_t)heads, m.head_width = (int32_t)width, m.keys = keys, m.queries = queries;
    m.scale = 1 / std::sqrt((float)width);
    m.score = LENSOR_SUM;
    m.most = std::exp(7), m.drop = std::exp(-7);
    m.low = std::exp(-3), m.high = std::exp(3), m.even = 1e-5, m.ridge = 1e-5, m.even_queries = 2;
    point();
  }
  void point() {
    m.q = q.data(), m.k = k.data(), m.v = v.data(), m.key_count = counts.data();
    m.key_bias = bias.empty() ? nullptr : bias.data();
    m.top = top.data(), m.mass = mass.data(), m.out = out.data(), m.scores = scores.data();
    m.room = room, m.wanted = wanted.data(), m.picks = picks.data(), m.weights = weights.data();
    m.found = found.data(), m.errors = errors.data(), m.values = values.data();
  }
  void want(std::vector<int64_t> each) {
    wanted = std::move(each);
    room = *std::max_element(wanted.begin(), wanted.end());
    picks.assign(heads * room, 0), weights.assign(heads * room, 0);
    values.assign(heads * room * width, 0), found.assign(heads, 0), errors.assign(2 * heads, -1);
    point();
  }
  // The best `wanted` keys by score.
  void take_best() {
    for (int64_t h = 0; h < heads; h++) {
      std::vector<int32_t> order(counts[h]);
      std::iota(order.begin(), order.end(), 0);
      const float* s = scores.data() + h * keys;
      std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return s[a] > s[b]; });
      std::copy(order.begin(), order.begin() + wanted[h], picks.begin() + h * room);
    }
  }
  double score(int64_t h, int64_t i, int64_t j) const {
    double s = 0;
    for (int64_t c = 0; c < width; c++)
      s += (double)q[(h * queries + i) * width + c] * k[(h * keys + j) * width + c];
    return s * m.scale + (bias.empty() ? 0 : bias[h * keys + j]);
  }
  // [keys][queries]
  Matrix phi(int64_t h) const {
    Matrix phi(counts[h], std::vector<double>(queries));
    for (int64_t i = 0; i < queries; i++) {
      double top = -std::numeric_limits<double>::infinity();
      for (int64_t j = 0; j < counts[h]; j++) top = std::max(top, phi[j][i] = score(h, i, j));
      for (int64_t j = 0; j < counts[h]; j++) phi[j][i] = std::exp(phi[j][i] - top);
    }
    return phi;
  }
  // Rows of Phi_S w, divided by their sums, and out.
  Matrix mixing(int64_t h) const {
    const Matrix all = phi(h);
    Matrix x(queries, std::vector<double>(wanted[h]));
    for (int64_t i = 0; i < queries; i++) {
      double sum = 0;
      for (int64_t a = 0; a < wanted[h]; a++)
        sum += x[i][a] = all[picks[h * room + a]][i] * weights[h * room + a];
      for (double& one : x[i]) one /= sum;
    }
    return x;
  }
};

// Least squares by the normal equations and Gaussian elimination: columns [t][n].
std::vector<double> least_squares(const Matrix& columns, const std::vector<double>& y, double ridge = 0) {
  const size_t t = columns.size();
  Matrix a(t, std::vector<double>(t + 1));
  for (size_t i = 0; i < t; i++) {
    for (size_t j = 0; j < t; j++)
      a[i][j] =
          std::inner_product(columns[i].begin(), columns[i].end(), columns[j].begin(), i == j ? ridge : 0.0);
    a[i][t] = std::inner_product(columns[i].begin(), columns[i].end(), y.begin(), 0.0);
  }
  for (size_t i = 0; i < t; i++)
    for (size_t r = 0; r < t; r++)
      if (r != i) {
        const double by = a[r][i] / a[i][i];
        for (size_t c = i; c <= t; c++) a[r][c] -= by * a[i][c];
      }
  std::vector<double> x(t);
  for (size_t i = 0; i < t; i++) x[i] = a[i][t] / a[i][i];
  return x;
}

// Orthogonal matching pursuit as it is written down, without dropping.
std::vector<int32_t> plain_pursuit(const Matrix& phi, int64_t t, int64_t at_once, int64_t interval) {
  const size_t n = phi[0].size();
  std::vector<double> mass(n);
  for (const auto& key : phi)
    for (size_t i = 0; i < n; i++) mass[i] += key[i];
  std::vector<double> r = mass;
  std::vector<int32_t> picks;
  for (int64_t round = 0; (int64_t)picks.size() < t; round++) {
    std::vector<double> product(phi.size());
    for (size_t j = 0; j < phi.size(); j++)
      product[j] = std::inner_product(r.begin(), r.end(), phi[j].begin(), 0.0);
    for (int64_t more = std::min<int64_t>(at_once, t - (int64_t)picks.size()); more > 0; more--) {
      int32_t best = -1;
      for (int32_t j = 0; j < (int32_t)phi.size(); j++)
        if (std::find(picks.begin(), picks.end(), j) == picks.end() &&
            (best < 0 || product[j] > product[best]))
          best = j;
      picks.push_back(best);
    }
    if (round % interval) continue;
    Matrix columns;
    for (int32_t j : picks) columns.push_back(phi[j]);
    const auto w = least_squares(columns, mass);
    r = mass;
    for (size_t a = 0; a < picks.size(); a++)
      for (size_t i = 0; i < n; i++) r[i] -= std::clamp(w[a], 1e-12, std::exp(7.0)) * phi[picks[a]][i];
  }
  return picks;
}

} // namespace

TEST("queries see what softmax over all keys says, and keys score by it") {
  for (const int32_t kind : {LENSOR_SUM, LENSOR_MEAN, LENSOR_MAX})
    for (const bool biased : {false, true}) {
      Layer l(2, 150, 130, 20);
      l.counts = {150, 83};
      if (biased) l.bias = noise(2 * 150, 5);
      l.m.score = kind;
      l.point();
      CHECK_EQ(ops.match_look(context, &l.m), LENSOR_OK);
      for (int64_t h = 0; h < 2; h++) {
        const Matrix phi = l.phi(h);
        std::vector<double> score(l.keys);
        for (int64_t i = 0; i < l.queries; i++) {
          double mass = 0;
          for (const auto& key : phi) mass += key[i];
          CHECK_NEAR(l.mass[h * l.queries + i], mass, tolerance(ops, "matching"));
          for (int64_t j = 0; j < l.counts[h]; j++) {
            const double a = phi[j][i] / mass;
            score[j] =
                kind == LENSOR_MAX ? std::max(score[j], a) : score[j] + (kind == LENSOR_SUM ? a * a : a);
          }
          for (int64_t c = 0; c < l.width; c++) {
            double out = 0;
            for (int64_t j = 0; j < l.counts[h]; j++)
              out += phi[j][i] / mass * l.v[(h * l.keys + j) * l.width + c];
            CHECK_NEAR(l.out[(h * l.queries + i) * l.width + c], out, tolerance(ops, "matching"));
          }
        }
        for (int64_t j = 0; j < l.keys; j++) {
          const double mean = kind == LENSOR_MAX ? score[j] : score[j] / (double)l.queries;
          CHECK_NEAR(l.scores[h * l.keys + j], kind == LENSOR_SUM ? std::sqrt(mean) : mean,
                     tolerance(ops, "matching"));
        }
      }
    }
}

TEST("pursuit picks the keys that the plain algorithm picks, in its order, whatever queries count for") {
  for (const auto [at_once, interval, even] :
       {std::tuple<int64_t, int64_t, int32_t>{1, 1, 0}, {4, 2, 0}, {3, 1, 0}, {1, 1, 2}, {4, 2, 2}}) {
    Layer l(2, 210, 300, 16, 6);
    l.m.even_queries = even;
    l.counts = {210, 170};
    l.want({40, 21});
    l.m.at_once = (int32_t)at_once, l.m.interval = (int32_t)interval;
    l.m.drop = 0;
    CHECK_EQ(ops.match_look(context, &l.m), LENSOR_OK);
    for (int64_t h = 0; h < 2; h++) {
      CHECK_EQ(l.found[h], l.wanted[h]);
      Matrix phi = l.phi(h);
      for (auto& row : phi)
        for (int64_t i = 0; i < l.queries; i++) row[i] /= std::pow(l.mass[h * l.queries + i], even / 2.0);
      const auto wanted = plain_pursuit(phi, l.wanted[h], at_once, interval);
      for (int64_t a = 0; a < l.wanted[h]; a++) CHECK_EQ(l.picks[h * l.room + a], wanted[a]);
    }
  }
}

TEST("keys of next to no weight are dropped for good and replaced") {
  Layer l(1, 120, 90, 8, 8);
  l.want({60});
  l.m.at_once = 4, l.m.interval = 2;
  CHECK_EQ(ops.match_look(context, &l.m), LENSOR_OK);
  CHECK_EQ(l.found[0], 60);
  std::vector<int32_t> picks = l.picks;
  std::sort(picks.begin(), picks.end());
  CHECK(std::adjacent_find(picks.begin(), picks.end()) == picks.end());
  int64_t light = 0;
  for (float w : l.weights) light += w < std::exp(-7.0f);
  l.m.drop = 0;
  std::vector<float> before = l.weights;
  CHECK_EQ(ops.match_look(context, &l.m), LENSOR_OK);
  int64_t lighter = 0;
  for (float w : l.weights) lighter += w < std::exp(-7.0f);
  CHECK(light < lighter);
}

TEST("with all keys picked nothing is lost and nothing blows up") {
  for (const int64_t queries : {50, 400}) {
    Layer l(2, 120, queries, 16);
    l.counts = {120, 77};
    CHECK_EQ(ops.match_look(context, &l.m), LENSOR_OK);
    l.want({120, 77});
    l.take_best();
    l.m.solve = 1;
    CHECK_EQ(ops.match_fit(context, &l.m), LENSOR_OK);
    for (int64_t h = 0; h < 2; h++) {
      CHECK(l.errors[2 * h] < 1e-10);
      CHECK(l.errors[2 * h + 1] < 1e-10);
      for (int64_t a = 0; a < l.wanted[h]; a++) {
        CHECK_NEAR(l.weights[h * l.room + a], 1, 1e-3);
        for (int64_t c = 0; c < l.width; c++)
          CHECK_NEAR(l.values[(h * l.room + a) * l.width + c],
                     l.v[(h * l.keys + l.picks[h * l.room + a]) * l.width + c], 1e-3);
      }
    }
  }
}

TEST("fitted values are the ridge solution, and never worse than the kept ones") {
  // More queries than keys, and fewer: the second is solved from the queries' side.
  for (const auto [queries, t] : {std::pair<int64_t, int64_t>{300, 40}, {60, 100}}) {
    Layer l(1, 200, queries, 12);
    CHECK_EQ(ops.match_look(context, &l.m), LENSOR_OK);
    l.want({t});
    l.take_best();
    // Stiff enough for what it holds to be seen beside rounding.
    l.m.solve = 1, l.m.ridge = 1e-3;
    CHECK_EQ(ops.match_fit(context, &l.m), LENSOR_OK);
    CHECK(l.errors[1] < l.errors[0]);
    const Matrix x = l.mixing(0);
    double left = 0, kept = 0, whole = 0, along = 0, square = 0, apart = 0;
    Matrix gradient(t, std::vector<double>(l.width)), moved = gradient;
    for (int64_t i = 0; i < queries; i++)
      for (int64_t c = 0; c < l.width; c++) {
        double rest = l.out[i * l.width + c], before = rest;
        whole += rest * rest;
        for (int64_t a = 0; a < t; a++) {
          rest -= x[i][a] * l.values[a * l.width + c];
          before -= x[i][a] * l.v[l.picks[a] * l.width + c];
        }
        left += rest * rest, kept += before * before;
        for (int64_t a = 0; a < t; a++) gradient[a][c] += x[i][a] * rest;
      }
    CHECK_NEAR(l.errors[0], kept / whole, 1e-5);
    CHECK_NEAR(l.errors[1], left / whole, 1e-5);
    // At the solution X^T (out - X C) is a multiple of C - v_S.
    for (int64_t a = 0; a < t; a++)
      for (int64_t c = 0; c < l.width; c++) {
        moved[a][c] = (double)l.values[a * l.width + c] - l.v[l.picks[a] * l.width + c];
        along += moved[a][c] * gradient[a][c], square += moved[a][c] * moved[a][c];
      }
    const double multiple = along / square;
    CHECK(multiple > 0);
    for (int64_t a = 0; a < t; a++)
      for (int64_t c = 0; c < l.width; c++)
        apart = std::max(apart, std::abs(gradient[a][c] - multiple * moved[a][c]));
    CHECK(apart < 2e-4 * std::sqrt(along * multiple));
  }
}

TEST(
    "weights are the clamped least squares, and steps go down to where nothing within the bounds is better") {
  Layer l(1, 200, 400, 12);
  CHECK_EQ(ops.match_look(context, &l.m), LENSOR_OK);
  l.want({30});
  l.take_best();
  l.m.solve = 1, l.m.even = 1e-9, l.m.even_queries = 0, l.m.low = 0, l.m.high = 1e30;
  CHECK_EQ(ops.match_fit(context, &l.m), LENSOR_OK);
  const Matrix phi = l.phi(0);
  std::vector<double> mass(l.queries);
  Matrix columns;
  for (const auto& key : phi)
    for (int64_t i = 0; i < l.queries; i++) mass[i] += key[i];
  for (int64_t a = 0; a < 30; a++) columns.push_back(phi[l.picks[a]]);
  const auto w = least_squares(columns, mass);
  bool negative = false;
  for (int64_t a = 0; a < 30; a++) {
    CHECK_NEAR(l.weights[a], std::max(0.0, w[a]), 2e-3);
    negative |= w[a] < 0;
  }
  CHECK(negative);
  // Karush-Kuhn-Tucker: no gradient where a weight is free, none that leads inwards where it is 0.
  l.m.steps = 20000;
  CHECK_EQ(ops.match_fit(context, &l.m), LENSOR_OK);
  std::vector<double> r(l.queries);
  for (int64_t i = 0; i < l.queries; i++) {
    r[i] = -mass[i];
    for (int64_t a = 0; a < 30; a++) r[i] += columns[a][i] * l.weights[a];
  }
  const double size = std::sqrt(std::inner_product(mass.begin(), mass.end(), mass.begin(), 0.0));
  for (int64_t a = 0; a < 30; a++) {
    const double gradient = std::inner_product(r.begin(), r.end(), columns[a].begin(), 0.0),
                 length = std::sqrt(
                     std::inner_product(columns[a].begin(), columns[a].end(), columns[a].begin(), 0.0));
    CHECK(gradient > -1e-4 * size * length);
    if (l.weights[a] > 1e-3) CHECK(gradient < 1e-4 * size * length);
  }
}

TEST("the curve is what least squares leave, key by key") {
  Layer l(1, 150, 200, 8);
  CHECK_EQ(ops.match_look(context, &l.m), LENSOR_OK);
  l.want({30});
  l.take_best();
  l.curve.assign(30, -1);
  l.m.curve = l.curve.data(), l.m.ridge = 0;
  CHECK_EQ(ops.match_fit(context, &l.m), LENSOR_OK);
  const Matrix phi = l.phi(0);
  for (const int64_t t : {1, 7, 30}) {
    Matrix columns;
    for (int64_t a = 0; a < t; a++) {
      columns.push_back(phi[l.picks[a]]);
      for (int64_t i = 0; i < l.queries; i++) columns[a][i] /= l.mass[i];
    }
    double left = 0, whole = 0;
    for (int64_t c = 0; c < l.width; c++) {
      std::vector<double> y(l.queries);
      for (int64_t i = 0; i < l.queries; i++) y[i] = l.out[i * l.width + c];
      const auto w = least_squares(columns, y);
      for (int64_t i = 0; i < l.queries; i++) {
        double rest = y[i];
        for (int64_t a = 0; a < t; a++) rest -= columns[a][i] * w[a];
        left += rest * rest, whole += y[i] * y[i];
      }
    }
    CHECK_NEAR(l.curve[t - 1], left / whole, 1e-4);
  }
}

TEST("matching has the same bits on any number of threads, and gives its memory back") {
  for (const int32_t at_once : {0, 4}) {
    const auto all = [&](int32_t threads) {
      Context own(threads);
      Layer l(3, 400, 300, 24);
      l.counts = {400, 200, 399};
      l.want({50, 90, 130});
      l.m.at_once = at_once, l.m.interval = 2;
      CHECK_EQ(ops.match_look(&own, &l.m), LENSOR_OK);
      if (!at_once) l.take_best();
      l.m.solve = 1;
      CHECK_EQ(ops.match_fit(&own, &l.m), LENSOR_OK);
      CHECK(own.taken > 0);
      CHECK_EQ(own.taken, own.given);
      return l;
    };
    const Layer one = all(1), three = all(3);
    CHECK_SAME(one.scores, three.scores);
    CHECK_SAME(one.out, three.out);
    CHECK_SAME(one.picks, three.picks);
    CHECK_SAME(one.weights, three.weights);
    CHECK_SAME(one.values, three.values);
  }
}

TEST("matching stops when it is interrupted, and gives its memory back") {
  for (const int64_t at : {0, 5, 30}) {
    Context own(2);
    Layer l(2, 300, 300, 16);
    l.want({60, 60});
    l.m.at_once = 1, l.m.interval = 1;
    own.interrupt_at = at;
    CHECK_EQ(ops.match_look(&own, &l.m), LENSOR_INTERRUPTED);
    CHECK_EQ(own.taken, own.given);
  }
}

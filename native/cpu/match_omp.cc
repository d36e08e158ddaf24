// Orthogonal matching pursuit of one head: keys are picked whose Phi^T r is largest, r = m - Phi_S w, and w
// is solved for again, until t are there. The picks are those of the plain algorithm; two things make it
// quick:
//   - least squares by a Cholesky factor in f64 that grows by a row a key, with products of picked keys alone
//   - a key is not looked at again while it cannot be among the largest: since its product with an earlier
//     residual e was known, r = a e + u with u across e bounds it, Phi_j.r <= a Phi_j.e + |Phi_j| |u|
#include "match.h"
#include "walk.h"

namespace lensor::LENSOR_ISA {

namespace {

constexpr int64_t kEpochs = 32;  // residuals that are remembered
constexpr int64_t kRefills = 3;  // times that keys are dropped and replaced
constexpr double kFloor = 1e-12; // of a weight
constexpr double kOwn = 1e-12;   // of a key's square that the others do not make up, for it to take part
constexpr double kNoPart = 1e150;

struct Pursuit {
  Pursuit(lensor_context* context, const MatchHead& head, const MatchPhi& phi)
      : context(context), head(head), phi(phi), t(least(head.m->wanted[head.h], head.keys)) {}

  lensor_context* context;
  MatchHead head;
  MatchPhi phi;
  int64_t t, count = 0, solved = 0; // wanted, picked, and of these with a weight of the last solution
  // Of each key: its product with the residual of an epoch, its length, the epoch (-1: never looked at), and
  // whether it may be picked.
  double *product, *length, *bound;
  int64_t* epoch;
  uint8_t* free;
  float *mass, *residuals; // [row]; [kEpochs][row]
  int64_t now = 0;         // the residual's epoch
  double *g, *l, *y, *w;   // of the picks: products [t][t], factor [t][t], L y = Phi_S^T m, solution

  const float* key(int64_t j) const { return phi.data + j * phi.row; }
  float* residual(int64_t e) const { return residuals + e % kEpochs * phi.row; }
  int64_t pick(int64_t i) const { return head.picks()[i]; }
};

// What the products with each remembered residual say of the present one.
struct Bounds {
  double along[kEpochs], across[kEpochs];
};

Bounds bounds_of(const Pursuit& p) {
  Bounds b;
  const float* r = p.residual(p.now);
  const double rr = dot_f64(r, r, p.phi.row);
  for (int64_t e = p.now < kEpochs ? 0 : p.now - kEpochs + 1; e <= p.now; e++) {
    const float* old = p.residual(e);
    const double ee = dot_f64(old, old, p.phi.row), er = dot_f64(old, r, p.phi.row);
    const double a = ee > 0 ? er / ee : 0, u2 = rr - a * er;
    b.along[e % kEpochs] = a;
    // Above what rounding may have taken from it.
    b.across[e % kEpochs] = e == p.now ? 0 : sqrt((u2 > 0 ? u2 : 0) + 1e-12 * rr);
  }
  return b;
}

double bound_of(const Pursuit& p, const Bounds& b, int64_t j) {
  if (p.epoch[j] < 0 || p.epoch[j] + kEpochs <= p.now) return INFINITY;
  const int64_t e = p.epoch[j] % kEpochs;
  return b.along[e] * p.product[j] + p.length[j] * b.across[e];
}

void look_again(const Pursuit& p, int64_t j) {
  if (p.epoch[j] < 0) p.length[j] = sqrt(dot_f64(p.key(j), p.key(j), p.phi.row));
  p.product[j] = dot_f64(p.key(j), p.residual(p.now), p.phi.row);
  p.epoch[j] = p.now;
  p.bound[j] = p.product[j];
}

// The `most` free keys of the largest bound, largest first, the lower of equal ones first; how many there
// are.
int64_t largest(const Pursuit& p, int64_t most, int64_t* to) {
  int64_t count = 0;
  for (int64_t j = 0; j < p.head.keys; j++) {
    const double x = p.bound[j];
    if (!p.free[j] || (count == most && !(x > p.bound[to[count - 1]]))) continue;
    int64_t at = count < most ? count++ : count - 1;
    for (; at > 0 && x > p.bound[to[at - 1]]; at--) to[at] = to[at - 1];
    to[at] = j;
  }
  return count;
}

// Appends the `wanted` best keys, fewer where there are no more.
lensor_status pick_keys(Pursuit& p, int64_t wanted, int64_t* room) {
  constexpr int64_t kMore = 32;
  const Bounds b = bounds_of(p);
  for (int64_t j = 0; j < p.head.keys; j++) p.bound[j] = bound_of(p, b, j);
  // The best by their bounds say how much a key must have at least.
  const int64_t first = largest(p, wanted + kMore, room);
  lensor_status status = in_chunks(p.context, first, 8, [&](int64_t begin, int64_t end, int32_t) {
    for (int64_t i = begin; i < end; i++) look_again(p, room[i]);
  });
  if (status != LENSOR_OK) return status;
  double enough = -INFINITY;
  if (first > wanted) {
    // `wanted` of them are as large as this; the room behind them is free.
    int64_t* best = room + wanted + kMore;
    int64_t count = 0;
    for (int64_t i = 0; i < first; i++) {
      const double x = p.product[room[i]];
      if (count == wanted && !(x > p.product[best[count - 1]])) continue;
      int64_t at = count < wanted ? count++ : count - 1;
      for (; at > 0 && x > p.product[best[at - 1]]; at--) best[at] = best[at - 1];
      best[at] = room[i];
    }
    enough = p.product[best[wanted - 1]];
  }
  status = in_chunks(p.context, p.head.keys, 64, [&](int64_t begin, int64_t end, int32_t) {
    for (int64_t j = begin; j < end; j++)
      if (p.free[j] && p.epoch[j] != p.now) {
        if (p.bound[j] >= enough)
          look_again(p, j);
        else
          p.bound[j] = -INFINITY;
      }
  });
  if (status != LENSOR_OK) return status;
  const int64_t found = largest(p, wanted, room);
  for (int64_t i = 0; i < found; i++) {
    p.head.picks()[p.count++] = (int32_t)room[i];
    p.free[room[i]] = 0;
  }
  return LENSOR_OK;
}

double dot8(const double* a, const double* b, int64_t n) {
  f64v sum = set8(0);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) sum = plus8(sum, load8(a + i), load8(b + i));
  double all = sum8(sum);
  for (; i < n; i++) all += a[i] * b[i];
  return all;
}

// Rows [from, count) of the factor, whose products are there.
void grow(Pursuit& p, int64_t from) {
  for (int64_t i = from; i < p.count; i++) {
    double* row = p.l + i * p.t;
    const double* g = p.g + i * p.t;
    for (int64_t j = 0; j < i; j++) row[j] = (g[j] - dot8(row, p.l + j * p.t, j)) / p.l[j * p.t + j];
    const double left = g[i] - dot8(row, row, i);
    row[i] = left > kOwn * g[i] ? sqrt(left) : kNoPart;
    const double right = dot_f64(p.key(p.pick(i)), p.mass, p.phi.row);
    p.y[i] = (right - dot8(row, p.y, i)) / row[i];
  }
}

// Products and rows of the factor for the picks from `from` on.
lensor_status take_in(Pursuit& p, int64_t from) {
  const lensor_status status = in_chunks(p.context, p.count, 8, [&](int64_t begin, int64_t end, int32_t) {
    for (int64_t s = begin; s < end; s++)
      for (int64_t i = s > from ? s : from; i < p.count; i++)
        p.g[i * p.t + s] = dot_f64(p.key(p.pick(s)), p.key(p.pick(i)), p.phi.row);
  });
  if (status == LENSOR_OK) grow(p, from);
  return status;
}

// w, and the residual that it leaves: a new epoch.
lensor_status solve(Pursuit& p) {
  const int64_t n = p.count;
  memcpy(p.w, p.y, (size_t)n * sizeof(double));
  for (int64_t i = n; i-- > 0;) {
    const double* row = p.l + i * p.t;
    p.w[i] /= row[i];
    const f64v by = set8(p.w[i]);
    int64_t k = 0;
    for (; k + 8 <= i; k += 8) store8(p.w + k, minus8(load8(p.w + k), load8(row + k), by));
    for (; k < i; k++) p.w[k] -= row[k] * p.w[i];
  }
  const double most = p.head.m->most;
  for (int64_t i = 0; i < n; i++) p.w[i] = !(p.w[i] > kFloor) ? kFloor : p.w[i] > most ? most : p.w[i];
  p.solved = n;
  p.now++;
  float* r = p.residual(p.now);
  return in_chunks(p.context, p.phi.row / kSide, 1, [&](int64_t begin, int64_t end, int32_t) {
    for (int64_t q = begin * kSide; q < end * kSide; q += kSide) {
      f64v sum[kSide / 8];
      for (int64_t c = 0; c < kSide / 8; c++) sum[c] = widen8(p.mass + q + 8 * c);
      for (int64_t i = 0; i < n; i++) {
        const float* x = p.key(p.pick(i)) + q;
        const f64v by = set8(p.w[i]);
        for (int64_t c = 0; c < kSide / 8; c++) sum[c] = minus8(sum[c], by, widen8(x + 8 * c));
      }
      for (int64_t c = 0; c < kSide / 8; c++) {
        double some[8];
        store8(some, sum[c]);
        for (int i = 0; i < 8; i++) r[q + 8 * c + i] = (float)some[i];
      }
    }
  });
}

// Drops keys of little weight for good; how many.
int64_t drop_light(Pursuit& p) {
  int64_t kept = 0;
  for (int64_t i = 0; i < p.count; i++)
    if (p.w[i] >= p.head.m->drop) {
      for (int64_t s = 0, to = 0; s <= i; s++)
        if (p.w[s] >= p.head.m->drop) p.g[kept * p.t + to++] = p.g[i * p.t + s];
      p.head.picks()[kept++] = p.head.picks()[i];
    }
  const int64_t dropped = p.count - kept;
  if (!dropped) return 0;
  p.count = kept;
  grow(p, 0);
  return dropped;
}

// Phi and the mass by what each query counts for.
lensor_status weigh(Pursuit& p) {
  float* by = p.residual(0);
  for (int64_t i = 0; i < p.phi.row; i++) by[i] = i < p.head.n ? (float)query_weight(p.head, i) : 0;
  for (int64_t i = 0; i < p.phi.row; i++) p.mass[i] = i < p.head.n ? p.head.mass()[i] * by[i] : 0;
  if (p.head.m->even_queries == 0) return LENSOR_OK;
  return in_chunks(p.context, p.head.keys, 16, [&](int64_t begin, int64_t end, int32_t) {
    for (int64_t j = begin; j < end; j++) {
      float* row = p.phi.data + j * p.phi.row;
      for (int64_t i = 0; i < p.phi.row; i += 16) store(row + i, mul(load(row + i), load(by + i)));
    }
  });
}

lensor_status run(Pursuit& p, int64_t* room) {
  const lensor_match* m = p.head.m;
  lensor_status status = LENSOR_OK;
  bool fresh = true; // no weights that could be kept on
  for (int64_t round = 0, refills = 0; status == LENSOR_OK;) {
    if (p.count < p.t) {
      const int64_t from = p.count;
      status = pick_keys(p, least(m->at_once, p.t - from), room);
      if (status != LENSOR_OK || p.count == from) break; // there are no more
      status = take_in(p, from);
      // Keys that wait for the next solution have next to no weight: the residual stays.
      if (status == LENSOR_OK && (fresh || round % m->interval == 0)) status = solve(p);
      fresh = false;
      round++;
    } else {
      if (++refills > kRefills) break;
      if (p.solved < p.count) status = solve(p);
      if (status != LENSOR_OK || !drop_light(p)) break;
      status = solve(p);
      fresh = true;
      round++;
    }
  }
  if (status == LENSOR_OK && p.solved < p.count) status = solve(p);
  for (int64_t i = 0; status == LENSOR_OK && i < p.count; i++) p.head.weights()[i] = (float)p.w[i];
  m->found[p.head.h] = p.count;
  return status;
}

} // namespace

lensor_status pursue(lensor_context* context, const MatchHead& head, const MatchPhi& phi) {
  const lensor_match* m = head.m;
  Pursuit p(context, head, phi);
  const int64_t keys = head.keys, t = p.t;
  Scratch numbers(context), vectors(context);
  p.product = numbers.take<double>(3 * keys);
  p.epoch = numbers.take<int64_t>(keys);
  p.free = numbers.take<uint8_t>(keys);
  p.mass = numbers.take<float>(phi.row);
  p.residuals = numbers.take<float>(kEpochs * phi.row);
  int64_t* room = numbers.take<int64_t>(2 * m->at_once + 64);
  p.g = vectors.take<double>(t * t);
  p.l = vectors.take<double>(t * t);
  p.y = vectors.take<double>(t);
  p.w = vectors.take<double>(t);
  if (numbers.failed() || vectors.failed()) return LENSOR_OUT_OF_MEMORY;
  p.length = p.product + keys, p.bound = p.length + keys;
  for (int64_t j = 0; j < keys; j++) {
    p.epoch[j] = -1;
    p.free[j] = 1;
  }
  if (const auto status = weigh(p)) return status;
  memcpy(p.residual(0), p.mass, (size_t)phi.row * 4);
  return run(p, room);
}

} // namespace lensor::LENSOR_ISA

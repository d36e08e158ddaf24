#include "sample.h"
#include <algorithm>
#include <cmath>

namespace lensor {

namespace {

// SplitMix64 (Steele, Lea and Flood 2014) of seed and position, as a number in [0, 1).
double uniform(uint64_t seed, uint64_t position) {
  const auto mix = [](uint64_t z) {
    z += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  };
  return static_cast<double>(mix(mix(seed) ^ position) >> 11) * 0x1p-53;
}

void penalize(float* logits, const SamplerSpec& spec) {
  std::vector<int32_t> seen = spec.seen;
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  for (int32_t id : seen)
    logits[id] = logits[id] > 0 ? logits[id] / spec.repetition_penalty : logits[id] * spec.repetition_penalty;
}

// The first of the largest; 0 where there is no number.
int32_t best_of(const float* logits, int64_t count) {
  // Lanes of their own, since a search that carries its index along is done one by one.
  constexpr int kLanes = 16;
  float top[kLanes];
  std::fill_n(top, kLanes, -INFINITY);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int j = 0; j < kLanes; j++) top[j] = logits[i + j] > top[j] ? logits[i + j] : top[j];
  float most = *std::max_element(top, top + kLanes);
  for (; i < count; i++) most = logits[i] > most ? logits[i] : most;
  const float* found = std::find(logits, logits + count, most);
  return found == logits + count ? 0 : static_cast<int32_t>(found - logits);
}

struct Candidate {
  int32_t id;
  float logit;
  double weight;
};

} // namespace

int32_t sample(float* logits, int64_t vocabulary, const SamplerSpec& spec, uint64_t position) {
  if (spec.repetition_penalty != 1) penalize(logits, spec);
  const int32_t best = best_of(logits, vocabulary);
  if (spec.temperature == 0) return best;

  // What is e^-36 of the best token's probability or less cannot change a draw in double precision.
  const float least = logits[best] - 36 * spec.temperature;
  std::vector<Candidate> list;
  for (int64_t i = 0; i < vocabulary; i++)
    if (logits[i] >= least) list.push_back({static_cast<int32_t>(i), logits[i], 0});
  // Where the logits are no numbers nothing compares: there is no best, and none to draw from.
  if (list.empty()) return best;
  const auto before = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  };
  if (spec.top_k > 0 && static_cast<size_t>(spec.top_k) < list.size()) {
    std::nth_element(list.begin(), list.begin() + spec.top_k, list.end(), before);
    list.resize(spec.top_k);
  }
  std::sort(list.begin(), list.end(), before);
  double total = 0;
  for (Candidate& c : list)
    total += c.weight = std::exp((static_cast<double>(c.logit) - logits[best]) / spec.temperature);
  // The nucleus (Holtzman et al. 2020): the fewest best tokens that hold top_p of the probability.
  if (spec.top_p < 1) {
    double sum = 0;
    size_t keep = 0;
    while (keep < list.size() && sum < spec.top_p * total) sum += list[keep++].weight;
    list.resize(std::max<size_t>(keep, 1));
  }
  if (spec.min_p > 0)
    while (list.size() > 1 && list.back().weight < spec.min_p) list.pop_back();
  total = 0;
  for (const Candidate& c : list) total += c.weight;
  double point = uniform(spec.seed, position) * total;
  for (const Candidate& c : list)
    if ((point -= c.weight) < 0) return c.id;
  return list.back().id;
}

} // namespace lensor

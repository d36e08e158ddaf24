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

// Tokens from the best down, put in order only as far as someone looks: a draw seldom goes deep.
class Ranked {
public:
  Ranked(const float* logits, int64_t vocabulary, int32_t best, float temperature)
      : logits_(logits), vocabulary_(vocabulary), most_(logits[best]), temperature_(temperature) {
    for (int64_t id = 0; id < vocabulary; id++) size_ += logits[id] >= bound(kBands);
  }

  // Those that can change a draw in double precision: 0 where the logits are no numbers, and nothing
  // compares.
  int64_t size() const { return size_; }

  int32_t id(int64_t i) { return at(i).id; }

  // Its probability as a share of the best's.
  double weight(int64_t i) { return std::exp((static_cast<double>(at(i).logit) - most_) / temperature_); }

  // Of the first `count`; of all of them without putting them in order.
  double total(const lensor_ops* ops, int64_t count) {
    double sum = 0;
    if (count < size_) {
      for (int64_t i = 0; i < count; i++) sum += weight(i);
      return sum;
    }
    std::vector<float> scaled(vocabulary_);
    for (int64_t id = 0; id < vocabulary_; id++) scaled[id] = (logits_[id] - most_) / temperature_;
    return std::exp(static_cast<double>(ops->log_sum_exp(scaled.data(), vocabulary_)));
  }

private:
  struct Candidate {
    int32_t id;
    float logit;
  };

  // Bands of the logits, each e^-4 below the one before: e^-36 of the best's probability is the end.
  static constexpr int kBands = 9;
  float bound(int band) const { return most_ - static_cast<float>(4 * band) * temperature_; }

  const Candidate& at(int64_t i) {
    while (i >= static_cast<int64_t>(ordered_.size())) {
      const float above = band_ ? bound(band_) : INFINITY, least = bound(band_ + 1);
      band_++;
      const auto first = static_cast<int64_t>(ordered_.size());
      for (int64_t id = 0; id < vocabulary_; id++)
        if (logits_[id] >= least && logits_[id] < above)
          ordered_.push_back({static_cast<int32_t>(id), logits_[id]});
      std::sort(ordered_.begin() + first, ordered_.end(), [](const Candidate& a, const Candidate& b) {
        return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
      });
    }
    return ordered_[i];
  }

  const float* logits_;
  int64_t vocabulary_, size_ = 0;
  float most_, temperature_;
  int band_ = 0;
  std::vector<Candidate> ordered_;
};

} // namespace

int32_t sample(const lensor_ops* ops, float* logits, int64_t vocabulary, const SamplerSpec& spec,
               uint64_t position) {
  if (spec.repetition_penalty != 1) penalize(logits, spec);
  const int32_t best = best_of(logits, vocabulary);
  if (spec.temperature == 0) return best;

  Ranked ranked(logits, vocabulary, best, spec.temperature);
  int64_t keep = ranked.size();
  if (keep == 0) return best;
  if (spec.top_k > 0) keep = std::min<int64_t>(keep, spec.top_k);
  double total = ranked.total(ops, keep);
  // The nucleus (Holtzman et al. 2020): the fewest best tokens that hold top_p of the probability.
  if (spec.top_p < 1) {
    double sum = 0;
    int64_t count = 0;
    while (count < keep && sum < spec.top_p * total) sum += ranked.weight(count++);
    keep = std::max<int64_t>(count, 1);
  }
  if (spec.min_p > 0) {
    int64_t count = 1;
    while (count < keep && ranked.weight(count) >= spec.min_p) count++;
    keep = count;
  }
  if (keep < ranked.size()) total = ranked.total(ops, keep);
  double point = uniform(spec.seed, position) * total;
  for (int64_t i = 0; i < keep; i++)
    if ((point -= ranked.weight(i)) < 0) return ranked.id(i);
  // What rounding has left over.
  return best;
}

} // namespace lensor

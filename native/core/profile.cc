#include "profile.h"
#include "executor.h"
#include "work.h"
#include <algorithm>
#include <atomic>
#include <chrono>
#include <unordered_map>

namespace lensor {

namespace {

constexpr size_t kMostEvents = 200'000;

std::atomic<bool> wanted{false};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Recorder {
  Profile profile;
  std::unordered_map<std::string, int32_t> numbers;

  int32_t number(const std::string& text) {
    const auto [found, fresh] = numbers.try_emplace(text, static_cast<int32_t>(profile.names.size()));
    if (fresh) profile.names.push_back(text);
    return found->second;
  }
  void add(const Event& event) {
    if (profile.events.size() < kMostEvents)
      profile.events.push_back(event);
    else
      profile.dropped++;
  }
};

const lensor_ops* plain_table = nullptr; // set before its copy is handed out

// The executor's, while it records.
thread_local Recorder* recorder = nullptr;

thread_local int32_t phase = 0; // of the thread that enqueues

// A kernel of the table, timed where its thread records.
template <auto member, auto work> struct Timed;
template <typename... A, lensor_status (*lensor_ops::*member)(lensor_context*, A...), Work (*work)(A...)>
struct Timed<member, work> {
  static lensor_status call(lensor_context* context, A... args) {
    if (!recorder) return (plain_table->*member)(context, args...);
    Recorder& r = *recorder;
    const Work what = work(args...);
    const double begin = now();
    const lensor_status status = (plain_table->*member)(context, args...);
    r.add({true, r.number(what.name), r.number(what.shape), begin, now(), what.flops, what.bytes,
           what.compute, 0, 0, 0});
    return status;
  }
};

template <auto member, auto work> void time(lensor_ops& table) {
  if (table.*member) table.*member = Timed<member, work>::call;
}

} // namespace

int32_t profile_phase() { return phase; }
void set_profile_phase(int32_t now) { phase = now; }

bool profile_wanted() { return wanted.load(std::memory_order_relaxed); }
void want_profile(bool now) { wanted = now; }

const lensor_ops* profile_begin(const lensor_ops* plain) {
  delete recorder;
  recorder = new Recorder;
  plain_table = plain;
  static lensor_ops table;
  table = *plain;
#define LENSOR_TIME(name) time<&lensor_ops::name, &work::name>(table)
  LENSOR_TIME(copy), LENSOR_TIME(unary), LENSOR_TIME(binary), LENSOR_TIME(where), LENSOR_TIME(reduce);
  LENSOR_TIME(softmax), LENSOR_TIME(top_k), LENSOR_TIME(matmul), LENSOR_TIME(gather);
  LENSOR_TIME(quantize), LENSOR_TIME(linear), LENSOR_TIME(rms_norm), LENSOR_TIME(layers);
  LENSOR_TIME(attention), LENSOR_TIME(attention_map);
  LENSOR_TIME(gemms), LENSOR_TIME(combine), LENSOR_TIME(combine_grad);
  LENSOR_TIME(gemm), LENSOR_TIME(flash), LENSOR_TIME(flash_grad), LENSOR_TIME(unary_grad),
      LENSOR_TIME(softmax_grad);
  LENSOR_TIME(scatter_add), LENSOR_TIME(cumsum), LENSOR_TIME(sort), LENSOR_TIME(scan), LENSOR_TIME(norm);
  LENSOR_TIME(norm_grad), LENSOR_TIME(rotate), LENSOR_TIME(glu), LENSOR_TIME(glu_grad),
      LENSOR_TIME(loss_rows);
  LENSOR_TIME(unfold), LENSOR_TIME(fold), LENSOR_TIME(cholesky), LENSOR_TIME(solve_triangular),
      LENSOR_TIME(eigen), LENSOR_TIME(mark_smallest), LENSOR_TIME(sparse_sweep);
  LENSOR_TIME(round_groups), LENSOR_TIME(gptq_sweep);
  LENSOR_TIME(sum_squares), LENSOR_TIME(optimizer_step), LENSOR_TIME(match_look), LENSOR_TIME(match_fit);
#undef LENSOR_TIME
  return &table;
}

Profile profile_end() {
  Profile profile;
  if (recorder) profile = std::move(recorder->profile);
  delete recorder;
  recorder = nullptr;
  return profile;
}

double profile_task_begin() { return recorder ? now() : 0; }

void profile_task_end(const Task& task, double begin) {
  if (begin == 0 || !recorder) return;
  Recorder& r = *recorder;
  r.add({false, r.number(task.name), r.number(task.shapes), begin, now(), 0, 0, LENSOR_F32, task.phase,
         task.owner.cell, static_cast<int32_t>(task.owner.kind)});
}

} // namespace lensor

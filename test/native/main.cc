// Runs every registered test for each instruction set of the machine, serial and on three threads: one line a
// test and set, exit status 1 if a check failed. Arguments, where given, are parts of the names of the tests
// to run; --tolerances before them prints the table of tolerance.h.
#include "../../native/cpu/dispatch.h"
#include "tolerance.h"
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace lensor::test {

namespace {

struct Registered {
  const char* name;
  Body body;
};

std::vector<Registered>& registry() {
  static std::vector<Registered> tests;
  return tests;
}

// A test that fails everywhere fails the same way: the first few places say enough.
constexpr int kShown = 5;
int failures = 0;
std::string told;

int interrupted(lensor_context* self) {
  auto* context = static_cast<Context*>(self);
  const int64_t poll = std::atomic_ref(context->polls).fetch_add(1);
  return context->interrupt_at >= 0 && poll >= context->interrupt_at;
}

void parallel(lensor_context* self, int64_t items, int64_t grain, lensor_body body, void* arg) {
  grain = std::max<int64_t>(grain, 1);
  // As a pool of one does it: all at once.
  if (self->threads == 1) return items > 0 ? body(arg, 0, items, 0) : void();
  std::atomic<int64_t> next{0};
  auto work = [&](int32_t thread) {
    for (int64_t begin; (begin = next.fetch_add(grain)) < items;)
      body(arg, begin, std::min(begin + grain, items), thread);
  };
  std::vector<std::thread> others;
  for (int32_t t = 1; t < self->threads; t++) others.emplace_back(work, t);
  work(0);
  for (auto& other : others) other.join();
}

void together(lensor_context* self, lensor_body body, void* arg) {
  std::vector<std::thread> others;
  for (int32_t t = 1; t < self->threads; t++) others.emplace_back(body, arg, t, t + 1, t);
  body(arg, 0, 1, 0);
  for (auto& other : others) other.join();
}

void* take(lensor_context* self, size_t bytes) {
  auto* context = static_cast<Context*>(self);
  void* data = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  context->taken += data ? static_cast<int64_t>(bytes) : 0;
  return data;
}

void give(lensor_context* self, void* data, size_t bytes) {
  static_cast<Context*>(self)->given += static_cast<int64_t>(bytes);
  std::free(data);
}

} // namespace

Test::Test(const char* name, Body body) { registry().push_back({name, body}); }

Context::Context(int32_t count) {
  self = this;
  threads = count;
  lensor_context::interrupted = test::interrupted;
  lensor_context::parallel = test::parallel;
  lensor_context::together = test::together;
  lensor_context::take = test::take;
  lensor_context::give = test::give;
}

void fail(const char* file, int line, const std::string& what) {
  if (failures++ < kShown)
    told += "    " + std::string(file) + ":" + std::to_string(line) + ": " + what + "\n";
}

bool near(double found, double wanted, double relative) {
  if (std::isnan(wanted)) return std::isnan(found);
  if (std::isinf(wanted) || std::isinf(found)) return found == wanted;
  return std::abs(found - wanted) <= relative * std::max(1.0, std::abs(wanted));
}

std::vector<float> noise(size_t count, uint64_t seed) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; i++) {
    uint64_t z = seed * 0x9e3779b97f4a7c15u + (i + 1) * 0xd1342543de82ef95u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    values[i] = static_cast<float>(static_cast<int32_t>(z >> 32) / 2147483648.0);
  }
  return values;
}

} // namespace lensor::test

int main(int count, char** arguments) {
  using namespace lensor::test;
  const bool tell = count > 1 && std::string(arguments[1]) == "--tolerances";
  if (tell) count--, arguments++;
  const auto wanted = [&](const char* name) {
    for (int i = 1; i < count; i++)
      if (std::string(name).find(arguments[i]) != std::string::npos) return true;
    return count == 1;
  };
  int failed = 0, ran = 0;
  for (const auto* ops : lensor::cpu_tables())
    for (const auto& test : registry()) {
      if (!wanted(test.name)) continue;
      failures = 0;
      told.clear();
      for (int32_t threads : {1, 3}) {
        Context context(threads);
        test.body(*ops, &context);
      }
      ran++;
      failed += failures > 0;
      std::printf("%-6s %-7s %s\n%s", failures ? "FAILED" : "ok", ops->name, test.name, told.c_str());
    }
  if (tell) print_tolerances();
  std::printf("%d of %d failed\n", failed, ran);
  return failed || !ran;
}

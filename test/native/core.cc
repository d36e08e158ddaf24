// The core under the kernels: the pool runs every item once, the executor keeps order and passes failures on,
// a cache's forks do not see each other's writes. Run under the thread sanitizer by `npm run test:full`.
#include "../../native/core/executor.h"
#include "../../native/llm/cache.h"
#include "../../native/llm/sample.h"
#include "check.h"
#include <future>
#include <limits>

using namespace lensor;
using namespace lensor::test;

namespace {

// A pool of its own, whose regions this thread begins.
struct Counts {
  std::vector<int32_t> items;
  static void body(void* arg, int64_t begin, int64_t end, int32_t) {
    for (int64_t i = begin; i < end; i++) static_cast<Counts*>(arg)->items[i]++;
  }
};

BufferRef floats(int64_t count) { return std::make_shared<Buffer>(count * sizeof(float)); }

std::shared_ptr<Failure> finish(Executor& executor, const BufferRef& buffer) {
  std::promise<std::shared_ptr<Failure>> over;
  executor.push(
      {"read", {buffer}, {}, nullptr, [&](const std::shared_ptr<Failure>& f) { over.set_value(f); }});
  return over.get_future().get();
}

// Never ended: an executor lives as long as its process.
Executor& executor(const lensor_ops& ops) {
  static Executor* one = new Executor(3, &ops);
  return *one;
}

} // namespace

TEST("the pool runs every item once, region after region, also after a rest") {
  Pool pool(3);
  for (int round = 0; round < 300; round++) {
    Counts counts{std::vector<int32_t>(1 + round * 7)};
    pool.context()->parallel(pool.context(), counts.items.size(), 1 + round % 5, Counts::body, &counts);
    CHECK(counts.items == std::vector<int32_t>(counts.items.size(), 1));
    if (round % 100 == 99) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

TEST("tasks run in order and results wait for no reader") {
  auto& e = executor(ops);
  auto x = floats(1);
  e.push({"one", {}, {x}, [x](lensor_context*) { return *x->memory.as<float>() = 1, LENSOR_OK; }, nullptr});
  for (int i = 0; i < 1000; i++)
    e.push(
        {"next", {x}, {}, [x](lensor_context*) { return *x->memory.as<float>() += 1, LENSOR_OK; }, nullptr});
  CHECK(!finish(e, x));
  CHECK_EQ(*x->memory.as<float>(), 1001.0f);
}

TEST("a failure reaches what depends on it, is told once, and stops nothing else") {
  auto& e = executor(ops);
  e.take_failures();
  auto bad = floats(1), after = floats(1), other = floats(1);
  bool ran = false;
  e.push({"first", {}, {bad}, [](lensor_context*) { return LENSOR_BAD_INDEX; }, nullptr});
  e.push({"second", {bad}, {after}, [&](lensor_context*) { return ran = true, LENSOR_OK; }, nullptr});
  e.push({"third", {}, {other}, [](lensor_context*) { return LENSOR_OK; }, nullptr});
  CHECK(!finish(e, other));
  const auto failure = finish(e, after);
  CHECK(failure && failure->message.find("first") == 0);
  CHECK(!ran);
  CHECK_EQ(e.take_failures().size(), 1u);
  CHECK_EQ(e.take_failures().size(), 0u);
}

TEST("what cannot be had is an error, and the next task runs") {
  auto& e = executor(ops);
  auto huge = std::make_shared<Buffer>(size_t{1} << 55), small = floats(1);
  e.push({"huge", {}, {huge}, [](lensor_context*) { return LENSOR_OK; }, nullptr});
  const auto failure = finish(e, huge);
  CHECK(failure && failure->message.find("out of memory") != std::string::npos);
  e.push({"small", {}, {small}, [](lensor_context*) { return LENSOR_OK; }, nullptr});
  CHECK(!finish(e, small));
  e.take_failures();
}

TEST("an interrupt fails what is in the queue, and the engine goes on when it is over") {
  auto& e = executor(ops);
  static std::atomic<int32_t> flag{0};
  e.pool().watch(&flag);
  flag = 1;
  auto x = floats(1), y = floats(1);
  e.push({"late", {}, {x}, [](lensor_context*) { return LENSOR_OK; }, nullptr});
  const auto failure = finish(e, x);
  CHECK(failure && failure->interrupted);
  flag = 0;
  e.push({"next", {}, {y}, [](lensor_context*) { return LENSOR_OK; }, nullptr});
  CHECK(!finish(e, y));
  CHECK_EQ(e.take_failures().size(), 0u);
  e.pool().watch(nullptr);
}

TEST("an interrupt that a kernel has seen is not taken back from under it") {
  auto& e = executor(ops);
  static std::atomic<int32_t> flag{0};
  e.pool().watch(&flag);
  auto x = floats(1), y = floats(1);
  const auto looks = [](lensor_context* c) { return c->interrupted(c) ? LENSOR_INTERRUPTED : LENSOR_OK; };
  const auto run = [looks](lensor_context* c) {
    flag = 1;
    const auto first = looks(c);
    flag = 0;
    return first == LENSOR_INTERRUPTED ? looks(c) : LENSOR_BAD_INDEX;
  };
  e.push({"partly", {}, {x}, run, nullptr});
  e.push({"next", {}, {y}, looks, nullptr});
  const auto failure = finish(e, x);
  CHECK(failure && failure->interrupted);
  CHECK(!finish(e, y));
  e.pool().watch(nullptr);
}

TEST("a task without results does not wait for room") {
  auto& e = executor(ops);
  auto large = std::make_shared<Buffer>(size_t{3} << 29);
  std::promise<void> go;
  const auto wait = [&](lensor_context*) { return go.get_future().wait(), LENSOR_INTERRUPTED; };
  e.push({"large", {}, {large}, wait, nullptr});
  std::promise<bool> failed;
  e.push({"read", {large}, {}, nullptr, [&](const auto& failure) { failed.set_value(failure != nullptr); }});
  go.set_value(); // not reached if the read had waited
  CHECK(failed.get_future().get());
}

TEST("forks of a cache share full pages and write into their own") {
  const CacheShape shape{2, 1, 16, LENSOR_F32};
  Cache a(shape, std::make_shared<Rope>());
  a.reserve(70);
  a.set_length(70);
  CHECK_EQ(a.bytes(), 4 * shape.page_bytes());
  Cache b(shape, std::make_shared<Rope>());
  b.share(a, 70);
  const auto pages = [](const Cache& cache, int32_t layer) { return cache.heads(layer, 0)[0].pages; };
  CHECK(pages(b, 0)[0].keys == pages(a, 0)[0].keys);
  b.reserve(71);
  CHECK(pages(b, 0)[0].keys == pages(a, 0)[0].keys);
  CHECK(pages(b, 1)[1].keys != pages(a, 1)[1].keys);
  static_cast<float*>(pages(b, 0)[1].keys)[6] = 5;
  CHECK_EQ(static_cast<const float*>(pages(a, 0)[1].keys)[6], 0.0f);
  b.set_length(64);
  CHECK_EQ(b.bytes(), 2 * shape.page_bytes());
}

TEST("a cache of chosen keys holds them bit for bit in just the room they need, and grows") {
  for (int32_t dtype : {LENSOR_F32, LENSOR_F16, LENSOR_BF16, LENSOR_I8}) {
    const CacheShape shape{1, 2, 20, dtype};
    const int64_t length = 150, width = shape.head_width;
    Cache a(shape, std::make_shared<Rope>());
    a.reserve(length);
    const auto k = noise(length * width, 1), v = noise(length * width, 2);
    const auto heads = a.heads(0, length);
    for (int32_t g = 0; g < 2; g++)
      ops.kv_write(context, dtype, k.data(), v.data(), width, length, width, 0, heads[g].pages);
    a.set_length(length);
    std::vector<HeadChoice> choices(2);
    choices[0].all = false;
    for (int32_t i = 0; i < 150; i += 2) choices[0].keep.push_back(i == 6 ? 7 : i);
    choices[0].bias.assign(75, 0.5f);
    Cache b(shape, std::make_shared<Rope>());
    b.choose(context, &ops, a, choices, length);
    CHECK_EQ(b.length(), length);
    CHECK_EQ(b.count(0, 0), 75);
    CHECK_EQ(b.count(0, 1), length);
    std::vector<float> was(2 * 2 * length * width), is(was);
    std::vector<float> bias(2 * length);
    a.read(context, &ops, 0, length, 0, was.data(), was.data() + 2 * length * width, bias.data());
    CHECK_EQ(bias[0], 0.0f);
    b.read(context, &ops, 0, length, 0, is.data(), is.data() + 2 * length * width, bias.data());
    CHECK_EQ(bias[74], 0.5f);
    CHECK_EQ(bias[75], 0.0f);
    for (int64_t part = 0; part < 2; part++)
      for (int64_t j = 0; j < 75; j++)
        for (int64_t i = 0; i < width; i++)
          CHECK_EQ(is[(part * 2 * length + j) * width + i],
                   was[(part * 2 * length + choices[0].keep[j]) * width + i]);
    // Nothing but what is kept, beside the head that stays as it is, in two blocks of whole pages of the
    // system.
    const size_t kept = shape.key_bytes(75) + shape.value_bytes(75) + 75 * sizeof(float);
    CHECK(b.bytes() <= a.bytes() + kept + 2 * 4096 + 1024);
    b.reserve(length + 1);
    CHECK_EQ(b.heads(0, 1)[0].pages[1].room, LENSOR_PAGE);
    b.set_length(length + 1);
    std::vector<float> grown(was);
    b.read(context, &ops, 0, length, 0, grown.data(), grown.data() + 2 * length * width, bias.data());
    for (int64_t i = 0; i < 75 * width; i++) CHECK_EQ(grown[i], is[i]);
    CHECK_EQ(a.count(0, 0), length);
  }
}

TEST("a sampler draws by its options, and the same at the same position") {
  const std::vector<float> row{1, 3, 2, 3, -5};
  const auto draw = [&](SamplerSpec spec, uint64_t position = 0) {
    auto logits = row;
    return sample(&ops, logits.data(), logits.size(), spec, position);
  };
  CHECK_EQ(draw({}), 1); // ties to the lower id
  SamplerSpec hot;
  hot.temperature = 1;
  std::vector<int> seen(5);
  for (uint64_t i = 0; i < 20000; i++) seen[draw(hot, i)]++;
  double total = 0;
  for (float x : row) total += std::exp(x);
  for (int i = 0; i < 5; i++) CHECK_NEAR(seen[i] / 20000.0, std::exp(row[i]) / total, 0.015);
  CHECK_EQ(draw(hot, 7), draw(hot, 7));
  SamplerSpec narrow = hot;
  narrow.top_k = 2;
  SamplerSpec nucleus = hot;
  nucleus.top_p = 0.75f;
  SamplerSpec likely = hot;
  likely.min_p = 0.9f;
  for (uint64_t i = 0; i < 200; i++)
    for (const auto& spec : {narrow, nucleus, likely}) CHECK_EQ(draw(spec, i) % 2, 1);
  SamplerSpec fined;
  fined.repetition_penalty = 2;
  fined.seen = {1, 1, 3};
  CHECK_EQ(draw(fined), 2);
  std::vector<float> none(5, std::numeric_limits<float>::quiet_NaN());
  nucleus.top_k = 2;
  const int32_t id = sample(&ops, none.data(), none.size(), nucleus, 0);
  CHECK(id >= 0 && id < 5);
}

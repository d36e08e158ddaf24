// The allocator: counts that add up, blocks that come back, a budget that refuses, and owners that are told
// apart. The counts are the process's: each test looks at differences.
#include "../../native/core/memory.h"
#include "../../native/core/budget.h"
#include "../../native/core/executor.h"
#include "check.h"
#include <stdexcept>
#include <thread>

using namespace lensor;

namespace {

size_t held(int32_t cell, Kind kind) {
  for (const MemoryHolder& one : memory_holders())
    if (one.owner.cell == cell && one.owner.kind == kind) return one.live;
  return 0;
}

} // namespace

TEST("memory: every size is aligned, writable to its end and counted once") {
  const size_t before = memory_use().live;
  {
    std::vector<Block> blocks;
    size_t sum = 0;
    for (size_t bytes : {0ul, 1ul, 64ul, 65ul, 4095ul, 4096ul, 4097ul, 8192ul, 100000ul, (2ul << 20) - 1,
                         2ul << 20, (2ul << 20) + 1, 5000001ul}) {
      blocks.emplace_back(bytes);
      CHECK_EQ(reinterpret_cast<uintptr_t>(blocks.back().data()) % 64, 0u);
      std::memset(blocks.back().data(), 7, bytes);
      const size_t step = bytes < 4096 ? 64 : 4096;
      sum += bytes ? (bytes + step - 1) / step * step : 64;
    }
    CHECK_EQ(memory_use().live - before, sum);
  }
  CHECK_EQ(memory_use().live, before);
}

TEST("memory: what is freed is kept for the next of nearly its size, and given back when asked") {
  memory_trim();
  CHECK_EQ(memory_use().kept, 0u);
  void* first = Block(8'000'000).data();
  CHECK(memory_use().kept >= 8'000'000);
  Block second(7'900'000);
  CHECK_EQ(second.data(), first);
  CHECK_EQ(memory_use().kept, 0u);
  second = Block();
  memory_trim();
  CHECK_EQ(memory_use().kept, 0u);
}

TEST("memory: the most since a mark is what was held at once since then, and nothing from before") {
  {
    Block before(50'000'000);
  }
  const size_t live = memory_use().live;
  memory_mark();
  CHECK_EQ(memory_use().marked, live);
  {
    Block one(1'000'000);
    {
      Block two(2'000'000);
    }
    Block three(500'000);
  }
  CHECK_EQ(memory_use().live, live);
  CHECK(memory_use().marked >= live + 3'000'000);
  CHECK(memory_use().marked < live + 3'500'000);
}

TEST("memory: owners are told apart, also where another thread frees") {
  const Owner one{7001, Kind::tensor}, two{7001, Kind::gradient};
  Block a(1000, one), b(2000, two), c(3000, one);
  CHECK_EQ(held(7001, Kind::tensor), 1024u + 3008u);
  CHECK_EQ(held(7001, Kind::gradient), 2048u);
  std::thread([&] { a = Block(); }).join();
  CHECK_EQ(held(7001, Kind::tensor), 3008u);
  {
    const OwnerScope scope(Owner{7002, Kind::cache});
    const Block d(64);
    CHECK_EQ(held(7002, Kind::cache), 64u);
  }
  CHECK_EQ(held(7002, Kind::cache), 0u);
}

TEST("memory: past the budget what is kept goes first, then a request is refused and says by whom") {
  memory_trim();
  const size_t budget = memory_use().budget;
  memory_limit(memory_use().live + 40'000'000);
  {
    Block kept(15'000'000);
  }
  CHECK(memory_use().kept >= 15'000'000);
  Block large(30'000'000, {7003, Kind::weights});
  CHECK_EQ(memory_use().kept, 0u);
  std::string told;
  try {
    Block more(20'000'000);
  } catch (const OutOfMemory& out) {
    told = out.told;
  }
  CHECK(told.find("out of memory. It needed 20 MB") == 0);
  CHECK(told.find("30 MB in weights of <run 7003>") != std::string::npos);
  large = Block();
  {
    // A tensor is told by what made it and its shape, the largest one by its name too.
    const Label held{"matmul", LENSOR_BF16, 2, {3000, 5000}, 7}, wanted{"add", LENSOR_F32, 1, {5'000'000}, 8};
    const Block matrix(30'000'000, {7004, Kind::tensor}, &held);
    memory_name(matrix.data(), "w");
    try {
      Block more(20'000'000, {7004, Kind::tensor}, &wanted);
    } catch (const OutOfMemory& out) {
      told = out.maker + ": " + out.told;
    }
    CHECK(told.find("add: out of memory. Its result [5000000] f32 needed 20 MB while") == 0);
    CHECK(told.find("of <run 7004> (the largest is <buffer 7>, w, matmul [3000, 5000] bf16, 30 MB)") !=
          std::string::npos);
  }
  Block fits(20'000'000);
  memory_limit(budget);
}

TEST("memory: the timeline keeps the peaks, thinned out as it fills") {
  {
    Block spike(3'000'000);
  }
  size_t most = 0;
  const auto points = memory_timeline();
  CHECK(!points.empty() && points.size() <= 4096);
  for (size_t i = 0; i < points.size(); i++) {
    most = std::max(most, points[i].live);
    size_t sum = 0;
    for (size_t bytes : points[i].kinds) sum += bytes;
    CHECK_EQ(sum, points[i].live);
    if (i) CHECK(points[i].age <= points[i - 1].age);
  }
  CHECK_EQ(most, memory_use().peak);
}

TEST("memory: the budget is read as people write it") {
  CHECK_EQ(parse_memory("8GB"), 8'000'000'000u);
  CHECK_EQ(parse_memory("1.5 GB"), 1'500'000'000u);
  CHECK_EQ(parse_memory("512MB"), 512'000'000u);
  CHECK_EQ(parse_memory("2e9"), 2'000'000'000u);
  for (const char* bad : {"", "much", "8TBs", "-1GB", "0", "8GB more", "1e30"}) {
    bool refused = false;
    try {
      parse_memory(bad);
    } catch (const std::runtime_error& error) {
      refused = std::string(error.what()).find("LENSOR_MEMORY") == 0;
    }
    CHECK(refused);
  }
  CHECK(available_memory() > 0);
}

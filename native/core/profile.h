// What the executor did, task by task and kernel by kernel, with the work that each kernel's arguments ask
// for. While nobody looks it costs a branch a task. Everything here belongs to the executor's thread but
// `profile_wanted`.
#pragma once
#include "../include/lensor_abi.h"
#include <cstdint>
#include <string>
#include <vector>

namespace lensor {

struct Task;

// What a kernel has to compute and the least it has to move, by its arguments. An elementary function counts
// as one operation, a multiply-add as two.
struct Work {
  const char* name;
  double flops, bytes;
  int32_t compute = LENSOR_F32; // what it multiplies: LENSOR_F32, _BF16 or _I8
  std::string shape{};
};

// One task, or one kernel inside the next task.
struct Event {
  bool kernel;
  int32_t name, shape; // in Profile::names
  double begin, end;   // seconds on the monotonic clock
  double flops, bytes;
  int32_t compute, phase, cell, kind;
};

struct Profile {
  std::vector<std::string> names;
  std::vector<Event> events;
  size_t dropped = 0; // past the most that is kept
};

// A profile is under way or about to be: what is enqueued tells its shapes. Any thread.
bool profile_wanted();
void want_profile(bool wanted);

// From here on this thread, the executor's, records; `plain` is the table of kernels. Returns the one that
// records.
const lensor_ops* profile_begin(const lensor_ops* plain);
Profile profile_end();

// What this thread enqueues belongs to a phase, a number that whoever looks knows the name of; 0 for none.
int32_t profile_phase();
void set_profile_phase(int32_t phase);

// Around a task's run. Zero: nobody looks.
double profile_task_begin();
void profile_task_end(const Task& task, double begin);

} // namespace lensor

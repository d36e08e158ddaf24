// What a person is told when memory runs out: what was wanted, and who holds the most.
#include "../quant/panel.h"
#include "memory.h"
#include <array>
#include <cstdio>

namespace lensor {

namespace {

// Of each number that a grouped type can have.
const char* grouped_name(int32_t dtype) {
  static const auto names = [] {
    std::array<std::string, 256> all;
    for (int32_t i = 0; i < 256; i++)
      all[i] = (i & 1 ? "u" : "i") + std::to_string(grouped_bits(i)) + "g" + std::to_string(group_cols(i));
    return all;
  }();
  return names[dtype & 255].c_str();
}

} // namespace

const char* dtype_name(int32_t dtype) {
  if (is_grouped(dtype)) return grouped_name(dtype);
  switch (dtype) {
  case LENSOR_F32:
    return "f32";
  case LENSOR_F16:
    return "f16";
  case LENSOR_BF16:
    return "bf16";
  case LENSOR_I8:
    return "i8";
  case LENSOR_U8:
    return "u8";
  case LENSOR_I32:
    return "i32";
  case LENSOR_I64:
    return "i64";
  case LENSOR_Q4_0:
    return "q4_0";
  case LENSOR_Q4_1:
    return "q4_1";
  case LENSOR_Q5_0:
    return "q5_0";
  case LENSOR_Q5_1:
    return "q5_1";
  case LENSOR_Q2_K:
    return "q2_k";
  case LENSOR_Q3_K:
    return "q3_k";
  case LENSOR_Q4_K:
    return "q4_k";
  case LENSOR_Q5_K:
    return "q5_k";
  case LENSOR_Q6_K:
    return "q6_k";
  case LENSOR_Q8_0:
    return "q8_0";
  case LENSOR_MXFP4:
    return "mxfp4";
  default:
    return "bool";
  }
}

namespace {

std::string amount(size_t bytes) {
  char text[32];
  const auto value = static_cast<double>(bytes);
  std::snprintf(text, sizeof text, value >= 1e9 ? "%.2f GB" : "%.3g MB", value / (value >= 1e9 ? 1e9 : 1e6));
  return text;
}

} // namespace

std::string Label::text() const {
  std::string text(maker);
  if (rank < 0) return text;
  text += text.empty() ? "[" : " [";
  for (int32_t d = 0; d < rank; d++) {
    if (d) text += ", ";
    text += std::to_string(shape[d]);
  }
  return text + "] " + dtype_name(dtype);
}

namespace {

// "Its result [64, 64] f32 needed 0.0164 MB".
std::string need_of(size_t wanted, Owner owner, const Label* label) {
  static const char* const kWhat[kKinds] = {"It",          "The gradient",        "The optimizer's state",
                                            "The weights", "The key-value cache", "Its scratch memory"};
  std::string what = kWhat[static_cast<size_t>(owner.kind)];
  if (label && label->rank >= 0) {
    Label shape = *label;
    shape.maker = "";
    what = "Its result " + shape.text();
  }
  return what + " needed " + amount(wanted);
}

// " (the largest is <buffer 7>, w, matmul [64, 64] f32, 0.0164 MB)", or nothing
std::string largest_of(Owner owner) {
  const std::optional<LargeBlock> one = memory_largest(owner);
  if (!one) return "";
  std::string text = " (the largest is ";
  if (one->number) text += "<buffer " + std::to_string(one->number) + ">, ";
  if (!one->name.empty()) text += one->name + ", ";
  return text + one->text + ", " + amount(one->size) + ")";
}

} // namespace

OutOfMemory::OutOfMemory(size_t wanted, Owner owner, const Label* label)
    : wanted(wanted), maker(label ? label->maker : ""), told(out_of_memory(need_of(wanted, owner, label))) {}

std::string out_of_memory(const std::string& what) {
  const MemoryUse use = memory_use();
  std::string text = "out of memory. " + what + " while lensor held " + amount(use.live) + " of the " +
                     amount(use.budget) + " that it may have.";
  static const char* const kNames[kKinds] = {"tensors", "gradients",        "optimizer state",
                                             "weights", "key-value caches", "scratch"};
  std::string most;
  int told = 0;
  for (const MemoryHolder& one : memory_holders()) {
    if (one.live < use.live / 20 || ++told > 3) break;
    most +=
        (most.empty() ? "" : ", ") + amount(one.live) + " in " + kNames[static_cast<size_t>(one.owner.kind)];
    // Which cell a run's number belongs to is known where the message is shown.
    if (one.owner.cell) most += " of <run " + std::to_string(one.owner.cell) + ">";
    most += largest_of(one.owner);
  }
  if (!most.empty()) text += "\nThe most is held by " + most + ".";
  return text + "\nDispose of tensors, work on less at a time, or allow more with memory.limit(bytes).";
}

} // namespace lensor

// Attention over pages cut into items that any thread may take, for attention.cc's own operation and for a
// decoder's pass (layers.cc). What an item gives does not depend on who takes it or when.
#pragma once
#include "kernels.h"

namespace lensor::LENSOR_ISA {

struct AttentionPlan {
  const lensor_attention* a;
  int64_t group;  // query heads that read one KV head's pages together
  int64_t pages;  // most of any KV head
  int64_t blocks; // of queries
  bool chooses;   // a head reads only some of its pages
  bool split;   // few queries of many keys: an item is one page of a KV head, and parts are merged afterwards
  float* parts; // [attention_parts] floats of the caller's
};

AttentionPlan attention_plan(const lensor_attention* a);
// In floats, for all threads together; 0 where nothing is merged and nothing chosen.
int64_t attention_parts(const AttentionPlan& plan);
// In floats, for each thread.
int64_t attention_scratch(const AttentionPlan& plan);
// Before all items: which pages are read.
int64_t attention_choices(const AttentionPlan& plan);
void attention_choose(const AttentionPlan& plan, int64_t item, float* scratch);
int64_t attention_items(const AttentionPlan& plan);
void attention_item(const AttentionPlan& plan, int64_t item, float* scratch);
// Once all items are done.
int64_t attention_merges(const AttentionPlan& plan);
void attention_merge(const AttentionPlan& plan, int64_t item, float* scratch);

} // namespace lensor::LENSOR_ISA

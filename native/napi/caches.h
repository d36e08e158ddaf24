// What passes through a model ask of a cache, checked.
#pragma once
#include "../llm/cache.h"
#include "../llm/model.h"

namespace lensor {

// @throws Invalid where the cache has the shape of another model
void check_shape(const Model& model, const Cache& cache);
// On the executor: @throws where the cache does not hold that many tokens.
void check_length(const Cache& cache, int64_t length);

} // namespace lensor

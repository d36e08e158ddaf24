// Places on the tape as JavaScript holds them.
#pragma once
#include "../core/tape.h"
#include "env.h"

namespace lensor {

napi_value place(napi_env env, const std::shared_ptr<Node>& node, int32_t slot);
// For each tensor a place, or nothing; `list` is nothing where nobody asks for a gradient.
void read_places(napi_env env, napi_value list, std::vector<Tensor>& tensors);

} // namespace lensor

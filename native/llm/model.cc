#include "model.h"
#include "../core/mapped.h"
#include "../quant/panel.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <unordered_map>

namespace lensor {

namespace {

void pack(lensor_context* context, const lensor_ops* ops, const lensor_weight& weight,
          const std::vector<const void*>& rows) {
  struct Pack {
    const lensor_ops* ops;
    const lensor_weight* weight;
    const void* const* rows;
  } pack{ops, &weight, rows.data()};
  const lensor_body body = [](void* arg, int64_t begin, int64_t end, int32_t) {
    const Pack* p = static_cast<const Pack*>(arg);
    p->ops->weight_pack(p->weight, p->rows, begin, end);
  };
  context->parallel(context, (weight.rows + LENSOR_PANEL - 1) / LENSOR_PANEL, 16, body, &pack);
}

class Loader {
public:
  Loader(lensor_context* context, const lensor_ops* ops, const std::vector<SourceFile>& files, Turned turned,
         const std::vector<TensorSpec>& tensors)
      : context_(context), ops_(ops), turned_(turned) {
    for (const auto& file : files) files_.emplace_back(file.path, file.size);
    for (const auto& tensor : tensors) tensors_[tensor.name] = &tensor;
  }

  bool has(const std::string& name) const { return tensors_.count(name) > 0; }

  std::vector<float> vector(const std::string& name, int64_t length) {
    const TensorSpec& tensor = find(name, 1, length);
    const Block memory(ops_->weight_bytes(tensor.dtype, 1, length));
    const lensor_weight weight{tensor.dtype, 1, length, memory.data()};
    fill(weight, tensor, 0);
    std::vector<float> values(length);
    ops_->weight_row(&weight, 0, values.data());
    return values;
  }

  // Plans a matrix, for `read`. `head_width` is given for queries and keys, whose rows RoPE turns.
  void matrix(Weight& to, const std::string& name, int64_t rows, int64_t cols, int64_t head_width = 0) {
    const TensorSpec& tensor = find(name, rows, cols);
    to.view = {tensor.dtype, rows, cols, nullptr};
    to.bytes = ops_->weight_bytes(tensor.dtype, rows, cols);
    plans_.push_back({&to, &tensor, turned_ == Turned::pairs ? head_width : 0});
    size_ += rounded(to.bytes);
  }

  // One block of memory for all that was planned: what is read together stands together, in large pages.
  void read() {
    const auto memory = std::make_shared<Block>(size_, Owner{memory_owner().cell, Kind::weights});
    char* at = memory->as<char>();
    for (const Plan& plan : plans_) {
      plan.to->view.data = at;
      plan.to->memory = memory;
      at += rounded(plan.to->bytes);
      fill(plan.to->view, *plan.tensor, plan.head_width);
    }
  }

private:
  struct Plan {
    Weight* to;
    const TensorSpec* tensor;
    int64_t head_width;
  };

  static size_t rounded(size_t bytes) { return (bytes + 63) / 64 * 64; }

  const TensorSpec& find(const std::string& name, int64_t rows, int64_t cols) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) throw std::runtime_error("tensor " + name + " is missing");
    const TensorSpec& tensor = *found->second;
    if (tensor.rows != rows || tensor.cols != cols || !is_weight(tensor.dtype) ||
        cols % block_cols(tensor.dtype) != 0)
      throw std::runtime_error("tensor " + name + " has a shape or type that does not fit");
    if (static_cast<size_t>(row_bytes(tensor.dtype, cols)) * rows != tensor.bytes)
      throw std::runtime_error("tensor " + name + " has the wrong size");
    if (tensor.file >= files_.size()) throw std::runtime_error("tensor " + name + " lies in no file");
    files_[tensor.file].at(tensor.offset, tensor.bytes); // it lies within the file, or this throws
    return tensor;
  }

  void fill(const lensor_weight& weight, const TensorSpec& tensor, int64_t head_width) const {
    if (context_->interrupted(context_)) throw std::runtime_error("interrupted");
    const MappedFile& file = files_[tensor.file];
    const char* data = static_cast<const char*>(file.at(tensor.offset, tensor.bytes));
    std::vector<const void*> sources(weight.rows);
    for (int64_t row = 0; row < weight.rows; row++) {
      int64_t from = row;
      if (head_width) {
        const int64_t head = row / head_width, at = row % head_width, half = head_width / 2;
        from = head * head_width + 2 * (at % half) + at / half;
      }
      sources[row] = data + from * row_bytes(tensor.dtype, weight.cols);
    }
    pack(context_, ops_, weight, sources);
    // The copy replaces the file's pages instead of standing beside them.
    file.forget(tensor.offset, tensor.bytes);
  }

  lensor_context* context_;
  const lensor_ops* ops_;
  std::deque<MappedFile> files_;
  const Turned turned_;
  std::unordered_map<std::string, const TensorSpec*> tensors_;
  std::vector<Plan> plans_;
  size_t size_ = 0;
};

} // namespace

// "blk.3.attn_q.weight" as 3 and "attn_q"; a layer past the last where it is no such name.
static std::pair<size_t, std::string> parts_of(const std::string& name, size_t layers) {
  const size_t dot = name.find('.', 4), last = name.rfind('.');
  if (name.compare(0, 4, "blk.") != 0 || dot == std::string::npos || last <= dot ||
      name.compare(last, std::string::npos, ".weight") != 0 || dot == 4)
    return {layers, ""};
  size_t index = 0;
  for (size_t i = 4; i < dot; i++) {
    if (name[i] < '0' || name[i] > '9' || index >= layers) return {layers, ""};
    index = index * 10 + static_cast<size_t>(name[i] - '0');
  }
  return {index, name.substr(dot + 1, last - dot - 1)};
}

Weight* Model::find(const std::string& name) {
  if (name == "token_embd.weight") return &embedding;
  if (name == "output.weight") return own_head ? &head : nullptr;
  static constexpr Weight Layer::* kParts[] = {&Layer::query, &Layer::key, &Layer::value, &Layer::output,
                                               &Layer::gate,  &Layer::up,  &Layer::down};
  if (spec.experts.count) {
    static const std::unordered_map<std::string, Weight Layer::*> more{
        {"ffn_gate_inp", &Layer::router},
        {"ffn_gate_exps", &Layer::gate},
        {"ffn_up_exps", &Layer::up},
        {"ffn_down_exps", &Layer::down},
        {"ffn_gate_shexp", &Layer::shared_gate},
        {"ffn_up_shexp", &Layer::shared_up},
        {"ffn_down_shexp", &Layer::shared_down}};
    const auto [layer, part] = parts_of(name, layers.size());
    const auto found = more.find(part);
    if (layer < layers.size() && found != more.end()) {
      Weight& weight = layers[layer].*(found->second);
      return weight.view.rows ? &weight : nullptr;
    }
  }
  const auto place = place_of(name);
  return place ? &(layers[place->layer].*kParts[place->part]) : nullptr;
}

std::optional<Adapters::Place> Model::place_of(const std::string& name) const {
  static const std::unordered_map<std::string, lensor_adapted> parts{
      {"attn_q", LENSOR_QUERY},       {"attn_k", LENSOR_KEY},    {"attn_v", LENSOR_VALUE},
      {"attn_output", LENSOR_OUTPUT}, {"ffn_gate", LENSOR_GATE}, {"ffn_up", LENSOR_UP},
      {"ffn_down", LENSOR_DOWN}};
  const auto [layer, part] = parts_of(name, layers.size());
  const auto found = parts.find(part);
  if (layer >= layers.size() || found == parts.end()) return std::nullopt;
  if (spec.experts.count && found->second >= LENSOR_GATE) return std::nullopt;
  return Adapters::Place{layer, found->second};
}

std::shared_ptr<Model> Model::sibling() const {
  auto made = std::make_shared<Model>();
  const auto shape = [](const Weight& weight) {
    Weight empty;
    empty.view.rows = weight.view.rows, empty.view.cols = weight.view.cols, empty.repeats = weight.repeats;
    return empty;
  };
  made->spec = spec, made->own_head = own_head, made->bytes = bytes.load();
  made->embedding = shape(embedding), made->head = shape(head);
  made->final_norm.resize(final_norm.size());
  for (const Layer& layer : layers)
    made->layers.push_back(
        {std::vector<float>(layer.attention_norm.size()), std::vector<float>(layer.feed_forward_norm.size()),
         shape(layer.query), shape(layer.key), shape(layer.value), shape(layer.output), shape(layer.gate),
         shape(layer.up), shape(layer.down), shape(layer.router), shape(layer.shared_gate),
         shape(layer.shared_up), shape(layer.shared_down), std::vector<float>(layer.router_bias.size())});
  return made;
}

bool Model::shares(const Model& other) const {
  const auto same = [](const Weight& a, const Weight& b) { return a.view.data == b.view.data; };
  if (layers.size() != other.layers.size() || !same(embedding, other.embedding) || !same(head, other.head) ||
      final_norm != other.final_norm)
    return false;
  for (size_t i = 0; i < layers.size(); i++) {
    const Layer &a = layers[i], &b = other.layers[i];
    if (!same(a.query, b.query) || !same(a.key, b.key) || !same(a.value, b.value) ||
        !same(a.output, b.output) || !same(a.gate, b.gate) || !same(a.up, b.up) || !same(a.down, b.down) ||
        !same(a.router, b.router) || !same(a.shared_gate, b.shared_gate) || !same(a.shared_up, b.shared_up) ||
        !same(a.shared_down, b.shared_down) || a.router_bias != b.router_bias ||
        a.attention_norm != b.attention_norm || a.feed_forward_norm != b.feed_forward_norm)
      return false;
  }
  return true;
}

std::vector<float>* Model::find_vector(const std::string& name) {
  if (name == "output_norm.weight") return &final_norm;
  const auto [layer, part] = parts_of(name, layers.size());
  if (layer >= layers.size()) return nullptr;
  if (part == "attn_norm") return &layers[layer].attention_norm;
  if (part == "exp_probs_b") return layers[layer].router_bias.empty() ? nullptr : &layers[layer].router_bias;
  return part == "ffn_norm" ? &layers[layer].feed_forward_norm : nullptr;
}

void Model::count_bytes() {
  size_t sum = embedding.bytes + head.bytes + final_norm.size() * sizeof(float) + adapters.bytes();
  for (const Layer& layer : layers) {
    for (const Weight* weight :
         {&layer.query, &layer.key, &layer.value, &layer.output, &layer.gate, &layer.up, &layer.down,
          &layer.router, &layer.shared_gate, &layer.shared_up, &layer.shared_down})
      sum += weight->bytes;
    sum += (layer.attention_norm.size() + layer.feed_forward_norm.size() + layer.router_bias.size()) *
           sizeof(float);
  }
  bytes = sum;
}

int64_t Model::most_rank() const {
  int64_t most = 0;
  for (const Layer& layer : layers)
    for (const Weight* weight :
         {&layer.query, &layer.key, &layer.value, &layer.output, &layer.gate, &layer.up, &layer.down})
      most = std::max(most, weight->rank());
  return most;
}

void Weight::unpack(lensor_context* context, const lensor_ops* ops, float* to) const {
  struct Rows {
    const lensor_ops* ops;
    const lensor_weight* weight;
    float* to;
  } all{ops, &view, to};
  const lensor_body body = [](void* arg, int64_t begin, int64_t end, int32_t) {
    const Rows* all = static_cast<const Rows*>(arg);
    for (int64_t row = begin; row < end; row++)
      all->ops->weight_row(all->weight, row % all->weight->rows, all->to + row * all->weight->cols);
  };
  context->parallel(context, rows(), 64, body, &all);
}

void Weight::replace(lensor_context* context, const lensor_ops* ops, int32_t dtype, const void* rows) {
  const int64_t count = this->rows();
  const size_t size = ops->weight_bytes(dtype, count, view.cols);
  auto made = std::make_shared<Block>(size, Owner{memory_owner().cell, Kind::weights});
  const lensor_weight packed{dtype, count, view.cols, made->data()};
  std::vector<const void*> sources(count);
  const int64_t stride = row_bytes(dtype, view.cols);
  for (int64_t row = 0; row < count; row++) sources[row] = static_cast<const char*>(rows) + row * stride;
  pack(context, ops, packed, sources);
  memory = std::move(made);
  bytes = size;
  view = packed;
  repeats = 1;
}

void ModelSpec::check() const {
  if (experts.count && (width % LENSOR_PANEL || feed_forward % LENSOR_PANEL))
    throw std::runtime_error("experts of such a width do not stand in whole panels");
}

void Weight::replace_factors(lensor_context* context, const lensor_ops* ops, int32_t dtype, int64_t rank,
                             const void* down, const void* up) {
  const auto rounded = [](size_t bytes) { return (bytes + 63) / 64 * 64; };
  const size_t head = rounded(sizeof(lensor_factors)),
               first = rounded(ops->weight_bytes(dtype, rank, view.cols)),
               second = ops->weight_bytes(dtype, view.rows, rank);
  auto made = std::make_shared<Block>(head + first + second, Owner{memory_owner().cell, Kind::weights});
  char* at = made->as<char>();
  auto* factors = new (at)
      lensor_factors{{dtype, rank, view.cols, at + head}, {dtype, view.rows, rank, at + head + first}};
  for (const auto& [part, rows] : {std::pair{&factors->down, down}, std::pair{&factors->up, up}}) {
    std::vector<const void*> sources(part->rows);
    for (int64_t row = 0; row < part->rows; row++)
      sources[row] = static_cast<const char*>(rows) + row * row_bytes(dtype, part->cols);
    pack(context, ops, *part, sources);
  }
  memory = std::move(made);
  bytes = head + first + second;
  view = {LENSOR_FACTORS, view.rows, view.cols, factors};
}

int64_t Weight::rank() const {
  return view.dtype == LENSOR_FACTORS ? static_cast<const lensor_factors*>(view.data)->down.rows : 0;
}

std::shared_ptr<Model> load_model(lensor_context* context, const lensor_ops* ops,
                                  const std::vector<SourceFile>& files, Turned turned, const ModelSpec& spec,
                                  const std::vector<TensorSpec>& tensors) {
  spec.check();
  Loader load(context, ops, files, turned, tensors);
  auto model = std::make_shared<Model>();
  model->spec = spec;
  const int64_t width = spec.width, d = spec.head_width, q = spec.heads * d, kv = spec.kv_heads * d,
                ff = spec.feed_forward;
  load.matrix(model->embedding, "token_embd.weight", spec.vocabulary, width);
  model->own_head = load.has("output.weight");
  if (model->own_head) load.matrix(model->head, "output.weight", spec.vocabulary, width);
  model->final_norm = load.vector("output_norm.weight", width);
  model->layers.resize(spec.layers);
  for (int32_t i = 0; i < spec.layers; i++) {
    const std::string block = "blk." + std::to_string(i) + ".";
    Layer& layer = model->layers[i];
    layer.attention_norm = load.vector(block + "attn_norm.weight", width);
    layer.feed_forward_norm = load.vector(block + "ffn_norm.weight", width);
    load.matrix(layer.query, block + "attn_q.weight", q, width, d);
    load.matrix(layer.key, block + "attn_k.weight", kv, width, d);
    load.matrix(layer.value, block + "attn_v.weight", kv, width);
    load.matrix(layer.output, block + "attn_output.weight", width, q);
    if (const ExpertsSpec& e = spec.experts; e.count) {
      load.matrix(layer.router, block + "ffn_gate_inp.weight", e.count, width);
      load.matrix(layer.gate, block + "ffn_gate_exps.weight", e.count * ff, width);
      load.matrix(layer.up, block + "ffn_up_exps.weight", e.count * ff, width);
      load.matrix(layer.down, block + "ffn_down_exps.weight", e.count * width, ff);
      if (e.sigmoid) layer.router_bias = load.vector(block + "exp_probs_b.weight", e.count);
      if (!e.shared) continue;
      load.matrix(layer.shared_gate, block + "ffn_gate_shexp.weight", e.shared * ff, width);
      load.matrix(layer.shared_up, block + "ffn_up_shexp.weight", e.shared * ff, width);
      load.matrix(layer.shared_down, block + "ffn_down_shexp.weight", width, e.shared * ff);
      continue;
    }
    load.matrix(layer.gate, block + "ffn_gate.weight", ff, width);
    load.matrix(layer.up, block + "ffn_up.weight", ff, width);
    load.matrix(layer.down, block + "ffn_down.weight", width, ff);
  }
  load.read();
  model->count_bytes();
  return model;
}

std::shared_ptr<Model> new_model(lensor_context* context, const lensor_ops* ops, const ModelSpec& spec,
                                 int32_t dtype, bool tied) {
  spec.check();
  const auto model = std::make_shared<Model>();
  model->spec = spec;
  const auto make = [&](Weight& weight, int64_t rows, int64_t cols) {
    if (context->interrupted(context)) throw std::runtime_error("interrupted");
    weight.bytes = ops->weight_bytes(dtype, rows, cols);
    weight.memory = std::make_shared<Block>(weight.bytes, Owner{memory_owner().cell, Kind::weights});
    weight.view = {dtype, rows, cols, weight.memory->data()};
    std::memset(weight.memory->data(), 0, weight.bytes);
  };
  const int64_t width = spec.width, d = spec.head_width, q = spec.heads * d, kv = spec.kv_heads * d,
                ff = spec.feed_forward;
  make(model->embedding, spec.vocabulary, width);
  model->own_head = !tied;
  if (!tied) make(model->head, spec.vocabulary, width);
  model->final_norm.resize(width);
  model->layers.resize(spec.layers);
  for (Layer& layer : model->layers) {
    layer.attention_norm.resize(width);
    layer.feed_forward_norm.resize(width);
    make(layer.query, q, width);
    make(layer.key, kv, width);
    make(layer.value, kv, width);
    make(layer.output, width, q);
    if (const ExpertsSpec& e = spec.experts; e.count) {
      make(layer.router, e.count, width);
      make(layer.gate, e.count * ff, width);
      make(layer.up, e.count * ff, width);
      make(layer.down, e.count * width, ff);
      if (e.sigmoid) layer.router_bias.resize(e.count);
      if (!e.shared) continue;
      make(layer.shared_gate, e.shared * ff, width);
      make(layer.shared_up, e.shared * ff, width);
      make(layer.shared_down, width, e.shared * ff);
      continue;
    }
    make(layer.gate, ff, width);
    make(layer.up, ff, width);
    make(layer.down, width, ff);
  }
  model->count_bytes();
  return model;
}

std::shared_ptr<Model> upcycled_model(lensor_context* context, const lensor_ops* ops, const Model& from,
                                      const ExpertsSpec& experts) {
  auto to = std::make_shared<Model>();
  copy_model(from, *to);
  to->spec.experts = experts;
  to->spec.check();
  const int64_t width = to->spec.width;
  for (Layer& layer : to->layers) {
    for (Weight* weight : {&layer.gate, &layer.up, &layer.down}) weight->repeats = experts.count;
    Weight& router = layer.router;
    router.bytes = ops->weight_bytes(LENSOR_F32, experts.count, width);
    router.memory = std::make_shared<Block>(router.bytes, Owner{memory_owner().cell, Kind::weights});
    router.view = {LENSOR_F32, experts.count, width, router.memory->data()};
    std::memset(router.memory->data(), 0, router.bytes);
    if (experts.sigmoid) layer.router_bias.assign(experts.count, 0.0f);
  }
  to->count_bytes();
  return to;
}

void copy_model(const Model& from, Model& to) {
  to.spec = from.spec;
  to.own_head = from.own_head;
  to.embedding = from.embedding;
  to.head = from.head;
  to.final_norm = from.final_norm;
  to.layers = from.layers;
  to.count_bytes();
}

} // namespace lensor

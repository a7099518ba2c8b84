#include "backend/cuda/device/cudnn_convolution.h"

#include <algorithm>
#include <array>

namespace ravine::cuda::cudnn {

Owned::Owned(DescriptorKind kind) { good_ = library().functions.create_descriptor(kind, &descriptor_) == 0; }
Owned::~Owned() {
  if (descriptor_ != nullptr) library().functions.destroy_descriptor(descriptor_);
}
Owned& Owned::operator=(Owned&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(good_, other.good_);
  return *this;
}
Owned& Owned::set(Attribute attribute, Type type, std::int64_t count, const void* values) {
  good_ = good_ && library().functions.set(descriptor_, attribute, type, count, values) == 0;
  return *this;
}
Owned& Owned::refer(Attribute attribute, const Owned& other) {
  good_ = good_ && other.good();
  return set_one(attribute, type_descriptor, other.get());
}
Owned& Owned::finalize() {
  good_ = good_ && library().functions.finalize(descriptor_) == 0;
  return *this;
}

namespace {

using Numbers = std::vector<std::int64_t>;
enum TensorName : std::int64_t { input_id = 1, weight_id, output_id, bias_id, product_id, sum_id };

// Extents in cuDNN's order (images, channels, height, width); channels are neighbours in memory.
Owned make_tensor(TensorName id, DataType type, const Numbers& extents, bool is_virtual = false) {
  const Numbers strides{extents[1] * extents[2] * extents[3], 1, extents[1] * extents[3], extents[1]};
  Owned made(tensor);
  made.set_one(tensor_type, type_data_type, type)
      .set(tensor_extents, type_int64, extents)
      .set(tensor_strides, type_int64, strides)
      .set_one(tensor_id, type_int64, std::int64_t{id})
      .set_one(tensor_alignment, type_int64, std::int64_t{16})
      .set_one(tensor_is_virtual, type_boolean, is_virtual)
      .finalize();
  return made;
}

// Beyond the last row or column, by how far the last window reaches.
std::int64_t padding_behind(std::int64_t in, std::int64_t out, std::int64_t window,
                            const ConvolutionExtents& e, std::int64_t before) {
  const std::int64_t reach = (out - 1) * e.stride + (window - 1) * e.dilation + 1 - before;
  return std::max<std::int64_t>(0, reach - in);
}

Owned make_convolution(const ConvolutionExtents& e) {
  const Numbers behind{padding_behind(e.height, e.out_height, e.window_height, e, e.top),
                       padding_behind(e.width, e.out_width, e.window_width, e, e.left)};
  Owned made(convolution);
  made.set_one(convolution_precision, type_data_type, float32)
      .set_one(convolution_mode, type_convolution_mode, cross_correlation)
      .set_one(convolution_dimensions, type_int64, std::int64_t{2})
      .set(convolution_dilations, type_int64, Numbers{e.dilation, e.dilation})
      .set(convolution_strides, type_int64, Numbers{e.stride, e.stride})
      .set(convolution_pre_paddings, type_int64, Numbers{e.top, e.left})
      .set(convolution_post_paddings, type_int64, behind)
      .finalize();
  return made;
}

struct OperationAttributes {
  DescriptorKind kind;
  Attribute alpha, beta, convolution, input, weight, output;
};
OperationAttributes attributes_of(ConvolutionKind kind) {
  switch (kind) {
    case ConvolutionKind::forward:
      return {operation_forward, forward_alpha,  forward_beta,  forward_convolution,
              forward_input,     forward_weight, forward_output};
    case ConvolutionKind::input_gradient:
      return {operation_input_gradient,   input_gradient_alpha, input_gradient_beta,
              input_gradient_convolution, input_gradient_input, input_gradient_weight,
              input_gradient_output};
    case ConvolutionKind::weight_gradient:
      break;
  }
  return {operation_weight_gradient,   weight_gradient_alpha, weight_gradient_beta,
          weight_gradient_convolution, weight_gradient_input, weight_gradient_weight,
          weight_gradient_output};
}

Owned make_pointwise(PointwiseMode mode, const Owned& input, const Owned* other, const Owned& output) {
  Owned rule(pointwise);
  rule.set_one(pointwise_mode, type_pointwise_mode, mode)
      .set_one(pointwise_precision, type_data_type, float32)
      .finalize();
  Owned made(operation_pointwise);
  made.refer(operation_pointwise_rule, rule).refer(operation_pointwise_input, input);
  if (other != nullptr) made.refer(operation_pointwise_other, *other);
  made.refer(operation_pointwise_output, output).finalize();
  return made;
}

// The convolution, and behind it bias and relu; what is between them has no memory.
Owned make_graph(const PlanTask& task, const Target& target) {
  const ConvolutionExtents& e = task.extents;
  const Numbers out{e.images, e.filters, e.out_height, e.out_width};
  const Owned input = make_tensor(input_id, task.input, {e.images, e.channels, e.height, e.width});
  const Owned weight =
      make_tensor(weight_id, task.weight, {e.filters, e.group_channels, e.window_height, e.window_width});
  const Owned output = make_tensor(output_id, task.output, out);
  Owned product, bias, sum;
  const Owned* result = &output;
  if (task.has_bias || task.has_relu) {
    product = make_tensor(product_id, float32, out, true);
    result = &product;
  }
  std::vector<Owned> operations;
  const OperationAttributes attributes = attributes_of(task.kind);
  const Owned rule = make_convolution(e);
  Owned& made = operations.emplace_back(attributes.kind);
  made.refer(attributes.convolution, rule)
      .refer(attributes.input, input)
      .refer(attributes.weight, weight)
      .refer(attributes.output, *result)
      .set_one(attributes.alpha, type_float, 1.0f)
      .set_one(attributes.beta, type_float, 0.0f)
      .finalize();
  if (task.has_bias) {
    bias = make_tensor(bias_id, float32, {1, e.filters, 1, 1});
    if (task.has_relu) sum = make_tensor(sum_id, float32, out, true);
    operations.push_back(make_pointwise(add, product, &bias, task.has_relu ? sum : output));
  }
  if (task.has_relu) {
    operations.push_back(make_pointwise(relu, task.has_bias ? sum : product, nullptr, output));
  }
  std::vector<Descriptor> descriptors;
  bool good = true;
  for (const Owned& operation : operations) {
    good = good && operation.good();
    descriptors.push_back(operation.get());
  }
  if (!good) return {};
  Owned graph(operation_graph);
  graph.set(graph_operations, type_descriptor, descriptors);
  if (target.handle != nullptr) graph.set_one(graph_handle, type_handle, target.handle);
  graph.finalize();
  return graph;
}

std::vector<Owned> configurations(const Owned& graph, HeuristicsMode mode, const Target& target) {
  Owned heuristics(engine_heuristics);
  heuristics.refer(heuristics_graph, graph).set_one(heuristics_mode, type_heuristics_mode, mode);
  if (target.handle == nullptr) heuristics.refer(heuristics_device, *target.properties);
  heuristics.finalize();
  if (!heuristics.good()) return {};
  constexpr std::size_t most = 64;
  std::vector<Owned> found;
  std::vector<Descriptor> descriptors;
  for (std::size_t i = 0; i < most; ++i) {
    descriptors.push_back(found.emplace_back(engine_configuration).get());
  }
  std::int64_t count = 0;
  const Status status = library().functions.get(heuristics.get(), heuristics_results, type_descriptor, most,
                                                &count, descriptors.data());
  found.resize(status == 0 ? std::min(static_cast<std::size_t>(count), most) : 0);
  return found;
}

struct EngineFacts {
  std::int64_t index = -1;
  std::array<bool, notes> has = {};
};
std::optional<EngineFacts> facts_of(const Owned& configuration) {
  const Functions& f = library().functions;
  Owned own(engine);
  Descriptor descriptor = own.get();
  std::int64_t count = 0;
  EngineFacts facts;
  std::array<NumericalNote, 2 * notes> found = {};
  if (f.get(configuration.get(), configuration_engine, type_descriptor, 1, &count, &descriptor) != 0 ||
      f.get(descriptor, engine_index, type_int64, 1, &count, &facts.index) != 0 ||
      f.get(descriptor, engine_numerical_notes, type_numerical_note, found.size(), &count, found.data()) !=
          0) {
    return {};
  }
  for (std::int64_t i = 0; i < count && i < static_cast<std::int64_t>(found.size()); ++i) {
    const auto note = static_cast<std::size_t>(found[static_cast<std::size_t>(i)]);
    if (note < facts.has.size()) facts.has[note] = true;
  }
  return facts;
}

bool is_wanted(const EngineFacts& facts, const PlanTask& task) {
  if (facts.has[nondeterministic] || facts.has[reduces_precision] || facts.has[fourier]) return false;
  if (facts.has[winograd] && !task.allows_winograd) return false;
  const bool is_float32 = task.input == float32 && task.weight == float32 && task.output == float32;
  // cuDNN's most general engine: our own kernels, which cut such products into tiles, are taken instead.
  if (is_float32 && facts.index == 0 && task.extents.groups == 1) return false;
  // Products of float32 in tensor cores are TF32's.
  return !is_float32 || task.allows_tf32 || !(facts.has[tensor_core] || facts.has[down_converts_inputs]);
}

}  // namespace

std::optional<Plan> Plan::choose(const PlanTask& task, const Target& target) {
  const Owned graph = make_graph(task, target);
  if (!graph.good()) return {};
  for (const HeuristicsMode mode : {mode_a, fallback}) {
    for (const Owned& configuration : configurations(graph, mode, target)) {
      const std::optional<EngineFacts> facts = facts_of(configuration);
      if (!facts || !is_wanted(*facts, task)) continue;
      Plan chosen;
      chosen.plan_ = Owned(execution_plan);
      if (target.handle != nullptr) {
        chosen.plan_.set_one(plan_handle, type_handle, target.handle);
      } else {
        chosen.plan_.refer(plan_device, *target.properties);
      }
      chosen.plan_.refer(plan_configuration, configuration).finalize();
      std::int64_t count = 0;
      if (!chosen.plan_.good() ||
          library().functions.get(chosen.plan_.get(), plan_workspace, type_int64, 1, &count,
                                  &chosen.workspace_) != 0 ||
          chosen.workspace_ > task.most_workspace) {
        continue;
      }
      chosen.engine_ = facts->index;
      return chosen;
    }
  }
  return {};
}

bool Plan::point(const void* input, const void* weight, const void* output, const void* bias,
                 void* workspace) {
  std::vector<const void*> pointers{input, weight, output, bias};
  if (pointers == pointers_) return pack_.good();
  const std::int64_t count = bias != nullptr ? 4 : 3;
  const Numbers ids{input_id, weight_id, output_id, bias_id};
  pack_ = Owned(variant_pack);
  pack_.set(pack_ids, type_int64, count, ids.data())
      .set(pack_pointers, type_pointer, count, pointers.data())
      .set_one(pack_workspace, type_pointer, workspace)
      .finalize();
  pointers_ = std::move(pointers);
  return pack_.good();
}

bool Plan::run(Handle handle) const {
  return library().functions.execute(handle, plan_.get(), pack_.get()) == 0;
}

}  // namespace ravine::cuda::cudnn

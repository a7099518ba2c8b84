#include "backend/program.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace ravine {
namespace {

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

// Where an operation names tensors; some may be absent.
using Places = std::vector<TensorId*>;

// What is merged into an operation, as its name shows it.
template <typename Given>
std::string with_activation(const Given& o) {
  return o.activation ? " + " + o.activation->name : std::string();
}
template <typename Given>
std::string with_bias(const Given& o) {
  return (o.bias != no_tensor ? " + bias" : "") + with_activation(o);
}
template <typename Given>
std::string with_sum(const Given& o) {
  return o.add != no_tensor ? " + add" : "";
}
template <typename Given>
std::string with_derivative(const Given& o) {
  return o.activation_gradient ? " * " + o.activation_gradient->name + " derivative" : std::string();
}

std::string name_of(PoolingKind kind) {
  return kind == PoolingKind::maximum ? "maximum pooling" : "average pooling";
}

// Multiplications and additions of a convolution: every value of the output is a sum over one filter.
double flops_of_convolution(const Tensor& output, const Tensor& weight) {
  return 2.0 * static_cast<double>(output.shape.elements()) *
         static_cast<double>(weight.shape.elements() / weight.shape[0]);
}

}  // namespace

TensorId Program::add_tensor(Tensor tensor) {
  tensors.push_back(std::move(tensor));
  return static_cast<TensorId>(tensors.size()) - 1;
}

TensorId Program::add_activation(const Shape& sample_shape, std::string name) {
  return add_tensor({sample_shape.with_batch(batch_), dtype_, TensorRole::activation, std::move(name)});
}

TensorId Program::add_alias(TensorId id, const Shape& sample_shape) {
  Tensor alias = tensor(id);
  alias.shape = sample_shape.with_batch(batch_);
  alias.alias = root(id);
  return add_tensor(std::move(alias));
}

TensorId Program::root(TensorId id) const {
  const TensorId alias = tensor(id).alias;
  return alias == no_tensor ? id : alias;
}

namespace {

// Where an operation says what it reads.
Places reading_places(Operation& operation) {
  return std::visit(
      Overloaded{
          [](Product& o) {
            return Places{&o.left, &o.right, &o.bias, &o.activation_input, &o.activation_output};
          },
          [](Convolution& o) { return Places{&o.input, &o.weight, &o.bias}; },
          [](ConvolutionInputGradient& o) {
            Places places{&o.output_gradient, &o.weight, &o.add, &o.activation_input, &o.activation_output};
            if (o.sums) places.insert(places.end(), {&o.sums->input, &o.sums->mean, &o.sums->variance});
            return places;
          },
          [](ConvolutionWeightGradient& o) { return Places{&o.input, &o.output_gradient}; },
          [](Pooling& o) { return Places{&o.input}; },
          [](PoolingGradient& o) {
            return Places{&o.output_gradient, &o.positions, &o.activation_input, &o.activation_output};
          },
          [](Activation& o) { return Places{&o.input}; },
          [](Add& o) { return Places{&o.left, &o.right}; },
          [](CopyColumns& o) { return Places{&o.input}; },
          [](ActivationGradient& o) { return Places{&o.input, &o.output, &o.output_gradient}; },
          [](Dropout& o) { return Places{&o.input}; },
          [](ColumnSum& o) { return Places{&o.input}; },
          [](SoftmaxCrossEntropy& o) {
            return Places{&o.logits, &o.labels, &o.weights, &o.second_labels, &o.shares};
          },
          [](ElementwiseLoss& o) { return Places{&o.prediction, &o.targets, &o.weights}; },
          [](Softmax& o) { return Places{&o.input}; },
          [](SoftmaxGradient& o) { return Places{&o.output, &o.output_gradient}; },
          [](ColumnMoments& o) { return Places{&o.input}; },
          [](ColumnNormalization& o) {
            return Places{&o.input, &o.mean, &o.variance, &o.scale, &o.centre, &o.add};
          },
          [](ColumnNormalizationSums& o) {
            return Places{&o.input, &o.mean, &o.variance, &o.output_gradient};
          },
          [](ColumnNormalizationGradient& o) {
            return Places{&o.input,           &o.mean,           &o.variance,        &o.scale,
                          &o.output_gradient, &o.scale_gradient, &o.centre_gradient, &o.count};
          },
          [](MovingAverage& o) { return Places{&o.value, &o.average, &o.count}; },
          [](MergeMoments& o) { return Places{&o.mean, &o.variance}; },
          [](MergeSums& o) { return Places{&o.scale_gradient, &o.centre_gradient}; },
          [](BlockNormalization& o) { return Places{&o.input, &o.scale, &o.centre}; },
          [](BlockNormalizationGradient& o) {
            return Places{&o.input, &o.scale, &o.mean, &o.inverse_deviation, &o.output_gradient};
          },
          [](Affine& o) { return Places{&o.input}; },
          [](WeightNormalization& o) { return Places{&o.direction, &o.gain}; },
          [](WeightNormalizationGradient& o) { return Places{&o.direction, &o.gain, &o.weight_gradient}; },
          [](GatherColumns& o) { return Places{&o.input}; },
          [](SumRanks& o) { return Places{&o.input}; },
          [](Broadcast& o) { return Places{&o.input}; },
          [](MergeMeasurements&) { return Places{}; },
      },
      operation);
}

Places writing_places(Operation& operation) {
  return std::visit(
      Overloaded{
          [](ActivationGradient& o) { return Places{&o.input_gradient}; },
          [](SoftmaxGradient& o) { return Places{&o.input_gradient}; },
          [](Convolution& o) { return Places{&o.output, &o.mean, &o.variance}; },
          [](ConvolutionInputGradient& o) {
            if (!o.sums) return Places{&o.output};
            return Places{&o.output, &o.sums->scale_gradient, &o.sums->centre_gradient};
          },
          [](ConvolutionWeightGradient& o) { return Places{&o.output, &o.bias_output}; },
          [](Pooling& o) { return Places{&o.output, &o.positions}; },
          [](SoftmaxCrossEntropy& o) { return Places{&o.gradient}; },
          [](ElementwiseLoss& o) { return Places{&o.gradient}; },
          [](ColumnMoments& o) { return Places{&o.mean, &o.variance}; },
          [](ColumnNormalizationSums& o) { return Places{&o.scale_gradient, &o.centre_gradient}; },
          [](ColumnNormalizationGradient& o) { return Places{&o.input_gradient}; },
          [](MovingAverage& o) { return Places{&o.average}; },
          [](MergeMoments& o) { return Places{&o.whole_count, &o.whole_mean, &o.whole_variance}; },
          [](MergeSums& o) { return Places{&o.whole_scale_gradient, &o.whole_centre_gradient}; },
          [](BlockNormalization& o) { return Places{&o.output, &o.mean, &o.inverse_deviation}; },
          [](BlockNormalizationGradient& o) {
            return Places{&o.input_gradient, &o.scale_gradient, &o.centre_gradient};
          },
          [](WeightNormalization& o) { return Places{&o.weight}; },
          [](WeightNormalizationGradient& o) { return Places{&o.direction_gradient, &o.gain_gradient}; },
          [](GatherColumns& o) { return Places{&o.output, &o.arrived}; },
          [](MergeMeasurements&) { return Places{}; },
          [](auto& o) { return Places{&o.output}; },
      },
      operation);
}

// The tensors that are named there.
std::vector<TensorId> named(const Places& places) {
  std::vector<TensorId> present;
  for (const TensorId* id : places) {
    if (*id != no_tensor) present.push_back(*id);
  }
  return present;
}

void exchange(const Places& places, const std::vector<TensorId>& tensors) {
  for (TensorId* id : places) {
    if (*id != no_tensor) *id = tensors[static_cast<std::size_t>(*id)];
  }
}

}  // namespace

std::vector<TensorId> inputs_of(const Operation& operation) {
  return named(reading_places(const_cast<Operation&>(operation)));
}

std::vector<TensorId> outputs_of(const Operation& operation) {
  return named(writing_places(const_cast<Operation&>(operation)));
}

void exchange_inputs(Operation& operation, const std::vector<TensorId>& tensors) {
  exchange(reading_places(operation), tensors);
}

void exchange_outputs(Operation& operation, const std::vector<TensorId>& tensors) {
  exchange(writing_places(operation), tensors);
}

Observation* observation_of(Operation& operation) {
  return std::visit(
      [](auto& o) -> Observation* {
        if constexpr (requires { o.observe; }) {
          return &o.observe;
        } else {
          return nullptr;
        }
      },
      operation);
}

std::vector<Observation*> observations_of(Operation& operation) {
  if (auto* o = std::get_if<ColumnNormalization>(&operation)) {
    return {&o->observe, &o->observe_normalized, &o->observe_sum};
  }
  Observation* observation = observation_of(operation);
  return observation == nullptr ? std::vector<Observation*>{} : std::vector<Observation*>{observation};
}

std::string name_of(const Operation& operation) {
  return std::visit(
      Overloaded{
          [](const Product& o) { return "product" + with_bias(o) + with_derivative(o); },
          [](const Convolution& o) {
            return "convolution" + with_bias(o) + (o.mean != no_tensor ? " + batch moments" : "");
          },
          [](const ConvolutionInputGradient& o) {
            return "convolution input gradient" + with_sum(o) + with_derivative(o) +
                   (o.sums ? " + batch normalization gradient sums" : "");
          },
          [](const ConvolutionWeightGradient&) { return std::string("convolution weight gradient"); },
          [](const Pooling& o) { return name_of(o.kind); },
          [](const PoolingGradient& o) { return name_of(o.kind) + " gradient" + with_derivative(o); },
          [](const Activation& o) { return o.rule.name; },
          [](const Add&) { return std::string("add"); },
          [](const CopyColumns&) { return std::string("copy columns"); },
          [](const ActivationGradient& o) { return o.rule.name + " derivative"; },
          [](const Dropout& o) { return std::string(o.backward ? "dropout gradient" : "dropout"); },
          [](const ColumnSum&) { return std::string("column sum"); },
          [](const SoftmaxCrossEntropy&) { return std::string("softmax cross entropy"); },
          [](const ElementwiseLoss& o) { return o.rule.name; },
          [](const Softmax&) { return std::string("softmax"); },
          [](const SoftmaxGradient&) { return std::string("softmax gradient"); },
          [](const ColumnMoments&) { return std::string("batch moments"); },
          [](const ColumnNormalization& o) {
            return "batch normalization" + with_sum(o) + with_activation(o);
          },
          [](const ColumnNormalizationSums&) { return std::string("batch normalization gradient sums"); },
          [](const ColumnNormalizationGradient&) { return std::string("batch normalization gradient"); },
          [](const MovingAverage&) { return std::string("moving average"); },
          [](const MergeMoments&) { return std::string("batch moments of all parts"); },
          [](const MergeSums&) { return std::string("batch normalization gradient sums of all parts"); },
          [](const BlockNormalization&) { return std::string("normalization"); },
          [](const BlockNormalizationGradient&) { return std::string("normalization gradient"); },
          [](const Affine&) { return std::string("affine"); },
          [](const WeightNormalization&) { return std::string("weight normalization"); },
          [](const WeightNormalizationGradient&) { return std::string("weight normalization gradient"); },
          [](const GatherColumns&) { return std::string("gather columns"); },
          [](const SumRanks&) { return std::string("sum over ranks"); },
          [](const Broadcast& o) {
            return o.input != no_tensor ? std::string("send to all")
                                        : "receive from rank " + std::to_string(o.root);
          },
          [](const MergeMeasurements&) { return std::string("merge measurements"); },
      },
      operation);
}

std::int64_t columns_of(const Tensor& tensor) { return tensor.shape.rank() == 0 ? 1 : tensor.shape.back(); }

std::int64_t rows_of(const Tensor& tensor) { return tensor.shape.elements() / columns_of(tensor); }

ProductExtents extents_of(const Product& product, const Program& program) {
  const Tensor& left = program.tensor(product.left);
  const Tensor& right = program.tensor(product.right);
  const std::int64_t m = product.transpose_left ? columns_of(left) : rows_of(left);
  const std::int64_t k = product.transpose_left ? rows_of(left) : columns_of(left);
  const std::int64_t n = product.transpose_right ? rows_of(right) : columns_of(right);
  return {m, n, k};
}

bool is_by_rows(const Operation& operation, const Program& program) {
  return std::visit(
      Overloaded{[&](const Product& o) {
                   return !o.transpose_left && rows_of(program.tensor(o.left)) == program.batch();
                 },
                 [](const Activation&) { return true; }, [](const ActivationGradient&) { return true; },
                 [](const Add&) { return true; }, [](const CopyColumns&) { return true; },
                 [](const Dropout&) { return true; }, [](const ColumnNormalization&) { return true; },
                 [](const ColumnNormalizationGradient&) { return true; }, [](const Softmax&) { return true; },
                 [](const SoftmaxGradient&) { return true; }, [](const SoftmaxCrossEntropy&) { return true; },
                 [](const ElementwiseLoss&) { return true; }, [](const auto&) { return false; }},
      operation);
}

bool is_collective(const Operation& operation) {
  return std::holds_alternative<GatherColumns>(operation) || std::holds_alternative<SumRanks>(operation) ||
         std::holds_alternative<Broadcast>(operation) || std::holds_alternative<MergeMeasurements>(operation);
}

double bytes_sent(const Operation& operation, const Program& program) {
  if (!is_collective(operation)) return 0;
  if (const auto* merge = std::get_if<MergeMeasurements>(&operation)) return bytes_of(merge->by);
  if (const auto* sum = std::get_if<SumRanks>(&operation)) return bytes_of(program.tensor(sum->output));
  const std::vector<TensorId> inputs = inputs_of(operation);
  return inputs.empty() ? 0 : bytes_of(program.tensor(inputs.front()));
}

std::int64_t rows_of_tile(std::int64_t batch) {
  constexpr std::int64_t least = 16;
  constexpr std::int64_t most_tiles = 32;
  return std::max(least, (batch + most_tiles - 1) / most_tiles);
}

double flops_of(const Operation& operation, const Program& program) {
  if (const auto* product = std::get_if<Product>(&operation)) {
    const auto [m, n, k] = extents_of(*product, program);
    return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  }
  if (const auto* convolution = std::get_if<Convolution>(&operation)) {
    return flops_of_convolution(program.tensor(convolution->output), program.tensor(convolution->weight));
  }
  if (const auto* gradient = std::get_if<ConvolutionInputGradient>(&operation)) {
    return flops_of_convolution(program.tensor(gradient->output_gradient), program.tensor(gradient->weight));
  }
  if (const auto* gradient = std::get_if<ConvolutionWeightGradient>(&operation)) {
    return flops_of_convolution(program.tensor(gradient->output_gradient), program.tensor(gradient->output));
  }
  if (const auto* sum = std::get_if<ColumnSum>(&operation)) {
    return static_cast<double>(program.tensor(sum->input).shape.elements());
  }
  const std::vector<TensorId> ids = inputs_of(operation);
  if (ids.empty() || is_collective(operation)) return 0;
  return static_cast<double>(program.tensor(ids.front()).shape.elements());
}

double bytes_of(const Tensor& tensor) {
  return static_cast<double>(tensor.shape.elements()) * static_cast<double>(size_of(tensor.dtype));
}

double bytes_of(const Operation& operation, const Program& program) {
  double bytes = 0;
  for (const auto& ids : {inputs_of(operation), outputs_of(operation)}) {
    for (TensorId id : ids) bytes += bytes_of(program.tensor(id));
  }
  return bytes;
}

}  // namespace ravine

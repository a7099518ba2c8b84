#include "backend/program.h"

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

std::vector<TensorId> without_absent(std::initializer_list<TensorId> ids) {
  std::vector<TensorId> present;
  for (TensorId id : ids) {
    if (id != no_tensor) present.push_back(id);
  }
  return present;
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

std::vector<TensorId> inputs_of(const Operation& operation) {
  return std::visit(
      Overloaded{
          [](const Product& o) {
            return without_absent({o.left, o.right, o.bias, o.activation_input, o.activation_output});
          },
          [](const Activation& o) { return without_absent({o.input}); },
          [](const ActivationGradient& o) { return without_absent({o.input, o.output, o.output_gradient}); },
          [](const Dropout& o) { return without_absent({o.input}); },
          [](const ColumnSum& o) { return without_absent({o.input}); },
          [](const SoftmaxCrossEntropy& o) { return without_absent({o.logits, o.labels}); },
          [](const ElementwiseLoss& o) { return without_absent({o.prediction, o.targets}); },
          [](const Softmax& o) { return without_absent({o.input}); },
      },
      operation);
}

std::vector<TensorId> outputs_of(const Operation& operation) {
  return std::visit(Overloaded{
                        [](const ActivationGradient& o) { return without_absent({o.input_gradient}); },
                        [](const SoftmaxCrossEntropy& o) { return without_absent({o.gradient}); },
                        [](const ElementwiseLoss& o) { return without_absent({o.gradient}); },
                        [](const auto& o) { return without_absent({o.output}); },
                    },
                    operation);
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

std::string name_of(const Operation& operation) {
  return std::visit(
      Overloaded{
          [](const Product& o) {
            std::string name = "product";
            if (o.bias != no_tensor) name += " + bias";
            if (o.activation) name += " + " + o.activation->name;
            if (o.activation_gradient) name += " * " + o.activation_gradient->name + " derivative";
            return name;
          },
          [](const Activation& o) { return o.rule.name; },
          [](const ActivationGradient& o) { return o.rule.name + " derivative"; },
          [](const Dropout& o) { return std::string(o.backward ? "dropout gradient" : "dropout"); },
          [](const ColumnSum&) { return std::string("column sum"); },
          [](const SoftmaxCrossEntropy&) { return std::string("softmax cross entropy"); },
          [](const ElementwiseLoss& o) { return o.rule.name; },
          [](const Softmax&) { return std::string("softmax"); },
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

double flops_of(const Operation& operation, const Program& program) {
  if (const auto* product = std::get_if<Product>(&operation)) {
    const auto [m, n, k] = extents_of(*product, program);
    return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  }
  if (const auto* sum = std::get_if<ColumnSum>(&operation)) {
    return static_cast<double>(program.tensor(sum->input).shape.elements());
  }
  const std::vector<TensorId> ids = inputs_of(operation);
  return static_cast<double>(program.tensor(ids.front()).shape.elements());
}

double bytes_of(const Operation& operation, const Program& program) {
  double bytes = 0;
  for (const auto& ids : {inputs_of(operation), outputs_of(operation)}) {
    for (TensorId id : ids) {
      const Tensor& tensor = program.tensor(id);
      bytes += static_cast<double>(tensor.shape.elements()) * static_cast<double>(size_of(tensor.dtype));
    }
  }
  return bytes;
}

}  // namespace ravine

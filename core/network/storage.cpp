#include "network/storage.h"

#include <algorithm>
#include <type_traits>

namespace ravine {
namespace {

// What an operation can read or write in bfloat16: each tensor for itself, or all of them alike.
struct Storable {
  std::vector<TensorId> each;
  std::vector<TensorId> alike;
};

Storable storable(const Operation& operation) {
  return std::visit(
      [](const auto& o) -> Storable {
        using Given = std::decay_t<decltype(o)>;
        if constexpr (std::is_same_v<Given, Product>) {
          return {{o.left, o.right, o.output, o.activation_input, o.activation_output}, {}};
        } else if constexpr (std::is_same_v<Given, Convolution>) {
          return {{o.input, o.output}, {}};
        } else if constexpr (std::is_same_v<Given, ConvolutionInputGradient>) {
          const TensorId sums_input = o.sums ? o.sums->input : no_tensor;
          return {{o.output_gradient, o.output, o.add, o.activation_input, o.activation_output, sums_input},
                  {}};
        } else if constexpr (std::is_same_v<Given, ConvolutionWeightGradient>) {
          return {{o.input, o.output_gradient}, {}};
        } else if constexpr (std::is_same_v<Given, Pooling>) {
          return {{o.input, o.output}, {}};
        } else if constexpr (std::is_same_v<Given, PoolingGradient>) {
          return {{o.output_gradient, o.output, o.activation_input, o.activation_output}, {}};
        } else if constexpr (std::is_same_v<Given, Activation> || std::is_same_v<Given, Dropout> ||
                             std::is_same_v<Given, CopyColumns>) {
          return {{}, {o.input, o.output}};
        } else if constexpr (std::is_same_v<Given, ActivationGradient>) {
          return {{}, {o.input, o.output, o.output_gradient, o.input_gradient}};
        } else if constexpr (std::is_same_v<Given, Add>) {
          return {{}, {o.left, o.right, o.output}};
        } else if constexpr (std::is_same_v<Given, ColumnSum> || std::is_same_v<Given, ColumnMoments>) {
          return {{o.input}, {}};
        } else if constexpr (std::is_same_v<Given, ColumnNormalization>) {
          return {{}, {o.input, o.add, o.output}};
        } else if constexpr (std::is_same_v<Given, ColumnNormalizationSums>) {
          return {{}, {o.input, o.output_gradient}};
        } else if constexpr (std::is_same_v<Given, ColumnNormalizationGradient>) {
          return {{}, {o.input, o.output_gradient, o.input_gradient}};
        } else {
          return {};
        }
      },
      operation);
}

class Storage {
 public:
  explicit Storage(LoweredProgram& lowered) : program_(lowered.program), stored_(program_.tensors.size()) {
    for (std::size_t id = 0; id < stored_.size(); ++id) {
      const Tensor& tensor = program_.tensors[id];
      stored_[id] = tensor.role == TensorRole::activation && tensor.dtype == DType::float32;
    }
    for (TensorId id : {lowered.output, lowered.shown, lowered.output_gradient}) exclude(id);
    for (TensorId id : lowered.crossing) exclude(id);
    for (const Step& step : program_.steps) exclude_others(step.operation);
    for (bool changed = true; changed;) {
      changed = false;
      for (const Step& step : program_.steps) changed |= exclude_unlike(step.operation);
    }
  }

  void run() {
    for (std::size_t id = 0; id < stored_.size(); ++id) {
      if (is_stored(static_cast<TensorId>(id))) program_.tensors[id].dtype = DType::bfloat16;
    }
  }

 private:
  bool is_stored(TensorId id) const { return stored_[static_cast<std::size_t>(program_.root(id))]; }
  void exclude(TensorId id) {
    if (id != no_tensor) stored_[static_cast<std::size_t>(program_.root(id))] = false;
  }

  void exclude_others(const Operation& operation) {
    const auto [each, alike] = storable(operation);
    for (const auto& ids : {inputs_of(operation), outputs_of(operation)}) {
      for (TensorId id : ids) {
        if (std::count(each.begin(), each.end(), id) + std::count(alike.begin(), alike.end(), id) == 0) {
          exclude(id);
        }
      }
    }
  }

  // Returns whether anything was.
  bool exclude_unlike(const Operation& operation) {
    std::vector<TensorId> alike = storable(operation).alike;
    std::erase(alike, no_tensor);
    const auto stored = std::count_if(alike.begin(), alike.end(), [&](TensorId id) { return is_stored(id); });
    if (stored == 0 || stored == static_cast<std::ptrdiff_t>(alike.size())) return false;
    for (TensorId id : alike) exclude(id);
    return true;
  }

  Program& program_;
  std::vector<bool> stored_;  // of each root
};

}  // namespace

void store_in_bfloat16(LoweredProgram& lowered) {
  const ComputeOptions& options = lowered.program.options;
  if (options.bfloat16 && options.store_bfloat16) Storage(lowered).run();
}

}  // namespace ravine

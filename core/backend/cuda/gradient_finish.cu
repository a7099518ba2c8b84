#include "backend/cuda/gradient_finish.h"

#include "rules/activations/list.h"

namespace ravine::cuda {
namespace {

template <typename T>
struct Added {
  RAVINE_HOST_DEVICE T operator()(std::int64_t, const T (&x)[2]) const { return x[0] + x[1]; }
};

template <typename T>
struct Copied {
  RAVINE_HOST_DEVICE T operator()(std::int64_t, const T (&x)[1]) const { return x[0]; }
};

// Of gradient, output, and the input where the derivative reads it.
template <typename T, typename Rule>
struct Differentiated {
  Rule rule;
  RAVINE_HOST_DEVICE T operator()(std::int64_t, const T (&x)[2]) const {
    return x[0] * rule.derivative(T(0), x[1]);
  }
  RAVINE_HOST_DEVICE T operator()(std::int64_t, const T (&x)[3]) const {
    return x[0] * rule.derivative(x[2], x[1]);
  }
};

// The same, with what is added behind the gradient.
template <typename T, typename Rule>
struct AddedAndDifferentiated {
  Rule rule;
  RAVINE_HOST_DEVICE T operator()(std::int64_t, const T (&x)[3]) const {
    return (x[0] + x[1]) * rule.derivative(T(0), x[2]);
  }
  RAVINE_HOST_DEVICE T operator()(std::int64_t, const T (&x)[4]) const {
    return (x[0] + x[1]) * rule.derivative(x[3], x[2]);
  }
};

template <typename T>
class PlainFinish final : public GradientFinish<T> {
 public:
  void run(Stream& stream, std::int64_t elements, const GradientFinishTensors<T>& t) const noexcept override {
    if (t.add.exists()) {
      store_all(stream, elements, element_map(Added<T>{}, t.result, t.gradient, t.add));
    } else {
      store_all(stream, elements, element_map(Copied<T>{}, t.result, t.gradient));
    }
  }
};

template <typename T, typename Rule>
class RuleFinish final : public GradientFinish<T> {
 public:
  explicit RuleFinish(const Rule& rule) : rule_(rule) {}
  void run(Stream& stream, std::int64_t elements, const GradientFinishTensors<T>& t) const noexcept override {
    const auto store = [&](const auto& function, const auto&... from) {
      if constexpr (Rule::derivative_reads_input) {
        store_all(stream, elements, element_map(function, t.result, from..., t.activation_input));
      } else {
        store_all(stream, elements, element_map(function, t.result, from...));
      }
    };
    if (t.add.exists()) {
      store(AddedAndDifferentiated<T, Rule>{rule_}, t.gradient, t.add, t.activation_output);
    } else {
      store(Differentiated<T, Rule>{rule_}, t.gradient, t.activation_output);
    }
  }

 private:
  Rule rule_;
};

}  // namespace

template <typename T>
std::unique_ptr<GradientFinish<T>> make_gradient_finish(const std::optional<Component>& rule) {
  if (!rule) return std::make_unique<PlainFinish<T>>();
  std::unique_ptr<GradientFinish<T>> made;
  with_rule<ActivationRules, T>(
      rule->name,
      [&]<typename Rule>(const Rule& chosen) { made = std::make_unique<RuleFinish<T, Rule>>(chosen); },
      rule->values);
  return made;
}
template std::unique_ptr<GradientFinish<float>> make_gradient_finish(const std::optional<Component>&);
template std::unique_ptr<GradientFinish<double>> make_gradient_finish(const std::optional<Component>&);

}  // namespace ravine::cuda

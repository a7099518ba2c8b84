// The loops over the activation rules.
#include "backend/cuda/activation.h"

#include "rules/activations/list.h"

namespace ravine::cuda {
namespace {

template <typename T, typename Rule>
struct Activated {
  Rule rule;
  const T* bias;  // by column; null for none
  std::int64_t columns;
  RAVINE_HOST_DEVICE T operator()(std::int64_t i, const T (&x)[1]) const {
    return rule.forward(bias == nullptr ? x[0] : x[0] + bias[column_of(i, columns)]);
  }
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

template <typename T, typename Rule>
class RuleLoops final : public ActivationLoops<T> {
 public:
  explicit RuleLoops(const Rule& rule) : rule_(rule) {}

  void forward(Cells<T> input, const T* bias, std::int64_t columns, Cells<T> output, const Observer& observer,
               const RunContext& context) const noexcept override {
    observer.store<T>(element_map(Activated<T, Rule>{rule_, bias, columns}, output, input), context);
  }
  void derivative(Stream& stream, std::int64_t elements, Cells<T> input, Cells<T> output,
                  Cells<T> output_gradient, Cells<T> input_gradient) const noexcept override {
    const Differentiated<T, Rule> function{rule_};
    if constexpr (Rule::derivative_reads_input) {
      store_all(stream, elements, element_map(function, input_gradient, output_gradient, output, input));
    } else {
      store_all(stream, elements, element_map(function, input_gradient, output_gradient, output));
    }
  }

 private:
  Rule rule_;
};

template <typename T>
class ActivationOperation final : public CudaOperation {
 public:
  ActivationOperation(const Activation& o, TensorId bias, const Preparation& preparation)
      : CudaOperation(preparation),
        loops_(make_activation_loops<T>(o.rule)),
        input_(o.input),
        output_(o.output),
        bias_(bias),
        columns_(preparation.columns(o.output)),
        observer_(preparation, o.observe, preparation.elements(o.output)) {}
  void run(const RunContext& context) noexcept override {
    loops_->forward(cells<T>(input_), at<const T>(bias_), columns_, cells<T>(output_), observer_, context);
  }

 private:
  std::unique_ptr<ActivationLoops<T>> loops_;
  TensorId input_;
  TensorId output_;
  TensorId bias_;
  std::int64_t columns_;
  Observer observer_;
};

template <typename T>
class ActivationGradientOperation final : public CudaOperation {
 public:
  ActivationGradientOperation(const ActivationGradient& o, const Preparation& preparation)
      : CudaOperation(preparation),
        loops_(make_activation_loops<T>(o.rule)),
        operation_(o),
        elements_(preparation.elements(o.output)) {}
  void run(const RunContext&) noexcept override {
    loops_->derivative(stream_, elements_, cells<T>(operation_.input), cells<T>(operation_.output),
                       cells<T>(operation_.output_gradient), cells<T>(operation_.input_gradient));
  }

 private:
  std::unique_ptr<ActivationLoops<T>> loops_;
  ActivationGradient operation_;
  std::int64_t elements_;
};

}  // namespace

template <typename T>
std::unique_ptr<ActivationLoops<T>> make_activation_loops(const Component& rule) {
  std::unique_ptr<ActivationLoops<T>> loops;
  with_rule<ActivationRules, T>(
      rule.name, [&]<typename Rule>(const Rule& made) { loops = std::make_unique<RuleLoops<T, Rule>>(made); },
      rule.values);
  return loops;
}
template std::unique_ptr<ActivationLoops<float>> make_activation_loops(const Component&);
template std::unique_ptr<ActivationLoops<double>> make_activation_loops(const Component&);

template <typename T>
Prepared prepare_activation(const Activation& o, TensorId bias, const Preparation& preparation) {
  return std::make_unique<ActivationOperation<T>>(o, bias, preparation);
}

template <typename T>
Prepared prepare_activation(const Activation& o, const Preparation& preparation) {
  return prepare_activation<T>(o, no_tensor, preparation);
}

template <typename T>
Prepared prepare_activation_gradient(const ActivationGradient& o, const Preparation& preparation) {
  return std::make_unique<ActivationGradientOperation<T>>(o, preparation);
}

template Prepared prepare_activation<float>(const Activation&, TensorId, const Preparation&);
template Prepared prepare_activation<double>(const Activation&, TensorId, const Preparation&);
template Prepared prepare_activation<float>(const Activation&, const Preparation&);
template Prepared prepare_activation<double>(const Activation&, const Preparation&);
template Prepared prepare_activation_gradient<float>(const ActivationGradient&, const Preparation&);
template Prepared prepare_activation_gradient<double>(const ActivationGradient&, const Preparation&);

}  // namespace ravine::cuda

// The loops over the activation rules.
#include "backend/cuda/measure.h"
#include "rules/activations/list.h"

namespace ravine::cuda {
namespace {

// f(input + bias), the bias by column; input and output may be the same memory.
template <typename T, typename Rule>
struct ActivationMap {
  Rule rule;
  const T* input;
  const T* bias;
  std::int64_t columns;
  T* output;
  RAVINE_HOST_DEVICE T value(std::int64_t i) const {
    return rule.forward(bias == nullptr ? input[i] : input[i] + bias[column_of(i, columns)]);
  }
  RAVINE_HOST_DEVICE void store(std::int64_t i, T value) const { output[i] = value; }
};

// input_gradient may be the same memory as output_gradient.
template <typename T, typename Rule>
struct ActivationDerivative {
  Rule rule;
  const T* input;
  const T* output;
  const T* output_gradient;
  T* input_gradient;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    const T x = Rule::derivative_reads_input ? input[i] : T(0);
    input_gradient[i] = output_gradient[i] * rule.derivative(x, output[i]);
  }
};

template <typename T, typename Rule>
class ActivationOperation final : public CudaOperation {
 public:
  ActivationOperation(const Rule& rule, const Activation& o, TensorId bias, const Preparation& preparation)
      : CudaOperation(preparation),
        rule_(rule),
        operation_(o),
        bias_(bias),
        columns_(preparation.columns(o.output)),
        observer_(preparation, o.observe, preparation.elements(o.output)) {}
  void run(const RunContext& context) noexcept override {
    observer_.store<T>(ActivationMap<T, Rule>{rule_, at<const T>(operation_.input), at<const T>(bias_),
                                              columns_, at<T>(operation_.output)},
                       context);
  }

 private:
  Rule rule_;
  Activation operation_;
  TensorId bias_;
  std::int64_t columns_;
  Observer observer_;
};

template <typename T, typename Rule>
class ActivationGradientOperation final : public CudaOperation {
 public:
  ActivationGradientOperation(const Rule& rule, const ActivationGradient& o, const Preparation& preparation)
      : CudaOperation(preparation), rule_(rule), operation_(o), elements_(preparation.elements(o.output)) {}
  void run(const RunContext&) noexcept override {
    for_each(stream_, elements_,
             ActivationDerivative<T, Rule>{
                 rule_, at<const T>(operation_.input), at<const T>(operation_.output),
                 at<const T>(operation_.output_gradient), at<T>(operation_.input_gradient)});
  }

 private:
  Rule rule_;
  ActivationGradient operation_;
  std::int64_t elements_;
};

}  // namespace

template <typename T>
Prepared prepare_activation(const Activation& o, TensorId bias, const Preparation& preparation) {
  Prepared prepared;
  with_rule<ActivationRules, T>(
      o.rule.name,
      [&]<typename Rule>(const Rule& rule) {
        prepared = std::make_unique<ActivationOperation<T, Rule>>(rule, o, bias, preparation);
      },
      o.rule.values);
  return prepared;
}

template <typename T>
Prepared prepare_activation(const Activation& o, const Preparation& preparation) {
  return prepare_activation<T>(o, no_tensor, preparation);
}

template <typename T>
Prepared prepare_activation_gradient(const ActivationGradient& o, const Preparation& preparation) {
  Prepared prepared;
  with_rule<ActivationRules, T>(
      o.rule.name,
      [&]<typename Rule>(const Rule& rule) {
        prepared = std::make_unique<ActivationGradientOperation<T, Rule>>(rule, o, preparation);
      },
      o.rule.values);
  return prepared;
}

template Prepared prepare_activation<float>(const Activation&, TensorId, const Preparation&);
template Prepared prepare_activation<double>(const Activation&, TensorId, const Preparation&);
template Prepared prepare_activation<float>(const Activation&, const Preparation&);
template Prepared prepare_activation<double>(const Activation&, const Preparation&);
template Prepared prepare_activation_gradient<float>(const ActivationGradient&, const Preparation&);
template Prepared prepare_activation_gradient<double>(const ActivationGradient&, const Preparation&);

}  // namespace ravine::cuda

// What is fused behind gradients of inputs where their kernel does not do it itself.
#include "backend/cuda/gradient_finish.h"

#include "backend/cuda/launch.h"
#include "rules/activations/list.h"

namespace ravine::cuda {
namespace {

// gradient = (gradient + add) f'(input, output).
template <typename T, typename Rule>
struct FinishGradient {
  Rule rule;
  Cells<T> gradient;
  Cells<T> add;
  Cells<T> input;
  Cells<T> output;

  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    T value = gradient.load(i);
    if (add.exists()) value += add.load(i);
    if (output.exists()) {
      value *= rule.derivative(Rule::derivative_reads_input ? input.load(i) : T(0), output.load(i));
    }
    gradient.store(i, value);
  }
};

template <typename T, typename Rule>
class GradientFinishOperation final : public CudaOperation {
 public:
  GradientFinishOperation(const Rule& rule, const GradientFinish& o, const Preparation& preparation)
      : CudaOperation(preparation), rule_(rule), operation_(o), elements_(preparation.elements(o.gradient)) {}
  void run(const RunContext&) noexcept override {
    for_each(stream_, elements_,
             FinishGradient<T, Rule>{rule_, cells<T>(operation_.gradient), cells<T>(operation_.add),
                                     cells<T>(operation_.activation_input),
                                     cells<T>(operation_.activation_output)});
  }

 private:
  Rule rule_;
  GradientFinish operation_;
  std::int64_t elements_;
};

}  // namespace

template <typename T>
Prepared prepare_gradient_finish(const GradientFinish& o, const Preparation& preparation) {
  const Component identity{"identity", {}};
  const Component& chosen = o.activation ? *o.activation : identity;
  Prepared prepared;
  with_rule<ActivationRules, T>(
      chosen.name,
      [&]<typename Rule>(const Rule& rule) {
        prepared = std::make_unique<GradientFinishOperation<T, Rule>>(rule, o, preparation);
      },
      chosen.values);
  return prepared;
}
template Prepared prepare_gradient_finish<float>(const GradientFinish&, const Preparation&);
template Prepared prepare_gradient_finish<double>(const GradientFinish&, const Preparation&);

}  // namespace ravine::cuda

// -log softmax(z)[label], through log sum exp; the network's last layer gives the logits z. With label
// smoothing s the cross entropy to the distribution (1 - s) one hot + s / classes (C. Szegedy et al., CVPR
// 2016).
#include "base/errors.h"
#include "losses/loss.h"

namespace ravine {
namespace {

class SoftmaxCrossEntropyLoss final : public Loss {
 public:
  explicit SoftmaxCrossEntropyLoss(const Values& settings)
      : label_smoothing_(settings.real("label_smoothing")) {}

  TargetKind target_kind() const override { return TargetKind::labels; }

  void check_output(const Shape& output) const override {
    if (output.rank() != 1 || output.back() < 2) {
      throw Error(ErrorCode::shape_mismatch,
                  "softmax cross entropy needs one output per class and at least two classes, but the last "
                  "layer gives shape " +
                      output.to_string());
    }
  }

  void add(Program& program, TensorId prediction, TensorId targets, TensorId gradient) const override {
    program.add(SoftmaxCrossEntropy{prediction, targets, gradient, label_smoothing_});
  }

  TensorId add_link(Program& program, TensorId prediction) const override {
    const auto& extents = program.tensor(prediction).shape.extents();
    const TensorId probabilities = program.add_activation(
        Shape(std::vector<std::int64_t>(extents.begin() + 1, extents.end())), "probabilities");
    program.add(Softmax{prediction, probabilities});
    return probabilities;
  }

 private:
  double label_smoothing_;
};

}  // namespace

std::unique_ptr<Loss> make_softmax_cross_entropy(const Component& component) {
  return std::make_unique<SoftmaxCrossEntropyLoss>(component.values);
}

}  // namespace ravine

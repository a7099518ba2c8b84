// -log softmax(z)[label], through log sum exp; the network's last layer gives the logits z. With label
// smoothing s the cross entropy to the distribution (1 - s) one hot + s / classes (C. Szegedy et al., CVPR
// 2016). Class weights c: minus the sum of c_j target_j log softmax(z)_j, divided by the mean c_label.
#include <algorithm>

#include "base/errors.h"
#include "losses/loss.h"

namespace ravine {
namespace {

class SoftmaxCrossEntropyLoss final : public Loss {
 public:
  explicit SoftmaxCrossEntropyLoss(const Values& settings)
      : label_smoothing_(settings.real("label_smoothing")) {
    if (std::holds_alternative<std::string>(settings.at("class_weights"))) {
      throw Error(ErrorCode::invalid_parameter,
                  "'balanced' follows from the training samples, which are not there yet; give a number for "
                  "each class")
          .at_key("class_weights");
    }
    class_weights_ = settings.numbers("class_weights");
    const auto counts_nothing = [](double weight) { return weight == 0; };
    if (!class_weights_.empty() &&
        std::all_of(class_weights_.begin(), class_weights_.end(), counts_nothing)) {
      throw Error(ErrorCode::invalid_parameter, "all weights are 0; at least one class must count")
          .at_key("class_weights");
    }
  }

  TargetKind target_kind() const override { return TargetKind::labels; }

  bool weighs_classes() const override { return !class_weights_.empty(); }

  void check_output(const Shape& output) const override {
    if (output.rank() != 1 || output.back() < 2) {
      throw Error(ErrorCode::shape_mismatch,
                  "softmax cross entropy needs one output per class and at least two classes, but the last "
                  "layer gives shape " +
                      output.to_string() +
                      "; give it a unit for each class (one output alone suits binary_cross_entropy)");
    }
    if (class_weights_.empty()) return;
    if (static_cast<std::int64_t>(class_weights_.size()) != output.back()) {
      throw Error(ErrorCode::invalid_parameter, "there are " + std::to_string(class_weights_.size()) +
                                                    " weights for " + std::to_string(output.back()) +
                                                    " classes; give one number a class")
          .at_key("class_weights");
    }
  }

  void add(Program& program, TensorId prediction, const Targets& targets, TensorId gradient) const override {
    program.add(SoftmaxCrossEntropy{prediction, targets.values, targets.weights, gradient, label_smoothing_,
                                    class_weights_, targets.second_labels, targets.shares});
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
  std::vector<double> class_weights_;  // empty: all 1
};

}  // namespace

std::unique_ptr<Loss> make_softmax_cross_entropy(const Component& component) {
  return std::make_unique<SoftmaxCrossEntropyLoss>(component.values);
}

}  // namespace ravine

// -log softmax(z)[label], through log sum exp; the network's last layer gives the logits z.
#include "base/errors.h"
#include "losses/loss.h"

namespace ravine {
namespace {

class SoftmaxCrossEntropyLoss final : public Loss {
 public:
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
    program.add(SoftmaxCrossEntropy{prediction, targets, gradient});
  }

  TensorId add_link(Program& program, TensorId prediction) const override {
    const auto& extents = program.tensor(prediction).shape.extents();
    const TensorId probabilities = program.add_activation(
        Shape(std::vector<std::int64_t>(extents.begin() + 1, extents.end())), "probabilities");
    program.add(Softmax{prediction, probabilities});
    return probabilities;
  }
};

}  // namespace

std::unique_ptr<Loss> make_softmax_cross_entropy(const Component&) {
  return std::make_unique<SoftmaxCrossEntropyLoss>();
}

}  // namespace ravine

// Losses that are the mean of a rule over a sample's outputs.
#include "losses/loss.h"

namespace ravine {
namespace {

class ElementwiseLossAdapter final : public Loss {
 public:
  explicit ElementwiseLossAdapter(Component rule) : rule_(std::move(rule)) {}

  TargetKind target_kind() const override { return TargetKind::values; }
  void check_output(const Shape&) const override {}
  void add(Program& program, TensorId prediction, TensorId targets, TensorId gradient) const override {
    program.add(ElementwiseLoss{rule_, prediction, targets, gradient});
  }

 private:
  Component rule_;
};

}  // namespace

std::unique_ptr<Loss> make_elementwise_loss(const Component& component) {
  return std::make_unique<ElementwiseLossAdapter>(component);
}

}  // namespace ravine

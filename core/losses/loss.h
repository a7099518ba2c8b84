// What a network is trained to make small.
#pragma once

#include <memory>
#include <string_view>

#include "backend/program.h"

namespace ravine {

enum class TargetKind { labels, values };  // one class label a sample, or values of the output's shape

struct Targets {
  TensorId values;
  TensorId weights;  // of the rows; may be left unbound
  // Of labels: a second one, and the share of the first; may be left unbound.
  TensorId second_labels = no_tensor;
  TensorId shares = no_tensor;
};

class Loss {
 public:
  virtual ~Loss() = default;
  virtual TargetKind target_kind() const = 0;
  // Whether there is a share of right answers to report.
  virtual bool has_accuracy() const { return target_kind() == TargetKind::labels; }
  // Whether what a row counts depends on its class.
  virtual bool weighs_classes() const { return false; }
  // Throws Error(invalid_parameter) with the first target that the loss has no meaning for. `columns` is the
  // number of values a row; labels are checked by the network, which knows the classes.
  virtual void check_values(const void*, DType, std::int64_t /* count */, std::int64_t /* columns */) const {}
  // Throws Error where the network's output cannot be compared with such targets, or the loss has not as many
  // numbers as it needs for them.
  virtual void check_output(const Shape& output) const = 0;
  // Adds the loss of `prediction`; `gradient` is no_tensor where only the value is wanted.
  virtual void add(Program& program, TensorId prediction, const Targets& targets,
                   TensorId gradient) const = 0;
  // Adds what turns the network's output into what a user is shown (probabilities), and returns it;
  // the output itself where that is what is shown.
  virtual TensorId add_link(Program&, TensorId prediction) const { return prediction; }
};

std::unique_ptr<Loss> make_loss(const Component& component);

std::unique_ptr<Loss> make_softmax_cross_entropy(const Component& component);
std::unique_ptr<Loss> make_elementwise_loss(const Component& component);

struct LossType {
  std::string_view name;
  std::unique_ptr<Loss> (*make)(const Component& component);
};

// Losses over whole rows; those that are rules of one element come from ElementwiseLossRules.
inline constexpr LossType row_losses[] = {{"softmax_cross_entropy", make_softmax_cross_entropy}};

}  // namespace ravine

#include "optimizers/optimizer.h"

#include <limits>
#include <utility>

#include "base/errors.h"

namespace ravine {

Optimizer::Optimizer(Component rule, Regularization regularization)
    : rule_(std::move(rule)),
      regularization_(regularization),
      traits_(update_rule_traits(rule_.name)),
      prepare_([name = rule_.name](Backend& backend, DType dtype, const UpdateBuffers& buffers,
                                   std::vector<UpdateSegment> segments) {
        return backend.prepare_update(name, dtype, buffers, std::move(segments));
      }) {}

Optimizer::Optimizer(Component rule, Regularization regularization, UpdateRuleTraits traits,
                     PrepareUpdate prepare)
    : rule_(std::move(rule)),
      regularization_(regularization),
      traits_(std::move(traits)),
      prepare_(std::move(prepare)) {}

void Optimizer::attach(const ParameterBuffers& buffers) {
  if (attached_to(buffers.parameters)) return;
  backend_ = buffers.backend;
  count_ = buffers.count;
  dtype_ = buffers.dtype;
  const std::size_t bytes = static_cast<std::size_t>(count_) * size_of(dtype_);
  UpdateBuffers update{buffers.parameters, buffers.gradients, nullptr, {}, {buffers.owner}};
  slots_.clear();
  for (std::size_t slot = 0; slot < traits_.slots.size(); ++slot) {
    slots_.push_back(backend_->allocate(bytes));
    update.slots.push_back(slots_.back()->data());
    update.owners.push_back(slots_.back());
  }
  look_ahead_.reset();
  if (traits_.looks_ahead) {
    look_ahead_ = backend_->allocate(bytes);
    update.look_ahead = look_ahead_->data();
  }
  prepared_ = prepare_(*backend_, dtype_, update, buffers.segments);
  parameters_ = buffers.parameters;
  owner_ = buffers.owner;
  step_count_ = 0;
}

double Optimizer::learning_rate() const {
  return rule_.values.has("learning_rate") ? rule_.values.real("learning_rate")
                                           : std::numeric_limits<double>::quiet_NaN();
}

void Optimizer::check_number(const std::string& name) const {
  if (name == "l2" || name == "clip_norm") return;
  if (rule_.values.has(name)) {
    if (std::holds_alternative<double>(rule_.values.at(name))) return;  // whole numbers stay as they are
  }
  throw Error(ErrorCode::invalid_parameter, rule_.name + " has no number '" + name + "' that could be set")
      .at_key(name);
}

void Optimizer::set(const std::string& name, double value) {
  check_number(name);
  if (name == "l2") {
    regularization_.l2 = value;
  } else if (name == "clip_norm") {
    regularization_.clip_norm = value;
  } else {
    rule_.values.set(name, value);
  }
}

void Optimizer::scale(double gradient_norm) {
  const double limit = regularization_.clip_norm;
  if (limit > 0 && gradient_norm > limit) {
    prepared_->begin(rule_.values, step_count_ + 1, limit / gradient_norm, regularization_.l2);
  }
}

}  // namespace ravine

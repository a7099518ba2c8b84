#include "optimizers/optimizer.h"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/errors.h"

namespace ravine {

Optimizer::Optimizer(Component rule, Regularization regularization, std::vector<ParameterGroup> groups)
    : rule_(std::move(rule)),
      regularization_(regularization),
      groups_(std::move(groups)),
      traits_(update_rule_traits(rule_.name)),
      prepare_([name = rule_.name](Backend& backend, DType dtype, const UpdateBuffers& buffers,
                                   std::vector<UpdateSegment> segments) {
        return backend.prepare_update(name, dtype, buffers, std::move(segments));
      }) {
  check();
}

Optimizer::Optimizer(Component rule, Regularization regularization, UpdateRuleTraits traits,
                     PrepareUpdate prepare)
    : rule_(std::move(rule)),
      regularization_(regularization),
      traits_(std::move(traits)),
      prepare_(std::move(prepare)) {
  check();
}

void Optimizer::check() const {
  const bool has_rate = rule_.values.has("learning_rate");
  if (regularization_.proximal && !has_rate) {
    throw Error(ErrorCode::invalid_parameter, "the proximal form needs a learning rate, and " + rule_.name +
                                                  " has none; use \"subgradient\"")
        .at_key("l1_form");
  }
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const ParameterGroup& group = groups_[i];
    const auto wrong = [&](const std::string& name, const std::string& message) {
      return Error(ErrorCode::invalid_parameter, message).at_key("groups." + std::to_string(i) + "." + name);
    };
    if (!std::isfinite(group.learning_rate) || group.learning_rate < 0) {
      throw wrong("learning_rate", "multiplies the rule's and must be a finite number of at least 0");
    }
    if (group.learning_rate != 1 && !has_rate) {
      throw wrong("learning_rate", rule_.name + " has no learning rate that could be multiplied");
    }
    if (!std::isfinite(group.l2)) throw wrong("l2", "must be a finite number of at least 0");
  }
}

void Optimizer::apply_groups(std::vector<UpdateSegment>& segments,
                             const std::vector<std::string>& names) const {
  std::vector<bool> taken(segments.size());
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const ParameterGroup& group = groups_[g];
    bool matched = false;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      if (fnmatch(group.match.c_str(), names[i].c_str(), 0) != 0) continue;
      matched = true;
      if (taken[i]) continue;
      taken[i] = true;
      segments[i].learning_rate = group.learning_rate;
      segments[i].l2 = group.l2;
      segments[i].frozen = group.freeze;
    }
    if (matched) continue;
    std::string known;
    for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
    throw Error(ErrorCode::invalid_parameter,
                "'" + group.match + "' matches no parameter; there are: " + known)
        .at_key("groups." + std::to_string(g) + ".match");
  }
}

void Optimizer::attach(const ParameterBuffers& buffers) {
  if (attached_to(buffers.parameters)) return;
  std::vector<UpdateSegment> segments = buffers.segments;
  apply_groups(segments, buffers.names);
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
  int layers = 0;
  for (const UpdateSegment& segment : segments) layers = std::max(layers, segment.layer + 1);
  layer_squares_.assign(static_cast<std::size_t>(layers), 0.0);
  scales_.assign(segments.size(), 1.0);
  segments_ = segments;
  prepared_ = prepare_(*backend_, dtype_, update, std::move(segments));
  parameters_ = buffers.parameters;
  owner_ = buffers.owner;
  step_count_ = 0;
}

double Optimizer::learning_rate() const {
  return rule_.values.has("learning_rate") ? rule_.values.real("learning_rate")
                                           : std::numeric_limits<double>::quiet_NaN();
}

void Optimizer::check_number(const std::string& name) const {
  if (regularization_number(name) != nullptr) return;
  if (rule_.values.has(name)) {
    if (std::holds_alternative<double>(rule_.values.at(name))) return;  // whole numbers stay as they are
  }
  throw Error(ErrorCode::invalid_parameter, rule_.name + " has no number '" + name + "' that could be set")
      .at_key(name);
}

void Optimizer::set(const std::string& name, double value) {
  check_number(name);
  if (const auto number = regularization_number(name)) {
    regularization_.*number = value;
  } else {
    rule_.values.set(name, value);
  }
}

// Each layer's gradient first, then what that leaves of the whole. What is frozen counts for nothing.
void Optimizer::clip(const std::vector<double>& gradient_squares) noexcept {
  if (!clips()) return;
  std::fill(layer_squares_.begin(), layer_squares_.end(), 0.0);
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i].frozen) continue;
    layer_squares_[static_cast<std::size_t>(segments_[i].layer)] += gradient_squares[i];
  }
  double squares = 0;
  for (const double layer : layer_squares_) {
    const double scale = norm_scale(layer, regularization_.clip_layer_norm);
    squares += scale * scale * layer;
  }
  const double whole = norm_scale(squares, regularization_.clip_norm);
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const double layer = layer_squares_[static_cast<std::size_t>(segments_[i].layer)];
    scales_[i] = whole * norm_scale(layer, regularization_.clip_layer_norm);
  }
  prepared_->scale(scales_);
}

}  // namespace ravine

#include "optimizers/optimizer.h"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/errors.h"
#include "base/memory.h"

namespace ravine {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

}  // namespace

Optimizer::Optimizer(Component rule, Regularization regularization, std::vector<ParameterGroup> groups)
    : rule_(std::move(rule)),
      regularization_(regularization),
      groups_(std::move(groups)),
      full_batch_rule_(make_full_batch_rule(rule_)),
      traits_(full_batch_rule_ ? UpdateRuleTraits{full_batch_rule_->slots(), false}
                               : update_rule_traits(rule_.name)),
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
  for (const RegularizationNumber& number : regularization_numbers) {
    check_number(std::string(number.name), regularization_.*number.member);
  }
  if (is_full_batch() && regularization_.proximal) {
    throw Error(ErrorCode::invalid_parameter,
                rule_.name +
                    " goes by the loss and its gradient, in which a soft threshold after the step has no "
                    "part; use \"subgradient\"")
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
    if (group.learning_rate != 1 && is_full_batch()) {
      throw wrong("learning_rate", rule_.name +
                                       " takes one step for all parameters together, whose curvature it "
                                       "knows; leave it at 1, or freeze the group");
    }
    if (!std::isfinite(group.l2)) throw wrong("l2", "must be a finite number of at least 0");
    if (!std::isfinite(group.weight_decay)) {
      throw wrong("weight_decay", "must be a finite number of at least 0");
    }
    if (group.weight_decay >= 0 && !rule_.values.has("weight_decay")) {
      throw wrong("weight_decay", rule_.name +
                                      " has no weight decay apart from the gradient; use l2, or one of " +
                                      joined(update_rules_with_decay()) + ", which have one");
    }
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
      segments[i].weight_decay = group.weight_decay;
      segments[i].frozen = group.freeze;
    }
    if (matched) continue;
    throw Error(ErrorCode::invalid_parameter,
                "'" + group.match + "' matches no parameter; there are: " + joined(names))
        .at_key("groups." + std::to_string(g) + ".match");
  }
}

void Optimizer::attach(const ParameterBuffers& buffers) {
  if (attached_to(buffers.parameters)) return;
  std::vector<UpdateSegment> segments = buffers.segments;
  apply_groups(segments, buffers.names);
  if (is_full_batch()) check_full_batch(buffers.dtype, segments);
  backend_ = buffers.backend;
  count_ = buffers.count;
  dtype_ = buffers.dtype;
  const std::size_t bytes = static_cast<std::size_t>(count_) * size_of(dtype_);
  UpdateBuffers update{buffers.parameters, buffers.gradients, nullptr, {}, {buffers.owner}, buffers.merge};
  slots_.clear();
  // Where the rule computes: full-batch rules do so on the host.
  const bool elsewhere = is_full_batch() && backend_->device().kind != DeviceKind::cpu;
  const std::shared_ptr<Backend> place = elsewhere ? make_cpu_backend(1) : backend_;
  for (std::size_t slot = 0; slot < traits_.slots.size(); ++slot) {
    slots_.push_back(place->allocate(static_cast<std::size_t>(count_) * size_of(slot_dtype())));
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
  if (is_full_batch()) {
    prepared_ = std::make_unique<FullBatchUpdate>(full_batch_rule_, *backend_, dtype_, update,
                                                  std::move(segments), backend_->allocate(bytes));
  } else {
    prepared_ = prepare_(*backend_, dtype_, update, std::move(segments));
  }
  parameters_ = buffers.parameters;
  owner_ = buffers.owner;
  step_count_ = 0;
}

FullBatchUpdate* Optimizer::full_batch() {
  return is_full_batch() ? static_cast<FullBatchUpdate*>(prepared_.get()) : nullptr;
}

// Before anything is allocated.
void Optimizer::check_full_batch(DType dtype, const std::vector<UpdateSegment>& segments) const {
  if (dtype != DType::float64 && full_batch_rule_->takes_differences()) {
    throw Error(ErrorCode::invalid_parameter,
                rule_.name +
                    " takes differences of gradients, which float32 would round away; set dtype to "
                    "\"float64\", or use lbfgs")
        .at_key("dtype");
  }
  double count = 0;
  double coordinates = 0;
  for (const UpdateSegment& segment : segments) {
    const auto size = static_cast<double>(segment.end - segment.begin);
    count += size;
    if (!segment.frozen) coordinates += size;
  }
  const double needed = full_batch_rule_->bytes(count, coordinates);
  const double available = available_memory();
  if (needed <= available) return;
  throw Error(ErrorCode::invalid_parameter, rule_.name + " needs " + bytes_text(needed) + " of memory for " +
                                                std::to_string(static_cast<std::int64_t>(coordinates)) +
                                                " parameters, and " + bytes_text(available) +
                                                " are available; use " + full_batch_rule_->instead())
      .at_key("optimizer");
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

void Optimizer::check_number(const std::string& name, double value) const {
  check_number(name);
  if (!is_full_batch() || value == 0 || name == "l1" || name == "l2") return;
  if (regularization_number(name) == nullptr) return;
  throw Error(ErrorCode::invalid_parameter,
              rule_.name +
                  " measures curvature by gradients as they are; a clipped gradient, or weights that are "
                  "moved after the step, would belong to another function; leave it at 0")
      .at_key(name);
}

void Optimizer::set(const std::string& name, double value) {
  check_number(name, value);
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

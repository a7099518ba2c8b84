// An update rule at work: its settings, its step count, and its state for one flat parameter buffer.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "optimizers/full_batch_update.h"

namespace ravine {

// What an optimizer works on: one contiguous buffer each of parameters and gradients.
struct ParameterBuffers {
  std::shared_ptr<Backend> backend;
  DType dtype;
  std::int64_t count;
  void* parameters;
  void* gradients;
  std::vector<UpdateSegment> segments;
  std::vector<std::string> names;     // of the segments
  std::shared_ptr<void> owner;        // keeps the buffers alive
  MeasurementMerge* merge = nullptr;  // where they are slices, of a model group
};

// Settings of the parameters whose names match a pattern, as in "dense_1.*"; the first group that matches a
// parameter holds for it.
struct ParameterGroup {
  std::string match;
  double learning_rate = 1;  // multiplies the rule's
  double l2 = -1;            // instead of the optimizer's, where not negative
  double weight_decay = -1;  // instead of the rule's, where not negative
  bool freeze = false;       // the parameters and their slots stay as they are
};

// Makes the update for buffers; what a backend offers for the rules of the list, or a user's own.
using PrepareUpdate = std::function<std::unique_ptr<PreparedUpdate>(
    Backend& backend, DType dtype, const UpdateBuffers& buffers, std::vector<UpdateSegment> segments)>;

class Optimizer {
 public:
  // A rule of the list, with resolved settings.
  Optimizer(Component rule, Regularization regularization, std::vector<ParameterGroup> groups = {});
  // A user's own rule.
  Optimizer(Component rule, Regularization regularization, UpdateRuleTraits traits, PrepareUpdate prepare);

  // Allocates the state, all zero. A second call with other buffers starts anew. Throws
  // Error(invalid_parameter) for a group that matches no parameter.
  void attach(const ParameterBuffers& buffers);
  bool attached_to(const void* parameters) const { return parameters_ == parameters && prepared_ != nullptr; }

  const Component& rule() const { return rule_; }
  // Of the rule; NaN where it has none.
  double learning_rate() const;
  // A number of the rule or of the regularization; takes effect at the next step.
  void set(const std::string& name, double value);
  // Throws Error(invalid_parameter) where `set` has no such number.
  void check_number(const std::string& name) const;
  // The same, and where the rule has no use for this value.
  void check_number(const std::string& name, double value) const;
  const Regularization& regularization() const { return regularization_; }
  const std::vector<ParameterGroup>& groups() const { return groups_; }

  std::int64_t step_count() const { return step_count_; }
  void set_step_count(std::int64_t count) { step_count_ = count; }

  // Whether the rule thinks of some parameters as matrices.
  bool sees_matrices() const { return traits_.matrices; }
  const std::vector<std::string>& slot_names() const { return traits_.slots; }
  const std::shared_ptr<Buffer>& slot(std::size_t index) const { return slots_.at(index); }
  std::int64_t count() const { return count_; }
  DType slot_dtype() const { return full_batch_rule_ ? DType::float64 : dtype_; }

  // What `attach` allocates where the parameters are.
  double bytes_on_device(std::int64_t count, DType dtype) const {
    const std::size_t slots = is_full_batch() ? 1 : traits_.slots.size() + (traits_.looks_ahead ? 1 : 0);
    return static_cast<double>(count) * static_cast<double>(slots * size_of(dtype));
  }

  // Where the gradient is to be taken; nullptr where that is the parameters themselves.
  void* look_ahead() { return look_ahead_ ? look_ahead_->data() : nullptr; }
  const std::shared_ptr<Buffer>& look_ahead_buffer() const { return look_ahead_; }

  // Held by whoever trains with it, so that two networks or threads take turns.
  std::mutex& mutex() { return mutex_; }

  // One step, in three calls: `begin` by one worker, then look_ahead (if there is one) by all; the gradient
  // is computed; `clip` by one worker; `run` by all; `end` by one.
  void begin() { prepared_->begin(rule_.values, step_count_ + 1, regularization_); }
  void run_look_ahead(Worker& worker) noexcept { prepared_->look_ahead(worker); }
  bool clips() const { return regularization_.clip_norm > 0 || regularization_.clip_layer_norm > 0; }
  // Takes the sum of squares of each segment's gradient.
  void clip(const std::vector<double>& gradient_squares) noexcept;
  void run(Worker& worker) noexcept { prepared_->run(worker); }
  void end() { ++step_count_; }

  PreparedUpdate& prepared() { return *prepared_; }

  // Whether the rule asks for gradients itself, several in a step.
  bool is_full_batch() const { return full_batch_rule_ != nullptr; }
  // What does; null for the others, and before it is attached.
  FullBatchUpdate* full_batch();

 private:
  void check() const;
  void check_full_batch(DType dtype, const std::vector<UpdateSegment>& segments) const;
  void apply_groups(std::vector<UpdateSegment>& segments, const std::vector<std::string>& names) const;

  Component rule_;
  Regularization regularization_;
  std::vector<ParameterGroup> groups_;
  std::shared_ptr<FullBatchRule> full_batch_rule_;
  UpdateRuleTraits traits_;
  PrepareUpdate prepare_;
  std::int64_t step_count_ = 0;
  std::int64_t count_ = 0;
  DType dtype_ = DType::float32;
  const void* parameters_ = nullptr;
  std::shared_ptr<void> owner_;
  std::shared_ptr<Backend> backend_;
  std::vector<std::shared_ptr<Buffer>> slots_;
  std::shared_ptr<Buffer> look_ahead_;
  std::unique_ptr<PreparedUpdate> prepared_;
  std::vector<UpdateSegment> segments_;
  std::vector<double> layer_squares_;
  std::vector<double> scales_;
  std::mutex mutex_;
};

}  // namespace ravine

// Rules that compare the loss at several points in one step, always over the same samples: a function of the
// parameters alone, in double on the host. They read like the textbook.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/values.h"

namespace ravine {

using Vector = std::vector<double>;

// J(theta), with its penalties.
class Objective {
 public:
  virtual ~Objective() = default;
  // The value at a point, and its gradient. Both may be infinite or NaN.
  virtual double evaluate(const Vector& point, Vector& gradient) = 0;
  // The gradient of J without lambda |w|, which has no second derivative.
  virtual void smooth_gradient(const Vector& point, Vector& gradient) = 0;
  // The coordinates that may move, in order; gradients are zero in the others.
  virtual const std::vector<std::int64_t>& coordinates() const = 0;
};

// One flat vector for each name of `slots`, as long as the point; zero before the first step.
using RuleState = std::vector<std::span<double>>;

class FullBatchRule {
 public:
  virtual ~FullBatchRule() = default;
  // What is kept from step to step, and saved in checkpoints: there is nothing else.
  virtual std::vector<std::string> slots() const { return {}; }
  // Whether it takes differences of gradients, which float32 would round away.
  virtual bool takes_differences() const { return false; }
  // Bytes for `coordinates` that may move out of `count` parameters, slots included.
  virtual double bytes(double count, double coordinates) const = 0;
  // What takes less memory.
  virtual std::string instead() const = 0;
  // Moves the point, where J has this value and gradient, by one step.
  virtual void step(Objective& objective, const Values& settings, double value, const Vector& gradient,
                    const RuleState& state, Vector& point) = 0;
};

// Null for a rule of another kind.
std::unique_ptr<FullBatchRule> make_full_batch_rule(const Component& rule);

}  // namespace ravine

// Where weights begin: a distribution, scaled by the number of values that feed into and are fed by a unit.
#pragma once

#include <string_view>
#include <variant>

#include "base/values.h"
#include "rules/distributions/constant.h"
#include "rules/distributions/normal.h"
#include "rules/distributions/uniform.h"

namespace ravine {

using Distribution = std::variant<ConstantDistribution, UniformDistribution, NormalDistribution>;

struct InitializerType {
  std::string_view name;
  Distribution (*distribution)(const Values& settings, double fan_in, double fan_out);
};

extern const InitializerType initializer_types[9];

// The distribution of a resolved initializer.
Distribution distribution_of(const Component& initializer, double fan_in, double fan_out);

// Fills `values` with draws keyed by (seed, parameter, element).
template <typename T>
void draw(const Distribution& distribution, std::uint64_t seed, int parameter, T* values, std::int64_t count);

}  // namespace ravine

// Where weights begin: a distribution, scaled by the number of values that feed into and are fed by a unit,
// and for some a rearrangement of the whole tensor that was drawn.
#pragma once

#include <string_view>
#include <variant>

#include "base/shape.h"
#include "base/values.h"
#include "rules/distributions/constant.h"
#include "rules/distributions/normal.h"
#include "rules/distributions/truncated_normal.h"
#include "rules/distributions/uniform.h"

namespace ravine {

using Distribution =
    std::variant<ConstantDistribution, UniformDistribution, NormalDistribution, TruncatedNormalDistribution>;

struct InitializerType {
  std::string_view name;
  Distribution (*distribution)(const Values& settings, double fan_in, double fan_out);
  // What becomes of the draws as a row-major matrix, a row an output; nullptr: they stay.
  void (*arrange)(const Values& settings, double* matrix, std::int64_t rows, std::int64_t columns) = nullptr;
};

extern const InitializerType initializer_types[13];

// Fills `count` elements of a parameter, from `first` on, with the initial values of a resolved initializer;
// draws are keyed by (seed, parameter, element). Throws Error(invalid_parameter) where settings contradict
// each other.
template <typename T>
void initialize(const Component& initializer, const Shape& shape, double fan_in, double fan_out,
                std::uint64_t seed, int parameter, std::int64_t first, std::int64_t count, T* values);

}  // namespace ravine

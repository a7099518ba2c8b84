#include "initializers/initializer.h"

#include <cmath>

#include "base/errors.h"

namespace ravine {
namespace {

Distribution symmetric(double bound) { return UniformDistribution{-bound, bound}; }
Distribution centred(double deviation) { return NormalDistribution{0, deviation}; }

Distribution zeros(const Values&, double, double) { return ConstantDistribution{0}; }

Distribution constant(const Values& settings, double, double) {
  return ConstantDistribution{settings.real("value")};
}

Distribution uniform(const Values& settings, double, double) {
  return UniformDistribution{settings.real("low"), settings.real("high")};
}

Distribution normal(const Values& settings, double, double) {
  return NormalDistribution{settings.real("mean"), settings.real("deviation")};
}

// X. Glorot, Y. Bengio, AISTATS 2010: variance gain^2 2 / (n_in + n_out).
Distribution xavier_uniform(const Values& settings, double n_in, double n_out) {
  return symmetric(settings.real("gain") * std::sqrt(6.0 / (n_in + n_out)));
}

Distribution xavier_normal(const Values& settings, double n_in, double n_out) {
  return centred(settings.real("gain") * std::sqrt(2.0 / (n_in + n_out)));
}

// K. He et al., ICCV 2015: variance 2 / n, n the fan that the mode names.
double he_fan(const Values& settings, double n_in, double n_out) {
  return settings.text("mode") == "fan_out" ? n_out : n_in;
}

Distribution he_uniform(const Values& settings, double n_in, double n_out) {
  return symmetric(std::sqrt(6.0 / he_fan(settings, n_in, n_out)));
}

Distribution he_normal(const Values& settings, double n_in, double n_out) {
  return centred(std::sqrt(2.0 / he_fan(settings, n_in, n_out)));
}

Distribution torch_linear(const Values&, double n_in, double) { return symmetric(1.0 / std::sqrt(n_in)); }

}  // namespace

const InitializerType initializer_types[9] = {
    {"zeros", zeros},
    {"constant", constant},
    {"uniform", uniform},
    {"normal", normal},
    {"xavier_uniform", xavier_uniform},
    {"xavier_normal", xavier_normal},
    {"he_uniform", he_uniform},
    {"he_normal", he_normal},
    {"torch_linear", torch_linear},
};

Distribution distribution_of(const Component& initializer, double fan_in, double fan_out) {
  for (const InitializerType& type : initializer_types) {
    if (type.name == initializer.name) return type.distribution(initializer.values, fan_in, fan_out);
  }
  throw Error(ErrorCode::internal, "no initializer '" + initializer.name + "'");
}

template <typename T>
void draw(const Distribution& distribution, std::uint64_t seed, int parameter, T* values,
          std::int64_t count) {
  const RandomKey key{seed, RandomPurpose::initialize, static_cast<std::uint32_t>(parameter), 0};
  std::visit(
      [&](const auto& rule) {
        for (std::int64_t i = 0; i < count; ++i) {
          values[i] = static_cast<T>(rule.draw(key.bits(static_cast<std::uint64_t>(i))));
        }
      },
      distribution);
}
template void draw<float>(const Distribution&, std::uint64_t, int, float*, std::int64_t);
template void draw<double>(const Distribution&, std::uint64_t, int, double*, std::int64_t);

}  // namespace ravine

#include "initializers/initializer.h"

#include <cmath>
#include <vector>

#include "base/errors.h"
#include "initializers/orthogonal.h"

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

// The fan that the mode names.
double fan_of(const Values& settings, double n_in, double n_out) {
  return settings.text("mode") == "fan_out" ? n_out : n_in;
}

// Y. LeCun et al., "Efficient BackProp", 1998: variance 1 / n.
Distribution lecun_uniform(const Values& settings, double n_in, double n_out) {
  return symmetric(std::sqrt(3.0 / fan_of(settings, n_in, n_out)));
}

Distribution lecun_normal(const Values& settings, double n_in, double n_out) {
  return centred(std::sqrt(1.0 / fan_of(settings, n_in, n_out)));
}

// K. He et al., ICCV 2015: variance 2 / ((1 + slope^2) n); this is its denominator.
double scaled_fan(const Values& settings, double n_in, double n_out) {
  const double slope = settings.real("slope");
  return (1.0 + slope * slope) * fan_of(settings, n_in, n_out);
}

Distribution he_uniform(const Values& settings, double n_in, double n_out) {
  return symmetric(std::sqrt(6.0 / scaled_fan(settings, n_in, n_out)));
}

Distribution he_normal(const Values& settings, double n_in, double n_out) {
  return centred(std::sqrt(2.0 / scaled_fan(settings, n_in, n_out)));
}

Distribution torch_linear(const Values&, double n_in, double) { return symmetric(1.0 / std::sqrt(n_in)); }

Distribution truncated_normal(const Values& settings, double, double) {
  const TruncatedNormalDistribution rule{settings.real("mean"), settings.real("deviation"),
                                         settings.real("low"), settings.real("high")};
  if (!(rule.low < rule.high)) {
    throw Error(ErrorCode::invalid_parameter, "must be below high").at_key("low");
  }
  // As `draw` sees it: in the lower tail.
  const bool flipped = rule.low + rule.high > 2.0 * rule.mean;
  const double nearest = (flipped ? rule.mean - rule.low : rule.high - rule.mean) / rule.deviation;
  if (nearest < -37.0) {
    throw Error(ErrorCode::invalid_parameter,
                "low and high lie more than 37 deviations from the mean: nothing would be drawn there")
        .at_key("mean");
  }
  return rule;
}

Distribution standard_normal(const Values&, double, double) { return centred(1.0); }

// A. Saxe, J. McClelland, S. Ganguli, ICLR 2014.
void orthogonal(const Values& settings, double* matrix, std::int64_t rows, std::int64_t columns) {
  orthogonalize(matrix, rows, columns);
  const double gain = settings.real("gain");
  for (std::int64_t i = 0; i < rows * columns; ++i) matrix[i] *= gain;
}

const InitializerType& find(std::string_view name) {
  for (const InitializerType& type : initializer_types) {
    if (type.name == name) return type;
  }
  throw Error(ErrorCode::internal, "no initializer '" + std::string(name) + "'");
}

}  // namespace

const InitializerType initializer_types[13] = {
    {"zeros", zeros},
    {"constant", constant},
    {"uniform", uniform},
    {"normal", normal},
    {"truncated_normal", truncated_normal},
    {"lecun_uniform", lecun_uniform},
    {"lecun_normal", lecun_normal},
    {"xavier_uniform", xavier_uniform},
    {"xavier_normal", xavier_normal},
    {"he_uniform", he_uniform},
    {"he_normal", he_normal},
    {"torch_linear", torch_linear},
    {"orthogonal", standard_normal, orthogonal},
};

template <typename T>
void initialize(const Component& initializer, const Shape& shape, double fan_in, double fan_out,
                std::uint64_t seed, int parameter, std::int64_t first, std::int64_t count, T* values) {
  const InitializerType& type = find(initializer.name);
  const RandomKey key{seed, RandomPurpose::initialize, static_cast<std::uint32_t>(parameter), 0};
  const auto draw = [&](auto* to, std::int64_t from, std::int64_t many) {
    std::visit(
        [&](const auto& rule) {
          for (std::int64_t i = 0; i < many; ++i) {
            to[i] = static_cast<std::remove_reference_t<decltype(*to)>>(
                rule.draw(key.bits(static_cast<std::uint64_t>(from + i))));
          }
        },
        type.distribution(initializer.values, fan_in, fan_out));
  };
  if (type.arrange == nullptr) {
    draw(values, first, count);
    return;
  }
  // The whole is arranged, whatever part of it is wanted.
  const std::int64_t elements = shape.elements();
  std::vector<double> matrix(static_cast<std::size_t>(elements));
  draw(matrix.data(), 0, elements);
  const std::int64_t rows = shape.rank() == 0 ? 1 : shape[0];
  type.arrange(initializer.values, matrix.data(), rows, elements / rows);
  for (std::int64_t i = 0; i < count; ++i)
    values[i] = static_cast<T>(matrix[static_cast<std::size_t>(first + i)]);
}
template void initialize<float>(const Component&, const Shape&, double, double, std::uint64_t, int,
                                std::int64_t, std::int64_t, float*);
template void initialize<double>(const Component&, const Shape&, double, double, std::uint64_t, int,
                                 std::int64_t, std::int64_t, double*);

}  // namespace ravine

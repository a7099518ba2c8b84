// The float32 functions against the C library's float64, in units of the last place.
#include "rules/elementary.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>

using namespace ravine;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

double ulp_of(double truth) {
  const auto rounded = static_cast<float>(std::fabs(truth));
  const float smallest = std::numeric_limits<float>::min();
  const float at = rounded < smallest ? smallest : rounded;
  return static_cast<double>(std::nextafter(at, infinity)) - static_cast<double>(at);
}

// Calls visit(x) for floats of both signs, equally dense in every binade, from 2^-40 up to the limit.
template <typename Visit>
void over_floats(float limit, Visit&& visit) {
  const auto end = __builtin_bit_cast(std::uint32_t, limit);
  for (auto bits = __builtin_bit_cast(std::uint32_t, 9.094947e-13f); bits <= end; bits += 1499) {
    visit(__builtin_bit_cast(float, bits));
    visit(-__builtin_bit_cast(float, bits));
  }
}

template <typename Function, typename Truth>
double largest_error(float low, float high, Function&& function, Truth&& truth) {
  double largest = 0;
  over_floats(std::fmax(-low, high), [&](float x) {
    if (x < low || x > high) return;
    const double exact = truth(static_cast<double>(x));
    const double error = std::fabs(static_cast<double>(function(x)) - exact) / ulp_of(exact);
    largest = error > largest ? error : largest;
  });
  return largest;
}

}  // namespace

TEST_CASE("exponential, float32") {
  const auto function = [](float x) { return exponential(x); };
  const auto truth = [](double x) { return std::exp(x); };
  const double error = largest_error(-86.6f, 88.7228f, function, truth);
  CAPTURE(error);
  CHECK(error < 1.5);
  CHECK(error > 0.4);  // otherwise nothing was compared

  CHECK(exponential(0.0f) == 1.0f);
  CHECK(exponential(-0.0f) == 1.0f);
  CHECK(exponential(88.8f) == infinity);
  CHECK(exponential(3e38f) == infinity);
  CHECK(exponential(infinity) == infinity);
  CHECK(exponential(-infinity) == 0.0f);
  CHECK(exponential(-3e38f) == 0.0f);
  CHECK(std::isnan(exponential(not_a_number)));
  CHECK(std::isnan(exponential(-not_a_number)));
  CHECK(std::isfinite(exponential(88.7228f)));
  // Towards the denormal numbers it may be flushed to zero, never anything else.
  for (float x = -86.0f; x > -110.0f; x -= 0.01f) {
    const double error_here =
        std::fabs(static_cast<double>(exponential(x)) - std::exp(static_cast<double>(x)));
    REQUIRE(error_here < 3e-38);
    REQUIRE(exponential(x) >= 0.0f);
  }
}

TEST_CASE("hyperbolic tangent, float32") {
  const auto function = [](float x) { return hyperbolic_tangent(x); };
  const auto truth = [](double x) { return std::tanh(x); };
  const double error = largest_error(-40.0f, 40.0f, function, truth);
  CAPTURE(error);
  CHECK(error < 7.0);
  CHECK(error > 0.4);
  over_floats(1e30f, [](float x) {
    REQUIRE(std::fabs(hyperbolic_tangent(x)) <= 1.0f);
    REQUIRE(hyperbolic_tangent(-x) == -hyperbolic_tangent(x));
  });
  CHECK(hyperbolic_tangent(0.0f) == 0.0f);
  CHECK(hyperbolic_tangent(infinity) == doctest::Approx(1.0));
  CHECK(hyperbolic_tangent(-infinity) == doctest::Approx(-1.0));
  CHECK(std::isnan(hyperbolic_tangent(not_a_number)));
}

TEST_CASE("e^x - 1, float32") {
  const auto function = [](float x) { return exponential_minus_one(x); };
  const auto truth = [](double x) { return std::expm1(x); };
  const double error = largest_error(-100.0f, 88.7228f, function, truth);
  CAPTURE(error);
  CHECK(error < 2.5);
  CHECK(error > 0.4);

  CHECK(exponential_minus_one(0.0f) == 0.0f);
  CHECK(exponential_minus_one(88.8f) == infinity);
  CHECK(exponential_minus_one(infinity) == infinity);
  CHECK(exponential_minus_one(-infinity) == -1.0f);
  CHECK(exponential_minus_one(-3e38f) == -1.0f);
  CHECK(std::isnan(exponential_minus_one(not_a_number)));
  CHECK(std::isfinite(exponential_minus_one(88.7228f)));
}

TEST_CASE("log(1 + x), float32") {
  const auto function = [](float x) { return logarithm_one_plus(x); };
  const auto truth = [](double x) { return std::log1p(x); };
  const double error = largest_error(-0.99999f, 3e38f, function, truth);
  CAPTURE(error);
  CHECK(error < 2.5);
  CHECK(error > 0.4);

  CHECK(logarithm_one_plus(0.0f) == 0.0f);
  CHECK(logarithm_one_plus(1.0f) == doctest::Approx(0.6931472).epsilon(1e-7));
  CHECK(logarithm_one_plus(1e-40f) == 1e-40f);
  CHECK(logarithm_one_plus(infinity) == infinity);
  CHECK(std::isnan(logarithm_one_plus(not_a_number)));
}

TEST_CASE("error function, float32") {
  const auto function = [](float x) { return error_function(x); };
  const auto truth = [](double x) { return std::erf(x); };
  const double error = largest_error(-20.0f, 20.0f, function, truth);
  CAPTURE(error);
  CHECK(error < 7.0);
  CHECK(error > 0.4);
  over_floats(1e30f, [](float x) { REQUIRE(error_function(-x) == -error_function(x)); });
  CHECK(error_function(0.0f) == 0.0f);
  CHECK(error_function(infinity) == doctest::Approx(1.0).epsilon(1e-7));
  CHECK(error_function(-infinity) == doctest::Approx(-1.0).epsilon(1e-7));
  CHECK(std::isnan(error_function(not_a_number)));
}

TEST_CASE("float64 is the C library's, and square roots are exact") {
  over_floats(600.0f, [](float x) {
    const auto wide = static_cast<double>(x);
    REQUIRE(exponential(wide) == std::exp(wide));
    REQUIRE(hyperbolic_tangent(wide) == std::tanh(wide));
    REQUIRE(exponential_minus_one(wide) == std::expm1(wide));
    REQUIRE(error_function(wide) == std::erf(wide));
    if (x >= 0) REQUIRE(logarithm_one_plus(wide) == std::log1p(wide));
    if (x >= 0) {
      REQUIRE(square_root(x) == std::sqrt(x));
      REQUIRE(square_root(wide) == std::sqrt(wide));
    }
  });
  CHECK(std::isnan(square_root(-1.0f)));
}

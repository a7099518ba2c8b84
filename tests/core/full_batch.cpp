// Full-batch rules on functions whose minima, saddles and paths are known.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "base/errors.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "optimizers/full_batch_rule.h"
#include "optimizers/line_search.h"
#include "optimizers/vectors.h"

namespace ravine {
namespace {

// A function of a few coordinates, with its gradient.
class Function final : public Objective {
 public:
  using Evaluate = std::function<double(const Vector& x, Vector& gradient)>;

  Function(std::int64_t size, Evaluate evaluate)
      : coordinates_(static_cast<std::size_t>(size)), evaluate_(std::move(evaluate)) {
    std::iota(coordinates_.begin(), coordinates_.end(), 0);
  }
  double evaluate(const Vector& point, Vector& gradient) override {
    ++evaluations;
    return evaluate_(point, gradient);
  }
  void smooth_gradient(const Vector& point, Vector& gradient) override { evaluate(point, gradient); }
  const std::vector<std::int64_t>& coordinates() const override { return coordinates_; }

  int evaluations = 0;

 private:
  std::vector<std::int64_t> coordinates_;
  Evaluate evaluate_;
};

// The points of a path, the start first.
std::vector<Vector> path(const std::string& name, const Values& settings, Function& function, Vector point,
                         int steps) {
  const Component rule = catalog::resolve(catalog::Kind::optimizer, {name, settings});
  const auto made = make_full_batch_rule(rule);
  std::vector<Vector> memory(made->slots().size(), Vector(point.size()));
  RuleState state(memory.begin(), memory.end());
  std::vector<Vector> points{point};
  Vector gradient(point.size());
  for (int step = 0; step < steps; ++step) {
    const double value = function.evaluate(point, gradient);
    made->step(function, rule.values, value, gradient, state, point);
    points.push_back(point);
  }
  return points;
}

Values with(const std::string& name, Value value) {
  Values values;
  values.set(name, std::move(value));
  return values;
}

Function quartic() {
  return {1, [](const Vector& x, Vector& g) {
            g[0] = 4 * x[0] * x[0] * x[0];
            return x[0] * x[0] * x[0] * x[0];
          }};
}

// Down along the first coordinate, up along the second; bounded below by the fourth power.
Function saddle() {
  return {2, [](const Vector& x, Vector& g) {
            g = {x[0] * x[0] * x[0] - x[0], x[1]};
            return x[0] * x[0] * x[0] * x[0] / 4 - x[0] * x[0] / 2 + x[1] * x[1] / 2;
          }};
}

Function rosenbrock() {
  return {2, [](const Vector& x, Vector& g) {
            const double a = 1 - x[0];
            const double b = x[1] - x[0] * x[0];
            g = {-2 * a - 400 * x[0] * b, 200 * b};
            return a * a + 100 * b * b;
          }};
}

}  // namespace

TEST_CASE("Newton's method on x^4 takes two thirds of x at every step") {
  // 4 x^3 / 12 x^2 = x / 3; the central difference adds 4 h^2 to the second derivative.
  for (const char* form : {"full", "diagonal"}) {
    Function function = quartic();
    const auto points = path("newton", with("form", std::string(form)), function, {3.0}, 10);
    for (std::size_t step = 1; step < points.size(); ++step) {
      CHECK(points[step][0] / points[step - 1][0] == doctest::Approx(2.0 / 3).epsilon(1e-9));
    }
    CHECK(function.evaluations == 10 * 3);
  }
}

TEST_CASE("Newton's method reaches the minimum of a parabola in one step, and misses it with damping") {
  // 1/2 x^T A x - b^T x with A = ((3, 1), (1, 2)), b = (5, 5): minimum at (1, 2).
  Function parabola(2, [](const Vector& x, Vector& g) {
    g = {3 * x[0] + x[1] - 5, x[0] + 2 * x[1] - 5};
    return (x[0] * (g[0] - 5) + x[1] * (g[1] - 5)) / 2;
  });
  const auto exact = path("newton", {}, parabola, {-4, 7}, 1).back();
  CHECK(exact[0] == doctest::Approx(1).epsilon(1e-9));
  CHECK(exact[1] == doctest::Approx(2).epsilon(1e-9));
  // (A + 2 I)^-1 g with g = (-10, 5): A + 2 I = ((5, 1), (1, 4)), so d = (-45, 35) / 19.
  const auto damped = path("newton", with("damping", 2.0), parabola, {-4, 7}, 1).back();
  CHECK(damped[0] == doctest::Approx(-4 + 45.0 / 19).epsilon(1e-9));
  CHECK(damped[1] == doctest::Approx(7 - 35.0 / 19).epsilon(1e-9));
  // The diagonal form divides by 3 and by 2.
  const auto diagonal = path("newton", with("form", std::string("diagonal")), parabola, {-4, 7}, 1).back();
  CHECK(diagonal[0] == doctest::Approx(-4 + 10.0 / 3).epsilon(1e-9));
  CHECK(diagonal[1] == doctest::Approx(7 - 5.0 / 2).epsilon(1e-9));
}

TEST_CASE("Newton's method is attracted by a saddle; damping, conjugate gradients and L-BFGS leave it") {
  Function function = saddle();
  const Vector start{0.3, 1.0};
  const auto drawn = path("newton", {}, function, start, 20).back();
  CHECK(std::abs(drawn[0]) < 1e-6);
  for (const auto& [name, settings] :
       {std::pair<std::string, Values>{"newton", with("damping", 2.0)}, {"newton_cg", {}}, {"lbfgs", {}}}) {
    CAPTURE(std::string(name));
    const auto free = path(name, settings, function, start, 60).back();
    CHECK(free[0] == doctest::Approx(1).epsilon(1e-5));
    CHECK(std::abs(free[1]) < 1e-5);
  }
}

TEST_CASE("the minimum at the end of Rosenbrock's valley is found") {
  for (const char* name : {"newton", "newton_cg", "lbfgs"}) {
    CAPTURE(std::string(name));
    Function function = rosenbrock();
    const auto points = path(name, {}, function, {-1.2, 1.0}, 120);
    CHECK(points.back()[0] == doctest::Approx(1).epsilon(1e-6));
    CHECK(points.back()[1] == doctest::Approx(1).epsilon(1e-6));
    CHECK(function.evaluations < 1000);
  }
}

TEST_CASE("a line search comes back from where the function cannot be computed") {
  // -log(1 - x) - log(1 + x) + 3 x; beyond -1 and 1 whatever a computer may make of it.
  for (const double outside : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    Function barrier(1, [outside](const Vector& x, Vector& g) {
      const bool inside = std::abs(x[0]) < 1;
      g[0] = inside ? 1 / (1 - x[0]) - 1 / (1 + x[0]) + 3 : std::nan("");
      return inside ? -std::log(1 - x[0]) - std::log(1 + x[0]) + 3 * x[0] : outside;
    });
    for (const char* name : {"newton_cg", "lbfgs"}) {
      CAPTURE(std::string(name));
      CAPTURE(outside);
      const auto settings = with("learning_rate", 500.0);  // far outside
      const auto last = path(name, settings, barrier, {0.9}, 30).back();
      CHECK(last[0] == doctest::Approx((1 - std::sqrt(10.0)) / 3).epsilon(1e-6));  // 3 x^2 - 2 x - 3 = 0
    }
  }
}

TEST_CASE("the second trial may be higher than the first, as in PyTorch") {
  // It falls enough and still falls steeply: the search goes on to a third trial further out.
  std::vector<double> trials;
  Function hilly(1, [&](const Vector& x, Vector& g) {
    trials.push_back(x[0]);
    g[0] = -5;
    return trials.size() == 1 ? -1.0 : trials.size() == 2 ? -0.5 : 3.0;
  });
  StrongWolfe search(3);
  search.search(hilly, {0}, {1}, 0, {-1}, 1);
  REQUIRE(trials.size() == 4);
  CHECK(trials[0] == 1);
  CHECK(trials[1] > trials[0]);
  CHECK(trials[2] > trials[1]);
  CHECK(trials[3] < trials[2]);
}

TEST_CASE("L-BFGS forgets pairs along which nothing lower is found") {
  Function bowl(2, [](const Vector& x, Vector& g) {
    g = {4 * std::pow(x[0], 3), 4 * std::pow(x[1], 3)};
    return std::pow(x[0], 4) + std::pow(x[1], 4);
  });
  const Component rule =
      catalog::resolve(catalog::Kind::optimizer, {"lbfgs", with("trials", std::int64_t{1})});
  const auto made = make_full_batch_rule(rule);
  std::vector<Vector> memory(made->slots().size(), Vector(2));
  memory[0] = {1, 1};  // a step that seemed to meet hardly any curvature
  memory[10] = {1e-8, 1e-8};
  RuleState state(memory.begin(), memory.end());
  Vector point{3, 4};
  Vector gradient(2);
  const double value = bowl.evaluate(point, gradient);
  made->step(bowl, rule.values, value, gradient, state, point);
  const bool stayed = point == Vector{3, 4};
  CHECK(stayed);
  for (const Vector& slot : memory) CHECK(largest_magnitude(slot) == 0);
  made->step(bowl, rule.values, value, gradient, state, point);
  CHECK(point[0] == doctest::Approx(3 - 108.0 / 364));  // the first step again: g / |g|_1
}

TEST_CASE("a matrix without an inverse says so") {
  Function flat(2, [](const Vector& x, Vector& g) {  // nothing depends on the second coordinate
    g = {x[0], 0};
    return x[0] * x[0] / 2;
  });
  for (const char* form : {"full", "diagonal"}) {
    CHECK_THROWS_WITH_AS(path("newton", with("form", std::string(form)), flat, {1, 1}, 1),
                         doctest::Contains("set damping above 0"), Error);
  }
  const auto damped = path("newton", with("damping", 1.0), flat, {1, 1}, 1).back();
  CHECK(damped[0] == doctest::Approx(0.5));
  CHECK(damped[1] == 1);
}

TEST_CASE("memory is a number of bytes") {
  CHECK(available_memory() > 1e6);
  CHECK(bytes_text(0) == "0 bytes");
  CHECK(bytes_text(999) == "999 bytes");
  CHECK(bytes_text(1536) == "1.5 kB");
  CHECK(bytes_text(999960) == "1.0 MB");
  CHECK(bytes_text(32e12) == "32.0 TB");
}

}  // namespace ravine

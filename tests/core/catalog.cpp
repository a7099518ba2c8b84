// The tables: complete, consistent with the lists of rules, and strict about what they are given.
#include "catalog/catalog.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/errors.h"
#include "initializers/initializer.h"
#include "layers/list.h"
#include "losses/loss.h"
#include "networks.h"
#include "optimizers/list.h"
#include "rules/activations/list.h"
#include "rules/losses/list.h"
#include "rules/updates/list.h"
#include "schedules/schedule.h"

using namespace ravine;
using catalog::Kind;
using test::component;

namespace {

std::set<std::string> names_of(Kind kind) {
  std::set<std::string> names;
  for (const catalog::Entry& entry : catalog::entries()) {
    if (entry.kind == kind) CHECK(names.insert(entry.name).second);
  }
  return names;
}

template <typename Rules>
std::set<std::string> names_in() {
  std::set<std::string> names;
  Rules::for_each([&]<template <typename> class Rule>() {
    CHECK(Rule<float>::name == Rule<double>::name);
    CHECK(Rules::find(Rule<float>::name) == static_cast<int>(names.size()));
    names.insert(std::string(Rule<float>::name));
  });
  CHECK(Rules::find("nothing") == -1);
  return names;
}

struct Refusal {
  std::string key;
  std::string text;
};

Refusal refusal(Kind kind, const Component& given) {
  try {
    catalog::resolve(kind, given);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::invalid_parameter);
    return {error.key(), error.what()};
  }
  return {"", "accepted"};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("rule lists and tables name the same") {
  CHECK(names_of(Kind::activation) == names_in<ActivationRules>());
  std::set<std::string> optimizers = names_in<UpdateRules>();
  for (const FullBatchType& type : full_batch_types) optimizers.insert(std::string(type.name));
  CHECK(names_of(Kind::optimizer) == optimizers);
  std::set<std::string> losses = names_in<ElementwiseLossRules>();
  for (const LossType& type : row_losses) losses.insert(std::string(type.name));
  CHECK(names_of(Kind::loss) == losses);
  std::set<std::string> layers;
  for (const LayerType& type : layer_types) layers.insert(std::string(type.name));
  CHECK(names_of(Kind::layer) == layers);
  std::set<std::string> initializers;
  for (const InitializerType& type : initializer_types) initializers.insert(std::string(type.name));
  CHECK(names_of(Kind::initializer) == initializers);
  std::set<std::string> schedules;
  for (std::string_view name : schedule_names()) schedules.insert(std::string(name));
  CHECK(names_of(Kind::schedule) == schedules);
  for (const RegularizationNumber& number : regularization_numbers) {
    CHECK(catalog::find(Kind::regularization, number.name) != nullptr);
  }
}

TEST_CASE("every entry explains itself and has usable defaults") {
  for (const catalog::Entry& entry : catalog::entries()) {
    CAPTURE(entry.name);
    CHECK_FALSE(entry.summary.empty());
    CHECK(entry.summary.back() == '.');
    CHECK_FALSE(entry.formula.empty());
    CHECK_FALSE(entry.reference.empty());
    CHECK_FALSE(entry.theory.slides.empty());
    CHECK(entry.theory.without.ends_with('.'));
    CHECK(entry.theory.example.starts_with(">>> "));
    CHECK(catalog::find(entry.kind, entry.name) == &entry);
    Component minimal{entry.name, {}};
    for (const catalog::Parameter& parameter : entry.parameters) {
      CAPTURE(parameter.name);
      CHECK_FALSE(parameter.help.empty());
      if (!parameter.required() || parameter.type == catalog::Type::layers) continue;
      if (parameter.type == catalog::Type::integer) {
        minimal.values.set(parameter.name, static_cast<std::int64_t>(parameter.range.low));
      } else if (parameter.type == catalog::Type::numbers) {
        minimal.values.set(parameter.name, std::vector<double>{1.0, 2.0});
      } else if (parameter.type == catalog::Type::component) {
        minimal.values.set(parameter.name, *names_of(parameter.component).begin());
      } else {
        FAIL("say here what a required setting of this type might be");
      }
    }
    const auto settings = std::count_if(
        entry.parameters.begin(), entry.parameters.end(),
        [](const catalog::Parameter& parameter) { return parameter.type != catalog::Type::layers; });
    const Component resolved = catalog::resolve(entry.kind, minimal);
    CHECK(std::ssize(resolved.values.all()) == settings);
    // Resolving again changes nothing and finds no fault.
    CHECK(std::ssize(catalog::resolve(entry.kind, resolved).values.all()) == settings);
  }
}

TEST_CASE("names that are not there") {
  Refusal found = refusal(Kind::optimizer, component("adm"));
  CHECK(found.key == "type");
  CHECK(contains(found.text, "did you mean 'adam'?"));
  CHECK(contains(refusal(Kind::optimizer, component("zzzzzz")).text, "choose from gradient_descent"));
  CHECK(contains(refusal(Kind::activation, component("adam")).text,
                 "unknown activation 'adam', which is of the kind optimizer; choose"));

  found = refusal(Kind::optimizer, component("adam", {{"beta3", 0.5}}));
  CHECK(found.key == "beta3");
  CHECK(contains(found.text, "unknown setting of adam; did you mean 'beta"));
  found = refusal(Kind::initializer, component("zeros", {{"value", 0.5}}));
  CHECK(contains(found.text, "zeros takes no settings"));
  found = refusal(Kind::layer, component("dense"));
  CHECK(found.key == "units");
  CHECK(contains(found.text, "dense needs it"));
}

TEST_CASE("values of the wrong type or out of range") {
  const auto rate = [](Value value) {
    return refusal(Kind::layer, component("dropout", {{"rate", std::move(value)}}));
  };
  CHECK(rate(0.0).text == "accepted");
  CHECK(rate(std::int64_t{0}).text == "accepted");
  for (const Value& value :
       {Value(1.0), Value(-0.1), Value(std::nan("")), Value(INFINITY), Value(std::int64_t{1})}) {
    CHECK(rate(value).key == "rate");
    CHECK(contains(rate(value).text, "must be from 0 and below 1, got"));
  }
  CHECK(contains(rate(true).text, "expected a number (from 0 and below 1), got true"));
  CHECK(contains(rate(std::string("half")).text, "got 'half'"));

  const auto units = [](Value value) {
    return refusal(Kind::layer, component("dense", {{"units", std::move(value)}}));
  };
  CHECK(contains(units(3.0).text, "expected a whole number"));
  CHECK(contains(units(std::int64_t{0}).text, "must be from 1 up to"));
  CHECK(units(std::int64_t{1}).text == "accepted");

  const Refusal mode = refusal(Kind::initializer, component("he_normal", {{"mode", std::string("fan")}}));
  CHECK(mode.key == "mode");
  CHECK(contains(mode.text, "expected one of fan_in, fan_out, got 'fan'"));
  CHECK(contains(refusal(Kind::loss, component("squared_error", {{"half", 1.0}})).text,
                 "expected true or false"));
}

TEST_CASE("numbers that the name of a component stands for") {
  const auto gain = [](Value value) { return component("xavier_normal", {{"gain", std::move(value)}}); };
  const auto number = [&](Value value) {
    return catalog::resolve(Kind::initializer, gain(std::move(value))).values.real("gain");
  };
  const auto table = [](Component inner) { return std::make_shared<const Component>(std::move(inner)); };
  CHECK(number(1.5) == 1.5);
  CHECK(number(std::string("tanh")) == 5.0 / 3.0);
  CHECK(number(std::string("leaky_relu")) == doctest::Approx(std::sqrt(2.0 / 1.0001)).epsilon(1e-15));
  CHECK(number(table(component("leaky_relu", {{"slope", 3.0}}))) == doctest::Approx(std::sqrt(0.2)));

  Refusal found = refusal(Kind::initializer, gain(std::string("silu")));
  CHECK(found.key == "gain");
  CHECK(contains(found.text, "one of identity, sigmoid, tanh, relu, leaky_relu, selu, got 'silu'"));
  CHECK(contains(found.text, "give the number"));
  CHECK(refusal(Kind::initializer, gain(table(component("silu")))).text == found.text);
  found = refusal(Kind::initializer, gain(table(component("leaky_relu", {{"slope", -1.0}}))));
  CHECK(found.key == "gain.slope");
  CHECK(contains(refusal(Kind::initializer, gain(true)).text, "expected a number (above 0), got true"));
  CHECK(contains(refusal(Kind::initializer, gain(0.0)).text, "must be above 0"));
}

TEST_CASE("a block's layers are not resolved with it") {
  CHECK(catalog::resolve(Kind::block, component("columns")).values.text("join") == "concatenate");
  CHECK(refusal(Kind::block, component("residual", {{"body", 1.0}})).key == "body");
  CHECK(contains(refusal(Kind::layer, component("residual")).text, "which is of the kind block"));
}

TEST_CASE("nested components") {
  const auto weights = [](Component inner) {
    return component("dense", {{"units", std::int64_t{2}},
                               {"weight_initializer", std::make_shared<const Component>(std::move(inner))}});
  };
  const Component resolved =
      catalog::resolve(Kind::layer, weights(component("normal", {{"deviation", 2.0}})));
  CHECK(resolved.values.component("weight_initializer").values.real("deviation") == 2.0);
  CHECK(resolved.values.component("weight_initializer").values.real("mean") == 0.0);
  CHECK(resolved.values.component("activation").name == "identity");
  CHECK(refusal(Kind::layer, weights(component("normal", {{"deviation", -2.0}}))).key ==
        "weight_initializer.deviation");
  CHECK(refusal(Kind::layer, weights(component("normall"))).key == "weight_initializer");
  CHECK(refusal(Kind::layer, component("dense", {{"units", std::int64_t{2}}, {"activation", 1.0}})).key ==
        "activation");
}

TEST_CASE("layers and their names") {
  NetworkSpec spec = test::network({4}, {test::dense(3), component("tanh"), test::dense(2)});
  catalog::add_layer(spec, component("flatten"), "last");
  CHECK(spec.layers[0].name == "dense_1");
  CHECK(spec.layers[1].name == "activation_1");
  CHECK(spec.layers[1].component.values.component("function").name == "tanh");
  CHECK(spec.layers[2].name == "dense_2");
  CHECK(spec.layers[3].name == "last");
  CHECK_THROWS_AS(catalog::add_layer(spec, component("flatten"), "a.b"), Error);
  CHECK_THROWS_WITH(catalog::add_layer(spec, component("dens"), ""),
                    "unknown layer 'dens'; did you mean 'dense'?");
}

TEST_CASE("the closest name") {
  const std::vector<std::string> names{"adam", "momentum", "nesterov"};
  CHECK(catalog::closest("adma", names) == "adam");
  CHECK(catalog::closest("momentun", names) == "momentum");
  CHECK(catalog::closest("nestorov", names) == "nesterov");
  CHECK(catalog::closest("xyz", names).empty());
  CHECK(catalog::closest("", names).empty());
  CHECK(catalog::closest("adam", {}).empty());
}

TEST_CASE("ranges as text and as a test") {
  const auto text = [](const catalog::Range& range) { return range.to_string(); };
  CHECK(text({}) == "any number");
  CHECK(text({.low = 0}) == "at least 0");
  CHECK(text({.low = 0, .low_included = false}) == "above 0");
  CHECK(text({.high = 3}) == "at most 3");
  CHECK(text({.high = 3, .high_included = false}) == "below 3");
  CHECK(text({.low = 0, .high = 1, .high_included = false}) == "from 0 and below 1");
  const catalog::Range range{.low = 0, .high = 1, .low_included = false};
  CHECK_FALSE(range.contains(0));
  CHECK(range.contains(1));
  CHECK_FALSE(range.contains(std::nan("")));
}

// Networks for the tests, made as a user would: through the catalog.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

#include "catalog/catalog.h"

namespace ravine::test {

using Settings = std::initializer_list<std::pair<const char*, Value>>;

inline Component component(const std::string& name, Settings settings = {}) {
  Component made{name, {}};
  for (const auto& [key, value] : settings) made.values.set(key, value);
  return made;
}

inline Component dense(std::int64_t units, const std::string& activation = "identity") {
  return component("dense", {{"units", units}, {"activation", activation}});
}

inline NetworkSpec network(Shape input, std::initializer_list<Component> layers) {
  NetworkSpec spec{std::move(input), {}};
  for (const Component& layer : layers) catalog::add_layer(spec, layer, "");
  return spec;
}

inline Component loss(const std::string& name) { return catalog::resolve(catalog::Kind::loss, {name, {}}); }

}  // namespace ravine::test

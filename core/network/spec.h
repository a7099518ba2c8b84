// A network as its user describes it: the shape of one sample, and layers in order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/shape.h"
#include "base/values.h"

namespace ravine {

struct LayerSpec {
  std::string name;     // unique; "dense_1" where the user gave none
  Component component;  // resolved by the catalog
};

struct NetworkSpec {
  Shape input;
  std::vector<LayerSpec> layers;
};

}  // namespace ravine

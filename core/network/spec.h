// A network as its user describes it: the shape of one sample, and layers in order. A layer takes the output
// of the layer before it, or of the layers it names.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/shape.h"
#include "base/values.h"

namespace ravine {

struct LayerSpec {
  std::string name;                      // unique; "dense_1" where the user gave none
  Component component;                   // resolved by the catalog
  std::vector<std::string> inputs = {};  // names of earlier layers, or "input"; empty: the layer before
  int column = -1;                       // of the columns side by side that it stands in; -1: in none
  int columns = 0;                       // how many there are
};

struct NetworkSpec {
  Shape input;
  std::vector<LayerSpec> layers;
};

}  // namespace ravine

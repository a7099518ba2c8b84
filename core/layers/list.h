// Every layer, by the name the catalog gives it.
#pragma once

#include <memory>
#include <string_view>

#include "layers/layer.h"

namespace ravine {

std::unique_ptr<Layer> make_dense(const Values& settings);
std::unique_ptr<Layer> make_activation(const Values& settings);
std::unique_ptr<Layer> make_flatten(const Values& settings);
std::unique_ptr<Layer> make_dropout(const Values& settings);

struct LayerType {
  std::string_view name;
  std::unique_ptr<Layer> (*make)(const Values& settings);
};

inline constexpr LayerType layer_types[] = {
    {"dense", make_dense},
    {"activation", make_activation},
    {"flatten", make_flatten},
    {"dropout", make_dropout},
};

}  // namespace ravine

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
std::unique_ptr<Layer> make_softmax(const Values& settings);
std::unique_ptr<Layer> make_convolution(const Values& settings);
std::unique_ptr<Layer> make_max_pooling(const Values& settings);
std::unique_ptr<Layer> make_average_pooling(const Values& settings);
std::unique_ptr<Layer> make_global_max_pooling(const Values& settings);
std::unique_ptr<Layer> make_global_average_pooling(const Values& settings);

std::unique_ptr<Layer> make_add(const Values& settings);
std::unique_ptr<Layer> make_concatenate(const Values& settings);
std::unique_ptr<Layer> make_batch_normalization(const Values& settings);
std::unique_ptr<Layer> make_layer_normalization(const Values& settings);
std::unique_ptr<Layer> make_group_normalization(const Values& settings);
std::unique_ptr<Layer> make_normalization_propagation(const Values& settings);

struct LayerType {
  std::string_view name;
  std::unique_ptr<Layer> (*make)(const Values& settings);
};

inline constexpr LayerType layer_types[] = {
    {"convolution", make_convolution},
    {"max_pooling", make_max_pooling},
    {"average_pooling", make_average_pooling},
    {"global_max_pooling", make_global_max_pooling},
    {"global_average_pooling", make_global_average_pooling},
    {"dense", make_dense},
    {"activation", make_activation},
    {"flatten", make_flatten},
    {"dropout", make_dropout},
    {"softmax", make_softmax},
    {"add", make_add},
    {"concatenate", make_concatenate},
    {"batch_normalization", make_batch_normalization},
    {"layer_normalization", make_layer_normalization},
    {"group_normalization", make_group_normalization},
    {"normalization_propagation", make_normalization_propagation},
};

}  // namespace ravine

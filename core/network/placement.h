// The operations of a layer where the ranks of a model group compute parts of the network: what this rank
// computes, and what it exchanges with the others. Without such a group, those of the layer alone.
#pragma once

#include <vector>

#include "network/graph.h"

namespace ravine {

struct LayerTensors {
  Forwarded own = {no_tensor, no_tensor};  // what the layer itself leaves
  TensorId output = no_tensor;             // what other layers read; no_tensor where none on this rank does
};

// Split layers gather the columns of their output. The output of a layer that one rank has alone stays there.
LayerTensors add_layer_forward(LayerContext& context, const Graph& graph, int index,
                               const std::vector<TensorId>& inputs);

// Sends the output of a layer that one rank has alone to the others, if any of them reads it.
void add_layer_sending(LayerContext& context, const Graph& graph, int index, LayerTensors& tensors);

// The gradient of each input, no_tensor where it is not needed; those of split layers are sums over all
// ranks.
std::vector<TensorId> add_layer_backward(LayerContext& context, const Graph& graph, int index,
                                         const LayerTensors& forwarded, TensorId output_gradient,
                                         const std::vector<bool>& needed);

// Who measures what of a program, in which the layers with `observed` are measured.
MeasuredBy measured_by(const Graph& graph, const std::vector<bool>& observed);

}  // namespace ravine

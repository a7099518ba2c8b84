// From a graph to the flat list of operations of one mode.
#pragma once

#include "backend/program.h"
#include "losses/loss.h"
#include "network/graph.h"

namespace ravine {

enum class Mode {
  training,     // forward with dropout, loss, backward
  evaluation,   // forward and loss
  prediction,   // forward and link (probabilities)
  moments,      // forward as in evaluation, measuring every layer's output
  net_moments,  // the same, measuring what a layer's parameters give before its activation
};

struct LoweredProgram {
  Program program;
  TensorId input = no_tensor;
  TensorId targets = no_tensor;
  TensorId weights = no_tensor;        // of the rows; may be left unbound
  TensorId second_labels = no_tensor;  // of mixed rows, and the shares of their first; may be left unbound
  TensorId shares = no_tensor;
  TensorId output = no_tensor;           // the last layer's output
  TensorId output_gradient = no_tensor;  // what the loss hands to the backward pass
  TensorId shown = no_tensor;            // prediction: what the user sees
  std::vector<TensorId> parameters = {};
  std::vector<TensorId> gradients = {};
  std::vector<TensorId> state = {};
  // In a model group, what is read on one rank as on the others or not at all: passes must do the same to it
  // on each.
  std::vector<TensorId> crossing = {};
};

// The layers whose output some operation measures.
std::vector<bool> observed_layers(const LoweredProgram& lowered, const Graph& graph);

// `alone`: the rows are all of the batch; in training, others may compute further parts of it.
LoweredProgram lower(const Graph& graph, const Loss& loss, Mode mode, std::int64_t batch, DType dtype,
                     bool alone = true);

}  // namespace ravine

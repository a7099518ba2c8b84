// A network that the ranks of a model group share: what it needs of its graph, its ranks and its optimizer.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "network/graph.h"
#include "network/ranks.h"
#include "optimizers/optimizer.h"

namespace ravine {

// This rank's part; all of it where there is no model group.
Graph part_of(const Graph& whole, const NetworkSpec& spec, const Ranks& ranks);

// Of the squares of parameters; nullptr where a rank has all.
std::unique_ptr<MeasurementMerge> merge_of(const Graph& graph, const Ranks& ranks);

// What of a parameter, or of what a layer keeps, each rank has.
struct ArraySlice {
  Shape whole;
  std::int64_t first;                  // elements before this rank's
  std::int64_t count;                  // of this rank
  int owner;                           // the rank that alone has it, or -1
  std::vector<std::int64_t> of_ranks;  // elements of each, where it is split
};
std::map<std::string, ArraySlice> slices_of(const Graph& graph);

// Throws Error(invalid_parameter) for a rule that needs what this rank has not.
void check_optimizer(const Optimizer& optimizer, const Graph& graph);

}  // namespace ravine

// Shares a network out among the ranks of a model group.
//
// A layer's units are split over all ranks, or one rank has the layer alone (columns side by side), or every
// rank computes it alike. Layers, parameters and state keep their number and order on every rank, so that
// random numbers, records and the order of communication do not depend on the rank; of a parameter a rank has
// a slice of the first extent, which may be empty.
//
// X. Wang, "Optimization for training deep models" (lecture L3), slides 63 to 65; A. Krizhevsky et al., NIPS
// 2012.
#pragma once

#include <string>
#include <vector>

#include "network/graph.h"

namespace ravine {

struct Partition {
  int rank = 0;
  int ranks = 1;
  // Which layers are split: these, or (automatic) dense and convolution layers with enough units a rank,
  // except the last of them.
  bool automatic = true;
  std::vector<std::string> split = {};
};

// Units a rank from which on a layer is split where nothing else is said.
inline constexpr std::int64_t least_units_of_rank = 64;

// The part of a rank. Throws Error(invalid_parameter) where a layer cannot be split so, or nothing would be.
Graph partition(const Graph& whole, const NetworkSpec& spec, const Partition& partition);

}  // namespace ravine

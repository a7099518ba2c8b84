// Who measures what, where the ranks of a model group compute parts of one network.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "backend/measurements.h"

namespace ravine {

class Communicator;

// The rank that measures something, or:
inline constexpr int every_rank = -1;    // each measures the whole, and finds the same
inline constexpr int each_a_slice = -2;  // the whole follows from all ranks' parts

struct MeasuredBy {
  std::vector<int> parameters = {};  // the squares of each; empty: all by every rank
  std::vector<int> layers = {};      // the moments of each
  // Of layers of which each rank measures a slice, the units of each rank.
  std::vector<std::vector<std::int64_t>> units = {};
};
double bytes_of(const MeasuredBy& by);

// Merges what the ranks have measured, in order of rank, so that all know the same bits. Each call is
// collective; nothing is allocated in it.
class MeasurementMerge {
 public:
  MeasurementMerge(Communicator& model, MeasuredBy by);

  // Of parameters, one or two of each. The values of those that another rank has are not read.
  void squares(std::initializer_list<std::vector<double>*> of_parameters) noexcept;
  void squares(std::vector<double>& of_parameters) noexcept { squares({&of_parameters}); }
  void moments(std::vector<OutputMoments>& of_layers) noexcept;

 private:
  const double* of_rank(std::size_t rank, std::size_t values) const { return all_.data() + rank * values; }
  void gather(std::size_t values) noexcept;

  Communicator& model_;
  MeasuredBy by_;
  std::vector<double> mine_;
  std::vector<double> all_;
  std::vector<std::int64_t> bytes_;
};

}  // namespace ravine

#include "backend/measured_by.h"

#include <algorithm>

#include "communication/communicator.h"

namespace ravine {
namespace {

constexpr std::size_t numbers = 3;      // mean, variance, zeros
constexpr std::size_t most_arrays = 2;  // of squares, merged at once

void put(const OutputMoments& moments, double* to) {
  to[0] = moments.mean;
  to[1] = moments.variance;
  to[2] = moments.zeros;
}

}  // namespace

double bytes_of(const MeasuredBy& by) {
  return static_cast<double>((by.parameters.size() + numbers * by.layers.size()) * sizeof(double));
}

MeasurementMerge::MeasurementMerge(Communicator& model, MeasuredBy by) : model_(model), by_(std::move(by)) {
  const auto ranks = static_cast<std::size_t>(model.ranks());
  mine_.resize(std::max(most_arrays * by_.parameters.size(), numbers * by_.layers.size()));
  all_.resize(ranks * mine_.size());
  bytes_.resize(ranks);
}

void MeasurementMerge::gather(std::size_t values) noexcept {
  std::fill(bytes_.begin(), bytes_.end(), static_cast<std::int64_t>(values * sizeof(double)));
  model_.gather(mine_.data(), all_.data(), bytes_.data());
}

void MeasurementMerge::squares(std::initializer_list<std::vector<double>*> of_parameters) noexcept {
  const std::size_t count = by_.parameters.size();
  if (count == 0) return;
  std::size_t values = 0;
  for (const std::vector<double>* squares : of_parameters) {
    std::copy_n(squares->begin(), count, mine_.begin() + static_cast<std::ptrdiff_t>(values));
    values += count;
  }
  gather(values);
  std::size_t first = 0;
  for (std::vector<double>* squares : of_parameters) {
    for (std::size_t i = 0; i < count; ++i) {
      const int by = by_.parameters[i];
      const auto of = [&](std::size_t rank) { return of_rank(rank, values)[first + i]; };
      if (by >= 0) (*squares)[i] = of(static_cast<std::size_t>(by));
      if (by != each_a_slice) continue;
      (*squares)[i] = 0;
      for (std::size_t rank = 0; rank < bytes_.size(); ++rank) (*squares)[i] += of(rank);
    }
    first += count;
  }
}

// Slices by Chan, Golub and LeVeque (1983); every unit has as many values as another.
void MeasurementMerge::moments(std::vector<OutputMoments>& of_layers) noexcept {
  const std::size_t count = by_.layers.size();
  if (count == 0) return;
  for (std::size_t i = 0; i < count; ++i) put(of_layers[i], mine_.data() + numbers * i);
  gather(numbers * count);
  const auto from = [&](std::size_t rank, std::size_t layer) {
    const double* values = of_rank(rank, numbers * count) + numbers * layer;
    return OutputMoments{values[0], values[1], values[2]};
  };
  for (std::size_t i = 0; i < count; ++i) {
    const int by = by_.layers[i];
    if (by >= 0) of_layers[i] = from(static_cast<std::size_t>(by), i);
    if (by != each_a_slice) continue;
    OutputMoments whole{};
    double units = 0;
    for (std::size_t rank = 0; rank < bytes_.size(); ++rank) {
      const OutputMoments part = from(rank, i);
      const auto more = static_cast<double>(by_.units[i][rank]);
      units += more;
      const double share = more / units;
      const double difference = part.mean - whole.mean;
      whole.variance +=
          share * (part.variance - whole.variance) + share * (1 - share) * difference * difference;
      whole.mean += share * difference;
      whole.zeros += share * (part.zeros - whole.zeros);
    }
    of_layers[i] = whole;
  }
}

}  // namespace ravine

// Where the rows of a chunk's batches lie, and what was measured of several parts of a batch.
#pragma once

#include "network/network.h"

namespace ravine {

class BatchRows {
 public:
  BatchRows(const TrainingChunk& chunk, const Graph& graph, const Loss& loss, DType dtype);

  // Points a plan at as many rows as it takes, from this one of the chunk on.
  void bind(ExecutionPlan& plan, std::int64_t row) const;
  // The arrays from that row on, as StepRows has them.
  std::array<const void*, batch_arrays> from(std::int64_t row) const;
  const void* input(std::int64_t row) const {
    return static_cast<const std::byte*>(chunk_.inputs) + row * input_bytes_;
  }

 private:
  const TrainingChunk& chunk_;
  DType dtype_;
  std::int64_t input_bytes_;  // of a row
  std::int64_t target_bytes_;
};

// Sums over the parts of a batch; of moments, by the parts' rows.
class MergedMeasurements {
 public:
  MergedMeasurements(std::size_t layers, std::size_t parameters);
  void clear() noexcept { rows_ = 0; }
  void add(const Measurements& part, std::int64_t rows) noexcept;

  Measurements whole;  // the squares of the gradient are not in it

 private:
  std::int64_t rows_ = 0;
};

}  // namespace ravine

// Samples that lie in the memory of a device, which makes batches of them there: gathers rows, converts and
// scales them, changes pictures at random as the CPU does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/dtype.h"
#include "rules/augmentation/step.h"

namespace ravine {

// The steps of an augmentation, but for mixing.
struct PictureSteps {
  std::vector<augmentation::Step> steps;
  std::uint64_t seed = 0;
  int height = 0;  // of the pictures that are stored, and of the result
  int width = 0;
  int channels = 0;
  int out_height = 0;
  int out_width = 0;

  std::int64_t values() const { return std::int64_t{out_height} * out_width * channels; }
};

// Sample i becomes a share of itself and the rest of another one.
struct MixedSamples {
  bool mixes = false;
  std::uint32_t place = 0;  // in the list of steps: part of the key
  double alpha = 1;
  double probability = 1;
};

struct RowsRequest {
  std::int64_t samples = 0;
  DType stored = DType::float32;   // of inputs: uint8, float32 or float64
  std::int64_t stored_values = 0;  // of one
  DType dtype = DType::float32;    // of the network's arrays
  std::int64_t values = 0;         // of one of its inputs
  bool labels = false;             // int32 targets
  std::int64_t target_values = 1;  // of one
  bool weighted = false;
  // (x - mean) * scale of each value, or empty: as they are.
  std::vector<double> mean;
  std::vector<double> scale;
  // Of pictures of bytes: as a training sees them, and an evaluation; no values: as they are stored.
  PictureSteps training;
  PictureSteps evaluation;
  MixedSamples mixed;
  std::vector<float> quantiles;  // of the normal distribution, where a step adds noise
};

// Rows in the device's memory, one behind the other.
struct GatheredRows {
  const void* inputs = nullptr;
  const void* targets = nullptr;
  const void* weights = nullptr;
  const std::int32_t* second_labels = nullptr;
  const void* shares = nullptr;
};

class ResidentRows {
 public:
  virtual ~ResidentRows() = default;
  // What all takes of the device's memory that is there from the beginning.
  virtual std::size_t bytes() const = 0;
  // Takes in samples from `first` on, as they are stored.
  virtual void write_inputs(std::int64_t first, std::int64_t count, const void* inputs) = 0;
  virtual void write_targets(const void* targets, const void* weights) = 0;
  // The samples at these places, each below their number, as they are in an epoch of the training, or, where
  // that is negative, in an evaluation. They stay until the next call.
  virtual GatheredRows gather(const std::int64_t* indices, std::int64_t count, std::int64_t epoch) = 0;
};

class Backend;

// Memory for samples; null where batches come from the host alone.
std::unique_ptr<ResidentRows> keep_rows(Backend& backend, const RowsRequest& request);

}  // namespace ravine

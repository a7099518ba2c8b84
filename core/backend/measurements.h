// What a program measures of itself.
#pragma once

#include <cstdint>
#include <vector>

namespace ravine {

// Moments of a layer's output.
struct OutputMoments {
  double mean = 0;
  double variance = 0;
  double zeros = 0;  // fraction
};

// Sized once; filled by the first worker at the end of each section.
struct Measurements {
  double loss = 0;           // weighted sum over the rows
  double weight = 0;         // sum of the rows' weights; their number where they have none
  std::int64_t correct = 0;  // rows whose largest output is the label
  std::int64_t correct_top5 = 0;
  std::vector<OutputMoments> layers;     // per observed layer
  std::vector<double> gradient_squares;  // per parameter
};

// 0 where no row has a weight.
inline double mean_loss(const Measurements& measured) {
  return measured.weight > 0 ? measured.loss / measured.weight : measured.loss;
}

}  // namespace ravine

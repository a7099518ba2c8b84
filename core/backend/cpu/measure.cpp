#include "backend/cpu/measure.h"

namespace ravine::cpu {

OutputMoments combine(const std::vector<PartialMoments>& partials) {
  double count = 0;
  double mean = 0;
  double spread = 0;  // sum of squared deviations from the mean
  double zeros = 0;
  for (const PartialMoments& partial : partials) {
    if (partial.count == 0) continue;
    const double shifted_mean = partial.sum / partial.count;
    const double own_mean = partial.shift + shifted_mean;
    const double own_spread = partial.squares - partial.sum * shifted_mean;
    const double total = count + partial.count;
    const double difference = own_mean - mean;
    spread += own_spread + difference * difference * count * partial.count / total;
    mean += difference * partial.count / total;
    count = total;
    zeros += partial.zeros;
  }
  if (count == 0) return {};
  const double variance = spread / count;
  return {mean, variance < 0 ? 0.0 : variance, zeros / count};
}

}  // namespace ravine::cpu

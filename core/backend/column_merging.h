// How what the parts of a batch have found of columns becomes that of the whole, in the order of the parts;
// for the meetings of every backend.
#pragma once

#include <cstdint>

namespace ravine {

// A part gives its count of rows, then the mean and the biased variance of each column.
inline std::int64_t merged_moments_size(std::int64_t columns) { return 1 + 2 * columns; }

// By Chan, Golub and LeVeque (1983); returns the count of all.
template <typename T>
T merge_moments(const double* numbers, std::int64_t parts, std::int64_t columns, T* means,
                T* variances) noexcept {
  const std::int64_t size = merged_moments_size(columns);
  double count = 0;
  for (std::int64_t i = 0; i < columns; ++i) {
    count = 0;
    double mean = 0, spread = 0;
    for (std::int64_t part = 0; part < parts; ++part) {
      const double* of_part = numbers + part * size;
      const double rows = of_part[0];
      const double difference = of_part[1 + i] - mean;
      const double share = rows / (count + rows);
      spread += rows * of_part[1 + columns + i] + difference * difference * count * share;
      mean += difference * share;
      count += rows;
    }
    means[i] = static_cast<T>(mean);
    variances[i] = static_cast<T>(spread / count);
  }
  return static_cast<T>(count);
}

// A part gives two sums of each column: all first ones, then all second ones.
template <typename T>
void merge_sums(const double* numbers, std::int64_t parts, std::int64_t columns, T* firsts,
                T* seconds) noexcept {
  for (std::int64_t i = 0; i < 2 * columns; ++i) {
    double sum = 0;
    for (std::int64_t part = 0; part < parts; ++part) sum += numbers[part * 2 * columns + i];
    (i < columns ? firsts[i] : seconds[i - columns]) = static_cast<T>(sum);
  }
}

}  // namespace ravine

// QR by Householder reflections. G. Golub, C. Van Loan, "Matrix Computations", 5.2; the signs: F. Mezzadri,
// "How to generate random matrices from the classical compact groups", 2007.
#include "initializers/orthogonal.h"

#include <cmath>
#include <vector>

namespace ravine {
namespace {

// In eight partial sums, which the compiler keeps in vectors; their order never changes.
double dot(const double* a, const double* b, std::int64_t count) {
  double partial[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int lane = 0; lane < 8; ++lane) partial[lane] += a[i + lane] * b[i + lane];
  }
  for (; i < count; ++i) partial[0] += a[i] * b[i];
  double sum = 0;
  for (double value : partial) sum += value;
  return sum;
}

// target -= 2 (v . target) / (v . v) v.
void reflect(const double* v, double scale, double* target, std::int64_t count) {
  const double factor = scale * dot(v, target, count);
  for (std::int64_t i = 0; i < count; ++i) target[i] -= factor * v[i];
}

// `vectors` holds `count` vectors of `length` each, count <= length: becomes Q's columns.
void orthonormalize(std::vector<double>& vectors, std::int64_t count, std::int64_t length) {
  const auto at = [length](std::vector<double>& all, std::int64_t vector, std::int64_t element) {
    return all.data() + vector * length + element;
  };
  std::vector<double> scales(static_cast<std::size_t>(count));
  std::vector<double> q(vectors.size(), 0.0);
  for (std::int64_t k = 0; k < count; ++k) {
    double* v = at(vectors, k, k);
    const double norm = std::sqrt(dot(v, v, length - k));
    const double diagonal = v[0] > 0 ? -norm : norm;  // of R; away from v[0], so that nothing cancels
    *at(q, k, k) = diagonal < 0 ? -1.0 : 1.0;
    v[0] -= diagonal;
    const double squares = dot(v, v, length - k);
    const double scale = squares > 0 ? 2.0 / squares : 0.0;
    scales[static_cast<std::size_t>(k)] = scale;
    for (std::int64_t j = k + 1; j < count; ++j) reflect(v, scale, at(vectors, j, k), length - k);
  }
  for (std::int64_t k = count; k-- > 0;) {
    for (std::int64_t j = k; j < count; ++j) {
      reflect(at(vectors, k, k), scales[static_cast<std::size_t>(k)], at(q, j, k), length - k);
    }
  }
  vectors = std::move(q);
}

}  // namespace

void orthogonalize(double* matrix, std::int64_t rows, std::int64_t columns) {
  const bool tall = rows >= columns;
  const std::int64_t count = tall ? columns : rows;
  const std::int64_t length = tall ? rows : columns;
  std::vector<double> vectors(static_cast<std::size_t>(rows * columns));
  const auto element = [&](std::int64_t vector, std::int64_t i) -> double& {
    return tall ? matrix[i * columns + vector] : matrix[vector * columns + i];
  };
  for (std::int64_t j = 0; j < count; ++j) {
    for (std::int64_t i = 0; i < length; ++i)
      vectors[static_cast<std::size_t>(j * length + i)] = element(j, i);
  }
  orthonormalize(vectors, count, length);
  for (std::int64_t j = 0; j < count; ++j) {
    for (std::int64_t i = 0; i < length; ++i)
      element(j, i) = vectors[static_cast<std::size_t>(j * length + i)];
  }
}

}  // namespace ravine

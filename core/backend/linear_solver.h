// Dense linear equations on the host.
#pragma once

#include <cstdint>
#include <vector>

namespace ravine {

// Memory that a solver keeps from call to call.
struct SolverMemory {
  std::vector<double> numbers;
  std::vector<std::int32_t> integers;
  std::vector<std::int32_t> pivots;
};

// Solves A x = b for a symmetric matrix of n rows; x takes the place of b, and A is overwritten. Returns an
// estimate of 1 / (|A| |A^-1|), 0 for a matrix that has no inverse (b is then left alone) or is not finite.
double solve_symmetric(std::int64_t n, double* matrix, double* vector, SolverMemory& memory);

}  // namespace ravine

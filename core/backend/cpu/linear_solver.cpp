// Dense linear equations by the LAPACK within OpenBLAS, on one thread.
#include "backend/linear_solver.h"

#include <cmath>

#include "backend/cpu/blas.h"

// The Fortran symbols are declared here: not every system has a header for them.
extern "C" {
void RAVINE_BLAS(dgetrf_)(const blasint* rows, const blasint* columns, double* matrix, const blasint* stride,
                          blasint* pivots, blasint* fault);
void RAVINE_BLAS(dgetrs_)(const char* transpose, const blasint* n, const blasint* vectors,
                          const double* matrix, const blasint* stride, const blasint* pivots, double* vector,
                          const blasint* vector_stride, blasint* fault, std::size_t length);
void RAVINE_BLAS(dgecon_)(const char* norm, const blasint* n, const double* matrix, const blasint* stride,
                          const double* size, double* condition, double* work, blasint* integers,
                          blasint* fault, std::size_t length);
}

namespace ravine {

double solve_symmetric(std::int64_t n, double* matrix, double* vector, SolverMemory& memory) {
  if (n == 0) return 1;
  cpu::use_one_blas_thread();
  double size = 0;  // the largest sum of magnitudes of a column
  for (std::int64_t column = 0; column < n; ++column) {
    double sum = 0;
    for (std::int64_t row = 0; row < n; ++row) sum += std::abs(matrix[column * n + row]);
    if (!std::isfinite(sum)) return 0;
    if (sum > size) size = sum;
  }
  const auto order = static_cast<blasint>(n);
  const blasint one = 1;
  blasint fault = 0;
  static_assert(sizeof(blasint) == sizeof(std::int32_t));
  memory.integers.resize(static_cast<std::size_t>(n));
  memory.pivots.resize(static_cast<std::size_t>(n));
  memory.numbers.resize(static_cast<std::size_t>(4 * n));
  RAVINE_BLAS(dgetrf_)(&order, &order, matrix, &order, memory.pivots.data(), &fault);
  if (fault != 0) return 0;
  double condition = 0;
  RAVINE_BLAS(dgecon_)
  ("1", &order, matrix, &order, &size, &condition, memory.numbers.data(), memory.integers.data(), &fault, 1);
  RAVINE_BLAS(dgetrs_)
  ("N", &order, &one, matrix, &order, memory.pivots.data(), vector, &order, &fault, 1);
  return condition;
}

}  // namespace ravine

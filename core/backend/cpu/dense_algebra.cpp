// Products and eigenvectors by OpenBLAS and the LAPACK within it.
#include "backend/dense_algebra.h"

#include <cmath>
#include <vector>

#include "backend/cpu/blas.h"

extern "C" {
void RAVINE_BLAS(dsyevd_)(const char* vectors, const char* triangle, const blasint* n, double* matrix,
                          const blasint* stride, double* values, double* work, const blasint* work_size,
                          blasint* integers, const blasint* integers_size, blasint* fault,
                          std::size_t vectors_length, std::size_t triangle_length);
}

namespace ravine {
namespace {

blasint integer(std::int64_t value) { return static_cast<blasint>(value); }

}  // namespace

void scatter_matrix(std::int64_t rows, std::int64_t columns, const double* data, double* output) {
  cpu::use_one_blas_thread();
  RAVINE_BLAS(cblas_dsyrk)
  (CblasRowMajor, CblasLower, CblasTrans, integer(columns), integer(rows), 1.0, data, integer(columns), 0.0,
   output, integer(columns));
  for (std::int64_t row = 0; row < columns; ++row) {
    for (std::int64_t column = row + 1; column < columns; ++column) {
      output[row * columns + column] = output[column * columns + row];
    }
  }
}

void multiply(std::int64_t m, std::int64_t n, std::int64_t k, const double* left, const double* right,
              double* output) {
  cpu::use_one_blas_thread();
  RAVINE_BLAS(cblas_dgemm)
  (CblasRowMajor, CblasNoTrans, CblasNoTrans, integer(m), integer(n), integer(k), 1.0, left, integer(k),
   right, integer(n), 0.0, output, integer(n));
}

bool symmetric_eigen(std::int64_t n, double* matrix, double* values) {
  cpu::use_one_blas_thread();
  for (std::int64_t i = 0; i < n * n; ++i) {
    if (!std::isfinite(matrix[i])) return false;
  }
  const blasint order = integer(n);
  const blasint ask = -1;
  double work_size = 0;
  blasint integers_size = 0;
  blasint fault = 0;
  // LAPACK counts columns first: the lower triangle of ours is its upper one, its columns are our rows.
  const auto run = [&](double* work, blasint size, blasint* integers, blasint count) {
    RAVINE_BLAS(dsyevd_)
    ("V", "U", &order, matrix, &order, values, work, &size, integers, &count, &fault, 1, 1);
  };
  run(&work_size, ask, &integers_size, ask);
  std::vector<double> work(static_cast<std::size_t>(work_size));
  std::vector<blasint> integers(static_cast<std::size_t>(integers_size));
  run(work.data(), integer(static_cast<std::int64_t>(work.size())), integers.data(), integers_size);
  return fault == 0;
}

}  // namespace ravine

// Float64 matrices on the host, on the calling thread, so that bits do not depend on how many threads there
// are.
#pragma once

#include <cstdint>

namespace ravine {

// output[columns, columns] = the sum of x x^T over the rows x of data[rows, columns].
void scatter_matrix(std::int64_t rows, std::int64_t columns, const double* data, double* output);

// output[m, n] = left[m, k] right[k, n].
void multiply(std::int64_t m, std::int64_t n, std::int64_t k, const double* left, const double* right,
              double* output);

// Eigenvalues in ascending order; the matrix [n, n], of which the lower triangle is read, becomes its
// eigenvectors, one a row. False where the iteration does not converge or the matrix is not finite.
bool symmetric_eigen(std::int64_t n, double* matrix, double* values);

}  // namespace ravine

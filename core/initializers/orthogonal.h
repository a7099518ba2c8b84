// Matrices with orthonormal rows or columns.
#pragma once

#include <cstdint>

namespace ravine {

// Turns a row-major matrix into the Q of its QR decomposition, with signs that make the diagonal of R
// positive, so that a normal matrix gives a uniformly distributed one: orthonormal columns where rows >=
// columns, else orthonormal rows.
void orthogonalize(double* matrix, std::int64_t rows, std::int64_t columns);

}  // namespace ravine

#include "backend/dense_algebra.h"

#include <algorithm>
#include <cstdint>

#include "bindings.h"

namespace ravine::bindings {
namespace {

using Matrix = py::array_t<double, py::array::c_style>;

const double* data_of(const Matrix& matrix, const std::string& name) {
  if (matrix.ndim() != 2 || matrix.shape(0) > INT32_MAX || matrix.shape(1) > INT32_MAX) {
    throw py::value_error(name + " must be a float64 matrix of fewer than 2^31 rows and columns");
  }
  return matrix.data();
}

}  // namespace

void bind_dense_algebra(py::module_& module) {
  module.def(
      "scatter_matrix",
      [](const Matrix& rows) {
        const double* data = data_of(rows, "rows");
        const py::ssize_t count = rows.shape(0);
        const py::ssize_t columns = rows.shape(1);
        Matrix output({columns, columns});
        double* out = output.mutable_data();
        const py::gil_scoped_release release;
        scatter_matrix(count, columns, data, out);
        return output;
      },
      py::arg("rows").noconvert(),
      "Sum of x x^T over the rows x [count, columns], on one thread: the same bits at any time.");
  module.def(
      "multiply",
      [](const Matrix& left, const Matrix& right) {
        const double* left_data = data_of(left, "left");
        const double* right_data = data_of(right, "right");
        if (left.shape(1) != right.shape(0)) throw py::value_error("the matrices do not fit each other");
        const py::ssize_t m = left.shape(0);
        const py::ssize_t n = right.shape(1);
        const py::ssize_t k = left.shape(1);
        Matrix output({m, n});
        double* out = output.mutable_data();
        const py::gil_scoped_release release;
        multiply(m, n, k, left_data, right_data, out);
        return output;
      },
      py::arg("left").noconvert(), py::arg("right").noconvert(),
      "The product [m, n] of [m, k] and [k, n], on one thread: the same bits at any time.");
  module.def(
      "symmetric_eigen",
      [](const Matrix& matrix) {
        const double* data = data_of(matrix, "matrix");
        const py::ssize_t n = matrix.shape(0);
        if (matrix.shape(1) != n) throw py::value_error("matrix must be square");
        Matrix vectors({n, n});
        py::array_t<double> values(n);
        double* vectors_data = vectors.mutable_data();
        double* values_data = values.mutable_data();
        std::copy(data, data + n * n, vectors_data);
        bool found = false;
        {
          const py::gil_scoped_release release;
          found = symmetric_eigen(n, vectors_data, values_data);
        }
        if (!found) throw py::value_error("no eigenvectors were found");
        return py::make_tuple(values, vectors);
      },
      py::arg("matrix").noconvert(),
      "Eigenvalues, ascending, and eigenvectors (rows) of a symmetric matrix, on one thread.");
}

}  // namespace ravine::bindings

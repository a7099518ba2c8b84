// Products of the twin: the definition, element by element.
#include "backend/cuda/matrix_product.h"

#include <string>

namespace ravine::cuda {
namespace {

template <typename T>
class PlainProduct final : public LibraryProduct<T> {
 public:
  PlainProduct(Stream& stream, const ColumnMajorProduct& product) : stream_(stream), product_(product) {}

  void run(const T* a, const T* b, const T* bias, T* c) noexcept override {
    const ColumnMajorProduct& p = product_;
    const twin::Access access(stream_);
    for (std::int64_t column = 0; column < p.n; ++column) {
      for (std::int64_t row = 0; row < p.m; ++row) {
        double sum = bias == nullptr ? 0.0 : static_cast<double>(bias[row]);
        for (std::int64_t i = 0; i < p.k; ++i) {
          const T left = a[p.transpose_a ? row * p.a_stride + i : i * p.a_stride + row];
          const T right = b[p.transpose_b ? i * p.b_stride + column : column * p.b_stride + i];
          sum += static_cast<double>(left) * static_cast<double>(right);
        }
        c[column * p.c_stride + row] = static_cast<T>(sum);
      }
    }
  }

 private:
  Stream& stream_;
  ColumnMajorProduct product_;
};

}  // namespace

// As cuBLASLt in device/, so that both ways are taken.
template <>
bool adds_bias(const float* bias) {
  return reinterpret_cast<std::uintptr_t>(bias) % 16 == 0;
}
template <>
bool adds_bias(const double*) {
  return false;
}

template <typename T>
std::unique_ptr<LibraryProduct<T>> make_library_product(Stream& stream, const ColumnMajorProduct& product) {
  return std::make_unique<PlainProduct<T>>(stream, product);
}
template std::unique_ptr<LibraryProduct<float>> make_library_product(Stream&, const ColumnMajorProduct&);
template std::unique_ptr<LibraryProduct<double>> make_library_product(Stream&, const ColumnMajorProduct&);

std::string library_name() { return "plain loops"; }

}  // namespace ravine::cuda

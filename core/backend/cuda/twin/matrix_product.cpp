// Products of the twin: the definition, element by element.
#include "backend/cuda/matrix_product.h"

#include <bit>
#include <string>

#include "backend/cuda/cells.h"

namespace ravine::cuda {
namespace {

// To the nearest of 11 significant bits.
float rounded_to_tf32(float value) {
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(value) + 0x1000u) & 0xffffe000u);
}

class PlainProduct final : public LibraryProduct {
 public:
  PlainProduct(Stream& stream, const ProductRequest& request) : stream_(stream), request_(request) {}

  void run(const void* a, const void* b, void* c, void* extra) noexcept override {
    if (stream_.failed()) return;
    const ColumnMajorProduct& p = request_.extents;
    const twin::Access access(stream_);
    for (std::int64_t column = 0; column < p.n; ++column) {
      if (request_.epilogue == ProductEpilogue::sum_b) {
        double sum = 0;
        for (std::int64_t i = 0; i < p.k; ++i) sum += load(b, b_index(i, column));
        store(extra, column, sum);
      }
      for (std::int64_t row = 0; row < p.m; ++row) {
        double sum = 0;
        for (std::int64_t i = 0; i < p.k; ++i)
          sum += factor(a, a_index(row, i)) * factor(b, b_index(i, column));
        if (request_.epilogue == ProductEpilogue::add_bias) sum += load_output(extra, row);
        store(c, column * p.c_stride + row, sum);
      }
    }
  }

 private:
  std::int64_t a_index(std::int64_t row, std::int64_t i) const {
    const ColumnMajorProduct& p = request_.extents;
    return p.transpose_a ? row * p.a_stride + i : i * p.a_stride + row;
  }
  std::int64_t b_index(std::int64_t i, std::int64_t column) const {
    const ColumnMajorProduct& p = request_.extents;
    return p.transpose_b ? i * p.b_stride + column : column * p.b_stride + i;
  }

  static double load(DType dtype, const void* data, std::int64_t i) {
    if (dtype == DType::float64) return static_cast<const double*>(data)[i];
    return static_cast<double>(Cells<float>{const_cast<void*>(data), dtype == DType::bfloat16}.load(i));
  }
  double load(const void* data, std::int64_t i) const { return load(request_.factors, data, i); }
  double load_output(const void* data, std::int64_t i) const { return load(request_.output, data, i); }
  double factor(const void* data, std::int64_t i) const {
    const double value = load(data, i);
    const bool rounds = request_.tf32 && request_.factors == DType::float32;
    return rounds ? static_cast<double>(rounded_to_tf32(static_cast<float>(value))) : value;
  }
  void store(void* data, std::int64_t i, double value) const {
    if (request_.output == DType::float64) {
      static_cast<double*>(data)[i] = value;
    } else {
      Cells<float>{data, request_.output == DType::bfloat16}.store(i, static_cast<float>(value));
    }
  }

  Stream& stream_;
  ProductRequest request_;
};

}  // namespace

// It has not more than cuBLASLt in device/ has, so that both ways are taken.
std::unique_ptr<LibraryProduct> make_library_product(Stream& stream, const ProductRequest& request) {
  const bool plain = request.epilogue == ProductEpilogue::none;
  if (!plain && (request.factors == DType::float64 || request.extra_alignment % 16 != 0)) return nullptr;
  if (!plain && request.output == DType::bfloat16) return nullptr;
  return std::make_unique<PlainProduct>(stream, request);
}

std::string library_name() { return "plain loops"; }

std::string lacks_for_bfloat16(int) { return ""; }

}  // namespace ravine::cuda

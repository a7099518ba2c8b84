// The operations that are one function of each element, and those that move elements.
#include "backend/cuda/measure.h"

namespace ravine::cuda {
namespace {

template <typename T>
struct Added {
  RAVINE_HOST_DEVICE T operator()(std::int64_t, const T (&x)[2]) const { return x[0] + x[1]; }
};

template <typename T>
struct Scaled {
  T factor;
  T shift;
  RAVINE_HOST_DEVICE T operator()(std::int64_t, const T (&x)[1]) const { return factor * x[0] + shift; }
};

template <typename T>
struct CopyColumn {
  Cells<T> input;
  Cells<T> output;
  std::int64_t input_stride;
  std::int64_t output_stride;
  std::int64_t columns;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t column = column_of(i, columns);
    const std::int64_t row = (i - column) / columns;
    output.store(row * output_stride + column, input.load(row * input_stride + column));
  }
};

template <typename T>
class AddOperation final : public CudaOperation {
 public:
  AddOperation(const Add& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        observer_(preparation, o.observe, preparation.elements(o.output)) {}
  void run(const RunContext& context) noexcept override {
    observer_.store<T>(element_map(Added<T>{}, cells<T>(operation_.output), cells<T>(operation_.left),
                                   cells<T>(operation_.right)),
                       context);
  }

 private:
  Add operation_;
  Observer observer_;
};

template <typename T>
class AffineOperation final : public CudaOperation {
 public:
  AffineOperation(const Affine& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        observer_(preparation, o.observe, preparation.elements(o.output)) {}
  void run(const RunContext& context) noexcept override {
    const Scaled<T> scaled{static_cast<T>(operation_.factor), static_cast<T>(operation_.shift)};
    observer_.store<T>(element_map(scaled, cells<T>(operation_.output), cells<T>(operation_.input)), context);
  }

 private:
  Affine operation_;
  Observer observer_;
};

template <typename T>
class CopyColumnsOperation final : public CudaOperation {
 public:
  CopyColumnsOperation(const CopyColumns& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        rows_(preparation.rows(o.input)),
        input_stride_(preparation.columns(o.input)),
        output_stride_(preparation.columns(o.output)) {}
  void run(const RunContext&) noexcept override {
    for_each(stream_, rows_ * operation_.columns,
             CopyColumn<T>{cells<T>(operation_.input).from(operation_.input_column),
                           cells<T>(operation_.output).from(operation_.output_column), input_stride_,
                           output_stride_, operation_.columns});
  }

 private:
  CopyColumns operation_;
  std::int64_t rows_;
  std::int64_t input_stride_;
  std::int64_t output_stride_;
};

}  // namespace

template <typename T>
Prepared prepare_elementwise(const Add& o, const Preparation& preparation) {
  return std::make_unique<AddOperation<T>>(o, preparation);
}
template <typename T>
Prepared prepare_elementwise(const Affine& o, const Preparation& preparation) {
  return std::make_unique<AffineOperation<T>>(o, preparation);
}
template <typename T>
Prepared prepare_elementwise(const CopyColumns& o, const Preparation& preparation) {
  return std::make_unique<CopyColumnsOperation<T>>(o, preparation);
}

template Prepared prepare_elementwise<float>(const Add&, const Preparation&);
template Prepared prepare_elementwise<double>(const Add&, const Preparation&);
template Prepared prepare_elementwise<float>(const Affine&, const Preparation&);
template Prepared prepare_elementwise<double>(const Affine&, const Preparation&);
template Prepared prepare_elementwise<float>(const CopyColumns&, const Preparation&);
template Prepared prepare_elementwise<double>(const CopyColumns&, const Preparation&);

}  // namespace ravine::cuda

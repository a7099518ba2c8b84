// Convolution as a product: the values under each position of the window become one row of a matrix.
#include <algorithm>
#include <type_traits>
#include <vector>

#include "backend/cpu/convolution_engine.h"
#include "backend/cpu/product_engine.h"
#include "backend/cpu/rounded_product.h"
#include "backend/cpu/simd/kernels.h"

namespace ravine::cpu {
namespace {

template <typename T>
std::unique_ptr<ProductEngine<T>> make_engine(const ProductShape& shape, int workers,
                                              [[maybe_unused]] bool bfloat16) {
  if constexpr (std::is_same_v<T, float>) {
    if (bfloat16) return make_rounded_product(shape, workers);
  }
  return make_product<T>(shape, workers);
}

template <typename T>
class UnfoldedConvolution final : public ConvolutionEngine<T> {
 public:
  UnfoldedConvolution(ConvolutionKind kind, const ConvolutionShape& shape, int workers,
                      const OperandForms& forms)
      : kind_(kind),
        shape_(shape),
        forms_(forms),
        group_channels_(shape.channels / shape.groups),
        group_filters_(shape.filters / shape.groups),
        positions_(shape.out_height * shape.out_width),
        values_(shape.window.height * shape.window.width * group_channels_),
        // Windows of one value that do not skip any are rows of the image as it is.
        plain_(shape.window.height == 1 && shape.window.width == 1 && shape.window.stride == 1 &&
               shape.window.top == 0 && shape.window.left == 0 && shape.out_height == shape.height &&
               shape.out_width == shape.width) {
    const std::int64_t row = plain_ ? shape.channels : values_;
    switch (kind) {
      case ConvolutionKind::forward:
        product_ =
            make_engine<T>({positions_, group_filters_, values_, false, true, row, values_, shape.filters},
                           workers, forms.bfloat16());
        break;
      case ConvolutionKind::input_gradient:
        product_ =
            make_engine<T>({positions_, values_, group_filters_, false, false, shape.filters, values_, row},
                           workers, forms.bfloat16());
        break;
      case ConvolutionKind::weight_gradient:
        product_ =
            make_engine<T>({group_filters_, values_, positions_, true, false, shape.filters, row, values_},
                           workers, forms.bfloat16());
        break;
    }
    for (int worker = 0; worker < workers; ++worker) {
      rows_.emplace_back(plain_ ? 0 : positions_ * values_);
      if (kind == ConvolutionKind::weight_gradient) sums_.emplace_back(group_filters_ * values_);
      const auto widened = [](OperandForm form, std::int64_t elements) {
        return AlignedArray<T>(form == OperandForm::stored ? elements : 0);
      };
      const bool from_input = kind != ConvolutionKind::input_gradient;
      first_.push_back(widened(forms.first, from_input ? shape.input_elements() : shape.output_elements()));
      second_.push_back(widened(forms.second, shape.output_elements()));
    }
  }

  std::int64_t own_elements() const override { return shape_.weight_elements(); }
  void import_part(int, const T* weights, T* own) noexcept override {
    std::copy(weights, weights + own_elements(), own);
  }
  void export_part(int, const T* own, T* weights) noexcept override {
    std::copy(own, own + own_elements(), weights);
  }

  void run(int worker, std::int64_t images, const void* first, const void* second,
           T* result) noexcept override {
    const std::int64_t input = shape_.input_elements();
    const std::int64_t output = shape_.output_elements();
    const auto own = static_cast<std::size_t>(worker);
    if (kind_ == ConvolutionKind::input_gradient) std::fill(result, result + images * input, T(0));
    for (std::int64_t image = 0; image < images; ++image) {
      const bool from_input = kind_ != ConvolutionKind::input_gradient;
      const T* left = image_of(forms_.first, first, image, from_input ? input : output, first_[own]);
      const T* right = kind_ == ConvolutionKind::weight_gradient
                           ? image_of(forms_.second, second, image, output, second_[own])
                           : static_cast<const T*>(second);
      for (std::int64_t group = 0; group < shape_.groups; ++group) {
        switch (kind_) {
          case ConvolutionKind::forward:
            forward(worker, group, left, right, result + image * output);
            break;
          case ConvolutionKind::input_gradient:
            input_gradient(worker, group, left, right, result + image * input);
            break;
          case ConvolutionKind::weight_gradient:
            weight_gradient(worker, group, left, right, result, image > 0);
            break;
        }
      }
    }
  }

  const char* name() const override { return product_->name(); }

 private:
  // An image of an operand, in T.
  static const T* image_of(OperandForm form, const void* images, std::int64_t image, std::int64_t elements,
                           const AlignedArray<T>& widened) noexcept {
    if constexpr (std::is_same_v<T, float>) {
      if (form == OperandForm::stored) {
        kernels<T>().bfloat16.widen(static_cast<const Bfloat16*>(images) + image * elements, widened.get(),
                                    elements);
        return widened.get();
      }
    }
    return static_cast<const T*>(images) + image * elements;
  }

  void forward(int worker, std::int64_t group, const T* image, const T* weights, T* output) noexcept {
    product_->run(worker, unfolded(worker, group, image), weights + group * group_filters_ * values_,
                  output + group * group_filters_);
  }

  void input_gradient(int worker, std::int64_t group, const T* output_gradient, const T* weights,
                      T* gradient) noexcept {
    T* rows = plain_ ? gradient + group * group_channels_ : rows_[static_cast<std::size_t>(worker)].get();
    product_->run(worker, output_gradient + group * group_filters_,
                  weights + group * group_filters_ * values_, rows);
    if (plain_) return;
    visit(group, gradient, rows, [this](T* cell, T* value) {
      for (std::int64_t c = 0; c < group_channels_; ++c) cell[c] += value[c];
    });
  }

  void weight_gradient(int worker, std::int64_t group, const T* image, const T* output_gradient, T* gradient,
                       bool adds) noexcept {
    const std::int64_t count = group_filters_ * values_;
    T* own = gradient + group * count;
    T* sum = adds ? sums_[static_cast<std::size_t>(worker)].get() : own;
    product_->run(worker, output_gradient + group * group_filters_, unfolded(worker, group, image), sum);
    if (!adds) return;
    for (std::int64_t i = 0; i < count; ++i) own[i] += sum[i];
  }

  const T* unfolded(int worker, std::int64_t group, const T* image) noexcept {
    if (plain_) return image + group * group_channels_;
    T* rows = rows_[static_cast<std::size_t>(worker)].get();
    std::fill(rows, rows + positions_ * values_, T(0));
    visit(group, image, rows, [this](const T* cell, T* value) {
      for (std::int64_t c = 0; c < group_channels_; ++c) value[c] = cell[c];
    });
    return rows;
  }

  // Calls `pair` for each value under each position of the window: its channels in the image and in the row.
  template <typename Image, typename Pair>
  void visit(std::int64_t group, Image* image, T* rows, const Pair& pair) const noexcept {
    const Window& window = shape_.window;
    for (std::int64_t y = 0; y < shape_.out_height; ++y) {
      for (std::int64_t x = 0; x < shape_.out_width; ++x) {
        T* row = rows + (y * shape_.out_width + x) * values_;
        for (std::int64_t i = 0; i < window.height; ++i) {
          const std::int64_t image_y = y * window.stride - window.top + i * window.dilation;
          if (image_y < 0 || image_y >= shape_.height) continue;
          for (std::int64_t j = 0; j < window.width; ++j) {
            const std::int64_t image_x = x * window.stride - window.left + j * window.dilation;
            if (image_x < 0 || image_x >= shape_.width) continue;
            pair(image + (image_y * shape_.width + image_x) * shape_.channels + group * group_channels_,
                 row + (i * window.width + j) * group_channels_);
          }
        }
      }
    }
  }

  ConvolutionKind kind_;
  ConvolutionShape shape_;
  OperandForms forms_;
  std::int64_t group_channels_;
  std::int64_t group_filters_;
  std::int64_t positions_;
  std::int64_t values_;  // under the window, in one group
  bool plain_;
  std::unique_ptr<ProductEngine<T>> product_;
  std::vector<AlignedArray<T>> rows_;  // one a worker
  std::vector<AlignedArray<T>> sums_;
  std::vector<AlignedArray<T>> first_, second_;  // an image of what is stored in bfloat16
};

}  // namespace

template <typename T>
std::unique_ptr<ConvolutionEngine<T>> make_unfolded_convolution(ConvolutionKind kind,
                                                                const ConvolutionShape& shape, int workers,
                                                                const OperandForms& forms) {
  return std::make_unique<UnfoldedConvolution<T>>(kind, shape, workers, forms);
}
template std::unique_ptr<ConvolutionEngine<float>> make_unfolded_convolution<float>(ConvolutionKind,
                                                                                    const ConvolutionShape&,
                                                                                    int, const OperandForms&);
template std::unique_ptr<ConvolutionEngine<double>> make_unfolded_convolution<double>(ConvolutionKind,
                                                                                      const ConvolutionShape&,
                                                                                      int,
                                                                                      const OperandForms&);

}  // namespace ravine::cpu

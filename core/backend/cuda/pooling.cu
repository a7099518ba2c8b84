// Pooling and its gradient: a thread a value of what is written, neighbours of channels side by side.
#include <limits>

#include "backend/cuda/divider.h"
#include "backend/cuda/gradient_finish.h"
#include "backend/cuda/measure.h"
#include "rules/activations/relu.h"

namespace ravine::cuda {
namespace {

struct PoolingExtents {
  std::int32_t height, width, channels, out_height, out_width;
  std::int32_t window_height, window_width, stride, top, left;
};

PoolingExtents extents_of(const Preparation& preparation, TensorId input, TensorId output,
                          const Window& window) {
  const Shape& in = preparation.program.tensor(input).shape;
  const Shape& out = preparation.program.tensor(output).shape;
  const auto number = [](std::int64_t extent) { return static_cast<std::int32_t>(extent); };
  return {number(in[1]),      number(in[2]),         number(in[3]),        number(out[1]),
          number(out[2]),     number(window.height), number(window.width), number(window.stride),
          number(window.top), number(window.left)};
}

// Cells of a window, from one up to another: those over the image.
struct Span {
  std::int32_t begin, end;
  RAVINE_HOST_DEVICE std::int32_t count() const { return end - begin; }
};
RAVINE_HOST_DEVICE Span inside(std::int32_t first, std::int32_t window, std::int32_t extent) {
  return {first < 0 ? -first : 0, first + window > extent ? extent - first : window};
}

// An image, a row, a column and a channel.
struct PixelPlace {
  std::int64_t image;
  std::int32_t y, x, channel;
};
RAVINE_HOST_DEVICE PixelPlace place_of(std::int64_t i, std::int32_t height, std::int32_t width,
                                       std::int32_t channels) {
  const std::int64_t pixel = i / channels;
  const std::int64_t line = pixel / width;
  return {line / height, static_cast<std::int32_t>(line % height), static_cast<std::int32_t>(pixel % width),
          static_cast<std::int32_t>(i % channels)};
}

// The first of equal values is the largest; NaN is larger than any number.
template <typename T>
struct MaximumPooling {
  PoolingExtents e;
  Cells<T> input;
  Cells<T> output;
  std::int32_t* positions;

  RAVINE_HOST_DEVICE T value(std::int64_t i) const {
    const PixelPlace place = place_of(i, e.out_height, e.out_width, e.channels);
    const std::int32_t y = place.y * e.stride - e.top;
    const std::int32_t x = place.x * e.stride - e.left;
    const Span rows = inside(y, e.window_height, e.height);
    const Span columns = inside(x, e.window_width, e.width);
    T best = -std::numeric_limits<T>::infinity();
    std::int32_t where = rows.begin * e.window_width + columns.begin;
    for (std::int32_t row = rows.begin; row < rows.end; ++row) {
      const std::int64_t line = (place.image * e.height + y + row) * e.width + x;
      for (std::int32_t column = columns.begin; column < columns.end; ++column) {
        const T found = input.load((line + column) * e.channels + place.channel);
        if (found > best || found != found) {
          best = found;
          where = row * e.window_width + column;
        }
      }
    }
    if (positions != nullptr) positions[i] = where;
    return best;
  }
  RAVINE_HOST_DEVICE void store(std::int64_t i, T value) const { output.store(i, value); }
};

// The mean over the values of the image: padding is not counted.
template <typename T>
struct AveragePooling {
  PoolingExtents e;
  Cells<T> input;
  Cells<T> output;

  RAVINE_HOST_DEVICE T value(std::int64_t i) const {
    const PixelPlace place = place_of(i, e.out_height, e.out_width, e.channels);
    const std::int32_t y = place.y * e.stride - e.top;
    const std::int32_t x = place.x * e.stride - e.left;
    const Span rows = inside(y, e.window_height, e.height);
    const Span columns = inside(x, e.window_width, e.width);
    T sum = 0;
    for (std::int32_t row = rows.begin; row < rows.end; ++row) {
      const std::int64_t line = (place.image * e.height + y + row) * e.width + x;
      for (std::int32_t column = columns.begin; column < columns.end; ++column) {
        sum += input.load((line + column) * e.channels + place.channel);
      }
    }
    return sum * (T(1) / static_cast<T>(rows.count() * columns.count()));
  }
  RAVINE_HOST_DEVICE void store(std::int64_t i, T value) const { output.store(i, value); }
};

// Of a place of the image, the windows over it give it their gradient, where it was their largest value, or
// their share; then perhaps the derivative of the relu before.
template <typename T>
struct PoolingGradientKernel {
  PoolingExtents e;
  Cells<T> output_gradient;
  const std::int32_t* positions;  // null: averages
  Cells<T> input_gradient;
  Cells<T> relu_output;
  Relu<T> relu;

  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    const PixelPlace place = place_of(i, e.height, e.width, e.channels);
    const Span rows = windows_over(place.y + e.top, e.window_height, e.out_height);
    const Span columns = windows_over(place.x + e.left, e.window_width, e.out_width);
    T sum = 0;
    for (std::int32_t row = rows.begin; row < rows.end; ++row) {
      const std::int32_t y = row * e.stride - e.top;
      for (std::int32_t column = columns.begin; column < columns.end; ++column) {
        const std::int32_t x = column * e.stride - e.left;
        const std::int64_t at =
            ((place.image * e.out_height + row) * e.out_width + column) * e.channels + place.channel;
        if (positions == nullptr) {
          const std::int32_t cells =
              inside(y, e.window_height, e.height).count() * inside(x, e.window_width, e.width).count();
          sum += T(1) / static_cast<T>(cells) * output_gradient.load(at);
        } else if (positions[at] == (place.y - y) * e.window_width + place.x - x) {
          sum += output_gradient.load(at);
        }
      }
    }
    if (relu_output.exists()) sum *= relu.derivative(T(0), relu_output.load(i));
    input_gradient.store(i, sum);
  }

 private:
  // `place` with the padding before it.
  RAVINE_HOST_DEVICE Span windows_over(std::int32_t place, std::int32_t window, std::int32_t count) const {
    const std::int32_t before = place - window;  // the last place of which no window ends here
    const std::int32_t end = place / e.stride + 1;
    return {before < 0 ? 0 : before / e.stride + 1, end < count ? end : count};
  }
};

template <typename T>
class PoolingOperation final : public CudaOperation {
 public:
  PoolingOperation(const Pooling& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        extents_(extents_of(preparation, o.input, o.output, o.window)),
        observer_(preparation, o.observe, preparation.elements(o.output)) {}

  void run(const RunContext& context) noexcept override {
    const Cells<T> input = cells<T>(operation_.input);
    const Cells<T> output = cells<T>(operation_.output);
    if (operation_.kind == PoolingKind::maximum) {
      observer_.store<T>(MaximumPooling<T>{extents_, input, output, at<std::int32_t>(operation_.positions)},
                         context);
    } else {
      observer_.store<T>(AveragePooling<T>{extents_, input, output}, context);
    }
  }

 private:
  Pooling operation_;
  PoolingExtents extents_;
  Observer observer_;
};

template <typename T>
class PoolingGradientOperation final : public CudaOperation {
 public:
  PoolingGradientOperation(const PoolingGradient& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        extents_(extents_of(preparation, o.output, o.output_gradient, o.window)),
        elements_(preparation.elements(o.output)) {
    if (!o.activation_gradient) return;
    if (o.activation_gradient->name == "relu") {
      relu_within_ = o.activation_output;
      return;
    }
    finish_ = prepare_gradient_finish<T>(
        {o.output, no_tensor, o.activation_gradient, o.activation_input, o.activation_output}, preparation);
  }

  void run(const RunContext& context) noexcept override {
    for_each(stream_, elements_,
             PoolingGradientKernel<T>{
                 extents_, cells<T>(operation_.output_gradient), at<const std::int32_t>(operation_.positions),
                 cells<T>(operation_.output), cells<T>(relu_within_), Relu<T>(Values{})});
    if (finish_ != nullptr) finish_->run(context);
  }

 private:
  PoolingGradient operation_;
  PoolingExtents extents_;
  std::int64_t elements_;
  TensorId relu_within_ = no_tensor;
  Prepared finish_;  // may be nothing
};

}  // namespace

template <typename T>
Prepared prepare_pooling(const Pooling& o, const Preparation& preparation) {
  return std::make_unique<PoolingOperation<T>>(o, preparation);
}
template <typename T>
Prepared prepare_pooling(const PoolingGradient& o, const Preparation& preparation) {
  return std::make_unique<PoolingGradientOperation<T>>(o, preparation);
}
template Prepared prepare_pooling<float>(const Pooling&, const Preparation&);
template Prepared prepare_pooling<double>(const Pooling&, const Preparation&);
template Prepared prepare_pooling<float>(const PoolingGradient&, const Preparation&);
template Prepared prepare_pooling<double>(const PoolingGradient&, const Preparation&);

}  // namespace ravine::cuda

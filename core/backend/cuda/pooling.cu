// Pooling and its gradient: a thread a value of what is written, or a pack of neighbouring channels.
#include <limits>

#include "backend/cuda/gradient_finish.h"
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

// Cells of a window, or windows, from one up to another.
struct Span {
  std::int32_t begin, end;
  RAVINE_HOST_DEVICE std::int32_t count() const { return end - begin; }
};
// The cells over the image.
RAVINE_HOST_DEVICE Span inside(std::int32_t first, std::int32_t window, std::int32_t extent) {
  return {first < 0 ? -first : 0, first + window > extent ? extent - first : window};
}

// The quotient, and the remainder in its place.
RAVINE_HOST_DEVICE std::int64_t divide(std::int64_t& i, std::int32_t divisor) {
  const std::int64_t quotient =
      i <= 0xFFFFFFFFll ? std::int64_t{static_cast<std::uint32_t>(i) / static_cast<std::uint32_t>(divisor)}
                        : i / divisor;
  i -= quotient * divisor;
  return quotient;
}

struct PixelPlace {
  std::int64_t image;
  std::int32_t y, x, channel;
};
RAVINE_HOST_DEVICE PixelPlace place_of(std::int64_t i, std::int32_t height, std::int32_t width,
                                       std::int32_t channels) {
  std::int64_t channel = i;
  std::int64_t x = divide(channel, channels);
  std::int64_t y = divide(x, width);
  const std::int64_t image = divide(y, height);
  return {image, static_cast<std::int32_t>(y), static_cast<std::int32_t>(x),
          static_cast<std::int32_t>(channel)};
}

template <int count, typename T>
RAVINE_HOST_DEVICE void load(const Cells<T>& cells, std::int64_t first, T (&values)[count]) {
  if constexpr (count == 1) {
    values[0] = cells.load(first);
  } else {
    const Pack<T> pack = cells.load_pack(first);
    for (int j = 0; j < count; ++j) values[j] = pack.values[j];
  }
}

// The windows of the output; `Reduce` begins, sees the cells over the image one after the other, and ends.
template <typename T, typename Reduce>
struct WindowPooling {
  PoolingExtents e;
  Cells<T> input;
  Reduce reduce;

  template <int count>
  RAVINE_HOST_DEVICE void compute(std::int64_t i, T (&values)[count]) const {
    const PixelPlace place = place_of(i, e.out_height, e.out_width, e.channels);
    const std::int32_t y = place.y * e.stride - e.top;
    const std::int32_t x = place.x * e.stride - e.left;
    const Span rows = inside(y, e.window_height, e.height);
    const Span columns = inside(x, e.window_width, e.width);
    std::int32_t where[count];
    for (int j = 0; j < count; ++j) {
      values[j] = Reduce::first();
      where[j] = rows.begin * e.window_width + columns.begin;
    }
    for (std::int32_t row = rows.begin; row < rows.end; ++row) {
      const std::int64_t line = (place.image * e.height + y + row) * e.width + x;
      for (std::int32_t column = columns.begin; column < columns.end; ++column) {
        T found[count];
        load(input, (line + column) * e.channels + place.channel, found);
        for (int j = 0; j < count; ++j) {
          Reduce::see(found[j], row * e.window_width + column, values[j], where[j]);
        }
      }
    }
    reduce.end(i, rows.count() * columns.count(), values, where);
  }
};

// The first of equal values is the largest; NaN is larger than any number.
template <typename T>
struct Maximum {
  std::int32_t* positions;  // null where they are not kept

  RAVINE_HOST_DEVICE static T first() { return -std::numeric_limits<T>::infinity(); }
  RAVINE_HOST_DEVICE static void see(T value, std::int32_t cell, T& best, std::int32_t& where) {
    if (!(value > best || value != value)) return;
    best = value;
    where = cell;
  }
  template <int count>
  RAVINE_HOST_DEVICE void end(std::int64_t i, std::int32_t, T (&)[count],
                              const std::int32_t (&where)[count]) const {
    if (positions == nullptr) return;
    if constexpr (count % 4 == 0) {
      for (int j = 0; j < count; j += 4) {
        Vector vector;
        for (int k = 0; k < 4; ++k) vector.words[k] = static_cast<std::uint32_t>(where[j + k]);
        vector.store(positions + i + j);
      }
    } else {
      for (int j = 0; j < count; ++j) positions[i + j] = where[j];
    }
  }
};

// The mean over the values of the image: padding is not counted.
template <typename T>
struct Average {
  RAVINE_HOST_DEVICE static T first() { return 0; }
  RAVINE_HOST_DEVICE static void see(T value, std::int32_t, T& sum, std::int32_t&) { sum += value; }
  template <int count>
  RAVINE_HOST_DEVICE void end(std::int64_t, std::int32_t cells, T (&values)[count],
                              const std::int32_t (&)[count]) const {
    const T share = T(1) / static_cast<T>(cells);
    for (int j = 0; j < count; ++j) values[j] *= share;
  }
};

// Of a place of the image, the windows over it give it their gradient, where it was their largest value, or
// their share; then perhaps the derivative of the relu before.
template <typename T>
struct WindowsOver {
  PoolingExtents e;
  Cells<T> output_gradient;
  const std::int32_t* positions;  // null: averages
  Cells<T> relu_output;
  Relu<T> relu;

  template <int count>
  RAVINE_HOST_DEVICE void compute(std::int64_t i, T (&sums)[count]) const {
    const PixelPlace place = place_of(i, e.height, e.width, e.channels);
    const Span rows = windows_over(place.y + e.top, e.window_height, e.out_height);
    const Span columns = windows_over(place.x + e.left, e.window_width, e.out_width);
    for (int j = 0; j < count; ++j) sums[j] = 0;
    for (std::int32_t row = rows.begin; row < rows.end; ++row) {
      const std::int32_t y = row * e.stride - e.top;
      for (std::int32_t column = columns.begin; column < columns.end; ++column) {
        const std::int32_t x = column * e.stride - e.left;
        const std::int64_t at =
            ((place.image * e.out_height + row) * e.out_width + column) * e.channels + place.channel;
        T found[count];
        load(output_gradient, at, found);
        if (positions == nullptr) {
          const std::int32_t cells =
              inside(y, e.window_height, e.height).count() * inside(x, e.window_width, e.width).count();
          const T share = T(1) / static_cast<T>(cells);
          for (int j = 0; j < count; ++j) sums[j] += share * found[j];
        } else {
          const std::int32_t cell = (place.y - y) * e.window_width + place.x - x;
          for (int j = 0; j < count; ++j) sums[j] += positions[at + j] == cell ? found[j] : T(0);
        }
      }
    }
    if (!relu_output.exists()) return;
    T outputs[count];
    load(relu_output, i, outputs);
    for (int j = 0; j < count; ++j) sums[j] *= relu.derivative(T(0), outputs[j]);
  }

 private:
  // `place` with the padding before it.
  RAVINE_HOST_DEVICE Span windows_over(std::int32_t place, std::int32_t window, std::int32_t count) const {
    const std::int32_t before = place - window;  // the last place of which no window reaches here
    const std::int32_t end = place / e.stride + 1;
    return {before < 0 ? 0 : before / e.stride + 1, end < count ? end : count};
  }
};

// Stores what `Compute` computes, packs of channels at once where all lie well for it.
template <typename T, typename Compute>
struct PoolingMap {
  static constexpr int at_once = Pack<T>::count;

  Compute compute;
  Cells<T> to;
  bool packed;

  RAVINE_HOST_DEVICE T value(std::int64_t i) const {
    T values[1];
    compute.compute(i, values);
    return values[0];
  }
  template <typename See>
  RAVINE_HOST_DEVICE void run(std::int64_t first, std::int64_t end, const See& see) const {
    if (packed && first + at_once <= end) {
      Pack<T> pack;
      compute.compute(first, pack.values);
      for (int j = 0; j < at_once; ++j) see(pack.values[j]);
      to.store_pack(first, pack);
      return;
    }
    for (std::int64_t i = first; i < end && i < first + at_once; ++i) {
      const T result = value(i);
      to.store(i, result);
      see(result);
    }
  }
};

template <typename T, typename Compute, typename... Others>
PoolingMap<T, Compute> pooling_map(const Compute& compute, Cells<T> to, const Others&... others) {
  const bool whole = compute.e.channels % Pack<T>::count == 0;
  return {compute, to, whole && to.is_aligned() && (others.is_aligned() && ...)};
}

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
    const auto store = [&](const auto& reduce) {
      const WindowPooling<T, std::decay_t<decltype(reduce)>> pooling{extents_, input, reduce};
      observer_.store<T>(pooling_map(pooling, cells<T>(operation_.output), input), context);
    };
    if (operation_.kind == PoolingKind::maximum) {
      store(Maximum<T>{at<std::int32_t>(operation_.positions)});
    } else {
      store(Average<T>{});
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
    } else {
      finish_ = make_gradient_finish<T>(o.activation_gradient);
    }
  }

  void run(const RunContext&) noexcept override {
    const Cells<T> gradient = cells<T>(operation_.output_gradient);
    const Cells<T> relu_output = cells<T>(relu_within_);
    const Cells<T> output = cells<T>(operation_.output);
    const WindowsOver<T> windows{extents_, gradient, at<const std::int32_t>(operation_.positions),
                                 relu_output, Relu<T>(Values{})};
    store_all(stream_, elements_, pooling_map(windows, output, gradient, relu_output));
    if (finish_ == nullptr) return;
    finish_->run(
        stream_, elements_,
        {output, {}, cells<T>(operation_.activation_input), cells<T>(operation_.activation_output), output});
  }

 private:
  PoolingGradient operation_;
  PoolingExtents extents_;
  std::int64_t elements_;
  TensorId relu_within_ = no_tensor;
  std::unique_ptr<GradientFinish<T>> finish_;  // may be nothing
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

// Convolutions by Winograd's minimal filtering: 36 products at points take the place of one over all values
// of a window, with less than half of the multiplications. Tiles of the output are some values square; those
// of the input under them overlap. The gradients are the transposed maps.
#include <algorithm>
#include <vector>

#include "backend/cpu/convolution_engine.h"
#include "backend/cpu/simd/kernels.h"

namespace ravine::cpu {
namespace {

constexpr std::int64_t step = 4;   // from tile to tile, and the size of the output's
constexpr std::int64_t line = 16;  // elements; planes lie one more apart, out of each other's cache sets

std::int64_t rounded_up(std::int64_t value, std::int64_t unit) { return (value + unit - 1) / unit * unit; }

// Copies float32 values, rounded to bfloat16.
void copy_rounded(const float* from, std::int64_t count, float* to) noexcept {
  constexpr std::int64_t at_once = 256;
  Bfloat16 rounded[at_once];
  for (std::int64_t begin = 0; begin < count; begin += at_once) {
    const std::int64_t some = std::min(at_once, count - begin);
    kernels<float>().bfloat16.round(from + begin, rounded, some);
    kernels<float>().bfloat16.widen(rounded, to + begin, some);
  }
}
// There is none in float64.
void copy_rounded(const double*, std::int64_t, double*) noexcept {}

// Images of a batch inside larger ones: what lies around them is zero.
template <typename T>
class Frame {
 public:
  Frame(std::int64_t height, std::int64_t width, std::int64_t channels, std::int64_t top, std::int64_t left,
        std::int64_t outer_height, std::int64_t outer_width)
      : height_(height),
        row_(width * channels),
        outer_height_(outer_height),
        outer_row_(outer_width * channels),
        offset_(top * outer_row_ + left * channels) {}

  bool is_plain() const { return height_ == outer_height_ && row_ == outer_row_; }
  std::int64_t elements() const { return outer_height_ * outer_row_; }
  template <typename Stored>
  void put(const Stored* images, std::int64_t count, Stored* frames) const noexcept {
    for_each_row(count, [&](std::int64_t inner, std::int64_t outer) {
      std::copy_n(images + inner, row_, frames + outer);
    });
  }
  void put_rounded(const T* images, std::int64_t count, T* frames) const noexcept {
    for_each_row(count, [&](std::int64_t inner, std::int64_t outer) {
      copy_rounded(images + inner, row_, frames + outer);
    });
  }
  void take(const T* frames, std::int64_t count, T* images) const noexcept {
    for_each_row(count, [&](std::int64_t inner, std::int64_t outer) {
      std::copy_n(frames + outer, row_, images + inner);
    });
  }

 private:
  template <typename Visit>
  void for_each_row(std::int64_t count, const Visit& visit) const noexcept {
    for (std::int64_t image = 0; image < count; ++image) {
      for (std::int64_t y = 0; y < height_; ++y) {
        visit((image * height_ + y) * row_, image * elements() + offset_ + y * outer_row_);
      }
    }
  }

  std::int64_t height_, row_, outer_height_, outer_row_, offset_;
};

template <typename T>
class WinogradConvolution final : public ConvolutionEngine<T> {
 public:
  WinogradConvolution(ConvolutionKind kind, const ConvolutionShape& shape, std::int64_t images, int workers,
                      const OperandForms& forms)
      : kind_(kind),
        forms_(forms),
        channels_(shape.channels),
        filters_(shape.filters),
        size_(shape.window.height),
        points_((size_ + step - 1) * (size_ + step - 1)),
        loops_(size_ == 3 ? kernels<T>().winograd3 : kernels<T>().winograd5),
        across_(rounded_up(shape.out_width, step) / step),
        down_(rounded_up(shape.out_height, step) / step),
        input_height_(step * down_ + size_ - 1),
        input_width_(step * across_ + size_ - 1),
        input_(shape.height, shape.width, channels_, shape.window.top, shape.window.left, input_height_,
               input_width_),
        output_(shape.out_height, shape.out_width, filters_, 0, 0, step * down_, step * across_),
        input_elements_(shape.input_elements()),
        output_elements_(shape.output_elements()),
        weight_plane_(channels_ * filters_ + line),
        window_(size_ * size_ * channels_),
        windows_(kind == ConvolutionKind::forward ? shape.weight_elements() : 0),
        rounded_(rounds_weights() ? shape.weight_elements() : 0) {
    // As many tiles at once as leave room in the cache: some images, or a part of one.
    constexpr std::int64_t bytes_in_cache = 288 * 1024;
    const std::int64_t bytes = points_ * (channels_ + filters_) * static_cast<std::int64_t>(sizeof(T));
    const std::int64_t fit = std::max<std::int64_t>(1, bytes_in_cache / bytes);
    const std::int64_t of_image = across_ * down_;
    group_ = std::clamp<std::int64_t>(fit / of_image, 1, images);
    const std::int64_t parts = (group_ * of_image + fit - 1) / fit;
    tiles_ = (group_ * of_image + parts - 1) / parts;
    for (int worker = 0; worker < workers; ++worker) workers_.push_back(make_worker());
  }

  bool reorders() const override { return true; }
  std::int64_t own_elements() const override {
    return kind_ == ConvolutionKind::weight_gradient ? channels_ * filters_ * size_ * size_
                                                     : points_ * weight_plane_;
  }

  // Of some filters each.
  int parts() const override { return static_cast<int>(filters_ / line); }
  // To points: [point][channel][filter], or [point][filter][channel] for the input's gradient.
  void import_part(int part, const T* weights, T* own) noexcept override {
    const std::int64_t first = part * line;
    const T* given = weights + first * window_;
    if (rounds_weights()) {
      T* rounded = rounded_.get() + first * window_;
      copy_rounded(given, line * window_, rounded);
      given = rounded;
    }
    if (kind_ == ConvolutionKind::input_gradient) {
      for (std::int64_t filter = 0; filter < line; ++filter) {
        loops_.weights(given + filter * window_, channels_, own + (first + filter) * channels_, weight_plane_,
                       channels_);
      }
      return;
    }
    T* ordered = windows_.get() + first * window_;  // [height][width][channel][some filters]
    kernels<T>().transpose({given, line, window_, window_}, ordered, line);
    for (std::int64_t channel = 0; channel < channels_; ++channel) {
      loops_.weights(ordered + channel * line, channels_ * line, own + channel * filters_ + first,
                     weight_plane_, line);
    }
  }
  // Of the gradient, which has the order [height][width][channel][filter].
  void export_part(int part, const T* own, T* weights) noexcept override {
    const std::int64_t first = part * line;
    kernels<T>().transpose({own + first, window_, line, filters_}, weights + first * window_, window_);
  }

  void run(int worker, std::int64_t images, const void* first, const void* second,
           T* result) noexcept override {
    Worker& own = workers_[static_cast<std::size_t>(worker)];
    for (std::int64_t image = 0; image < images; image += group_) {
      const std::int64_t count = std::min(group_, images - image);
      switch (kind_) {
        case ConvolutionKind::forward:
          forward(own, count, at(first, forms_.first, image * input_elements_), static_cast<const T*>(second),
                  result + image * output_elements_);
          break;
        case ConvolutionKind::input_gradient:
          input_gradient(own, count, at(first, forms_.first, image * output_elements_),
                         static_cast<const T*>(second), result + image * input_elements_);
          break;
        case ConvolutionKind::weight_gradient:
          weight_gradient(own, count, at(first, forms_.first, image * input_elements_),
                          at(second, forms_.second, image * output_elements_), image > 0);
          break;
      }
    }
    if (kind_ == ConvolutionKind::weight_gradient) {
      loops_.weights_gradient(own.weights.get(), weight_plane_, result, channels_ * filters_,
                              channels_ * filters_);
    }
  }

  const char* name() const override { return "Winograd"; }

 private:
  bool rounds_weights() const {
    return kind_ != ConvolutionKind::weight_gradient && forms_.second == OperandForm::rounded;
  }
  static const void* at(const void* images, OperandForm form, std::int64_t offset) {
    const std::size_t size = form == OperandForm::stored ? sizeof(Bfloat16) : sizeof(T);
    return static_cast<const std::byte*>(images) + offset * static_cast<std::int64_t>(size);
  }
  // One worker's own memory. Around the images in the frames is zero for good.
  struct Worker {
    AlignedArray<T> input, output;                      // in frames
    AlignedArray<T> input_at_points, output_at_points;  // [point][tile][channel or filter]
    AlignedArray<T> weights;                            // [point][channel][filter], of the gradient
  };

  Worker make_worker() const {
    const bool gradient = kind_ == ConvolutionKind::weight_gradient;
    const bool rounds = forms_.first == OperandForm::rounded || forms_.second == OperandForm::rounded;
    const auto frames = [&](const Frame<T>& frame) {
      return AlignedArray<T>(frame.is_plain() && !rounds ? 0 : group_ * frame.elements());
    };
    return {frames(input_), frames(output_), AlignedArray<T>(points_ * input_plane()),
            AlignedArray<T>(points_ * output_plane()),
            AlignedArray<T>(gradient ? points_ * weight_plane_ : 0)};
  }

  std::int64_t input_plane() const { return tiles_ * channels_ + line; }
  std::int64_t output_plane() const { return tiles_ * filters_ + line; }

  // Calls visit(tiles of the input, the same of the output) for the tiles of some images, part by part.
  template <typename Visit>
  void for_each_part(std::int64_t images, const Visit& visit) const noexcept {
    const std::int64_t all = images * across_ * down_;
    for (std::int64_t tile = 0; tile < all; tile += tiles_) {
      const std::int64_t count = std::min(tiles_, all - tile);
      visit(
          WinogradTiles{tile, count, across_, down_, input_height_, input_width_, channels_, input_plane()},
          WinogradTiles{tile, count, across_, down_, step * down_, step * across_, filters_, output_plane()});
    }
  }

  // Images in frames, stored as they were.
  static const void* framed(const Frame<T>& frame, OperandForm form, std::int64_t count, const void* images,
                            T* frames) noexcept {
    if (form == OperandForm::rounded) {
      frame.put_rounded(static_cast<const T*>(images), count, frames);
      return frames;
    }
    if (frame.is_plain()) return images;
    if (form == OperandForm::stored) {
      frame.put(static_cast<const Bfloat16*>(images), count, reinterpret_cast<Bfloat16*>(frames));
    } else {
      frame.put(static_cast<const T*>(images), count, frames);
    }
    return frames;
  }

  void input_to_points(const WinogradTiles& tiles, OperandForm form, const void* images,
                       T* at_points) const noexcept {
    if (form == OperandForm::stored) {
      loops_.stored_input(tiles, static_cast<const Bfloat16*>(images), at_points);
    } else {
      loops_.input(tiles, static_cast<const T*>(images), at_points);
    }
  }
  void gradient_to_points(const WinogradTiles& tiles, OperandForm form, const void* images,
                          T* at_points) const noexcept {
    if (form == OperandForm::stored) {
      loops_.stored_output_gradient(tiles, static_cast<const Bfloat16*>(images), at_points);
    } else {
      loops_.output_gradient(tiles, static_cast<const T*>(images), at_points);
    }
  }

  void forward(Worker& own, std::int64_t count, const void* input, const T* weights, T* output) noexcept {
    const void* images = framed(input_, forms_.first, count, input, own.input.get());
    T* results = output_.is_plain() ? output : own.output.get();
    for_each_part(count, [&](const WinogradTiles& in, const WinogradTiles& out) {
      input_to_points(in, forms_.first, images, own.input_at_points.get());
      for (std::int64_t point = 0; point < points_; ++point) {
        kernels<T>().product({own.input_at_points.get() + point * in.plane, channels_, 1}, in.count, filters_,
                             channels_, weights + point * weight_plane_, filters_,
                             own.output_at_points.get() + point * out.plane, filters_);
      }
      loops_.output(out, own.output_at_points.get(), results);
    });
    if (!output_.is_plain()) output_.take(results, count, output);
  }

  void input_gradient(Worker& own, std::int64_t count, const void* output_gradient, const T* weights,
                      T* input_gradient) noexcept {
    const void* gradients = framed(output_, forms_.first, count, output_gradient, own.output.get());
    T* sums = input_.is_plain() ? input_gradient : own.input.get();
    std::fill_n(sums, count * input_.elements(), T(0));
    for_each_part(count, [&](const WinogradTiles& in, const WinogradTiles& out) {
      gradient_to_points(out, forms_.first, gradients, own.output_at_points.get());
      for (std::int64_t point = 0; point < points_; ++point) {
        kernels<T>().product({own.output_at_points.get() + point * out.plane, filters_, 1}, out.count,
                             channels_, filters_, weights + point * weight_plane_, channels_,
                             own.input_at_points.get() + point * in.plane, channels_);
      }
      loops_.input_gradient(in, own.input_at_points.get(), sums);
    });
    if (!input_.is_plain()) input_.take(sums, count, input_gradient);
  }

  void weight_gradient(Worker& own, std::int64_t count, const void* input, const void* output_gradient,
                       bool adds) noexcept {
    const void* images = framed(input_, forms_.first, count, input, own.input.get());
    const void* gradients = framed(output_, forms_.second, count, output_gradient, own.output.get());
    for_each_part(count, [&](const WinogradTiles& in, const WinogradTiles& out) {
      input_to_points(in, forms_.first, images, own.input_at_points.get());
      gradient_to_points(out, forms_.second, gradients, own.output_at_points.get());
      const auto product = adds ? kernels<T>().add_product : kernels<T>().product;
      adds = true;
      for (std::int64_t point = 0; point < points_; ++point) {
        product({own.input_at_points.get() + point * in.plane, 1, channels_}, channels_, filters_, in.count,
                own.output_at_points.get() + point * out.plane, filters_,
                own.weights.get() + point * weight_plane_, filters_);
      }
    });
  }

  ConvolutionKind kind_;
  OperandForms forms_;
  std::int64_t channels_, filters_;
  std::int64_t size_;  // of the window
  std::int64_t points_;
  const typename Kernels<T>::WinogradLoops& loops_;
  std::int64_t across_, down_;  // tiles of an image
  std::int64_t input_height_, input_width_;
  Frame<T> input_, output_;
  std::int64_t input_elements_, output_elements_;
  std::int64_t weight_plane_;
  std::int64_t window_;      // values under it
  std::int64_t group_ = 1;   // images at once
  std::int64_t tiles_ = 1;   // at once, of those
  AlignedArray<T> windows_;  // weights while they are brought into order
  AlignedArray<T> rounded_;  // weights, in bfloat16
  std::vector<Worker> workers_;
};

// Where tiles cost less than two thirds of the multiplications, channels fill vectors, and the weights at
// points, which each part of the tiles reads anew, and an image in its frame stay in a core's cache.
template <typename T>
bool pays(const ConvolutionShape& s) {
  constexpr std::int64_t bytes_in_cache = 1 << 20;
  const Window& w = s.window;
  if (w.height != w.width || (w.height != 3 && w.height != 5) || w.stride != 1 || w.dilation != 1)
    return false;
  if (s.groups != 1 || s.channels % 16 != 0 || s.filters % 16 != 0) return false;
  const std::int64_t points = (w.height + step - 1) * (w.height + step - 1);
  if (points * s.channels * s.filters * static_cast<std::int64_t>(sizeof(T)) > bytes_in_cache) return false;
  const std::int64_t height = rounded_up(s.out_height, step);
  const std::int64_t width = rounded_up(s.out_width, step);
  const std::int64_t framed =
      (height + w.height - 1) * (width + w.width - 1) * std::max(s.channels, s.filters);
  if (framed * static_cast<std::int64_t>(sizeof(T)) > bytes_in_cache) return false;
  // The images must lie within what the tiles cover.
  if (s.height + w.top > height + w.height - 1 || s.width + w.left > width + w.width - 1) return false;
  return 3 * points * (height / step) * (width / step) <= 2 * w.height * w.width * s.out_height * s.out_width;
}

}  // namespace

template <typename T>
std::unique_ptr<ConvolutionEngine<T>> make_winograd_convolution(ConvolutionKind kind,
                                                                const ConvolutionShape& shape,
                                                                const ImageCut& cut, int workers,
                                                                const OperandForms& forms) {
  if (!pays<T>(shape)) return nullptr;
  return std::make_unique<WinogradConvolution<T>>(kind, shape, cut.images, workers, forms);
}
template std::unique_ptr<ConvolutionEngine<float>> make_winograd_convolution<float>(ConvolutionKind,
                                                                                    const ConvolutionShape&,
                                                                                    const ImageCut&, int,
                                                                                    const OperandForms&);
template std::unique_ptr<ConvolutionEngine<double>> make_winograd_convolution<double>(ConvolutionKind,
                                                                                      const ConvolutionShape&,
                                                                                      const ImageCut&, int,
                                                                                      const OperandForms&);

}  // namespace ravine::cpu

// Convolutions of one fixed shape on a few images at a time, prepared once and run by any worker.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "backend/cpu/aligned_array.h"
#include "backend/program.h"

namespace ravine::cpu {

enum class ConvolutionKind { forward, input_gradient, weight_gradient };

// Images are (height, width, channels), weights (filters, window height, window width, channels / groups).
struct ConvolutionShape {
  std::int64_t height, width, channels;
  std::int64_t out_height, out_width, filters;
  Window window;
  std::int64_t groups;

  std::int64_t input_elements() const { return height * width * channels; }
  std::int64_t output_elements() const { return out_height * out_width * filters; }
  std::int64_t weight_elements() const {
    return filters * window.height * window.width * (channels / groups);
  }
};

ConvolutionShape shape_of(const Tensor& input, const Tensor& output, const Window& window,
                          std::int64_t groups);

// How the images of a batch are shared among tiles: `images` each, fewer in the last one.
struct ImageCut {
  std::int64_t batch;
  std::int64_t images;

  int tiles() const { return static_cast<int>((batch + images - 1) / images); }
  std::int64_t begin(int tile) const { return tile * images; }
  std::int64_t length(int tile) const { return tile + 1 == tiles() ? batch - begin(tile) : images; }
};

// How an operand lies in memory: as T, as float32 that is rounded to bfloat16 before it is multiplied, or
// stored in that.
enum class OperandForm { plain, rounded, stored };
struct OperandForms {
  OperandForm first = OperandForm::plain;
  OperandForm second = OperandForm::plain;

  bool bfloat16() const { return first != OperandForm::plain; }
};

template <typename T>
class ConvolutionEngine {
 public:
  virtual ~ConvolutionEngine() = default;
  // Whether the weights (or their gradient) have an order of the engine's own, and their size in it. Weights
  // are imported, their gradient is exported.
  virtual bool reorders() const { return false; }
  virtual std::int64_t own_elements() const = 0;
  // In parts that several workers may share.
  virtual int parts() const { return 1; }
  virtual void import_part(int part, const T* weights, T* own) noexcept = 0;
  virtual void export_part(int part, const T* own, T* weights) noexcept = 0;
  // forward: (input, weights, output); input gradient: (output gradient, weights, input gradient); weight
  // gradient: (input, output gradient, weights' gradient). Weights are in the engine's order.
  virtual void run(int worker, std::int64_t images, const void* first, const void* second,
                   T* result) noexcept = 0;
  virtual const char* name() const = 0;
};

// nullptr where the build has no oneDNN, or where it has no such convolution.
std::unique_ptr<ConvolutionEngine<float>> make_onednn_convolution(ConvolutionKind kind,
                                                                  const ConvolutionShape& shape,
                                                                  const ImageCut& cut, int workers,
                                                                  const OperandForms& forms);

// nullptr where it would save little, or nothing. Windows of 3 x 3 or 5 x 5, without strides. It multiplies
// in T what was rounded.
template <typename T>
std::unique_ptr<ConvolutionEngine<T>> make_winograd_convolution(ConvolutionKind kind,
                                                                const ConvolutionShape& shape,
                                                                const ImageCut& cut, int workers,
                                                                const OperandForms& forms = {});

// Windows written out as the rows of a matrix, and a product; bfloat16 for float alone.
template <typename T>
std::unique_ptr<ConvolutionEngine<T>> make_unfolded_convolution(ConvolutionKind kind,
                                                                const ConvolutionShape& shape, int workers,
                                                                const OperandForms& forms = {});

}  // namespace ravine::cpu

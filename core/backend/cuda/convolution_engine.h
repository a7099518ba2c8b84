// What computes a convolution or one of its gradients: kernels of our own, or a library's (device/; the twin
// has none).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "backend/cuda/cells.h"
#include "backend/cuda/operation.h"

namespace ravine::cuda {

enum class ConvolutionKind { forward, input_gradient, weight_gradient };

// All that an operation knows of its shape; of groups the filters and channels of one.
struct ConvolutionExtents {
  std::int32_t images, height, width, channels;
  std::int32_t out_height, out_width, filters;
  std::int32_t groups, group_channels, group_filters;
  std::int32_t window_height, window_width, stride, dilation, top, left;

  RAVINE_HOST_DEVICE std::int32_t places() const { return images * out_height * out_width; }
  RAVINE_HOST_DEVICE std::int32_t weights_of_filter() const {
    return window_height * window_width * group_channels;
  }
};
ConvolutionExtents extents_of(const Preparation& preparation, TensorId input, TensorId output,
                              const Window& window, std::int64_t groups);

// What an engine is made for.
struct ConvolutionTask {
  ConvolutionKind kind;
  ConvolutionExtents extents;
  // What is multiplied is in bfloat16, and so may the result be stored.
  bool factors_are_rounded = false;
  bool result_is_stored = false;
  bool allows_tf32 = false;
  bool allows_winograd = false;
  bool has_bias = false;
  bool has_relu = false;  // forward: of the output
};

// Where it lies; what an operation has not does not exist.
template <typename T>
struct ConvolutionTensors {
  Cells<T> input;   // or its gradient, written by input_gradient
  Cells<T> weight;  // or its gradient, written by weight_gradient
  Cells<T> output;  // or its gradient, written by forward
  const T* bias = nullptr;
  // Of our own input_gradient: added to it; and the output of the relu before it, by whose derivative it is
  // multiplied.
  Cells<T> add = {};
  Cells<T> relu_output = {};
};

template <typename T>
class ConvolutionEngine {
 public:
  virtual ~ConvolutionEngine() = default;
  virtual void run(const ConvolutionTensors<T>& tensors) noexcept = 0;
  virtual std::string name() const = 0;
};

template <typename T>
std::unique_ptr<ConvolutionEngine<T>> make_own_convolution(Stream& stream, const ConvolutionTask& task);

// Null where there is no library, or none for this.
template <typename T>
std::unique_ptr<ConvolutionEngine<T>> make_library_convolution(Stream& stream, const ConvolutionTask& task);

// The kinds of our own, each in its file.
template <typename T>
void run_forward(Stream& stream, const ConvolutionTask& task, const ConvolutionTensors<T>& tensors) noexcept;
template <typename T>
void run_input_gradient(Stream& stream, const ConvolutionTask& task,
                        const ConvolutionTensors<T>& tensors) noexcept;
// Parts of the sum over places, and the elements that they need beside the gradient.
int parts_of_weight_gradient(const ConvolutionExtents& extents);
std::int64_t partial_elements(const ConvolutionExtents& extents);
template <typename T>
void run_weight_gradient(Stream& stream, const ConvolutionTask& task, const ConvolutionTensors<T>& tensors,
                         T* partials) noexcept;

}  // namespace ravine::cuda

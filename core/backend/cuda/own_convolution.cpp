// Convolutions by kernels of our own.
#include "backend/cuda/convolution_engine.h"

namespace ravine::cuda {
namespace {

template <typename T>
class OwnConvolution final : public ConvolutionEngine<T> {
 public:
  OwnConvolution(Stream& stream, const ConvolutionTask& task) : stream_(stream), task_(task) {
    if (task.kind != ConvolutionKind::weight_gradient) return;
    const std::int64_t elements = partial_elements(task.extents);
    if (elements > 0) partials_ = Array<T>(stream, static_cast<std::size_t>(elements));
  }

  void run(const ConvolutionTensors<T>& tensors) noexcept override {
    switch (task_.kind) {
      case ConvolutionKind::forward:
        return run_forward(stream_, task_, tensors);
      case ConvolutionKind::input_gradient:
        return run_input_gradient(stream_, task_, tensors);
      case ConvolutionKind::weight_gradient:
        return run_weight_gradient(stream_, task_, tensors, partials_.data());
    }
  }
  std::string name() const override { return "implicit product"; }

 private:
  Stream& stream_;
  ConvolutionTask task_;
  Array<T> partials_;
};

}  // namespace

template <typename T>
std::unique_ptr<ConvolutionEngine<T>> make_own_convolution(Stream& stream, const ConvolutionTask& task) {
  return std::make_unique<OwnConvolution<T>>(stream, task);
}
template std::unique_ptr<ConvolutionEngine<float>> make_own_convolution(Stream&, const ConvolutionTask&);
template std::unique_ptr<ConvolutionEngine<double>> make_own_convolution(Stream&, const ConvolutionTask&);

}  // namespace ravine::cuda

// The twin has no library of convolutions: its own kernels serve.
#include "backend/cuda/convolution_engine.h"

namespace ravine::cuda {

template <typename T>
std::unique_ptr<ConvolutionEngine<T>> make_library_convolution(Stream&, const ConvolutionTask&) {
  return nullptr;
}
template std::unique_ptr<ConvolutionEngine<float>> make_library_convolution(Stream&, const ConvolutionTask&);
template std::unique_ptr<ConvolutionEngine<double>> make_library_convolution(Stream&, const ConvolutionTask&);

}  // namespace ravine::cuda

// Stands in for oneDNN in builds without it.
#include "backend/cpu/convolution_engine.h"
#include "backend/cpu/product_engine.h"

namespace ravine::cpu {

std::unique_ptr<ProductEngine<float>> make_onednn_product(const ProductShape&, int) { return nullptr; }

std::unique_ptr<ConvolutionEngine<float>> make_onednn_convolution(ConvolutionKind, const ConvolutionShape&,
                                                                  const ImageCut&, int, const OperandForms&) {
  return nullptr;
}

std::string onednn_version() { return {}; }

}  // namespace ravine::cpu

// What sums gradients: of a batch's parts, and of ranks. All are made when they are first needed.
#include "network/gradient_exchange.h"
#include "network/network.h"
#include "network/ordered_exchange.h"

namespace ravine {

PreparedAccumulation& Network::accumulation(bool adds) {
  auto& accumulation = adds ? accumulation_ : measuring_;
  if (accumulation == nullptr) {
    std::vector<BufferRange> ranges;
    for (const GraphParameter& parameter : graph_.parameters) {
      ranges.push_back({parameter.offset, parameter.offset + parameter.spec.shape.elements()});
    }
    if (adds) accumulated_ = backend_->allocate(gradients_->bytes());
    accumulation = backend_->prepare_accumulation(options_.dtype, gradients_->data(),
                                                  adds ? accumulated_->data() : nullptr, ranges);
  }
  return *accumulation;
}

GradientExchange& Network::gradient_exchange() {
  if (gradient_exchange_ == nullptr) {
    gradient_exchange_ =
        std::make_unique<GradientExchange>(options_.ranks.data->lane(1), options_.ranks, options_.dtype,
                                           gradients_->data(), graph_.parameter_elements);
  }
  return *gradient_exchange_;
}

OrderedExchange& Network::ordered_exchange() {
  if (ordered_exchange_ == nullptr) {
    ordered_exchange_ =
        std::make_unique<OrderedExchange>(options_.ranks.data->lane(1), *backend_, options_.dtype,
                                          gradients_->data(), graph_.parameter_elements);
  }
  return *ordered_exchange_;
}

}  // namespace ravine

#include "network/weight_average.h"

#include <cmath>

#include "base/errors.h"

namespace ravine {

WeightAverage::WeightAverage(Network& network, double decay)
    : decay_(decay),
      dtype_(network.options_.dtype),
      elements_(network.graph_.parameter_elements),
      backend_(network.backend_),
      parameters_(network.parameters_) {
  if (!(decay >= 0 && decay < 1)) {
    throw Error(ErrorCode::invalid_parameter,
                "must be at least 0 and below 1, got " + std::to_string(decay) +
                    "; at 1 an average would never take the weights of another step in")
        .at_key("average_weights");
  }
  const Network::Turn turn(network);
  values_ = backend_->allocate(parameters_->bytes());
  prepared_ = backend_->prepare_average(dtype_, parameters_->data(), values_->data(), elements_);
  backend_->parallel([this](Worker& worker) { prepared_->run(1, worker); });  // the weights themselves
}

void WeightAverage::check_network(const Network& network) const {
  if (network.parameters_ == parameters_) return;
  throw Error(ErrorCode::invalid_state, "is the average of another network's weights").at_key("average");
}

// average_t = average_{t-1} + rate (theta_t - average_{t-1}), rate = (1 - d) / (1 - d^t).
double WeightAverage::rate(std::int64_t ahead) const {
  return (1 - decay_) / (1 - std::pow(decay_, static_cast<double>(count_ + ahead + 1)));
}

}  // namespace ravine

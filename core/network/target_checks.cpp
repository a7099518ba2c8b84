// What is wrong with the targets of a batch: every error names the row.
#include <cmath>

#include "base/errors.h"
#include "network/network.h"

namespace ravine {
namespace {

void check_weights(DType dtype, const void* weights, std::int64_t rows) {
  for (std::int64_t row = 0; weights != nullptr && row < rows; ++row) {
    const double weight = dtype == DType::float64 ? static_cast<const double*>(weights)[row]
                                                  : static_cast<const float*>(weights)[row];
    if (weight >= 0 && std::isfinite(weight)) continue;
    throw Error(ErrorCode::invalid_parameter, "the weight of row " + std::to_string(row) + " is " +
                                                  std::to_string(weight) +
                                                  "; weights are finite and at least 0")
        .at_key("weights");
  }
}

void check_shares(DType dtype, const void* shares, std::int64_t rows) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const double share = dtype == DType::float64 ? static_cast<const double*>(shares)[row]
                                                 : static_cast<const float*>(shares)[row];
    if (share >= 0 && share <= 1) continue;
    throw Error(ErrorCode::invalid_parameter, "the share of row " + std::to_string(row) + " is " +
                                                  std::to_string(share) + "; shares are from 0 to 1")
        .at_key("mixture");
  }
}

void check_labels(const std::int32_t* labels, std::int64_t rows, std::int64_t classes, const char* key) {
  for (std::int64_t row = 0; row < rows; ++row) {
    if (labels[row] >= 0 && labels[row] < classes) continue;
    throw Error(ErrorCode::invalid_parameter, "the label " + std::to_string(labels[row]) + " of row " +
                                                  std::to_string(row) + " is outside 0 .. " +
                                                  std::to_string(classes - 1) +
                                                  ", the classes that the last layer can tell apart")
        .at_key(key);
  }
}

}  // namespace

void Network::check_targets(const void* targets, const void* weights, std::int64_t rows,
                            const Mixture& mixture) const {
  check_weights(options_.dtype, weights, rows);
  if (loss_->target_kind() != TargetKind::labels) {
    if (mixture.shares != nullptr) {
      throw Error(ErrorCode::invalid_parameter, "only class labels have shares; mix values themselves")
          .at_key("mixture");
    }
    const std::int64_t columns = graph_.output().elements();
    loss_->check_values(targets, options_.dtype, rows * columns, columns);
    return;
  }
  const std::int64_t classes = graph_.output().back();
  check_labels(static_cast<const std::int32_t*>(targets), rows, classes, "targets");
  if (mixture.shares == nullptr) return;
  check_labels(mixture.labels, rows, classes, "mixture");
  check_shares(options_.dtype, mixture.shares, rows);
}

}  // namespace ravine

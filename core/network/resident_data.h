// A data set in the memory of a network's device, which makes the rows of its batches there.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "backend/resident_rows.h"
#include "network/network.h"

namespace ravine {

class ResidentData {
 public:
  // Of the network's input, targets and element type, and no longer than it. Throws Error(out_of_memory);
  // Error(device_unavailable) for a device that is the host; Error(invalid_parameter) for steps that are
  // none.
  ResidentData(Network& network, RowsRequest request);

  // Samples from `first` on, as they are stored.
  void write_inputs(std::int64_t first, std::int64_t count, const void* inputs);
  // Of all samples; weights where the request has some.
  void write_targets(const void* targets, const void* weights);

  const RowsRequest& request() const { return request_; }
  std::size_t bytes() const { return rows_->bytes(); }
  Network& network() const { return network_; }

  // Calls use(rows) with the samples at these places, which hold for as long; see ResidentRows::gather.
  // Throws Error(shape_mismatch) where a place is none.
  template <typename Use>
  auto with(const std::int64_t* indices, std::int64_t count, std::int64_t epoch, const Use& use) {
    const std::lock_guard lock(mutex_);
    return use(gather(indices, count, epoch));
  }

 private:
  GatheredRows gather(const std::int64_t* indices, std::int64_t count, std::int64_t epoch);

  Network& network_;
  RowsRequest request_;
  std::unique_ptr<ResidentRows> rows_;
  std::mutex mutex_;
};

}  // namespace ravine

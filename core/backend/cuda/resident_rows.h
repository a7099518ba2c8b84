// Samples in the memory of a device.
#pragma once

#include <memory>

#include "backend/cuda/stream.h"
#include "backend/resident_rows.h"

namespace ravine::cuda {

std::unique_ptr<ResidentRows> keep_rows(const RowsRequest& request, const std::shared_ptr<Stream>& stream);

}  // namespace ravine::cuda

// The update of all parameters on a device.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cuda/stream.h"

namespace ravine::cuda {

// Throws Error(device_unavailable) for a rule that is not there.
std::unique_ptr<PreparedUpdate> prepare_update(const std::string& rule, DType dtype,
                                               const UpdateBuffers& buffers,
                                               std::vector<UpdateSegment> segments,
                                               const std::shared_ptr<Stream>& stream);

}  // namespace ravine::cuda

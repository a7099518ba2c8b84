// Programs on a device.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "backend/cuda/stream.h"

namespace ravine::cuda {

// Whether there is a kernel, or a library's function, for the operation.
bool computes(const Operation& operation);

std::unique_ptr<PreparedProgram> prepare_program(const Program& program, int layers, int parameters,
                                                 const std::shared_ptr<Stream>& stream);

}  // namespace ravine::cuda

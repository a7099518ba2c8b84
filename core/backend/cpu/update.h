// The update of all parameters on a CPU.
#pragma once

#include "backend/backend.h"

namespace ravine::cpu {

std::unique_ptr<PreparedUpdate> prepare_update(const std::string& rule, DType dtype,
                                               const UpdateBuffers& buffers,
                                               std::vector<UpdateSegment> segments, int workers);

}  // namespace ravine::cpu

// From lifetimes to offsets in one arena: tensors that do not live at the same time share bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/program.h"

namespace ravine {

struct MemoryPlan {
  std::vector<std::int64_t> offsets;  // per tensor, in bytes; -1 for tensors outside the arena
  std::int64_t bytes = 0;             // of the arena
  std::int64_t unshared_bytes = 0;    // what the same tensors would take side by side
};

// `kept` are tensors that must live to the end of the program.
MemoryPlan plan_memory(const Program& program, const std::vector<TensorId>& kept);

}  // namespace ravine

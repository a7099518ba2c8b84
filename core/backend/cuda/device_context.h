// What changes from step to step and kernels read on the device: so they can be launched again, as a graph,
// without the host.
//
// Kernels of operations take the pointer that CudaOperation has and read it when they run; `run` must not
// give them seed, step, first_row or batch_weight of its RunContext by value. Operations of Section::state
// change nothing where `go` is 0.
#pragma once

#include <cstdint>

namespace ravine::cuda {

class Stream;

struct DeviceContext {
  std::uint64_t seed;
  std::uint32_t step;
  std::uint32_t first_row;  // position of this batch's first row in the global batch
  double batch_weight;      // of the global batch, which gradients are divided by; 0: of this batch
  std::int32_t go;          // 0 once something was not finite: then what is kept stays as it is
};

// For what is put onto the stream after it.
void set_context(Stream& stream, const DeviceContext& context) noexcept;

}  // namespace ravine::cuda

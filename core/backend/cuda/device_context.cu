// Sets what kernels read of a step.
#include "backend/cuda/device_context.h"

#include "backend/cuda/launch.h"

namespace ravine::cuda {
namespace {

struct SetContext {
  DeviceContext value;
  DeviceContext* context;
  RAVINE_HOST_DEVICE void operator()(std::int64_t) const { *context = value; }
};

}  // namespace

void set_context(Stream& stream, const DeviceContext& context) noexcept {
  for_each(stream, 1, SetContext{context, stream.context()});
}

}  // namespace ravine::cuda

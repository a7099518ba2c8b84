#include "backend/cuda/nccl.h"

namespace ravine::cuda::nccl {

// The twin has no card, which NCCL would look for.
const char* default_file() { return nullptr; }

}  // namespace ravine::cuda::nccl

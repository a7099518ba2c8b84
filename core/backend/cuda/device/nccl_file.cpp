#include "backend/cuda/nccl.h"

namespace ravine::cuda::nccl {

const char* default_file() { return "libnccl.so.2"; }

}  // namespace ravine::cuda::nccl

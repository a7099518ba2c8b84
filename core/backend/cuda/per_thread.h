// What each thread of a block keeps for itself from phase to phase: registers on a device.
#pragma once

#include <cstring>

#include "backend/cuda/launch.h"

#if defined(__CUDACC__)
#define RAVINE_UNROLL _Pragma("unroll")
#else
#define RAVINE_UNROLL
#endif

namespace ravine::cuda {

#if defined(__CUDA_ARCH__)

template <typename Value>
class PerThread {
 public:
  RAVINE_HOST_DEVICE Value& operator[](int) { return value_; }

 private:
  Value value_;
};

#else

template <typename Value>
class PerThread {
 public:
  RAVINE_HOST_DEVICE PerThread() { std::memset(static_cast<void*>(values_), 0xFF, sizeof(values_)); }
  RAVINE_HOST_DEVICE Value& operator[](int thread) { return values_[thread]; }

 private:
  Value values_[block_threads];
};

#endif

}  // namespace ravine::cuda

// Marks scalar functions that run on the host and on a GPU.
#pragma once

#if defined(__CUDACC__)
#define RAVINE_HOST_DEVICE __host__ __device__ __forceinline__
#else
// Always inlined: the same rule is compiled for several instruction sets, and an out-of-line copy
// would let the linker pick one that an older processor cannot run.
#define RAVINE_HOST_DEVICE inline __attribute__((always_inline))
#endif

// The part of NCCL's C interface that is used, found at run time: building needs neither its header nor the
// library. Names and numbers are those of nccl.h of NCCL 2; device/check_nccl.cpp compares them where that
// header is there. RAVINE_NCCL_LIBRARY names another library, as tests do.
#pragma once

#include <cstddef>
#include <string>

#include "backend/backend.h"

namespace ravine::cuda::nccl {

using Handle = void*;
using StreamHandle = void*;
using Status = int;
constexpr Status success = 0;

enum DataType : int { bytes = 0, float32 = 7, float64 = 8, bfloat16 = 9 };
enum Reduction : int { sum = 0 };

struct UniqueId {
  char internal[128];
};

struct Functions {
  Status (*version)(int*);
  Status (*make_id)(UniqueId*);
  Status (*connect)(Handle*, int ranks, UniqueId, int rank);
  Status (*abort)(Handle);
  Status (*find_error)(Handle, Status* found);
  const char* (*text_of)(Status);
  const char* (*last_error)(Handle);
  Status (*all_reduce)(const void* sent, void* received, std::size_t count, DataType, Reduction, Handle,
                       StreamHandle);
  Status (*broadcast)(const void* sent, void* received, std::size_t count, DataType, int root, Handle,
                      StreamHandle);
  Status (*begin_group)();
  Status (*end_group)();
};

// The library's functions, or why they are missing.
struct Library {
  Functions functions = {};
  std::string missing;
};
const Library& library();
BackendReport report();

// The file of the library, where no other is named; null where there is none to be opened. In device/ and
// twin/.
const char* default_file();

}  // namespace ravine::cuda::nccl

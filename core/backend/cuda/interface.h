// What the library of this folder gives the core, which opens it when a device is asked for. Objects of the
// core's types cross, so both are of one build: `ravine_cuda_interface` tells of which.
#pragma once

#include <vector>

#include "backend/backend.h"
#include "backend/resident_rows.h"

#define RAVINE_CUDA_EXPORT extern "C" __attribute__((visibility("default")))

RAVINE_CUDA_EXPORT const char* ravine_cuda_interface() noexcept;
// Throws Error(device_unavailable).
RAVINE_CUDA_EXPORT ravine::Backend* ravine_cuda_make(int device);
// Of a backend that was made here. Throws Error(out_of_memory).
RAVINE_CUDA_EXPORT ravine::ResidentRows* ravine_cuda_keep_rows(ravine::Backend* backend,
                                                               const ravine::RowsRequest* request);
RAVINE_CUDA_EXPORT void ravine_cuda_report(std::vector<ravine::BackendReport>* reports);

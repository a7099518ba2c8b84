// The part of cuBLASLt's C interface that is used, found at run time: building needs neither its headers nor
// the library, which is half a gigabyte. Names and numbers are those of cublasLt.h of CUDA 13;
// device/check_cublaslt.cpp compares them where that header is there.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace ravine::cuda::cublaslt {

using Handle = struct cublasLtContext*;
using Description = void*;
using Layout = void*;
using Preference = void*;
using Status = int;

enum ComputeType : int { compute_float32 = 68, compute_float64 = 70, compute_tf32 = 77 };
enum DescriptionAttribute : int { transpose_a = 3, transpose_b = 4, epilogue = 7, bias_pointer = 8 };
enum PreferenceAttribute : int {
  most_workspace_bytes = 1,
  least_alignment_a = 5,
  least_alignment_b = 6,
  least_alignment_c = 7,
  least_alignment_d = 8,
};
enum Transposition : std::int32_t { as_it_is = 0, transposed = 1 };
enum Epilogue : std::uint32_t { no_epilogue = 1, add_bias = 4, sum_b = 512 };

struct Algorithm {
  std::uint64_t data[8];
};
struct Heuristic {
  Algorithm algorithm;
  std::size_t workspace_bytes;
  Status state;
  float waves;
  int reserved[4];
};

struct Functions {
  Status (*create)(Handle*);
  std::size_t (*version)();
  Status (*create_description)(Description*, ComputeType, cudaDataType_t scale_type);
  Status (*destroy_description)(Description);
  Status (*set_description)(Description, DescriptionAttribute, const void* value, std::size_t bytes);
  Status (*create_layout)(Layout*, cudaDataType_t, std::uint64_t rows, std::uint64_t columns,
                          std::int64_t stride);
  Status (*destroy_layout)(Layout);
  Status (*create_preference)(Preference*);
  Status (*destroy_preference)(Preference);
  Status (*set_preference)(Preference, PreferenceAttribute, const void* value, std::size_t bytes);
  Status (*choose)(Handle, Description, Layout a, Layout b, Layout c, Layout d, Preference, int wanted,
                   Heuristic* found, int* count);
  Status (*multiply)(Handle, Description, const void* alpha, const void* a, Layout, const void* b, Layout,
                     const void* beta, const void* c, Layout, void* d, Layout, const Algorithm*,
                     void* workspace, std::size_t workspace_bytes, cudaStream_t);
};

// The library's functions, or why they are missing.
struct Library {
  Functions functions = {};
  std::string missing;
};
const Library& library();

}  // namespace ravine::cuda::cublaslt

// Asks the driver for its GPUs.
#include "backend/cuda/cards.h"

#include <cuda_runtime.h>

namespace ravine::cuda {

Cards find_cards() {
  Cards found;
  found.needed = CUDART_VERSION;
  if (cudaDriverGetVersion(&found.driver) != cudaSuccess) found.driver = 0;
  int count = 0;
  cudaError_t status = cudaGetDeviceCount(&count);
  for (int device = 0; device < count && status == cudaSuccess; ++device) {
    cudaDeviceProp properties{};
    status = cudaGetDeviceProperties(&properties, device);
    if (status == cudaSuccess) {
      char address[32] = {};
      if (cudaDeviceGetPCIBusId(address, sizeof(address), device) != cudaSuccess) address[0] = '\0';
      found.cards.push_back(
          {properties.name, properties.major, properties.minor, properties.totalGlobalMem, address});
    }
  }
  cudaGetLastError();  // what failed is told here, and is no failure of a kernel
  if (status != cudaSuccess) {
    found.cards.clear();
    if (status != cudaErrorNoDevice) found.failure = cudaGetErrorString(status);
  }
  return found;
}

}  // namespace ravine::cuda

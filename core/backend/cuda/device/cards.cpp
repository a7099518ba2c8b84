#include "backend/cuda/device/cards.h"

#include <cuda_runtime.h>

namespace ravine::cuda {
namespace {

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string why_none(cudaError_t status) {
  int driver = 0;
  if (status == cudaErrorInsufficientDriver) {
    cudaDriverGetVersion(&driver);
    const std::string wanted = "CUDA " + version_text(CUDART_VERSION);
    return driver == 0 ? "there is no NVIDIA driver (" + wanted + " needs one)"
                       : "the NVIDIA driver serves CUDA " + version_text(driver) + " and " + wanted +
                             " is needed; install a newer one";
  }
  if (status == cudaErrorNoDevice || status == cudaSuccess) {
    return "the NVIDIA driver shows no card (is CUDA_VISIBLE_DEVICES set?)";
  }
  return std::string("the NVIDIA driver says: ") + cudaGetErrorString(status);
}

}  // namespace

Cards find_cards() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {
    cudaGetLastError();
    return {{}, why_none(status)};
  }
  Cards found;
  for (int device = 0; device < count; ++device) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, device) != cudaSuccess) continue;
    found.cards.push_back({properties.name, properties.major, properties.minor, properties.totalGlobalMem});
  }
  return found;
}

std::string missing_for(int device) {
  const Cards found = find_cards();
  if (found.cards.empty()) return found.missing;
  const auto count = static_cast<int>(found.cards.size());
  if (device >= count) {
    return count == 1 ? "there is only cuda:0" : "there are only cuda:0 to cuda:" + std::to_string(count - 1);
  }
  const Card& card = found.cards[static_cast<std::size_t>(device)];
  if (10 * card.major + card.minor >= 75) return "";
  return "the " + card.name + " has compute capability " + std::to_string(card.major) + "." +
         std::to_string(card.minor) + ", and 7.5 (Turing) or newer is needed";
}

}  // namespace ravine::cuda

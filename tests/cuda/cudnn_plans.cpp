// Which plans cuDNN has for the convolutions of lenet, resnet20 and others on cards that are not there, by
// their properties: graphs and heuristics are cuDNN's own, only nothing is run. Prints a line each; returns 1
// where a graph is not as cuDNN wants it, 77 where there is no cuDNN.
#include <cstdio>
#include <string>
#include <vector>

#include "backend/cuda/device/cudnn_convolution.h"

namespace {

using namespace ravine::cuda;

struct CardFacts {
  const char* name;
  int version, processors, shared_kilobytes, threads, blocks, cache_megabytes;
};
constexpr CardFacts cards[] = {
    {"sm_75", 750, 40, 64, 1024, 16, 4},
    {"sm_80", 800, 108, 163, 2048, 32, 40},
    {"sm_90", 900, 132, 227, 2048, 32, 50},
    {"sm_100", 1000, 148, 227, 2048, 32, 126},
};

cudnn::Owned properties_of(const CardFacts& card) {
  const auto number = [](const char* key, long long value) {
    return ",\"" + std::string(key) + "\":" + std::to_string(value);
  };
  const std::string json = "{\"maxGridSize\":[2147483647,65535,65535],\"maxBlockSize\":[1024,1024,64]" +
                           number("regsPerBlock", 65536) + number("multiProcessorCount", card.processors) +
                           number("warpSize", 32) + number("maxSharedMemoryPerBlock", 49152) +
                           number("maxSharedMemoryPerBlockOptin", card.shared_kilobytes * 1024LL) +
                           number("reservedSharedMemoryPerBlock", card.version < 800 ? 0 : 1024) +
                           number("maxRegistersPerSM", 65536) + number("maxCtasPerSM", card.blocks) +
                           number("maxThreadsPerBlock", 1024) + number("maxThreadsPerSM", card.threads) +
                           number("pciDeviceId", 0) + number("isTccDriver", 0) +
                           number("supportCoopLaunch", 1) + number("totalGlobalMem", 16000000000) +
                           number("smClockRateKHz", 1500000) + number("memClockRateKHz", 1500000) +
                           number("l2CacheSize", card.cache_megabytes * 1048576LL) +
                           number("cudaDeviceId", 0) + number("deviceVer", card.version) +
                           number("driverVer", 13000) + ",\"deviceName\":\"" + card.name + "\"}";
  cudnn::Owned made(cudnn::device_properties);
  made.set(cudnn::device_json, cudnn::type_character, static_cast<std::int64_t>(json.size()), json.data())
      .finalize();
  return made;
}

struct Shape {
  const char* name;
  int images, extent, channels, filters, window, stride, pad, groups = 1, dilation = 1;
};
constexpr Shape shapes[] = {
    {"lenet 1", 64, 28, 1, 32, 5, 1, 0},           {"lenet 2", 64, 12, 32, 64, 5, 1, 0},
    {"resnet 1", 512, 32, 3, 16, 3, 1, 1},         {"resnet 16", 512, 32, 16, 16, 3, 1, 1},
    {"resnet 16 to 32", 512, 32, 16, 32, 3, 2, 1}, {"resnet 32", 512, 16, 32, 32, 3, 1, 1},
    {"resnet 32 to 64", 512, 16, 32, 64, 3, 2, 1}, {"resnet 64", 512, 8, 64, 64, 3, 1, 1},
    {"shortcut", 512, 16, 32, 64, 1, 2, 0},        {"dilated", 16, 20, 24, 24, 3, 1, 2, 1, 2},
    {"groups", 16, 20, 32, 64, 3, 1, 1, 4},        {"a group a channel", 16, 20, 32, 32, 3, 1, 1, 32},
    {"odd channels", 16, 21, 5, 7, 4, 3, 1},
};

ConvolutionExtents extents_of(const Shape& s) {
  const int out = (s.extent + 2 * s.pad - (s.window - 1) * s.dilation - 1) / s.stride + 1;
  return {s.images,
          s.extent,
          s.extent,
          s.channels,
          out,
          out,
          s.filters,
          s.groups,
          s.channels / s.groups,
          s.filters / s.groups,
          s.window,
          s.window,
          s.stride,
          s.dilation,
          s.pad,
          s.pad};
}

// What is multiplied and what is written.
struct Format {
  const char* name;
  cudnn::DataType factors, result;
  bool tf32;
};
constexpr Format formats[] = {
    {"float32", cudnn::float32, cudnn::float32, false},
    {"tf32", cudnn::float32, cudnn::float32, true},
    {"bfloat16", cudnn::bfloat16, cudnn::bfloat16, false},
    {"bfloat16 to float32", cudnn::bfloat16, cudnn::float32, false},
};

// Addresses that nothing is read from.
const void* address(std::uintptr_t number) { return reinterpret_cast<const void*>(number << 30); }

void tell(const CardFacts& card, const Shape& shape, const Format& format, ConvolutionKind kind, bool fused,
          const cudnn::Owned& properties) {
  const char* const kinds[] = {"forward", "input gradient", "weight gradient"};
  cudnn::PlanTask task{kind, extents_of(shape), format.factors, format.factors, format.factors, fused, fused};
  cudnn::DataType* const written[] = {&task.output, &task.input, &task.weight};
  *written[static_cast<int>(kind)] = format.result;
  task.allows_tf32 = format.tf32;
  task.allows_winograd = true;
  task.most_workspace = std::int64_t{32} << 20;
  auto plan = cudnn::Plan::choose(task, {nullptr, &properties});
  std::printf("%s, %s, %s, %s%s: ", card.name, shape.name, format.name, kinds[static_cast<int>(kind)],
              fused ? " with bias and relu" : "");
  if (!plan) {
    std::printf("none\n");
  } else if (!plan->point(address(1), address(2), address(3), fused ? address(4) : nullptr,
                          const_cast<void*>(address(5)))) {
    std::printf("refuses the memory\n");
  } else {
    std::printf("engine %d, %d bytes\n", static_cast<int>(plan->engine()),
                static_cast<int>(plan->workspace()));
  }
}

}  // namespace

int main(int count, char** arguments) {
  const cudnn::Library& library = cudnn::library();
  if (!library.missing.empty()) {
    std::printf("%s\n", library.missing.c_str());
    return 77;
  }
  std::printf("%s\n", cudnn::library_name().c_str());
  const std::string only = count > 1 ? arguments[1] : "";
  for (const CardFacts& card : cards) {
    if (!only.empty() && only != card.name) continue;
    const cudnn::Owned properties = properties_of(card);
    if (!properties.good()) {
      char why[512] = {};
      library.functions.last_error(why, sizeof(why));
      std::printf("the properties of %s were refused: %s\n", card.name, why);
      return 1;
    }
    for (const Shape& shape : shapes) {
      for (const Format& format : formats) {
        for (const ConvolutionKind kind :
             {ConvolutionKind::forward, ConvolutionKind::input_gradient, ConvolutionKind::weight_gradient}) {
          for (const bool fused : {false, true}) {
            if (!fused || kind == ConvolutionKind::forward)
              tell(card, shape, format, kind, fused, properties);
          }
        }
      }
    }
  }
  return 0;
}

// Names of types and devices, to and from text.
#include <charconv>

#include "base/device.h"
#include "base/dtype.h"
#include "base/errors.h"

namespace ravine {

DType dtype_from_name(std::string_view name) {
  for (DType dtype : {DType::float32, DType::float64, DType::int32, DType::uint8}) {
    if (name_of(dtype) == name) return dtype;
  }
  throw Error(ErrorCode::invalid_parameter,
              "unknown element type '" + std::string(name) + "'; use float32 or float64")
      .at_key("dtype");
}

std::string Device::to_string() const {
  return kind == DeviceKind::cpu ? "cpu" : "cuda:" + std::to_string(index);
}

Device device_from_name(std::string_view name) {
  if (name == "cpu") return {};
  if (name == "cuda") return {DeviceKind::cuda, 0};
  if (name.starts_with("cuda:")) {
    const std::string_view digits = name.substr(5);
    int index = 0;
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (status == std::errc{} && end == digits.data() + digits.size() && index >= 0) {
      return {DeviceKind::cuda, index};
    }
  }
  throw Error(ErrorCode::invalid_parameter,
              "unknown device '" + std::string(name) + "'; use cpu, cuda or cuda:N")
      .at_key("device");
}

}  // namespace ravine

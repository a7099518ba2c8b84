// Where a network lives.
#pragma once

#include <string>
#include <string_view>

namespace ravine {

enum class DeviceKind { cpu, cuda };

struct Device {
  DeviceKind kind = DeviceKind::cpu;
  int index = 0;

  std::string to_string() const;
  bool operator==(const Device&) const = default;
};

// Of a device, in bytes.
struct DeviceMemory {
  double free;  // that may still be allocated
  double total;
};

// Reads "cpu", "cuda" or "cuda:1"; throws Error(invalid_parameter) for anything else.
Device device_from_name(std::string_view name);

}  // namespace ravine

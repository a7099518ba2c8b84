// Division by a number that is known before a kernel runs: a multiplication and a shift (T. Granlund,
// P. Montgomery, 1994).
#pragma once

#include <cstdint>

#include "base/host_device.h"

namespace ravine::cuda {

class Divider {
 public:
  explicit Divider(std::int32_t divisor = 1) : divisor_(divisor) {
    const auto d = static_cast<std::uint64_t>(divisor);
    while ((std::uint64_t{1} << shift_) < d) ++shift_;
    factor_ = static_cast<std::uint32_t>((((std::uint64_t{1} << shift_) - d) << 32) / d + 1);
  }

  // Of numbers from 0 to 2^31 - 1.
  RAVINE_HOST_DEVICE std::int32_t quotient(std::int32_t number) const {
    const auto n = static_cast<std::uint32_t>(number);
    const auto upper = static_cast<std::uint32_t>((std::uint64_t{n} * factor_) >> 32);
    return static_cast<std::int32_t>((upper + n) >> shift_);
  }
  // The quotient; `number` becomes the remainder.
  RAVINE_HOST_DEVICE std::int32_t divide(std::int32_t& number) const {
    const std::int32_t result = quotient(number);
    number -= result * divisor_;
    return result;
  }

 private:
  std::int32_t divisor_;
  std::uint32_t factor_ = 0;
  std::uint32_t shift_ = 0;
};

}  // namespace ravine::cuda

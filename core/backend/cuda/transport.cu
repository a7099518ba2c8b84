#include "backend/cuda/transport.h"

#include "backend/cuda/cells.h"
#include "backend/cuda/launch.h"

namespace ravine::cuda {
namespace {

template <typename T>
struct Scale {
  T factor;
  T* values;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const { values[i] *= factor; }
};

template <typename Word>
struct Clear {
  Word* values;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const { values[i] = 0; }
};

struct Round {
  const float* values;
  std::uint16_t* to;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const { to[i] = rounded(values[i]); }
};

struct Widen {
  const std::uint16_t* values;
  float* to;
  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const { to[i] = widened(values[i]); }
};

}  // namespace

void scale(DType dtype, void* values, std::int64_t count, double factor, Stream& stream) noexcept {
  const auto with = [&]<typename T>(T by) { for_each(stream, count, Scale<T>{by, static_cast<T*>(values)}); };
  dtype == DType::float64 ? with(factor) : with(static_cast<float>(factor));
}

void clear(void* values, std::size_t bytes, Stream& stream) noexcept {
  if (bytes % sizeof(std::uint32_t) == 0) {
    for_each(stream, static_cast<std::int64_t>(bytes / sizeof(std::uint32_t)),
             Clear<std::uint32_t>{static_cast<std::uint32_t*>(values)});
  } else {
    for_each(stream, static_cast<std::int64_t>(bytes),
             Clear<unsigned char>{static_cast<unsigned char*>(values)});
  }
}

void round_for_transport(Stream& stream, const float* values, std::uint16_t* to,
                         std::int64_t count) noexcept {
  for_each(stream, count, Round{values, to});
}

void widen_transported(Stream& stream, const std::uint16_t* values, float* to, std::int64_t count) noexcept {
  for_each(stream, count, Widen{values, to});
}

}  // namespace ravine::cuda

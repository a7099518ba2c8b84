// Elements of tensors that are T, or stored in bfloat16 and computed with in float32. Kernels see T in both
// cases; which it is, is a number of the kernel, so that there is one of each for both.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#if !defined(__CUDACC__)
#include <cstdio>
#include <cstdlib>
#endif

#include "base/host_device.h"

namespace ravine::cuda {

RAVINE_HOST_DEVICE float widened(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

// To the nearest, ties to even; NaN stays one, though its upper half alone may be that of an infinity.
RAVINE_HOST_DEVICE std::uint16_t rounded(float value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  std::uint16_t bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
#else
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t nearest = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  return static_cast<std::uint16_t>(is_nan ? (bits >> 16) | 0x40u : nearest);
#endif
}

// Some neighbours, as one thread takes them: 32 bytes of T, or 16 of bfloat16.
template <typename T>
struct Pack {
  static constexpr int count = 32 / sizeof(T);
  T values[count];
};

// 16 bytes at once; the address must be a multiple of it.
struct alignas(16) Vector {
  std::uint32_t words[4];

  RAVINE_HOST_DEVICE static Vector load(const void* data) {
    check(data);
    return *static_cast<const Vector*>(data);
  }
  RAVINE_HOST_DEVICE void store(void* data) const {
    check(data);
    *static_cast<Vector*>(data) = *this;
  }

 private:
  RAVINE_HOST_DEVICE static void check([[maybe_unused]] const void* data) {
#if !defined(__CUDACC__)
    if (reinterpret_cast<std::uintptr_t>(data) % sizeof(Vector) == 0) return;
    std::fputs("a kernel takes 16 bytes from an address that is no multiple of it\n", stderr);
    std::abort();
#endif
  }
};

template <typename T>
struct Cells {
  void* data = nullptr;
  bool rounded = false;  // stored in bfloat16; never of double

  RAVINE_HOST_DEVICE bool exists() const { return data != nullptr; }

  RAVINE_HOST_DEVICE T load(std::int64_t i) const {
    if constexpr (std::is_same_v<T, float>) {
      if (rounded) return widened(static_cast<const std::uint16_t*>(data)[i]);
    }
    return static_cast<const T*>(data)[i];
  }
  RAVINE_HOST_DEVICE void store(std::int64_t i, T value) const {
    if constexpr (std::is_same_v<T, float>) {
      if (rounded) {
        static_cast<std::uint16_t*>(data)[i] = cuda::rounded(value);
        return;
      }
    }
    static_cast<T*>(data)[i] = value;
  }
  // What a value is once it has been stored.
  RAVINE_HOST_DEVICE T as_stored(T value) const {
    if constexpr (std::is_same_v<T, float>) {
      if (rounded) return widened(cuda::rounded(value));
    }
    return value;
  }

  // The cells from there on.
  RAVINE_HOST_DEVICE Cells from(std::int64_t i) const {
    return {static_cast<char*>(data) + i * static_cast<std::int64_t>(rounded ? 2 : sizeof(T)), rounded};
  }

  // Whether packs can be had of them; then those that begin at a multiple of their count.
  RAVINE_HOST_DEVICE bool is_aligned() const {
    return reinterpret_cast<std::uintptr_t>(data) % sizeof(Vector) == 0;
  }
  RAVINE_HOST_DEVICE Pack<T> load_pack(std::int64_t first) const {
    Pack<T> pack;
    if constexpr (std::is_same_v<T, float>) {
      if (rounded) {
        const Vector vector = Vector::load(static_cast<const std::uint16_t*>(data) + first);
        for (int i = 0; i < 4; ++i) {
          pack.values[2 * i] = std::bit_cast<float>(vector.words[i] << 16);
          pack.values[2 * i + 1] = std::bit_cast<float>(vector.words[i] & 0xffff0000u);
        }
        return pack;
      }
    }
    const T* from = static_cast<const T*>(data) + first;
    constexpr int half = Pack<T>::count / 2;
    const Halves halves{Vector::load(from), Vector::load(from + half)};
    return std::bit_cast<Pack<T>>(halves);
  }
  RAVINE_HOST_DEVICE void store_pack(std::int64_t first, const Pack<T>& pack) const {
    if constexpr (std::is_same_v<T, float>) {
      if (rounded) {
        Vector vector;
        for (int i = 0; i < 4; ++i) {
          vector.words[i] = std::uint32_t{cuda::rounded(pack.values[2 * i])} |
                            std::uint32_t{cuda::rounded(pack.values[2 * i + 1])} << 16;
        }
        vector.store(static_cast<std::uint16_t*>(data) + first);
        return;
      }
    }
    T* to = static_cast<T*>(data) + first;
    const auto halves = std::bit_cast<Halves>(pack);
    halves.first.store(to);
    halves.second.store(to + Pack<T>::count / 2);
  }

 private:
  struct Halves {
    Vector first;
    Vector second;
  };
};

}  // namespace ravine::cuda

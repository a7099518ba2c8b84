// Sums for moments, in vectors: of values less one of them, of the squares of that, and how many are zero.
#pragma once

#include "backend/cpu/simd/vector.h"

namespace ravine::cpu::RAVINE_SIMD {

// So many values are added up in T; their sums go to double.
template <typename T>
constexpr std::int64_t values_of_sum = 256 * lanes<T>;

template <typename T>
class MomentSums {
 public:
  explicit MomentSums(T shift) : shift_(Vector<T>{} + shift) {}

  void add(Vector<T> value) {
    const Vector<T> difference = value - shift_;
    sum_ += difference;
    squares_ += difference * difference;
    zeros_ += zeros_of(value);
  }
  // The first `count` lanes.
  void add_part(Vector<T> value, int count) {
    value = with_rest<T>(value, count, shift_);
    add(value);
    if (shift_[0] == 0) zeros_ -= lanes<T> - count;
  }
  void add_some(Vector<T> value, int count) { count == lanes<T> ? add(value) : add_part(value, count); }
  void flush(PartialMoments& all) const { flush(sum_, squares_, zeros_, all); }

 private:
  // By value: whose address is taken does not stay in registers.
  static void flush(Vector<T> sum, Vector<T> squares, std::int64_t zeros, PartialMoments& all) {
    all.sum += static_cast<double>(sum_of<T>(sum));
    all.squares += static_cast<double>(sum_of<T>(squares));
    all.zeros += static_cast<double>(zeros);
  }

  Vector<T> shift_;
  Vector<T> sum_{};
  Vector<T> squares_{};
  std::int64_t zeros_ = 0;
};

}  // namespace ravine::cpu::RAVINE_SIMD

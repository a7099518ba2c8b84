// A block computes 16 x 16 elements of the output, a thread one of them: strips of 32 summed values of both
// factors are brought to shared memory, one after the other.
#include "backend/cuda/own_product.h"

#include <algorithm>
#include <new>
#include <type_traits>

#include "backend/cuda/launch.h"
#include "backend/cuda/operation.h"
#include "rules/activations/list.h"

namespace ravine::cuda {
namespace {

constexpr int extent = 16;  // of a tile, both ways
constexpr int strip = 32;   // summed values at once
static_assert(extent * extent == block_threads);

// Any rule of the list: which one it is, is a number, so that there is one kernel for all.
template <typename T>
class AnyActivation {
 public:
  explicit AnyActivation(const Component* component) {
    if (component == nullptr) return;
    index_ = ActivationRules::find(component->name);
    with_rule<ActivationRules, T>(
        component->name,
        [&]<typename Rule>(const Rule& rule) {
          static_assert(sizeof(Rule) <= sizeof(settings_) && std::is_trivially_copyable_v<Rule>);
          ::new (static_cast<void*>(settings_)) Rule(rule);
        },
        component->values);
  }

  RAVINE_HOST_DEVICE bool exists() const { return index_ >= 0; }
  RAVINE_HOST_DEVICE T forward(T x) const {
    T y = x;
    visit([&]<template <typename> class Rule>() { y = rule<Rule>().forward(x); });
    return y;
  }
  RAVINE_HOST_DEVICE T derivative(T x, T y) const {
    T derivative = 1;
    visit([&]<template <typename> class Rule>() { derivative = rule<Rule>().derivative(x, y); });
    return derivative;
  }

 private:
  template <template <typename> class Rule>
  RAVINE_HOST_DEVICE const Rule<T>& rule() const {
    return *reinterpret_cast<const Rule<T>*>(settings_);
  }
  template <typename Visit>
  RAVINE_HOST_DEVICE void visit(const Visit& visit) const {
    int index = 0;
    ActivationRules::for_each([&]<template <typename> class Rule>() {
      if (index++ == index_) visit.template operator()<Rule>();
    });
  }

  int index_ = -1;
  alignas(8) unsigned char settings_[4 * sizeof(T)] = {};
};

// A factor by its place in the output, row or column, and in the sum.
template <typename T>
struct Factor {
  Cells<T> cells;
  std::int64_t count;  // of rows or columns of the output
  std::int64_t stride;
  std::int64_t sum_stride;  // one of the two is 1
  bool rounds;

  RAVINE_HOST_DEVICE T load(std::int64_t i, std::int64_t summed) const {
    const T value = cells.load(i * stride + summed * sum_stride);
    return rounds ? Cells<T>{nullptr, true}.as_stored(value) : value;
  }
  // Brings a strip to shared memory; threads that follow each other take what lies one behind the other.
  RAVINE_HOST_DEVICE void bring(std::int64_t first, std::int64_t first_summed, std::int64_t k, int thread,
                                T (&to)[extent][strip + 1]) const {
    for (int part = 0; part < extent * strip; part += block_threads) {
      const int place = part + thread;
      const int i = sum_stride == 1 ? place / strip : place % extent;
      const int summed = sum_stride == 1 ? place % strip : place / extent;
      const bool is_there = first + i < count && first_summed + summed < k;
      to[i][summed] = is_there ? load(first + i, first_summed + summed) : T(0);
    }
  }
};

template <typename T>
struct TileProduct {
  Factor<T> left;
  Factor<T> right;
  std::int64_t k;
  std::int64_t column_tiles;
  AnyActivation<T> activation;
  AnyActivation<T> activation_gradient;
  OwnProductTensors<T> tensors;

  struct Shared {
    T left[extent][strip + 1];
    T right[extent][strip + 1];
    T sums[block_threads];
    T left_sums[extent];
  };

  RAVINE_HOST_DEVICE void operator()(const Block& block, Shared& shared) const {
    const std::int64_t first_row = block.index / column_tiles * extent;
    const std::int64_t first_column = block.index % column_tiles * extent;
    const bool sums_left = tensors.left_sums != nullptr && first_column == 0;
    block.each([&](int thread) {
      shared.sums[thread] = 0;
      if (thread < extent) shared.left_sums[thread] = 0;
    });
    for (std::int64_t begin = 0; begin < k; begin += strip) {
      block.each([&](int thread) {
        left.bring(first_row, begin, k, thread, shared.left);
        right.bring(first_column, begin, k, thread, shared.right);
      });
      block.each([&](int thread) {
        const T* of_row = shared.left[thread / extent];
        const T* of_column = shared.right[thread % extent];
        T sum = shared.sums[thread];
        for (int i = 0; i < strip; ++i) sum += of_row[i] * of_column[i];
        shared.sums[thread] = sum;
        if (!sums_left || thread >= extent) return;
        T left_sum = shared.left_sums[thread];
        for (int i = 0; i < strip; ++i) left_sum += shared.left[thread][i];
        shared.left_sums[thread] = left_sum;
      });
    }
    block.each([&](int thread) {
      const std::int64_t row = first_row + thread / extent;
      const std::int64_t column = first_column + thread % extent;
      if (row < left.count && column < right.count) finish(row, column, shared.sums[thread]);
      if (sums_left && thread < extent && first_row + thread < left.count) {
        tensors.left_sums[first_row + thread] = shared.left_sums[thread];
      }
    });
  }

 private:
  RAVINE_HOST_DEVICE void finish(std::int64_t row, std::int64_t column, T value) const {
    const std::int64_t at = row * right.count + column;
    if (tensors.bias != nullptr) value += tensors.bias[column];
    if (activation.exists()) value = activation.forward(value);
    if (activation_gradient.exists()) {
      const T x = tensors.activation_input.exists() ? tensors.activation_input.load(at) : T(0);
      value *= activation_gradient.derivative(x, tensors.activation_output.load(at));
    }
    tensors.output.store(at, value);
  }
};

template <typename T>
class TiledProduct final : public OwnProduct<T> {
 public:
  TiledProduct(Stream& stream, const RowMajorProduct& product, bool rounds, const Component* activation,
               const Component* activation_gradient)
      : stream_(stream),
        product_(product),
        rounds_(rounds),
        activation_(activation),
        activation_gradient_(activation_gradient) {}

  void run(const OwnProductTensors<T>& tensors) const noexcept override {
    const auto [m, n, k, transpose_left, transpose_right] = product_;
    const auto tiles = [](std::int64_t count) { return (count + extent - 1) / extent; };
    const Factor<T> left{tensors.left, m, transpose_left ? 1 : k, transpose_left ? m : 1,
                         rounds_ && !tensors.left.rounded};
    const Factor<T> right{tensors.right, n, transpose_right ? k : 1, transpose_right ? 1 : n,
                          rounds_ && !tensors.right.rounded};
    for_blocks(stream_, tiles(m) * tiles(n),
               TileProduct<T>{left, right, k, tiles(n), activation_, activation_gradient_, tensors});
  }

 private:
  Stream& stream_;
  RowMajorProduct product_;
  bool rounds_;
  AnyActivation<T> activation_;
  AnyActivation<T> activation_gradient_;
};

}  // namespace

bool is_small(const RowMajorProduct& product) {
  constexpr std::int64_t longest_sum = 512;
  constexpr std::int64_t most_multiplications = std::int64_t{1} << 21;
  const auto [m, n, k, transpose_left, transpose_right] = product;
  return k <= longest_sum && m <= most_multiplications && n <= most_multiplications &&
         m * n <= most_multiplications / std::max<std::int64_t>(k, 1);
}

template <typename T>
std::unique_ptr<OwnProduct<T>> make_own_product(Stream& stream, const RowMajorProduct& product, bool rounds,
                                                const Component* activation,
                                                const Component* activation_gradient) {
  return std::make_unique<TiledProduct<T>>(stream, product, rounds, activation, activation_gradient);
}
template std::unique_ptr<OwnProduct<float>> make_own_product(Stream&, const RowMajorProduct&, bool,
                                                             const Component*, const Component*);
template std::unique_ptr<OwnProduct<double>> make_own_product(Stream&, const RowMajorProduct&, bool,
                                                              const Component*, const Component*);

}  // namespace ravine::cuda

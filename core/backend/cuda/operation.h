// Operations at work on a stream. Private to this folder.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "backend/cuda/cells.h"
#include "backend/cuda/product_memory.h"
#include "backend/cuda/stream.h"
#include "base/errors.h"
#include "base/host_device.h"

namespace ravine::cuda {

// Where the tensors of a program lie on the device; changes by binding.
using PointerTable = std::vector<void*>;

// Where a program's measurements lie on the device: of each layer mean, variance and fraction of zeros; of
// each parameter the sum of squares; then of the loss its sum, the weight, right answers, and those among
// five.
struct MeasuredPlaces {
  static constexpr int of_layer = 3;
  static constexpr int of_loss = 4;

  double* begin = nullptr;
  int layers = 0;
  int parameters = 0;

  RAVINE_HOST_DEVICE double* layer(int index) const { return begin + of_layer * index; }
  RAVINE_HOST_DEVICE double* parameter(int index) const { return begin + of_layer * layers + index; }
  RAVINE_HOST_DEVICE double* loss() const { return parameter(parameters); }
  std::size_t count() const { return static_cast<std::size_t>(of_layer * layers + parameters + of_loss); }
};

// Which tensors of a program are stored in bfloat16.
using StoredTable = std::shared_ptr<const std::vector<bool>>;
inline StoredTable stored_in_bfloat16(const Program& program) {
  std::vector<bool> stored;
  for (const Tensor& tensor : program.tensors) stored.push_back(tensor.dtype == DType::bfloat16);
  return std::make_shared<const std::vector<bool>>(std::move(stored));
}

// What operations are prepared from.
struct Preparation {
  const Program& program;
  const PointerTable& pointers;
  Stream& stream;
  MeasuredPlaces measured;
  StoredTable stored = stored_in_bfloat16(program);
  std::shared_ptr<ProductMemory> products = std::make_shared<ProductMemory>(program, stream);
  std::size_t step = 0;  // which one of the program is prepared

  const DeviceContext* context() const { return stream.context(); }
  std::int64_t elements(TensorId id) const { return program.tensor(id).shape.elements(); }
  std::int64_t rows(TensorId id) const { return rows_of(program.tensor(id)); }
  std::int64_t columns(TensorId id) const { return columns_of(program.tensor(id)); }
  // Of a tensor's address, in bytes: that of its place in the flat buffers, or in an arena.
  std::uint32_t alignment(TensorId id) const {
    const Tensor& tensor = program.tensor(program.root(id));
    const auto bytes =
        static_cast<std::uint32_t>(tensor.offset) * static_cast<std::uint32_t>(size_of(tensor.dtype));
    const std::uint32_t place = bytes | 64;
    return place & (~place + 1);
  }
};

class CudaOperation {
 public:
  explicit CudaOperation(const Preparation& preparation)
      : stream_(preparation.stream),
        device_context_(preparation.context()),
        pointers_(preparation.pointers),
        stored_(preparation.stored) {}
  virtual ~CudaOperation() = default;
  CudaOperation(const CudaOperation&) = delete;
  CudaOperation& operator=(const CudaOperation&) = delete;

  // Puts its kernels onto the stream. They may be launched again without it, in later steps: it must not
  // allocate, wait, or choose an algorithm after its first run, and gives kernels `device_context_` instead
  // of the numbers of `context`. Whether it observes, and where it writes, holds for later launches too.
  virtual void run(const RunContext& context) noexcept = 0;
  // What the program asks some operations for.
  virtual Meeting* meeting() { return nullptr; }
  virtual double weight_of_rows() noexcept { return 0; }  // of losses
  virtual std::string engine() const { return "kernel"; }

 protected:
  template <typename T>
  T* at(TensorId id) const {
    return id == no_tensor ? nullptr : static_cast<T*>(pointers_[static_cast<std::size_t>(id)]);
  }

  // The elements of a tensor that may be stored in bfloat16; do not exist for no_tensor.
  template <typename T>
  Cells<T> cells(TensorId id) const {
    return {at<void>(id), is_stored(id)};
  }
  bool is_stored(TensorId id) const { return id != no_tensor && (*stored_)[static_cast<std::size_t>(id)]; }

  Stream& stream_;
  const DeviceContext* device_context_;  // read by kernels alone

 private:
  const PointerTable& pointers_;
  StoredTable stored_;
};

using Prepared = std::unique_ptr<CudaOperation>;

// Each kind in its file.
template <typename T>
Prepared prepare_product(const Product& o, const Preparation& preparation);
template <typename T>
Prepared prepare_activation(const Activation& o, const Preparation& preparation);
// Of a matrix to which a row is added before; `bias` may be absent, input and output the same.
template <typename T>
Prepared prepare_activation(const Activation& o, TensorId bias, const Preparation& preparation);
template <typename T>
Prepared prepare_activation_gradient(const ActivationGradient& o, const Preparation& preparation);
// Measures a tensor and changes nothing.
template <typename T>
Prepared prepare_observation(TensorId id, const Observation& observe, const Preparation& preparation);
template <typename T>
Prepared prepare_dropout(const Dropout& o, const Preparation& preparation);
template <typename T>
Prepared prepare_elementwise(const Add& o, const Preparation& preparation);
template <typename T>
Prepared prepare_elementwise(const Affine& o, const Preparation& preparation);
template <typename T>
Prepared prepare_elementwise(const CopyColumns& o, const Preparation& preparation);
template <typename T>
Prepared prepare_column_sum(const ColumnSum& o, const Preparation& preparation);
template <typename T>
Prepared prepare_softmax(const Softmax& o, const Preparation& preparation);
template <typename T>
Prepared prepare_softmax(const SoftmaxGradient& o, const Preparation& preparation);
template <typename T>
Prepared prepare_loss(const SoftmaxCrossEntropy& o, const Preparation& preparation);
template <typename T>
Prepared prepare_loss(const ElementwiseLoss& o, const Preparation& preparation);
// Of columns, of blocks and of weights; and what becomes of moments.
template <typename T>
Prepared prepare_normalization(const ColumnMoments& o, const Preparation& preparation);
template <typename T>
Prepared prepare_normalization(const ColumnNormalization& o, const Preparation& preparation);
template <typename T>
Prepared prepare_normalization(const ColumnNormalizationSums& o, const Preparation& preparation);
template <typename T>
Prepared prepare_normalization(const ColumnNormalizationGradient& o, const Preparation& preparation);
template <typename T>
Prepared prepare_normalization(const MovingAverage& o, const Preparation& preparation);
template <typename T>
Prepared prepare_normalization(const ravine::MergeMoments& o, const Preparation& preparation);
template <typename T>
Prepared prepare_normalization(const MergeSums& o, const Preparation& preparation);
template <typename T>
Prepared prepare_normalization(const BlockNormalization& o, const Preparation& preparation);
template <typename T>
Prepared prepare_normalization(const BlockNormalizationGradient& o, const Preparation& preparation);
template <typename T>
Prepared prepare_normalization(const WeightNormalization& o, const Preparation& preparation);
template <typename T>
Prepared prepare_normalization(const WeightNormalizationGradient& o, const Preparation& preparation);
template <typename T>
Prepared prepare_convolution(const Convolution& o, const Preparation& preparation);
template <typename T>
Prepared prepare_convolution(const ConvolutionInputGradient& o, const Preparation& preparation);
template <typename T>
Prepared prepare_convolution(const ConvolutionWeightGradient& o, const Preparation& preparation);
template <typename T>
Prepared prepare_pooling(const Pooling& o, const Preparation& preparation);
template <typename T>
Prepared prepare_pooling(const PoolingGradient& o, const Preparation& preparation);

// Calls visit(rule) with the rule of that name of the list, made for T from the arguments.
template <typename List, typename T, typename Visit, typename... Arguments>
void with_rule(const std::string& name, const Visit& visit, const Arguments&... arguments) {
  bool found = false;
  List::for_each([&]<template <typename> class Rule>() {
    if (Rule<T>::name != name) return;
    found = true;
    visit(Rule<T>(arguments...));
  });
  if (!found) throw Error(ErrorCode::internal, "no rule '" + name + "'");
}

}  // namespace ravine::cuda

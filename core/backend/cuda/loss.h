// What losses share: what rows weigh, and how their losses are summed.
#pragma once

#include <vector>

#include "backend/cuda/operation.h"
#include "backend/cuda/rows.h"

namespace ravine::cuda {

// What the loss of a row is, weighted, and whether its answer is right, or among the best five.
struct RowLoss {
  double loss;
  std::int32_t correct;
  std::int32_t correct_top5;
};

// The classes of the rows, or mixtures of two of them.
template <typename T>
struct RowClasses {
  const std::int32_t* labels;
  const std::int32_t* second_labels;
  const T* shares;  // of the first label; null: all 1
};

// What the rows of a batch weigh.
template <typename T>
struct RowWeights {
  const T* samples;     // null: all 1
  const T* classes;     // by labels; null: all 1
  const double* total;  // over all rows of the batch

  // What the gradient of a row's loss is multiplied by.
  RAVINE_HOST_DEVICE double share(double weight) const { return *total > 0 ? weight / *total : 0; }
};

template <typename T>
class LossOperation : public CudaOperation {
 public:
  LossOperation(const Preparation& preparation, TensorId prediction, TensorId weights,
                const std::vector<double>& class_weights);

  void run(const RunContext& context) noexcept final;
  double weight_of_rows() noexcept final;

 protected:
  // Writes the losses of the rows, and the gradient.
  virtual void run_rows(const RowWeights<T>& weights, RowLoss* losses) noexcept = 0;
  virtual RowClasses<T> classes() const { return {nullptr, nullptr, nullptr}; }

  Rows rows_;
  double class_sum_ = 0;  // of the weights of all classes

 private:
  // Sums the weights of the rows; gradients are divided by the sum unless the context says by what.
  RowWeights<T> weigh(const DeviceContext* context) noexcept;

  TensorId weights_;
  double* measured_;
  Array<T> class_weights_;
  Array<double> total_;
  Array<RowLoss> losses_;
  Array<double> row_losses_;
};

}  // namespace ravine::cuda

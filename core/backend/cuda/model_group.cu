// The operations in which all ranks of a model group take part: what each sends and receives lies on its
// device.
#include "backend/cuda/model_group.h"

#include "backend/cuda/measure.h"
#include "backend/cuda/transport.h"
#include "communication/communicator.h"

namespace ravine::cuda {
namespace {

// What arrived rank by rank, side by side.
template <typename T>
struct SideBySide {
  const T* arrived;
  const std::int64_t* firsts;  // the first column of each rank, and the number of all
  std::int64_t rows;
  std::int64_t columns;
  Cells<T> output;

  RAVINE_HOST_DEVICE T value(std::int64_t i) const {
    const std::int64_t row = i / columns;
    const std::int64_t column = i - row * columns;
    int rank = 0;
    while (firsts[rank + 1] <= column) ++rank;
    const std::int64_t of_rank = firsts[rank + 1] - firsts[rank];
    return arrived[rows * firsts[rank] + row * of_rank + column - firsts[rank]];
  }
  RAVINE_HOST_DEVICE void store(std::int64_t i, T value) const { output.store(i, value); }
};

template <typename T>
class GatherColumnsOperation final : public CudaOperation {
 public:
  GatherColumnsOperation(const GatherColumns& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        model_(*preparation.program.model),
        rows_(preparation.rows(o.output)),
        columns_(preparation.columns(o.output)),
        observer_(preparation, o.observe, preparation.elements(o.output)) {
    std::vector<std::int64_t> firsts{0};
    for (std::int64_t columns : o.columns) {
      bytes_.push_back(rows_ * columns * static_cast<std::int64_t>(sizeof(T)));
      firsts.push_back(firsts.back() + columns);
    }
    firsts_ = array_of(preparation.stream, firsts);
  }

  void run(const RunContext& context) noexcept override {
    T* const arrived = at<T>(operation_.arrived);
    model_.gather(at<T>(operation_.input), arrived, bytes_.data());
    observer_.store<T>(
        SideBySide<T>{arrived, firsts_.data(), rows_, columns_, this->template cells<T>(operation_.output)},
        context);
  }
  std::string engine() const override { return "ranks"; }

 private:
  GatherColumns operation_;
  Communicator& model_;
  std::int64_t rows_;
  std::int64_t columns_;
  std::vector<std::int64_t> bytes_;
  Array<std::int64_t> firsts_;
  Observer observer_;
};

template <typename T>
class SumRanksOperation final : public CudaOperation {
 public:
  SumRanksOperation(const SumRanks& o, const Preparation& preparation)
      : CudaOperation(preparation),
        operation_(o),
        model_(*preparation.program.model),
        elements_(preparation.elements(o.output)) {}

  void run(const RunContext&) noexcept override {
    T* const output = at<T>(operation_.output);
    const T* const input = at<T>(operation_.input);
    const auto bytes = static_cast<std::size_t>(elements_) * sizeof(T);
    if (input == nullptr) {
      clear(output, bytes, stream_);
    } else if (input != output) {
      stream_.copy(output, input, bytes);
    }
    model_.sum(output, elements_, std::is_same_v<T, double> ? DType::float64 : DType::float32);
  }
  std::string engine() const override { return "ranks"; }

 private:
  SumRanks operation_;
  Communicator& model_;
  std::int64_t elements_;
};

template <typename T>
class BroadcastOperation final : public CudaOperation {
 public:
  BroadcastOperation(const Broadcast& o, const Preparation& preparation)
      : CudaOperation(preparation),
        model_(*preparation.program.model),
        root_(o.root),
        values_(o.input != no_tensor ? o.input : o.output),
        bytes_(preparation.elements(values_) * static_cast<std::int64_t>(sizeof(T))) {}

  void run(const RunContext&) noexcept override { model_.broadcast(at<T>(values_), bytes_, root_); }
  std::string engine() const override { return "ranks"; }

 private:
  Communicator& model_;
  int root_;
  TensorId values_;
  std::int64_t bytes_;
};

class MergeMeasurementsOperation final : public CudaOperation {
 public:
  MergeMeasurementsOperation(const MergeMeasurements& o, const Preparation& preparation)
      : CudaOperation(preparation), merge_(*preparation.program.model, o.by) {}

  void run(const RunContext& context) noexcept override { observes_ = context.observe; }
  void merge(Measurements& measurements) noexcept {
    if (observes_) merge_.moments(measurements.layers);
    merge_.squares(measurements.gradient_squares);
  }
  std::string engine() const override { return "ranks"; }

 private:
  MeasurementMerge merge_;
  bool observes_ = false;
};

}  // namespace

#define RAVINE_PREPARE(Given)                                                     \
  template <typename T>                                                           \
  Prepared prepare_model_group(const Given& o, const Preparation& preparation) {  \
    return std::make_unique<Given##Operation<T>>(o, preparation);                 \
  }                                                                               \
  template Prepared prepare_model_group<float>(const Given&, const Preparation&); \
  template Prepared prepare_model_group<double>(const Given&, const Preparation&);
RAVINE_PREPARE(GatherColumns)
RAVINE_PREPARE(SumRanks)
RAVINE_PREPARE(Broadcast)
#undef RAVINE_PREPARE

template <typename T>
Prepared prepare_model_group(const MergeMeasurements& o, const Preparation& preparation) {
  return std::make_unique<MergeMeasurementsOperation>(o, preparation);
}
template Prepared prepare_model_group<float>(const MergeMeasurements&, const Preparation&);
template Prepared prepare_model_group<double>(const MergeMeasurements&, const Preparation&);

void merge_measurements(CudaOperation& operation, Measurements& measurements) noexcept {
  auto* const merging = dynamic_cast<MergeMeasurementsOperation*>(&operation);
  if (merging != nullptr) merging->merge(measurements);
}

}  // namespace ravine::cuda

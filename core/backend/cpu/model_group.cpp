// The operations in which all ranks of a model group take part. One worker speaks with the other ranks, in a
// stage of its own; all share what is copied before and after it.
#include <cstring>

#include "backend/cpu/loop_operation.h"
#include "backend/cpu/measure.h"
#include "communication/communicator.h"

namespace ravine::cpu {
namespace {

template <typename T>
class GatherColumnsOperation final : public LoopOperation<T> {
 public:
  GatherColumnsOperation(const GatherColumns& o, const Program& program, const PointerTable& pointers)
      : LoopOperation<T>(pointers, rows_of(program.tensor(o.output)), columns_of(program.tensor(o.output))),
        operation_(o),
        model_(*program.model),
        rows_(rows_of(program.tensor(o.output))),
        columns_(columns_of(program.tensor(o.output))),
        observer_(o.observe, this->tiles()) {
    for (std::int64_t columns : o.columns) {
      bytes_.push_back(rows_ * columns * static_cast<std::int64_t>(sizeof(T)));
    }
  }

  int stages() const override { return 2; }
  int tiles_of(int stage) const override { return stage == 0 ? 1 : this->tiles(); }
  void run_stage(int stage, int tile, int worker, const RunContext& context) noexcept override {
    if (stage == 1) return run(tile, worker, context);
    model_.gather(this->at(operation_.input), this->at(operation_.arrived), bytes_.data());
  }
  void run(int tile, int, const RunContext& context) noexcept override {
    const std::int64_t begin = this->cut_.begin(tile);
    const std::int64_t rows = this->cut_.length(tile);
    T* const output = this->at(operation_.output) + begin * columns_;
    const T* arrived = this->at(operation_.arrived);
    std::int64_t column = 0;
    for (const std::int64_t columns : operation_.columns) {
      const auto bytes = static_cast<std::size_t>(columns) * sizeof(T);
      for (std::int64_t row = 0; row < rows; ++row) {
        std::memcpy(output + row * columns_ + column, arrived + (begin + row) * columns, bytes);
      }
      arrived += rows_ * columns;
      column += columns;
    }
    observer_.see(tile, {output, rows, columns_, columns_}, context);
  }
  void collect(Measurements& measurements) const noexcept override { observer_.collect(measurements); }

 private:
  GatherColumns operation_;
  Communicator& model_;
  std::int64_t rows_;
  std::int64_t columns_;
  std::vector<std::int64_t> bytes_;
  Observer<T> observer_;
};

template <typename T>
class SumRanksOperation final : public LoopOperation<T> {
 public:
  SumRanksOperation(const SumRanks& o, const Program& program, const PointerTable& pointers)
      : LoopOperation<T>(pointers, program.tensor(o.output).shape.elements(), 1),
        operation_(o),
        model_(*program.model),
        in_place_(program.root(o.output) == (o.input == no_tensor ? no_tensor : program.root(o.input))) {}

  int stages() const override { return in_place_ ? 1 : 2; }
  int tiles_of(int stage) const override { return stage + 1 == stages() ? 1 : this->tiles(); }
  void run_stage(int stage, int tile, int worker, const RunContext& context) noexcept override {
    if (stage + 1 < stages()) return run(tile, worker, context);
    model_.sum(this->at(operation_.output), this->cut_.extent,
               std::is_same_v<T, double> ? DType::float64 : DType::float32);
  }
  void run(int tile, int, const RunContext&) noexcept override {
    const std::int64_t begin = this->cut_.begin(tile);
    const auto bytes = static_cast<std::size_t>(this->cut_.length(tile)) * sizeof(T);
    T* const output = this->at(operation_.output) + begin;
    if (operation_.input == no_tensor) {
      std::memset(output, 0, bytes);
    } else {
      std::memcpy(output, this->at(operation_.input) + begin, bytes);
    }
  }

 private:
  SumRanks operation_;
  Communicator& model_;
  bool in_place_;
};

template <typename T>
class BroadcastOperation final : public LoopOperation<T> {
 public:
  BroadcastOperation(const Broadcast& o, const Program& program, const PointerTable& pointers)
      : LoopOperation<T>(pointers, 1, 1),
        model_(*program.model),
        root_(o.root),
        values_(o.input != no_tensor ? o.input : o.output),
        bytes_(program.tensor(values_).shape.elements() * static_cast<std::int64_t>(sizeof(T))) {}

  void run(int, int, const RunContext&) noexcept override {
    model_.broadcast(this->at(values_), bytes_, root_);
  }

 private:
  Communicator& model_;
  int root_;
  TensorId values_;
  std::int64_t bytes_;
};

class MergeMeasurementsOperation final : public CpuOperation {
 public:
  MergeMeasurementsOperation(const MergeMeasurements& o, const Program& program)
      : merge_(*program.model, o.by) {}

  int tiles() const override { return 1; }
  void run(int, int, const RunContext& context) noexcept override { observes_ = context.observe; }
  void collect(Measurements& measurements) const noexcept override {
    if (observes_) merge_.moments(measurements.layers);
    merge_.squares(measurements.gradient_squares);
  }

 private:
  mutable MeasurementMerge merge_;
  bool observes_ = false;
};

}  // namespace

template <typename T, typename Given>
std::unique_ptr<CpuOperation> prepare_model_group(const Given& o, const Program& program,
                                                  const PointerTable& pointers) {
  if constexpr (std::is_same_v<Given, GatherColumns>) {
    return std::make_unique<GatherColumnsOperation<T>>(o, program, pointers);
  } else if constexpr (std::is_same_v<Given, SumRanks>) {
    return std::make_unique<SumRanksOperation<T>>(o, program, pointers);
  } else if constexpr (std::is_same_v<Given, Broadcast>) {
    return std::make_unique<BroadcastOperation<T>>(o, program, pointers);
  } else {
    return std::make_unique<MergeMeasurementsOperation>(o, program);
  }
}

#define RAVINE_PREPARE(T, Given)                                                                     \
  template std::unique_ptr<CpuOperation> prepare_model_group<T, Given>(const Given&, const Program&, \
                                                                       const PointerTable&);
#define RAVINE_PREPARE_ALL(T)      \
  RAVINE_PREPARE(T, GatherColumns) \
  RAVINE_PREPARE(T, SumRanks)      \
  RAVINE_PREPARE(T, Broadcast)     \
  RAVINE_PREPARE(T, MergeMeasurements)
RAVINE_PREPARE_ALL(float)
RAVINE_PREPARE_ALL(double)
#undef RAVINE_PREPARE_ALL
#undef RAVINE_PREPARE

}  // namespace ravine::cpu

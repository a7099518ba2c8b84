// The operations that join branches.
#include <cstring>

#include "backend/cpu/loop_operation.h"
#include "backend/cpu/measure.h"

namespace ravine::cpu {
namespace {

template <typename T>
class AddOperation final : public LoopOperation<T> {
 public:
  AddOperation(const Add& o, const Program& program, const PointerTable& pointers, std::int64_t samples)
      : LoopOperation<T>(pointers, program, program.tensor(o.output).shape.elements(), 1, samples),
        operation_(o),
        observer_(o.observe, this->tiles()) {}

  void run(int tile, int, const RunContext& context) noexcept override {
    const std::int64_t begin = this->cut_.begin(tile);
    const std::int64_t count = this->cut_.length(tile);
    T* output = this->at(operation_.output) + begin;
    kernels<T>().add(this->at(operation_.left) + begin, this->at(operation_.right) + begin, output, count);
    observer_.see(tile, {output, 1, count, count}, context);
  }
  void collect(Measurements& measurements) const noexcept override { observer_.collect(measurements); }

 private:
  Add operation_;
  Observer<T> observer_;
};

template <typename T>
class CopyColumnsOperation final : public LoopOperation<T> {
 public:
  CopyColumnsOperation(const CopyColumns& o, const Program& program, const PointerTable& pointers,
                       std::int64_t samples)
      : LoopOperation<T>(pointers, program, rows_of(program.tensor(o.input)), o.columns, samples),
        operation_(o),
        input_stride_(columns_of(program.tensor(o.input))),
        output_stride_(columns_of(program.tensor(o.output))) {}

  void run(int tile, int, const RunContext&) noexcept override {
    const std::int64_t begin = this->cut_.begin(tile);
    const std::int64_t end = begin + this->cut_.length(tile);
    const auto bytes = static_cast<std::size_t>(operation_.columns) * sizeof(T);
    for (std::int64_t row = begin; row < end; ++row) {
      std::memcpy(this->at(operation_.output) + row * output_stride_ + operation_.output_column,
                  this->at(operation_.input) + row * input_stride_ + operation_.input_column, bytes);
    }
  }

 private:
  CopyColumns operation_;
  std::int64_t input_stride_;
  std::int64_t output_stride_;
};

}  // namespace

template <typename T>
std::unique_ptr<CpuOperation> prepare_add(const Add& o, const Program& program, const PointerTable& pointers,
                                          std::int64_t samples) {
  return std::make_unique<AddOperation<T>>(o, program, pointers, samples);
}
template <typename T>
std::unique_ptr<CpuOperation> prepare_copy_columns(const CopyColumns& o, const Program& program,
                                                   const PointerTable& pointers, std::int64_t samples) {
  return std::make_unique<CopyColumnsOperation<T>>(o, program, pointers, samples);
}

#define RAVINE_PREPARE(T)                                                                                \
  template std::unique_ptr<CpuOperation> prepare_add<T>(const Add&, const Program&, const PointerTable&, \
                                                        std::int64_t);                                   \
  template std::unique_ptr<CpuOperation> prepare_copy_columns<T>(const CopyColumns&, const Program&,     \
                                                                 const PointerTable&, std::int64_t);
RAVINE_PREPARE(float)
RAVINE_PREPARE(double)
RAVINE_PREPARE(Bfloat16)
#undef RAVINE_PREPARE

}  // namespace ravine::cpu

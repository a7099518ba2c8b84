// Normalization of the weights into each unit.
#include "backend/cpu/measure.h"
#include "backend/cpu/summing_operation.h"

namespace ravine::cpu {
namespace {

// The weights into each unit as a row.
Tensor by_units(Tensor weight) {
  const std::int64_t units = weight.shape[0];
  weight.shape = {units, weight.shape.elements() / units};
  return weight;
}

template <typename T>
class WeightNormalizationOperation final : public RowOperation<T> {
 public:
  WeightNormalizationOperation(const WeightNormalization& o, const Program& program,
                               const PointerTable& pointers)
      : RowOperation<T>(by_units(program.tensor(o.direction)), pointers), operation_(o) {}

  void run(int tile, int, const RunContext&) noexcept override {
    kernels<T>().normalize_weight(this->block(operation_.direction, tile),
                                  this->at(operation_.gain) + this->cut_.begin(tile),
                                  this->rows_from(operation_.weight, tile));
  }

 private:
  WeightNormalization operation_;
};

template <typename T>
class WeightNormalizationGradientOperation final : public RowOperation<T> {
 public:
  WeightNormalizationGradientOperation(const WeightNormalizationGradient& o, const Program& program,
                                       const PointerTable& pointers)
      : RowOperation<T>(by_units(program.tensor(o.direction)), pointers),
        operation_(o),
        direction_observer_(o.observe_direction, this->tiles()),
        gain_observer_(o.observe_gain, this->tiles()) {}

  void run(int tile, int, const RunContext&) noexcept override {
    const std::int64_t row = this->cut_.begin(tile);
    const auto squares = kernels<T>().weight_norm_gradient(
        this->block(operation_.direction, tile), this->at(operation_.gain) + row,
        this->rows_from(operation_.weight_gradient, tile),
        this->rows_from(operation_.direction_gradient, tile), this->at(operation_.gain_gradient) + row);
    direction_observer_.set_squares(tile, squares.direction);
    gain_observer_.set_squares(tile, squares.gain);
  }
  void collect(Measurements& measurements) const noexcept override {
    direction_observer_.collect(measurements);
    gain_observer_.collect(measurements);
  }

 private:
  WeightNormalizationGradient operation_;
  Observer<T> direction_observer_;
  Observer<T> gain_observer_;
};

}  // namespace

#define RAVINE_PREPARE(Given, T)                                                                 \
  template <>                                                                                    \
  std::unique_ptr<CpuOperation> prepare_normalization<T, Given>(                                 \
      const Given& o, const Program& program, const PointerTable& pointers, int, std::int64_t) { \
    return std::make_unique<Given##Operation<T>>(o, program, pointers);                          \
  }
#define RAVINE_PREPARE_BOTH(Given) RAVINE_PREPARE(Given, float) RAVINE_PREPARE(Given, double)
RAVINE_PREPARE_BOTH(WeightNormalization)
RAVINE_PREPARE_BOTH(WeightNormalizationGradient)
#undef RAVINE_PREPARE_BOTH
#undef RAVINE_PREPARE

}  // namespace ravine::cpu

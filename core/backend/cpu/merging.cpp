// What the parts of a batch have found together. Whoever runs the parts holds the meetings; a program that is
// run alone is the only part.
#include <algorithm>

#include "backend/cpu/loop_operation.h"
#include "backend/cpu/operation.h"

namespace ravine::cpu {
namespace {

template <typename T>
class MergingOperation : public LoopOperation<T>, public Meeting {
 public:
  MergingOperation(const PointerTable& pointers, std::int64_t columns)
      : LoopOperation<T>(pointers, 1, 1), columns_(columns) {}

  Meeting* meeting() override { return this; }

 protected:
  // Adds a value of each column of a tensor behind others.
  double* put(TensorId id, double* numbers) const noexcept {
    return std::copy_n(this->number(id), columns_, numbers);
  }

  std::int64_t columns_;
};

template <typename T>
class MergeMomentsOperation final : public MergingOperation<T> {
 public:
  MergeMomentsOperation(const MergeMoments& o, const Program& program, const PointerTable& pointers)
      : MergingOperation<T>(pointers, program.tensor(o.mean).shape.elements()), operation_(o) {}

  void run(int, int, const RunContext& context) noexcept override {
    if (context.in_parts) return;
    *this->number(operation_.whole_count) = static_cast<T>(operation_.rows);
    std::copy_n(this->number(operation_.mean), this->columns_, this->number(operation_.whole_mean));
    std::copy_n(this->number(operation_.variance), this->columns_, this->number(operation_.whole_variance));
  }

  std::int64_t size() const override { return 1 + 2 * this->columns_; }
  void give(double* numbers) const noexcept override {
    *numbers++ = static_cast<double>(operation_.rows);
    this->put(operation_.variance, this->put(operation_.mean, numbers));
  }
  void take(const double* numbers, std::int64_t parts) noexcept override {
    T* const means = this->number(operation_.whole_mean);
    T* const variances = this->number(operation_.whole_variance);
    double count = 0;
    for (std::int64_t i = 0; i < this->columns_; ++i) {
      count = 0;
      double mean = 0, spread = 0;
      for (std::int64_t part = 0; part < parts; ++part) {
        const double* of_part = numbers + part * size();
        const double rows = of_part[0];
        const double difference = of_part[1 + i] - mean;
        const double share = rows / (count + rows);
        spread += rows * of_part[1 + this->columns_ + i] + difference * difference * count * share;
        mean += difference * share;
        count += rows;
      }
      means[i] = static_cast<T>(mean);
      variances[i] = static_cast<T>(spread / count);
    }
    *this->number(operation_.whole_count) = static_cast<T>(count);
  }

 private:
  MergeMoments operation_;
};

template <typename T>
class MergeSumsOperation final : public MergingOperation<T> {
 public:
  MergeSumsOperation(const MergeSums& o, const Program& program, const PointerTable& pointers)
      : MergingOperation<T>(pointers, program.tensor(o.scale_gradient).shape.elements()), operation_(o) {}

  void run(int, int, const RunContext& context) noexcept override {
    if (context.in_parts) return;
    std::copy_n(this->number(operation_.scale_gradient), this->columns_,
                this->number(operation_.whole_scale_gradient));
    std::copy_n(this->number(operation_.centre_gradient), this->columns_,
                this->number(operation_.whole_centre_gradient));
  }

  std::int64_t size() const override { return 2 * this->columns_; }
  void give(double* numbers) const noexcept override {
    this->put(operation_.centre_gradient, this->put(operation_.scale_gradient, numbers));
  }
  void take(const double* numbers, std::int64_t parts) noexcept override {
    for (std::int64_t i = 0; i < size(); ++i) {
      double sum = 0;
      for (std::int64_t part = 0; part < parts; ++part) sum += numbers[part * size() + i];
      const bool scale = i < this->columns_;
      T* const to = this->number(scale ? operation_.whole_scale_gradient : operation_.whole_centre_gradient);
      to[scale ? i : i - this->columns_] = static_cast<T>(sum);
    }
  }

 private:
  MergeSums operation_;
};

}  // namespace

#define RAVINE_PREPARE(Given, T)                                                                 \
  template <>                                                                                    \
  std::unique_ptr<CpuOperation> prepare_normalization<T, Given>(                                 \
      const Given& o, const Program& program, const PointerTable& pointers, int, std::int64_t) { \
    return std::make_unique<Given##Operation<T>>(o, program, pointers);                          \
  }
RAVINE_PREPARE(MergeMoments, float)
RAVINE_PREPARE(MergeMoments, double)
RAVINE_PREPARE(MergeSums, float)
RAVINE_PREPARE(MergeSums, double)
#undef RAVINE_PREPARE

}  // namespace ravine::cpu

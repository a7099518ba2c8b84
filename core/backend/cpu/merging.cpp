// What the parts of a batch have found together. Whoever runs the parts holds the meetings; a program that is
// run alone is the only part.
#include <algorithm>

#include "backend/column_merging.h"
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

  std::int64_t size() const override { return merged_moments_size(this->columns_); }
  void give(double* numbers) const noexcept override {
    *numbers++ = static_cast<double>(operation_.rows);
    this->put(operation_.variance, this->put(operation_.mean, numbers));
  }
  void take(const double* numbers, std::int64_t parts) noexcept override {
    *this->number(operation_.whole_count) =
        merge_moments(numbers, parts, this->columns_, this->number(operation_.whole_mean),
                      this->number(operation_.whole_variance));
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
    merge_sums(numbers, parts, this->columns_, this->number(operation_.whole_scale_gradient),
               this->number(operation_.whole_centre_gradient));
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

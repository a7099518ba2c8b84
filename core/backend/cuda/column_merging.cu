// What a program keeps of the moments of columns, and what the parts of a batch have found together. Whoever
// runs the parts holds the meetings, on the host; a program that is run alone is the only part.
#include "backend/column_merging.h"

#include <algorithm>

#include "backend/cuda/device_context.h"
#include "backend/cuda/launch.h"
#include "backend/cuda/operation.h"

namespace ravine::cuda {
namespace {

template <typename T>
struct MoveAverages {
  const DeviceContext* context;
  const T* value;
  const T* count;  // may be absent
  T* average;
  double momentum;
  double factor;

  RAVINE_HOST_DEVICE void operator()(std::int64_t i) const {
    if (context->go == 0) return;
    const double rows = count == nullptr ? 0 : static_cast<double>(*count);
    const double own = rows > 1 ? rows / (rows - 1) : count == nullptr ? factor : 1;
    average[i] = static_cast<T>(momentum) * average[i] + static_cast<T>((1 - momentum) * own) * value[i];
  }
};

template <typename T>
class MovingAverageOperation final : public CudaOperation {
 public:
  MovingAverageOperation(const MovingAverage& o, const Preparation& preparation)
      : CudaOperation(preparation), operation_(o), elements_(preparation.elements(o.value)) {}
  void run(const RunContext&) noexcept override {
    for_each(stream_, elements_,
             MoveAverages<T>{device_context_, at<const T>(operation_.value), at<const T>(operation_.count),
                             at<T>(operation_.average), operation_.momentum, operation_.factor});
  }

 private:
  MovingAverage operation_;
  std::int64_t elements_;
};

// Two tensors of columns that are given to a meeting, and two that come of it.
template <typename T>
class MergingOperation : public CudaOperation, public Meeting {
 public:
  MergingOperation(TensorId first, TensorId second, TensorId whole_first, TensorId whole_second,
                   const Preparation& preparation)
      : CudaOperation(preparation),
        columns_(preparation.elements(first)),
        bytes_(static_cast<std::size_t>(columns_) * sizeof(T)),
        first_(first),
        second_(second),
        whole_first_(whole_first),
        whole_second_(whole_second),
        host_(stream_, static_cast<std::size_t>(2 * columns_)) {}

  void run(const RunContext& context) noexcept override {
    if (context.in_parts) return;
    stream_.copy(at<T>(whole_first_), at<const T>(first_), bytes_);
    stream_.copy(at<T>(whole_second_), at<const T>(second_), bytes_);
  }
  Meeting* meeting() override { return this; }

 protected:
  // Of all columns the first number, then the second.
  void put(double* numbers) const noexcept {
    stream_.download(host_.data(), at<const T>(first_), bytes_);
    stream_.download(host_.data() + columns_, at<const T>(second_), bytes_);
    stream_.synchronize();
    std::copy_n(host_.data(), 2 * columns_, numbers);
  }
  // What was put in their places.
  void leave() noexcept {
    stream_.upload(at<T>(whole_first_), host_.data(), bytes_);
    stream_.upload(at<T>(whole_second_), host_.data() + columns_, bytes_);
    stream_.synchronize();
  }
  T* firsts() const { return host_.data(); }
  T* seconds() const { return host_.data() + columns_; }

  std::int64_t columns_;

 private:
  std::size_t bytes_;
  TensorId first_, second_, whole_first_, whole_second_;
  PinnedArray<T> host_;
};

template <typename T>
class MergeMomentsOperation final : public MergingOperation<T> {
 public:
  MergeMomentsOperation(const ravine::MergeMoments& o, const Preparation& preparation)
      : MergingOperation<T>(o.mean, o.variance, o.whole_mean, o.whole_variance, preparation),
        operation_(o),
        rows_(this->stream_, 2) {
    *rows_.data() = static_cast<T>(o.rows);
  }

  void run(const RunContext& context) noexcept override {
    if (!context.in_parts) leave_count(rows_.data());
    MergingOperation<T>::run(context);
  }

  std::int64_t size() const override { return merged_moments_size(this->columns_); }
  void give(double* numbers) const noexcept override {
    *numbers = static_cast<double>(operation_.rows);
    this->put(numbers + 1);
  }
  void take(const double* numbers, std::int64_t parts) noexcept override {
    T* const count = rows_.data() + 1;
    *count = merge_moments(numbers, parts, this->columns_, this->firsts(), this->seconds());
    leave_count(count);
    this->leave();
  }

 private:
  void leave_count(const T* count) noexcept {
    this->stream_.upload(this->template at<T>(operation_.whole_count), count, sizeof(T));
  }

  ravine::MergeMoments operation_;
  PinnedArray<T> rows_;  // of the part, and of all
};

template <typename T>
class MergeSumsOperation final : public MergingOperation<T> {
 public:
  MergeSumsOperation(const MergeSums& o, const Preparation& preparation)
      : MergingOperation<T>(o.scale_gradient, o.centre_gradient, o.whole_scale_gradient,
                            o.whole_centre_gradient, preparation) {}

  std::int64_t size() const override { return 2 * this->columns_; }
  void give(double* numbers) const noexcept override { this->put(numbers); }
  void take(const double* numbers, std::int64_t parts) noexcept override {
    merge_sums(numbers, parts, this->columns_, this->firsts(), this->seconds());
    this->leave();
  }
};

}  // namespace

template <typename T>
Prepared prepare_normalization(const MovingAverage& o, const Preparation& preparation) {
  return std::make_unique<MovingAverageOperation<T>>(o, preparation);
}
template <typename T>
Prepared prepare_normalization(const ravine::MergeMoments& o, const Preparation& preparation) {
  return std::make_unique<MergeMomentsOperation<T>>(o, preparation);
}
template <typename T>
Prepared prepare_normalization(const MergeSums& o, const Preparation& preparation) {
  return std::make_unique<MergeSumsOperation<T>>(o, preparation);
}
template Prepared prepare_normalization<float>(const MovingAverage&, const Preparation&);
template Prepared prepare_normalization<double>(const MovingAverage&, const Preparation&);
template Prepared prepare_normalization<float>(const ravine::MergeMoments&, const Preparation&);
template Prepared prepare_normalization<double>(const ravine::MergeMoments&, const Preparation&);
template Prepared prepare_normalization<float>(const MergeSums&, const Preparation&);
template Prepared prepare_normalization<double>(const MergeSums&, const Preparation&);

}  // namespace ravine::cuda

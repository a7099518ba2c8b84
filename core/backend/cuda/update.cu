#include "backend/cuda/update.h"

#include <algorithm>
#include <cstring>

#include "backend/cuda/matrix_update.h"
#include "backend/cuda/queue.h"
#include "backend/cuda/steps.h"
#include "backend/cuda/update_kernels.h"
#include "base/errors.h"
#include "rules/updates/list.h"

namespace ravine::cuda {
namespace {

// Everything but the loops over the rule.
template <typename T>
class CudaUpdate : public StreamUpdate {
 public:
  CudaUpdate(const UpdateBuffers& buffers, std::vector<UpdateSegment> segments, std::size_t rule_bytes,
             const std::shared_ptr<Stream>& stream)
      : stream_(stream),
        segments_(std::move(segments)),
        tiling_(*stream, segments_),
        memory_{static_cast<T*>(buffers.parameters),
                static_cast<const T*>(buffers.gradients),
                static_cast<T*>(buffers.look_ahead),
                {}},
        uploaded_(*stream),
        of_tiles_(*stream, 2 * static_cast<std::size_t>(tiling_.count())),
        of_segments_(*stream, 2 * segments_.size()),
        norm_squares_(*stream, segments_.size()),
        merge_(buffers.merge),
        weight_squares_(segments_.size()),
        update_squares_(segments_.size()) {
    for (std::size_t slot = 0; slot < buffers.slots.size(); ++slot) {
      memory_.slots[slot] = static_cast<T*>(buffers.slots[slot]);
    }
    std::vector<UnitSpan> units;
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      const UpdateSegment& segment = segments_[i];
      variant_of_.push_back(find_variant(segment));
      if (segment.unit == 0 || segment.frozen) continue;
      const std::int64_t first = units_;
      units_ += (segment.end - segment.begin) / segment.unit;
      units.push_back({first, units_, segment.begin, segment.unit, static_cast<std::int64_t>(i)});
    }
    unit_spans_ = array_of(*stream, units);
    unit_squares_ = Array<double>(*stream, static_cast<std::size_t>(units_));
    rules_begin_ = (segments_begin + segments_.size() * sizeof(SegmentStep<T>) + 15) / 16 * 16;
    const std::size_t bytes = (rules_begin_ + variants_.size() * rule_bytes + 15) / 16 * 16;
    step_on_host_ = PinnedArray<std::byte>(*stream, bytes);
    step_ = Array<std::byte>(*stream, bytes);
    fetched_ = PinnedArray<double>(*stream, of_segments_.size());
  }

  void begin(const Values& settings, std::int64_t step, const Regularization& regularization) override {
    uploaded_.wait_on_host();
    StepNumbers numbers{};
    numbers.max_norm = regularization.max_norm;
    std::memcpy(step_on_host_.data(), &numbers, sizeof(numbers));
    limits_units_ = regularization.max_norm > 0;
    divides_l2_ = regularization.l2_of_norm;
    const bool has_rate = settings.has("learning_rate");
    for (std::size_t i = 0; i < variants_.size(); ++i) {
      Variant& variant = variants_[i];
      variant.learning_rate = has_rate ? variant.multiplier * settings.real("learning_rate") : 0;
      if (variant.multiplier == 1 && variant.weight_decay < 0) {
        make_rule(settings, step, step_on_host_.data() + rules_begin_, i);
        continue;
      }
      Values own = settings;
      if (variant.multiplier != 1) own.set("learning_rate", variant.learning_rate);
      if (variant.weight_decay >= 0) own.set("weight_decay", variant.weight_decay);
      make_rule(own, step, step_on_host_.data() + rules_begin_, i);
    }
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      const UpdateSegment& segment = segments_[i];
      Regularization own = regularization;
      if (segment.l2 >= 0) own.l2 = segment.l2;
      const std::size_t variant = variant_of_[i];
      const Penalty<T> penalty(own, segment.decays, variants_[variant].learning_rate);
      segments_on_host()[i] = {penalty,
                               static_cast<std::int32_t>(variant),
                               segment.decays,
                               segment.frozen,
                               !penalty.changes_nothing(),
                               divides_l2_ && penalty.l2 > 0 && !segment.frozen};
    }
    is_uploaded_ = false;
  }

  void scale(const std::vector<double>& scales) noexcept override {
    uploaded_.wait_on_host();
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      SegmentStep<T>& segment = segments_on_host()[i];
      segment.penalty.scale = static_cast<T>(scales[i]);
      segment.penalized = !segment.penalty.changes_nothing();
    }
    is_uploaded_ = false;
  }

  void look_ahead(Worker&) noexcept override {
    upload();
    launch_look_ahead(own_place());
  }

  void run(Worker&) noexcept override {
    upload();
    launch(own_place(), nullptr, limits_units_);
    if (!limits_units_) sum_tiles(*stream_, sums());
    is_fetched_ = false;
    if (merge_ == nullptr) return;
    fetch();  // at once, for all ranks take part
    merge_->squares({&weight_squares_, &update_squares_});
  }

  void launch(const StepPlace& place, const double* scales, bool limits_units) noexcept override {
    if (divides_l2_) {
      measure_points(place, of_tiles_.data());
      sum_tiles(*stream_, tiling_.sums(of_tiles_.data(), norm_squares_.data()));
      if (merge_ != nullptr) merge_norms();
    }
    run_rule(place, scales, divides_l2_ ? norm_squares_.data() : nullptr, of_tiles_.data(),
             of_tiles_.data() + tiling_.count());
    if (!limits_units) return;
    sum_tiles(*stream_, sums());
    for_blocks(*stream_, units_,
               LimitUnits<T>{place, unit_spans_.data(), memory_.parameters, unit_squares_.data()});
    for_blocks(*stream_, static_cast<std::int64_t>(unit_spans_.size()),
               SumUnits{place, unit_spans_.data(), unit_squares_.data(), of_segments_.data()});
  }

  // Of slices, by the host: steps that need it are made one by one.
  void merge_norms() noexcept {
    stream_->download(weight_squares_.data(), norm_squares_.data(), norm_squares_.bytes());
    stream_->synchronize();
    merge_->squares(weight_squares_);
    stream_->upload(norm_squares_.data(), weight_squares_.data(), norm_squares_.bytes());
    stream_->synchronize();
  }

  PreparedSteps* steps(const StepRequest& request) override { return steps_.find(request, *this, stream_); }

  const std::vector<UpdateSegment>& segments() const override { return segments_; }
  std::size_t step_bytes() const override { return step_.bytes(); }
  const std::byte* step_data() const override { return step_on_host_.data(); }
  TileSums sums() const override { return tiling_.sums(of_tiles_.data(), of_segments_.data(), 2); }
  const std::vector<double>& weight_squares() const override {
    fetch();
    return weight_squares_;
  }
  // Of the rule and the soft threshold, before norms are limited.
  const std::vector<double>& update_squares() const override {
    fetch();
    return update_squares_;
  }

 protected:
  // Writes the rule at a place of an array of them.
  virtual void make_rule(const Values& settings, std::int64_t step, std::byte* rules, std::size_t place) = 0;
  virtual void run_rule(const StepPlace& place, const double* scales, const double* norm_squares,
                        double* weight_squares, double* update_squares) noexcept = 0;
  virtual void measure_points(const StepPlace& place, double* squares) noexcept = 0;

  std::int64_t rules_begin() const { return static_cast<std::int64_t>(rules_begin_); }

  std::shared_ptr<Stream> stream_;

 private:
  static constexpr std::size_t segments_begin = (sizeof(StepNumbers) + 15) / 16 * 16;

  // The rule for all segments of one learning rate and weight decay.
  struct Variant {
    double multiplier;
    double weight_decay;  // negative: the rule's
    double learning_rate;
  };

  std::size_t find_variant(const UpdateSegment& segment) {
    for (std::size_t i = 0; i < variants_.size(); ++i) {
      const Variant& known = variants_[i];
      if (known.multiplier == segment.learning_rate && known.weight_decay == segment.weight_decay) return i;
    }
    variants_.push_back({segment.learning_rate, segment.weight_decay, 0});
    return variants_.size() - 1;
  }

  SegmentStep<T>* segments_on_host() const {
    return reinterpret_cast<SegmentStep<T>*>(step_on_host_.data() + segments_begin);
  }
  StepPlace own_place() const { return {nullptr, 0, step_.data()}; }

  // What holds for this step. The host changes it when the copy has left: the update may still run then.
  void upload() noexcept {
    if (is_uploaded_) return;
    stream_->upload(step_.data(), step_on_host_.data(), step_.bytes());
    uploaded_.record();
    is_uploaded_ = true;
  }

  // When somebody asks: a step by hand does not wait for its squares.
  void fetch() const noexcept {
    if (is_fetched_) return;
    stream_->download(fetched_.data(), of_segments_.data(), of_segments_.bytes());
    stream_->synchronize();
    std::copy_n(fetched_.data(), segments_.size(), weight_squares_.begin());
    std::copy_n(fetched_.data() + segments_.size(), segments_.size(), update_squares_.begin());
    is_fetched_ = true;
  }

 protected:
  std::vector<UpdateSegment> segments_;
  Tiling tiling_;
  UpdateMemory<T> memory_;

 private:
  std::vector<Variant> variants_;
  std::vector<std::size_t> variant_of_;  // each segment
  std::size_t rules_begin_ = 0;
  PinnedArray<std::byte> step_on_host_;  // numbers, segments, rules
  Array<std::byte> step_;
  Event uploaded_;
  bool is_uploaded_ = false;
  Array<double> of_tiles_;      // squares of weights, then of updates
  Array<double> of_segments_;   // the same
  Array<double> norm_squares_;  // of segments, where L2 is of norms
  MeasurementMerge* merge_;     // where segments are slices
  PinnedArray<double> fetched_;
  std::int64_t units_ = 0;  // whose norms may be limited
  Array<UnitSpan> unit_spans_;
  Array<double> unit_squares_;
  bool limits_units_ = false;
  bool divides_l2_ = false;
  mutable bool is_fetched_ = true;
  mutable std::vector<double> weight_squares_;
  mutable std::vector<double> update_squares_;
  StepsOfUpdate steps_;
};

template <typename T, typename Rule>
class RuleUpdate final : public CudaUpdate<T> {
 public:
  RuleUpdate(const UpdateBuffers& buffers, std::vector<UpdateSegment> segments,
             const std::shared_ptr<Stream>& stream)
      : CudaUpdate<T>(buffers, std::move(segments), sizeof(Rule), stream) {
    static_assert(std::is_trivially_copyable_v<Rule> && alignof(Rule) <= 16);
    if constexpr (orthogonalizes) {
      matrices_ = std::make_unique<MatrixUpdates<T>>(*stream, this->segments_, this->tiling_);
    }
  }

  void launch_look_ahead(const StepPlace& place) noexcept override {
    if constexpr (requires { &Rule::look_ahead; }) {
      for_blocks(*this->stream_, this->tiling_.count(),
                 LookAhead<T, Rule>{this->tiling_.tiles(), step(place, nullptr, nullptr), this->memory_});
    }
  }

 private:
  UpdateStep<T, Rule> step(const StepPlace& place, const double* scales, const double* norm_squares) const {
    return {place, this->rules_begin(), scales, norm_squares};
  }
  void make_rule(const Values& settings, std::int64_t step, std::byte* rules, std::size_t place) override {
    const Rule rule(settings, step);
    std::memcpy(rules + place * sizeof(Rule), &rule, sizeof(Rule));
  }
  void run_rule(const StepPlace& place, const double* scales, const double* norm_squares,
                double* weight_squares, double* update_squares) noexcept override {
    const UpdateStep<T, Rule> own = step(place, scales, norm_squares);
    for_blocks(*this->stream_, this->tiling_.count(),
               UpdateTiles<T, Rule>{this->tiling_.tiles(), own, this->memory_, weight_squares, update_squares,
                                    matrices_ == nullptr ? nullptr : matrices_->places()});
    if constexpr (orthogonalizes) matrices_->launch(own, this->memory_, weight_squares, update_squares);
  }
  void measure_points(const StepPlace& place, double* squares) noexcept override {
    for_blocks(
        *this->stream_, this->tiling_.count(),
        PointSquares<T, Rule>{this->tiling_.tiles(), step(place, nullptr, nullptr), this->memory_, squares});
  }

  static constexpr bool orthogonalizes = requires { &Rule::direction; };
  std::unique_ptr<MatrixUpdates<T>> matrices_;  // of such a rule
};

template <typename T>
std::unique_ptr<PreparedUpdate> prepare(const std::string& name, const UpdateBuffers& buffers,
                                        std::vector<UpdateSegment> segments,
                                        const std::shared_ptr<Stream>& stream) {
  std::unique_ptr<PreparedUpdate> prepared;
  UpdateRules::for_each([&]<template <typename> class Rule>() {
    if (Rule<T>::name != name) return;
    prepared = std::make_unique<RuleUpdate<T, Rule<T>>>(buffers, std::move(segments), stream);
  });
  return prepared;
}

}  // namespace

std::unique_ptr<PreparedUpdate> prepare_update(const std::string& rule, DType dtype,
                                               const UpdateBuffers& buffers,
                                               std::vector<UpdateSegment> segments,
                                               const std::shared_ptr<Stream>& stream) {
  return dtype == DType::float64 ? prepare<double>(rule, buffers, std::move(segments), stream)
                                 : prepare<float>(rule, buffers, std::move(segments), stream);
}

}  // namespace ravine::cuda

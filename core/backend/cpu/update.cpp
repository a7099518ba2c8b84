#include "backend/cpu/update.h"

#include <algorithm>
#include <cmath>

#include "backend/cpu/orthogonalization.h"
#include "backend/cpu/rule_object.h"
#include "backend/cpu/simd/kernels.h"
#include "backend/cpu/team.h"

namespace ravine::cpu {
namespace {

template <typename T>
class CpuUpdate final : public PreparedUpdate {
 public:
  CpuUpdate(std::string name, const UpdateBuffers& buffers, std::vector<UpdateSegment> segments, int workers)
      : name_(std::move(name)),
        segments_(std::move(segments)),
        merge_(buffers.merge),
        weight_squares_(segments_.size()),
        update_squares_(segments_.size()) {
    add_matrices(workers);
    for (std::size_t segment = 0; segment < segments_.size(); ++segment) {
      const UpdateSegment& all = segments_[segment];
      const std::size_t variant = variant_of(all);
      T* matrix = matrix_of(segment);
      for (std::int64_t begin = all.begin; begin < all.end; begin += tile_size) {
        Tile tile{segment, variant, {}, matrix == nullptr ? nullptr : matrix + (begin - all.begin), 0, {}};
        tile.range.rows = static_cast<T>(all.rows);
        tile.range.columns = static_cast<T>(all.columns);
        tile.range.count = std::min(tile_size, all.end - begin);
        tile.range.parameters = static_cast<T*>(buffers.parameters) + begin;
        tile.range.gradients = static_cast<const T*>(buffers.gradients) + begin;
        tile.range.look_ahead =
            buffers.look_ahead == nullptr ? nullptr : static_cast<T*>(buffers.look_ahead) + begin;
        for (std::size_t slot = 0; slot < buffers.slots.size(); ++slot) {
          tile.range.slots[slot] = static_cast<T*>(buffers.slots[slot]) + begin;
        }
        tile.middle = elements_ + tile.range.count / 2;
        elements_ += tile.range.count;
        tiles_.push_back(tile);
      }
      if (all.unit == 0 || all.frozen) continue;
      for (std::int64_t begin = all.begin; begin < all.end; begin += all.unit) {
        units_.push_back({segment, static_cast<T*>(buffers.parameters) + begin, all.unit, 0});
      }
    }
  }

  void begin(const Values& settings, std::int64_t step, const Regularization& regularization) override {
    max_norm_ = regularization.max_norm;
    const bool has_rate = settings.has("learning_rate");
    for (Variant& variant : variants_) {
      variant.learning_rate = has_rate ? variant.multiplier * settings.real("learning_rate") : 0;
      if (variant.multiplier == 1 && variant.weight_decay < 0) {
        variant.rule = make_rule<UpdateRules, T>(name_, settings, step);
      } else {
        adapt(variant, settings);
        variant.rule = make_rule<UpdateRules, T>(name_, variant.settings, step);
      }
    }
    divides_l2_ = false;
    for (Tile& tile : tiles_) {
      const UpdateSegment& segment = segments_[tile.segment];
      Regularization own = regularization;
      if (segment.l2 >= 0) own.l2 = segment.l2;
      tile.range.penalty = Penalty<T>(own, segment.decays, variants_[tile.variant].learning_rate);
      tile.range.decays = segment.decays;
      divides_l2_ |= regularization.l2_of_norm && divides(tile);
    }
  }

  void scale(const std::vector<double>& scales) noexcept override {
    for (Tile& tile : tiles_) tile.range.penalty.scale = static_cast<T>(scales[tile.segment]);
  }

  void look_ahead(Worker& worker) noexcept override {
    for_own_tiles(worker, [&](Tile& tile) {
      const RuleObject& rule = variants_[tile.variant].rule;
      const UpdateRange<T>& range = tile.range;
      if (segments_[tile.segment].frozen) {
        std::copy_n(range.parameters, range.count, range.look_ahead);
      } else {
        kernels<T>().updates[rule.index].look_ahead(rule.get(), range);
      }
    });
    worker.barrier();
  }

  void run(Worker& worker) noexcept override {
    if (divides_l2_) divide_l2(worker);
    for_own_tiles(worker, [&](Tile& tile) {
      const RuleObject& rule = variants_[tile.variant].rule;
      const UpdateRange<T>& range = tile.range;
      if (segments_[tile.segment].frozen) {
        tile.partial = {squares_of(range.parameters, range.count), 0.0};
      } else if (tile.matrix != nullptr) {
        tile.squares = kernels<T>().updates[rule.index].direction(rule.get(), range, tile.matrix);
      } else {
        tile.partial = kernels<T>().updates[rule.index].update(rule.get(), range);
      }
    });
    worker.barrier();
    if (orthogonalization_) update_matrices(worker);
    if (max_norm_ > 0) {
      for_own(units_, worker, [&](Unit& unit) { limit(unit); });
      worker.barrier();
    }
    if (worker.index == 0) collect();
    worker.barrier();
  }

  const std::vector<double>& weight_squares() const override { return weight_squares_; }
  const std::vector<double>& update_squares() const override { return update_squares_; }

 private:
  static constexpr std::int64_t tile_size = 4096;

  // The rule for all segments of one learning rate and weight decay.
  struct Variant {
    double multiplier;
    double weight_decay;  // negative: the rule's
    double learning_rate;
    Values settings;  // kept from step to step, so that a step need not allocate
    RuleObject rule;
  };

  struct Tile {
    std::size_t segment;
    std::size_t variant;
    UpdateRange<T> range;
    T* matrix;       // where the direction is orthogonalized; null for what moves element by element
    double squares;  // of the direction, or of what its L2 is of
    PartialUpdate partial;
    std::int64_t middle = 0;  // in elements of all tiles
  };

  // The weights into one unit.
  struct Unit {
    std::size_t segment;
    T* weights;
    std::int64_t count;
    double squares;
  };

  // Where the rule treats matrices apart, those that move get memory to be orthogonalized in.
  void add_matrices(int workers) {
    if (kernels<T>().updates[UpdateRules::find(name_)].direction == nullptr) return;
    std::vector<MatrixExtents> extents;
    for (std::size_t segment = 0; segment < segments_.size(); ++segment) {
      const UpdateSegment& all = segments_[segment];
      if (all.rows == 0 || all.frozen) continue;
      matrix_segments_.push_back(segment);
      extents.push_back({all.rows, all.columns});
    }
    if (!extents.empty()) orthogonalization_ = std::make_unique<Orthogonalization<T>>(extents, workers);
  }

  T* matrix_of(std::size_t segment) const {
    const auto found = std::find(matrix_segments_.begin(), matrix_segments_.end(), segment);
    if (found == matrix_segments_.end()) return nullptr;
    return orthogonalization_->matrix(static_cast<std::size_t>(found - matrix_segments_.begin()));
  }

  bool divides(const Tile& tile) const {
    return tile.range.penalty.l2 > 0 && !segments_[tile.segment].frozen;
  }

  // Where L2 is of norms: those of whole segments, in the order of tiles, at the point where the gradient of
  // the loss was taken.
  void divide_l2(Worker& worker) noexcept {
    for_own_tiles(worker, [&](Tile& tile) {
      if (!divides(tile)) return;
      const RuleObject& rule = variants_[tile.variant].rule;
      const UpdateRange<T>& range = tile.range;
      const T* point = range.parameters;
      if (range.look_ahead != nullptr) {  // anew, as steps by hand need not have asked for it
        kernels<T>().updates[rule.index].look_ahead(rule.get(), range);
        point = range.look_ahead;
      }
      tile.squares = squares_of(point, range.count);
    });
    worker.barrier();
    if (worker.index == 0) {
      std::fill(weight_squares_.begin(), weight_squares_.end(), 0.0);
      for (const Tile& tile : tiles_) {
        if (divides(tile)) weight_squares_[tile.segment] += tile.squares;
      }
      if (merge_ != nullptr) merge_->squares(weight_squares_);
      for (Tile& tile : tiles_) {
        if (divides(tile)) tile.range.penalty.divide_l2(std::sqrt(weight_squares_[tile.segment]));
      }
    }
    worker.barrier();
  }

  // The directions are there: their norms, in the order of tiles, the orthogonalization, and the step.
  void update_matrices(Worker& worker) noexcept {
    if (worker.index == 0) {
      std::fill(weight_squares_.begin(), weight_squares_.end(), 0.0);
      for (const Tile& tile : tiles_) weight_squares_[tile.segment] += tile.squares;
      for (std::size_t matrix = 0; matrix < matrix_segments_.size(); ++matrix) {
        orthogonalization_->set_squares(matrix, weight_squares_[matrix_segments_[matrix]]);
      }
    }
    worker.barrier();
    orthogonalization_->run(worker);
    for_own_tiles(worker, [&](Tile& tile) {
      if (tile.matrix == nullptr) return;
      const RuleObject& rule = variants_[tile.variant].rule;
      tile.partial = kernels<T>().updates[rule.index].update_matrix(rule.get(), tile.range, tile.matrix);
    });
    worker.barrier();
  }

  std::size_t variant_of(const UpdateSegment& segment) {
    for (std::size_t i = 0; i < variants_.size(); ++i) {
      const Variant& known = variants_[i];
      if (known.multiplier == segment.learning_rate && known.weight_decay == segment.weight_decay) return i;
    }
    variants_.push_back({segment.learning_rate, segment.weight_decay, 0, {}, {}});
    return variants_.size() - 1;
  }

  // Only numbers change from step to step, and few of them: copying all settings would allocate.
  static void adapt(Variant& variant, const Values& settings) {
    if (variant.settings.all().empty()) variant.settings = settings;
    for (const auto& [name, value] : settings.all()) {
      if (std::holds_alternative<double>(value) && variant.settings.at(name) != value) {
        variant.settings.set(name, value);
      }
    }
    if (variant.multiplier != 1) variant.settings.set("learning_rate", variant.learning_rate);
    if (variant.weight_decay >= 0) variant.settings.set("weight_decay", variant.weight_decay);
  }

  // As many elements for each worker, and those whose gradients it has computed, where operations are small.
  template <typename Visit>
  void for_own_tiles(const Worker& worker, Visit&& visit) noexcept {
    const auto first_of = [&](int index) {
      return std::lower_bound(tiles_.begin(), tiles_.end(), elements_ * index / worker.count,
                              [](const Tile& tile, std::int64_t elements) { return tile.middle < elements; });
    };
    const auto end = worker.index + 1 == worker.count ? tiles_.end() : first_of(worker.index + 1);
    for (auto tile = first_of(worker.index); tile < end; ++tile) visit(*tile);
  }

  template <typename Item, typename Visit>
  static void for_own(std::vector<Item>& items, const Worker& worker, Visit&& visit) noexcept {
    const TileRange share = share_of(static_cast<int>(items.size()), worker);
    for (int item = share.begin; item < share.end; ++item) visit(items[static_cast<std::size_t>(item)]);
  }

  static double squares_of(const T* values, std::int64_t count) noexcept {
    return kernels<T>().squares({values, 1, count, count});
  }

  void limit(Unit& unit) noexcept {
    unit.squares = squares_of(unit.weights, unit.count);
    const double scale = norm_scale(unit.squares, max_norm_);
    if (scale == 1.0) return;
    for (std::int64_t i = 0; i < unit.count; ++i) unit.weights[i] *= static_cast<T>(scale);
    unit.squares *= scale * scale;
  }

  void collect() noexcept {
    std::fill(weight_squares_.begin(), weight_squares_.end(), 0.0);
    std::fill(update_squares_.begin(), update_squares_.end(), 0.0);
    const auto limited = [&](std::size_t segment) {
      return max_norm_ > 0 && segments_[segment].unit > 0 && !segments_[segment].frozen;
    };
    for (const Tile& tile : tiles_) {
      if (!limited(tile.segment)) weight_squares_[tile.segment] += tile.partial.weight_squares;
      update_squares_[tile.segment] += tile.partial.update_squares;
    }
    if (max_norm_ > 0) {
      for (const Unit& unit : units_) weight_squares_[unit.segment] += unit.squares;
    }
    if (merge_ != nullptr) merge_->squares({&weight_squares_, &update_squares_});
  }

  std::string name_;
  std::vector<UpdateSegment> segments_;
  MeasurementMerge* merge_;
  std::vector<Variant> variants_;
  std::vector<Tile> tiles_;
  std::int64_t elements_ = 0;
  std::vector<Unit> units_;
  std::vector<std::size_t> matrix_segments_;
  std::unique_ptr<Orthogonalization<T>> orthogonalization_;
  double max_norm_ = 0;
  bool divides_l2_ = false;
  std::vector<double> weight_squares_;
  std::vector<double> update_squares_;  // of the rule and the soft threshold, before norms are limited
};

}  // namespace

std::unique_ptr<PreparedUpdate> prepare_update(const std::string& rule, DType dtype,
                                               const UpdateBuffers& buffers,
                                               std::vector<UpdateSegment> segments, int workers) {
  if (dtype == DType::float64) {
    return std::make_unique<CpuUpdate<double>>(rule, buffers, std::move(segments), workers);
  }
  return std::make_unique<CpuUpdate<float>>(rule, buffers, std::move(segments), workers);
}

}  // namespace ravine::cpu

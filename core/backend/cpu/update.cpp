#include "backend/cpu/update.h"

#include <algorithm>

#include "backend/cpu/rule_object.h"
#include "backend/cpu/simd/kernels.h"
#include "backend/cpu/team.h"

namespace ravine::cpu {
namespace {

template <typename T>
class CpuUpdate final : public PreparedUpdate {
 public:
  CpuUpdate(std::string rule, const UpdateBuffers& buffers, std::vector<UpdateSegment> segments)
      : name_(std::move(rule)),
        segments_(std::move(segments)),
        weight_squares_(segments_.size()),
        update_squares_(segments_.size()) {
    for (std::size_t segment = 0; segment < segments_.size(); ++segment) {
      for (std::int64_t begin = segments_[segment].begin; begin < segments_[segment].end;
           begin += tile_size) {
        Tile tile{segment, {}, {}};
        tile.range.count = std::min(tile_size, segments_[segment].end - begin);
        tile.range.parameters = static_cast<T*>(buffers.parameters) + begin;
        tile.range.gradients = static_cast<const T*>(buffers.gradients) + begin;
        tile.range.look_ahead =
            buffers.look_ahead == nullptr ? nullptr : static_cast<T*>(buffers.look_ahead) + begin;
        for (std::size_t slot = 0; slot < buffers.slots.size(); ++slot) {
          tile.range.slots[slot] = static_cast<T*>(buffers.slots[slot]) + begin;
        }
        tiles_.push_back(tile);
      }
    }
  }

  void begin(const Values& settings, std::int64_t step, double gradient_scale, double l2) override {
    rule_ = make_rule<UpdateRules, T>(name_, settings, step);
    for (Tile& tile : tiles_) {
      tile.range.gradient_scale = static_cast<T>(gradient_scale);
      tile.range.decays = segments_[tile.segment].decays;
      tile.range.l2 = tile.range.decays ? static_cast<T>(l2) : T(0);
    }
  }

  void look_ahead(Worker& worker) noexcept override {
    const auto loop = kernels<T>().updates[rule_.index].look_ahead;
    for_own_tiles(worker, [&](Tile& tile) { loop(rule_.get(), tile.range); });
    worker.barrier();
  }

  void run(Worker& worker) noexcept override {
    const auto loop = kernels<T>().updates[rule_.index].update;
    for_own_tiles(worker, [&](Tile& tile) { tile.partial = loop(rule_.get(), tile.range); });
    worker.barrier();
    if (worker.index == 0) collect();
    worker.barrier();
  }

  const std::vector<double>& weight_squares() const override { return weight_squares_; }
  const std::vector<double>& update_squares() const override { return update_squares_; }

 private:
  static constexpr std::int64_t tile_size = 16384;

  struct Tile {
    std::size_t segment;
    UpdateRange<T> range;
    PartialUpdate partial;
  };

  template <typename Visit>
  void for_own_tiles(const Worker& worker, Visit&& visit) noexcept {
    const TileRange share = share_of(static_cast<int>(tiles_.size()), worker);
    for (int tile = share.begin; tile < share.end; ++tile) visit(tiles_[static_cast<std::size_t>(tile)]);
  }

  void collect() noexcept {
    std::fill(weight_squares_.begin(), weight_squares_.end(), 0.0);
    std::fill(update_squares_.begin(), update_squares_.end(), 0.0);
    for (const Tile& tile : tiles_) {
      weight_squares_[tile.segment] += tile.partial.weight_squares;
      update_squares_[tile.segment] += tile.partial.update_squares;
    }
  }

  std::string name_;
  std::vector<UpdateSegment> segments_;
  std::vector<Tile> tiles_;
  RuleObject rule_;
  std::vector<double> weight_squares_;
  std::vector<double> update_squares_;
};

}  // namespace

std::unique_ptr<PreparedUpdate> prepare_update(const std::string& rule, DType dtype,
                                               const UpdateBuffers& buffers,
                                               std::vector<UpdateSegment> segments) {
  if (dtype == DType::float64) return std::make_unique<CpuUpdate<double>>(rule, buffers, std::move(segments));
  return std::make_unique<CpuUpdate<float>>(rule, buffers, std::move(segments));
}

}  // namespace ravine::cpu

#include "backend/cpu/prepared_phase.h"

#include <algorithm>

#include "backend/cpu/team.h"

namespace ravine::cpu {

void Items::add(CpuOperation& operation, int stage, double cost) {
  constexpr double cost_of_long = 200000;  // some tens of microseconds
  const int tiles = operation.tiles_of(stage);
  if (cost > cost_of_long) {
    long_.push_back({&operation, stage});
    return;
  }
  for (int tile = 0; tile < tiles; ++tile) {
    items_.push_back({&operation, stage, tile, cost_ + cost / tiles / 2});
    cost_ += cost / tiles;
  }
}

void Items::run(const RunContext& context, const Worker& worker) const noexcept {
  for (const auto& [operation, stage] : long_) {
    const TileRange share = share_of(operation->tiles_of(stage), worker);
    for (int tile = share.begin; tile < share.end; ++tile) {
      operation->run_stage(stage, tile, worker.index, context);
    }
  }
  const auto first_of = [&](int index) {
    if (index == worker.count) return items_.end();
    return std::lower_bound(items_.begin(), items_.end(), cost_ * index / worker.count,
                            [](const Item& item, double cost) { return item.middle < cost; });
  };
  const auto end = first_of(worker.index + 1);
  for (auto item = first_of(worker.index); item < end; ++item) {
    item->operation->run_stage(item->stage, item->tile, worker.index, context);
  }
}

PreparedPhase::PreparedPhase(const std::vector<Member>& members, bool by_rows) {
  constexpr double light = 1.0 / 32;  // beside the stage that does the work
  int stages = 0;
  for (const Member& member : members) stages = std::max(stages, member.operation->stages());
  const auto add_round = [&](const auto& stage_of) {
    Items round;
    for (const auto& [operation, cost] : members) {
      const int stage = stage_of(*operation);
      if (stage < 0 || stage >= operation->stages()) continue;
      round.add(*operation, stage, stage == operation->heaviest_stage() ? cost : light * cost);
    }
    if (!round.empty()) rounds_.push_back(std::move(round));
  };
  if (!by_rows) {
    for (int stage = 0; stage < stages; ++stage) add_round([&](const CpuOperation&) { return stage; });
    before_chain_ = rounds_.size();
    return;
  }
  for (const Member& member : members) chain_.push_back(member.operation);
  // Whatever comes before the heaviest stage reads parameters alone; what comes after is sums over tiles.
  for (int stage = 0; stage < stages; ++stage) {
    add_round([&](const CpuOperation& o) { return stage < o.heaviest_stage() ? stage : -1; });
  }
  before_chain_ = rounds_.size();
  for (int after = 1; after < stages; ++after) {
    add_round([&](const CpuOperation& o) { return o.heaviest_stage() + after; });
  }
}

void PreparedPhase::run(const RunContext& context, Worker& worker) const noexcept {
  for (std::size_t round = 0; round <= rounds_.size(); ++round) {
    if (round == before_chain_ && !chain_.empty()) {
      run_chain(context, worker);
      worker.barrier();
    }
    if (round == rounds_.size()) break;
    rounds_[round].run(context, worker);
    worker.barrier();
  }
}

void PreparedPhase::run_chain(const RunContext& context, const Worker& worker) const noexcept {
  const TileRange share = share_of(chain_.front()->tiles(), worker);
  for (int tile = share.begin; tile < share.end; ++tile) {
    for (CpuOperation* operation : chain_) {
      operation->run_stage(operation->heaviest_stage(), tile, worker.index, context);
    }
  }
}

}  // namespace ravine::cpu

// What workers do between two barriers.
#pragma once

#include <vector>

#include "backend/cpu/operation.h"

namespace ravine::cpu {

// Tiles of operations that do not need each other. Those of a long operation are shared out evenly, those of
// short ones all together, by their cost: that is an estimate, but keeps a worker at the same operations.
class Items {
 public:
  void add(CpuOperation& operation, int stage, double cost);
  bool empty() const { return items_.empty() && long_.empty(); }
  void run(const RunContext& context, const Worker& worker) const noexcept;

 private:
  struct Item {
    CpuOperation* operation;
    int stage;
    int tile;
    double middle;  // of its cost, behind that of all items before it
  };
  struct Long {
    CpuOperation* operation;
    int stage;
  };
  std::vector<Item> items_;
  double cost_ = 0;
  std::vector<Long> long_;
};

// One phase of a program: rounds of tiles that do not need each other; operations that follow each other row
// by row are taken together between the rounds of what comes before and after their heaviest stages.
class PreparedPhase {
 public:
  struct Member {
    CpuOperation* operation;
    double cost;
  };
  PreparedPhase(const std::vector<Member>& members, bool by_rows);
  // Every worker of the team calls it; it ends with a barrier.
  void run(const RunContext& context, Worker& worker) const noexcept;

 private:
  void run_chain(const RunContext& context, const Worker& worker) const noexcept;

  std::vector<Items> rounds_;
  std::size_t before_chain_ = 0;  // rounds
  std::vector<CpuOperation*> chain_;
};

}  // namespace ravine::cpu

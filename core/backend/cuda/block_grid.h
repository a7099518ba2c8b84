// Kernels over blocks of a tensor [outer, rows, groups, columns] that are normalized apart: a team of threads
// takes a block, or, where their rows are short, several neighbouring groups, so that warps read whole lines.
#pragma once

#include <algorithm>

#include "backend/cuda/launch.h"
#include "backend/normalization.h"

namespace ravine::cuda {

struct BlockGrid {
  static constexpr std::int64_t short_row = 32;  // a warp

  explicit BlockGrid(const BlockExtents& extents) : extents(extents) {
    if (extents.columns < short_row) {
      groups_of_team = std::min(extents.groups, std::max<std::int64_t>(1, short_row / extents.columns));
    }
    const std::int64_t width = groups_of_team * extents.columns;
    while (across < block_threads && across < width) across *= 2;
    team = across;
    while (team < block_threads && team / across < extents.rows) team *= 2;
    teams_of_outer = (extents.groups + groups_of_team - 1) / groups_of_team;
  }
  std::int64_t blocks() const { return (teams() + of_block() - 1) / of_block(); }
  RAVINE_HOST_DEVICE std::int64_t teams() const { return extents.outer * teams_of_outer; }
  RAVINE_HOST_DEVICE int of_block() const { return block_threads / team; }
  RAVINE_HOST_DEVICE std::int64_t width() const { return extents.groups * extents.columns; }

  BlockExtents extents;
  std::int64_t groups_of_team = 1;
  std::int64_t teams_of_outer = 1;
  int across = 1;  // threads beside each other in a row
  int team = 1;    // all threads of a team
};

// What a thread has of its team's groups.
struct BlockShare {
  RAVINE_HOST_DEVICE BlockShare(const BlockGrid& grid, const Block& block, int thread)
      : grid(grid), team_begin(thread - thread % grid.team), lane(thread % grid.team) {
    const std::int64_t number = block.index * grid.of_block() + thread / grid.team;
    const std::int64_t outer = number / grid.teams_of_outer;
    first_group = number % grid.teams_of_outer * grid.groups_of_team;
    const std::int64_t left = grid.extents.groups - first_group;
    groups = number >= grid.teams() ? 0 : left < grid.groups_of_team ? left : grid.groups_of_team;
    first_index = outer * grid.extents.groups + first_group;
    begin = outer * grid.extents.rows * grid.width() + first_group * grid.extents.columns;
  }
  // Calls visit(at, column, slot) for all elements of the thread: where they lie, their column among those of
  // all groups, and where the results of their group are.
  template <typename Visit>
  RAVINE_HOST_DEVICE void each(const Visit& visit) const {
    const std::int64_t columns = grid.extents.columns;
    for (std::int64_t own = lane % grid.across; own < groups * columns; own += grid.across) {
      const std::int64_t column = first_group * columns + own;
      const int slot = team_begin + static_cast<int>(grid.groups_of_team == 1 ? 0 : own / columns);
      for (std::int64_t row = lane / grid.across; row < grid.extents.rows; row += grid.team / grid.across) {
        visit(begin + row * grid.width() + own, column, slot);
      }
    }
  }

  const BlockGrid& grid;
  int team_begin;            // the first thread of the team: its groups have the slots from there on
  int lane;                  // the place of the thread in its team
  std::int64_t first_group;  // of the team
  std::int64_t groups;       // none behind the last team
  std::int64_t first_index;  // among all blocks of the tensor
  std::int64_t begin;        // of the first group in the tensor
};

// Adds what the threads of each group have found; the first threads of the team, one a group, have the sums
// for finish(share, thread, sum), where `thread` is the group's slot.
template <typename Finish>
RAVINE_HOST_DEVICE void add_groups(const BlockGrid& grid, const Block& block, double* values,
                                   const Finish& finish) {
  const bool alone = grid.groups_of_team == 1;
  for (int half = grid.team / 2; half >= (alone ? 1 : grid.across); half /= 2) {
    block.each([&](int thread) {
      if (thread % grid.team < half) values[thread] += values[thread + half];
    });
  }
  block.each([&](int thread) {
    const BlockShare share(grid, block, thread);
    if (share.lane >= share.groups) return;
    const int columns = alone ? 1 : static_cast<int>(grid.extents.columns);
    const double* from = values + share.team_begin + share.lane * columns;
    double sum = 0;
    for (int i = 0; i < columns; ++i) sum += from[i];
    finish(share, thread, sum);
  });
}

}  // namespace ravine::cuda

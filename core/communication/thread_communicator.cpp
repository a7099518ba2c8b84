#include "communication/thread_communicator.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>

#include "base/errors.h"

namespace ravine {
namespace {

struct Sum {
  std::vector<void*> values;  // of each rank
  int arrived = 0;
  unsigned done = 0;  // times
};

// What the ranks share. The one that comes last does the work of all.
struct Group {
  explicit Group(int ranks_of_group)
      : ranks(ranks_of_group),
        pointers(static_cast<std::size_t>(ranks)),
        others(static_cast<std::size_t>(ranks)),
        bytes(static_cast<std::size_t>(ranks)) {}

  Sum& sum_of(int slot) {
    while (sums.size() <= static_cast<std::size_t>(slot)) {
      sums.push_back({std::vector<void*>(static_cast<std::size_t>(ranks)), 0, 0});
    }
    return sums[static_cast<std::size_t>(slot)];
  }

  const int ranks;
  std::mutex mutex;
  std::condition_variable happened;
  std::deque<Sum> sums;               // started ones
  std::vector<const void*> pointers;  // of each rank, in the call that all make now
  std::vector<void*> others;
  std::vector<const std::int64_t*> bytes;
  int arrived = 0;
  unsigned calls = 0;
  std::shared_ptr<Group> lane;  // while it is made
};

template <typename T>
void add_up(const std::vector<void*>& values, std::int64_t count) noexcept {
  T* const first = static_cast<T*>(values.front());
  for (std::size_t rank = 1; rank < values.size(); ++rank) {
    const T* const other = static_cast<const T*>(values[rank]);
    for (std::int64_t i = 0; i < count; ++i) first[i] += other[i];
  }
  for (std::size_t rank = 1; rank < values.size(); ++rank) {
    std::memcpy(values[rank], first, static_cast<std::size_t>(count) * sizeof(T));
  }
}

void add_up_rounded(const std::vector<void*>& values, std::int64_t count) noexcept {
  for (std::int64_t i = 0; i < count; ++i) {
    std::uint16_t sum = 0;
    round_to_bfloat16(static_cast<const float*>(values.front()) + i, &sum, 1);
    for (std::size_t rank = 1; rank < values.size(); ++rank) {
      std::uint16_t other = 0;
      round_to_bfloat16(static_cast<const float*>(values[rank]) + i, &other, 1);
      add_bfloat16(&other, &sum, 1);
    }
    for (void* of_rank : values) widen_bfloat16(&sum, static_cast<float*>(of_rank) + i, 1);
  }
}

void add_up(const std::vector<void*>& values, std::int64_t count, DType dtype, Transport transport) noexcept {
  if (dtype == DType::float64) return add_up<double>(values, count);
  if (transport == Transport::bfloat16) return add_up_rounded(values, count);
  add_up<float>(values, count);
}

std::size_t place_of(const std::int64_t* bytes, int rank) {
  std::int64_t place = 0;
  for (int before = 0; before < rank; ++before) place += bytes[before];
  return static_cast<std::size_t>(place);
}

void copy(void* to, std::size_t to_place, const void* from, std::size_t from_place, std::int64_t bytes) {
  if (bytes == 0) return;
  std::memmove(static_cast<std::byte*>(to) + to_place, static_cast<const std::byte*>(from) + from_place,
               static_cast<std::size_t>(bytes));
}

class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(std::shared_ptr<Group> group, int rank) : group_(std::move(group)), rank_(rank) {}

  int rank() const override { return rank_; }
  int ranks() const override { return group_->ranks; }

  void sum(void* values, std::int64_t count, DType dtype, Transport transport) noexcept override {
    together(values, values, nullptr, [&] { add_up(group_->others, count, dtype, transport); });
  }

  void gather(const void* mine, void* all, const std::int64_t* bytes_of_ranks) noexcept override {
    together(mine, all, bytes_of_ranks, [&] {
      for (int to = 0; to < ranks(); ++to) {
        for (int from = 0; from < ranks(); ++from) {
          copy(other(to), place_of(bytes_of_ranks, from), pointer(from), 0, bytes_of_ranks[from]);
        }
      }
    });
  }

  void exchange(const void* sent, const std::int64_t* bytes_to_ranks, void* received,
                const std::int64_t* bytes_from_ranks) noexcept override {
    // Each rank reads for itself, between two meetings.
    together(sent, received, bytes_to_ranks, [] {});
    for (int from = 0; from < ranks(); ++from) {
      const std::int64_t* bytes = group_->bytes[static_cast<std::size_t>(from)];
      copy(received, place_of(bytes_from_ranks, from), pointer(from), place_of(bytes, rank_), bytes[rank_]);
    }
    together(sent, received, bytes_to_ranks, [] {});
  }

  void broadcast(void* values, std::int64_t bytes, int root) noexcept override {
    together(values, values, nullptr, [&] {
      for (int to = 0; to < ranks(); ++to) copy(other(to), 0, pointer(root), 0, bytes);
    });
  }

  void reserve(int slots) override {
    const std::lock_guard lock(group_->mutex);
    if (slots > 0) group_->sum_of(slots - 1);
    seen_.resize(std::max(seen_.size(), static_cast<std::size_t>(slots)), 0);
  }

  void start_sum(int slot, void* values, std::int64_t count, DType dtype,
                 Transport transport) noexcept override {
    const std::lock_guard lock(group_->mutex);
    Sum& sum = group_->sum_of(slot);
    seen_[static_cast<std::size_t>(slot)] = sum.done;
    sum.values[static_cast<std::size_t>(rank_)] = values;
    if (++sum.arrived < ranks()) return;
    add_up(sum.values, count, dtype, transport);
    sum.arrived = 0;
    ++sum.done;
    group_->happened.notify_all();
  }

  bool progress(int slot) noexcept override {
    const std::lock_guard lock(group_->mutex);
    return is_over(slot);
  }

  void wait(int slot) noexcept override {
    std::unique_lock lock(group_->mutex);
    group_->happened.wait(lock, [&] { return is_over(slot); });
  }

  Communicator& lane(int number) override {
    while (lanes_.size() <= static_cast<std::size_t>(number)) {
      together(nullptr, nullptr, nullptr, [&] { group_->lane = std::make_shared<Group>(ranks()); });
      lanes_.push_back(std::make_unique<ThreadCommunicator>(group_->lane, rank_));
      together(nullptr, nullptr, nullptr, [&] { group_->lane.reset(); });
    }
    return *lanes_[static_cast<std::size_t>(number)];
  }

 private:
  const void* pointer(int rank) const { return group_->pointers[static_cast<std::size_t>(rank)]; }
  void* other(int rank) const { return group_->others[static_cast<std::size_t>(rank)]; }

  bool is_over(int slot) const {
    return group_->sums[static_cast<std::size_t>(slot)].done != seen_[static_cast<std::size_t>(slot)];
  }

  // Waits until all ranks are here; the last one calls `work` before the others go on.
  template <typename Work>
  void together(const void* mine, void* to, const std::int64_t* bytes, const Work& work) {
    std::unique_lock lock(group_->mutex);
    const auto place = static_cast<std::size_t>(rank_);
    group_->pointers[place] = mine;
    group_->others[place] = to;
    group_->bytes[place] = bytes;
    const unsigned call = group_->calls;
    if (++group_->arrived == ranks()) {
      work();
      group_->arrived = 0;
      ++group_->calls;
      group_->happened.notify_all();
      return;
    }
    group_->happened.wait(lock, [&] { return group_->calls != call; });
  }

  std::shared_ptr<Group> group_;
  int rank_;
  std::vector<std::unique_ptr<Communicator>> lanes_;
  std::vector<unsigned> seen_;  // how often a slot's sum was over when this rank's last one started
};

}  // namespace

std::vector<std::unique_ptr<Communicator>> thread_communicators(int ranks) {
  if (ranks < 1) {
    throw Error(ErrorCode::invalid_parameter, "must be at least 1, got " + std::to_string(ranks))
        .at_key("ranks");
  }
  const auto group = std::make_shared<Group>(ranks);
  std::vector<std::unique_ptr<Communicator>> made;
  for (int rank = 0; rank < ranks; ++rank) made.push_back(std::make_unique<ThreadCommunicator>(group, rank));
  return made;
}

}  // namespace ravine

#include "network/ordered_exchange.h"

#include <algorithm>
#include <numeric>

namespace ravine {

OrderedExchange::OrderedExchange(Communicator& communicator, Backend& backend, DType dtype, void* gradients,
                                 std::int64_t elements)
    : communicator_(communicator),
      backend_(backend),
      dtype_(dtype),
      bytes_(static_cast<std::int64_t>(size_of(dtype))),
      gradients_(static_cast<std::byte*>(gradients)),
      elements_(elements) {
  const auto ranks = static_cast<std::size_t>(communicator.ranks());
  for (auto* bytes : {&sent_bytes_, &received_bytes_, &slice_bytes_}) bytes->resize(ranks);
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const Slice slice = slice_of(static_cast<int>(rank));
    slice_bytes_[rank] = (slice.end - slice.begin) * bytes_;
  }
}

void OrderedExchange::prepare(const std::vector<std::int64_t>& of_ranks, std::int64_t own) {
  of_ranks_ = of_ranks;
  const std::int64_t all = std::accumulate(of_ranks.begin(), of_ranks.end(), std::int64_t{0});
  own = std::max<std::int64_t>(own, 1);
  if (own > own_parts_) {
    own_.reset();
    own_ = backend_.allocate(static_cast<std::size_t>(own * elements_ * bytes_));
    own_parts_ = own;
  }
  if (all > all_parts_) {
    const std::int64_t slice = slice_bytes_[static_cast<std::size_t>(communicator_.rank())];
    received_.reset();
    received_ = backend_.allocate(static_cast<std::size_t>(all * slice));
    all_parts_ = all;
  }
}

void* OrderedExchange::part(std::int64_t index) const {
  return static_cast<std::byte*>(own_->data()) + index * elements_ * bytes_;
}

OrderedExchange::Slice OrderedExchange::slice_of(int rank) const {
  constexpr std::int64_t line = 16;
  const std::int64_t lines = (elements_ + line - 1) / line;
  const auto from = [&](std::int64_t of) {
    return std::min(elements_, lines * of / communicator_.ranks() * line);
  };
  return {from(rank), from(rank + 1)};
}

OrderedExchange::Slice OrderedExchange::share_of(const Slice& slice, const Worker& worker) const {
  const std::int64_t count = slice.end - slice.begin;
  return {slice.begin + count * worker.index / worker.count,
          slice.begin + count * (worker.index + 1) / worker.count};
}

void OrderedExchange::add_to_first(const void* gradients, bool first, Worker& worker) noexcept {
  const Slice own = share_of({0, elements_}, worker);
  const std::int64_t offset = own.begin * bytes_;
  const auto* from = static_cast<const std::byte*>(gradients) + offset;
  std::byte* to = static_cast<std::byte*>(part(0)) + offset;
  if (first) {
    backend_.copy(to, from, static_cast<std::size_t>((own.end - own.begin) * bytes_));
  } else {
    backend_.add(dtype_, from, to, own.end - own.begin);
  }
  worker.barrier();
}

// One part of each rank after the other: what a rank sends then lies as its slices do.
void OrderedExchange::exchange_all() noexcept {
  const auto rank = static_cast<std::size_t>(communicator_.rank());
  const std::int64_t most = *std::max_element(of_ranks_.begin(), of_ranks_.end());
  // Received in rounds: the parts of a round lie one behind the other, in order of rank.
  std::int64_t received = 0;
  for (std::int64_t round = 0; round < most; ++round) {
    std::int64_t senders = 0;
    for (std::size_t other = 0; other < of_ranks_.size(); ++other) {
      const bool sends = of_ranks_[other] > round;
      received_bytes_[other] = sends ? slice_bytes_[rank] : 0;
      senders += sends ? 1 : 0;
      sent_bytes_[other] = of_ranks_[rank] > round ? slice_bytes_[other] : 0;
    }
    auto* to = static_cast<std::byte*>(received_->data()) + received * slice_bytes_[rank];
    communicator_.exchange(part(of_ranks_[rank] > round ? round : 0), sent_bytes_.data(), to,
                           received_bytes_.data());
    received += senders;
  }
}

void OrderedExchange::sum(Worker& worker) noexcept {
  const auto rank = static_cast<std::size_t>(communicator_.rank());
  const Slice slice = slice_of(communicator_.rank());
  if (worker.index == 0) exchange_all();
  worker.barrier();
  const Slice own = share_of(slice, worker);
  const std::int64_t offset = (own.begin - slice.begin) * bytes_;
  std::byte* const to = gradients_ + own.begin * bytes_;
  bool first = true;
  for (std::size_t other = 0; other < of_ranks_.size(); ++other) {
    for (std::int64_t round = 0; round < of_ranks_[other]; ++round) {
      // Where that part of that rank lies: behind all of the rounds before, and of lower ranks in its own.
      std::int64_t place = 0;
      for (std::size_t before = 0; before < of_ranks_.size(); ++before) {
        place += std::min(of_ranks_[before], before < other ? round + 1 : round);
      }
      const std::byte* from =
          static_cast<const std::byte*>(received_->data()) + place * slice_bytes_[rank] + offset;
      if (first) {
        backend_.copy(to, from, static_cast<std::size_t>((own.end - own.begin) * bytes_));
      } else {
        backend_.add(dtype_, from, to, own.end - own.begin);
      }
      first = false;
    }
  }
  if (first) backend_.clear(to, static_cast<std::size_t>((own.end - own.begin) * bytes_));
  worker.barrier();
  if (worker.index == 0) {
    // The slice is where it belongs; MPI wants what is sent apart from what is received.
    std::byte* const mine = static_cast<std::byte*>(received_->data());
    backend_.copy(mine, gradients_ + slice.begin * bytes_, static_cast<std::size_t>(slice_bytes_[rank]));
    communicator_.gather(mine, gradients_, slice_bytes_.data());
  }
  worker.barrier();
}

}  // namespace ravine

// Sums gradients of the parts of a batch in the order of the parts, whichever ranks have computed them: each
// rank adds up one slice of all parts' gradients, and gets the other slices from the others.
#pragma once

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "communication/communicator.h"

namespace ravine {

class OrderedExchange {
 public:
  OrderedExchange(Communicator& communicator, Backend& backend, DType dtype, void* gradients,
                  std::int64_t elements);

  // How many gradients each rank brings, one behind the other in the order of the ranks, and for how many of
  // its own this one needs a place.
  void prepare(const std::vector<std::int64_t>& of_ranks, std::int64_t own);
  // The place of this rank's, from 0.
  void* part(std::int64_t index) const;
  // To the network's gradient buffer. By all workers; ends with a barrier.
  void sum(Worker& worker) noexcept;
  // Part 0 of this rank += another of its parts. By all workers; ends with a barrier.
  void add_to_first(const void* gradients, bool first, Worker& worker) noexcept;

 private:
  struct Slice {
    std::int64_t begin;
    std::int64_t end;
  };
  Slice slice_of(int rank) const;
  Slice share_of(const Slice& slice, const Worker& worker) const;
  void exchange_all() noexcept;

  Communicator& communicator_;
  Backend& backend_;
  const DType dtype_;
  const std::int64_t bytes_;  // of an element
  std::byte* const gradients_;
  const std::int64_t elements_;
  std::vector<std::int64_t> of_ranks_;
  std::int64_t all_parts_ = 0;
  std::int64_t own_parts_ = 0;
  std::unique_ptr<Buffer> own_;       // parts x elements
  std::unique_ptr<Buffer> received_;  // all parts x elements of a slice
  std::vector<std::int64_t> sent_bytes_, received_bytes_, slice_bytes_;
};

}  // namespace ravine

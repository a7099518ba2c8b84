#include "backend/cuda/staged_communicator.h"

#include <numeric>

#include "base/errors.h"

namespace ravine::cuda {

StagedCommunicator::StagedCommunicator(std::shared_ptr<Stream> stream, Communicator& host, Carrier carrier)
    : stream_(std::move(stream)), host_(host), carrier_(carrier), down_(*stream_), up_(*stream_) {}

std::byte* StagedCommunicator::room(Pinned& memory, std::size_t bytes) noexcept {
  if (memory.data() != nullptr && memory.bytes() >= bytes) return memory.data();
  try {
    stream_->synchronize();  // nothing is on its way there
    memory = Pinned(*stream_, bytes);
  } catch (const Error& error) {
    stream_->fail(error.what());
    return nullptr;
  }
  return memory.data();
}

std::size_t StagedCommunicator::sum_of(const std::int64_t* bytes_of_ranks) const {
  return static_cast<std::size_t>(std::accumulate(bytes_of_ranks, bytes_of_ranks + ranks(), std::int64_t{0}));
}

void StagedCommunicator::sum(void* values, std::int64_t count, DType dtype, Transport transport) noexcept {
  if (!is_on_device(values)) return host_.sum(values, count, dtype, transport);
  const std::size_t bytes = static_cast<std::size_t>(count) * size_of(dtype);
  std::byte* const on_host = room(sent_, bytes);
  if (on_host == nullptr) return;
  stream_->download(on_host, values, bytes);
  stream_->synchronize();
  host_.sum(on_host, count, dtype, transport);
  stream_->upload(values, on_host, bytes);
}

void StagedCommunicator::gather(const void* mine, void* all, const std::int64_t* bytes_of_ranks) noexcept {
  if (!is_on_device(all)) return host_.gather(mine, all, bytes_of_ranks);
  const auto own = static_cast<std::size_t>(bytes_of_ranks[rank()]);
  const std::size_t bytes = sum_of(bytes_of_ranks);
  std::byte* const sent = room(sent_, own);
  std::byte* const received = room(received_, bytes);
  if (sent == nullptr || received == nullptr) return;
  stream_->download(sent, mine, own);
  stream_->synchronize();
  host_.gather(sent, received, bytes_of_ranks);
  stream_->upload(all, received, bytes);
}

void StagedCommunicator::exchange(const void* sent, const std::int64_t* bytes_to_ranks, void* received,
                                  const std::int64_t* bytes_from_ranks) noexcept {
  if (!is_on_device(received)) return host_.exchange(sent, bytes_to_ranks, received, bytes_from_ranks);
  const std::size_t to_others = sum_of(bytes_to_ranks);
  const std::size_t from_others = sum_of(bytes_from_ranks);
  std::byte* const sent_on_host = room(sent_, to_others);
  std::byte* const received_on_host = room(received_, from_others);
  if (sent_on_host == nullptr || received_on_host == nullptr) return;
  stream_->download(sent_on_host, sent, to_others);
  stream_->synchronize();
  host_.exchange(sent_on_host, bytes_to_ranks, received_on_host, bytes_from_ranks);
  stream_->upload(received, received_on_host, from_others);
}

void StagedCommunicator::broadcast(void* values, std::int64_t count, int root) noexcept {
  if (!is_on_device(values)) return host_.broadcast(values, count, root);
  const auto bytes = static_cast<std::size_t>(count);
  std::byte* const on_host = room(sent_, bytes);
  if (on_host == nullptr) return;
  if (rank() == root) stream_->download(on_host, values, bytes);
  stream_->synchronize();
  host_.broadcast(on_host, count, root);
  if (rank() != root) stream_->upload(values, on_host, bytes);
}

void StagedCommunicator::reserve(int slots) {
  host_.reserve(slots);
  while (slots_.size() < static_cast<std::size_t>(slots)) slots_.emplace_back(*stream_);
  coming_.reserve(static_cast<std::size_t>(slots));
}

void StagedCommunicator::start_sum(int number, void* values, std::int64_t count, DType dtype,
                                   Transport transport) noexcept {
  Slot& started = slot(number);
  started.values = values;
  started.count = count;
  started.dtype = dtype;
  started.transport = transport;
  std::byte* const on_host = room(started.on_host, started.bytes());
  if (on_host == nullptr) return;
  started.computed.record();
  down_.wait_for(started.computed);
  down_.download(on_host, values, started.bytes());
  started.arrived.record(down_);
  started.stage = Slot::coming;
  coming_.push_back(number);
}

void StagedCommunicator::sum_arrived(const Slot* awaited) noexcept {
  for (; first_coming_ < coming_.size(); ++first_coming_) {
    const int number = coming_[first_coming_];
    Slot& next = slot(number);
    if (awaited != nullptr && awaited->stage == Slot::coming) {
      next.arrived.wait_on_host();
    } else if (!next.arrived.has_come()) {
      return;
    }
    host_.start_sum(number, next.on_host.data(), next.count, next.dtype, next.transport);
    next.stage = Slot::summed;
  }
  coming_.clear();
  first_coming_ = 0;
}

void StagedCommunicator::send_back(Slot& summed) noexcept {
  up_.upload(summed.values, summed.on_host.data(), summed.bytes());
  summed.back.record(up_);
  summed.stage = Slot::over;
}

bool StagedCommunicator::progress(int number) noexcept {
  Slot& asked = slot(number);
  sum_arrived(nullptr);
  if (asked.stage == Slot::coming) return false;
  if (asked.stage == Slot::over) return true;
  if (!host_.progress(number)) return false;
  send_back(asked);
  return true;
}

void StagedCommunicator::wait(int number) noexcept {
  Slot& asked = slot(number);
  sum_arrived(&asked);
  if (asked.stage == Slot::summed) {
    host_.wait(number);
    send_back(asked);
  }
  asked.back.wait_on_stream();
}

Communicator& StagedCommunicator::lane(int number) {
  while (lanes_.size() <= static_cast<std::size_t>(number)) {
    lanes_.push_back(make_communicator(stream_, host_.lane(static_cast<int>(lanes_.size())), carrier_));
  }
  return *lanes_[static_cast<std::size_t>(number)];
}

}  // namespace ravine::cuda

#include "backend/cuda/nccl_communicator.h"

#include <sched.h>

#include "backend/cuda/transport.h"
#include "base/errors.h"

namespace ravine::cuda {
namespace {

struct Invitation {
  nccl::UniqueId id;
  nccl::Status status;
};

}  // namespace

NcclCommunicator::NcclCommunicator(std::shared_ptr<Stream> stream, Communicator& host)
    : StagedCommunicator(std::move(stream), host, Carrier::nccl),
      nccl_(nccl::library().functions),
      side_(*stream_),
      blocking_(*stream_) {
  if (nccl::library().missing.empty()) return;
  throw Error(ErrorCode::device_unavailable, nccl::library().missing).at_key("backend");
}

std::string NcclCommunicator::text_of(nccl::Status status) const {
  std::string text = std::string("NCCL failed: ") + nccl_.text_of(status);
  const char* const more = nccl_.last_error(ranks_of_nccl_);
  if (more != nullptr && *more != '\0') text += std::string(" (") + more + ")";
  return text;
}

// Networks that the same ranks train one after the other share what was made. It is left to the end of the
// job: to end it would take all ranks, and a destructor is one's own.
void NcclCommunicator::connect() {
  if (connection_ == nullptr) {
    const auto made = std::static_pointer_cast<Connection>(host_.kept);
    if (made != nullptr && made->device == stream_->device()) connection_ = made;
  }
  if (connection_ != nullptr) {
    ranks_of_nccl_ = connection_->ranks;
    if (ranks_of_nccl_ != nullptr) return;
    throw Error(ErrorCode::device_unavailable, "NCCL has failed before; start the job anew")
        .at_key("backend");
  }
  stream_->activate();
  Invitation invitation{{}, nccl::success};
  if (rank() == 0) invitation.status = nccl_.make_id(&invitation.id);
  host_.broadcast(&invitation, sizeof(invitation), 0);
  nccl::Status status = invitation.status;
  if (status == nccl::success) {
    host_.begin_exchange();
    status = nccl_.connect(&ranks_of_nccl_, ranks(), invitation.id, rank());
    host_.end_exchange();
  }
  if (status != nccl::success) {
    ranks_of_nccl_ = nullptr;
    throw Error(ErrorCode::device_unavailable,
                text_of(status) + "; set parallel.backend to \"host\", or see NCCL_DEBUG=INFO")
        .at_key("backend");
  }
  connection_ = std::make_shared<Connection>(Connection{ranks_of_nccl_, stream_->device()});
  host_.kept = connection_;
}

bool NcclCommunicator::is_connected() noexcept {
  try {
    if (!stream_->failed()) connect();
  } catch (const Error& error) {
    stream_->fail(error.what());
  }
  return !stream_->failed();
}

bool NcclCommunicator::check(nccl::Status status) noexcept {
  if (status != nccl::success) stream_->fail(text_of(status));
  return !stream_->failed();
}

void NcclCommunicator::abort() noexcept {
  stream_->activate();
  nccl_.abort(ranks_of_nccl_);
  ranks_of_nccl_ = connection_->ranks = nullptr;
}

// Around what NCCL is asked for, on the stream beside.
void NcclCommunicator::begin(Slot& slot) noexcept {
  slot.computed.record();
  side_.wait_for(slot.computed);
  host_.begin_exchange();
  slot.started = true;
}

void NcclCommunicator::end(Slot& slot) noexcept { slot.done.record(side_); }

void NcclCommunicator::start(Slot& slot, void* values, std::int64_t count, DType dtype,
                             Transport transport) noexcept {
  if (!is_connected()) return;
  const bool rounds = transport == Transport::bfloat16 && dtype == DType::float32;
  slot.widened = rounds ? static_cast<float*>(values) : nullptr;
  slot.count = count;
  if (rounds && slot.rounded.size() < static_cast<std::size_t>(count)) {
    try {
      slot.rounded = Array<std::uint16_t>(*stream_, static_cast<std::size_t>(count));
    } catch (const Error& error) {
      return stream_->fail(error.what());
    }
  }
  if (rounds) round_for_transport(*stream_, slot.widened, slot.rounded.data(), count);
  begin(slot);
  {
    const twin::Access access(*stream_);
    void* const summed = rounds ? slot.rounded.data() : values;
    const nccl::DataType type = rounds                    ? nccl::bfloat16
                                : dtype == DType::float64 ? nccl::float64
                                                          : nccl::float32;
    check(nccl_.all_reduce(summed, summed, static_cast<std::size_t>(count), type, nccl::sum, ranks_of_nccl_,
                           side_.handle()));
  }
  end(slot);
}

void NcclCommunicator::finish(Slot& slot) noexcept {
  if (!slot.started) return;
  while (!slot.done.has_come()) {
    nccl::Status found = nccl::success;
    if (!check(nccl_.find_error(ranks_of_nccl_, &found)) || !check(found)) {
      abort();
      break;
    }
    sched_yield();
  }
  slot.started = false;
  host_.end_exchange();
  slot.done.wait_on_stream();
  if (slot.widened != nullptr) widen_transported(*stream_, slot.rounded.data(), slot.widened, slot.count);
}

void NcclCommunicator::sum(void* values, std::int64_t count, DType dtype, Transport transport) noexcept {
  if (!is_on_device(values)) return host_.sum(values, count, dtype, transport);
  start(blocking_, values, count, dtype, transport);
  finish(blocking_);
}

// The ranks' parts differ in size: each sends its own to all.
void NcclCommunicator::gather(const void* mine, void* all, const std::int64_t* bytes_of_ranks) noexcept {
  if (!is_on_device(all)) return host_.gather(mine, all, bytes_of_ranks);
  if (!is_connected()) return;
  blocking_.widened = nullptr;
  begin(blocking_);
  {
    const twin::Access access(*stream_);
    std::byte* to = static_cast<std::byte*>(all);
    bool fine = check(nccl_.begin_group());
    for (int root = 0; fine && root < ranks(); ++root) {
      const auto bytes = static_cast<std::size_t>(bytes_of_ranks[root]);
      if (bytes == 0) continue;
      fine = check(nccl_.broadcast(root == rank() ? mine : to, to, bytes, nccl::bytes, root, ranks_of_nccl_,
                                   side_.handle()));
      to += bytes;
    }
    check(nccl_.end_group());
  }
  end(blocking_);
  finish(blocking_);
}

void NcclCommunicator::broadcast(void* values, std::int64_t bytes, int root) noexcept {
  if (!is_on_device(values)) return host_.broadcast(values, bytes, root);
  if (!is_connected()) return;
  blocking_.widened = nullptr;
  begin(blocking_);
  {
    const twin::Access access(*stream_);
    check(nccl_.broadcast(values, values, static_cast<std::size_t>(bytes), nccl::bytes, root, ranks_of_nccl_,
                          side_.handle()));
  }
  end(blocking_);
  finish(blocking_);
}

void NcclCommunicator::reserve(int slots) {
  while (slots_.size() < static_cast<std::size_t>(slots)) slots_.emplace_back(*stream_);
}

void NcclCommunicator::start_sum(int number, void* values, std::int64_t count, DType dtype,
                                 Transport transport) noexcept {
  start(slot(number), values, count, dtype, transport);
}

bool NcclCommunicator::progress(int number) noexcept {
  Slot& asked = slot(number);
  return !asked.started || asked.done.has_come();
}

void NcclCommunicator::wait(int number) noexcept { finish(slot(number)); }

}  // namespace ravine::cuda

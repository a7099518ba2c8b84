// Everything has happened when a call is back. A graph is its launches; the stream refuses in them what could
// not be captured.
#include "backend/cuda/queue.h"

namespace ravine::cuda {

Event::Event(Stream& stream) : stream_(stream) {}
Event::~Event() = default;
void Event::record() noexcept { stream_.refuse_in_capture("an event of the host's"); }
void Event::record(CopyQueue&) noexcept { stream_.refuse_in_capture("an event of the host's"); }
void Event::wait_on_host() noexcept { stream_.refuse_in_capture("a wait"); }
bool Event::has_come() noexcept { return true; }
void Event::wait_on_stream() noexcept { stream_.refuse_in_capture("an event of the host's"); }

CopyQueue::CopyQueue(Stream& stream) : stream_(stream) {}
CopyQueue::~CopyQueue() = default;
void CopyQueue::upload(void* to, const void* from, std::size_t bytes) noexcept {
  stream_.upload(to, from, bytes);
}
void CopyQueue::download(void* to, const void* from, std::size_t bytes) noexcept {
  stream_.download(to, from, bytes);
}
void CopyQueue::wait_for(Event&) noexcept {}

LaunchGraph::~LaunchGraph() = default;

void LaunchGraph::run(const std::function<void()>& launches) noexcept {
  const auto undisturbed = stream_.undisturbed();
  if (is_known_) stream_.begin_capture();
  launches();
  if (is_known_) stream_.end_capture();
  is_known_ = true;
}

}  // namespace ravine::cuda

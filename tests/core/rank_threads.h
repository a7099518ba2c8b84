// Ranks as threads of the test.
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "communication/thread_communicator.h"

namespace ravine::test {

// Runs the function on each of so many ranks at once.
inline void on_ranks(int ranks, const std::function<void(Communicator&)>& run) {
  const auto communicators = thread_communicators(ranks);
  std::vector<std::thread> threads;
  for (const auto& communicator : communicators) {
    threads.emplace_back([&run, &communicator] { run(*communicator); });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace ravine::test

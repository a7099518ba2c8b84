// Threads of our own. Those of GNU OpenMP spin for milliseconds after every region, whoever else needs the
// processor, and only the environment of the process can change that.
#include "backend/cpu/workers.h"

#include <pthread.h>
#include <signal.h>

#include <mutex>
#include <system_error>
#include <thread>

#include "backend/cpu/waiting.h"

namespace ravine::cpu {
namespace {

using Function = std::function<void(int, int)>;

class PoolThread {
 public:
  PoolThread() {
    // Signals are for the threads of the application, but for those that a thread brings on itself.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigdelset(&all, fault);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      std::thread([this] { serve(); }).detach();
    } catch (...) {
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
      throw;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void begin(const Function& run, int index, int count) {
    run_ = &run;
    index_ = index;
    count_ = count;
    ++calls_;
    asked_.happen();
  }
  void join() { done_.wait(calls_ - 1); }

  PoolThread* next = nullptr;  // in a list of threads

 private:
  [[noreturn]] void serve() {
    pthread_setname_np(pthread_self(), "ravine worker");
    for (unsigned call = 0;; ++call) {
      asked_.wait(call);
      (*run_)(index_, count_);
      done_.happen();
    }
  }

  Event asked_;
  Event done_;
  unsigned calls_ = 0;
  const Function* run_ = nullptr;
  int index_ = 0;
  int count_ = 0;
};

// The threads that are not at work. They are never ended: when the process ends they are asleep.
class Pool {
 public:
  // The first of so many, or of fewer where the system grants no more.
  PoolThread* take(int wanted) {
    const std::lock_guard lock(mutex_);
    PoolThread* first = nullptr;
    for (int taken = 0; taken < wanted; ++taken) {
      PoolThread* thread = idle_;
      if (thread != nullptr) {
        idle_ = thread->next;
      } else {
        try {
          thread = new PoolThread;
        } catch (const std::system_error&) {
          break;
        }
      }
      thread->next = first;
      first = thread;
    }
    return first;
  }

  void give_back(PoolThread* first) {
    const std::lock_guard lock(mutex_);
    while (first != nullptr) {
      PoolThread* following = first->next;
      first->next = idle_;
      idle_ = first;
      first = following;
    }
  }

 private:
  std::mutex mutex_;
  PoolThread* idle_ = nullptr;
};

// Threads do not survive a fork: a child process has a pool of its own.
Pool* pool = nullptr;

Pool& the_pool() {
  static const bool made = [] {
    pool = new Pool;
    pthread_atfork(nullptr, nullptr, [] { pool = new Pool; });
    return true;
  }();
  static_cast<void>(made);
  return *pool;
}

}  // namespace

void run_on_workers(int wanted, const Function& run) {
  Pool& shared = the_pool();
  PoolThread* threads = shared.take(wanted - 1);
  int count = 1;
  for (PoolThread* thread = threads; thread != nullptr; thread = thread->next) ++count;
  int index = 1;
  for (PoolThread* thread = threads; thread != nullptr; thread = thread->next) {
    thread->begin(run, index++, count);
  }
  run(0, count);
  for (PoolThread* thread = threads; thread != nullptr; thread = thread->next) thread->join();
  shared.give_back(threads);
}

}  // namespace ravine::cpu

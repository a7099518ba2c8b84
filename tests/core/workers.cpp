// Teams of workers: everybody runs, waits for the others and comes back, on machines that are too small too;
// how many workers are taken.
#include <doctest/doctest.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "backend/cpu/team.h"
#include "backend/processors.h"
#include "network/thread_choice.h"

namespace ravine {
namespace {

// Each worker adds its neighbour's sum of the round before: wrong if somebody does not wait.
std::vector<long> sums_of(int threads, int rounds) {
  std::vector<long> sums[2];
  int team = 0;
  cpu::run_team(threads, [&](Worker& worker) {
    if (worker.index == 0) {
      team = worker.count;
      for (std::vector<long>& half : sums) half.assign(static_cast<std::size_t>(team), 1);
    }
    worker.barrier();
    const auto own = static_cast<std::size_t>(worker.index);
    for (int round = 0; round < rounds; ++round) {
      const std::vector<long>& before = sums[round % 2];
      std::vector<long>& after = sums[(round + 1) % 2];
      after[own] = (before[own] + before[(own + 1) % before.size()]) % 1000003;
      worker.barrier();
    }
  });
  return sums[rounds % 2];
}

void check_team(int threads, int rounds) {
  CAPTURE(threads);
  long expected = 1;
  for (int round = 0; round < rounds; ++round) expected = 2 * expected % 1000003;
  for (long sum : sums_of(threads, rounds)) CHECK(sum == expected);
}

// While it lives, the calling thread and those it makes have one processor.
class OneProcessor {
 public:
  OneProcessor() {
    sched_getaffinity(0, sizeof(before_), &before_);
    int first = 0;
    while (!CPU_ISSET(first, &before_)) ++first;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    sched_setaffinity(0, sizeof(one), &one);
  }
  ~OneProcessor() { sched_setaffinity(0, sizeof(before_), &before_); }
  OneProcessor(const OneProcessor&) = delete;
  OneProcessor& operator=(const OneProcessor&) = delete;

 private:
  cpu_set_t before_;
};

// Runs a choice on steps of 32 rows that take so many seconds with so many workers.
class Machine {
 public:
  explicit Machine(std::function<double(int threads)> seconds) : seconds_(std::move(seconds)) {}

  // One run of a team, as the training loop does it: a try ends by itself, a chunk after 0.05 s.
  void run(ThreadChoice& choice) {
    const int threads = choice.next();
    double taken = 0;
    std::int64_t rows = 0;
    while (taken < 0.05 && (rows == 0 || !choice.is_enough(taken))) {
      taken += seconds_(threads);
      rows += 32;
    }
    choice.record(taken, rows);
    clock += taken;
    taken_by[threads] += taken;
  }
  int choose(ThreadChoice& choice) {
    while (choice.is_trying()) run(choice);
    return choice.chosen();
  }

  double clock = 0;
  std::map<int, double> taken_by;

 private:
  std::function<double(int)> seconds_;
};

// Work that is shared, and what each worker costs.
std::function<double(int)> shared(double work, double each) {
  return [=](int threads) { return work / threads + each * threads; };
}

}  // namespace

TEST_CASE("workers wait for each other, whatever the number of processors") {
  for (int threads : {1, 2, 3, 8, 2, 16}) check_team(threads, 300);
}

TEST_CASE("workers of one processor let each other run") {
  const OneProcessor one;
  std::thread([] {
    for (int threads : {2, 8}) check_team(threads, 300);
  }).join();
}

TEST_CASE("teams of several threads at once do not disturb each other") {
  std::vector<std::thread> callers;
  std::atomic<int> right = 0;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&right] {
      for (int turn = 0; turn < 20; ++turn) {
        const std::vector<long> sums = sums_of(3, 10);
        if (std::all_of(sums.begin(), sums.end(), [](long sum) { return sum == 1024; })) ++right;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(right == 80);
}

TEST_CASE("the caller may go where it could before a team has run") {
  cpu_set_t before;
  cpu_set_t after;
  sched_getaffinity(0, sizeof(before), &before);
  check_team(CPU_COUNT(&before), 10);
  sched_getaffinity(0, sizeof(after), &after);
  CHECK(CPU_EQUAL(&before, &after));
}

TEST_CASE("a number of threads that is given stays") {
  ThreadChoice choice(3);
  CHECK(!choice.is_trying());
  choice.record(1e6, 32);
  CHECK(choice.next() == 3);
  CHECK(choice.most() == 3);
}

TEST_CASE("the fastest number of workers is taken") {
  for (int most : {2, 3, 4, 6, 8, 64}) {
    for (double each : {1e-6, 1e-4, 1e-3, 1e-2}) {
      CAPTURE(most);
      CAPTURE(each);
      const auto seconds = shared(0.01, each);
      ThreadChoice choice(1, most);
      const int chosen = Machine(seconds).choose(choice);
      std::vector<int> candidates{most};
      for (int power = 1; power < most; power *= 2) candidates.push_back(power);
      double least = 1e9;
      for (int threads : candidates) least = std::min(least, seconds(threads));
      CHECK(seconds(chosen) <= 1.05 * least);
    }
  }
}

TEST_CASE("fewer workers are taken where more gain little") {
  for (const auto& [gain, expected] : {std::pair(1.03, 1), std::pair(1.08, 2)}) {
    ThreadChoice choice(1, 2);
    CHECK(Machine([&](int threads) { return threads == 2 ? 1e-4 : gain * 1e-4; }).choose(choice) == expected);
  }
}

TEST_CASE("a busy moment does not decide") {
  int steps = 0;
  Machine machine([&](int threads) {
    return shared(0.01, 1e-5)(threads) * (++steps % 3 == 0 ? 4 : 1);  // one step of three is disturbed
  });
  ThreadChoice choice(1, 2);
  CHECK(machine.choose(choice) == 2);
}

TEST_CASE("what is clearly slower is not tried on and on") {
  Machine machine(shared(1.0, 1e-6));
  ThreadChoice choice(1, 64);
  CHECK(machine.choose(choice) == 64);
  CHECK(machine.taken_by.count(32) == 1);
  CHECK(machine.taken_by.count(16) == 0);
}

TEST_CASE("the choice follows the machine, and looking costs little") {
  double each = 1e-6;
  Machine machine([&](int threads) { return shared(1e-3, each)(threads); });
  ThreadChoice choice(1, 2);
  CHECK(machine.choose(choice) == 2);
  each = 1e-3;  // the other processor has become slow to reach
  while (machine.clock < 10) machine.run(choice);
  CHECK(choice.chosen() == 1);
  each = 1e-6;
  while (machine.clock < 20) machine.run(choice);
  CHECK(choice.chosen() == 2);
  const double before = machine.taken_by[1];
  while (machine.clock < 120) machine.run(choice);
  CHECK(machine.taken_by[1] - before < 0.02 * 100);
}

TEST_CASE("the last smaller batch of an epoch does not mislead the choice") {
  ThreadChoice choice(1, 2);
  while (choice.is_trying()) {
    const double seconds = choice.next() == 2 ? 0.005 : 0.006;
    choice.record(seconds, 64);
    choice.record(0, 0);
    if (choice.is_trying()) choice.record(seconds / 8, 8);
  }
  CHECK(choice.chosen() == 2);
}

TEST_CASE("quotas of control groups") {
  const std::filesystem::path root = std::filesystem::temp_directory_path() / "ravine_test_groups";
  const auto write = [&](const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root / path).parent_path());
    std::ofstream(root / path) << text << "\n";
  };
  std::filesystem::remove_all(root);
  SUBCASE("none") { CHECK(quota_of_groups("0::/\n", root) == 0); }
  SUBCASE("version 2, the group's own and those around it") {
    write("a/b/cpu.max", "max 100000");
    write("a/cpu.max", "150000 100000");
    write("cpu.max", "400000 100000");
    CHECK(quota_of_groups("0::/a/b\n", root) == 1.5);
    CHECK(quota_of_groups("0::/\n", root) == 4);
    CHECK(quota_of_groups("0::/not/seen/from/here\n", root) == 4);
  }
  SUBCASE("version 1") {
    write("cpu,cpuacct/a/cpu.cfs_quota_us", "250000");
    write("cpu,cpuacct/a/cpu.cfs_period_us", "100000");
    write("cpu,cpuacct/cpu.cfs_quota_us", "-1");
    write("cpu,cpuacct/cpu.cfs_period_us", "100000");
    write("cpuset/a/cpu.cfs_quota_us", "1");
    const std::string groups = "9:name=systemd:/a\n3:cpuset:/a\n2:cpu,cpuacct:/a\n";
    CHECK(quota_of_groups(groups, root) == 2.5);
    CHECK(quota_of_groups("2:cpu,cpuacct:/\n", root) == 0);
  }
  SUBCASE("lines that are no groups") { CHECK(quota_of_groups("nonsense\n\n:\n", root) == 0); }
  std::filesystem::remove_all(root);
}

TEST_CASE("ranks of MPI on one machine share its processors") {
  const auto ranks = [](std::map<std::string, const char*> variables) {
    return local_ranks([&](const char* name) { return variables[name]; });
  };
  CHECK(ranks({}) == 1);
  CHECK(ranks({{"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}}) == 4);
  CHECK(ranks({{"MPI_LOCALNRANKS", "2"}}) == 2);
  CHECK(ranks({{"MPI_LOCALNRANKS", "many"}}) == 1);
  CHECK(ranks({{"OMPI_COMM_WORLD_LOCAL_SIZE", "-3"}}) == 1);
}

}  // namespace ravine

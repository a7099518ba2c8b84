#include "backend/processors.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

namespace ravine {
namespace {

// Two numbers from one file or two: microseconds a period, and the period. 0 for no limit.
double quota_in(const std::string& folder) {
  std::ifstream both(folder + "/cpu.max");  // version 2; "max" stands for no limit
  double quota = 0;
  double period = 0;
  if (both >> quota >> period) return period > 0 ? quota / period : 0;
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us");  // version 1; -1 stands for no limit
  std::ifstream period_file(folder + "/cpu.cfs_period_us");
  if (quota_file >> quota && period_file >> period && quota > 0 && period > 0) return quota / period;
  return 0;
}

bool names_processors(const std::string& controllers) {
  std::istringstream list(controllers);
  for (std::string controller; std::getline(list, controller, ',');) {
    if (controller == "cpu") return true;
  }
  return false;
}

int positive(const char* text) {
  if (text == nullptr) return 0;
  return static_cast<int>(std::clamp(std::strtol(text, nullptr, 10), 0L, 1L << 20));
}

}  // namespace

double quota_of_groups(const std::string& groups, const std::string& root) {
  double least = 0;
  std::istringstream lines(groups);
  for (std::string line; std::getline(lines, line);) {  // number:controllers:path
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && !names_processors(controllers)) continue;
    const std::string mounted = controllers.empty() ? root : root + "/" + controllers;
    // A group's limit holds for those within it. In a container the path may be one of the host, and the
    // container's own group is the mount point itself.
    std::string path = line.substr(second + 1);
    while (true) {
      while (!path.empty() && path.back() == '/') path.pop_back();
      const double quota = quota_in(mounted + path);
      if (quota > 0) least = least > 0 ? std::min(least, quota) : quota;
      if (path.empty()) break;
      path.erase(path.rfind('/'));
    }
  }
  return least;
}

int local_ranks(const Environment& environment) {
  for (const char* name : {"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "MV2_COMM_WORLD_LOCAL_SIZE"}) {
    const int ranks = positive(environment(name));
    if (ranks > 0) return ranks;
  }
  return 1;
}

int available_processors() {
  double here = static_cast<double>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  std::ifstream file("/proc/self/cgroup");
  const std::string groups((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const double quota = quota_of_groups(groups, "/sys/fs/cgroup");
  if (quota > 0) here = std::min(here, std::max(1.0, quota));
  // Of all, not of those in the mask: the launcher has bound the ranks, or they share all.
  int count =
      std::max(1, static_cast<int>(here) / local_ranks([](const char* name) { return getenv(name); }));
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof(mask), &mask) == 0 && CPU_COUNT(&mask) > 0) {
    count = std::min(count, CPU_COUNT(&mask));
  }
  const int asked = positive(getenv("OMP_NUM_THREADS"));  // of a list, the outermost level
  return asked > 0 ? std::min(count, asked) : count;
}

}  // namespace ravine

#include "base/memory.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <limits>
#include <sstream>
#include <string_view>

namespace ravine {
namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();

// The number at the beginning of a file; infinity where there is none.
double number_in(const char* path) {
  std::ifstream file(path);
  double number = unlimited;
  return file >> number ? number : unlimited;
}

// The number behind a name at the beginning of a line; `otherwise` where there is none.
double number_of(const char* path, std::string_view name, double otherwise) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string first;
    double number = 0;
    if (words >> first >> number && first == name) return number;
  }
  return otherwise;
}

// Files that are kept in memory only while nobody else needs it do not count as used.
double left_in_the_group(const std::string& folder, const char* limit, const char* usage, const char* files) {
  const double most = number_in((folder + limit).c_str());
  const double used = number_in((folder + usage).c_str());
  if (most == unlimited || used == unlimited) return unlimited;
  return std::max(0.0, most - used + number_of((folder + "memory.stat").c_str(), files, 0));
}

}  // namespace

double available_memory() {
  return std::min({1024 * number_of("/proc/meminfo", "MemAvailable:", unlimited),
                   left_in_the_group("/sys/fs/cgroup/", "memory.max", "memory.current", "inactive_file"),
                   left_in_the_group("/sys/fs/cgroup/memory/", "memory.limit_in_bytes",
                                     "memory.usage_in_bytes", "total_inactive_file")});
}

std::string bytes_text(double bytes) {
  constexpr const char* units[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
  int unit = 0;
  for (; bytes >= 999.95 && unit < 5; ++unit) bytes /= 1000;
  char text[32];
  std::snprintf(text, sizeof(text), unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
  return text;
}

}  // namespace ravine

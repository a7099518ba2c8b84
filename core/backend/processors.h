// How many processors a team may take.
#pragma once

#include <functional>
#include <string>

namespace ravine {

// Processors that this process may use: those of its affinity mask, within the quota of its control groups
// (which containers set), OMP_NUM_THREADS, and its share where MPI has started several ranks on this machine.
int available_processors();

// The parts of that, for tests.
// Processors that the control groups named in `groups` (the content of /proc/self/cgroup) grant below the
// mount point `root`; 0 for no limit.
double quota_of_groups(const std::string& groups, const std::string& root);
// The share of one rank, by what MPI's launchers tell their processes.
using Environment = std::function<const char*(const char*)>;
int local_ranks(const Environment& environment);

}  // namespace ravine

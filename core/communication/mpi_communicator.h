// Ranks that are processes of an MPI job. The core includes no header of an MPI and links none: whoever knows
// which one was loaded gives the addresses of its functions, and its handles as numbers. That a handle may
// travel as 64 bits holds for pointers (Open MPI) and for 32-bit numbers (MPICH) alike.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "communication/communicator.h"

namespace ravine {

struct MpiLibrary {
  // Addresses by name: those of mpi_functions().
  std::map<std::string, std::uint64_t> functions;
  // By name: MPI_FLOAT, MPI_DOUBLE, MPI_UINT16_T, MPI_BYTE, MPI_SUM, MPI_IN_PLACE.
  std::map<std::string, std::uint64_t> handles;
  // Whether several threads may call it at once (MPI_THREAD_MULTIPLE); if not, a lock keeps them apart.
  bool threads = false;
};

// The names that a library must give.
const std::vector<std::string>& mpi_functions();
const std::vector<std::string>& mpi_handles();

// Collective calls that this process has begun and that are over, of all communicators of MPI: a rank that
// has begun fewer than others keeps them waiting.
struct Exchanges {
  std::int64_t begun = 0, ended = 0;
};
Exchanges exchanges() noexcept;

// Of the communicator with this handle, which the caller keeps and frees.
std::unique_ptr<Communicator> mpi_communicator(const MpiLibrary& library, std::uint64_t communicator);

}  // namespace ravine

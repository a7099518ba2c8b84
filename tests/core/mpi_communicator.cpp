// The communicator over MPI's addresses, against a library of the test: what is called, with what. How it
// goes together with a real MPI is tested under mpirun.
#include "communication/mpi_communicator.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/errors.h"

namespace ravine {
namespace {

using Handle = std::uint64_t;
using Combine = void (*)(void*, void*, int*, Handle*);

constexpr Handle world = 11, float32 = 21, float64 = 22, uint16 = 23, byte = 24, sum_handle = 31,
                 own_sum = 32;
constexpr Handle in_place = ~Handle{0};  // as MPICH has it: -1

// Two ranks, this one and another that has the same values.
struct Library {
  std::vector<std::string> calls;
  Combine combine = nullptr;
  int tests = 0;  // until a request is over

  void add(const void* values, void* sums, int count, Handle type, Handle operation) {
    if (operation == own_sum) {
      const std::vector<std::uint16_t> other(static_cast<std::uint16_t*>(sums),
                                             static_cast<std::uint16_t*>(sums) + count);
      Handle datatype = type;
      combine(const_cast<std::uint16_t*>(other.data()), sums, &count, &datatype);
    } else if (type == float64) {
      for (int i = 0; i < count; ++i) static_cast<double*>(sums)[i] *= 2;
    } else {
      for (int i = 0; i < count; ++i) static_cast<float*>(sums)[i] *= 2;
    }
    CHECK(values == reinterpret_cast<const void*>(in_place));
  }
};

Library* library = nullptr;

int comm_rank(Handle, int* rank) { return *rank = 0; }
int comm_size(Handle, int* size) {
  *size = 2;
  return 0;
}
int comm_dup(Handle from, Handle* made) {
  *made = from + 1;
  return 0;
}
int allreduce(const void* values, void* sums, int count, Handle type, Handle operation, Handle communicator) {
  library->calls.push_back("allreduce on " + std::to_string(communicator));
  library->add(values, sums, count, type, operation);
  return 0;
}
int iallreduce(const void* values, void* sums, int count, Handle type, Handle operation, Handle,
               void* request) {
  std::memset(request, 7, 8);
  library->add(values, sums, count, type, operation);
  return 0;
}
int test(void* request, int* over, void*) {
  CHECK(*static_cast<char*>(request) == 7);
  *over = --library->tests <= 0 ? 1 : 0;
  return 0;
}
int wait(void* request, void*) {
  CHECK(*static_cast<char*>(request) == 7);
  return 0;
}
int allgatherv(const void* mine, int count, Handle, void* all, const int* counts, const int* places,
               Handle type, Handle) {
  CHECK(type == byte);
  CHECK(count == counts[0]);
  std::memcpy(static_cast<char*>(all) + places[0], mine, static_cast<std::size_t>(counts[0]));
  std::memset(static_cast<char*>(all) + places[1], '1', static_cast<std::size_t>(counts[1]));
  return 0;
}
int alltoallv(const void* sent, const int* counts, const int* places, Handle, void* received, const int*,
              const int* from_places, Handle, Handle) {
  for (int rank = 0; rank < 2; ++rank) {
    std::memcpy(static_cast<char*>(received) + from_places[rank],
                static_cast<const char*>(sent) + places[rank], static_cast<std::size_t>(counts[rank]));
  }
  return 0;
}
int bcast(void* values, int bytes, Handle, int root, Handle) {
  std::memset(values, '0' + root, static_cast<std::size_t>(bytes));
  return 0;
}
int op_create(Combine combine, int commutes, Handle* made) {
  CHECK(commutes == 1);
  library->combine = combine;
  *made = own_sum;
  return 0;
}
int error_string(int, char*, int*) { return 0; }
int abort_job(Handle, int) { return 0; }

template <typename Function>
std::uint64_t address(Function* function) {
  return reinterpret_cast<std::uintptr_t>(function);
}

MpiLibrary addresses() {
  return {{{"MPI_Comm_rank", address(comm_rank)},
           {"MPI_Comm_size", address(comm_size)},
           {"MPI_Comm_dup", address(comm_dup)},
           {"MPI_Allreduce", address(allreduce)},
           {"MPI_Iallreduce", address(iallreduce)},
           {"MPI_Test", address(test)},
           {"MPI_Wait", address(wait)},
           {"MPI_Allgatherv", address(allgatherv)},
           {"MPI_Alltoallv", address(alltoallv)},
           {"MPI_Bcast", address(bcast)},
           {"MPI_Op_create", address(op_create)},
           {"MPI_Error_string", address(error_string)},
           {"MPI_Abort", address(abort_job)}},
          {{"MPI_FLOAT", float32},
           {"MPI_DOUBLE", float64},
           {"MPI_UINT16_T", uint16},
           {"MPI_BYTE", byte},
           {"MPI_SUM", sum_handle},
           {"MPI_IN_PLACE", in_place}},
          false};
}

}  // namespace

TEST_CASE("a communicator over MPI calls the functions that it was given") {
  Library own;
  library = &own;
  const auto communicator = mpi_communicator(addresses(), world);
  CHECK(communicator->rank() == 0);
  CHECK(communicator->ranks() == 2);

  std::vector<double> doubles{1, 2.5};
  communicator->sum(doubles.data(), 2, DType::float64);
  CHECK(doubles == std::vector<double>{2, 5});
  communicator->lane(1).sum(doubles.data(), 2, DType::float64,
                            Transport::bfloat16);  // of doubles: as they are
  CHECK(doubles == std::vector<double>{4, 10});
  CHECK(own.calls == std::vector<std::string>{"allreduce on 11", "allreduce on 12"});

  // 1 + 2^-8 is rounded before and after: to 1, and to 2.
  std::vector<float> floats{1.00390625F, 3};
  communicator->sum(floats.data(), 2, DType::float32, Transport::bfloat16);
  CHECK(floats == std::vector<float>{2, 6});
  communicator->reserve(2);
  floats = {1.00390625F, 3};
  own.tests = 3;
  communicator->start_sum(1, floats.data(), 2, DType::float32, Transport::bfloat16);
  CHECK(!communicator->progress(1));
  CHECK(floats.front() == 1.00390625F);  // until it is over
  CHECK(!communicator->progress(1));
  CHECK(communicator->progress(1));
  CHECK(floats == std::vector<float>{2, 6});
  CHECK(communicator->progress(1));  // and stays so
  communicator->start_sum(0, doubles.data(), 2, DType::float64, Transport::full);
  communicator->wait(0);
  communicator->wait(0);
  CHECK(doubles == std::vector<double>{8, 20});

  const std::int64_t lengths[] = {2, 3};
  std::string all(5, ' ');
  communicator->gather("ab", all.data(), lengths);
  CHECK(all == "ab111");
  communicator->exchange("abcde", lengths, all.data(), lengths);
  CHECK(all == "abcde");
  communicator->broadcast(all.data(), 5, 1);
  CHECK(all == "11111");
  library = nullptr;
}

}  // namespace ravine

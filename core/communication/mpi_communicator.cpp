#include "communication/mpi_communicator.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <mutex>

#include "base/errors.h"

namespace ravine {
namespace {

using Handle = std::uint64_t;
// What the library writes a handle or a status into: larger than that of any MPI.
struct alignas(16) Request {
  std::byte bytes[16];
};
struct alignas(16) Status {
  std::byte bytes[128];
};

std::atomic<std::int64_t> begun{0}, ended{0};

// A call within which this rank may wait for others.
struct Exchange {
  Exchange() { begun.fetch_add(1, std::memory_order_relaxed); }
  ~Exchange() { ended.fetch_add(1, std::memory_order_relaxed); }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
};

struct Functions {
  int (*rank)(Handle, int*);
  int (*size)(Handle, int*);
  int (*duplicate)(Handle, Handle*);
  int (*allreduce)(const void*, void*, int, Handle, Handle, Handle);
  int (*start_allreduce)(const void*, void*, int, Handle, Handle, Handle, Request*);
  int (*test)(Request*, int*, Status*);
  int (*wait)(Request*, Status*);
  int (*gather)(const void*, int, Handle, void*, const int*, const int*, Handle, Handle);
  int (*exchange)(const void*, const int*, const int*, Handle, void*, const int*, const int*, Handle, Handle);
  int (*broadcast)(void*, int, Handle, int, Handle);
  int (*create_operation)(void (*)(void*, void*, int*, Handle*), int, Handle*);
  int (*text_of_error)(int, char*, int*);
  int (*abort)(Handle, int);
};

// Called by the library.
void add_rounded(void* values, void* sums, int* count, Handle*) {
  add_bfloat16(static_cast<const std::uint16_t*>(values), static_cast<std::uint16_t*>(sums), *count);
}

// What all communicators over one library share.
struct Library {
  explicit Library(const MpiLibrary& given) : threads(given.threads) {
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(
          static_cast<std::uintptr_t>(address_of(given.functions, name, "functions")));
    };
    find(call.rank, "MPI_Comm_rank");
    find(call.size, "MPI_Comm_size");
    find(call.duplicate, "MPI_Comm_dup");
    find(call.allreduce, "MPI_Allreduce");
    find(call.start_allreduce, "MPI_Iallreduce");
    find(call.test, "MPI_Test");
    find(call.wait, "MPI_Wait");
    find(call.gather, "MPI_Allgatherv");
    find(call.exchange, "MPI_Alltoallv");
    find(call.broadcast, "MPI_Bcast");
    find(call.create_operation, "MPI_Op_create");
    find(call.text_of_error, "MPI_Error_string");
    find(call.abort, "MPI_Abort");
    float32 = address_of(given.handles, "MPI_FLOAT", "handles");
    float64 = address_of(given.handles, "MPI_DOUBLE", "handles");
    uint16 = address_of(given.handles, "MPI_UINT16_T", "handles");
    byte = address_of(given.handles, "MPI_BYTE", "handles");
    sum = address_of(given.handles, "MPI_SUM", "handles");
    in_place = reinterpret_cast<void*>(
        static_cast<std::uintptr_t>(address_of(given.handles, "MPI_IN_PLACE", "handles")));
    if (call.create_operation(add_rounded, 1, &rounded_sum) != 0) {
      throw Error(ErrorCode::internal, "MPI_Op_create failed");
    }
  }

  static std::uint64_t address_of(const std::map<std::string, std::uint64_t>& all, const std::string& name,
                                  const char* key) {
    const auto found = all.find(name);
    if (found == all.end() || found->second == 0) {
      throw Error(ErrorCode::invalid_parameter, name + " is missing").at_key(key);
    }
    return found->second;
  }

  Functions call{};
  bool threads;
  Handle float32 = 0, float64 = 0, uint16 = 0, byte = 0, sum = 0, rounded_sum = 0;
  void* in_place = nullptr;
};

// MPI counts in int; longer arrays go in pieces.
constexpr std::int64_t most_values = std::int64_t{1} << 30;

class MpiCommunicator final : public Communicator {
 public:
  // Handles of lanes are left to the end of the job: to free one is collective, and a destructor is not.
  MpiCommunicator(std::shared_ptr<Library> library, Handle handle)
      : library_(std::move(library)), handle_(handle) {
    check(call().rank(handle_, &rank_));
    check(call().size(handle_, &ranks_));
    for (auto* list : {&counts_, &places_, &other_counts_, &other_places_}) {
      list->resize(static_cast<std::size_t>(ranks_));
    }
  }

  int rank() const override { return rank_; }
  int ranks() const override { return ranks_; }

  void sum(void* values, std::int64_t count, DType dtype, Transport transport) noexcept override {
    if (rounds(dtype, transport)) {
      rounded_.resize(std::max(rounded_.size(), static_cast<std::size_t>(count)));
      round_to_bfloat16(static_cast<const float*>(values), rounded_.data(), count);
      sum_pieces(rounded_.data(), count, sizeof(std::uint16_t), library_->uint16, library_->rounded_sum);
      widen_bfloat16(rounded_.data(), static_cast<float*>(values), count);
    } else {
      sum_pieces(values, count, size_of(dtype), type_of(dtype), library_->sum);
    }
  }

  void gather(const void* mine, void* all, const std::int64_t* bytes_of_ranks) noexcept override {
    const Exchange counted;
    const auto lock = locked();
    lay_out(bytes_of_ranks, counts_, places_);
    check(call().gather(mine, counts_[static_cast<std::size_t>(rank_)], library_->byte, all, counts_.data(),
                        places_.data(), library_->byte, handle_));
  }

  void exchange(const void* sent, const std::int64_t* bytes_to_ranks, void* received,
                const std::int64_t* bytes_from_ranks) noexcept override {
    const Exchange counted;
    const auto lock = locked();
    lay_out(bytes_to_ranks, counts_, places_);
    lay_out(bytes_from_ranks, other_counts_, other_places_);
    check(call().exchange(sent, counts_.data(), places_.data(), library_->byte, received,
                          other_counts_.data(), other_places_.data(), library_->byte, handle_));
  }

  void broadcast(void* values, std::int64_t bytes, int root) noexcept override {
    const Exchange counted;
    const auto lock = locked();
    for (std::int64_t done = 0; done < bytes; done += most_values) {
      check(call().broadcast(static_cast<std::byte*>(values) + done,
                             static_cast<int>(std::min(most_values, bytes - done)), library_->byte, root,
                             handle_));
    }
  }

  void reserve(int slots) override {
    if (static_cast<std::size_t>(slots) > sums_.size()) sums_.resize(static_cast<std::size_t>(slots));
  }

  void start_sum(int slot, void* values, std::int64_t count, DType dtype,
                 Transport transport) noexcept override {
    Sum& sum = sums_[static_cast<std::size_t>(slot)];
    const bool rounded = rounds(dtype, transport);
    sum.widened = rounded ? static_cast<float*>(values) : nullptr;
    sum.count = count;
    if (rounded) {
      // Kept for the next time: slots sum the same slices again and again.
      sum.rounded.resize(std::max(sum.rounded.size(), static_cast<std::size_t>(count)));
      round_to_bfloat16(sum.widened, sum.rounded.data(), count);
    }
    begun.fetch_add(1, std::memory_order_relaxed);
    const auto lock = locked();
    check(call().start_allreduce(library_->in_place, rounded ? sum.rounded.data() : values,
                                 static_cast<int>(count), rounded ? library_->uint16 : type_of(dtype),
                                 rounded ? library_->rounded_sum : library_->sum, handle_, &sum.request));
    sum.started = true;
  }

  bool progress(int slot) noexcept override {
    Sum& sum = sums_[static_cast<std::size_t>(slot)];
    if (!sum.started) return true;
    int over = 0;
    {
      const auto lock = locked();
      Status status;
      check(call().test(&sum.request, &over, &status));
    }
    if (over != 0) finish(sum);
    return over != 0;
  }

  void wait(int slot) noexcept override {
    Sum& sum = sums_[static_cast<std::size_t>(slot)];
    if (!sum.started) return;
    {
      const auto lock = locked();
      Status status;
      check(call().wait(&sum.request, &status));
    }
    finish(sum);
  }

  Communicator& lane(int number) override {
    while (lanes_.size() <= static_cast<std::size_t>(number)) {
      Handle made = 0;
      {
        const Exchange counted;
        const auto lock = locked();
        check(call().duplicate(handle_, &made));
      }
      lanes_.push_back(std::make_unique<MpiCommunicator>(library_, made));
    }
    return *lanes_[static_cast<std::size_t>(number)];
  }

  bool serves_threads() const override { return library_->threads; }
  void begin_exchange() noexcept override { begun.fetch_add(1, std::memory_order_relaxed); }
  void end_exchange() noexcept override { ended.fetch_add(1, std::memory_order_relaxed); }

 private:
  struct Sum {
    Request request{};
    bool started = false;
    std::int64_t count = 0;
    float* widened = nullptr;  // where the rounded sum goes; null where nothing is rounded
    std::vector<std::uint16_t> rounded;
  };

  const Functions& call() const { return library_->call; }
  Handle type_of(DType dtype) const {
    return dtype == DType::float64 ? library_->float64 : library_->float32;
  }

  static bool rounds(DType dtype, Transport transport) {
    return transport == Transport::bfloat16 && dtype == DType::float32;
  }

  void sum_pieces(void* values, std::int64_t count, std::size_t bytes, Handle type,
                  Handle operation) const noexcept {
    const Exchange counted;
    const auto lock = locked();
    for (std::int64_t done = 0; done < count; done += most_values) {
      check(call().allreduce(
          library_->in_place, static_cast<std::byte*>(values) + done * static_cast<std::int64_t>(bytes),
          static_cast<int>(std::min(most_values, count - done)), type, operation, handle_));
    }
  }

  std::unique_lock<std::mutex> locked() const {
    static std::mutex one_at_a_time;  // in the whole process
    return library_->threads ? std::unique_lock<std::mutex>() : std::unique_lock(one_at_a_time);
  }

  static void finish(Sum& sum) noexcept {
    sum.started = false;
    ended.fetch_add(1, std::memory_order_relaxed);
    if (sum.widened != nullptr) widen_bfloat16(sum.rounded.data(), sum.widened, sum.count);
  }

  void lay_out(const std::int64_t* bytes, std::vector<int>& counts, std::vector<int>& places) const noexcept {
    std::int64_t place = 0;
    for (std::size_t rank = 0; rank < counts.size(); ++rank) {
      if (place + bytes[rank] > std::numeric_limits<int>::max()) fail("an exchange of more than 2 GiB");
      places[rank] = static_cast<int>(place);
      counts[rank] = static_cast<int>(bytes[rank]);
      place += bytes[rank];
    }
  }

  // Where a library returns its errors instead of ending the job itself.
  void check(int error) const noexcept {
    if (error == 0) return;
    char text[1024] = {};
    int length = 0;
    if (call().text_of_error(error, text, &length) != 0) std::strncpy(text, "an unknown error", 32);
    fail(text);
  }

  [[noreturn]] void fail(const char* what) const noexcept {
    std::fprintf(stderr, "ravine: rank %d: MPI failed: %s\n", rank_, what);
    std::fflush(stderr);
    call().abort(handle_, 1);
    std::abort();
  }

  std::shared_ptr<Library> library_;
  Handle handle_;
  int rank_ = 0;
  int ranks_ = 1;
  std::vector<std::unique_ptr<Communicator>> lanes_;
  std::vector<Sum> sums_;
  std::vector<std::uint16_t> rounded_;
  std::vector<int> counts_, places_, other_counts_, other_places_;
};

}  // namespace

const std::vector<std::string>& mpi_functions() {
  static const std::vector<std::string> names{
      "MPI_Comm_rank", "MPI_Comm_size",    "MPI_Comm_dup",   "MPI_Allreduce", "MPI_Iallreduce",
      "MPI_Test",      "MPI_Wait",         "MPI_Allgatherv", "MPI_Alltoallv", "MPI_Bcast",
      "MPI_Op_create", "MPI_Error_string", "MPI_Abort"};
  return names;
}

const std::vector<std::string>& mpi_handles() {
  static const std::vector<std::string> names{"MPI_FLOAT", "MPI_DOUBLE", "MPI_UINT16_T",
                                              "MPI_BYTE",  "MPI_SUM",    "MPI_IN_PLACE"};
  return names;
}

Exchanges exchanges() noexcept {
  const std::int64_t over = ended.load(std::memory_order_relaxed);  // first, so that it is not the larger one
  return {begun.load(std::memory_order_relaxed), over};
}

std::unique_ptr<Communicator> mpi_communicator(const MpiLibrary& library, std::uint64_t communicator) {
  return std::make_unique<MpiCommunicator>(std::make_shared<Library>(library), communicator);
}

}  // namespace ravine

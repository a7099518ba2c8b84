// Groups of ranks, and how the ranks of a group train one network.
#include <algorithm>
#include <iterator>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include "base/errors.h"
#include "bindings.h"
#include "communication/mpi_communicator.h"
#include "communication/thread_communicator.h"
#include "network/ranks.h"

namespace ravine::bindings {
namespace {

void sum(Communicator& communicator, const py::array& values) {
  const bool single = py::isinstance<py::array_t<float>>(values);
  if (!single && !py::isinstance<py::array_t<double>>(values)) {
    throw Error(ErrorCode::invalid_parameter, "must be an array of float32 or float64").at_key("values");
  }
  if ((values.flags() & py::array::c_style) == 0 || !values.writeable()) {
    throw Error(ErrorCode::invalid_parameter, "must be contiguous and writable").at_key("values");
  }
  void* data = const_cast<void*>(values.data());
  const std::int64_t count = values.size();
  const py::gil_scoped_release release;
  communicator.sum(data, count, single ? DType::float32 : DType::float64);
}

py::list gather(Communicator& communicator, const py::bytes& given) {
  const std::string mine = given;
  const auto ranks = static_cast<std::size_t>(communicator.ranks());
  std::vector<std::int64_t> lengths(ranks);
  std::string all;
  {
    const py::gil_scoped_release release;
    const std::vector<std::int64_t> eight(ranks, sizeof(std::int64_t));
    const auto length = static_cast<std::int64_t>(mine.size());
    communicator.gather(&length, lengths.data(), eight.data());
    all.resize(static_cast<std::size_t>(std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0})));
    communicator.gather(mine.data(), all.data(), lengths.data());
  }
  py::list of_ranks;
  std::size_t place = 0;
  for (std::int64_t length : lengths) {
    of_ranks.append(py::bytes(all.data() + place, static_cast<std::size_t>(length)));
    place += static_cast<std::size_t>(length);
  }
  return of_ranks;
}

constexpr std::pair<std::string_view, Carrier> carriers[] = {
    {"host", Carrier::host}, {"cuda_mpi", Carrier::cuda_mpi}, {"nccl", Carrier::nccl}};

using MaybeCommunicator = std::optional<std::shared_ptr<Communicator>>;

MaybeCommunicator maybe(const std::shared_ptr<Communicator>& given) {
  return given == nullptr ? std::nullopt : MaybeCommunicator(given);
}

Ranks make_ranks(const MaybeCommunicator& data, const MaybeCommunicator& model,
                 bool synchronized_normalization, std::int64_t bucket_bytes, const std::string& transport,
                 bool overlap, int deterministic_parts, std::int64_t average_every,
                 const std::optional<std::vector<std::string>>& split, const std::string& backend) {
  const auto at_least = [](std::int64_t value, std::int64_t least, const char* key) {
    if (value >= least) return;
    throw Error(ErrorCode::invalid_parameter,
                "must be at least " + std::to_string(least) + ", got " + std::to_string(value))
        .at_key(key);
  };
  at_least(bucket_bytes, 1, "bucket_bytes");
  at_least(deterministic_parts, 0, "deterministic_parts");
  at_least(average_every, 1, "average_every");
  if (transport != "full" && transport != "bfloat16") {
    throw Error(ErrorCode::invalid_parameter, "unknown transport '" + transport + "'; use full or bfloat16")
        .at_key("transport");
  }
  const auto* const carrier = std::find_if(std::begin(carriers), std::end(carriers),
                                           [&](const auto& one) { return one.first == backend; });
  if (carrier == std::end(carriers)) {
    throw Error(ErrorCode::invalid_parameter, "unknown backend '" + backend + "'; use host, cuda_mpi or nccl")
        .at_key("backend");
  }
  if (carrier->second == Carrier::cuda_mpi && transport == "bfloat16") {
    throw Error(ErrorCode::invalid_parameter,
                "MPI sums no bfloat16 on cards; use transport full, or backend nccl or host")
        .at_key("backend");
  }
  if (average_every > 1 && (deterministic_parts > 0 || synchronized_normalization)) {
    throw Error(ErrorCode::invalid_parameter,
                "ranks that step alone do not meet in every step, which deterministic parts and synchronized "
                "normalization need; use 1")
        .at_key("average_every");
  }
  if (deterministic_parts > 0 && data && deterministic_parts < (*data)->ranks()) {
    throw Error(ErrorCode::invalid_parameter,
                std::to_string(deterministic_parts) + " parts are too few for " +
                    std::to_string((*data)->ranks()) + " ranks; give each rank one at least")
        .at_key("deterministic_parts");
  }
  return {data.value_or(nullptr),
          model.value_or(nullptr),
          synchronized_normalization,
          bucket_bytes,
          transport == "bfloat16" ? Transport::bfloat16 : Transport::full,
          carrier->second,
          overlap,
          deterministic_parts,
          average_every,
          split};
}

}  // namespace

void bind_communication(py::module_& module) {
  py::class_<Communicator, std::shared_ptr<Communicator>>(module, "Communicator",
                                                          "A group of ranks; all of them make each call.")
      .def_property_readonly("rank", &Communicator::rank)
      .def_property_readonly("ranks", &Communicator::ranks)
      .def("sum", &sum, py::arg("values"), "Adds those of all ranks, in place; the same bits on every rank.")
      .def("gather", &gather, py::arg("mine"), "The bytes of all ranks, in order of rank.");

  module.def(
      "mpi_communicator",
      [](const std::map<std::string, std::uint64_t>& functions,
         const std::map<std::string, std::uint64_t>& handles, std::uint64_t communicator,
         bool threads) -> std::shared_ptr<Communicator> {
        const py::gil_scoped_release release;
        return mpi_communicator({functions, handles, threads}, communicator);
      },
      py::kw_only(), py::arg("functions"), py::arg("handles"), py::arg("communicator"), py::arg("threads"),
      "The ranks of an MPI communicator: addresses of MPI's functions, and its handles as numbers of 64 "
      "bits.");
  module.attr("mpi_functions") = py::cast(mpi_functions());
  module.attr("mpi_handles") = py::cast(mpi_handles());
  module.def(
      "exchanges",
      [] {
        const Exchanges made = exchanges();
        return py::make_tuple(made.begun, made.ended);
      },
      "Collective calls of all communicators of MPI that this process has begun, and that are over.");
  module.def(
      "thread_communicators",
      [](int ranks) {
        std::vector<std::shared_ptr<Communicator>> made;
        for (auto& communicator : thread_communicators(ranks)) made.push_back(std::move(communicator));
        return made;
      },
      py::arg("ranks"), "Ranks that are threads of this process, one communicator each.");

  py::class_<Ranks>(module, "Ranks", "The ranks that train one network together, and how.")
      .def(py::init(&make_ranks), py::kw_only(), py::arg("data") = std::nullopt,
           py::arg("model") = std::nullopt, py::arg("synchronized_normalization") = false,
           py::arg("bucket_bytes") = std::int64_t{25} << 20, py::arg("transport") = "full",
           py::arg("overlap") = true, py::arg("deterministic_parts") = 0, py::arg("average_every") = 1,
           py::arg("split") = std::nullopt, py::arg("backend") = "host")
      .def_property_readonly("data", [](const Ranks& ranks) { return maybe(ranks.data); })
      .def_property_readonly("model", [](const Ranks& ranks) { return maybe(ranks.model); })
      .def_readonly("synchronized_normalization", &Ranks::synchronized_normalization)
      .def_readonly("bucket_bytes", &Ranks::bucket_bytes)
      .def_property_readonly(
          "transport",
          [](const Ranks& ranks) { return ranks.transport == Transport::bfloat16 ? "bfloat16" : "full"; })
      .def_property_readonly("backend",
                             [](const Ranks& ranks) {
                               for (const auto& [name, carrier] : carriers) {
                                 if (carrier == ranks.carrier) return std::string(name);
                               }
                               return std::string();
                             })
      .def_readonly("overlap", &Ranks::overlap)
      .def_readonly("deterministic_parts", &Ranks::deterministic_parts)
      .def_readonly("average_every", &Ranks::average_every)
      .def_readonly("split", &Ranks::split)
      .def(
          "rows",
          [](const Ranks& ranks, std::int64_t global_batch) {
            const Rows rows =
                rows_of_rank(global_batch, ranks.rank(), ranks.count(), ranks.deterministic_parts);
            return py::make_tuple(rows.first, rows.count);
          },
          py::arg("global_batch"),
          "This rank's rows of a global batch: the first, and how many (perhaps none).");
}

}  // namespace ravine::bindings

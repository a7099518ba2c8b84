#include "backend/cuda/report.h"

#include "backend/cuda/device/cards.h"
#include "backend/cuda/device/cublaslt.h"
#include "base/memory.h"

namespace ravine::cuda {

std::vector<BackendReport> report() {
  const Cards found = find_cards();
  if (found.cards.empty()) return {{"CUDA", false, found.missing}};
  std::vector<BackendReport> reports;
  for (std::size_t i = 0; i < found.cards.size(); ++i) {
    const Card& card = found.cards[i];
    const std::string missing = missing_for(static_cast<int>(i));
    reports.push_back({"cuda:" + std::to_string(i), missing.empty(),
                       missing.empty() ? card.name + ", compute capability " + std::to_string(card.major) +
                                             "." + std::to_string(card.minor) + ", " +
                                             bytes_text(static_cast<double>(card.bytes))
                                       : missing});
  }
  const cublaslt::Library& library = cublaslt::library();
  const bool is_there = library.missing.empty();
  reports.push_back({"cuBLASLt", is_there,
                     is_there ? "version " + std::to_string(library.functions.version()) : library.missing});
  return reports;
}

}  // namespace ravine::cuda

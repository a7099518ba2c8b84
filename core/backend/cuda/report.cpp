#include "backend/cuda/report.h"

#include "backend/cuda/cards.h"

namespace ravine::cuda {
namespace {

std::string gibibytes(std::size_t bytes) {
  const std::size_t tenths = ((bytes >> 20) * 10 + 512) >> 10;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " GiB";
}

}  // namespace

std::vector<BackendReport> report() {
  const Cards found = find_cards();
  std::vector<BackendReport> reports;
  if (found.cards.empty()) reports.push_back({"CUDA", false, why_none(found)});
  for (std::size_t i = 0; i < found.cards.size(); ++i) {
    const Card& card = found.cards[i];
    const std::string missing = missing_for(found, static_cast<int>(i));
    const std::string detail = card.name + ", compute capability " + std::to_string(card.major) + "." +
                               std::to_string(card.minor) + ", " + gibibytes(card.bytes) +
                               (card.address.empty() ? "" : ", PCI " + card.address);
    reports.push_back({"cuda:" + std::to_string(i), missing.empty(), missing.empty() ? detail : missing});
  }
  for (const BackendReport& library : report_libraries()) reports.push_back(library);
  return reports;
}

}  // namespace ravine::cuda

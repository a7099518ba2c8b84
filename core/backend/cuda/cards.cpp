#include "backend/cuda/cards.h"

#include "base/errors.h"

namespace ravine::cuda {
namespace {

constexpr int least_capability = 75;

std::string version_text(int version) {
  return "CUDA " + std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace

std::string why_none(const Cards& found) {
  if (!found.cards.empty()) return "";
  if (found.driver == 0) {
    return "there is no NVIDIA driver (" + version_text(found.needed) + " needs one)";
  }
  if (found.driver / 1000 < found.needed / 1000) {
    return "the NVIDIA driver serves " + version_text(found.driver) + ", and " + version_text(found.needed) +
           " is needed: install driver 580 or newer";
  }
  if (!found.failure.empty()) return "the NVIDIA driver says: " + found.failure;
  return "the NVIDIA driver shows no card (does CUDA_VISIBLE_DEVICES hide it?)";
}

std::string missing_for(const Cards& found, int device) {
  if (found.cards.empty()) return why_none(found);
  const auto count = static_cast<int>(found.cards.size());
  if (device >= count) {
    return count == 1 ? "there is only cuda:0" : "there are only cuda:0 to cuda:" + std::to_string(count - 1);
  }
  const Card& card = found.cards[static_cast<std::size_t>(device)];
  if (10 * card.major + card.minor >= least_capability) return "";
  return "the " + card.name + " has compute capability " + std::to_string(card.major) + "." +
         std::to_string(card.minor) + ", and 7.5 (Turing) or newer is needed";
}

void require_card(int device) {
  const std::string missing = missing_for(find_cards(), device);
  if (missing.empty()) return;
  throw Error(ErrorCode::device_unavailable,
              "cuda:" + std::to_string(device) + " was asked for, but " + missing + "; use device cpu")
      .at_key("device");
}

}  // namespace ravine::cuda

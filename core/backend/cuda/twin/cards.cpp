// GPUs that are not there: one, or those of RAVINE_TWIN_CARDS, such as "9.0,7.5" (their compute
// capabilities), "driver 12.8", "no driver" or "" (a driver without a card).
#include "backend/cuda/cards.h"

#include <cstdlib>
#include <sstream>

namespace ravine::cuda {

Cards find_cards() {
  constexpr int served = 13000;
  const char* given = std::getenv("RAVINE_TWIN_CARDS");
  const std::string words = given == nullptr ? "9.0" : given;
  Cards found{.cards = {}, .needed = served, .driver = served, .failure = ""};
  std::istringstream stream(words);
  char point = '.';
  int major = 0;
  int minor = 0;
  if (words == "no driver") {
    found.driver = 0;
  } else if (words.starts_with("driver ")) {
    stream.ignore(7);
    stream >> major >> point >> minor;
    found.driver = 1000 * major + 10 * minor;
  } else {
    for (char comma = ','; stream >> major >> point >> minor; stream >> comma) {
      found.cards.push_back({"host's twin", major, minor, std::size_t{16} << 30});
    }
  }
  return found;
}

}  // namespace ravine::cuda

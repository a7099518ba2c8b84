// What cards there are, and what is missing.
#pragma once

#include <string>
#include <vector>

namespace ravine::cuda {

struct Card {
  std::string name;
  int major = 0;  // of its compute capability
  int minor = 0;
  std::size_t bytes = 0;
};

struct Cards {
  std::vector<Card> cards;
  std::string missing;  // why there are none
};

Cards find_cards();

// Why that card cannot be used; empty where it can.
std::string missing_for(int device);

}  // namespace ravine::cuda

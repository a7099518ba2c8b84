// The GPUs of this machine, and in words why one cannot be used. device/ asks the driver; twin/ makes some
// up.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ravine::cuda {

struct Card {
  std::string name;
  int major = 0;  // of its compute capability
  int minor = 0;
  std::size_t bytes = 0;
  std::string address = {};  // on the PCI bus
};

struct Cards {
  std::vector<Card> cards;
  int needed = 0;       // version of CUDA that the driver must serve, as 1000 * major + 10 * minor
  int driver = 0;       // the one that it serves; 0: there is none
  std::string failure;  // what else the driver says
};

Cards find_cards();

// Why there are none; empty where there are.
std::string why_none(const Cards& found);
// Why that card cannot be used; empty where it can.
std::string missing_for(const Cards& found, int device);
// Throws Error(device_unavailable) where that card cannot be used.
void require_card(int device);

}  // namespace ravine::cuda

// How much memory there is.
#pragma once

#include <string>

namespace ravine {

// Bytes that this process may still take: what the machine has left, or its control group allows; infinity
// where the system does not say.
double available_memory();

// "1.5 GB"
std::string bytes_text(double bytes);

}  // namespace ravine

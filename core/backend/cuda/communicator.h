// Ranks that exchange values of a device.
#pragma once

#include <memory>

#include "backend/cuda/stream.h"
#include "communication/communicator.h"

namespace ravine::cuda {

// Takes addresses on the device of the stream, which this way carries, and of the host, which are handed to
// `host` as they are.
std::unique_ptr<Communicator> make_communicator(std::shared_ptr<Stream> stream, Communicator& host,
                                                Carrier carrier);

}  // namespace ravine::cuda

// The update of all parameters on a device.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cuda/step_control.h"
#include "backend/cuda/stream.h"
#include "backend/cuda/tiles.h"

namespace ravine::cuda {

// An update that others put onto the stream too, without a stop.
class StreamUpdate : public PreparedUpdate {
 public:
  virtual const std::vector<UpdateSegment>& segments() const = 0;
  // What a step goes by, as `begin` has left it on the host: StepNumbers, then what the update alone knows.
  virtual std::size_t step_bytes() const = 0;
  virtual const std::byte* step_data() const = 0;

  virtual void launch_look_ahead(const StepPlace& place) noexcept = 0;
  // `scales` (on the device) are what `scale` would give. Whether norms of units are limited is asked for
  // here, how far, by the numbers of the step. The squares of tiles are left to be summed, unless units are
  // limited.
  virtual void launch(const StepPlace& place, const double* scales, bool limits_units) noexcept = 0;
  // Of the squares of weights, and of their updates.
  virtual TileSums sums() const = 0;
};

// Throws Error(device_unavailable) for a rule that is not there.
std::unique_ptr<PreparedUpdate> prepare_update(const std::string& rule, DType dtype,
                                               const UpdateBuffers& buffers,
                                               std::vector<UpdateSegment> segments,
                                               const std::shared_ptr<Stream>& stream);

}  // namespace ravine::cuda

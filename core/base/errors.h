// The one exception type of the core; its code chooses the Python exception.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace ravine {

enum class ErrorCode {
  invalid_parameter,   // a setting that cannot be used; `key` names it
  shape_mismatch,      // shapes that do not fit; `layer` names where
  not_finite,          // NaN or Inf; `layer` names where
  device_unavailable,  // a device that is not there
  out_of_memory,       // more memory asked for than there is
  invalid_state,       // calls in the wrong order
  internal,            // a fault of Ravine itself
};

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}

  Error& at_key(std::string key) {
    key_ = std::move(key);
    return *this;
  }
  Error& at_layer(std::string layer) {
    layer_ = std::move(layer);
    return *this;
  }

  ErrorCode code() const { return code_; }
  const std::string& key() const { return key_; }
  const std::string& layer() const { return layer_; }

 private:
  ErrorCode code_;
  std::string key_;
  std::string layer_;
};

}  // namespace ravine

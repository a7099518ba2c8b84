// The core's one exception becomes the Python exception that its code stands for.
#include "base/errors.h"

#include "bindings.h"

namespace ravine::bindings {
namespace {

const char* class_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_parameter:
    case ErrorCode::shape_mismatch:
    case ErrorCode::invalid_state:
      return "InputError";
    case ErrorCode::not_finite:
      return "NotFiniteError";
    case ErrorCode::device_unavailable:
    case ErrorCode::out_of_memory:
      return "DeviceError";
    case ErrorCode::internal:
      return "InternalError";
  }
  return "InternalError";
}

void translate(std::exception_ptr pointer) {
  try {
    if (pointer) std::rethrow_exception(pointer);
  } catch (const Error& error) {
    const py::object type = py::module_::import("ravine.errors").attr(class_of(error.code()));
    py::dict keywords;
    if (!error.key().empty()) keywords["key"] = error.key();
    if (!error.layer().empty()) keywords["layer"] = error.layer();
    const py::object raised = type(error.what(), **keywords);
    PyErr_SetObject(type.ptr(), raised.ptr());
  }
}

}  // namespace

void bind_errors(py::module_&) { py::register_exception_translator(translate); }

}  // namespace ravine::bindings

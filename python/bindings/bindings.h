// What the binding files share: conversions without logic of their own.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>

#include "backend/compute_options.h"
#include "base/dtype.h"
#include "base/shape.h"
#include "base/values.h"
#include "rules/penalty.h"

namespace ravine::bindings {

namespace py = pybind11;

void bind_errors(py::module_& module);
void bind_random(py::module_& module);
void bind_dense_algebra(py::module_& module);
void bind_catalog(py::module_& module);
void bind_optimizer(py::module_& module);
void bind_schedule(py::module_& module);
void bind_custom_rule(py::module_& module);
void bind_communication(py::module_& module);
void bind_network(py::module_& module);
void bind_model_group(py::module_& module);
void bind_resident(py::module_& module);
void bind_training(py::module_& module);
void bind_report(py::module_& module);

// A type name, or a dictionary with "type" and settings, to a component and back.
Component to_component(const py::handle& given, const std::string& key, int depth = 0);
py::object to_python(const Value& value);
py::dict to_python(const Component& component);
// From the switches of [compute] by name; those that are not given are on.
ComputeOptions to_compute_options(const py::dict& given);

py::tuple to_python(const Shape& shape);
py::dtype to_python(DType dtype);

// The array's data, if it is contiguous, of this type, and has the extents of `sample` behind its rows;
// throws with the name of the argument, both shapes, and what to do.
const void* checked_rows(const py::array& array, DType dtype, const Shape& sample, const std::string& name,
                         std::int64_t* rows);

// What keeps a buffer alive as long as an array that views it.
py::capsule owner_of(const std::shared_ptr<void>& buffer);

// A writable view of memory that `owner` keeps alive.
py::array view(void* data, DType dtype, const Shape& shape, const py::handle& owner);

// With the forms of L2, "squared" or "norm", and of L1, "subgradient" or "proximal"; checked.
Regularization to_regularization(Regularization numbers, const std::string& l2_form,
                                 const std::string& l1_form);

}  // namespace ravine::bindings

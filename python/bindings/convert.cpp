#include "bindings.h"

#include <map>

#include "base/errors.h"

namespace ravine::bindings {
namespace {

Value to_value(const py::handle& given, const std::string& key, int depth) {
  if (py::isinstance<py::bool_>(given)) return given.cast<bool>();
  if (py::isinstance<py::int_>(given)) {
    try {
      return given.cast<std::int64_t>();
    } catch (const py::cast_error&) {
      throw Error(ErrorCode::invalid_parameter, "this whole number has more than 64 bits").at_key(key);
    }
  }
  if (py::isinstance<py::float_>(given)) return given.cast<double>();
  if (py::isinstance<py::str>(given)) return given.cast<std::string>();
  if (py::isinstance<py::dict>(given))
    return std::make_shared<const Component>(to_component(given, key, depth + 1));
  if (py::isinstance<py::list>(given) || py::isinstance<py::tuple>(given)) {
    try {
      return given.cast<std::vector<double>>();
    } catch (const py::cast_error&) {
      throw Error(ErrorCode::invalid_parameter, "expected numbers in the list").at_key(key);
    }
  }
  if (py::hasattr(given, "tolist")) return to_value(given.attr("tolist")(), key, depth + 1);  // of NumPy
  if (py::hasattr(given, "__index__")) return given.attr("__index__")().cast<std::int64_t>();
  if (py::hasattr(given, "__float__")) return given.attr("__float__")().cast<double>();
  throw Error(ErrorCode::invalid_parameter, "expected a number, true or false, text or a table, got " +
                                                py::type::of(given).attr("__name__").cast<std::string>())
      .at_key(key);
}

}  // namespace

Component to_component(const py::handle& given, const std::string& key, int depth) {
  if (depth > 8) throw Error(ErrorCode::invalid_parameter, "the tables are nested too deep").at_key(key);
  if (py::isinstance<py::str>(given)) return {given.cast<std::string>(), {}};
  if (!py::isinstance<py::dict>(given)) {
    throw Error(ErrorCode::invalid_parameter, "expected a name or a table with the key 'type'").at_key(key);
  }
  const auto table = py::reinterpret_borrow<py::dict>(given);
  if (!table.contains("type") || !py::isinstance<py::str>(table["type"])) {
    throw Error(ErrorCode::invalid_parameter, "the table needs the key 'type' with a name").at_key(key);
  }
  Component component{table["type"].cast<std::string>(), {}};
  for (const auto& [name, value] : table) {
    const std::string setting = py::str(name);
    if (setting != "type") component.values.set(setting, to_value(value, setting, depth));
  }
  return component;
}

ComputeOptions to_compute_options(const py::dict& given) {
  ComputeOptions options;
  const std::map<std::string, bool*> switches{
      {"fuse", &options.fuse},
      {"fuse_normalization", &options.fuse_normalization},
      {"phases", &options.phases},
      {"chunks", &options.chunks},
      {"own_products", &options.own_products},
      {"winograd", &options.winograd},
      {"store_bfloat16", &options.store_bfloat16},
      {"device_steps", &options.device_steps},
      {"tf32", &options.tf32},
      {"share_memory", &options.share_memory},
  };
  for (const auto& [key, value] : given) {
    const std::string name = py::str(key);
    const auto found = switches.find(name);
    if (found != switches.end()) {
      if (!py::isinstance<py::bool_>(value)) {
        throw Error(ErrorCode::invalid_parameter, "expected true or false").at_key("compute." + name);
      }
      *found->second = value.cast<bool>();
    } else if (name == "checkpoint_every") {
      if (!py::isinstance<py::int_>(value) || value.cast<std::int64_t>() < 0) {
        throw Error(ErrorCode::invalid_parameter, "expected a whole number of layers, 0 or more")
            .at_key("compute." + name);
      }
      options.checkpoint_every = value.cast<std::int64_t>();
    } else {
      std::string known = "checkpoint_every";
      for (const auto& known_switch : switches) known += ", " + known_switch.first;
      throw Error(ErrorCode::invalid_parameter, "unknown; there are " + known).at_key("compute." + name);
    }
  }
  return options;
}

py::dict to_python(const Component& component) {
  py::dict table;
  table["type"] = component.name;
  for (const auto& [name, value] : component.values.all()) table[py::str(name)] = to_python(value);
  return table;
}

py::object to_python(const Value& value) {
  return std::visit(
      [](const auto& held) -> py::object {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, std::monostate>) {
          return py::none();
        } else if constexpr (std::is_same_v<Held, std::shared_ptr<const Component>>) {
          if (held->values.all().empty()) return py::str(held->name);
          return to_python(*held);
        } else {
          return py::cast(held);
        }
      },
      value);
}

py::tuple to_python(const Shape& shape) {
  py::tuple extents(shape.rank());
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) extents[axis] = shape[axis];
  return extents;
}

py::dtype to_python(DType dtype) { return py::dtype(std::string(name_of(dtype))); }

const void* checked_rows(const py::array& array, DType dtype, const Shape& sample, const std::string& name,
                         std::int64_t* rows) {
  Shape given;
  {
    std::vector<std::int64_t> extents(array.shape(), array.shape() + array.ndim());
    given = Shape(std::move(extents));
  }
  bool fits = given.rank() == sample.rank() + 1;
  for (std::size_t axis = 0; fits && axis < sample.rank(); ++axis) fits = given[axis + 1] == sample[axis];
  if (!fits) {
    const std::string expected = sample.rank() == 0 ? "rows" : "rows x " + sample.to_string();
    throw Error(ErrorCode::shape_mismatch, "expected shape " + expected + ", got " + given.to_string())
        .at_key(name);
  }
  if (!array.dtype().is(to_python(dtype))) {
    throw Error(ErrorCode::invalid_parameter, "expected an array of " + std::string(name_of(dtype)) +
                                                  ", got " + py::str(array.dtype()).cast<std::string>() +
                                                  "; convert it with .astype(numpy." +
                                                  std::string(name_of(dtype)) + ")")
        .at_key(name);
  }
  if ((array.flags() & py::array::c_style) == 0) {
    throw Error(ErrorCode::invalid_parameter, "the array is not contiguous; use numpy.ascontiguousarray")
        .at_key(name);
  }
  if ((array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) == 0) {
    throw Error(ErrorCode::invalid_parameter, "the array is not aligned in memory; use a copy of it")
        .at_key(name);
  }
  *rows = given[0];
  return array.data();
}

py::capsule owner_of(const std::shared_ptr<void>& buffer) {
  using Held = std::shared_ptr<void>;
  return py::capsule(new Held(buffer), [](void* held) { delete static_cast<Held*>(held); });
}

py::array view(void* data, DType dtype, const Shape& shape, const py::handle& owner) {
  std::vector<py::ssize_t> extents(shape.extents().begin(), shape.extents().end());
  return py::array(to_python(dtype), std::move(extents), data, owner);
}

}  // namespace ravine::bindings

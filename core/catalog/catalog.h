// The only vocabulary: every layer, activation, loss, initializer and optimizer, with its parameters.
// Bindings, experiment files, forms, documentation and contract tests read these tables; nothing repeats
// them.
#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/values.h"
#include "network/spec.h"

namespace ravine::catalog {

enum class Kind { layer, activation, loss, initializer, optimizer };

inline constexpr Kind kinds[] = {Kind::layer, Kind::activation, Kind::loss, Kind::initializer,
                                 Kind::optimizer};
std::string_view name_of(Kind kind);
Kind kind_from_name(std::string_view name);

enum class Type { real, integer, boolean, choice, component };
std::string_view name_of(Type type);

struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_included = true;
  bool high_included = true;

  bool contains(double value) const;
  std::string to_string() const;  // "(0, 1]", "at least 0"
};

struct Parameter {
  std::string name;
  Type type = Type::real;
  Value default_value = {};  // monostate: required. For a component: the name of the default one.
  Range range = {};
  std::vector<std::string> choices = {};
  Kind component = Kind::initializer;
  std::string unit = {};
  std::string help = {};

  bool required() const { return std::holds_alternative<std::monostate>(default_value); }
};

struct Entry {
  Kind kind;
  std::string name;
  std::string summary;
  std::string formula;
  std::string reference;
  std::vector<Parameter> parameters;
};

// All entries, by kind, in the order of the tables.
const std::vector<Entry>& entries();
const Entry* find(Kind kind, std::string_view name);

// Checks a component and fills in defaults, nested components too. Throws Error(invalid_parameter) with the
// dotted key at fault.
Component resolve(Kind kind, const Component& given);

// A layer; the name of an activation is accepted too and means an activation layer of that function.
Component resolve_layer(const Component& given);

// Appends a layer to a network, named after its type and position where it has no name.
void add_layer(NetworkSpec& spec, const Component& given, const std::string& name);

// The candidate closest to `name` for "did you mean", or nothing.
std::string closest(std::string_view name, const std::vector<std::string>& candidates);

// One table a kind.
std::vector<Entry> layer_entries();
std::vector<Entry> activation_entries();
std::vector<Entry> loss_entries();
std::vector<Entry> initializer_entries();
std::vector<Entry> optimizer_entries();

}  // namespace ravine::catalog

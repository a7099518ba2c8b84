// The only vocabulary: every layer, activation, loss, initializer, optimizer and schedule, with its
// parameters. Bindings, experiment files, forms, documentation and contract tests read these tables; nothing
// repeats them.
#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/values.h"
#include "network/spec.h"
#include "rules/penalty.h"

namespace ravine::catalog {

enum class Kind { layer, activation, loss, initializer, optimizer, schedule };

inline constexpr Kind kinds[] = {Kind::layer,       Kind::activation, Kind::loss,
                                 Kind::initializer, Kind::optimizer,  Kind::schedule};
std::string_view name_of(Kind kind);
Kind kind_from_name(std::string_view name);

enum class Type { real, integer, boolean, choice, component, numbers };
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
  std::string reason = {};  // why no value outside the range is taken, where that needs saying

  bool required() const { return std::holds_alternative<std::monostate>(default_value); }
};

struct Entry {
  Kind kind;
  std::string name;
  std::string summary;
  std::string formula;
  std::string reference;
  std::vector<Parameter> parameters;
  // Of a schedule: whether its steps satisfy Robbins and Monro's conditions, and when.
  std::string robbins_monro = {};
  // Of an optimizer: it compares gradients of one step with those of another, and wants those of all samples.
  bool full_batch = false;
};

// All entries, by kind, in the order of the tables.
const std::vector<Entry>& entries();
const Entry* find(Kind kind, std::string_view name);

// Checks a component and fills in defaults, nested components too. Throws Error(invalid_parameter) with the
// dotted key at fault.
Component resolve(Kind kind, const Component& given);

// Throws Error(invalid_parameter) unless a number of an optimizer or of its regularization may have this
// value.
void check_number(const Component& optimizer, const std::string& name, double value);
void check_regularization(const Regularization& regularization);

// A layer; the name of an activation is accepted too and means an activation layer of that function.
Component resolve_layer(const Component& given);

// Appends a layer to a network, named after its type and position where it has no name.
void add_layer(NetworkSpec& spec, const Component& given, const std::string& name,
               const std::vector<std::string>& inputs = {});

// The candidate closest to `name` for "did you mean", or nothing.
std::string closest(std::string_view name, const std::vector<std::string>& candidates);

// One table a kind.
std::vector<Entry> layer_entries();
std::vector<Entry> image_layer_entries();
std::vector<Entry> activation_entries();
std::vector<Entry> loss_entries();
std::vector<Entry> initializer_entries();
std::vector<Entry> optimizer_entries();
std::vector<Entry> schedule_entries();

}  // namespace ravine::catalog

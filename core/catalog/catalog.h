// The only vocabulary: every layer, block, activation, loss, initializer, calibration, optimizer, schedule
// and regularization, with its parameters and its theory. Bindings, experiment files, forms, documentation
// and contract tests read these tables; nothing repeats them.
#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/values.h"
#include "network/spec.h"
#include "rules/penalty.h"

namespace ravine::catalog {

enum class Kind {
  layer,
  block,
  activation,
  loss,
  initializer,
  calibration,
  optimizer,
  schedule,
  regularization
};

inline constexpr Kind kinds[] = {Kind::layer,     Kind::block,       Kind::activation,
                                 Kind::loss,      Kind::initializer, Kind::calibration,
                                 Kind::optimizer, Kind::schedule,    Kind::regularization};
std::string_view name_of(Kind kind);
Kind kind_from_name(std::string_view name);

enum class Type { real, integer, boolean, choice, component, numbers, layers };
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
  std::vector<std::string> choices = {};  // of numbers, of a real: words that may stand in their place
  Kind component = Kind::initializer;
  std::string unit = {};
  std::string help = {};
  std::string reason = {};  // why no value beyond the range's upper end (or, without one, its lower) is taken
  bool growing = false;     // of numbers: each is above the one before it
  // Of a real whose choices are components: the number that one stands for.
  double (*number_of)(const Component& chosen) = nullptr;

  bool required() const { return std::holds_alternative<std::monostate>(default_value); }
};

// What a student wants to know beside formula and settings; pages, tooltips and `ravine catalog` show it.
struct Theory {
  std::string slides;  // lectures and titles of their slides: "L0 'Adam'; L4 'Adam', 'Update equations'",
                       // or what it goes beyond: "extends L0 'Adam'"
  std::string without = {};  // what goes wrong without it, honestly
  std::string erratum = {};  // where a slide is wrong or lectures differ, and what is built; often empty
  std::string example = {};  // Python that runs, as a doctest that knows `np` and `ravine`
  std::string family = {};   // the page it stands on, where that is not its kind's
};

struct Entry {
  Kind kind;
  std::string name;
  std::string summary;
  std::string formula;
  std::string reference;  // papers
  std::vector<Parameter> parameters;
  Theory theory = {};
  // Of a schedule: whether its steps satisfy Robbins and Monro's conditions, and when.
  std::string robbins_monro = {};
  // Of an optimizer: it compares gradients of one step with those of another, and wants those of all samples.
  bool full_batch = false;
  // Of an optimizer: it evaluates the loss of all samples several times in a step, and takes nothing less.
  bool closure = false;
};

// All entries, by kind, in the order of the tables.
const std::vector<Entry>& entries();
const Entry* find(Kind kind, std::string_view name);

// The page of the documentation that an entry stands on: "optimizers", "normalization".
std::string family_of(const Entry& entry);

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

// The tables.
std::vector<Entry> layer_entries();
std::vector<Entry> image_layer_entries();
std::vector<Entry> block_entries();
std::vector<Entry> activation_entries();
std::vector<Entry> loss_entries();
std::vector<Entry> initializer_entries();
std::vector<Entry> optimizer_entries();
std::vector<Entry> adaptive_optimizer_entries();
std::vector<Entry> second_order_entries();
std::vector<Entry> schedule_entries();
std::vector<Entry> regularization_entries();

}  // namespace ravine::catalog

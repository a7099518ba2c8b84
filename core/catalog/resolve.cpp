// Checks what a user chose against the tables and fills in what was left out.
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include "base/errors.h"
#include "catalog/catalog.h"

namespace ravine::catalog {
namespace {

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// What else in the catalog has this name; nothing if it is not there at all.
std::string elsewhere(const std::string& name) {
  for (const Entry& entry : entries()) {
    if (entry.name == name) return ", which is of the kind " + std::string(name_of(entry.kind));
  }
  return "";
}

std::string guess(const std::string& name, const std::vector<std::string>& candidates) {
  const std::string near = closest(name, candidates);
  return near.empty() ? "; choose from " + listed(candidates) : "; did you mean '" + near + "'?";
}

std::string described(const Value& value) {
  if (std::holds_alternative<bool>(value)) return std::get<bool>(value) ? "true" : "false";
  if (std::holds_alternative<std::int64_t>(value)) return std::to_string(std::get<std::int64_t>(value));
  if (std::holds_alternative<double>(value)) {
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), std::get<double>(value)).ptr;
    std::string text(digits.data(), end);
    return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
  }
  if (std::holds_alternative<std::string>(value)) return "'" + std::get<std::string>(value) + "'";
  if (const auto* component = std::get_if<std::shared_ptr<const Component>>(&value))
    return "'" + (*component)->name + "'";
  if (std::holds_alternative<std::vector<double>>(value)) return "a list";
  return "nothing";
}

Error wrong(const std::string& key, const std::string& message) {
  return Error(ErrorCode::invalid_parameter, message).at_key(key);
}

std::vector<std::string> names_of(Kind kind) {
  std::vector<std::string> names;
  for (const Entry& entry : entries()) {
    if (entry.kind == kind) names.push_back(entry.name);
  }
  return names;
}

// Why a number is out of range; what a range with an upper end gives as its reason is about that end.
std::string because(const std::string& reason, const Range& range, double number) {
  return reason.empty() || (std::isfinite(range.high) && number < range.high) ? "" : "; " + reason;
}

Value check_number(const Parameter& parameter, const Value& value) {
  const bool whole = parameter.type == Type::integer;
  double number = 0;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    number = static_cast<double>(*integer);
  } else if (const auto* real = std::get_if<double>(&value); real && !whole) {
    number = *real;
  } else {
    throw wrong(parameter.name, std::string("expected ") + (whole ? "a whole number" : "a number") + " (" +
                                    parameter.range.to_string() + "), got " + described(value));
  }
  if (!std::isfinite(number) || !parameter.range.contains(number)) {
    throw wrong(parameter.name, "must be " + parameter.range.to_string() + ", got " + described(value) +
                                    because(parameter.reason, parameter.range, number));
  }
  return whole ? value : Value(number);
}

Value check_component(const Parameter& parameter, const Value& value) {
  Component given;
  if (const auto* name = std::get_if<std::string>(&value)) {
    given.name = *name;
  } else if (const auto* component = std::get_if<std::shared_ptr<const Component>>(&value)) {
    given = **component;
  } else {
    throw wrong(parameter.name, "expected the name of an " + std::string(name_of(parameter.component)) +
                                    " or a table with its type, got " + described(value));
  }
  try {
    return std::make_shared<const Component>(resolve(parameter.component, given));
  } catch (Error& error) {
    throw error.at_key(error.key().empty() || error.key() == "type" ? parameter.name
                                                                    : parameter.name + "." + error.key());
  }
}

// The number that the name of a component, or its table, stands for.
Value check_word(const Parameter& parameter, const Component& given) {
  const auto& known = parameter.choices;
  if (std::find(known.begin(), known.end(), given.name) == known.end()) {
    const std::string kind(name_of(parameter.component));
    throw wrong(parameter.name, "expected a number (" + parameter.range.to_string() + ") or the " + kind +
                                    " it is for, one of " + listed(known) + ", got '" + given.name +
                                    "'; of any other " + kind + " give the number");
  }
  try {
    return parameter.number_of(resolve(parameter.component, given));
  } catch (Error& error) {
    throw error.at_key(parameter.name + "." + error.key());
  }
}

// A list of numbers, or one number; empty only where that is the default.
Value check_numbers(const Parameter& parameter, const Value& value) {
  const auto& words = parameter.choices;
  if (const auto* word = std::get_if<std::string>(&value)) {
    if (std::find(words.begin(), words.end(), *word) != words.end()) return value;
  }
  std::vector<double> numbers;
  if (std::holds_alternative<double>(value) || std::holds_alternative<std::int64_t>(value)) {
    numbers = {std::get<double>(check_number(parameter, value))};
  } else if (const auto* list = std::get_if<std::vector<double>>(&value)) {
    numbers = *list;
  }
  const auto* fallback = std::get_if<std::vector<double>>(&parameter.default_value);
  const bool may_be_empty = fallback != nullptr && fallback->empty();
  if (numbers.empty() && !(may_be_empty && std::holds_alternative<std::vector<double>>(value))) {
    throw wrong(parameter.name, "expected a list of numbers (" + parameter.range.to_string() + ")" +
                                    (words.empty() ? "" : " or '" + words.front() + "'") + ", got " +
                                    described(value));
  }
  for (double number : numbers) check_number(parameter, number);
  for (std::size_t i = 1; parameter.growing && i < numbers.size(); ++i) {
    if (numbers[i] > numbers[i - 1]) continue;
    throw wrong(parameter.name,
                "must grow, but " + described(numbers[i]) + " comes after " + described(numbers[i - 1]));
  }
  return numbers;
}

Value check(const Parameter& parameter, const Value& value) {
  switch (parameter.type) {
    case Type::real:
      if (parameter.number_of != nullptr) {
        if (const auto* name = std::get_if<std::string>(&value)) return check_word(parameter, {*name, {}});
        if (const auto* component = std::get_if<std::shared_ptr<const Component>>(&value)) {
          return check_word(parameter, **component);
        }
      }
      return check_number(parameter, value);
    case Type::integer:
      return check_number(parameter, value);
    case Type::boolean:
      if (!std::holds_alternative<bool>(value)) {
        throw wrong(parameter.name, "expected true or false, got " + described(value));
      }
      return value;
    case Type::choice: {
      const auto* text = std::get_if<std::string>(&value);
      if (text == nullptr ||
          std::find(parameter.choices.begin(), parameter.choices.end(), *text) == parameter.choices.end()) {
        throw wrong(parameter.name,
                    "expected one of " + listed(parameter.choices) + ", got " + described(value));
      }
      return value;
    }
    case Type::component:
      return check_component(parameter, value);
    case Type::numbers:
      return check_numbers(parameter, value);
    case Type::layers:
      throw wrong(parameter.name, "a block's layers are added one by one, not resolved with it");
  }
  return value;
}

}  // namespace

Component resolve(Kind kind, const Component& given) {
  const Entry* entry = find(kind, given.name);
  if (entry == nullptr) {
    throw wrong("type", "unknown " + std::string(name_of(kind)) + " '" + given.name + "'" +
                            elsewhere(given.name) + guess(given.name, names_of(kind)));
  }
  std::vector<std::string> names;
  for (const Parameter& parameter : entry->parameters) names.push_back(parameter.name);
  for (const auto& [name, value] : given.values.all()) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    throw wrong(name, names.empty() ? entry->name + " takes no settings"
                                    : "unknown setting of " + entry->name + guess(name, names));
  }
  Component resolved{given.name, {}};
  for (const Parameter& parameter : entry->parameters) {
    if (parameter.type == Type::layers && !given.values.has(parameter.name)) continue;  // no component's
    if (!given.values.has(parameter.name) && parameter.required()) {
      throw wrong(parameter.name, entry->name + " needs it: " + parameter.help);
    }
    const Value& value =
        given.values.has(parameter.name) ? given.values.at(parameter.name) : parameter.default_value;
    resolved.values.set(parameter.name, check(parameter, value));
  }
  return resolved;
}

void check_number(const Component& optimizer, const std::string& name, double value) {
  Range range;
  std::string reason;
  if (regularization_number(name) != nullptr) range.low = 0;
  if (const Entry* entry = find(Kind::optimizer, optimizer.name)) {
    for (const Parameter& parameter : entry->parameters) {
      if (parameter.name != name) continue;
      range = parameter.range;
      reason = parameter.reason;
    }
  }
  if (std::isfinite(value) && range.contains(value)) return;
  throw wrong(name, "must be " + (std::isfinite(value) ? range.to_string() : std::string("a finite number")) +
                        ", got " + described(value) + because(reason, range, value));
}

void check_regularization(const Regularization& regularization) {
  for (const RegularizationNumber& number : regularization_numbers) {
    check_number({}, std::string(number.name), regularization.*number.member);
  }
}

Component resolve_layer(const Component& given) {
  if (find(Kind::layer, given.name) != nullptr) return resolve(Kind::layer, given);
  if (find(Kind::activation, given.name) != nullptr) {
    Component layer{"activation", {}};
    layer.values.set("function", std::make_shared<const Component>(resolve(Kind::activation, given)));
    return layer;
  }
  std::vector<std::string> names = names_of(Kind::layer);
  for (std::string& name : names_of(Kind::activation)) names.push_back(std::move(name));
  throw wrong("type", "unknown layer '" + given.name + "'" + guess(given.name, names));
}

void add_layer(NetworkSpec& spec, const Component& given, const std::string& name,
               const std::vector<std::string>& inputs) {
  Component resolved = resolve_layer(given);
  int position = 1;
  for (const LayerSpec& layer : spec.layers) position += layer.component.name == resolved.name ? 1 : 0;
  std::string chosen = name.empty() ? resolved.name + "_" + std::to_string(position) : name;
  const bool is_plain = std::all_of(chosen.begin(), chosen.end(), [](unsigned char letter) {
    return std::isalnum(letter) != 0 || letter == '_' || letter == '-';
  });
  if (!is_plain || chosen == "optimizer" || chosen == "preprocessing") {
    throw wrong("name",
                "a layer's name is made of letters, digits, '_' and '-', and is neither 'optimizer' nor "
                "'preprocessing', which checkpoints use");
  }
  spec.layers.push_back({std::move(chosen), std::move(resolved), inputs});
}

}  // namespace ravine::catalog

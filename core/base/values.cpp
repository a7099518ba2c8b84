#include "base/values.h"

#include "base/errors.h"

namespace ravine {
namespace {

[[noreturn]] void fail(std::string_view name, const char* expected) {
  throw Error(ErrorCode::internal, "setting '" + std::string(name) + "' is not " + expected);
}

}  // namespace

const Value& Values::at(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) fail(name, "there");
  return found->second;
}

double Values::real(std::string_view name) const {
  const Value& value = at(name);
  if (const auto* real = std::get_if<double>(&value)) return *real;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
  fail(name, "a real number");
}

std::int64_t Values::integer(std::string_view name) const {
  const auto* integer = std::get_if<std::int64_t>(&at(name));
  if (integer == nullptr) fail(name, "an integer");
  return *integer;
}

bool Values::boolean(std::string_view name) const {
  const auto* boolean = std::get_if<bool>(&at(name));
  if (boolean == nullptr) fail(name, "true or false");
  return *boolean;
}

const std::string& Values::text(std::string_view name) const {
  const auto* text = std::get_if<std::string>(&at(name));
  if (text == nullptr) fail(name, "text");
  return *text;
}

const Component& Values::component(std::string_view name) const {
  const auto* component = std::get_if<std::shared_ptr<const Component>>(&at(name));
  if (component == nullptr || *component == nullptr) fail(name, "a component");
  return **component;
}

const std::vector<double>& Values::numbers(std::string_view name) const {
  const auto* numbers = std::get_if<std::vector<double>>(&at(name));
  if (numbers == nullptr) fail(name, "a list of numbers");
  return *numbers;
}

}  // namespace ravine

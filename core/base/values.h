// Resolved settings of one component: what the catalog hands to layers, losses, initializers and rules.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ravine {

struct Component;

// A setting's value. An integer is accepted wherever a real number is asked for.
using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string,
                           std::shared_ptr<const Component>, std::vector<double>>;

// Settings by name. Defaults were filled in by the catalog: a name that is missing here is a fault of ours.
class Values {
 public:
  void set(std::string name, Value value) { values_[std::move(name)] = std::move(value); }
  bool has(std::string_view name) const { return values_.find(name) != values_.end(); }

  const Value& at(std::string_view name) const;
  double real(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  bool boolean(std::string_view name) const;
  const std::string& text(std::string_view name) const;
  const Component& component(std::string_view name) const;
  const std::vector<double>& numbers(std::string_view name) const;

  const std::map<std::string, Value, std::less<>>& all() const { return values_; }

 private:
  std::map<std::string, Value, std::less<>> values_;
};

// A component chosen by name, with its settings: {"normal", {deviation = 0.01}}.
struct Component {
  std::string name;
  Values values;
};

}  // namespace ravine

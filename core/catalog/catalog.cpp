#include "catalog/catalog.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "base/errors.h"

namespace ravine::catalog {
namespace {

std::string text_of(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), "%g", value);
  return buffer;
}

// Edits (insert, remove, replace, swap of neighbours) that turn one word into the other.
std::size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      cost[i][j] = std::min(
          {cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::layer:
      return "layer";
    case Kind::block:
      return "block";
    case Kind::activation:
      return "activation";
    case Kind::loss:
      return "loss";
    case Kind::initializer:
      return "initializer";
    case Kind::calibration:
      return "calibration";
    case Kind::optimizer:
      return "optimizer";
    case Kind::schedule:
      return "schedule";
    case Kind::regularization:
      return "regularization";
  }
  return "";
}

Kind kind_from_name(std::string_view name) {
  for (Kind kind : kinds) {
    if (name_of(kind) == name) return kind;
  }
  std::string known;
  for (Kind kind : kinds) known += (known.empty() ? "" : ", ") + std::string(name_of(kind));
  throw Error(ErrorCode::invalid_parameter,
              "the catalog has no kind '" + std::string(name) + "'; kinds are " + known)
      .at_key("kind");
}

std::string_view name_of(Type type) {
  switch (type) {
    case Type::real:
      return "real";
    case Type::integer:
      return "integer";
    case Type::boolean:
      return "boolean";
    case Type::choice:
      return "choice";
    case Type::component:
      return "component";
    case Type::numbers:
      return "numbers";
    case Type::layers:
      return "layers";
  }
  return "";
}

bool Range::contains(double value) const {
  return (low_included ? value >= low : value > low) && (high_included ? value <= high : value < high);
}

std::string Range::to_string() const {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (low == -infinity && high == infinity) return "any number";
  if (high == infinity) return (low_included ? "at least " : "above ") + text_of(low);
  if (low == -infinity) return (high_included ? "at most " : "below ") + text_of(high);
  return std::string(low_included ? "from " : "above ") + text_of(low) +
         (high_included ? " up to " : " and below ") + text_of(high);
}

const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = [] {
    std::vector<Entry> joined;
    for (auto table : {layer_entries, image_layer_entries, block_entries, activation_entries, loss_entries,
                       initializer_entries, optimizer_entries, adaptive_optimizer_entries,
                       second_order_entries, schedule_entries, regularization_entries}) {
      std::vector<Entry> part = table();
      std::move(part.begin(), part.end(), std::back_inserter(joined));
    }
    return joined;
  }();
  return all;
}

const Entry* find(Kind kind, std::string_view name) {
  for (const Entry& entry : entries()) {
    if (entry.kind == kind && entry.name == name) return &entry;
  }
  return nullptr;
}

std::string family_of(const Entry& entry) {
  if (!entry.theory.family.empty()) return entry.theory.family;
  const std::string name(name_of(entry.kind));
  return entry.kind == Kind::regularization ? name : name + (name.ends_with('s') ? "es" : "s");
}

std::string closest(std::string_view name, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t fewest = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t edits = edits_between(name, candidate);
    if (edits < fewest) {
      fewest = edits;
      best = candidate;
    }
  }
  return best;
}

}  // namespace ravine::catalog

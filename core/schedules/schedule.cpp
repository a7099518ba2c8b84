#include "schedules/schedule.h"

#include <cmath>
#include <string>
#include <type_traits>
#include <utility>

#include "base/errors.h"
#include "rules/schedules/list.h"

namespace ravine {
namespace {

// Calls visit(std::type_identity<Rule>) for each rule of the list.
template <typename Visit>
void for_each_rule(Visit&& visit) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (visit(std::type_identity<std::variant_alternative_t<I, ScheduleRules>>()), ...);
  }(std::make_index_sequence<std::variant_size_v<ScheduleRules>>());
}

// Calls use(rule) with the rule of that name, made from the settings.
template <typename Use>
void with_rule(const Component& schedule, const Span& span, Use&& use) {
  bool found = false;
  for_each_rule([&]<typename Rule>(std::type_identity<Rule>) {
    if (Rule::name != schedule.name) return;
    found = true;
    use(Rule(schedule.values, span));
  });
  if (!found) throw Error(ErrorCode::internal, "no schedule '" + schedule.name + "'");
}

}  // namespace

std::vector<std::string_view> schedule_names() {
  std::vector<std::string_view> names;
  for_each_rule([&]<typename Rule>(std::type_identity<Rule>) { names.push_back(Rule::name); });
  return names;
}

std::vector<double> schedule_values(const Component& schedule, double base, const RunLength& run,
                                    const StepRange& range) {
  const Values& settings = schedule.values;
  const bool in_epochs = settings.text("unit") == "epoch";
  const double unit = in_epochs ? static_cast<double>(run.steps_per_epoch) : 1.0;
  const double warmup = settings.real("warmup");
  const double length = static_cast<double>(run.steps) / unit - warmup;
  if (warmup > 0 && length <= 0) {
    const std::int64_t epochs = run.steps / run.steps_per_epoch;
    throw Error(ErrorCode::invalid_parameter,
                "the warm-up must be shorter than the run, which has " + std::to_string(run.steps) +
                    (run.steps == 1 ? " step in " : " steps in ") + std::to_string(epochs) +
                    (epochs == 1 ? " epoch" : " epochs") + "; it takes " +
                    std::to_string(static_cast<std::int64_t>(std::ceil(warmup * unit))) + " steps")
        .at_key("warmup");
  }
  const double warmup_start = settings.real("warmup_start");
  std::vector<double> values(static_cast<std::size_t>(range.count));
  with_rule(schedule, {length, 1.0 / unit}, [&](const auto& rule) {
    const double start = rule.value(base, 0);
    std::int64_t step = range.first;
    for (double& value : values) {
      const double t = static_cast<double>(step) / unit;
      value = t < warmup ? start * linear_between(warmup_start, 1, t / warmup) : rule.value(base, t - warmup);
      step += range.every;
    }
  });
  return values;
}

RobbinsMonro robbins_monro(const Component& schedule, double base) {
  RobbinsMonro answer = sum_is_finite;
  if (base > 0) with_rule(schedule, {1, 1}, [&](const auto& rule) { answer = rule.robbins_monro(); });
  return answer;
}

bool schedule_waits(const Component& schedule) {
  bool waits = false;
  with_rule(schedule, {1, 1}, [&](const auto& rule) { waits = rule.waits; });
  return waits;
}

}  // namespace ravine

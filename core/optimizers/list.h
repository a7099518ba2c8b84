// Every full-batch rule, by the name the catalog gives it.
#pragma once

#include <memory>
#include <string_view>

#include "optimizers/full_batch_rule.h"

namespace ravine {

std::unique_ptr<FullBatchRule> make_newton(const Values& settings);
std::unique_ptr<FullBatchRule> make_newton_cg(const Values& settings);
std::unique_ptr<FullBatchRule> make_lbfgs(const Values& settings);

struct FullBatchType {
  std::string_view name;
  std::unique_ptr<FullBatchRule> (*make)(const Values& settings);
};

inline constexpr FullBatchType full_batch_types[] = {
    {"newton", make_newton},
    {"newton_cg", make_newton_cg},
    {"lbfgs", make_lbfgs},
};

}  // namespace ravine

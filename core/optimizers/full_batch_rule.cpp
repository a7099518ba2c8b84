#include "optimizers/full_batch_rule.h"

#include "optimizers/list.h"

namespace ravine {

std::unique_ptr<FullBatchRule> make_full_batch_rule(const Component& rule) {
  for (const FullBatchType& type : full_batch_types) {
    if (type.name == rule.name) return type.make(rule.values);
  }
  return nullptr;
}

}  // namespace ravine

#include "losses/loss.h"

#include "base/errors.h"
#include "rules/losses/list.h"

namespace ravine {

std::unique_ptr<Loss> make_loss(const Component& component) {
  for (const LossType& type : row_losses) {
    if (type.name == component.name) return type.make(component);
  }
  if (ElementwiseLossRules::find(component.name) >= 0) return make_elementwise_loss(component);
  throw Error(ErrorCode::internal, "no loss '" + component.name + "'");
}

}  // namespace ravine

// A rule made from its settings, held without its type, with its index in the list.
#pragma once

#include <cstddef>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/errors.h"

namespace ravine::cpu {

struct RuleObject {
  int index = -1;
  alignas(16) std::byte bytes[112] = {};

  const void* get() const { return bytes; }
};

// Looks the name up in a RuleList and constructs the rule for T from the arguments.
template <typename List, typename T, typename... Arguments>
RuleObject make_rule(std::string_view name, const Arguments&... arguments) {
  RuleObject object;
  int index = 0;
  List::for_each([&]<template <typename> class Rule>() {
    using Type = Rule<T>;
    static_assert(sizeof(Type) <= sizeof(object.bytes) && std::is_trivially_copyable_v<Type>);
    if (Type::name == name) {
      object.index = index;
      new (object.bytes) Type(arguments...);
    }
    ++index;
  });
  if (object.index < 0) throw Error(ErrorCode::internal, "no rule '" + std::string(name) + "'");
  return object;
}

}  // namespace ravine::cpu

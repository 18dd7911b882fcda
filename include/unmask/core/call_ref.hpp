#pragma once

/// A callable by reference, for progress: no heap, and what takes it is compiled once, not for each callable.

#include <type_traits>
#include <utility>

#include "config.hpp"

namespace unmask::inline UNMASK_ABI {

/// Calls what it was made from, which outlives it; by default nothing. The call returns whether to go on: what the
/// callable says where it returns a bool, else true.
template <class... Arguments>
class call_ref {
 public:
  call_ref() = default;

  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, call_ref> && std::is_invocable_v<F&, Arguments...>)
      call_ref(F&& callable)
  noexcept
      : callable_(const_cast<void*>(static_cast<const void*>(&callable))), call_([](void* to, Arguments... arguments) {
          auto& f = *static_cast<std::remove_reference_t<F>*>(to);
          if constexpr (std::is_same_v<std::invoke_result_t<F&, Arguments...>, bool>) {
            return f(arguments...);
          } else {
            f(arguments...);
            return true;
          }
        }) {}

  explicit operator bool() const { return call_ != nullptr; }
  bool operator()(Arguments... arguments) const { return call_ ? call_(callable_, arguments...) : true; }

 private:
  void* callable_ = nullptr;
  bool (*call_)(void*, Arguments...) = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI

#pragma once

/// Errors of set-up code (loading, planning): a code and one line that names what was found and what was expected.
/// Hot paths do not return errors; everything is checked once when a plan is made.

#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "config.hpp"

#if UNMASK_HAS_EXCEPTIONS
#include <stdexcept>
#endif

namespace unmask::inline UNMASK_ABI {

enum class errc {
  not_found,     ///< a file, variable or parameter that is not there
  unreadable,    ///< truncated, corrupt, or not the format it claims to be
  wrong_shape,   ///< sizes that contradict each other
  wrong_value,   ///< NaN, infinity, or a number outside its range
  not_writable,  ///< a full disk, a missing folder, no permission
  bad_argument,  ///< a request that cannot be met
  device,        ///< a GPU that is not there, has not enough memory, or failed
  not_finite,    ///< a computation that gave NaN or infinity
  stopped        ///< a computation that its caller ended
};

class error {
 public:
  error(errc code, std::string message) : code_(code), message_(std::move(message)) {}
  errc code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  errc code_;
  std::string message_;
};

#if UNMASK_HAS_EXCEPTIONS
/// What `result::value()` throws.
struct failure : std::runtime_error {
  explicit failure(const error& e) : std::runtime_error(e.message()), code(e.code()) {}
  errc code;
};
#endif

namespace detail {
[[noreturn]] inline void raise(const error& e) {
#if UNMASK_HAS_EXCEPTIONS
  throw failure(e);
#else
  UNMASK_PANIC(e.message().c_str());
  std::abort();
#endif
}
}  // namespace detail

template <class T = void>
class [[nodiscard]] result {
 public:
  result(T value) : value_(std::move(value)) {}
  result(unmask::error e) : error_(std::move(e)) {}

  explicit operator bool() const { return value_.has_value(); }
  const unmask::error& error() const { return *error_; }

  /// The value, or an exception (`failure`); without exceptions UNMASK_PANIC.
  T& value() & {
    if (!value_) detail::raise(*error_);
    return *value_;
  }
  T value() && {
    if (!value_) detail::raise(*error_);
    return std::move(*value_);
  }
  T& operator*() { return *value_; }
  const T& operator*() const { return *value_; }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  std::optional<unmask::error> error_;
};

template <>
class [[nodiscard]] result<void> {
 public:
  result() = default;
  result(unmask::error e) : error_(std::move(e)) {}

  explicit operator bool() const { return !error_; }
  const unmask::error& error() const { return *error_; }
  void value() const {
    if (error_) detail::raise(*error_);
  }

 private:
  std::optional<unmask::error> error_;
};

}  // namespace unmask::inline UNMASK_ABI

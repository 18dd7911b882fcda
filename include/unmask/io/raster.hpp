#pragma once

/// An image as its file holds it: digits of their own type, [H, W, C], so that what is not changed keeps its bits.

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <type_traits>
#include <vector>

#include "../core/result.hpp"
#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI::io {

enum class sample_type { u8, i8, u16, i16, u32, i32, f32, f64 };
/// As NumPy writes them, without the byte order.
inline constexpr std::array<std::string_view, 8> sample_type_names{"u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"};

inline index_t sample_bytes(sample_type t) { return sample_type_names[static_cast<std::size_t>(t)][1] - '0'; }

namespace detail {
/// body(T{}) for the sample's type.
template <class Body>
auto with_sample(sample_type t, const Body& body) {
  switch (t) {
    case sample_type::u8:
      return body(std::uint8_t{});
    case sample_type::i8:
      return body(std::int8_t{});
    case sample_type::u16:
      return body(std::uint16_t{});
    case sample_type::i16:
      return body(std::int16_t{});
    case sample_type::u32:
      return body(std::uint32_t{});
    case sample_type::i32:
      return body(std::int32_t{});
    case sample_type::f32:
      return body(float{});
    default:
      return body(double{});
  }
}
}  // namespace detail

/// A rectangle of an image.
struct pixel_window {
  index_t row = 0, column = 0, rows = 0, columns = 0;
};

struct raster {
  sample_type type = sample_type::f32;
  index_t height = 0, width = 0, bands = 0;
  std::vector<std::byte> bytes;  ///< this machine's byte order

  raster() = default;
  raster(sample_type t, index_t h, index_t w, index_t c)
      : type(t), height(h), width(w), bands(c), bytes(static_cast<std::size_t>(h * w * c * sample_bytes(t))) {}
  index_t size() const { return height * width * bands; }

  double digit(index_t i) const {
    return detail::with_sample(type, [&](auto zero) {
      std::memcpy(&zero, bytes.data() + i * static_cast<index_t>(sizeof zero), sizeof zero);
      return static_cast<double>(zero);
    });
  }

  /// The digit nearest to v that the type can hold; NaN becomes 0 in whole numbers.
  void set(index_t i, double v) {
    detail::with_sample(type, [&](auto zero) {
      using T = decltype(zero);
      if constexpr (std::is_integral_v<T>) {
        const double lo = static_cast<double>(std::numeric_limits<T>::lowest());
        const double hi = static_cast<double>(std::numeric_limits<T>::max());
        zero = v >= hi   ? std::numeric_limits<T>::max()
               : v >= lo ? static_cast<T>(std::nearbyint(v))
               : v < lo  ? std::numeric_limits<T>::lowest()
                         : T{0};
      } else {
        zero = static_cast<T>(v);
      }
      std::memcpy(bytes.data() + i * static_cast<index_t>(sizeof zero), &zero, sizeof zero);
    });
  }
};

}  // namespace unmask::inline UNMASK_ABI::io

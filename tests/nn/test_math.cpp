/// exp2, exp and GELU of registers against std in double: densely over their ranges, and where floats end.

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <unmask/simd/loop.hpp>
#include <vector>

using namespace unmask;

namespace {

template <class T, class F>
std::vector<T> apply(F f, const std::vector<T>& x) {
  std::vector<T> y(x.size());
  simd::transform4<T>(static_cast<index_t>(x.size()), y.data(), f, x.data());
  return y;
}

/// Odd count: bodies of four packs, single packs and a part are all met.
template <class T>
std::vector<T> grid(double low, double high, std::size_t n = 400003) {
  std::vector<T> x(n);
  for (std::size_t i = 0; i < n; ++i)
    x[i] = static_cast<T>(low + (high - low) * static_cast<double>(i) / static_cast<double>(n - 1));
  return x;
}

template <class T, class F, class Expected, class Scale>
double worst_error(const std::vector<T>& x, F f, Expected expected, Scale scale) {
  const auto y = apply<T>(f, x);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double right = expected(static_cast<double>(x[i]));
    const double error = std::abs(static_cast<double>(y[i]) - right) / scale(right);
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

double float_ulp(double value) { return std::ldexp(1., std::ilogb(value) - 23); }
double absolute(double) { return 1; }
double relative(double value) { return std::abs(value); }

double gelu(double x) { return x / 2 * std::erfc(-x / std::numbers::sqrt2); }
double gelu_slope(double x) {
  return std::erfc(-x / std::numbers::sqrt2) / 2 +
         x * std::exp(-x * x / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}

template <class T>
struct functions {
  static constexpr auto exp2 = [](auto v) { return simd::exp2<T>(v); };
  static constexpr auto exp = [](auto v) { return simd::exp<T>(v); };
  static constexpr auto gelu = [](auto v) { return simd::gelu<T>(v); };
  static constexpr auto value = [](auto v) { return simd::gelu_with_derivative<T>(v).value; };
  static constexpr auto slope = [](auto v) { return simd::gelu_with_derivative<T>(v).derivative; };
};

}  // namespace

// Of all floats in the range the worst is 1.95 ulp with fused multiply-add; without it each of the last two steps of
// Horner's rule rounds once more, by less than half an ulp.
TEST_CASE("exp2 and exp of floats are right to 2.5 ulp") {
  using f = functions<float>;
  const auto two_to = [](double x) { return std::exp2(x); };
  const auto e_to = [](double x) { return std::exp(x); };
  CHECK(worst_error(grid<float>(-126, 127.49), f::exp2, two_to, float_ulp) <= 2.5);
  CHECK(worst_error(grid<float>(-1, 1), f::exp2, two_to, float_ulp) <= 2.5);
  CHECK(worst_error(grid<float>(-87, 88), f::exp, e_to, float_ulp) <= 2.5);
  CHECK(worst_error(grid<float>(-1, 1), f::exp, e_to, float_ulp) <= 2.5);
  for (int n = -126; n <= 127; ++n)
    CHECK(simd::pack<float>::sum(simd::exp2<float>(simd::pack<float>::all(static_cast<float>(n)))) ==
          static_cast<float>(simd::pack<float>::lanes) * std::ldexp(1.f, n));
}

// Half an ulp of numbers up to 8 is 2.4e-7. The derivative is off by half an ulp of 1.13, 6e-8, and by its polynomial,
// 7e-8, and the tail's, 3e-8 / a times 1 - a phi / Q, which grows like a^2: 1e-7 at a = 3.3, nothing further out.
TEST_CASE("GELU of floats is right to 3e-7, its derivative to 2.5e-7") {
  using f = functions<float>;
  CHECK(worst_error(grid<float>(-8, 8), f::gelu, gelu, absolute) <= 3e-7);
  CHECK(worst_error(grid<float>(-8, 8), f::value, gelu, absolute) <= 3e-7);
  CHECK(worst_error(grid<float>(-1e4, 8), f::gelu, gelu, absolute) <= 3e-7);
  CHECK(worst_error(grid<float>(8, 1e4), f::gelu, gelu, relative) <= 6e-8);
  CHECK(worst_error(grid<float>(-6, -0.1), f::gelu, gelu, relative) <= 2.5e-3);
  CHECK(worst_error(grid<float>(-12, 12), f::slope, gelu_slope, absolute) <= 2.5e-7);
  CHECK(worst_error(grid<float>(-1e4, 1e4), f::slope, gelu_slope, absolute) <= 2.5e-7);
}

TEST_CASE("doubles are right to 1e-12") {
  using f = functions<double>;
  CHECK(worst_error(
            grid<double>(-700, 700), f::exp2, [](double x) { return std::exp2(x); }, relative) <= 1e-12);
  CHECK(worst_error(
            grid<double>(-700, 700), f::exp, [](double x) { return std::exp(x); }, relative) <= 1e-12);
  CHECK(worst_error(grid<double>(-30, 30), f::gelu, gelu, absolute) <= 1e-12);
  CHECK(worst_error(grid<double>(-30, 30), f::value, gelu, absolute) <= 1e-12);
  CHECK(worst_error(grid<double>(-30, 30), f::slope, gelu_slope, absolute) <= 1e-12);
}

TEST_CASE("where floats end") {
  using f = functions<float>;
  using limits = std::numeric_limits<float>;
  const float inf = limits::infinity();
  const std::vector<float> x = {0,   -0.f, limits::denorm_min(), -limits::denorm_min(), limits::max(), -limits::max(),
                                inf, -inf};
  CHECK(apply<float>(f::exp2, x) == std::vector<float>{1, 1, 1, 1, inf, 0, inf, 0});
  CHECK(apply<float>(f::exp, x) == std::vector<float>{1, 1, 1, 1, inf, 0, inf, 0});
  const auto y = apply<float>(f::gelu, x);
  CHECK(std::vector<float>{y[0], y[1], y[4], y[5], y[6], y[7]} == std::vector<float>{0, 0, limits::max(), 0, inf, 0});
  CHECK(std::abs(y[2]) <= limits::denorm_min());
  CHECK(std::abs(y[3]) <= limits::denorm_min());
  CHECK(apply<float>(f::value, x) == y);
  CHECK(apply<float>(f::slope, x) == std::vector<float>{0.5, 0.5, 0.5, 0.5, 1, 0, 1, 0});

  // below 2^-126 towards zero, never below it
  for (float small : apply<float>(f::exp2, grid<float>(-130, -126))) CHECK((small >= 0 && small <= limits::min()));
  for (float large : apply<float>(f::exp2, grid<float>(127, 129))) CHECK(large >= 0x1p127f);

  // a NaN of any sign and payload
  for (const float nan : {limits::quiet_NaN(), std::bit_cast<float>(0xffffffffu), std::bit_cast<float>(0x7fc00001u)})
    for (const std::size_t n : {std::size_t{1}, std::size_t{64}}) {
      const std::vector<float> nans(n, nan);
      const auto all_nan = [&](auto function) {
        const auto z = apply<float>(function, nans);
        return std::all_of(z.begin(), z.end(), [](float v) { return std::isnan(v); });
      };
      CHECK(all_nan(f::exp2));
      CHECK(all_nan(f::exp));
      CHECK(all_nan(f::gelu));
      CHECK(all_nan(f::value));
      CHECK(all_nan(f::slope));
    }
}

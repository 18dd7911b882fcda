#include <unmask/core/tensor.hpp>
#include <unmask/metrics/quality.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

using namespace unmask;
using metrics::definition;

namespace {

struct pair {
  tensor<float, 3> truth, estimate;
};

/// t = ((7 h + 5 w + 3 c + h w) mod 23) / 22, e = t + ((3 h + 11 w + 2 c) mod 9 - 4) / 50, both rounded to float; e
/// leaves [0, 1], which tells the definitions apart.
pair example(index_t height, index_t width) {
  pair p{tensor<float, 3>({height, width, 3}), tensor<float, 3>({height, width, 3})};
  for (index_t h = 0; h < height; ++h)
    for (index_t w = 0; w < width; ++w)
      for (index_t c = 0; c < 3; ++c) {
        const auto t = static_cast<float>(static_cast<double>((7 * h + 5 * w + 3 * c + h * w) % 23) / 22);
        p.truth(h, w, c) = t;
        p.estimate(h, w, c) =
            static_cast<float>(static_cast<double>(t) + static_cast<double>((3 * h + 11 * w + 2 * c) % 9 - 4) / 50);
      }
  return p;
}

/// Sums of a few thousand doubles near 1: 1e-9 leaves room for their order, 1e-6 for the angle, whose cosine is near 1.
void check(const metrics::quality& q, double psnr, double ssim, double sam, double ergas) {
  CHECK(std::abs(q.psnr - psnr) <= 1e-9 * psnr);
  CHECK(std::abs(q.ssim - ssim) <= 1e-9);
  CHECK(std::abs(q.sam - sam) <= 1e-6 * sam);
  CHECK(std::abs(q.ergas - ergas) <= 1e-9 * ergas);
}

}  // namespace

// Expected numbers: the formulas of definition.hpp in numpy, SSIM by scipy.signal.convolve2d with the full 11 x 11
// window (mode "valid" or "same"), float inputs widened to double.
TEST_CASE("metrics: five definitions against an independent implementation") {
  const pair p = example(14, 13);
  const auto of = [&](definition d) { return metrics::evaluate(p.truth.view(), p.estimate.view(), d).value(); };
  check(of(definition::official_8bit), 26.033993513264875, 0.9855799325847063, 4.93430464721799, 9.89902095652548);
  check(of(definition::mst_torch), 25.72648060206764, 0.9889526423085838, 5.218197044630096, 10.21857207397328);
  check(of(definition::tsa_max), 25.73675096628371, 0.9889526423085838, 5.236144293804027, 10.246144843585858);
  check(of(definition::global_mse), 25.736734923215042, 0.9850231353624586, 5.236144293804027, 10.246144843585858);
  check(of(definition::dpu_float), 25.73675096628371, 0.9855799325847063, 5.236144293804027, 10.246144843585858);
  const auto q = metrics::evaluate(p.truth.view(), p.estimate.view()).value();
  CHECK(q.psnr == of(definition::official_8bit).psnr);
  CHECK(q.psnr == metrics::psnr(p.truth.view(), p.estimate.view()));
  CHECK(q.ssim == metrics::ssim(p.truth.view(), p.estimate.view()));
  CHECK(q.sam == metrics::sam(p.truth.view(), p.estimate.view()));
  CHECK(q.ergas == metrics::ergas(p.truth.view(), p.estimate.view()));
}

TEST_CASE("metrics: images smaller than the window") {
  // 4 x 20: the window is 4 x 11, an outer product of Gaussians of 4 and 11 taps.
  const pair p = example(4, 20);
  tensor<float, 3> a({1, 1, 2}, .5f), b({1, 1, 2}, .25f);
  for (const auto name : metrics::definition_names) {
    const auto q = metrics::evaluate(a.view(), b.view(), *metrics::definition_from_name(name)).value();
    CHECK(std::isfinite(q.psnr));
    CHECK((q.ssim > 0 && q.ssim < 1));
  }
  const auto q = metrics::evaluate(p.truth.view(), p.estimate.view()).value();
  CHECK(std::abs(q.psnr - 26.074737429665362) <= 1e-8);
  CHECK(std::abs(q.sam - 4.824806493616934) <= 1e-6);
  CHECK(std::abs(q.ergas - 9.986433268222923) <= 1e-8);
  CHECK(std::abs(q.ssim - 0.9862849894840428) <= 1e-9);
}

TEST_CASE("metrics: hidden and open pixels") {
  const pair p = example(14, 13);
  tensor<float, 2> mask({14, 13});
  for (index_t h = 0; h < 14; ++h)
    for (index_t w = 0; w < 13; ++w) mask(h, w) = static_cast<float>((h + 2 * w) % 5) / 4;
  const auto q = metrics::evaluate_regions(p.truth.view(), p.estimate.view(), mask.view()).value();
  check(q.all, 26.033993513264875, 0.9855799325847063, 4.93430464721799, 9.89902095652548);
  REQUIRE(q.hidden);
  REQUIRE(q.open);
  // Exactly half counts as open.
  check(*q.hidden, 26.059652396915514, 0.9855774457491833, 4.578248668399097, 9.603674571655525);
  check(*q.open, 26.017470874044108, 0.985581708895794, 5.172764155968257, 10.203482110605652);

  std::fill(mask.begin(), mask.end(), 1.f);
  const auto lit = metrics::evaluate_regions(p.truth.view(), p.estimate.view(), mask.view()).value();
  CHECK(!lit.hidden);
  REQUIRE(lit.open);
  CHECK(lit.open->psnr == lit.all.psnr);
  CHECK(lit.open->ssim == lit.all.ssim);
  // Only a corner is hidden: no window is centred there, so its SSIM is the whole image's.
  mask(0, 0) = 0;
  const auto corner = metrics::evaluate_regions(p.truth.view(), p.estimate.view(), mask.view()).value();
  REQUIRE(corner.hidden);
  CHECK(corner.hidden->ssim == corner.all.ssim);
  CHECK(corner.hidden->psnr != corner.all.psnr);
  const tensor<float, 2> turned({13, 14});
  CHECK(metrics::evaluate_regions(p.truth.view(), p.estimate.view(), turned.view()).error().message() ==
        "mask: found [13 x 14], expected [14 x 13] as the truth");
}

TEST_CASE("metrics: by hand") {
  // One band, error 0.1 everywhere: 20 dB. Spectra (1, 0) and (1, 1): 45 degrees.
  tensor<float, 3> a({12, 12, 1}, .5f), b({12, 12, 1}, .6f);
  CHECK(std::abs(metrics::psnr(a.view(), b.view(), definition::dpu_float) - 20) <= 1e-5);
  CHECK(std::abs(metrics::psnr(a.view(), b.view(), definition::global_mse) - 20) <= 1e-5);
  CHECK(std::abs(metrics::psnr(a.view(), b.view(), definition::tsa_max) - (20 + 20 * std::log10(.5))) <= 1e-5);
  CHECK(std::abs(metrics::ergas(a.view(), b.view(), definition::dpu_float) - 20) <= 1e-4);
  // round(127.5) = 128 and 153: 20 log10(255 / 25).
  CHECK(std::abs(metrics::psnr(a.view(), b.view()) - 20 * std::log10(255. / 25)) <= 1e-12);
  // 128 and round(153.6) = 154.
  CHECK(std::abs(metrics::psnr(a.view(), b.view(), definition::mst_torch) - 20 * std::log10(255. / 26)) <= 1e-12);
  tensor<float, 3> x({1, 2, 2}, 0.f), y({1, 2, 2}, 0.f);
  x(0, 0, 0) = 1, y(0, 0, 0) = 1, y(0, 0, 1) = 1;
  // The second pixel is dark and has no angle.
  CHECK(std::abs(metrics::sam(x.view(), y.view()) - 45) <= 1e-12);
  // what rounds to black has no angle, and no relative error: neither is perfect
  const tensor<float, 3> dark({2, 2, 3}, 1e-3f), bright({2, 2, 3}, .5f);
  CHECK(std::isnan(metrics::sam(bright.view(), dark.view())));
  CHECK(std::isnan(metrics::ergas(dark.view(), bright.view())));
  CHECK(metrics::ergas(dark.view(), bright.view(), definition::dpu_float) > 1e4);
}

TEST_CASE("metrics: equal, dark and bad cubes") {
  const pair p = example(13, 12);
  tensor<float, 3> dark({12, 12, 2});
  for (const auto name : metrics::definition_names) {
    const auto d = metrics::definition_from_name(name).value();
    CHECK(metrics::name(d) == name);
    const auto equal = metrics::evaluate(p.truth.view(), p.truth.view(), d).value();
    CHECK(equal.psnr == metrics::psnr_limit);
    CHECK(std::abs(equal.ssim - 1) <= 1e-12);
    CHECK(equal.sam <= 1e-5);
    CHECK(equal.ergas == 0);
    const auto nothing = metrics::evaluate(dark.view(), dark.view(), d).value();
    CHECK(nothing.psnr == metrics::psnr_limit);
    CHECK(nothing.sam == 0);
    CHECK(nothing.ergas == 0);
  }
  CHECK(metrics::definition_from_name("psnr").error().message() ==
        "metric definition: found 'psnr', expected one of official-8bit, mst-torch, tsa-max, global-mse, dpu-float");

  tensor<float, 3> bad = p.estimate;
  bad(2, 3, 1) = std::numeric_limits<float>::quiet_NaN();
  const auto nan = metrics::evaluate(p.truth.view(), bad.view());
  REQUIRE(!nan);
  CHECK(nan.error().code() == errc::wrong_value);
  CHECK(nan.error().message().starts_with("estimate: value at [2, 3, 1] is "));
  bad(2, 3, 1) = std::numeric_limits<float>::infinity();
  CHECK(!metrics::evaluate(bad.view(), p.truth.view()));
  CHECK(metrics::evaluate(p.truth.view(), dark.view()).error().message() ==
        "estimate: found [12 x 12 x 2], expected [13 x 12 x 3] as the truth");
  CHECK(!metrics::evaluate(tensor<float, 3>({0, 4, 2}).view(), tensor<float, 3>({0, 4, 2}).view()));
}

TEST_CASE("metrics: cubes of counts are refused, not clipped to equality") {
  tensor<float, 3> a({12, 12, 3}), b({12, 12, 3});
  for (index_t i = 0; i < a.size(); ++i) {
    a.data()[i] = static_cast<float>(100 + i % 7);
    b.data()[i] = static_cast<float>(900 - i % 5);
  }
  const auto counts = metrics::evaluate(a.view(), b.view());
  REQUIRE(!counts);
  CHECK(counts.error().code() == errc::wrong_value);
  CHECK(counts.error().message() ==
        "truth: found values of 100 to 106, expected 0..1 (divide both cubes by full scale)");
  for (float& x : a) x /= 128;
  CHECK(metrics::evaluate(a.view(), b.view()).value().psnr < 40);  // an estimate may be as wrong as it likes
  a(1, 1, 1) = -2;
  CHECK(!metrics::evaluate(a.view(), b.view()));
}

#pragma once

/// Cases for a network that removes clouds: a clear crop of one date under simulated cloud, reconstructed by the stack
/// from some of the other dates. What the stack errs in is to be learnt. Case k of a seed is always the same.

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "../clouds/declouder.hpp"
#include "../clouds/simulate.hpp"
#include "../core/random.hpp"
#include "../core/tensor.hpp"

namespace unmask::inline UNMASK_ABI::train {

/// Dates of one place that are mostly clear. T at least 2, one number of bands C each.
struct cloud_scene {
  tensor<float, 4> dates;           ///< [T, H, W, C] reflectance; NaN without data
  tensor<std::uint8_t, 3> clear;    ///< [T, H, W] not 0 where a date shows the ground
  std::vector<double> days;         ///< [T]
  std::vector<double> wavelengths;  ///< [C] nm
};

struct cloud_case_options {
  index_t side = 96;   ///< pixels of a case
  double thin = .4;    ///< share of thin cloud
  double shadow = .8;  ///< share of cases with shadow
  double unseen = .4;  ///< share of cases whose cloud shows nothing: what is learnt there holds on other places too
  double clear = .97;  ///< least share of clear pixels in a crop that becomes the truth
  int margin = 2;      ///< pixels by which the mask that is told may be too large
};

/// What the network is told and the truth, with memory of its own.
struct cloud_case {
  clouds::grid size;
  index_t bands = 0;
  std::vector<float> y, prediction, nearest, base, deviation, transmission, truth;  ///< [n, C]
  std::vector<std::uint8_t> open, asked;                                            ///< [n]
  std::vector<float> ground;                                                        ///< [n, components]
  index_t components = 0;
  std::array<float, 3> ground_scale{};

  clouds::network_view view() const {
    return {.size = size,
            .bands = bands,
            .y = y.data(),
            .prediction = prediction.data(),
            .nearest = nearest.data(),
            .base = base.data(),
            .deviation = deviation.data(),
            .transmission = transmission.empty() ? nullptr : transmission.data(),
            .open = open.data(),
            .asked = asked.data(),
            .ground = ground.data(),
            .components = components,
            .ground_scale = ground_scale};
  }
};

class cloud_cases {
 public:
  /// `probabilities` [H, W] in 0..1 are maps of clouds; none: they are generated. Errors name the scene that does not
  /// fit.
  static result<cloud_cases> create(std::vector<cloud_scene> scenes, std::vector<tensor<float, 2>> probabilities,
                                    const cloud_case_options& options) {
    const auto bad = [](std::size_t i, const std::string& what) {
      return error(errc::wrong_shape, "clouds: scene " + std::to_string(i) + " " + what);
    };
    if (scenes.empty()) return error(errc::bad_argument, "clouds: no scene to train on");
    for (std::size_t i = 0; i < scenes.size(); ++i) {
      const auto& d = scenes[i].dates;
      if (d.extent(0) < 2) return bad(i, "has " + std::to_string(d.extent(0)) + " dates, expected at least 2");
      if (std::min(d.extent(1), d.extent(2)) < options.side)
        return bad(i, "is " + std::to_string(d.extent(1)) + " x " + std::to_string(d.extent(2)) +
                          ", expected at least " + std::to_string(options.side) + " pixels a side");
      if (static_cast<index_t>(scenes[i].wavelengths.size()) != d.extent(3))
        return bad(i, "has " + std::to_string(d.extent(3)) + " bands and " +
                          std::to_string(scenes[i].wavelengths.size()) + " wavelengths, expected one a band");
    }
    cloud_cases c;
    c.scenes_ = std::move(scenes), c.maps_ = std::move(probabilities), c.options_ = options;
    for (c.good_ = 0; c.good_ < 8; ++c.good_)
      if (c.throws(c.good_, c.good_).size.size() > 0) return c;
    return error(errc::wrong_value, "clouds: no crop of " + std::to_string(options.side) +
                                        " pixels is clear enough on any date to serve as truth");
  }

  const cloud_case_options& options() const { return options_; }

  /// Case `number`; where its dice find none in 64 throws, the one that `create` found.
  cloud_case make(std::uint64_t seed, std::uint64_t number) const {
    cloud_case c = throws(seed, number);
    return c.size.size() > 0 ? c : throws(good_, good_);
  }

 private:
  /// Without pixels where no throw of 64 gives a case.
  cloud_case throws(std::uint64_t seed, std::uint64_t number) const {
    unmask::random draw(seed ^ 0x636c6f756473u, number);
    for (int attempt = 0; attempt < 64; ++attempt) {
      cloud_case c = attempt_case(draw);
      if (c.size.size() > 0) return c;
    }
    return {};
  }

  /// One crop of all dates, turned and mirrored, as `declouder` reads it; the target is date 0.
  struct crop {
    tensor<float, 4> dates;  ///< [1 + K, S, S, C]
    tensor<float, 3> clear;  ///< [1 + K, S, S] 0 or 1
    std::vector<double> days;
  };

  static constexpr float opaque = .8f;  ///< reflectance

  cloud_case attempt_case(unmask::random& draw) const {
    const index_t S = options_.side;
    const cloud_scene& s = scenes_[static_cast<std::size_t>(draw.below(static_cast<index_t>(scenes_.size())))];
    const crop c = cut(s, draw);
    if (c.days.size() < 2) return {};
    const tensor<float, 2> p = probability(draw);
    clouds::simulation how;
    how.kind = draw.uniform() < options_.thin ? clouds::cloud_kind::thin : clouds::cloud_kind::thick;
    how.shadow = draw.uniform() < options_.shadow;
    how.shift_rows = draw.uniform(-12., 12.), how.shift_columns = draw.uniform(-12., 12.);
    how.seed = static_cast<std::uint64_t>(draw.below(1 << 30));
    const index_t C = c.dates.extent(3);
    auto y = clouds::simulate_clouds(array_view<const float, 3>(c.dates.data(), S, S, C), p.view(), s.wavelengths, how);
    const float least = how.kind == clouds::cloud_kind::thin ? .03f : .08f;
    const auto margin = static_cast<index_t>(draw.below(options_.margin + 1));
    tensor<std::uint8_t, 2> hidden({S, S});
    index_t count = 0;
    for (index_t h = 0; h < S; ++h)
      for (index_t w = 0; w < S; ++w) {
        bool any = false;
        for (index_t i = std::max<index_t>(0, h - margin); i <= std::min(S - 1, h + margin); ++i)
          for (index_t j = std::max<index_t>(0, w - margin); j <= std::min(S - 1, w + margin); ++j)
            any = any || y.opacity(i, j) > least || y.shadow(i, j) > least;
        hidden(h, w) = any;
        count += any;
        if (c.clear(0, h, w) == 0) std::fill_n(&y.image(h, w, 0), C, std::nanf(""));  // no truth: no data
      }
    if (20 * count < S * S || 10 * count > 9 * S * S) return {};
    if (draw.uniform() < options_.unseen)
      for (index_t i = 0; i < S * S * C; ++i)
        if (hidden.data()[i / C] != 0 && std::isfinite(y.image.data()[i])) y.image.data()[i] = opaque;
    return reconstruct(c, y, hidden);
  }

  /// The stack's result, and what a network would be told of it.
  cloud_case reconstruct(const crop& c, const clouds::clouded& y, const tensor<std::uint8_t, 2>& hidden) const {
    const index_t S = options_.side, C = c.dates.extent(3), K = c.dates.extent(0) - 1, n = S * S;
    cloud_case out;
    const auto take = [&](const clouds::network_view& v, float* to) {
      std::fill_n(to, n * C, 0.f);
      const auto keep = [](auto& list, const auto* from, index_t count) { list.assign(from, from + count); };
      out.size = v.size, out.bands = C;
      keep(out.y, v.y, n * C), keep(out.prediction, v.prediction, n * C), keep(out.nearest, v.nearest, n * C);
      keep(out.base, v.base, n * C), keep(out.deviation, v.deviation, n * C);
      keep(out.open, v.open, n), keep(out.asked, v.asked, n);
      keep(out.transmission, v.transmission, n * C);
      keep(out.ground, v.ground, n * v.components);
      out.components = v.components, out.ground_scale = v.ground_scale;
    };
    clouds::options o;
    o.learnt = take, o.judged = false;
    auto d = clouds::declouder<cpu>::create({.threads = 1}, {S, S, C, K}, o);
    if (!d) return {};
    const clouds::scene s{y.image.view(),
                          y.visibility.view(),
                          hidden.view(),
                          c.days[0],
                          array_view<const float, 4>(c.dates.data() + n * C, K, S, S, C),
                          array_view<const float, 3>(c.clear.data() + n, K, S, S),
                          c.days.data() + 1};
    tensor<float, 3> result({S, S, C});
    if (!d->run(s, {result.view(), {}, {}})) return {};
    if (out.open.empty()) return {};  // too few open pixels to judge by
    out.truth.assign(c.dates.data(), c.dates.data() + n * C);
    return out;
  }

  /// A clear target and at least one other date that shows a third of the crop.
  crop cut(const cloud_scene& s, unmask::random& draw) const {
    const index_t S = options_.side, T = s.dates.extent(0), C = s.dates.extent(3);
    const index_t row = draw.below(s.dates.extent(1) - S + 1), column = draw.below(s.dates.extent(2) - S + 1);
    const auto share = [&](index_t t) {
      index_t count = 0;
      for (index_t h = 0; h < S; ++h)
        for (index_t w = 0; w < S; ++w) count += s.clear(t, row + h, column + w) != 0;
      return static_cast<double>(count) / static_cast<double>(S * S);
    };
    std::vector<index_t> order(static_cast<std::size_t>(T)), chosen;
    for (index_t t = 0; t < T; ++t) order[static_cast<std::size_t>(t)] = t;
    for (index_t t = T - 1; t > 0; --t)
      std::swap(order[static_cast<std::size_t>(t)], order[static_cast<std::size_t>(draw.below(t + 1))]);
    const index_t most = 2 + draw.below(std::min<index_t>(T - 1, 7));
    for (const index_t t : order) {
      if (static_cast<index_t>(chosen.size()) == most) break;
      if (share(t) >= (chosen.empty() ? options_.clear : .33)) chosen.push_back(t);
    }
    const auto K = static_cast<index_t>(chosen.size());
    if (K < 2) return {};
    crop c{tensor<float, 4>({K, S, S, C}), tensor<float, 3>({K, S, S}), {}};
    const bool turned = draw.below(2) == 1, down = draw.below(2) == 1, left = draw.below(2) == 1;
    for (index_t k = 0; k < K; ++k) {
      const index_t t = chosen[static_cast<std::size_t>(k)];
      c.days.push_back(s.days[static_cast<std::size_t>(t)]);
      for (index_t h = 0; h < S; ++h)
        for (index_t w = 0; w < S; ++w) {
          const index_t a = down ? S - 1 - h : h, b = left ? S - 1 - w : w;
          const index_t i = row + (turned ? b : a), j = column + (turned ? a : b);
          std::copy_n(&s.dates(t, i, j, 0), C, &c.dates(k, h, w, 0));
          c.clear(k, h, w) = s.clear(t, i, j) != 0 ? 1.f : 0.f;
        }
    }
    return c;
  }

  /// A map over the crop: a part of one of those given, mirrored where it is too small, or a generated one.
  tensor<float, 2> probability(unmask::random& draw) const {
    const index_t S = options_.side;
    if (maps_.empty())
      return clouds::generate_probability(S, S, draw.uniform(.15, .6), static_cast<std::uint64_t>(draw.below(1 << 30)));
    const auto& m = maps_[static_cast<std::size_t>(draw.below(static_cast<index_t>(maps_.size())))];
    const index_t row = draw.below(m.extent(0)), column = draw.below(m.extent(1));
    const bool turned = draw.below(2) == 1;
    tensor<float, 2> p({S, S});
    for (index_t h = 0; h < S; ++h)
      for (index_t w = 0; w < S; ++w) {
        const index_t i = clouds::mirrored(row + (turned ? w : h), m.extent(0));
        p(h, w) = m(i, clouds::mirrored(column + (turned ? h : w), m.extent(1)));
      }
    return p;
  }

  std::vector<cloud_scene> scenes_;
  std::vector<tensor<float, 2>> maps_;
  cloud_case_options options_;
  std::uint64_t good_ = 0;  ///< seed and number of a case that there is
};

}  // namespace unmask::inline UNMASK_ABI::train

/// The scene's own spectra: the small eigenvalue problem, the basis against a dense computation, and spectral TV with
/// it.

#include <doctest/doctest.h>

#include <Eigen/Eigenvalues>
#include <cmath>
#include <limits>
#include <numbers>
#include <unmask/core/memory.hpp>
#include <unmask/core/random.hpp>
#include <unmask/optics/adaptive_spectral_tv.hpp>
#include <unmask/optics/planned.hpp>

using namespace unmask;
using row_matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

namespace {

/// Rows at right angles with falling lengths.
tensor<float, 2> right_angled(index_t rows, index_t bands, std::uint64_t seed) {
  unmask::random draw(seed);
  Eigen::MatrixXd m(bands, rows);
  for (double& v : m.reshaped()) v = draw.normal();
  const Eigen::MatrixXd q =
      Eigen::HouseholderQR<Eigen::MatrixXd>(m).householderQ() * Eigen::MatrixXd::Identity(bands, rows);
  tensor<float, 2> basis({rows, bands});
  for (index_t k = 0; k < rows; ++k)
    for (index_t c = 0; c < bands; ++c) basis(k, c) = static_cast<float>(std::pow(.6, k) * q(c, k));
  return basis;
}

constexpr index_t rows_of = 8, columns = 11, strip = 4, rank = 5, bands = 7;

tensor<float, 2> found(const float* z, const tensor<float, 2>& basis, index_t rows, double share, int threads) {
  optics::detail::scene_spectra spectra({rows_of, rank, columns}, strip);
  arena measure;
  spectra.carve_scratch(measure);
  const memory_block block(measure.peak());
  arena memory(block.data(), block.bytes());
  spectra.carve_scratch(memory);
  tensor<float, 2> own({rows, bands});
  spectra.find(cpu{.threads = threads}, own.data(), rows, z, basis.view(), share);
  return own;
}

Eigen::MatrixXd squared(const tensor<float, 2>& b) {
  const Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> m(b.data(), b.extent(0),
                                                                                                  b.extent(1));
  const Eigen::MatrixXd d = m.cast<double>();
  return d.transpose() * d;
}

/// A scene of two materials whose spectra differ in a direction that counts little in the basis.
struct two_materials {
  static constexpr index_t H = 40, W = 48, K = 14, C = 16;
  tensor<float, 2> basis{{K, C}}, mask{{H, W}};
  tensor<float, 3> truth{{H, W, C}};
  optics::camera camera = make();
  tensor<float, 2> y{{H, W + 2 * (C - 1)}};

  static float wave(index_t k, index_t c) {
    return static_cast<float>(
        std::cos(std::numbers::pi * static_cast<double>(k) * (static_cast<double>(c) + .5) / static_cast<double>(C)));
  }
  optics::camera make() {
    unmask::random draw(8);
    for (float& m : mask) m = draw.uniform() < .5 ? 0.f : 1.f;
    for (index_t k = 0; k < K; ++k)
      for (index_t c = 0; c < C; ++c) basis(k, c) = .3f * std::pow(.8f, static_cast<float>(k)) * wave(k, c);
    for (index_t h = 0; h < H; ++h)
      for (index_t w = 0; w < W; ++w)
        for (index_t c = 0; c < C; ++c) {
          const bool inside = (h / 7 + w / 9) % 2 == 0;
          truth(h, w, c) = .5f + (inside ? .3f : -.3f) * wave(6, c) + .002f * static_cast<float>(h + w);
        }
    return optics::camera::create(mask.view(), C, 2).value();
  }
  two_materials() { camera.forward(ref{}, y.view(), truth.view()); }
  double error(const tensor<float, 3>& x) const {
    double sum = 0;
    for (index_t i = 0; i < x.size(); ++i) sum += std::pow(static_cast<double>(x.data()[i] - truth.data()[i]), 2);
    return std::sqrt(sum / static_cast<double>(x.size()));
  }
  tensor<float, 3> run(optics::adaptive_spectral_tv& solver, int threads = 1) const {
    tensor<float, 3> x(truth.extents());
    CHECK(is_finite(solver.run(cpu{.threads = threads}, x.view(), y.view())));
    return x;
  }
};

bool same(const tensor<float, 3>& a, const tensor<float, 3>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace

TEST_CASE("symmetric eigenvalues: against Eigen's") {
  for (const index_t n : {1, 2, 5, 20}) {
    unmask::random draw(static_cast<std::uint64_t>(n));
    row_matrix a(n, n), vectors(n, n);
    for (double& v : a.reshaped()) v = draw.normal();
    a = (a + a.transpose()).eval();
    const row_matrix before = a;
    optics::detail::diagonalise(a.data(), vectors.data(), n);
    Eigen::VectorXd values = a.diagonal();
    CHECK((vectors * before * vectors.transpose() - row_matrix(values.asDiagonal())).norm() <= 1e-12 * before.norm());
    CHECK((vectors * vectors.transpose() - row_matrix::Identity(n, n)).norm() <= 1e-12);
    std::sort(values.begin(), values.end());
    CHECK((values - Eigen::SelfAdjointEigenSolver<row_matrix>(before).eigenvalues()).norm() <= 1e-12 * before.norm());
  }
  row_matrix broken = row_matrix::Identity(3, 3), vectors(3, 3);
  broken(1, 1) = std::numeric_limits<double>::quiet_NaN();
  optics::detail::diagonalise(broken.data(), vectors.data(), 3);
  CHECK(std::isnan(broken(1, 1)));
}

TEST_CASE("scene's spectra: the shrunken covariance of neighbours' differences, computed densely") {
  const auto basis = right_angled(rank, bands, 2);
  tensor<float, 3> z({rows_of, rank, columns});
  unmask::random draw(3);
  for (float& v : z) v = static_cast<float>(draw.normal());
  const double share = .7;
  Eigen::MatrixXd shown = Eigen::MatrixXd::Zero(bands, bands);
  const auto add = [&](index_t h, index_t w, index_t i, index_t j) {
    Eigen::VectorXd d = Eigen::VectorXd::Zero(bands);
    for (index_t k = 0; k < rank; ++k)
      for (index_t c = 0; c < bands; ++c)
        d[c] += static_cast<double>(basis(k, c)) * (static_cast<double>(z(i, k, j)) - static_cast<double>(z(h, k, w)));
    shown += d * d.transpose() / std::max(d.norm(), .01);
  };
  for (index_t h = 0; h < rows_of; ++h)
    for (index_t w = 0; w < columns; ++w) {
      if (w + 1 < columns) add(h, w, h, w + 1);
      if (h + 1 < rows_of && (h + 1) % strip != 0) add(h, w, h + 1, w);
    }
  const Eigen::MatrixXd common = squared(basis);
  Eigen::MatrixXd expected = share * shown * common.trace() / shown.trace() + (1 - share) * common;
  expected /= expected.trace();
  CHECK((squared(found(z.data(), basis, rank, share, 1)) - expected).norm() <= 1e-6);
  // fewer rows: the largest eigenvalues
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solved(expected);
  const Eigen::MatrixXd largest = solved.eigenvectors().rightCols(3);
  const Eigen::MatrixXd cut = largest * solved.eigenvalues().tail(3).asDiagonal() * largest.transpose();
  const auto three = found(z.data(), basis, 3, share, 1);
  CHECK((squared(three) - cut).norm() <= 1e-6);
  const auto again = found(z.data(), basis, 3, share, 3);
  CHECK(std::equal(three.begin(), three.end(), again.begin()));
}

TEST_CASE("scene's spectra: without light or differences those of all scenes; NaN is not hidden") {
  const auto basis = right_angled(rank, bands, 2);
  tensor<float, 3> z({rows_of, rank, columns}, 2.f);
  const Eigen::MatrixXd expected = squared(basis) / squared(basis).trace();
  CHECK((squared(found(nullptr, basis, rank, .8, 1)) - expected).norm() <= 1e-6);
  CHECK((squared(found(z.data(), basis, rank, .8, 1)) - expected).norm() <= 1e-6);
  z(3, 1, 4) = std::numeric_limits<float>::quiet_NaN();
  const auto broken = found(z.data(), basis, rank, .8, 1);
  CHECK(std::any_of(broken.begin(), broken.end(), [](float v) { return !is_finite(v); }));
}

TEST_CASE("adaptive spectral TV: a basis of few rows is used as it is") {
  const two_materials s;
  const array_view<const float, 2> few(s.basis.data(), index_t{12}, s.C);
  optics::planned<optics::adaptive_spectral_tv> adaptive(s.camera, few);
  CHECK_FALSE(adaptive->adapts());
  CHECK(adaptive->rank() == 12);
  tensor<float, 3> expected(s.truth.extents());
  optics::planned<optics::spectral_tv>(s.camera, few)->run(cpu{}, expected.view(), s.y.view());
  CHECK(same(s.run(*adaptive), expected));
}

TEST_CASE("adaptive spectral TV: the scene's own spectra are found, with equal bits whatever ran before") {
  const two_materials s;
  optics::planned<optics::adaptive_spectral_tv> adaptive(s.camera, s.basis.view());
  CHECK(adaptive->adapts());
  CHECK(adaptive->rank() == 12);
  std::vector<index_t> told;
  tensor<float, 3> x(s.truth.extents()), plain(s.truth.extents());
  adaptive->run(cpu{}, x.view(), s.y.view(), [&](index_t i, float) { told.push_back(i); });
  CHECK(static_cast<index_t>(told.size()) == adaptive->reports());
  for (std::size_t i = 0; i < told.size(); ++i) CHECK(told[i] == static_cast<index_t>(i) + 1);
  optics::planned<optics::spectral_tv>(s.camera, s.basis.view())->run(cpu{}, plain.view(), s.y.view());
  MESSAGE("all spectra ", s.error(plain), ", the scene's ", s.error(x));
  CHECK(s.error(x) < .8 * s.error(plain));

  for (const int threads : {1, 2, 3}) CHECK(same(s.run(*adaptive, threads), x));
  tensor<float, 3> dark(s.truth.extents(), 1.f);
  const tensor<float, 2> nothing(s.y.extents());
  CHECK(adaptive->run(cpu{}, dark.view(), nothing.view()) == 0);
  CHECK(std::all_of(dark.begin(), dark.end(), [](float v) { return v == 0; }));
  CHECK(same(s.run(*adaptive), x));
}

TEST_CASE("adaptive spectral TV: stops when it is told, in the strips and after them") {
  const two_materials s;
  optics::planned<optics::adaptive_spectral_tv> adaptive(s.camera, s.basis.view());
  for (const index_t last : {index_t{2}, adaptive->reports() / 2 + 1}) {
    index_t calls = 0;
    tensor<float, 3> x(s.truth.extents());
    adaptive->run(cpu{}, x.view(), s.y.view(), [&](index_t i, float) {
      calls = i;
      return i < last;
    });
    CHECK(calls == last);
  }
}

TEST_CASE("adaptive spectral TV: what is held out tells the strips nothing either") {
  const two_materials s;
  tensor<unsigned char, 2> marks(s.y.extents());
  unmask::random draw(6);
  tensor<float, 2> wrong = s.y;
  double mean = 0;
  for (const float v : s.y) mean += static_cast<double>(v) / static_cast<double>(s.y.size());
  for (index_t i = 0; i + 1 < s.y.size(); i += 2)
    if (draw.uniform() < .05) {  // a pair of values whose sum, all that may tell, stays
      marks.data()[i] = marks.data()[i + 1] = 1;
      wrong.data()[i] += static_cast<float>(mean), wrong.data()[i + 1] -= static_cast<float>(mean);
    }
  const auto change = [&](const unsigned char* held_out) {
    optics::planned<optics::adaptive_spectral_tv> adaptive(s.camera, s.basis.view());
    adaptive->hold_out(held_out);
    tensor<float, 3> x(s.truth.extents()), other(s.truth.extents());
    adaptive->run(cpu{}, x.view(), s.y.view());
    adaptive->run(cpu{}, other.view(), wrong.view());
    double sum = 0;
    for (index_t i = 0; i < x.size(); ++i) sum += std::pow(static_cast<double>(x.data()[i] - other.data()[i]), 2);
    return std::sqrt(sum / static_cast<double>(x.size()));
  };
  CHECK(change(marks.data()) < .02 * change(nullptr));
}

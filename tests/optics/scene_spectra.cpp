/// The scene's own spectra: the small eigenvalue problem, and the basis against a dense computation.

#include <doctest/doctest.h>

#include <Eigen/Eigenvalues>
#include <cmath>
#include <limits>
#include <unmask/core/memory.hpp>
#include <unmask/core/random.hpp>
#include <unmask/core/tensor.hpp>
#include <unmask/optics/scene_spectra.hpp>

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

#pragma once

/// What the C++ of README and guide takes for granted: a mask, a measurement, memory for the cube. And what they must
/// give: the bits of `unmask reconstruct`.

#include <doctest/doctest.h>

#include <unistd.h>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <string>
#include <unmask/core/tensor.hpp>
#include <unmask/io/cube.hpp>
#include <unmask/io/hdf5_writer.hpp>
#include <unmask/metrics/quality.hpp>
#include <unmask/optics/spectral.hpp>
#include <unmask/scenes/generate.hpp>

#include "instances.hpp"

namespace docs {

using unmask::index_t;

struct setting {
  static constexpr index_t height = 64, width = 96, step = 2;
  unmask::tensor<float, 3> truth =
      unmask::scenes::generate(height, width, unmask::optics::benchmark_wavelength_list(), 1);
  unmask::tensor<float, 2> mask = unmask::scenes::grey_mask(height, width, 1);
  unmask::tensor<float, 2> measurement{{height, width + step*(truth.extent(2) - 1)}};
  unmask::tensor<float, 3> cube{truth.extents()};  ///< NaN until somebody fills it

  /// The measurement by the formula of the guide.
  setting() {
    for (index_t h = 0; h < height; ++h)
      for (index_t w = 0; w < width; ++w)
        for (index_t c = 0; c < truth.extent(2); ++c) measurement(h, w + step * c) += mask(h, w) * truth(h, w, c);
    std::fill(cube.begin(), cube.end(), std::numeric_limits<float>::quiet_NaN());
  }

  /// The cube that the program makes of the same measurement.
  unmask::tensor<float, 3> by_program() const {
    const auto folder = std::filesystem::temp_directory_path() / ("unmask_docs_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    const std::string in = (folder / "snapshot.h5").string(), out = (folder / "cube.h5").string();
    unmask::io::hdf5_writer file(in);
    file.put("measurement", measurement.view(), {{"unit", "sum of mask * cube"}, {"step", 2.0}});
    file.put("mask", mask.view());
    REQUIRE(file.save());
    const std::string line = "'" UNMASK_PROGRAM "' reconstruct --threads 2 --measurement '" + in +
                             ":measurement' --mask '" + in + ":mask' --weights models/general.safetensors --out '" +
                             out + "' >/dev/null";
    REQUIRE(std::system(line.c_str()) == 0);
    auto read = unmask::io::read_cube({out, "cube"});
    std::filesystem::remove_all(folder);
    REQUIRE(read);
    return std::move(read->cube);
  }

  /// HM, the simplest way back, by the formula of the guide.
  unmask::tensor<float, 3> shifted_back() const {
    unmask::tensor<float, 3> hm(truth.extents());
    const float scale = 2 / static_cast<float>(truth.extent(2));
    for (index_t h = 0; h < height; ++h)
      for (index_t w = 0; w < width; ++w)
        for (index_t c = 0; c < truth.extent(2); ++c) hm(h, w, c) = scale * mask(h, w) * measurement(h, w + step * c);
    return hm;
  }

  void check() const {
    const auto expected = by_program(), hm = shifted_back();
    REQUIRE(expected.extents() == cube.extents());
    CHECK(std::equal(cube.begin(), cube.end(), expected.begin()));
    CHECK(unmask::metrics::psnr(truth.view(), cube.view()) >
          unmask::metrics::psnr(truth.view(), hm.view()) + 8);  // 12 with the general network
  }
};

}  // namespace docs

#define DOCS_SETTING                                                 \
  docs::setting here;                                                \
  [[maybe_unused]] const auto mask = here.mask.view();               \
  [[maybe_unused]] const auto measurement = here.measurement.view(); \
  [[maybe_unused]] const auto cube = here.cube.view();               \
  [[maybe_unused]] const auto height = here.height, width = here.width

#define DOCS_CHECK here.check()

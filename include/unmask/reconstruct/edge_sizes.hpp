#pragma once

/// The sizes of one sample of a network that steers spectral TV.

#include "../optics/cassi.hpp"
#include "../optics/edge_features.hpp"

namespace unmask::inline UNMASK_ABI::detail {

struct edge_sizes {
  index_t height = 0, width = 0, bands = 0, rank = 0, step = 2;
  optics::cassi_geometry geometry() const { return {height, width, bands, step}; }
  index_t channels() const { return optics::detail::edge_channels{rank}.count(); }
  index_t coefficients() const { return height * rank * width; }
};

}  // namespace unmask::inline UNMASK_ABI::detail

#pragma once

/// The dice behind training samples: options, and what was drawn for one sample.
///
/// A sample is what a camera would see: a mask somewhere in front of a field, a crop of that field, and in it a scene,
/// or, as in half of the field's training, four scenes stitched 2 x 2. Scenes are turned and mirrored before they are
/// measured: a prism disperses along columns only.

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "../core/random.hpp"
#include "../core/result.hpp"
#include "../core/tensor.hpp"
#include "../optics/noise.hpp"
#include "scene_variety.hpp"

namespace unmask::inline UNMASK_ABI::train {

struct sample_options {
  index_t batch = 4, height = 64, width = 64;  ///< crops
  index_t step = 2;                            ///< dispersion, pixels a band
  bool symmetries = true;                      ///< flips and rotations of the scenes
  double mosaics = 0;                          ///< share of samples stitched from four scenes
  bool move_mask = true;        ///< a mask larger than the scene is used at random places, else at its top left
  double random_masks = 0;      ///< share of samples with a fresh mask instead of a given one
  double grey_masks = 0;        ///< share of the fresh masks that are grey, the others are binary
  double open_share = .5;       ///< mean of a fresh mask
  double open_spread = 0;       ///< drawn for each fresh mask from open_share +- open_spread
  index_t cells = 1;            ///< largest side of a fresh mask's square cells, pixels; each mask has its own
  optics::noise_model noise{};  ///< its full scale is in units of the network's input, y 2 / C
  double noisy = 1;             ///< share of samples with noise
  scene_variety variety{};      ///< of whole fields only (estimated_source.hpp)
};

inline result<> check(const sample_options& o) {
  const auto number = [](auto n) { return std::to_string(n); };
  if (o.batch < 1 || o.height < 1 || o.width < 1)
    return error(errc::bad_argument, "samples: batch " + number(o.batch) + ", crop [" + number(o.height) + " x " +
                                         number(o.width) + "], expected at least 1 of each");
  const std::pair<const char*, double> shares[] = {{"mosaics", o.mosaics},
                                                   {"random_masks", o.random_masks},
                                                   {"grey_masks", o.grey_masks},
                                                   {"open_share", o.open_share},
                                                   {"open_share - open_spread", o.open_share - o.open_spread},
                                                   {"open_share + open_spread", o.open_share + o.open_spread},
                                                   {"noisy", o.noisy}};
  for (const auto& [name, share] : shares)
    if (!(share >= 0 && share <= 1))
      return error(errc::bad_argument, "samples: " + std::string(name) + " is " + number(share) + ", expected 0..1");
  if (!(o.cells >= 1 && o.cells <= 64))
    return error(errc::bad_argument, "samples: cells is " + number(o.cells) + ", expected 1..64");
  if (auto ok = check(o.variety); !ok) return ok;
  return optics::check_noise(o.noise);
}

/// A rectangle of the sample that one scene fills.
struct sample_piece {
  index_t scene = 0;
  bool transposed = false, flip_rows = false, flip_columns = false;
  index_t top = 0, left = 0, height = 0, width = 0;  ///< within the crop's rows and lit columns
  index_t row = 0, column = 0;                       ///< of the turned scene, at the rectangle's top left
};

struct sample_choice {
  std::array<sample_piece, 4> parts{};
  int pieces = 1;                             ///< 1, or 4: top left, top right, bottom left, bottom right
  index_t mask = -1;                          ///< -1: a fresh one
  index_t field_height = 0, field_width = 0;  ///< what the camera sees: no light comes from outside
  index_t mask_row = 0, mask_column = 0;      ///< where the field starts in the mask
  index_t row = 0, column = 0;                ///< where the crop starts in the field
  index_t lit_begin = 0, lit_end = 0;         ///< columns of the field that can send light into the crop
  std::uint64_t mask_seed = 0, noise_seed = 0;
  bool grey = false, noisy = false;
  double open_share = .5;  ///< of a fresh mask
  index_t cell = 1;        ///< side of its cells, pixels

  index_t lit_width() const { return lit_end - lit_begin; }
};

/// What is drawn for one sample from scenes and masks of these sizes, every one at least as large as the crop.
/// `reach` = step (C - 1) columns.
inline sample_choice draw_sample(unmask::random draw, const sample_options& o,
                                 const std::vector<std::array<index_t, 2>>& scenes,
                                 const std::vector<std::array<index_t, 2>>& masks, index_t reach) {
  sample_choice c;
  const bool fresh = draw.uniform() < o.random_masks;
  const index_t given = draw.below(static_cast<index_t>(masks.size()));
  c.mask = fresh || masks.empty() ? -1 : given;
  c.pieces = draw.uniform() < o.mosaics ? 4 : 1;
  constexpr index_t any = std::numeric_limits<index_t>::max();
  const std::array<index_t, 2> mask = c.mask >= 0 ? masks[static_cast<std::size_t>(c.mask)] : std::array{any, any};
  std::array<std::array<index_t, 2>, 4> areas{};
  c.field_height = mask[0], c.field_width = mask[1];
  for (int k = 0; k < c.pieces; ++k) {
    sample_piece& p = c.parts[static_cast<std::size_t>(k)];
    auto& area = areas[static_cast<std::size_t>(k)];
    p.scene = draw.below(static_cast<index_t>(scenes.size()));
    area = scenes[static_cast<std::size_t>(p.scene)];
    const std::uint64_t symmetry = o.symmetries ? draw.next() >> 61 : 0;
    p.transposed = (symmetry & 1) && area[1] >= o.height && area[0] >= o.width;  // a long scene may only fit upright
    p.flip_rows = symmetry & 2;
    p.flip_columns = symmetry & 4;
    if (p.transposed) std::swap(area[0], area[1]);
    c.field_height = std::min(c.field_height, area[0]);
    c.field_width = std::min(c.field_width, area[1]);
  }
  if (c.mask >= 0 && o.move_mask) {
    c.mask_row = draw.below(mask[0] - c.field_height + 1);
    c.mask_column = draw.below(mask[1] - c.field_width + 1);
  }
  c.row = draw.below(c.field_height - o.height + 1);
  c.column = draw.below(c.field_width - o.width + 1);
  c.lit_begin = std::max<index_t>(0, c.column - reach);
  c.lit_end = std::min(c.field_width, c.column + o.width + reach);

  // The seam of a mosaic crosses the crop; beyond it each piece goes on as far as light can come from.
  const index_t seam_row = c.pieces == 4 ? 1 + draw.below(o.height - 1) : o.height;
  const index_t seam_column = c.pieces == 4 ? c.column - c.lit_begin + 1 + draw.below(o.width - 1) : c.lit_width();
  for (int k = 0; k < c.pieces; ++k) {
    sample_piece& p = c.parts[static_cast<std::size_t>(k)];
    const auto& area = areas[static_cast<std::size_t>(k)];
    const bool bottom = k >= 2, right = k % 2 == 1;
    p.top = bottom ? seam_row : 0;
    p.left = right ? seam_column : 0;
    p.height = (bottom ? o.height : seam_row) - p.top;
    p.width = (right ? c.lit_width() : seam_column) - p.left;
    p.row = draw.below(area[0] - p.height + 1);
    p.column = draw.below(area[1] - p.width + 1);
  }
  c.grey = draw.uniform() < o.grey_masks;
  c.open_share = o.open_share + o.open_spread * (2 * draw.uniform() - 1);
  c.noisy = draw.uniform() < o.noisy;
  c.mask_seed = draw.next();
  c.noise_seed = draw.next();
  c.cell = 1 + draw.below(o.cells);
  return c;
}

}  // namespace unmask::inline UNMASK_ABI::train

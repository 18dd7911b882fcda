#pragma once

/// The architecture of an S2-Transformer (arXiv 2209.12075): every number a file or a person may choose.
/// All members are integers or enumerations, so a configuration can also be a template argument.

#include <array>
#include <string>

#include "../core/result.hpp"
#include "../core/view.hpp"
#include "../nn/s2_block_parts.hpp"

namespace unmask::inline UNMASK_ABI {

inline constexpr int max_stages = 8;

struct s2_config {
  int bands = 28;
  int channels = 60;  ///< E
  int stages = 4;
  std::array<int, max_stages> depths{6, 6, 6, 6};  ///< blocks of each stage
  std::array<int, max_stages> heads{6, 6, 6, 6};   ///< spatial heads of each stage; each divides `channels`
  int spectral_head_width = 10;                    ///< divides `channels`
  int window = 8;                                  ///< M, side of an attention window
  int pad_multiple = 8;                            ///< images are padded to multiples of it; a multiple of `window`
  bool shifted = true;                             ///< odd blocks shift their windows by M/2
  int hidden = 240;                                ///< channels inside the feed-forward part
  arrangement layout = arrangement::parallel_concat;
  mask_effect spatial_effect = mask_effect::qk;
  mask_effect spectral_effect = mask_effect::none;
  spectral_scope scope = spectral_scope::image;
  mask_embedding_kind embedding = mask_embedding_kind::released;

  constexpr bool operator==(const s2_config&) const = default;

  constexpr index_t padded(index_t n) const { return (n + pad_multiple - 1) / pad_multiple * pad_multiple; }
};

/// The small network of the demo, the tests and the small-cube trainings: E 30, depths 2,2, 3 heads.
constexpr s2_config small_config(int bands = 28) {
  return {.bands = bands, .channels = 30, .stages = 2, .depths = {2, 2}, .heads = {3, 3}, .hidden = 120};
}

/// Whether a configuration can be built; the message names the first contradiction.
inline result<> check(const s2_config& c) {
  const auto bad = [](const std::string& what) { return error(errc::bad_argument, "s2_config: " + what); };
  const auto str = [](int n) { return std::to_string(n); };
  if (c.bands < 1 || c.bands > 4096) return bad("bands is " + str(c.bands) + ", expected 1..4096");
  if (c.channels < 1 || c.channels > 4096) return bad("channels is " + str(c.channels) + ", expected 1..4096");
  if (c.stages < 1 || c.stages > max_stages) return bad("stages is " + str(c.stages) + ", expected 1..8");
  if (c.window < 1 || c.window > 64) return bad("window is " + str(c.window) + ", expected 1..64");
  if (c.pad_multiple < c.window || c.pad_multiple > 1024 || c.pad_multiple % c.window != 0)
    return bad("pad_multiple is " + str(c.pad_multiple) + ", expected a multiple of window " + str(c.window));
  if (c.hidden < 1 || c.hidden > 65536) return bad("hidden is " + str(c.hidden) + ", expected 1..65536");
  if (c.spectral_head_width < 1 || c.channels % c.spectral_head_width != 0)
    return bad("spectral_head_width is " + str(c.spectral_head_width) + ", expected a divisor of channels " +
               str(c.channels));
  for (std::size_t i = 0; i < static_cast<std::size_t>(c.stages); ++i) {
    if (c.depths[i] < 1 || c.depths[i] > 64) return bad("a depth is " + str(c.depths[i]) + ", expected 1..64");
    if (c.heads[i] < 1 || c.channels % c.heads[i] != 0)
      return bad("heads is " + str(c.heads[i]) + ", expected a divisor of channels " + str(c.channels));
  }
  return {};
}

}  // namespace unmask::inline UNMASK_ABI

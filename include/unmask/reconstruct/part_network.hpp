#pragma once

/// The S2-Transformer that is a part of a network of this folder: one stage, attention in windows, images of any size.
/// `Config` has the members channels, blocks, heads, hidden and window.

#include "../models/s2_config.hpp"

namespace unmask::inline UNMASK_ABI::detail {

/// `inputs` 0: `bands`.
template <class Config>
constexpr s2_config part_network(const Config& c, int bands, int inputs = 0) {
  return {.bands = bands,
          .inputs = inputs,
          .channels = c.channels,
          .stages = 1,
          .depths = {c.blocks},
          .heads = {c.heads},
          .spectral_head_width = c.channels / c.heads,
          .window = c.window,
          .pad_multiple = c.window,
          .hidden = c.hidden,
          .scope = spectral_scope::window,
          .embedding = mask_embedding_kind::tile_safe};
}

template <class Visitor, class Config>
void visit_part_fields(Visitor& v, Config& c) {
  v("channels", c.channels, field_range{1, 4096});
  v("blocks", c.blocks, field_range{1, 64});
  v("heads", c.heads, field_range{1, 4096});
  v("hidden", c.hidden, field_range{1, 65536});
  v("window", c.window, field_range{1, 64});
}

/// After `check_fields`; `name`: what messages call the configuration.
template <class Config>
result<> check_part(const Config& c, const char* name) {
  if (c.channels % c.heads != 0)
    return error(errc::bad_argument, std::string(name) + ": heads is " + std::to_string(c.heads) +
                                         ", expected a divisor of channels " + std::to_string(c.channels));
  return check(c.network());
}

}  // namespace unmask::inline UNMASK_ABI::detail

#pragma once

#include <unmask/clouds/network_view.hpp>
#include <unmask/models/s2_config.hpp>

namespace unmask_test {

/// The smallest network for clouds.
inline const unmask::s2_config tiny_clouds_network{.bands = 1,
                                                   .inputs = static_cast<int>(unmask::clouds::network_channels),
                                                   .channels = 8,
                                                   .stages = 1,
                                                   .depths = {1},
                                                   .heads = {2},
                                                   .spectral_head_width = 4,
                                                   .hidden = 16,
                                                   .scope = unmask::spectral_scope::window,
                                                   .embedding = unmask::mask_embedding_kind::tile_safe};

}  // namespace unmask_test

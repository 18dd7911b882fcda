#pragma once

/// The architecture of an S2-Transformer (arXiv 2209.12075): every number a file or a person may choose.
/// All members are integers or enumerations, so a configuration can also be a template argument.

#include <array>
#include <concepts>
#include <string>
#include <type_traits>

#include "../core/result.hpp"
#include "../core/view.hpp"
#include "../nn/s2_block_parts.hpp"
#include "concept.hpp"
#include "fields.hpp"

namespace unmask::inline UNMASK_ABI {

inline constexpr int max_stages = max_pins;  ///< each stage has one auxiliary prediction

struct s2_config {
  int bands = 28;     ///< of the result
  int inputs = 0;     ///< channels of the input, of which the first `bands` are what the result starts from; 0: `bands`
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

  constexpr index_t input_channels() const { return inputs > 0 ? inputs : bands; }
  constexpr index_t padded(index_t n) const { return (n + pad_multiple - 1) / pad_multiple * pad_multiple; }
};

inline constexpr named_value<arrangement> arrangement_names[] = {{"parallel_concat", arrangement::parallel_concat},
                                                                 {"parallel_sum", arrangement::parallel_sum},
                                                                 {"spatial_spectral", arrangement::spatial_spectral},
                                                                 {"spectral_spatial", arrangement::spectral_spatial},
                                                                 {"spatial", arrangement::spatial},
                                                                 {"spectral", arrangement::spectral},
                                                                 {"spatial_spatial", arrangement::spatial_spatial},
                                                                 {"spectral_spectral", arrangement::spectral_spectral}};
inline constexpr named_value<mask_effect> mask_effect_names[] = {
    {"none", mask_effect::none}, {"q", mask_effect::q}, {"k", mask_effect::k},
    {"qk", mask_effect::qk},     {"v", mask_effect::v}, {"qkv", mask_effect::qkv}};
inline constexpr named_value<spectral_scope> spectral_scope_names[] = {{"image", spectral_scope::image},
                                                                       {"window", spectral_scope::window}};
inline constexpr named_value<mask_embedding_kind> mask_embedding_names[] = {
    {"released", mask_embedding_kind::released}, {"tile_safe", mask_embedding_kind::tile_safe}};

/// Every field of the configuration: see models/fields.hpp.
template <class Visitor, class Config>
requires std::same_as<std::remove_const_t<Config>, s2_config>
void visit_fields(Visitor& v, Config& c) {
  const auto of_stages = [&](auto& values, const char* element) {
    return field_list{values.data(), &c.stages, max_stages, "stages", element};
  };
  v("bands", c.bands, field_range{1, 4096});
  v("channels", c.channels, field_range{1, 4096});
  v("depths", of_stages(c.depths, "a depth"), field_range{1, 64});
  v("heads", of_stages(c.heads, "heads"), field_range{1, 4096});
  v("spectral_head_width", c.spectral_head_width, field_range{1, 4096});
  v("window", c.window, field_range{1, 64});
  v("pad_multiple", c.pad_multiple, field_range{1, 1024});
  v("shifted", c.shifted);
  v("hidden", c.hidden, field_range{1, 65536});
  v("layout", c.layout, arrangement_names);
  v("spatial_effect", c.spatial_effect, mask_effect_names);
  v("spectral_effect", c.spectral_effect, mask_effect_names);
  v("scope", c.scope, spectral_scope_names);
  v("embedding", c.embedding, mask_embedding_names);
  v("inputs", c.inputs, field_range{.first = 0, .last = 4096, .younger = true});
}

/// The small network of the demo, the tests and the small-cube trainings: E 30, depths 2,2, 3 heads.
constexpr s2_config small_config(int bands = 28) {
  return {.bands = bands, .channels = 30, .stages = 2, .depths = {2, 2}, .heads = {3, 3}, .hidden = 120};
}

/// Whether a configuration can be built; the message names the first contradiction.
[[gnu::cold]] inline result<> check(const s2_config& c) {
  if (auto ok = check_fields(c, "s2_config"); !ok) return ok;
  const auto bad = [](const char* name, int found, const std::string& expected) {
    return error(errc::bad_argument,
                 "s2_config: " + std::string(name) + " is " + std::to_string(found) + ", expected " + expected);
  };
  const auto divisor = [&] { return "a divisor of channels " + std::to_string(c.channels); };  // fine takes no heap
  if (c.inputs != 0 && c.inputs < c.bands)
    return bad("inputs", c.inputs, "0 or at least bands " + std::to_string(c.bands));
  if (c.pad_multiple % c.window != 0)
    return bad("pad_multiple", c.pad_multiple, "a multiple of window " + std::to_string(c.window));
  if (c.channels % c.spectral_head_width != 0) return bad("spectral_head_width", c.spectral_head_width, divisor());
  for (std::size_t i = 0; i < static_cast<std::size_t>(c.stages); ++i)
    if (c.channels % c.heads[i] != 0) return bad("heads", c.heads[i], divisor());
  return {};
}

}  // namespace unmask::inline UNMASK_ABI

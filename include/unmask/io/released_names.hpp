#pragma once

/// Names of the network its authors released (arXiv 2209.12075) <-> names of `s2_network::manifest`.
///
///   stages.0.blocks.1.spatial.qkv.weight  <->  layers.0.residual_group.blocks.1.win_wrap_spatial.attn.qkv.weight
///
/// Values lie in a file in the same order under both names; shapes differ in dimensions of size 1 only
/// (`rescale` [NH, 1, 1] and [NH], `RSTB_pin.weight` [C, E, 1, 1] and [C, E]).

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "../models/s2_config.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {

struct renamed {
  std::string_view ours, released;
};

/// Outside the stages.
inline constexpr std::array<renamed, 6> network_names{{{"conv_first.", "conv_first."},
                                                       {"input_norm.", "patch_embed.norm."},
                                                       {"pin.", "RSTB_pin."},
                                                       {"norm.", "norm."},
                                                       {"conv_after_body.", "conv_after_body."},
                                                       {"conv_last.", "conv_last."}}};

/// Inside a block; what follows the prefix keeps its name except for `leaf_names`.
inline constexpr std::array<renamed, 9> block_names{{{"norm1.", "norm1."},
                                                     {"norm2.", "norm2."},
                                                     {"norm3.", "norm3."},
                                                     {"reduce.", "chl_reduce."},
                                                     {"ffn.", "mlp."},
                                                     {"spatial_embedding.conv1.", "ms_conv1."},
                                                     {"spatial_embedding.conv3.", "ms_conv2."},
                                                     {"spectral_embedding.conv1.", "ms_conv3."},
                                                     {"spectral_embedding.conv3.", "ms_conv4."}}};

inline constexpr std::array<renamed, 2> spatial_names{
    {{"spatial.", "win_wrap_spatial.attn."}, {"spatial2.", "win_wrap_spatial2.attn."}}};
inline constexpr std::array<renamed, 2> spectral_image_names{{{"spectral.", "chl_msa."}, {"spectral2.", "chl_msa2."}}};
inline constexpr std::array<renamed, 2> spectral_window_names{
    {{"spectral.", "chl_msa.attn."}, {"spectral2.", "chl_msa2.attn."}}};

inline constexpr std::array<renamed, 3> leaf_names{{{"position_bias", "relative_position_bias_table"},
                                                    {"position.0.weight", "pos_emb.0.weight"},
                                                    {"position.2.weight", "pos_emb.2.weight"}}};

enum class to { released, ours };

constexpr std::string_view from_name(const renamed& r, to t) { return t == to::released ? r.ours : r.released; }
constexpr std::string_view to_name(const renamed& r, to t) { return t == to::released ? r.released : r.ours; }

template <std::size_t N>
std::optional<std::string> rename_prefix(std::string_view name, const std::array<renamed, N>& table, to t) {
  for (const renamed& r : table) {
    const std::string_view from = from_name(r, t);
    if (!name.starts_with(from)) continue;
    const std::string_view leaf = name.substr(from.size());
    // Only known leaves: "conv_after_body.0.weight" (a variant we do not have) must not pass for a dead weight.
    for (std::string_view known : {"weight", "bias", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"})
      if (leaf == known) return std::string(to_name(r, t)).append(leaf);
  }
  return std::nullopt;
}

template <std::size_t N>
std::optional<std::string> rename_attention(std::string_view name, const std::array<renamed, N>& table, to t) {
  for (const renamed& r : table) {
    const std::string_view from = from_name(r, t);
    if (!name.starts_with(from)) continue;
    std::string_view leaf = name.substr(from.size());
    for (const renamed& l : leaf_names)
      if (leaf == from_name(l, t)) return std::string(to_name(r, t)).append(to_name(l, t));
    // Only known leaves: "chl_msa.attn.proj.bias" must not pass as leaf "attn.proj.bias" of "chl_msa.".
    for (std::string_view known :
         {"qkv.weight", "qkv.bias", "to_q.weight", "to_k.weight", "to_v.weight", "rescale", "proj.weight", "proj.bias"})
      if (leaf == known) return std::string(to_name(r, t)).append(leaf);
  }
  return std::nullopt;
}

/// Cuts `head` and the decimal number that follows it off `name`; the number's digits, or nothing.
inline std::optional<std::string> cut_index(std::string_view& name, std::string_view head) {
  if (!name.starts_with(head)) return std::nullopt;
  std::size_t end = head.size();
  while (end < name.size() && name[end] >= '0' && name[end] <= '9') ++end;
  if (end == head.size() || end >= name.size() || name[end] != '.') return std::nullopt;
  std::string digits(name.substr(head.size(), end - head.size()));
  name.remove_prefix(end + 1);
  return digits;
}

inline std::optional<std::string> rename(std::string_view name, const s2_config& c, to t) {
  const renamed stage{"stages.", "layers."}, block{"blocks.", "residual_group.blocks."};
  std::string_view rest = name;
  const auto i = cut_index(rest, from_name(stage, t));
  if (!i) return rename_prefix(name, network_names, t);
  const std::string head = std::string(to_name(stage, t)) + *i + ".";
  const auto j = cut_index(rest, from_name(block, t));
  if (!j) return rest == "conv.weight" || rest == "conv.bias" ? std::optional(head + std::string(rest)) : std::nullopt;
  auto found = rename_attention(rest, spatial_names, t);
  if (!found)
    found = rename_attention(rest, c.scope == spectral_scope::window ? spectral_window_names : spectral_image_names, t);
  if (!found) found = rename_prefix(rest, block_names, t);
  if (!found) return std::nullopt;
  return head + std::string(to_name(block, t)) + *j + "." + *found;
}

}  // namespace detail

/// The released network's name of one of our parameters; only `config.scope` matters (with spectral attention in
/// windows the released names have one more level). Empty for a name that is not ours.
inline std::string released_name(const std::string& our_name, const s2_config& config) {
  return detail::rename(our_name, config, detail::to::released).value_or(std::string());
}

/// Our name of a released parameter, whether this configuration has it or not; empty for a name we do not know.
inline std::string our_name(const std::string& released, const s2_config& config) {
  return detail::rename(released, config, detail::to::ours).value_or(std::string());
}

/// State-dict entries that are no parameters: index tables and shift masks, which we compute.
inline bool is_released_buffer(std::string_view name) {
  return name.ends_with(".relative_position_index") || name.ends_with(".attn_mask");
}

}  // namespace unmask::inline UNMASK_ABI::io

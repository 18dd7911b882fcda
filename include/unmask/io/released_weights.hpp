#pragma once

/// Imports the weights of the network its authors released (names: released_names.hpp). The architecture is read off
/// the shapes; only what leaves no trace in a state dict has to be said.

#include <cmath>
#include <set>
#include <span>

#include "../core/finite.hpp"
#include "../models/s2_network.hpp"
#include "released_names.hpp"
#include "safetensors.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// What the shapes of the released tensors do not tell (defaults: the released network).
struct released_options {
  arrangement layout = arrangement::parallel_concat;
  mask_effect spatial_effect = mask_effect::qk;
  mask_effect spectral_effect = mask_effect::none;
  int pad_multiple = 0;  ///< the window it was configured with, where it was built for a smaller image; 0: its window
  bool shifted = true;   ///< false where it was built for an image of one row or column of windows
};

struct released_import {
  s2_config config;
  std::vector<float> parameters;     ///< flat block of `s2_network::manifest(config)`
  std::vector<std::string> skipped;  ///< entries of the file that the arrangement does not use: show them
};

namespace detail {

inline std::vector<index_t> without_ones(std::vector<index_t> shape) {
  std::erase(shape, 1);
  return shape;
}

class released_file {
 public:
  explicit released_file(std::span<const tensor_entry> tensors) {
    for (const tensor_entry& t : tensors) tensors_.emplace(t.name, &t);
  }

  const tensor_entry* find(const std::string& name) const {
    const auto at = tensors_.find(name);
    return at == tensors_.end() ? nullptr : at->second;
  }
  /// Numbers 0, 1, ... of consecutive names `prefix<n>.`; stops at the first one that is missing.
  int count(const std::string& prefix) const {
    for (int n = 0;; ++n) {
      const std::string name = prefix + std::to_string(n) + ".";
      const auto at = tensors_.lower_bound(name);
      if (n > 4096 || at == tensors_.end() || !at->first.starts_with(name)) return n;
    }
  }
  /// One extent of a tensor that must be there with the rank that the name says.
  result<int> extent(const std::string& name, std::size_t rank, std::size_t axis) const {
    const tensor_entry* t = find(name);
    if (!t) return error(errc::not_found, "released weights: '" + name + "' is missing");
    if (t->shape.size() != rank || t->shape[axis] < 1 || t->shape[axis] > 1'000'000)
      return error(errc::wrong_shape, "released weights: '" + name + "' is [" + shape_text(t->shape) + "], expected " +
                                          std::to_string(rank) + " dimensions");
    return static_cast<int>(t->shape[axis]);
  }
  auto begin() const { return tensors_.begin(); }
  auto end() const { return tensors_.end(); }

 private:
  std::map<std::string, const tensor_entry*> tensors_;
};

/// Takes extents and keeps the first error.
struct extent_reader {
  const released_file& file;
  std::optional<error> first = std::nullopt;

  int operator()(const std::string& name, std::size_t rank, std::size_t axis) {
    auto n = file.extent(name, rank, axis);
    if (n) return *n;
    if (!first) first = n.error();
    return 1;
  }
};

}  // namespace detail

/// The configuration of released tensors. All layouts carry all sub-modules, so each of these shapes is always there.
inline result<s2_config> infer_released_config(std::span<const tensor_entry> tensors, const released_options& o = {}) {
  const auto bad = [](const std::string& what) { return error(errc::wrong_shape, "released weights: " + what); };
  const detail::released_file file(tensors);
  detail::extent_reader extent{file};
  s2_config c;
  c.depths = c.heads = {};
  c.layout = o.layout;
  c.spatial_effect = o.spatial_effect;
  c.spectral_effect = o.spectral_effect;
  c.embedding = mask_embedding_kind::released;
  c.channels = extent("conv_first.weight", 4, 0);
  c.bands = extent("conv_first.weight", 4, 1);
  c.stages = file.count("layers.");
  if (c.stages > max_stages) return bad(std::to_string(c.stages) + " stages, expected 1..8");
  for (int i = 0; i < c.stages; ++i) {
    const std::string stage = "layers." + std::to_string(i) + ".residual_group.blocks.";
    c.depths[static_cast<std::size_t>(i)] = file.count(stage);
    c.heads[static_cast<std::size_t>(i)] = extent(stage + "0.win_wrap_spatial.attn.relative_position_bias_table", 2, 1);
  }
  const std::string block = "layers.0.residual_group.blocks.0.";
  const int rows = extent(block + "win_wrap_spatial.attn.relative_position_bias_table", 2, 0);
  c.hidden = extent(block + "mlp.fc1.weight", 2, 0);
  c.scope = file.find(block + "chl_msa.attn.rescale") ? spectral_scope::window : spectral_scope::image;
  const int spectral_heads =
      extent(block + (c.scope == spectral_scope::window ? "chl_msa.attn.rescale" : "chl_msa.rescale"), 3, 0);
  if (extent.first) return *extent.first;

  const int span = static_cast<int>(std::lround(std::sqrt(static_cast<double>(rows))));
  if (span * span != rows || span % 2 == 0)
    return bad("a position table of " + std::to_string(rows) + " rows, expected (2 window - 1)^2");
  c.window = (span + 1) / 2;
  c.pad_multiple = o.pad_multiple == 0 ? c.window : o.pad_multiple;
  c.shifted = o.shifted && c.pad_multiple == c.window;  // a shrunk window is never shifted
  if (c.channels % spectral_heads != 0)
    return bad(std::to_string(spectral_heads) + " spectral heads do not divide " + std::to_string(c.channels) +
               " channels");
  c.spectral_head_width = c.channels / spectral_heads;
  if (c.bands == 3) return bad("a network of 3 bands subtracts an RGB mean, which this library does not");
  if (auto fine = check(c); !fine) return fine.error();
  return c;
}

/// Every parameter must be there with the right shape; entries that the arrangement leaves dead are skipped and listed;
/// entries that no released network of this kind has are refused.
inline result<released_import> import_released(std::span<const tensor_entry> tensors, const released_options& o = {}) {
  const auto config = infer_released_config(tensors, o);
  if (!config) return config.error();
  const manifest m = make_manifest(*config);
  const detail::released_file file(tensors);
  released_import import{*config, std::vector<float>(static_cast<std::size_t>(m.size)), {}};

  std::set<std::string> used;
  for (const parameter& p : m.entries) {
    const std::string name = released_name(p.name, *config);
    const tensor_entry* t = file.find(name);
    if (!t) return error(errc::not_found, "released weights: '" + name + "' is missing (our '" + p.name + "')");
    if (detail::without_ones(t->shape) != detail::without_ones(p.shape))
      return error(errc::wrong_shape, "released weights: '" + name + "' is [" + detail::shape_text(t->shape) +
                                          "], expected [" + detail::shape_text(p.shape) + "]");
    const auto values = to_floats(*t);
    if (!values) return values.error();
    for (const float x : *values)
      if (!is_finite(x)) return error(errc::wrong_value, "released weights: '" + name + "' has NaN or infinity");
    import_parameter(p, import.parameters.data(), values->data());
    used.insert(name);
  }
  for (const auto& [name, t] : file) {
    if (used.contains(name)) continue;
    if (!is_released_buffer(name) && our_name(name, *config).empty())
      return error(errc::bad_argument,
                   "released weights: '" + detail::printable(name) + "' is no part of this network");
    import.skipped.push_back(name);
  }
  return import;
}

}  // namespace unmask::inline UNMASK_ABI::io

#pragma once

/// The network's parameters: one list that names, counts and binds them.

#include <vector>

#include "s2_config.hpp"

namespace unmask::inline UNMASK_ABI {

/// Block `j` of stage `i` on an image of padded size height x width.
inline s2_block make_block(const s2_config& c, int stage, int block, index_t height, index_t width) {
  const index_t shift = c.shifted && block % 2 == 1 ? c.window / 2 : 0;
  return {.layout = c.layout,
          .spatial = {c.channels, c.heads[static_cast<std::size_t>(stage)], c.window, c.spatial_effect},
          .spectral = {c.channels, c.spectral_head_width, c.window, c.scope, c.spectral_effect},
          .feed = {c.channels, c.hidden},
          .embedding = c.embedding,
          .grid = {height, width, c.window, shift}};
}

template <class T>
struct stage_params {
  std::vector<block_params<T>> blocks;
  conv_params<T> conv;
};

template <class T>
struct s2_params {
  conv_params<T> conv_first;
  norm_params<T> input_norm;
  std::vector<stage_params<T>> stages;
  T* pin;
  norm_params<T> norm;
  conv_params<T> conv_after_body, conv_last;

  s2_params() = default;
  explicit s2_params(const s2_config& c) : stages(static_cast<std::size_t>(c.stages)) {
    for (std::size_t i = 0; i < stages.size(); ++i) stages[i].blocks.resize(static_cast<std::size_t>(c.depths[i]));
  }
};

template <class Visitor, class T>
void visit_conv(Visitor& v, const char* name, conv_params<T>& p, index_t in_channels, index_t out_channels) {
  v.enter(name);
  v(p.weight, "weight", {out_channels, in_channels, 3, 3}, memory_order::reversed, initial::uniform, 9 * in_channels);
  v(p.bias, "bias", {out_channels}, memory_order::plain, initial::uniform, 9 * in_channels);
  v.leave();
}

/// Stands for `s2_params` where a visitor wants names and shapes only: one block serves for all, and nothing takes
/// heap.
template <class T>
struct s2_names {
  template <class One>
  struct all_alike {
    One one{};
    One& operator[](std::size_t) { return one; }
  };
  struct stage {
    all_alike<block_params<T>> blocks;
    conv_params<T> conv{};
  };
  conv_params<T> conv_first{};
  norm_params<T> input_norm{};
  all_alike<stage> stages;
  T* pin = nullptr;
  norm_params<T> norm{};
  conv_params<T> conv_after_body{}, conv_last{};
};

/// `Params` is s2_params or s2_names.
template <class Visitor, class Params>
void visit_network(Visitor& v, const s2_config& c, Params& p) {
  visit_conv(v, "conv_first.", p.conv_first, c.input_channels(), c.channels);
  visit_norm(v, "input_norm.", p.input_norm, c.channels);
  for (int i = 0; i < c.stages; ++i) {
    auto& stage = p.stages[static_cast<std::size_t>(i)];
    v.enter("stages.", i);
    for (int j = 0; j < c.depths[static_cast<std::size_t>(i)]; ++j) {
      v.enter("blocks.", j);
      visit_block(v, make_block(c, i, j, c.window, c.window), stage.blocks[static_cast<std::size_t>(j)]);
      v.leave();
    }
    visit_conv(v, "conv.", stage.conv, c.channels, c.channels);
    v.leave();
  }
  v.enter("pin.");
  v(p.pin, "weight", {c.bands, c.channels}, memory_order::reversed, initial::uniform, c.channels);
  v.leave();
  visit_norm(v, "norm.", p.norm, c.channels);
  visit_conv(v, "conv_after_body.", p.conv_after_body, c.channels, c.channels);
  visit_conv(v, "conv_last.", p.conv_last, c.channels, c.bands);
}

/// Names, shapes and places of all parameters of a configuration.
[[gnu::cold]] inline manifest make_manifest(const s2_config& c) {
  s2_params<float> p(c);
  manifest_builder v;
  visit_network(v, c, p);
  return v.take();
}

/// Where in the flat block the parameters of each stage begin (and behind the last one `pin`), and those behind all
/// stages: `norm` and the last convolutions.
struct parameter_ends {
  std::vector<index_t> stages;
  index_t tail = 0, all = 0;

  [[gnu::cold]] explicit parameter_ends(const s2_config& c) {
    const manifest m = make_manifest(c);
    all = m.size;
    for (const parameter& p : m.entries) {
      const std::string stage = "stages." + std::to_string(stages.size()) + ".";
      if (p.name.starts_with(stage) || p.name.starts_with("pin.")) stages.push_back(p.offset);
      if (p.name == "norm.weight") tail = p.offset;
    }
  }
};

/// Multiply-adds of one run, about: every weight meets every pixel once, and attention.
[[gnu::cold]] inline double s2_work(const s2_config& c, const network_sizes& s) {
  const double pixels = static_cast<double>(s.batch * c.padded(s.height) * c.padded(s.width));
  double blocks = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(c.stages); ++i) blocks += c.depths[i];
  const double tokens = static_cast<double>(c.window) * c.window + c.spectral_head_width;  // scores, then values
  return pixels * (static_cast<double>(make_manifest(c).size) + blocks * 4 * tokens * c.channels);
}

}  // namespace unmask::inline UNMASK_ABI

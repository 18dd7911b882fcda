#pragma once

/// The shape and the parameters of spectral attention, and how its operations see the tokens of a part.

#include "spatial_msa_parts.hpp"
#include "token_part.hpp"

namespace unmask::inline UNMASK_ABI {

template <class T>
struct spectral_params {
  norm_params<T> norm;
  T *to_q, *to_k, *to_v, *rescale, *proj_weight, *proj_bias, *position0, *position2;
};

struct spectral_msa {
  index_t channels;  ///< C
  index_t width;     ///< D, channels of a head
  index_t side;      ///< M, for windows
  spectral_scope scope;
  mask_effect effect;

  template <class T>
  using params = spectral_params<T>;
  index_t heads() const { return channels / width; }
};

template <class Visitor, class T>
void visit_spectral(Visitor& v, const spectral_msa& l, const char* norm, const char* name, spectral_params<T>& p) {
  const index_t c = l.channels;
  visit_norm(v, norm, p.norm, c);
  v.enter(name);
  v(p.to_q, "to_q.weight", {c, c}, memory_order::reversed, initial::normal);
  v(p.to_k, "to_k.weight", {c, c}, memory_order::reversed, initial::normal);
  v(p.to_v, "to_v.weight", {c, c}, memory_order::reversed, initial::normal);
  v(p.rescale, "rescale", {l.heads()}, memory_order::plain, initial::one);
  v(p.proj_weight, "proj.weight", {c, c}, memory_order::reversed, initial::normal);
  v(p.proj_bias, "proj.bias", {c}, memory_order::plain, initial::zero);
  v(p.position0, "position.0.weight", {c, 1, 3, 3}, memory_order::reversed, initial::uniform, 9);
  v(p.position2, "position.2.weight", {c, 1, 3, 3}, memory_order::reversed, initial::uniform, 9);
  v.leave();
}
template <class Visitor, class T>
void visit_parameters(Visitor& v, const spectral_msa& l, spectral_params<T>& p) {
  visit_spectral(v, l, "", "", p);
}

/// The sizes of its operations: `rows` tokens of a part, from token `at` of it.
struct spectral_rows {
  const spectral_msa& l;
  const token_part& part;
  index_t rows;

  /// Chunks of a host's sums over tokens: a window is one.
  index_t limit() const { return part.gathered() ? 1 : max_chunks; }
  index_t chunks() const { return std::min(limit(), (part.tokens() + tile_tokens - 1) / tile_tokens); }
};

}  // namespace unmask::inline UNMASK_ABI

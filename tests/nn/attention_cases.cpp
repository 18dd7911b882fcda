#include <unmask/nn/cpu/all.hpp>
#include <unmask/nn/ffn.hpp>
#include <unmask/nn/spatial_msa.hpp>
#include <unmask/nn/spectral_msa.hpp>

#include "op_case.hpp"
#include "sizes.hpp"

namespace unmask_test {
namespace {

template <class T>
using bare = std::remove_cvref_t<T>;
template <class Arguments>
using value_of = std::remove_pointer_t<bare<decltype(std::declval<Arguments>().x[0])>>;

constexpr mask_effect effects[] = {mask_effect::none, mask_effect::q, mask_effect::k,
                                   mask_effect::qk,   mask_effect::v, mask_effect::qkv};

/// Stochastic depth: operand `keep` with the factors 0 and 1/(1 - p), where it is used.
operand keep_factors(index_t batch) { return input("keep", batch, gradient::none, 0.5, 1.5); }

void add_spatial(op_table& table, spatial_msa l, window_grid grid, index_t batch, bool keep) {
  const index_t size = batch * grid.height * grid.width * l.channels;
  const bool embeds = l.effect != mask_effect::none;
  manifest_builder list;
  spatial_params<float> unused;
  visit_spatial(list, l, "norm.", "spatial.", unused);
  const std::string name =
      sized("spatial_msa", batch, grid.height, grid.width, l.channels, l.heads, l.side, grid.shift);
  add(
      table, name + " effect " + std::to_string(static_cast<int>(l.effect)) + (keep ? " keep" : ""),
      {input("x", size, gradient::accumulated),
       input("e", size, embeds ? gradient::accumulated : gradient::none, 0.2, 1.8), weights(list.take()),
       keep_factors(batch), output("y", size)},
      1024,
      [=](const auto& be, arena& memory, const auto& g, direction way) {
        using T = value_of<decltype(g)>;
        spatial_scratch<T> scratch;
        scratch.carve(memory, be, l, true);
        if (memory.measuring()) return;
        const T *e = embeds ? g.x[1] : nullptr, *kept = keep ? g.x[3] : nullptr;
        spatial_params<const T> p;
        parameter_binder<const T> bind(g.x[2]);
        visit_spatial(bind, l, "", "", p);
        if (way == direction::forward)
          return spatial_forward<bare<decltype(be)>, T>(be, l, g.x[4], g.x[0], e, kept, p, batch, grid, scratch);
        spatial_params<T> dp;
        parameter_binder<T> bind_gradients(g.d[2]);
        visit_spatial(bind_gradients, l, "", "", dp);
        spatial_backward<bare<decltype(be)>, T>(be, l, g.d[0], embeds ? g.d[1] : nullptr, dp, g.d[4], g.x[0], e, kept,
                                                p, batch, grid, scratch);
      },
      norm_floor(l.channels));
}

void add_spectral(op_table& table, spectral_msa l, window_grid grid, index_t batch, bool keep) {
  const index_t size = batch * grid.height * grid.width * l.channels;
  const bool embeds = l.effect != mask_effect::none;
  manifest_builder list;
  spectral_params<float> unused;
  visit_spectral(list, l, "norm.", "spectral.", unused);
  const std::string name = sized(l.scope == spectral_scope::image ? "spectral_msa image" : "spectral_msa window", batch,
                                 grid.height, grid.width, l.channels, l.width, l.side, grid.shift);
  add(
      table, name + " effect " + std::to_string(static_cast<int>(l.effect)) + (keep ? " keep" : ""),
      {input("x", size, gradient::accumulated),
       input("e", size, embeds ? gradient::accumulated : gradient::none, 0.2, 1.8), weights(list.take()),
       keep_factors(batch), output("y", size)},
      1024,
      [=](const auto& be, arena& memory, const auto& g, direction way) {
        using T = value_of<decltype(g)>;
        spectral_scratch<T> scratch;
        scratch.carve(memory, be, l, grid.height, grid.width, true);
        if (memory.measuring()) return;
        const T *e = embeds ? g.x[1] : nullptr, *kept = keep ? g.x[3] : nullptr;
        spectral_params<const T> p;
        parameter_binder<const T> bind(g.x[2]);
        visit_spectral(bind, l, "", "", p);
        if (way == direction::forward)
          return spectral_forward<bare<decltype(be)>, T>(be, l, g.x[4], g.x[0], e, kept, p, batch, grid, scratch);
        spectral_params<T> dp;
        parameter_binder<T> bind_gradients(g.d[2]);
        visit_spectral(bind_gradients, l, "", "", dp);
        spectral_backward<bare<decltype(be)>, T>(be, l, g.d[0], embeds ? g.d[1] : nullptr, dp, g.d[4], g.x[0], e, kept,
                                                 p, batch, grid, scratch);
      },
      norm_floor(l.channels));
}

void add_ffn(op_table& table, ffn l, index_t batch, index_t pixels, bool keep, bool in_place) {
  const index_t size = batch * pixels * l.channels;
  manifest_builder list;
  ffn_params<float> unused;
  visit_ffn(list, l, "norm.", "ffn.", unused);
  add(
      table, sized("ffn", batch, pixels, l.channels, l.hidden) + (keep ? " keep" : "") + (in_place ? " in place" : ""),
      {input("x", size), weights(list.take()), keep_factors(batch), output("y", size)}, 512,
      [=](const auto& be, arena& memory, const auto& g, direction way) {
        using T = value_of<decltype(g)>;
        using B = bare<decltype(be)>;
        ffn_scratch<T> scratch;
        scratch.carve(memory, be, l, true);
        if (memory.measuring()) return;
        const T* kept = keep ? g.x[2] : nullptr;
        ffn_params<const T> p;
        parameter_binder<const T> bind(g.x[1]);
        visit_ffn(bind, l, "", "", p);
        if (way == direction::forward) {
          if (in_place) std::copy_n(g.x[0], size, g.x[3]);
          return ffn_forward<B, T>(be, l, g.x[3], in_place ? g.x[3] : g.x[0], kept, p, batch, pixels, scratch);
        }
        ffn_params<T> dp;
        parameter_binder<T> bind_gradients(g.d[1]);
        visit_ffn(bind_gradients, l, "", "", dp);
        std::copy_n(g.d[3], size, g.d[0]);
        ffn_backward<B, T>(be, l, g.d[0], dp, g.x[0], kept, p, batch, pixels, scratch);
      },
      norm_floor(l.channels));
}

}  // namespace

op_table attention_cases() {
  op_table table;
  for (const mask_effect effect : effects) {
    for (const index_t shift : {0, 1}) {
      add_spatial(table, {6, 2, 3, effect}, {6, 9, 3, shift}, 2, shift == 1);
      add_spectral(table, {6, 3, 3, spectral_scope::window, effect}, {6, 9, 3, shift}, 2, shift == 1);
    }
    add_spectral(table, {6, 2, 4, spectral_scope::image, effect}, {4, 8, 4, 0}, 2, effect == mask_effect::qkv);
  }
  for (const index_t c : hostile_sizes()) {
    const index_t heads = c % 3 == 0 ? 3 : c % 2 == 0 ? 2 : 1;
    add_spatial(table, {c, heads, 2, mask_effect::qk}, {4, 2, 2, 1}, 1, false);
    add_spectral(table, {c, c / heads, 2, spectral_scope::window, mask_effect::qk}, {4, 2, 2, 1}, 1, false);
    add_spectral(table, {c, c / heads, 2, spectral_scope::image, mask_effect::none}, {2, 4, 2, 0}, 1, false);
    add_ffn(table, {c, 5}, 2, 3, false, c % 2 == 1);
    add_ffn(table, {3, c}, 1, 70, true, c % 2 == 0);
  }
  add_spatial(table, {4, 1, 1, mask_effect::qk}, {2, 3, 1, 0}, 1, false);   // one token a window
  add_spatial(table, {4, 4, 4, mask_effect::qkv}, {4, 4, 4, 2}, 1, true);   // one window, all edges meet
  add_spatial(table, {4, 2, 2, mask_effect::qk}, {12, 8, 2, 1}, 1, false);  // more windows than chunks
  add_spatial(table, {6, 3, 8, mask_effect::qk}, {8, 16, 8, 4}, 1, false);  // the real window
  add_spectral(table, {4, 2, 2, spectral_scope::window, mask_effect::qk}, {12, 8, 2, 1}, 1, false);
  add_spectral(table, {4, 2, 1, spectral_scope::window, mask_effect::none}, {1, 3, 1, 0}, 1, false);
  add_spectral(table, {4, 2, 4, spectral_scope::image, mask_effect::qk}, {36, 32, 4, 0}, 1,
               true);  // more tiles than chunks
  add_ffn(table, {2, 3}, 2, 64 * 9, true, true);
  return table;
}

}  // namespace unmask_test

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
        using B = bare<decltype(be)>;
        const batch_grid sizes{batch, grid};
        spatial_scratch<T> scratch;
        scratch.carve(memory, be, l, sizes, true);
        if (memory.measuring()) return;
        const T *e = embeds ? g.x[1] : nullptr, *kept = keep ? g.x[3] : nullptr;
        const auto p = bind_parameters<const T>(l, static_cast<const T*>(g.x[2]));
        if (way == direction::forward)
          return spatial_forward<B, T>(be, l, {g.x[4], g.x[0], e, kept}, p, sizes, scratch);
        const auto dp = bind_parameters<T>(l, g.d[2]);
        spatial_backward<B, T>(be, l, {g.d[0], embeds ? g.d[1] : nullptr, g.d[4], g.x[0], e, kept}, dp, p, sizes,
                               scratch);
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
        using B = bare<decltype(be)>;
        const batch_grid sizes{batch, grid};
        spectral_scratch<T> scratch;
        scratch.carve(memory, be, l, sizes, true);
        if (memory.measuring()) return;
        const T *e = embeds ? g.x[1] : nullptr, *kept = keep ? g.x[3] : nullptr;
        const auto p = bind_parameters<const T>(l, static_cast<const T*>(g.x[2]));
        if (way == direction::forward)
          return spectral_forward<B, T>(be, l, {g.x[4], g.x[0], e, kept}, p, sizes, scratch);
        const auto dp = bind_parameters<T>(l, g.d[2]);
        spectral_backward<B, T>(be, l, {g.d[0], embeds ? g.d[1] : nullptr, g.d[4], g.x[0], e, kept}, dp, p, sizes,
                                scratch);
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
  }
  add_spatial(table, {4, 1, 1, mask_effect::qk}, {2, 3, 1, 0}, 1, false);   // one token a window
  add_spatial(table, {4, 4, 4, mask_effect::qkv}, {4, 4, 4, 2}, 1, true);   // one window, all edges meet
  add_spatial(table, {4, 2, 2, mask_effect::qk}, {12, 8, 2, 1}, 1, false);  // more windows than chunks
  add_spatial(table, {6, 3, 8, mask_effect::qk}, {8, 16, 8, 4}, 1, false);  // the real window
  add_spectral(table, {4, 2, 2, spectral_scope::window, mask_effect::qk}, {12, 8, 2, 1}, 1, false);
  add_spectral(table, {4, 2, 1, spectral_scope::window, mask_effect::none}, {1, 3, 1, 0}, 1, false);
  add_spectral(table, {4, 2, 4, spectral_scope::image, mask_effect::qk}, {36, 32, 4, 0}, 1,
               true);  // more tiles than chunks
  return table;
}

}  // namespace unmask_test

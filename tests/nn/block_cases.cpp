#include <unmask/nn/s2_block.hpp>

#include "op_case.hpp"

namespace unmask_test {
namespace {

template <class T>
using bare = std::remove_cvref_t<T>;
template <class Arguments>
using value_of = std::remove_pointer_t<bare<decltype(std::declval<Arguments>().x[0])>>;

/// Branches' factors of stochastic depth: none, all 1/(1 - p), or the given branch of the first image dropped.
enum class depth { off, kept, first, second, feed };

void add_block(op_table& table, const s2_block& l, index_t batch, depth drop) {
  const index_t pixels = batch * l.grid.height * l.grid.width, size = pixels * l.channels();
  const bool embeds = l.embeds_spatial() || l.embeds_spectral();
  manifest_builder list;
  block_params<float> unused;
  visit_block(list, l, unused);
  const char* names[] = {"parallel_concat", "parallel_sum", "spatial_spectral", "spectral_spatial",
                         "spatial",         "spectral",     "spatial_spatial",  "spectral_spectral"};
  const char* kinds[] = {"", " kept", " without branch 1", " without branch 2", " without ffn"};
  std::string name = sized(std::string("s2_block ") + names[static_cast<int>(l.layout)], batch, l.grid.height,
                           l.grid.width, l.channels()) +
                     kinds[static_cast<int>(drop)];
  name += l.embedding == mask_embedding_kind::released ? " released" : " tile_safe";
  name += l.spectral.scope == spectral_scope::image ? " image" : " window";
  add(table, name,
      {input("x", size), input("mask", pixels, embeds ? gradient::accumulated : gradient::none, 0, 1),
       weights(list.take()), output("y", size)},
      4096, [=](const auto& be, arena& memory, const auto& g, direction way) {
        using T = value_of<decltype(g)>;
        using B = bare<decltype(be)>;
        using block = kernel<op::s2_block, B>;
        typename block::template prepared<T> made;
        typename block::template scratch<T> scratch;
        block_images<T> images;
        for (T** p : {&images.a, &images.b}) *p = memory.take<T>(size);
        T* factors = memory.take<T>(3 * batch);
        made.carve(memory, l, batch, true);
        scratch.carve(memory, be, l, batch, true);
        if (memory.measuring()) return;
        const T* keep = drop == depth::off ? nullptr : factors;
        for (index_t i = 0; i < 3 * batch; ++i) factors[i] = T(1.25);
        if (drop >= depth::first) factors[(static_cast<int>(drop) - static_cast<int>(depth::first)) * batch] = 0;
        const auto p = bind_parameters<const T>(l, static_cast<const T*>(g.x[2]));
        const block_batch<T> in{g.x[1], keep, batch};
        images.x = g.x[0], images.y = g.x[3];
        if (way == direction::forward) {
          block::prepare(be, made, l, in, p, scratch);
          return block::forward(be, l, images, in, p, made, scratch);
        }
        auto dp = bind_parameters<T>(l, g.d[2]);
        std::copy_n(g.d[3], size, g.d[0]);
        block::backward(be, l, block_gradients<T>{g.d[0], g.d[1], dp}, images, in, p, made, scratch);
      });
}

s2_block make(arrangement layout, mask_effect spatial, mask_effect spectral, spectral_scope scope,
              mask_embedding_kind embedding, window_grid grid) {
  return {.layout = layout,
          .spatial = {6, 2, grid.side, spatial},
          .spectral = {6, 3, grid.side, scope, spectral},
          .feed = {6, 8},
          .embedding = embedding,
          .grid = grid};
}

}  // namespace

op_table block_cases() {
  op_table table;
  for (int i = 0; i < 8; ++i) {
    const auto layout = static_cast<arrangement>(i);
    add_block(table,
              make(layout, mask_effect::qk, mask_effect::none, spectral_scope::image, mask_embedding_kind::released,
                   {4, 8, 4, 2}),
              2, depth::off);
    add_block(table,
              make(layout, mask_effect::qkv, mask_effect::qk, spectral_scope::window, mask_embedding_kind::tile_safe,
                   {4, 6, 2, 1}),
              2, static_cast<depth>(1 + i % 4));
    add_block(table,
              make(layout, mask_effect::none, mask_effect::v, spectral_scope::window, mask_embedding_kind::released,
                   {3, 3, 3, 0}),
              1, depth::off);
  }
  for (const depth drop : {depth::first, depth::second, depth::feed})
    add_block(table,
              make(arrangement::parallel_concat, mask_effect::qk, mask_effect::none, spectral_scope::image,
                   mask_embedding_kind::tile_safe, {4, 4, 4, 2}),
              2, drop);
  return table;
}

}  // namespace unmask_test

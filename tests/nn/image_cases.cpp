#include <algorithm>
#include <unmask/nn/image_ops.hpp>
#include <unmask/nn/mask_embedding.hpp>
#include <unmask/nn/padding.hpp>
#include <unmask/nn/position_bias.hpp>

#include "op_case.hpp"
#include "sizes.hpp"

namespace unmask_test {
namespace {

template <class T>
using bare = std::remove_cvref_t<T>;
template <class Arguments>
using value_of = std::remove_pointer_t<bare<decltype(std::declval<Arguments>().x[0])>>;

void add_conv3x3(op_table& table, conv_sizes s) {
  const index_t pixels = s.batch * s.height * s.width, w = 9 * s.in_channels * s.out_channels;
  add(table, sized("conv3x3", s.batch, s.height, s.width, s.in_channels, s.out_channels),
      {input("x", pixels * s.in_channels), weight("weight, bias", w + s.out_channels),
       output("y", pixels * s.out_channels)},
      128, [=](const auto& be, arena& memory, const auto& g, direction way) {
        using T = value_of<decltype(g)>;
        using K = kernel<op::conv3x3, bare<decltype(be)>>;
        T* scratch = memory.take<T>(K::scratch(be, s, true));
        if (memory.measuring()) return;
        const conv_params<const T> p{g.x[1], g.x[1] + w};
        if (way == direction::forward)
          K::template forward<T>(be, g.x[2], g.x[0], p, s, scratch);
        else
          K::template backward<T>(be, g.d[0], {g.d[1], g.d[1] + w}, g.d[2], g.x[0], p, s, scratch);
      });
}

/// Pixels of x are `gap` numbers further apart than their channels.
void add_depthwise(op_table& table, depthwise_sizes s, index_t gap, index_t limit) {
  const index_t c = s.channels, pixels = s.batch * s.height * s.width, ldx = c + gap;
  add(table, sized("depthwise3x3", s.batch, s.height, s.width, c, gap, limit),
      {input("x", pixels * c), weight("weight", 9 * c), output("y", pixels * c)}, 64,
      [=](const auto& be, arena& memory, const auto& g, direction way) {
        using T = value_of<decltype(g)>;
        using K = kernel<op::depthwise3x3, bare<decltype(be)>>;
        T *x = memory.take<T>(pixels * ldx), *chunks = memory.take<T>(limit * 9 * c);
        if (memory.measuring()) return;
        for (index_t i = 0; i < pixels; ++i) std::copy_n(g.x[0] + i * c, c, x + i * ldx);
        if (way == direction::forward) {
          K::template forward<T>(be, g.x[2], {x, ldx}, g.x[1], s);
          return;
        }
        std::fill_n(chunks, limit * 9 * c, T(0));
        K::template backward<T>(be, g.d[0], {chunks, 9 * c, limit}, g.d[2], {x, ldx}, g.x[1], s);
        reduce_partials(be, g.d[1], {chunks, 9 * c, limit}, 9 * c);
      });
}

template <class T>
embedding_params<T> bind_embedding(T* block, index_t c) {
  embedding_params<T> p{};
  parameter_binder<T> bind(block);
  visit_embedding(bind, "", p, c);
  return p;
}

/// z = convolutions of the mask, with the embedding's last step for `kind` or (null) without.
void add_embedding(op_table& table, mask_sizes s, const mask_embedding_kind* kind) {
  const index_t c = s.channels, size = s.pixels() * c;
  const bool whole = kind != nullptr;
  const mask_embedding_kind last = whole ? *kind : mask_embedding_kind::released;
  const char* name = !whole                                  ? "mask_convolutions"
                     : last == mask_embedding_kind::released ? "mask_embedding released"
                                                             : "mask_embedding tile_safe";
  const double reach = std::sqrt(3 / (9. * static_cast<double>(c)));
  add(table, sized(name, s.batch, s.height, s.width, c),
      {input("mask", s.pixels(), gradient::accumulated, 0, 1),
       weight("parameters", 9 * c * c + 3 * c, -3 * reach, 3 * reach), output("e", size)},
      512,  // the cpu kernel sums folded weights: another association of 10 C terms
      [=](const auto& be, arena& memory, const auto& g, direction way) {
        using T = value_of<decltype(g)>;
        using K = kernel<op::mask_convolutions, bare<decltype(be)>>;
        embedding_scratch<T> scratch;
        scratch.carve(memory, be, s);
        T* d = memory.take<T>(size);
        if (memory.measuring()) return;
        const embedding_inputs<T> in{g.x[0], bind_embedding<const T>(g.x[1], c), last, s};
        const auto dp = bind_embedding<T>(way == direction::forward ? nullptr : g.d[1], c);
        if (way == direction::forward && whole)
          mask_embedding_forward(be, g.x[2], in, scratch);
        else if (way == direction::forward)
          K::template forward<T>(be, g.x[2], g.x[0], in.p, s, scratch.convolutions);
        else if (!whole)
          K::template backward<T>(be, g.d[0], dp, g.d[2], g.x[0], in.p, s, scratch.convolutions);
        else {
          std::copy_n(g.d[2], size, d);
          mask_embedding_backward<bare<decltype(be)>, T>(be, g.d[0], dp, d, g.x[2], in, scratch);
        }
      });
}

void add_width_softmax(op_table& table, image_rows s) {
  const index_t size = s.rows * s.width * s.channels;
  add(table, sized("width_softmax", s.rows, s.width, s.channels),
      {input("z", size, gradient::overwritten, -4, 4), output("e", size)}, static_cast<double>(32 + s.width),
      [=](const auto& be, arena& memory, const auto& g, direction way) {
        using T = value_of<decltype(g)>;
        using K = kernel<op::width_softmax, bare<decltype(be)>>;
        T* scratch = memory.take<T>(K::scratch(be, s));
        if (memory.measuring()) return;
        T* to = way == direction::forward ? g.x[1] : g.d[0];
        std::copy_n(way == direction::forward ? g.x[0] : g.d[1], size, to);
        if (way == direction::forward) return K::template forward<T>(be, to, s, scratch);
        K::template backward<T>(be, to, g.x[1], s, scratch);
      });
}

void add_position_bias(op_table& table, index_t side, index_t heads) {
  const index_t span = 2 * side - 1, n = side * side;
  add(table, sized("position_bias", side, heads), {weight("table", span * span * heads), output("bias", heads * n * n)},
      16, [=](const auto&, arena& memory, const auto& g, direction way) {
        if (memory.measuring()) return;
        if (way == direction::forward) return position_bias_forward(g.x[1], g.x[0], side, heads);
        for (index_t h = 0; h < heads; ++h) position_bias_backward(g.d[0], g.d[1] + h * n * n, side, heads, h);
      });
}

/// Every window is gathered, multiplied by 3 and scattered: y = 3 x; its gradient goes through scatter_add.
void add_windows(op_table& table, window_grid grid, index_t c) {
  const index_t size = grid.height * grid.width * c;
  add(table, sized("window gather and scatter", grid.height, grid.width, grid.side, grid.shift, c),
      {input("x", size, gradient::accumulated), output("y", size)}, 1,
      [=](const auto&, arena& memory, const auto& g, direction way) {
        using T = value_of<decltype(g)>;
        T* tile = memory.take<T>(grid.tokens() * c);
        if (memory.measuring()) return;
        for (index_t w = 0; w < grid.windows(); ++w) {
          gather_window(tile, static_cast<const T*>(way == direction::forward ? g.x[0] : g.d[1]), grid, w, c);
          if (way == direction::forward) {
            scatter_window(g.x[1], tile, T(3), grid, w, c);
          } else {
            for (index_t i = 0; i < grid.tokens() * c; ++i) tile[i] *= 3;
            scatter_add_window(g.d[0], tile, grid, w, c);
          }
        }
      });
}

void add_padding(op_table& table, pad_sizes s) {
  const index_t from = s.batch * s.height * s.width * s.channels,
                to = s.batch * s.padded_height * s.padded_width * s.channels;
  add(table, sized("pad_images", s.batch, s.height, s.width, s.padded_height, s.padded_width, s.channels),
      {input("x", from), output("y", to)}, static_cast<double>(8 + s.padded_height * s.padded_width),
      [=](const auto& be, arena& memory, const auto& g, direction way) {
        using T = value_of<decltype(g)>;
        using B = bare<decltype(be)>;
        if (memory.measuring()) return;
        if (way == direction::forward)
          pad_images<B, T>(be, g.x[1], g.x[0], s);
        else
          pad_images_backward<B, T>(be, g.d[0], g.d[1], s);
      });
}

void add_image_linear(op_table& table, index_t n, index_t c, index_t o) {
  add(table, sized("image_linear", n, c, o),
      {input("x", n * c, gradient::accumulated), weight("w", c * o), output("y", n * o)}, 64,
      [=](const auto& be, arena& memory, const auto& g, direction way) {
        using T = value_of<decltype(g)>;
        using B = bare<decltype(be)>;
        const linear_sizes s{n, c, o};
        T* scratch = memory.take<T>(image_linear_scratch(be, s));
        if (memory.measuring()) return;
        if (way == direction::forward)
          image_linear_forward<B, T>(be, g.x[2], g.x[0], g.x[1], s);
        else
          image_linear_backward<B, T>(be, g.d[0], g.d[1], g.d[2], g.x[0], g.x[1], s, scratch);
      });
}

}  // namespace

op_table image_cases() {
  op_table table;
  const auto released = mask_embedding_kind::released, tile_safe = mask_embedding_kind::tile_safe;
  for (const index_t size : hostile_sizes()) {
    add_conv3x3(table, {1, 3, 4, size, 3});
    add_conv3x3(table, {2, 2, 3, 2, size});
    add_conv3x3(table, {1, 3, size, 3, 2});
    add_conv3x3(table, {1, size, 1, 2, 3});
    add_depthwise(table, {4, 3, size}, size % 3, 16);
    add_depthwise(table, {size, 2, 3}, 0, 4);
    add_depthwise(table, {1, size, 2, 2}, 5, 1);
    const mask_sizes wide{2, 3, 4, std::min<index_t>(size, 17)}, long_row{1, 2, size, 3};
    for (const mask_sizes& s : {wide, long_row}) {
      add_embedding(table, s, nullptr);
      add_embedding(table, s, &released);
      add_embedding(table, s, &tile_safe);
    }
    add_width_softmax(table, {1, size, 3});
    add_width_softmax(table, {3, 5, size});
    add_image_linear(table, size, 5, size);
    add_image_linear(table, 130, size, 3);
  }
  add_conv3x3(table, {1, 1, 1, 1, 1});
  add_conv3x3(table, {1, 9, 17, 3, 70});  // more than a tile of cuda every way: 8 x 16 pixels, 64 channels
  add_conv3x3(table, {1, 3, 2, 70, 2});
  add_conv3x3(table, {2, 19, 3, 2, 1});    // more rows than chunks
  add_image_linear(table, 64 * 19, 3, 2);  // more tiles than chunks
  for (const index_t side : {1, 2, 3, 8}) add_position_bias(table, side, side == 3 ? 1 : 2);
  for (const index_t shift : {0, 1, 2}) add_windows(table, {8, 12, 4, shift}, 3);
  add_windows(table, {4, 4, 4, 2}, 1);
  add_windows(table, {5, 3, 1, 0}, 2);
  for (const index_t h : {1, 2, 3, 5, 8}) add_padding(table, {2, h, h == 5 ? 1 : 7, 8, 16, 3});
  add_padding(table, {1, 1, 1, 8, 8, 1});
  add_padding(table, {1, 2, 3, 17, 19, 2});  // folds several times
  return table;
}

}  // namespace unmask_test

#include <unmask/nn/ffn.hpp>

#include "op_case.hpp"
#include "sizes.hpp"

namespace unmask_test {
namespace {

template <class T>
using bare = std::remove_cvref_t<T>;
template <class Arguments>
using value_of = std::remove_pointer_t<bare<decltype(std::declval<Arguments>().x[0])>>;

void add_ffn(op_table& table, ffn l, index_t batch, index_t pixels, bool keep, bool in_place) {
  const index_t size = batch * pixels * l.channels;
  manifest_builder list;
  ffn_params<float> unused;
  visit_ffn(list, l, "norm.", "ffn.", unused);
  add(
      table, sized("ffn", batch, pixels, l.channels, l.hidden) + (keep ? " keep" : "") + (in_place ? " in place" : ""),
      {input("x", size), weights(list.take()), input("keep", batch, gradient::none, 0.5, 1.5), output("y", size)}, 512,
      [=](const auto& be, arena& memory, const auto& g, direction way) {
        using T = value_of<decltype(g)>;
        using B = bare<decltype(be)>;
        ffn_scratch<T> scratch;
        scratch.carve(memory, be, l, batch * pixels, true);
        if (memory.measuring()) return;
        const ffn_batch<T> images{keep ? g.x[2] : nullptr, batch, pixels};
        const auto p = bind_parameters<const T>(l, static_cast<const T*>(g.x[1]));
        if (way == direction::forward) {
          if (in_place) std::copy_n(g.x[0], size, g.x[3]);
          return ffn_forward<B, T>(be, l, g.x[3], in_place ? g.x[3] : g.x[0], p, images, scratch);
        }
        const auto dp = bind_parameters<T>(l, g.d[1]);
        std::copy_n(g.d[3], size, g.d[0]);
        ffn_backward<B, T>(be, l, g.d[0], dp, g.x[0], p, images, scratch);
      },
      norm_floor(l.channels));
}

}  // namespace

op_table ffn_cases() {
  op_table table;
  for (const index_t c : hostile_sizes()) {
    add_ffn(table, {c, 5}, 2, 3, false, c % 2 == 1);
    add_ffn(table, {3, c}, 1, 70, true, c % 2 == 0);
  }
  add_ffn(table, {16, 64}, 2, 33, true, false);  // one kernel of cuda for the gradient: groups, chunks, ragged ends
  add_ffn(table, {33, 130}, 1, 70, false, false);
  add_ffn(table, {64, 256}, 1, 3, false, false);
  add_ffn(table, {3, 12}, 1, 64 * 66, true, false);  // more tiles of tokens than groups
  add_ffn(table, {70, 5}, 1, 3, true, false);        // more than a tile of cuda, of channels and hidden channels
  add_ffn(table, {5, 130}, 1, 130, false, true);
  add_ffn(table, {2, 3}, 2, 64 * 9, true, true);
  return table;
}

}  // namespace unmask_test

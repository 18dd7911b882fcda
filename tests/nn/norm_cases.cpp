#include <unmask/nn/image_ops.hpp>

#include "op_case.hpp"
#include "sizes.hpp"

namespace unmask_test {
namespace {

template <class T>
using bare = std::remove_cvref_t<T>;
template <class Arguments>
using value_of = std::remove_pointer_t<bare<decltype(std::declval<Arguments>().x[0])>>;

void add_layer_norm(op_table& table, index_t n, index_t c) {
  // the sums cancel down to the deviation, which is near the size of x here
  add(
      table, sized("layer_norm", n, c),
      {input("x", n * c, gradient::accumulated), weight("weight", c), weight("bias", c), output("y", n * c)}, 256,
      [=](const auto& be, arena& memory, const auto& g, direction way) {
        using T = value_of<decltype(g)>;
        using B = bare<decltype(be)>;
        using K = kernel<op::layer_norm, B>;
        const row_sizes s{n, c};
        T *mean = memory.take<T>(n), *rstd = memory.take<T>(n), *scratch = memory.take<T>(K::scratch(be, s));
        if (memory.measuring()) return;
        const norm_params<const T> p{g.x[1], g.x[2]};
        if (way == direction::forward) return K::template forward<T>(be, g.x[3], {mean, rstd}, g.x[0], p, s);
        K::template backward<T>(be, g.d[0], {g.d[1], g.d[2]}, g.d[3], {g.x[0], p, {mean, rstd}}, s, scratch);
      },
      norm_floor(c));
}

void add_image_norm(op_table& table, index_t n, index_t c) {
  add(
      table, sized("image_norm", n, c),
      {input("x", n * c, gradient::accumulated), weight("weight", c), weight("bias", c), output("y", n * c)}, 256,
      [=](const auto& be, arena& memory, const auto& g, direction way) {
        using T = value_of<decltype(g)>;
        using B = bare<decltype(be)>;
        const row_sizes s{n, c};
        T *saved = memory.take<T>(2 * n), *scratch = memory.take<T>(image_norm_scratch(be, s));
        if (memory.measuring()) return;
        const norm_params<const T> p{g.x[1], g.x[2]};
        if (way == direction::forward)
          image_norm_forward<B, T>(be, g.x[3], {saved, saved + n}, g.x[0], p, s);
        else
          image_norm_backward<B, T>(be, g.d[0], {g.d[1], g.d[2]}, g.d[3], {g.x[0], p, {saved, saved + n}}, s, scratch);
      },
      norm_floor(c));
}

}  // namespace

op_table norm_cases() {
  op_table table;
  for (const index_t size : hostile_sizes()) {
    for (const index_t n : {1, 3}) add_layer_norm(table, n, size);
    add_image_norm(table, 70, size);
  }
  add_image_norm(table, 130, 3);  // more rows than partial sums
  return table;
}

}  // namespace unmask_test

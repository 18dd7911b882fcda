#include <algorithm>
#include <unmask/nn/linear.hpp>

#include "op_case.hpp"
#include "sizes.hpp"

namespace unmask_test {
namespace {

template <class T>
using backend_of = std::remove_cvref_t<T>;

enum class left { plain, turned, overlapping };

/// C (+)= A B with gaps behind the rows of A, B and C. A is [M, K]; overlapping rows of K numbers start `step` apart.
void add_matmul(op_table& table, index_t m, index_t n, index_t k, left kind, bool accumulate) {
  constexpr index_t gap = 3;
  const index_t step = std::max<index_t>(1, k / 3), ldc = n + gap, ldb = n + 2 * gap;
  const index_t a_size = kind == left::overlapping ? (m - 1) * step + k : m * k;
  const char* names[] = {"matmul", "matmul A'", "matmul overlapping"};
  std::string name = sized(names[static_cast<int>(kind)], m, n, k);
  if (accumulate) name += " +=";
  add(table, name,
      {input("a", a_size, kind == left::overlapping ? gradient::none : gradient::overwritten), input("b", k * n),
       input("c0", m * ldc, gradient::none), output("c", m * ldc)},
      4 + 2 * std::sqrt(static_cast<double>(std::max(k, std::max(m, n)))),
      [=](const auto& be, arena& memory, const auto& g, direction way) {
        using T = std::remove_pointer_t<backend_of<decltype(g.x[0])>>;
        T *strided_a = memory.take<T>((m + k) * (m + k + gap)), *strided_b = memory.take<T>(k * ldb),
          *b_turned = memory.take<T>(k * n);
        if (memory.measuring()) return;
        // the gaps stay NaN, as the harness left them
        left_operand<T> a{g.x[0], step, 1};
        if (kind == left::plain) {
          a = rows_of<T>(strided_a, k + gap);
          for (index_t i = 0; i < m; ++i) std::copy_n(g.x[0] + i * k, k, strided_a + i * (k + gap));
        } else if (kind == left::turned) {
          a = transposed<T>(strided_a, m + gap);
          transpose(strided_a, m + gap, g.x[0], k, m, k);
        }
        for (index_t i = 0; i < k; ++i) std::copy_n(g.x[1] + i * n, n, strided_b + i * ldb);
        if (way == direction::forward) {
          std::copy_n(g.x[2], m * ldc, g.x[3]);  // what lies between the rows of C must survive
          if (accumulate)
            multiply_add(be, {g.x[3], ldc}, a, {strided_b, ldb}, {m, n, k});
          else
            multiply(be, {g.x[3], ldc}, a, {strided_b, ldb}, {m, n, k});
          return;
        }
        multiply(be, {g.d[1], n}, left_operand<T>{a.data, a.col, a.row}, {g.d[3], ldc}, {k, n, m});
        if (kind == left::overlapping) return;
        transpose(b_turned, k, strided_b, ldb, k, n);
        multiply(be, {g.d[0], k}, rows_of<T>(g.d[3], ldc), {b_turned, k}, {m, k, n});
      });
}

void add_linear(op_table& table, index_t n, index_t in_channels, index_t out_channels, bool bias) {
  const index_t i = in_channels, o = out_channels, ldx = i + 2, ldy = o + 3;
  add(table, sized(bias ? "linear" : "linear without bias", n, i, o),
      {input("x", n * i), weight("w", i * o), weight("b", bias ? o : 0), output("y", n * o)}, 64,
      [=](const auto& be, arena& memory, const auto& g, direction way) {
        using T = std::remove_pointer_t<backend_of<decltype(g.x[0])>>;
        using B = backend_of<decltype(be)>;
        using K = kernel<op::linear, B>;
        const linear_sizes s{n, i, o};
        T *x = memory.take<T>(n * ldx), *y = memory.take<T>(n * ldy), *room = memory.take<T>(K::turned(i, o)),
          *scratch = memory.take<T>(K::scratch(be, s));
        if (memory.measuring()) return;
        const auto spread = [n](T* to, index_t ld, const T* from, index_t c) {
          for (index_t r = 0; r < n; ++r) std::copy_n(from + r * c, c, to + r * ld);
        };
        const auto gather = [n](T* to, const T* from, index_t ld, index_t c) {
          for (index_t r = 0; r < n; ++r) std::copy_n(from + r * ld, c, to + r * c);
        };
        spread(x, ldx, g.x[0], i);
        if (way == direction::forward) {
          linear_forward<B, T>(be, {y, ldy}, {x, ldx}, {g.x[1], bias ? g.x[2] : nullptr}, s);
          gather(g.x[3], y, ldy, o);
          return;
        }
        spread(y, ldy, g.d[3], o);
        const T* const turned = K::turn(be, room, static_cast<const T*>(g.x[1]), i, o);
        linear_backward_parameters<B, T>(be, {g.d[1], bias ? g.d[2] : nullptr}, {y, ldy}, {x, ldx}, s, scratch);
        linear_backward_input<B, T>(be, {x, ldx}, {y, ldy}, turned, s);
        gather(g.d[0], x, ldx, i);
      });
}

/// Softmax and GELU promise to work in place, which is how they are called here if `in_place`.
template <class Op>
void add_rows(op_table& table, const std::string& name, index_t n, index_t c, double reach, bool in_place) {
  add(table, sized(in_place ? name + " in place" : name, n, c),
      {input("x", n * c, gradient::overwritten, -reach, reach), output("y", n * c)}, static_cast<double>(32 + c),
      [=](const auto& be, arena& memory, const auto& g, direction way) {
        using T = std::remove_pointer_t<backend_of<decltype(g.x[0])>>;
        using K = kernel<Op, backend_of<decltype(be)>>;
        if (memory.measuring()) return;
        T* to = way == direction::forward ? g.x[1] : g.d[0];
        const T* from = way == direction::forward ? g.x[0] : g.d[1];
        if (in_place) std::copy_n(from, n * c, to), from = to;
        if constexpr (std::is_same_v<Op, op::gelu>) {
          if (way == direction::forward) return K::template forward<T>(be, to, from, n * c);
          K::template backward<T>(be, to, from, g.x[0], n * c);
        } else {
          if (way == direction::forward) return K::template forward<T>(be, to, from, n, c);
          K::template backward<T>(be, to, from, g.x[1], n, c);
        }
      });
}

}  // namespace

op_table product_cases() {
  op_table table;
  const index_t rows[] = {1, 3, 6, 7, 13}, depths[] = {1, 3, 9, 64, 257};  // 6 rows a register tile, 256 deep a panel
  std::size_t turn = 0;
  for (const index_t n : hostile_sizes())
    for (const left kind : {left::plain, left::turned, left::overlapping})
      for (const bool accumulate : {false, true}) {
        add_matmul(table, rows[turn % 5], n, depths[turn / 2 % 5], kind, accumulate);
        ++turn;
      }
  add_matmul(table, 13, 2 * hostile_sizes().back(), 520, left::turned, true);
  for (const index_t size : hostile_sizes()) {
    add_linear(table, 5, size, 3, true);
    add_linear(table, 1, 3, size, false);
    add_linear(table, size, 4, size, true);
    add_rows<op::softmax>(table, "softmax", 3, size, 5, size % 2 == 1);
    // float GELU promises absolute errors: a row of one number in the tail would be held to a relative one
    add_rows<op::gelu>(table, "gelu", 7, size, 6, size % 2 == 1);
  }
  return table;
}

}  // namespace unmask_test

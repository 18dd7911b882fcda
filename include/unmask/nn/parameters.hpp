#pragma once

/// Parameters live in one flat block; the manifest says what is where. A layer lists its parameters once, in a
/// `visit_parameters`, and that one list counts them, names them, initialises them and binds its pointers.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "../core/view.hpp"

namespace unmask::inline UNMASK_ABI {

/// How a parameter lies in memory compared with its (PyTorch) order in a file.
enum class memory_order {
  plain,    ///< the same
  reversed  ///< file [out, in] -> memory [in, out]; file [out, in, kr, kc] -> memory [kr, kc, in, out]:
            ///< outputs run fastest, so that products read weights with unit stride and no packing
};

/// Initial values (METHOD: linear weights truncated normal 0.02, convolutions uniform in +-1/sqrt(fan-in)).
enum class initial { zero, one, normal, uniform };

struct parameter {
  std::string name;
  std::vector<index_t> shape;  ///< in file order
  memory_order order = memory_order::plain;
  initial init = initial::zero;
  index_t fan_in = 1;  ///< for `initial::uniform`
  index_t offset = 0;  ///< first element in the flat block
  index_t size = 0;
};

struct manifest {
  std::vector<parameter> entries;
  index_t size = 0;  ///< elements of the flat block

  [[gnu::cold]] void add(std::string name, std::vector<index_t> shape, memory_order order, initial init,
                         index_t fan_in = 1) {
    index_t n = 1;
    for (index_t e : shape) n *= e;
    entries.push_back({std::move(name), std::move(shape), order, init, fan_in, size, n});
    size += n;
  }
};

namespace detail {

/// body(element of the file, element of the flat block), in the file's order.
template <class Body>
void each_element(const parameter& p, Body&& body) {
  const bool plain = p.order == memory_order::plain || p.shape.size() < 2;
  const index_t outs = plain ? p.size : p.shape[0], ins = plain ? 1 : p.shape[1];
  const index_t inner = plain ? 1 : p.size / (outs * ins);  // elements of [kr, kc]
  index_t i = 0;
  for (index_t o = 0; o < outs; ++o)
    for (index_t c = 0; c < ins; ++c)
      for (index_t k = 0; k < inner; ++k) body(i++, p.offset + (k * ins + c) * outs + o);
}

}  // namespace detail

/// Copies a parameter from file order into its place in the flat block.
template <class T, class From>
void import_parameter(const parameter& p, T* block, const From* file) {
  detail::each_element(p, [&](index_t from, index_t to) { block[to] = static_cast<T>(file[from]); });
}

/// Copies a parameter (or its gradient) out of the flat block into file order.
template <class T, class To>
void export_parameter(const parameter& p, const T* block, To* file) {
  detail::each_element(p, [&](index_t to, index_t from) { file[to] = static_cast<To>(block[from]); });
}

}  // namespace unmask::inline UNMASK_ABI

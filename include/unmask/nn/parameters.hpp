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

  void add(std::string name, std::vector<index_t> shape, memory_order order, initial init, index_t fan_in = 1) {
    index_t n = 1;
    for (index_t e : shape) n *= e;
    entries.push_back({std::move(name), std::move(shape), order, init, fan_in, size, n});
    size += n;
  }
};

namespace detail {

/// The element of a parameter in memory order that is element `i` of the file order.
inline index_t memory_index(const parameter& p, index_t i) {
  if (p.order == memory_order::plain || p.shape.size() < 2) return i;
  index_t inner = 1;  // elements of [kr, kc]
  for (std::size_t d = 2; d < p.shape.size(); ++d) inner *= p.shape[d];
  const index_t outs = p.shape[0], ins = p.shape[1];
  const index_t k = i % inner, c = i / inner % ins, o = i / (inner * ins);
  return (k * ins + c) * outs + o;
}

}  // namespace detail

/// Copies a parameter from file order into its place in the flat block.
template <class T, class From>
void import_parameter(const parameter& p, T* block, const From* file) {
  for (index_t i = 0; i < p.size; ++i) block[p.offset + detail::memory_index(p, i)] = static_cast<T>(file[i]);
}

/// Copies a parameter (or its gradient) out of the flat block into file order.
template <class T, class To>
void export_parameter(const parameter& p, const T* block, To* file) {
  for (index_t i = 0; i < p.size; ++i) file[i] = static_cast<To>(block[p.offset + detail::memory_index(p, i)]);
}

}  // namespace unmask::inline UNMASK_ABI

#pragma once

/// One row of the op-case table: an operation at one size behind a uniform interface, for tests and benchmarks alike.
/// A row is a generic function (backend, arena, arguments, direction) that takes its scratch from the arena, returns if
/// the arena only measures, and runs one direction. Backward comes after forward on the same arena memory.

#include "tested_backend.hpp"

#include <functional>
#include <string>
#include <unmask/core/arena.hpp>
#include <unmask/nn/visit.hpp>
#include <utility>
#include <vector>

namespace unmask_test {

using namespace unmask;

enum class role { input, parameter, output };
enum class direction { forward, backward };

/// What backward does with the gradient buffer of an input.
enum class gradient { overwritten, accumulated, none };

struct operand {
  std::string name;
  role kind = role::input;
  index_t size = 0;
  double low = -1, high = 1;  ///< values are uniform in between
  gradient grad = gradient::overwritten;
  std::vector<parameter> parts = {};  ///< of a flat parameter block, else empty
};

inline operand input(std::string name, index_t size, gradient g = gradient::overwritten, double low = -1,
                     double high = 1) {
  return {std::move(name), role::input, size, low, high, g};
}
inline operand weight(std::string name, index_t size, double low = -1, double high = 1) {
  return {std::move(name), role::parameter, size, low, high, gradient::accumulated};
}
inline operand output(std::string name, index_t size) { return {std::move(name), role::output, size}; }
inline operand weights(manifest m) {
  return {"parameters", role::parameter, m.size, -1, 1, gradient::accumulated, m.entries};
}

/// Values and gradients of the operands, in their order; d of an output is given, d of the others is the result.
template <class T>
struct arguments {
  std::vector<T*> x, d;
};

template <class Backend, class T>
using op_run = std::function<void(const Backend&, arena&, const arguments<T>&, direction)>;

struct op_case {
  std::string name;
  std::vector<operand> operands;
  double growth;  ///< bound of the norm-wise relative error between two orders of summation, in units of epsilon
  op_run<ref, double> ref_double;
  op_run<tested_backend, double> tested_double;
  op_run<tested_backend, float> tested_float;
  double floor;  ///< a gradient smaller than this part of the row's largest is compared with that part
};

using op_table = std::vector<op_case>;

template <class F>
void add(op_table& table, std::string name, std::vector<operand> operands, double growth, F f, double floor = 1e-3) {
  table.push_back({std::move(name), std::move(operands), growth, f, f, f, floor});
}

/// One or two channels normalise to 0 or to +1 and -1 whatever they are: the gradient of x is zero up to 1e-5 /
/// variance of its terms, and rounding of terms of the size of dy, times up to 1 / sqrt(1e-5), is all that is left of
/// it (more or less by how a compiler contracts to fused multiply-adds). Its error is compared with the row's largest
/// gradient.
inline double norm_floor(index_t channels) { return channels <= 2 ? 1 : 1e-3; }

/// "softmax 3x66"
template <class... Size>
std::string sized(std::string name, Size... size) {
  char separator = ' ';
  ((name += separator + std::to_string(size), separator = 'x'), ...);
  return name;
}

/// The parts of the table, one a source file: the operations of nn/ and their compositions.
op_table norm_cases();       ///< layer norm, of rows and of images
op_table product_cases();    ///< matmul, linear, GELU, softmax
op_table image_cases();      ///< convolutions, embedding, padding, windows, position bias, linear maps of images
op_table attention_cases();  ///< spatial and spectral attention
op_table ffn_cases();        ///< feed-forward part
op_table block_cases();      ///< whole blocks

}  // namespace unmask_test

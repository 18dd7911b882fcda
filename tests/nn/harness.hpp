#pragma once

/// Runs rows of the op-case table in hostile surroundings: every buffer between NaN guards that must survive, scratch
/// full of NaN, outputs and overwritten gradients NaN before the call, everything shifted by `offset` elements.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <unmask/core/random.hpp>

#include "op_case.hpp"

namespace unmask_test {

template <class T>
class guarded {
 public:
  guarded(index_t size, index_t offset)
      : size_(size), first_(margin + offset), memory_(bytes(size + 2 * margin + offset)) {
    std::memset(memory_.data(), 0xff, memory_.bytes());  // all bits set is a NaN
  }
  T* data() const { return reinterpret_cast<T*>(memory_.data()) + first_; }
  T* begin() const { return data(); }
  T* end() const { return data() + size_; }
  index_t size() const { return size_; }
  void spoil() { std::memset(static_cast<void*>(data()), 0xff, bytes(size_)); }

  bool intact() const {
    const std::byte *all = memory_.data(), *from = reinterpret_cast<const std::byte*>(data()),
                    *to = from + bytes(size_);
    const auto untouched = [](const std::byte* first, const std::byte* last) {
      return std::all_of(first, last, [](std::byte b) { return b == std::byte{0xff}; });
    };
    return untouched(all, from) && untouched(to, all + memory_.bytes());
  }
  bool same_bits(const guarded& other) const { return std::memcmp(data(), other.data(), bytes(size_)) == 0; }

 private:
  static constexpr index_t margin = 64;  // elements: at least 4 cache lines
  static std::size_t bytes(index_t n) { return static_cast<std::size_t>(n) * sizeof(T); }
  index_t size_, first_;
  memory_block memory_;
};

/// One row with its memory. The same seed gives the same values for float and double.
template <class Backend, class T>
class runner {
 public:
  runner(const op_case& row, const op_run<Backend, T>& run, Backend be, index_t offset = 0)
      : row_(row), run_(run), be_(be), scratch_(measure(), offset) {
    for (std::size_t i = 0; i < row.operands.size(); ++i) {
      const operand& o = row.operands[i];
      x.emplace_back(o.size, offset);
      d.emplace_back(o.size, offset);
      args_.x.push_back(x.back().data());
      args_.d.push_back(d.back().data());
      unmask::random draw(20220912, i);
      const auto fill = [&](T* to, index_t n, double low, double high) {
        for (index_t k = 0; k < n; ++k) to[k] = static_cast<T>(static_cast<float>(draw.uniform(low, high)));
      };
      if (o.kind == role::output) {
        fill(d[i].data(), o.size, -1, 1);
        continue;
      }
      if (o.parts.empty()) fill(x[i].data(), o.size, o.low, o.high);
      for (const parameter& p : o.parts) {
        // variance 1 / fan-in keeps activations and logits near 1; norms and scales stay away from 0
        const double reach = std::sqrt(3. * static_cast<double>(p.shape[0]) / static_cast<double>(p.size));
        if (p.init == initial::one)
          fill(x[i].data() + p.offset, p.size, 0.5, 1.5);
        else
          fill(x[i].data() + p.offset, p.size, -reach, reach);
      }
    }
  }

  void forward() {
    for (std::size_t i = 0; i < x.size(); ++i)
      if (row_.operands[i].kind == role::output) x[i].spoil();
    call(direction::forward);
  }

  /// Accumulating gradients start at `start`, the others at NaN.
  void backward(T start = 0) {
    for (std::size_t i = 0; i < d.size(); ++i) {
      const operand& o = row_.operands[i];
      if (o.kind == role::output) continue;
      if (o.grad == gradient::overwritten)
        d[i].spoil();
      else
        std::fill(d[i].begin(), d[i].end(), start);
    }
    call(direction::backward);
  }

  /// The scalar whose gradient backward computes, and the sum of the sizes of its terms.
  double value(double* terms = nullptr) const {
    double sum = 0, size = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
      if (row_.operands[i].kind == role::output)
        for (index_t k = 0; k < x[i].size(); ++k) {
          const double term = static_cast<double>(x[i].data()[k]) * static_cast<double>(d[i].data()[k]);
          sum += term;
          size += std::abs(term);
        }
    if (terms) *terms = size;
    return sum;
  }

  bool intact() const {
    bool ok = scratch_.intact();
    for (std::size_t i = 0; i < x.size(); ++i) ok = ok && x[i].intact() && d[i].intact();
    return ok;
  }

  template <class Other>
  bool same_bits(const Other& other) const {
    bool same = true;
    for (std::size_t i = 0; i < x.size(); ++i) {
      same = same && x[i].same_bits(other.x[i]);
      if (row_.operands[i].grad != gradient::none) same = same && d[i].same_bits(other.d[i]);
    }
    return same;
  }

  std::vector<guarded<T>> x, d;

 private:
  index_t measure() {
    arena counting;
    arguments<T> nothing;
    nothing.x.resize(row_.operands.size());
    nothing.d.resize(row_.operands.size());
    run_(be_, counting, nothing, direction::forward);
    return static_cast<index_t>(counting.peak() / sizeof(T));
  }
  void call(direction way) {
    arena memory(reinterpret_cast<std::byte*>(scratch_.data()), static_cast<std::size_t>(scratch_.size()) * sizeof(T));
    run_(be_, memory, args_, way);
  }

  const op_case& row_;
  op_run<Backend, T> run_;
  Backend be_;
  guarded<T> scratch_;
  arguments<T> args_;
};

/// Calls body(name, operand, offset, size) for the parts of every operand that has a gradient.
template <class Body>
void each_gradient(const op_case& row, Body&& body) {
  for (std::size_t i = 0; i < row.operands.size(); ++i) {
    const operand& o = row.operands[i];
    if (o.kind == role::output || o.grad == gradient::none) continue;
    if (o.parts.empty() && o.size > 0) body(o.name, i, index_t{0}, o.size);
    for (const parameter& p : o.parts) body(p.name, i, p.offset, p.size);
  }
}

}  // namespace unmask_test

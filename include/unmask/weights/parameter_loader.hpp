#pragma once

/// Parameters of a file into the flat block of a network, by the network's own list of names and shapes.

#include <cstring>
#include <initializer_list>

#include "../core/finite.hpp"
#include "../core/half.hpp"
#include "../nn/parameters.hpp"
#include "index.hpp"

namespace unmask::inline UNMASK_ABI::weights::detail {

/// A tensor that must be there, be of this shape, and have the bytes that were written.
[[gnu::cold]] inline verdict expect_tensor(file_index& file, std::string_view name,
                                           std::initializer_list<index_t> shape, header_entry*& found) {
  const shown n(name);
  header_entry* const t = file.find(name);
  if (!t || t->used)
    return verdict::refuse(errc::not_found, "parameter '%.*s' is missing, or there twice", n.size, n.text);
  bool same = t->rank == shape.size();
  for (std::size_t i = 0; same && i < shape.size(); ++i)
    same = t->extents[i] == static_cast<std::uint64_t>(shape.begin()[i]);
  if (!same) return verdict::refuse(errc::wrong_shape, "parameter '%.*s' has another shape", n.size, n.text);
  fnv1a sum;
  sum.add(file.bytes_of(*t));
  if (!t->summed || sum.sum() != t->sum)
    return verdict::refuse(errc::unreadable, "parameter '%.*s' is damaged (its checksum does not match)", n.size,
                           n.text);
  t->used = true;
  found = t;
  return {};
}

/// Element i of a tensor, wherever its bytes lie; that of I8 before its scale.
inline float element(std::span<const std::byte> bytes, stored_as type, std::uint64_t i) {
  const auto at = static_cast<std::size_t>(i);
  if (type == stored_as::f16) {
    std::uint16_t half = 0;
    std::memcpy(&half, bytes.data() + 2 * at, 2);
    return unmask::detail::half_to_float(half);
  }
  if (type == stored_as::i8) return static_cast<float>(static_cast<std::int8_t>(bytes[at]));
  float value = 0;
  std::memcpy(&value, bytes.data() + 4 * at, 4);
  return value;
}

/// A visitor of a network's list (nn/visit.hpp). What is wrong first stays in `found`.
class parameter_loader {
 public:
  /// `block` has room for all elements of the file.
  parameter_loader(file_index& file, float* block) : file_(file), block_(block) {}

  [[gnu::cold]] void enter(const char* name, index_t number = -1) {
    if (depth_ == max_depth) return void(fine_ = false);
    levels_[depth_++] = length_;
    append(name);
    if (number >= 0) {
      char digits[24];
      std::snprintf(digits, sizeof digits, "%td.", number);
      append(digits);
    }
  }
  void leave() { length_ = levels_[--depth_]; }

  template <class T>
  [[gnu::cold]] void operator()(T*&, const char* name, std::initializer_list<index_t> shape, memory_order order,
                                initial, index_t = 1) {
    add(name, shape, order);
  }

  /// Numbers loaded so far.
  std::uint64_t count() const { return count_; }
  [[gnu::cold]] verdict found() const {
    return fine_ ? verdict_ : verdict::refuse(errc::bad_argument, "network: names of parameters are too long");
  }

 private:
  static constexpr std::size_t max_depth = 8, max_name = 160;

  [[gnu::cold]] void append(const char* text) {
    const std::size_t n = std::strlen(text);
    if (n > max_name - length_) return void(fine_ = false);
    std::memcpy(name_ + length_, text, n);
    length_ += n;
  }

  [[gnu::cold, gnu::noinline]] void add(const char* name, std::initializer_list<index_t> shape, memory_order order) {
    if (!verdict_ || !fine_) return;
    const std::size_t before = length_;
    append(name);
    const std::string_view full(name_, length_);
    header_entry* t = nullptr;
    std::span<const std::byte> scales;
    verdict_ = expect_tensor(file_, full, shape, t);
    if (verdict_ && t->type == stored_as::i8) {
      header_entry* s = nullptr;
      append(".scale");
      verdict_ = expect_tensor(file_, {name_, length_}, {shape.size() > 0 ? shape.begin()[0] : 1}, s);
      if (verdict_ && s->type != stored_as::f32)
        verdict_ = verdict::refuse(errc::wrong_shape, "a parameter's scales are no F32");
      if (verdict_) scales = file_.bytes_of(*s);
    }
    length_ = before;
    if (!verdict_) return;
    if (!import(*t, order, scales)) {
      const shown n(full);
      verdict_ =
          verdict::refuse(errc::wrong_value, "parameter '%.*s' has a value that is NaN or infinite", n.size, n.text);
    }
    count_ += t->elements;
  }

  /// From file order to the block's (nn/parameters.hpp); the shapes of a file that were accepted multiply to what it
  /// has, so nothing overflows.
  /// `scales`: of I8, a float for each output channel.
  bool import(const header_entry& t, memory_order order, std::span<const std::byte> scales) {
    const auto bytes = file_.bytes_of(t);
    const bool plain = order == memory_order::plain || t.rank < 2;
    const std::uint64_t outs = plain ? t.elements : t.extents[0], ins = plain ? 1 : t.extents[1];
    const std::uint64_t inner = plain || t.elements == 0 ? 1 : t.elements / (outs * ins);
    const std::uint64_t row = scales.empty() ? 1 : t.elements / (scales.size() / sizeof(float));
    float* const to = block_ + count_;
    bool finite = true;
    for (std::uint64_t o = 0, i = 0; o < outs; ++o)
      for (std::uint64_t c = 0; c < ins; ++c)
        for (std::uint64_t k = 0; k < inner && i < t.elements; ++k) {
          float value = element(bytes, t.type, i);
          if (!scales.empty()) value *= element(scales, stored_as::f32, i / row);
          ++i;
          finite = finite && is_finite(value);
          to[(k * ins + c) * outs + o] = value;
        }
    return finite;
  }

  file_index& file_;
  float* block_;
  std::uint64_t count_ = 0;
  verdict verdict_{};
  bool fine_ = true;
  std::size_t depth_ = 0, length_ = 0;
  std::array<std::size_t, max_depth> levels_{};
  char name_[max_name] = {};
};

}  // namespace unmask::inline UNMASK_ABI::weights::detail

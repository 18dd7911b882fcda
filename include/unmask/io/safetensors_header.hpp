#pragma once

/// The JSON header of a safetensors file. It is hostile until proven: every length, offset, shape and name is checked
/// before anything is allocated.

#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "input_file.hpp"
#include "json_text.hpp"

namespace unmask::inline UNMASK_ABI::io {

struct tensor_entry {
  std::string name;
  std::string dtype;  ///< "F32", "F64", "F16", "BF16", "I64", ...
  std::vector<index_t> shape;
  std::vector<std::byte> bytes;  ///< little-endian, row-major
};

struct safetensors {
  std::map<std::string, std::string> metadata;
  std::vector<tensor_entry> tensors;  ///< in the order of their data

  const tensor_entry* find(std::string_view name) const {
    for (const tensor_entry& t : tensors)
      if (t.name == name) return &t;
    return nullptr;
  }
};

/// The format's own limit of a header.
inline constexpr std::uint64_t max_safetensors_header = 100'000'000;

namespace detail {

/// Bytes of one element; 0: not a type of the format.
inline std::uint64_t dtype_size(std::string_view dtype) {
  using row = std::pair<std::string_view, std::uint64_t>;
  constexpr std::array<row, 15> sizes{row{"F64", 8},     row{"F32", 4},     row{"F16", 2}, row{"BF16", 2},
                                      row{"F8_E4M3", 1}, row{"F8_E5M2", 1}, row{"I64", 8}, row{"I32", 4},
                                      row{"I16", 2},     row{"I8", 1},      row{"U64", 8}, row{"U32", 4},
                                      row{"U16", 2},     row{"U8", 1},      row{"BOOL", 1}};
  for (const auto& [name, size] : sizes)
    if (name == dtype) return size;
  return 0;
}

/// Brackets never nest deeper than 3 in a valid header; a deeper one is refused before the parser builds it.
inline bool nests_deeper(std::string_view text, int limit) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > limit) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

struct tensor_extent {
  std::uint64_t begin = 0, end = 0;
};

/// Takes the header event by event and keeps only what a tensor needs, so that time and memory are linear in its
/// length: a tree of JSON values took 3 GB for 100 MB, and 23 s for 20,000 empty tensors.
class safetensors_header {
 public:
  using json = nlohmann::json;
  using entry = std::pair<tensor_extent, tensor_entry>;

  explicit safetensors_header(std::uint64_t data_size) : data_size_(data_size) {}

  std::map<std::string, std::string> metadata;
  std::vector<entry> entries;

  /// What is wrong, as the end of a sentence about the file; empty where the text itself is no JSON.
  const std::string& wrong() const { return wrong_; }

  bool null() { return misplaced(); }
  bool boolean(bool) { return misplaced(); }
  bool number_integer(json::number_integer_t) { return misplaced(); }
  bool number_float(json::number_float_t, const json::string_t&) { return misplaced(); }
  bool binary(json::binary_t&) { return misplaced(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) { return false; }

  bool number_unsigned(json::number_unsigned_t n) {
    if (in_ == place::shape) {
      if (shape_.size() == 16) return fail_tensor("has no shape");
      shape_.push_back(n);
      return true;
    }
    if (in_ != place::offsets || offsets_.size() == 2) return misplaced();
    offsets_.push_back(n);
    return true;
  }
  bool string(json::string_t& text) {
    if (in_ == place::metadata) {
      metadata[key_] = text;
      return true;
    }
    if (in_ != place::tensor || key_ != "dtype") return misplaced();
    tensor_.dtype = text;
    return true;
  }
  bool start_object(std::size_t) {
    if (in_ == place::outside) return go(place::top);
    if (in_ == place::top && key_ == "__metadata__") return go(place::metadata);
    if (in_ != place::top) return misplaced();
    tensor_ = {};
    tensor_.name = key_;
    keys_.clear();
    has_shape_ = has_offsets_ = false;
    shape_.clear();
    offsets_.clear();
    return go(place::tensor);
  }
  bool end_object() {
    if (in_ == place::tensor && !finish_tensor()) return false;
    return go(in_ == place::top ? place::outside : place::top);
  }
  bool start_array(std::size_t) {
    if (in_ == place::tensor && key_ == "shape") return has_shape_ = go(place::shape);
    if (in_ == place::tensor && key_ == "data_offsets") return has_offsets_ = go(place::offsets);
    return misplaced();
  }
  bool end_array() { return go(place::tensor); }
  bool key(json::string_t& name) {
    const bool twice = in_ == place::top        ? !names_.insert(name).second
                       : in_ == place::metadata ? metadata.contains(name)
                                                : !keys_.insert(name).second;
    if (twice) return fail("the safetensors header has '" + printable(name) + "' twice");
    key_ = name;
    if (in_ == place::tensor && name != "dtype" && name != "shape" && name != "data_offsets")
      return fail_tensor("has an unknown key '" + printable(name) + "'");
    return true;
  }

 private:
  enum class place { outside, top, metadata, tensor, shape, offsets };

  bool go(place to) {
    in_ = to;
    return true;
  }
  bool fail(std::string what) {
    wrong_ = std::move(what);
    return false;
  }
  bool fail_tensor(const std::string& what) { return fail("tensor '" + printable(tensor_.name) + "' " + what); }

  /// A value that does not belong where it stands.
  bool misplaced() {
    switch (in_) {
      case place::outside:
        return fail("the safetensors header is not a JSON object");
      case place::top:
        return fail(key_ == "__metadata__" ? "the metadata is not a JSON object"
                                           : "tensor '" + printable(key_) + "' is not a JSON object");
      case place::metadata:
        return fail("metadata '" + printable(key_) + "' is not a string");
      case place::tensor:
        return fail_tensor("has no " + printable(key_));
      case place::shape:
        return fail_tensor("has a shape that is not made of sizes");
      default:
        return fail_tensor("has data_offsets that are not two growing positions");
    }
  }

  /// Everything of one tensor is there and agrees.
  bool finish_tensor() {
    const std::uint64_t size = dtype_size(tensor_.dtype);
    if (tensor_.dtype.empty()) return fail_tensor("has no dtype");
    if (size == 0) return fail_tensor("has the unknown dtype '" + printable(tensor_.dtype) + "'");
    if (!has_shape_) return fail_tensor("has no shape");
    std::uint64_t elements = 1;
    for (const std::uint64_t n : shape_) {
      // Each extent too: beside a 0 the product says nothing.
      constexpr auto most = static_cast<std::uint64_t>(max_elements);
      if (n > most || (n != 0 && elements > most / n)) return fail_tensor("claims more than 2^33 elements");
      elements *= n;
      tensor_.shape.push_back(static_cast<index_t>(n));
    }
    if (!has_offsets_) return fail_tensor("has no data_offsets");
    if (offsets_.size() != 2 || offsets_[0] > offsets_[1])
      return fail_tensor("has data_offsets that are not two growing positions");
    if (offsets_[1] > data_size_)
      return fail_tensor("ends at byte " + std::to_string(offsets_[1]) + " of the data, the file has " +
                         std::to_string(data_size_));
    if (offsets_[1] - offsets_[0] != elements * size)
      return fail_tensor("has " + std::to_string(offsets_[1] - offsets_[0]) + " bytes, " + tensor_.dtype + " [" +
                         shape_text(tensor_.shape) + "] needs " + std::to_string(elements * size));
    entries.emplace_back(tensor_extent{offsets_[0], offsets_[1]}, std::move(tensor_));
    return true;
  }

  std::uint64_t data_size_;
  place in_ = place::outside;
  std::string key_, wrong_;
  std::set<std::string> names_, keys_;
  tensor_entry tensor_;
  bool has_shape_ = false, has_offsets_ = false;
  std::vector<std::uint64_t> shape_, offsets_;
};

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::io

#pragma once

/// HDF5 identifiers that close themselves, silence on stderr, and attributes as values.

#include <hdf5.h>

#include <cmath>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "input_file.hpp"

namespace unmask::inline UNMASK_ABI::io::detail {

/// HDF5 prints a stack of its own functions on stderr for every failed call; our message is the one line.
class hdf5_quiet {
 public:
  hdf5_quiet() {
    H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~hdf5_quiet() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }
  hdf5_quiet(const hdf5_quiet&) = delete;
  hdf5_quiet& operator=(const hdf5_quiet&) = delete;

 private:
  H5E_auto2_t function_ = nullptr;
  void* data_ = nullptr;
};

class hdf5_id {
 public:
  hdf5_id() = default;
  hdf5_id(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  hdf5_id(hdf5_id&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  hdf5_id& operator=(hdf5_id&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~hdf5_id() {
    if (id_ >= 0) close_(id_);
  }
  explicit operator bool() const { return id_ >= 0; }
  operator hid_t() const { return id_; }  // NOLINT: every HDF5 call takes one

 private:
  hid_t id_ = -1;
  herr_t (*close_)(hid_t) = nullptr;
};

inline hdf5_id hdf5_open(const std::string& path) {
  return {H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose};
}

/// Numbers of 1, 2, 4 or 8 bytes that use most of their bits: HDF5 1.10 reads beyond its buffer where a damaged file
/// claims an element of 65284 bytes.
inline bool hdf5_plain_number(hid_t type) {
  const std::size_t size = H5Tget_size(type);
  return (size == 1 || size == 2 || size == 4 || size == 8) && H5Tget_precision(type) > 4 * size;
}

/// Two numbers under the names that MATLAB (real, imag) and Python (r, i) give the parts of a complex one.
inline bool hdf5_complex(hid_t type) {
  if (H5Tget_nmembers(type) != 2) return false;
  for (const unsigned part : {0u, 1u}) {
    char* name = H5Tget_member_name(type, part);
    const std::string text = name ? name : "";
    H5free_memory(name);
    if (part == 0 ? text != "real" && text != "r" : text != "imag" && text != "i") return false;
  }
  return true;
}

/// Name of a stored type, and whether it converts to float.
inline std::pair<std::string, bool> hdf5_type_name(hid_t type) {
  const std::string bits = std::to_string(H5Tget_size(type) * 8);
  const bool plain = hdf5_plain_number(type);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return {(H5Tget_sign(type) == H5T_SGN_NONE ? "uint" : "int") + bits, plain};
    case H5T_FLOAT:
      return {"float" + bits, plain};
    case H5T_ENUM: {
      char* first = H5Tget_nmembers(type) == 2 ? H5Tget_member_name(type, 0) : nullptr;
      const bool is_bool = first && std::string(first) == "FALSE";  // how h5py stores booleans
      H5free_memory(first);
      return {is_bool ? "bool" : "enum", is_bool && plain};
    }
    case H5T_STRING:
      return {"string", false};
    case H5T_COMPOUND:
      return {hdf5_complex(type) ? "complex" : "compound", false};
    case H5T_REFERENCE:
      return {"reference", false};
    case H5T_VLEN:
      return {"variable length", false};
    case H5T_ARRAY:
      return {"array", false};
    default:
      return {"opaque", false};
  }
}

/// Elements of an attribute, if there are at most 4096 of a type of at most 64 KiB.
inline std::optional<std::size_t> attribute_size(hid_t attribute) {
  const hdf5_id space(H5Aget_space(attribute), H5Sclose), type(H5Aget_type(attribute), H5Tclose);
  if (!space || !type) return std::nullopt;
  const hssize_t n = H5Sget_simple_extent_npoints(space);
  if (n < 1 || n > 4096 || H5Tget_size(type) > 65536) return std::nullopt;
  return static_cast<std::size_t>(n);
}

inline std::optional<std::vector<double>> attribute_numbers(hid_t attribute) {
  const auto n = attribute_size(attribute);
  const hdf5_id type(H5Aget_type(attribute), H5Tclose);
  if (!n || !type || (H5Tget_class(type) != H5T_INTEGER && H5Tget_class(type) != H5T_FLOAT)) return std::nullopt;
  std::vector<double> values(*n);
  if (H5Aread(attribute, H5T_NATIVE_DOUBLE, values.data()) < 0) return std::nullopt;
  return values;
}

inline std::optional<std::string> attribute_string(hid_t attribute) {
  const auto n = attribute_size(attribute);
  const hdf5_id type(H5Aget_type(attribute), H5Tclose);
  if (n != 1u || !type || H5Tget_class(type) != H5T_STRING) return std::nullopt;
  if (H5Tis_variable_str(type) > 0) {
    char* text = nullptr;
    const hdf5_id memory(H5Tcopy(type), H5Tclose);
    if (H5Aread(attribute, memory, &text) < 0 || !text) return std::nullopt;
    std::string value = text;
    H5free_memory(text);
    return value;
  }
  std::string value(H5Tget_size(type), '\0');
  if (H5Aread(attribute, type, value.data()) < 0) return std::nullopt;
  value.resize(value.find('\0') == std::string::npos ? value.size() : value.find('\0'));
  return value;
}

/// An attribute as one line of text.
inline std::string attribute_text(hid_t attribute) {
  if (const auto s = attribute_string(attribute)) return printable(*s, 200);
  const auto numbers = attribute_numbers(attribute);
  if (!numbers) return "(not text or numbers)";
  std::string text;
  for (std::size_t i = 0; i < numbers->size() && i < 16; ++i) text += (i == 0 ? "" : " ") + number_text((*numbers)[i]);
  return numbers->size() > 16 ? text + " ..." : text;
}

inline std::vector<std::pair<std::string, std::string>> attributes_of(hid_t object) {
  std::vector<std::pair<std::string, std::string>> all;
  const auto add = [](hid_t at, const char* name, const H5A_info_t*, void* to) -> herr_t {
    const hdf5_id attribute(H5Aopen(at, name, H5P_DEFAULT), H5Aclose);
    auto& list = *static_cast<std::vector<std::pair<std::string, std::string>>*>(to);
    if (attribute) list.emplace_back(name, attribute_text(attribute));
    return list.size() < 256 ? 0 : 1;
  };
  hsize_t start = 0;
  H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &start, add, &all);
  return all;
}

/// A scalar number, nothing if the attribute does not exist, NaN if it is no scalar number.
inline std::optional<double> attribute_number(hid_t object, const char* name) {
  if (H5Aexists(object, name) <= 0) return std::nullopt;
  const hdf5_id attribute(H5Aopen(object, name, H5P_DEFAULT), H5Aclose);
  const auto numbers = attribute ? attribute_numbers(attribute) : std::nullopt;
  return numbers && numbers->size() == 1 ? (*numbers)[0] : std::nan("");
}

}  // namespace unmask::inline UNMASK_ABI::io::detail

#pragma once

/// What a data file holds: names, shapes, types and attributes of its variables, whatever the format.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../core/finite.hpp"
#include "source.hpp"

namespace unmask::inline UNMASK_ABI::io {

struct variable_info {
  std::string name;            ///< HDF5: path without the leading slash, "masks/mask1"
  std::vector<index_t> shape;  ///< in the order of memory, [H, W, C]; MATLAB: as MATLAB's size() says
  std::string type;            ///< "float32", "uint16", "bool", "struct", ...
  bool numeric = false;        ///< real numbers, so that it can be read as an array
  std::vector<std::pair<std::string, std::string>> attributes;
  bool column_major = false;      ///< first index fastest in the file (MATLAB)
  std::uint64_t position = 0;     ///< MATLAB v5: where its element starts; raw: where its numbers do
  std::string location;           ///< HDF5: path of its values where that is not the name (Octave); raw: of their file
  bool swapped = false;           ///< raw: the other byte order than this machine's
  bool exact_size = false;        ///< raw: the file has nothing but these numbers
  std::string axes;               ///< what the file says of their order, "chw"; empty: nothing
  double factor = 1, offset = 0;  ///< what the file says stored numbers are to be multiplied by, and what is then added
  std::optional<double> missing;  ///< the stored number that means "no value"
  double usual_full_scale = 0;    ///< the stored number that means 1 where nobody says another; 0: there is none
  std::vector<double> numbers;    ///< the values themselves, where they stand in a header
};

struct file_info {
  std::string path;
  file_format format = file_format::unknown;
  std::vector<variable_info> variables;
  std::vector<std::pair<std::string, std::string>> attributes;  ///< of the file itself (HDF5)
};

/// "cube [256 x 256 x 31]"; with its type where that is what keeps it from being read: "mask [48 x 48] sparse".
inline std::string describe(const variable_info& v) {
  if (v.shape.empty()) return detail::printable(v.name) + " (" + v.type + ")";
  return detail::printable(v.name) + " [" + detail::shape_text(v.shape) + "]" + (v.numeric ? "" : " " + v.type);
}

/// "has: cube [256 x 256 x 31], wavelengths [31]", cut off after 12.
inline std::string describe(const file_info& file) {
  if (file.variables.empty()) return "has no variables";
  std::string text = "has: ";
  for (std::size_t i = 0; i < file.variables.size() && i < 12; ++i)
    text += (i == 0 ? "" : ", ") + describe(file.variables[i]);
  if (file.variables.size() > 12) text += " and " + std::to_string(file.variables.size() - 12) + " more";
  return text;
}

namespace detail {

inline error variable_error(errc code, const std::string& path, const variable_info& v, const std::string& what) {
  return error(code, printable(path, 1000) + ": variable '" + printable(v.name) + "' " + what);
}

/// The refusal of a variable that holds no real numbers, with what makes them of it.
inline error type_error(const std::string& path, const variable_info& v) {
  const auto is = [&](const char* text) { return v.type.find(text) != std::string::npos; };
  const std::string name = printable(v.name, 40);
  std::string remedy;
  if (is("sparse"))
    remedy = " (in MATLAB: " + name + " = full(" + name + "))";
  else if (is("complex"))
    remedy = " (take real() or abs() of it first)";
  else if (is("struct"))
    remedy = " (store its field as a variable of its own)";
  else if (is("cell"))
    remedy = " (store its content as an array: cat(3, " + name + "{:}))";
  else if (is("string") || is("char"))
    remedy = " (text)";
  return variable_error(errc::wrong_value, path, v, "is of type " + v.type + ", expected real numbers" + remedy);
}

/// Elements of a variable; refuses sizes that are empty or absurd before anything is allocated.
inline result<std::int64_t> checked_elements(const std::string& path, const variable_info& v) {
  std::int64_t n = 1;
  for (const index_t e : v.shape) {
    if (e <= 0) return variable_error(errc::wrong_shape, path, v, "is empty [" + shape_text(v.shape) + "]");
    if (e > max_elements / n)
      return variable_error(
          errc::wrong_shape, path, v,
          "claims [" + shape_text(v.shape) + "] elements, the limit is " + std::to_string(max_elements));
    n *= e;
  }
  return n;
}

/// values (first index fastest) -> row-major.
template <class T>
void to_row_major(const T* values, const std::vector<index_t>& shape, T* to) {
  const std::size_t rank = shape.size();
  std::vector<index_t> stride(rank, 1), at(rank, 0);
  index_t size = 1;
  for (const index_t e : shape) size *= e;
  for (std::size_t d = rank; d-- > 1;) stride[d - 1] = stride[d] * shape[d];
  for (index_t i = 0, offset = 0; i < size; ++i) {
    to[offset] = values[i];
    for (std::size_t d = 0; d < rank; ++d) {
      offset += stride[d];
      if (++at[d] < shape[d]) break;
      offset -= stride[d] * shape[d];
      at[d] = 0;
    }
  }
}

/// Where the first NaN or infinity is and how many there are. `row`: where `values` starts along the first axis, if
/// `v.shape` is a part of the variable only.
template <class T>
result<> check_finite(const std::string& path, const variable_info& v, const T* values, index_t row = 0) {
  index_t size = 1, count = 0, first = 0;
  for (const index_t e : v.shape) size *= e;
  for (index_t i = size; i-- > 0;)
    if (!is_finite(values[i])) {
      ++count;
      first = i;
    }
  if (count == 0) return {};
  std::string where;
  for (std::size_t d = v.shape.size(); d-- > 0; first /= v.shape[d])
    where = std::to_string(first % v.shape[d] + (d == 0 ? row : 0)) + (where.empty() ? "" : ", ") + where;
  return variable_error(errc::wrong_value, path, v,
                        "has " + std::to_string(count) + " of " + std::to_string(size) +
                            " values that are NaN or infinite, the first at [" + where + "]");
}

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::io

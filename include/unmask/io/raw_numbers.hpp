#pragma once

/// Numbers one after the other behind a header: NPY and ENVI. Their readers say where the numbers are and of which type
/// (variable_info: location, position, type, swapped); here they are read.

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "../core/half.hpp"
#include "data_format.hpp"

namespace unmask::inline UNMASK_ABI::io::detail {

struct number_type {
  std::string_view name;  ///< as files are listed
  std::string_view code;  ///< as NumPy writes it
};
inline constexpr std::array<number_type, 12> number_types{{{"uint8", "u1"},
                                                           {"int8", "i1"},
                                                           {"uint16", "u2"},
                                                           {"int16", "i2"},
                                                           {"uint32", "u4"},
                                                           {"int32", "i4"},
                                                           {"uint64", "u8"},
                                                           {"int64", "i8"},
                                                           {"float16", "f2"},
                                                           {"float32", "f4"},
                                                           {"float64", "f8"},
                                                           {"bool", "b1"}}};

/// Bytes of one number of a listed type; 0 where it is none of them.
inline std::uint64_t number_bytes(std::string_view name) {
  for (const number_type& t : number_types)
    if (t.name == name) return static_cast<std::uint64_t>(t.code[1] - '0');
  return 0;
}

/// body(number) of type T for each of the bytes' numbers.
template <class T, class Body>
void each_number(const std::byte* bytes, std::size_t count, bool swapped, const Body& body) {
  for (std::size_t i = 0; i < count; ++i) {
    std::array<std::byte, sizeof(T)> one;
    std::memcpy(one.data(), bytes + i * sizeof(T), sizeof(T));
    if (swapped) std::reverse(one.begin(), one.end());
    body(std::bit_cast<T>(one));
  }
}

template <class Body>
void each_number(std::string_view type, const std::byte* bytes, std::size_t count, bool swapped, const Body& body) {
  if (type == "uint8" || type == "bool") return each_number<std::uint8_t>(bytes, count, swapped, body);
  if (type == "int8") return each_number<std::int8_t>(bytes, count, swapped, body);
  if (type == "uint16") return each_number<std::uint16_t>(bytes, count, swapped, body);
  if (type == "int16") return each_number<std::int16_t>(bytes, count, swapped, body);
  if (type == "uint32") return each_number<std::uint32_t>(bytes, count, swapped, body);
  if (type == "int32") return each_number<std::int32_t>(bytes, count, swapped, body);
  if (type == "uint64") return each_number<std::uint64_t>(bytes, count, swapped, body);
  if (type == "int64") return each_number<std::int64_t>(bytes, count, swapped, body);
  if (type == "float32") return each_number<float>(bytes, count, swapped, body);
  if (type == "float64") return each_number<double>(bytes, count, swapped, body);
  each_number<std::uint16_t>(bytes, count, swapped, [&](std::uint16_t h) { body(unmask::detail::half_to_float(h)); });
}

/// Whether the file has as many numbers as its header says. `exactly`: no more either, because a header beside the data
/// can belong to another file.
inline result<> check_raw_size(const std::string& path, const variable_info& v) {
  const auto count = checked_elements(path, v);
  if (!count) return count.error();
  auto file = input_file::open(v.location);
  if (!file) return file.error();
  const std::uint64_t expected = v.position + static_cast<std::uint64_t>(*count) * number_bytes(v.type);
  if (file->size() < expected || (v.exact_size && file->size() != expected))
    return variable_error(errc::unreadable, path, v,
                          "is [" + shape_text(v.shape) + "] of " + v.type + ": expected " + std::to_string(expected) +
                              " bytes in " + printable(v.location, 1000) + ", found " + std::to_string(file->size()));
  return {};
}

/// `count` numbers of a listed type from where the file stands; false at its end.
template <class T, class File>
bool read_numbers(File& file, const variable_info& v, std::size_t count, T* to) {
  const auto bytes = static_cast<std::size_t>(number_bytes(v.type));
  std::array<std::byte, 65536> block;
  const std::size_t at_once = block.size() / bytes;
  for (std::size_t done = 0; done < count;) {
    const std::size_t n = (std::min)(at_once, count - done);
    if (!file.read(block.data(), n * bytes)) return false;
    each_number(v.type, block.data(), n, v.swapped, [&](auto x) { to[done++] = static_cast<T>(x); });
  }
  return true;
}

/// As stored, in the file's order. `to` has room for all of them.
template <class T>
result<> read_raw(const std::string& path, const variable_info& v, T* to) {
  if (!v.numbers.empty()) {
    std::transform(v.numbers.begin(), v.numbers.end(), to, [](double x) { return static_cast<T>(x); });
    return {};
  }
  if (auto fine = check_raw_size(path, v); !fine) return fine;
  auto file = input_file::open(v.location);
  if (!file) return file.error();
  const auto count = static_cast<std::size_t>(*checked_elements(path, v));
  return file->seek(v.position) && read_numbers(*file, v, count, to)
             ? result<>()
             : error(errc::unreadable, file->name() + ": cannot be read to its end");
}

/// Entries of the first axis, of a variable whose numbers are a whole (`check_raw_size`) and in C order.
inline result<> read_raw_rows(const std::string&, const variable_info& v, index_t first, index_t count, float* to) {
  auto file = input_file::open(v.location);
  if (!file) return file.error();
  std::uint64_t row = 1;
  for (std::size_t d = 1; d < v.shape.size(); ++d) row *= static_cast<std::uint64_t>(v.shape[d]);
  return file->seek(v.position + static_cast<std::uint64_t>(first) * row * number_bytes(v.type)) &&
                 read_numbers(*file, v, static_cast<std::size_t>(count) * row, to)
             ? result<>()
             : error(errc::unreadable, file->name() + ": cannot be read to its end");
}

}  // namespace unmask::inline UNMASK_ABI::io::detail

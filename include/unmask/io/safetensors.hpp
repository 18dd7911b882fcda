#pragma once

/// The safetensors format (github.com/huggingface/safetensors): u64 length of a JSON header, the header, the data.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <span>

#include "../core/half.hpp"
#include "atomic_file.hpp"
#include "safetensors_header.hpp"

namespace unmask::inline UNMASK_ABI::io {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

/// Parses a file in memory; `name` is what error messages call it.
inline result<safetensors> parse_safetensors(std::span<const std::byte> file, const std::string& name) {
  const auto bad = [&](const std::string& what) {
    return error(errc::unreadable, detail::printable(name, 1000) + ": " + what);
  };
  std::uint64_t header = 0;
  if (file.size() < 8) return bad("truncated safetensors file (" + std::to_string(file.size()) + " bytes)");
  std::memcpy(&header, file.data(), 8);
  if (header > max_safetensors_header || header > file.size() - 8)
    return bad("not a safetensors file, or truncated (the header claims " + std::to_string(header) +
               " bytes, the file has " + std::to_string(file.size()) + ")");
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + 8, static_cast<std::size_t>(header));
  const std::span<const std::byte> data = file.subspan(8 + static_cast<std::size_t>(header));
  if (text.empty() || text[0] != '{') return bad("the safetensors header is not a JSON object");
  detail::safetensors_header read(data.size());
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &read))
    return bad(read.wrong().empty() ? "the safetensors header is not a JSON object" : read.wrong());

  safetensors found;
  found.metadata = std::move(read.metadata);
  auto& entries = read.entries;
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first.begin, a.first.end) < std::pair(b.first.begin, b.first.end);
  });
  std::uint64_t expected = 0;
  for (auto& [at, t] : entries) {
    if (at.begin != expected)
      return bad("tensor '" + detail::printable(t.name) + "' starts at byte " + std::to_string(at.begin) +
                 " of the data, expected " + std::to_string(expected) +
                 (at.begin < expected ? " (overlap)" : " (gap)"));
    expected = at.end;
    const auto bytes = data.subspan(static_cast<std::size_t>(at.begin), static_cast<std::size_t>(at.end - at.begin));
    t.bytes.assign(bytes.begin(), bytes.end());
    found.tensors.push_back(std::move(t));
  }
  if (expected != data.size()) return bad(std::to_string(data.size() - expected) + " bytes after the last tensor");
  return found;
}

/// Reads and parses a file.
inline result<safetensors> read_safetensors(const std::string& path) {
  const auto bytes = read_file(path);
  if (!bytes) return bytes.error();
  return parse_safetensors(*bytes, path);
}

namespace detail {

template <class Stored, class Convert>
std::vector<float> convert_all(const std::vector<std::byte>& bytes, Convert convert) {
  std::vector<float> values(bytes.size() / sizeof(Stored));
  for (std::size_t i = 0; i < values.size(); ++i) {
    Stored s;
    std::memcpy(&s, bytes.data() + i * sizeof s, sizeof s);
    values[i] = convert(s);
  }
  return values;
}

}  // namespace detail

/// The values of a tensor of F32, F64, F16 or BF16 as float.
inline result<std::vector<float>> to_floats(const tensor_entry& t) {
  if (t.dtype == "F32") return detail::convert_all<float>(t.bytes, [](float x) { return x; });
  if (t.dtype == "F64") return detail::convert_all<double>(t.bytes, [](double x) { return static_cast<float>(x); });
  if (t.dtype == "F16") return detail::convert_all<std::uint16_t>(t.bytes, unmask::detail::half_to_float);
  if (t.dtype == "BF16")  // the upper half of a float
    return detail::convert_all<std::uint16_t>(
        t.bytes, [](std::uint16_t x) { return std::bit_cast<float>(std::uint32_t{x} << 16); });
  return error(errc::wrong_value,
               "tensor '" + detail::printable(t.name) + "' is " + t.dtype + ", expected F32, F64, F16 or BF16");
}

/// A tensor of F32.
inline tensor_entry make_tensor(std::string name, std::vector<index_t> shape, std::span<const float> values) {
  const auto bytes = std::as_bytes(values);
  return {std::move(name), "F32", std::move(shape), {bytes.begin(), bytes.end()}};
}

/// The file as bytes. Errors: a name twice, a size that contradicts shape and dtype.
inline result<std::vector<std::byte>> format_safetensors(const safetensors& file) {
  const auto bad = [](const tensor_entry& t, const std::string& what) {
    return error(errc::bad_argument, "safetensors: tensor '" + detail::printable(t.name) + "' " + what);
  };
  nlohmann::json header = nlohmann::json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  std::uint64_t at = 0;
  for (const tensor_entry& t : file.tensors) {
    if (header.contains(t.name) || t.name == "__metadata__") return bad(t, "is there twice");
    std::uint64_t bytes = detail::dtype_size(t.dtype);
    for (const index_t e : t.shape) bytes *= static_cast<std::uint64_t>(e);
    if (detail::dtype_size(t.dtype) == 0 || bytes != t.bytes.size())
      return bad(t, "has " + std::to_string(t.bytes.size()) + " bytes for " + t.dtype + " [" +
                        detail::shape_text(t.shape) + "]");
    header[t.name] = {{"dtype", t.dtype}, {"shape", t.shape}, {"data_offsets", {at, at + bytes}}};
    at += bytes;
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');  // the data is aligned to 8 bytes
  const std::uint64_t length = text.size();
  std::vector<std::byte> out(8 + text.size());
  std::memcpy(out.data(), &length, 8);
  std::memcpy(out.data() + 8, text.data(), text.size());
  out.reserve(out.size() + static_cast<std::size_t>(at));
  for (const tensor_entry& t : file.tensors) out.insert(out.end(), t.bytes.begin(), t.bytes.end());
  return out;
}

inline result<> write_safetensors(const std::string& path, const safetensors& file) {
  const auto bytes = format_safetensors(file);
  if (!bytes) return bytes.error();
  return write_file(path, std::span<const std::byte>(*bytes));
}

}  // namespace unmask::inline UNMASK_ABI::io

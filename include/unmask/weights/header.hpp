#pragma once

/// The header of a safetensors file, read without heap: names, shapes and places of tensors, and texts. It is hostile
/// until proven: every length, offset, shape and name is checked before anything is used.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "json_reader.hpp"
#include "verdict.hpp"

namespace unmask::inline UNMASK_ABI::weights::detail {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

enum class stored_as { f32, f16, i8, other };

/// A tensor, or a text of the metadata.
struct header_entry {
  std::string_view name{}, text{};
  stored_as type = stored_as::other;
  unsigned rank = 0;
  std::array<std::uint64_t, 4> extents{};
  std::uint64_t elements = 1, begin = 0, end = 0;  ///< bytes of the data
  std::uint64_t sum = 0;                           ///< that the file says its bytes have
  bool summed = false, used = false;
};

/// What a header asks for.
struct header_sizes {
  std::size_t texts = 0, tensors = 0, header = 0;
  std::uint64_t elements = 0;  ///< of all tensors
};

/// Bytes of an element; 0: a type that no weights have.
[[gnu::cold]] inline std::uint64_t element_size(std::string_view dtype, stored_as& type) {
  type = dtype == "F32"   ? stored_as::f32
         : dtype == "F16" ? stored_as::f16
         : dtype == "I8"  ? stored_as::i8
                          : stored_as::other;
  return type == stored_as::f32 ? 4 : type == stored_as::f16 ? 2 : type == stored_as::i8 ? 1 : 0;
}

/// {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}: each once, nothing else, and they agree.
[[gnu::cold]] inline verdict read_tensor(json_reader& json, std::uint64_t data_size, header_entry& t) {
  const shown name(t.name);
  const auto refuse = [&](const char* what) {
    return verdict::refuse(errc::unreadable, "tensor '%.*s' %s", name.size, name.text, what);
  };
  constexpr std::array<std::string_view, 3> keys{"dtype", "shape", "data_offsets"};
  std::array<bool, 3> there{};
  std::array<std::uint64_t, 2> offsets{};
  std::size_t places = 0;
  std::string_view key, dtype;
  for (bool more = json.object(); more && json.key(key);) {
    const auto which = static_cast<std::size_t>(std::find(keys.begin(), keys.end(), key) - keys.begin());
    if (which == keys.size() || there[which]) return refuse("has an unknown key, or one twice");
    there[which] = true;
    if (which == 0) json.string(dtype);
    if (which == 1)
      for (bool again = json.array(); again && json.element();) {
        if (t.rank == t.extents.size()) return refuse("has more than 4 dimensions");
        json.unsigned_integer(t.extents[t.rank++]);
      }
    if (which == 2)
      for (bool again = json.array(); again && json.element();) {
        if (places == offsets.size()) return refuse("has more than two data_offsets");
        json.unsigned_integer(offsets[places++]);
      }
  }
  if (!json.fine() || !there[0] || !there[1] || places != 2) return refuse("has no dtype, shape and data_offsets");
  const std::uint64_t size = element_size(dtype, t.type);
  if (size == 0) return refuse("is neither F32, F16 nor I8");
  for (unsigned i = 0; i < t.rank; ++i) {
    const std::uint64_t n = t.extents[i];
    if (n > data_size || (n != 0 && t.elements > data_size / n))
      return refuse("claims more elements than the file has");
    t.elements *= n;
  }
  t.begin = offsets[0], t.end = offsets[1];
  if (t.begin > t.end || t.end > data_size) return refuse("has data_offsets that lie outside the file");
  if (t.end - t.begin != t.elements * size) return refuse("has other bytes than its shape needs");
  return {};
}

/// Where entries go as they are met; without a place they are only counted.
struct header_sink {
  header_sizes sizes{};
  header_entry *texts = nullptr, *tensors = nullptr;
  char* room = nullptr;  ///< of decoded names and texts, which are never longer than what is written

  [[gnu::cold]] std::string_view decoded(std::string_view raw) {
    char* const begin = room;
    room = decode(raw, room);
    return {begin, static_cast<std::size_t>(room - begin)};
  }
  [[gnu::cold]] void text(std::string_view name, std::string_view value) {
    ++sizes.texts;
    if (!texts) return;
    const std::string_view key = decoded(name);
    *texts++ = {.name = key, .text = decoded(value)};
  }
  [[gnu::cold]] void tensor(const header_entry& t) {
    ++sizes.tensors;
    sizes.elements += t.elements;
    if (!tensors) return;
    *tensors = t;
    tensors++->name = decoded(t.name);
  }
};

[[gnu::cold]] inline verdict walk_header(std::string_view header, std::uint64_t data_size, header_sink& sink) {
  json_reader json(header);
  std::string_view name, key, value;
  bool texts = false;
  for (bool more = json.object(); more && json.key(name);) {
    if (name == "__metadata__") {
      if (texts) return verdict::refuse(errc::unreadable, "the header has '__metadata__' twice");
      texts = true;
      for (bool again = json.object(); again && json.key(key);)
        if (json.string(value)) sink.text(key, value);
      continue;
    }
    header_entry t{.name = name};
    if (auto ok = read_tensor(json, data_size, t); !ok) return ok;
    sink.tensor(t);
  }
  if (!json.finished()) return verdict::refuse(errc::unreadable, "the safetensors header is not the JSON it must be");
  return {};
}

/// Header and data of a file's bytes.
[[gnu::cold]] inline verdict split(std::span<const std::byte> file, std::string_view& header,
                                   std::span<const std::byte>& data) {
  std::uint64_t length = 0;
  if (file.size() < 8) return verdict::refuse(errc::unreadable, "truncated safetensors file (%zu bytes)", file.size());
  std::memcpy(&length, file.data(), 8);
  if (length > 100'000'000 || length > file.size() - 8)
    return verdict::refuse(errc::unreadable,
                           "not a safetensors file, or truncated (the header claims %llu bytes, the file has %zu)",
                           static_cast<unsigned long long>(length), file.size());
  const auto size = static_cast<std::size_t>(length);
  header = {reinterpret_cast<const char*>(file.data()) + 8, size};
  data = file.subspan(8 + size);
  if (header.empty() || header[0] != '{')
    return verdict::refuse(errc::unreadable, "the safetensors header is not a JSON object");
  return {};
}

[[gnu::cold]] inline verdict measure_header(std::span<const std::byte> file, header_sizes& sizes) {
  std::string_view header;
  std::span<const std::byte> data;
  if (auto ok = split(file, header, data); !ok) return ok;
  header_sink count;
  auto ok = walk_header(header, data.size(), count);
  sizes = count.sizes;
  sizes.header = header.size();
  return ok;
}

}  // namespace unmask::inline UNMASK_ABI::weights::detail

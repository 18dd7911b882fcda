#pragma once

/// What is in a zip archive, and the bytes of one entry: stored or deflated, sizes of 32 or 64 bits. Source:
/// APPNOTE.TXT, "ZIP File Format Specification" 6.3. Entries that share bytes, as those of archives built to harm do,
/// are refused, so that reading all of them takes time in proportion to the file.

#include <zlib.h>

#include <array>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "input_file.hpp"

namespace unmask::inline UNMASK_ABI::io::detail {

struct zip_entry {
  std::string name;
  bool deflated = false;
  std::uint32_t sum = 0;
  std::uint64_t packed = 0, size = 0;  ///< bytes in the archive, and of the entry itself
  std::uint64_t begin = 0;             ///< of its own header in the archive
};

inline std::uint64_t zip_number(std::string_view bytes, std::size_t at, std::size_t count) {
  std::uint64_t n = 0;
  for (std::size_t i = count; i-- > 0;) n = n << 8 | static_cast<unsigned char>(bytes[at + i]);
  return n;
}

inline error zip_damaged(const input_file& file, const std::string& what) {
  return error(errc::unreadable, file.name() + ": truncated or damaged zip archive (" + what + ")");
}

/// Where the directory lies: its first byte, its bytes, its entries.
struct zip_directory {
  std::uint64_t begin = 0, bytes = 0, count = 0;
};

/// From the record that ends the archive; a comment may follow it.
inline result<zip_directory> find_zip_directory(input_file& file) {
  const std::uint64_t tail = std::min<std::uint64_t>(file.size(), 20 + 22 + 65535);
  const std::uint64_t from = file.size() - tail;
  std::string text(static_cast<std::size_t>(tail), '\0');
  if (!file.seek(from) || !file.read(text.data(), text.size())) return zip_damaged(file, "cannot be read");
  for (std::size_t at = text.size(); at-- > 0;) {
    if (text.size() - at < 22 || text.compare(at, 4, "PK\5\6") != 0 ||
        zip_number(text, at + 20, 2) != text.size() - at - 22)
      continue;
    if (zip_number(text, at + 4, 4) != 0) return zip_damaged(file, "one of several volumes");
    zip_directory d{zip_number(text, at + 16, 4), zip_number(text, at + 12, 4), zip_number(text, at + 10, 2)};
    std::uint64_t end = from + at;
    if (at >= 20 && text.compare(at - 20, 4, "PK\6\7") == 0) {
      std::string wide(56, '\0');
      end = zip_number(text, at - 12, 8);
      if (end > file.size() || !file.seek(end) || !file.read(wide.data(), wide.size()) ||
          wide.compare(0, 4, "PK\6\6") != 0)
        return zip_damaged(file, "its end does not say where its directory is");
      d = {zip_number(wide, 48, 8), zip_number(wide, 40, 8), zip_number(wide, 32, 8)};
    }
    if (d.begin > end || d.bytes > end - d.begin || d.count > d.bytes / 46)
      return zip_damaged(file, "its directory lies beyond its end");
    return d;
  }
  return zip_damaged(file, "without its end");
}

/// The entry at byte `at` of a directory, which then stands behind it; nothing where it is damaged.
inline std::optional<zip_entry> next_zip_entry(std::string_view directory, std::size_t& at) {
  if (directory.size() - at < 46 || directory.compare(at, 4, "PK\1\2") != 0) return std::nullopt;
  const std::uint64_t method = zip_number(directory, at + 10, 2), name = zip_number(directory, at + 28, 2),
                      extra = zip_number(directory, at + 30, 2), comment = zip_number(directory, at + 32, 2);
  if (directory.size() - at - 46 < name + extra + comment) return std::nullopt;
  const bool encrypted = (zip_number(directory, at + 8, 2) & 1) != 0;
  if (encrypted || (method != 0 && method != 8)) return std::nullopt;
  zip_entry e{std::string(directory.substr(at + 46, name)),
              method == 8,
              static_cast<std::uint32_t>(zip_number(directory, at + 16, 4)),
              zip_number(directory, at + 20, 4),
              zip_number(directory, at + 24, 4),
              zip_number(directory, at + 42, 4)};
  const std::string_view more = directory.substr(at + 46 + name, extra);
  for (std::size_t k = 0; more.size() - k >= 4;) {
    const std::uint64_t id = zip_number(more, k, 2), bytes = zip_number(more, k + 2, 2);
    if (more.size() - k - 4 < bytes) return std::nullopt;
    std::size_t field = k + 4;
    if (id == 1)
      for (std::uint64_t* n : {&e.size, &e.packed, &e.begin})
        if (*n == 0xffffffff) {
          if (k + 4 + bytes - field < 8) return std::nullopt;
          *n = zip_number(more, field, 8);
          field += 8;
        }
    k += 4 + bytes;
  }
  at += 46 + name + extra + comment;
  return e;
}

/// Errors: `unreadable` (no end, entries beyond it, twice the same name, entries that share bytes, a way of packing
/// other than deflate, encrypted).
inline result<std::vector<zip_entry>> list_zip(input_file& file) {
  const auto d = find_zip_directory(file);
  if (!d) return d.error();
  std::string directory(static_cast<std::size_t>(d->bytes), '\0');
  if (!file.seek(d->begin) || !file.read(directory.data(), directory.size()))
    return zip_damaged(file, "cannot be read");
  std::vector<zip_entry> entries;
  std::map<std::uint64_t, std::uint64_t> taken;  // begin and end of each entry
  std::map<std::string, int> names;
  std::size_t at = 0;
  for (std::uint64_t i = 0; i < d->count; ++i) {
    auto e = next_zip_entry(directory, at);
    if (!e)
      return zip_damaged(file, "entry " + std::to_string(i) +
                                   " is encrypted, damaged or packed in a way other "
                                   "than deflate");
    const std::string name = "'" + printable(e->name) + "'";
    if (++names[e->name] > 1) return zip_damaged(file, name + " is there twice");
    if (e->begin > d->begin || e->packed > d->begin - e->begin || (!e->deflated && e->packed != e->size))
      return zip_damaged(file, name + " lies beyond its end");
    // the most that deflate can pack
    if (e->size / 1032 > e->packed)
      return zip_damaged(file, name + " claims " + std::to_string(e->size) + " bytes in " + std::to_string(e->packed));
    if (!taken.emplace(e->begin, e->begin + 30 + e->name.size() + e->packed).second)
      return zip_damaged(file, name + " has the bytes of another");
    entries.push_back(std::move(*e));
  }
  std::uint64_t end = 0;
  for (const auto& [begin, after] : taken) {
    if (begin < end) return zip_damaged(file, "entries have the same bytes");
    end = after;
  }
  return entries;
}

}  // namespace unmask::inline UNMASK_ABI::io::detail

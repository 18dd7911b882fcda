#pragma once

/// Tensors and texts of a safetensors file, sorted by name, in memory of the caller.

#include "header.hpp"

namespace unmask::inline UNMASK_ABI::weights::detail {

/// FNV-1a, 64 bits: the sums of a weights file.
class fnv1a {
 public:
  void add(std::span<const std::byte> bytes) {
    for (const std::byte b : bytes) sum_ = (sum_ ^ static_cast<std::uint64_t>(b)) * 0x100000001b3u;
  }
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  /// A number in decimal digits, and a blank.
  void add_length(std::size_t n) {
    char digits[24];
    add(std::string_view(digits, static_cast<std::size_t>(std::snprintf(digits, sizeof digits, "%zu ", n))));
  }
  std::uint64_t sum() const { return sum_; }

 private:
  std::uint64_t sum_ = 0xcbf29ce484222325u;
};

/// 16 hexadecimal digits, as a file has them.
inline bool read_sum(std::string_view digits, std::uint64_t& sum) {
  if (digits.size() != 16) return false;
  sum = 0;
  for (const char c : digits) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return false;
    sum = sum << 4 | static_cast<std::uint64_t>(digit);
  }
  return true;
}

class file_index {
 public:
  /// Bytes that `open` takes: entries and decoded texts.
  static std::uint64_t bytes(const header_sizes& s) {
    return (std::uint64_t{s.texts} + s.tensors) * sizeof(header_entry) + s.header;
  }

  /// `room` has `bytes(sizes)` and is aligned for an entry. Errors: a name twice, tensors that leave gaps or overlap.
  [[gnu::cold]] verdict open(std::span<const std::byte> file, const header_sizes& sizes, std::byte* room) {
    std::string_view header;
    if (auto ok = split(file, header, data_); !ok) return ok;
    auto* entries = reinterpret_cast<header_entry*>(room);
    texts_ = {entries, sizes.texts};
    tensors_ = {entries + sizes.texts, sizes.tensors};
    header_sink fill{.texts = entries,
                     .tensors = entries + sizes.texts,
                     .room = reinterpret_cast<char*>(entries + sizes.texts + sizes.tensors)};
    if (auto ok = walk_header(header, data_.size(), fill); !ok) return ok;
    sort(tensors_, by_place);
    std::uint64_t expected = 0;
    for (const header_entry& t : tensors_) {
      const shown name(t.name);
      if (t.begin != expected)
        return verdict::refuse(errc::unreadable, "tensor '%.*s' does not start where the one before it ends", name.size,
                               name.text);
      expected = t.end;
    }
    if (expected != data_.size()) return verdict::refuse(errc::unreadable, "bytes follow the last tensor");
    for (const auto& list : {texts_, tensors_}) {
      sort(list, by_name);
      for (std::size_t i = 1; i < list.size(); ++i)
        if (const shown name(list[i].name); list[i].name == list[i - 1].name)
          return verdict::refuse(errc::unreadable, "the header has '%.*s' twice", name.size, name.text);
    }
    return {};
  }

  std::span<header_entry> tensors() { return tensors_; }
  std::span<const header_entry> texts() const { return texts_; }
  std::span<const std::byte> bytes_of(const header_entry& t) const {
    return data_.subspan(static_cast<std::size_t>(t.begin), static_cast<std::size_t>(t.end - t.begin));
  }
  header_entry* find(std::string_view name) { return find(tensors_, name); }
  /// A text of the metadata; empty where there is none.
  [[gnu::cold]] std::string_view text(std::string_view key) const {
    const header_entry* t = find(texts_, key);
    return t ? t->text : std::string_view();
  }

  /// Takes the sums of tensors and metadata from the file's own list.
  [[gnu::cold]] verdict read_sums() {
    json_reader json(text("checksums"));
    std::string_view name, digits;
    for (bool more = json.object(); more && json.key(name);) {
      std::uint64_t sum = 0;
      if (!json.string(digits)) break;
      if (!read_sum(digits, sum)) return damaged();
      if (name == "__metadata__") {
        if (summed_) return damaged();
        sum_ = sum, summed_ = true;
      } else if (header_entry* t = find(name); t && !t->summed) {
        t->sum = sum, t->summed = true;
      } else {
        return damaged();
      }
    }
    return json.finished() ? verdict() : damaged();
  }

  /// Whether the metadata is what was written; files of a time have no sum of it.
  [[gnu::cold]] verdict check_metadata() const {
    fnv1a all;
    for (const header_entry& t : texts_) {
      if (t.name == "checksums") continue;
      all.add_length(t.name.size()), all.add(t.name);
      all.add_length(t.text.size()), all.add(t.text);
    }
    if (!summed_ || all.sum() == sum_) return {};
    return verdict::refuse(errc::unreadable, "the metadata is damaged (its checksum does not match)");
  }

 private:
  using order = bool (*)(const header_entry&, const header_entry&);

  static bool by_name(const header_entry& a, const header_entry& b) { return a.name < b.name; }
  static bool by_place(const header_entry& a, const header_entry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  }
  /// Half the machine code of std::sort, and never quadratic.
  [[gnu::cold, gnu::noinline]] static void sort(std::span<header_entry> list, order before) {
    std::make_heap(list.begin(), list.end(), before);
    std::sort_heap(list.begin(), list.end(), before);
  }
  [[gnu::cold]] static verdict damaged() {
    return verdict::refuse(errc::unreadable, "metadata 'checksums' is missing or damaged");
  }
  [[gnu::cold]] static header_entry* find(std::span<header_entry> list, std::string_view name) {
    const auto at = std::lower_bound(list.begin(), list.end(), name,
                                     [](const header_entry& e, std::string_view n) { return e.name < n; });
    return at != list.end() && at->name == name ? &*at : nullptr;
  }

  std::span<header_entry> texts_{}, tensors_{};
  std::span<const std::byte> data_{};
  std::uint64_t sum_ = 0;
  bool summed_ = false;
};

}  // namespace unmask::inline UNMASK_ABI::weights::detail

#pragma once

/// Cubes and planes from files that may have been built to harm (an upload, a download). HDF5 1.10 over-reads while it
/// opens damaged files and can be made to take gigabytes by 284 bytes, before any check of ours; here that happens in a
/// child process, and what comes back is checked again.
///
///   auto cube = io::read_cube_untrusted(io::parse_source("upload.h5"), {}, {.seconds = 10, .memory = 1u << 30});

#include "child_process.hpp"
#include "cube.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {

/// Numbers, texts and arrays one behind another.
class packer {
 public:
  template <class T>
  packer& add(const std::vector<T>& values) {
    const std::uint64_t count = values.size();
    append(std::as_bytes(std::span(&count, 1)));
    append(std::as_bytes(std::span(values)));
    return *this;
  }
  packer& add(const std::string& text) { return add(std::vector<char>(text.begin(), text.end())); }
  template <std::size_t Rank>
  packer& add(const tensor<float, Rank>& array) {
    add(std::vector<std::int64_t>(array.extents().begin(), array.extents().end()));
    append(std::as_bytes(std::span(array.data(), static_cast<std::size_t>(array.size()))));
    return *this;
  }
  std::vector<std::byte> bytes;

 private:
  void append(std::span<const std::byte> more) { bytes.insert(bytes.end(), more.begin(), more.end()); }
};

/// The way back. The child may be in the hands of whoever built the file: every length is checked.
class unpacker {
 public:
  explicit unpacker(std::span<const std::byte> bytes) : left_(bytes) {}

  template <class T>
  bool take(std::vector<T>& values) {
    std::uint64_t count = 0;
    if (!copy(&count, sizeof count) || count > left_.size() / sizeof(T)) return false;
    values.resize(static_cast<std::size_t>(count));
    return copy(values.data(), values.size() * sizeof(T));
  }
  bool take(std::string& text) {
    std::vector<char> letters;
    if (!take(letters)) return false;
    text.assign(letters.begin(), letters.end());
    return true;
  }
  template <std::size_t Rank>
  bool take(tensor<float, Rank>& array) {
    std::vector<std::int64_t> found;
    if (!take(found) || found.size() != Rank) return false;
    std::array<index_t, Rank> extents{};
    std::int64_t count = 1;
    for (std::size_t d = 0; d < Rank; ++d) {
      if (found[d] <= 0 || found[d] > max_elements / count) return false;
      count *= found[d];
      extents[d] = static_cast<index_t>(found[d]);
    }
    if (static_cast<std::uint64_t>(count) > left_.size() / sizeof(float)) return false;
    array = tensor<float, Rank>(extents);
    if (!copy(array.data(), static_cast<std::size_t>(count) * sizeof(float))) return false;
    return std::all_of(array.begin(), array.end(), [](float x) { return is_finite(x); });
  }
  bool done() const { return left_.empty(); }

 private:
  bool copy(void* to, std::size_t count) {
    if (count > left_.size()) return false;
    if (count > 0) std::memcpy(to, left_.data(), count);
    left_ = left_.subspan(count);
    return true;
  }
  std::span<const std::byte> left_;
};

inline error sent_nonsense(const source& from) {
  return error(errc::unreadable, printable(from.path, 1000) + ": the process that read it sent nonsense");
}

}  // namespace detail

/// `read_cube` in a child process. Errors: those of `read_cube`, and `unreadable` where the child crashed or took more
/// than it may.
inline result<cube_file> read_cube_untrusted(const source& from, const cube_options& options = {},
                                             const child_limits& limits = {}) {
  const auto bytes = run_in_child(from.path, limits, [&]() -> result<std::vector<std::byte>> {
    const auto cube = read_cube(from, options);
    if (!cube) return cube.error();
    detail::packer to;
    to.add(cube->cube).add(cube->wavelengths).add(cube->variable);
    for (const std::string& note : cube->notes) to.add(note);
    return std::move(to.bytes);
  });
  if (!bytes) return bytes.error();
  detail::unpacker in(*bytes);
  cube_file found;
  if (!in.take(found.cube) || !in.take(found.wavelengths) || !in.take(found.variable))
    return detail::sent_nonsense(from);
  while (!in.done()) {
    std::string note;
    if (!in.take(note)) return detail::sent_nonsense(from);
    found.notes.push_back(detail::printable(note, 1000));
  }
  const auto bands = static_cast<std::size_t>(found.cube.extent(2));
  const bool sensible = (found.wavelengths.empty() || found.wavelengths.size() == bands) &&
                        std::all_of(found.wavelengths.begin(), found.wavelengths.end(),
                                    [](double x) { return x >= shortest_nm && x <= longest_nm; });
  if (!sensible) return detail::sent_nonsense(from);
  found.range = range_of(found.cube.data(), found.cube.size());
  return found;
}

/// `read_plane` in a child process.
inline result<tensor<float, 2>> read_plane_untrusted(const source& from, const name_list& preferred = {},
                                                     const child_limits& limits = {}) {
  const auto bytes = run_in_child(from.path, limits, [&]() -> result<std::vector<std::byte>> {
    const auto plane = read_plane(from, preferred);
    if (!plane) return plane.error();
    return std::move(detail::packer().add(*plane).bytes);
  });
  if (!bytes) return bytes.error();
  detail::unpacker in(*bytes);
  tensor<float, 2> plane;
  if (!in.take(plane) || !in.done()) return detail::sent_nonsense(from);
  return plane;
}

}  // namespace unmask::inline UNMASK_ABI::io

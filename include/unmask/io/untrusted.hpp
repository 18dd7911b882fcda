#pragma once

/// Reading files that may have been built to harm (an upload, a download). HDF5 1.10 over-reads while it opens damaged
/// files and can be made to take gigabytes by 284 bytes, before any check of ours; here that happens in a child
/// process, and what comes back is checked again.
///
///   auto cube = io::read_cube_untrusted(io::parse_source("upload.h5"), {}, {.seconds = 10, .memory = 1u << 30});

#include "child_process.hpp"
#include "cube.hpp"
#include "packing.hpp"
#include "plane_rows.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {

inline error sent_nonsense(const std::string& path) {
  return error(errc::unreadable, printable(path, 1000) + ": the process that read it sent nonsense");
}

/// Nothing, or one a band within what is light.
inline bool sensible_wavelengths(const std::vector<double>& nm, index_t bands) {
  return (nm.empty() || static_cast<index_t>(nm.size()) == bands) &&
         std::all_of(nm.begin(), nm.end(), [](double x) { return x >= shortest_nm && x <= longest_nm; });
}

}  // namespace detail

/// `work` returns `result<std::tuple<...>>` of numbers, texts and arrays (packing.hpp), and does so in a child process.
/// Errors: its own, and `unreadable` where the child crashed or took more than it may.
template <class Work>
std::invoke_result_t<Work&> read_in_child(const std::string& path, const child_limits& limits, Work&& work) {
  const auto bytes = run_in_child(path, limits, [&]() -> result<std::vector<std::byte>> {
    auto found = work();
    if (!found) return found.error();
    detail::packer to;
    std::apply([&](const auto&... part) { (to.add(part), ...); }, *found);
    return std::move(to.bytes);
  });
  if (!bytes) return bytes.error();
  detail::unpacker in(*bytes);
  std::remove_cvref_t<decltype(*work())> found;
  const bool whole = std::apply([&](auto&... part) { return (in.take(part) && ...); }, found) && in.done();
  if (!whole) return detail::sent_nonsense(path);
  return found;
}

/// `read_cube` in a child process. Errors: those of `read_cube`, and those of `read_in_child`.
inline result<cube_file> read_cube_untrusted(const source& from, const cube_options& options = {},
                                             const child_limits& limits = {}) {
  using parts = std::tuple<tensor<float, 3>, std::vector<double>, std::string, std::vector<std::string>>;
  auto read = read_in_child(from.path, limits, [&]() -> result<parts> {
    auto cube = read_cube(from, options);
    if (!cube) return cube.error();
    return parts(std::move(cube->cube), std::move(cube->wavelengths), cube->variable, cube->notes);
  });
  if (!read) return read.error();
  cube_file found;
  std::tie(found.cube, found.wavelengths, found.variable, found.notes) = std::move(*read);
  if (!detail::sensible_wavelengths(found.wavelengths, found.cube.extent(2))) return detail::sent_nonsense(from.path);
  found.range = range_of(found.cube.data(), found.cube.size());
  return found;
}

/// `read_plane` in a child process.
inline result<tensor<float, 2>> read_plane_untrusted(const source& from, const name_list& preferred = {},
                                                     const child_limits& limits = {}) {
  using parts = std::tuple<tensor<float, 2>>;
  auto read = read_in_child(from.path, limits, [&]() -> result<parts> {
    auto plane = read_plane(from, preferred);
    if (!plane) return plane.error();
    return parts(std::move(*plane));
  });
  if (!read) return read.error();
  return std::move(std::get<0>(*read));
}

/// `plane_rows::open` in a child process, which reads all rows.
inline result<plane_rows> open_rows_untrusted(const source& from, const name_list& preferred,
                                              const child_limits& limits = {}) {
  using parts = std::tuple<variable_info, tensor<float, 2>>;
  auto read = read_in_child(from.path, limits, [&]() -> result<parts> {
    const auto rows = plane_rows::open(from, preferred);
    if (!rows) return rows.error();
    auto values = rows->read();
    if (!values) return values.error();
    return parts(rows->variable(), std::move(*values));
  });
  if (!read) return read.error();
  auto& [info, values] = *read;
  return plane_rows::held(from.path, std::move(info), std::move(values));
}

/// `read_wavelengths` in a child process.
inline result<wavelength_list> read_wavelengths_untrusted(const std::string& path, const std::string& of, index_t bands,
                                                          const child_limits& limits = {}) {
  using parts = std::tuple<std::vector<double>, std::string>;
  auto read = read_in_child(path, limits, [&]() -> result<parts> {
    auto list = read_wavelengths(path, of, bands);
    if (!list) return list.error();
    return parts(std::move(list->nm), std::move(list->note));
  });
  if (!read) return read.error();
  wavelength_list list{std::move(std::get<0>(*read)), std::move(std::get<1>(*read))};
  if (!detail::sensible_wavelengths(list.nm, bands)) return detail::sent_nonsense(path);
  return list;
}

}  // namespace unmask::inline UNMASK_ABI::io

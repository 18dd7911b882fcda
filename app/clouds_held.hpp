#pragma once

/// An image that a child process has read as a whole: what `--untrusted` keeps of an HDF5 file or a GeoTIFF, whose
/// libraries then never run on it in this process.

#include <cmath>
#include <optional>
#include <unmask/io/raster.hpp>
#include <unmask/io/untrusted.hpp>

namespace program {

/// Where an image lies on the ground, as GeoTIFF says it.
struct placed {
  double x = 0, y = 0, width = 1, height = 1;
  int system = 0;
};

struct held_image {
  std::optional<double> nodata, scale, offset;
  std::optional<placed> place;
  unmask::io::raster digits;

  unmask::index_t height() const { return digits.height; }
  unmask::index_t width() const { return digits.width; }
  unmask::index_t bands() const { return digits.bands; }
  unmask::io::sample_type type() const { return digits.type; }

  unmask::result<unmask::io::raster> read(const unmask::io::pixel_window& w) const {
    unmask::io::raster r(digits.type, w.rows, w.columns, digits.bands);
    const unmask::index_t pixel = digits.bands * sample_bytes(digits.type);
    for (unmask::index_t h = 0; h < w.rows; ++h)
      std::copy_n(digits.bytes.begin() + ((w.row + h) * digits.width + w.column) * pixel, w.columns * pixel,
                  r.bytes.begin() + h * w.columns * pixel);
    return r;
  }
};

namespace detail {

/// Numbers of a held image on their way between the processes: type, sizes, which of its notes the file has (any of
/// them may be NaN), reference system; then the notes; then the digits.
using held_parts = std::tuple<std::vector<std::int64_t>, std::vector<double>, std::vector<unsigned char>>;

inline held_parts pack_held(const held_image& image) {
  const auto number = [](const std::optional<double>& x) { return x.value_or(0); };
  const placed p = image.place.value_or(placed{});
  const auto* first = reinterpret_cast<const unsigned char*>(image.digits.bytes.data());
  return {
      {static_cast<std::int64_t>(image.digits.type), image.digits.height, image.digits.width, image.digits.bands,
       image.nodata.has_value(), image.scale.has_value(), image.offset.has_value(), image.place.has_value(), p.system},
      {number(image.nodata), number(image.scale), number(image.offset), p.x, p.y, p.width, p.height},
      {first, first + image.digits.bytes.size()}};
}

/// Nothing where the numbers are none that `pack_held` makes.
inline std::optional<held_image> unpack_held(const held_parts& parts) {
  const auto& [whole, numbers, bytes] = parts;
  if (whole.size() != 9 || numbers.size() != 7) return std::nullopt;
  if (whole[0] < 0 || whole[0] >= static_cast<std::int64_t>(unmask::io::sample_type_names.size())) return std::nullopt;
  held_image image;
  image.digits.type = static_cast<unmask::io::sample_type>(whole[0]);
  std::int64_t size = sample_bytes(image.digits.type);
  for (const std::size_t d : {1u, 2u, 3u}) {
    if (whole[d] <= 0 || whole[d] > unmask::io::max_elements / size) return std::nullopt;
    size *= whole[d];
  }
  if (static_cast<std::uint64_t>(size) != bytes.size()) return std::nullopt;
  image.digits.height = static_cast<unmask::index_t>(whole[1]),
  image.digits.width = static_cast<unmask::index_t>(whole[2]);
  image.digits.bands = static_cast<unmask::index_t>(whole[3]);
  const auto* first = reinterpret_cast<const std::byte*>(bytes.data());
  image.digits.bytes.assign(first, first + bytes.size());
  if (whole[4] != 0) image.nodata = numbers[0];
  if (whole[5] != 0) image.scale = numbers[1];
  if (whole[6] != 0) image.offset = numbers[2];
  if (whole[7] == 0) return image;
  const placed p{numbers[3], numbers[4], numbers[5], numbers[6], static_cast<int>(whole[8] & 0xffff)};
  for (const double x : {p.x, p.y, p.width, p.height})
    if (!unmask::is_finite(x)) return std::nullopt;
  if (!(p.width > 0) || !(p.height > 0)) return std::nullopt;
  image.place = p;
  return image;
}

}  // namespace detail

/// What `open`, called in a child process, finds: an opened file with the members of `held_image`, of which the whole
/// is then read there. Errors: its own, and those of `read_in_child`.
template <class Open>
unmask::result<held_image> hold_image(const std::string& path, Open&& open) {
  const auto found = unmask::io::read_in_child(path, {}, [&]() -> unmask::result<detail::held_parts> {
    auto file = open();
    if (!file) return file.error();
    auto digits = file->read({0, 0, file->height(), file->width()});
    if (!digits) return digits.error();
    return detail::pack_held({file->nodata, file->scale, file->offset, file->place, std::move(*digits)});
  });
  if (!found) return found.error();
  auto image = detail::unpack_held(*found);
  if (!image) return unmask::io::detail::sent_nonsense(path);
  return std::move(*image);
}

}  // namespace program

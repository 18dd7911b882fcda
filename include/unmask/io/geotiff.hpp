#pragma once

/// GeoTIFF through libtiff: reading any striped, tiled, compressed, big-endian or BigTIFF file of whole or floating
/// numbers, whole or by windows, with what it says of its digits and of its place on the ground.

#include <cstdlib>
#include <map>
#include <optional>

#include "geotiff_layout.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// Where an image lies: the outer corner of its first pixel and the size of a pixel, in units of the reference system.
struct geo_grid {
  double x = 0, y = 0, width = 1, height = 1;
  int system = 0;  ///< EPSG code; 0: the file says none
};

/// What a file says of its digits.
struct geotiff_notes {
  std::optional<double> nodata;         ///< GDAL_NODATA
  std::optional<double> scale, offset;  ///< GDAL_METADATA, the same for all bands
  std::optional<geo_grid> grid;         ///< where it has a tie point and a pixel size
};

struct geotiff : geotiff_notes {
  raster digits;
};

namespace detail {

/// The number of <Item ... role="scale"> entries, nothing where there is none. Errors: bands that differ; they say only
/// what is wrong.
inline result<std::optional<double>> metadata_number(const std::string& xml, const std::string& role) {
  std::optional<double> value;
  for (std::size_t at = xml.find("role=\"" + role + "\""); at != std::string::npos;
       at = xml.find("role=\"" + role + "\"", at)) {
    const std::size_t open = xml.find('>', at);
    if (open == std::string::npos) return std::optional<double>();
    at = open;  // roles that share one bracket are one item; each would search for it again
    char* end = nullptr;
    const double v = std::strtod(xml.c_str() + open + 1, &end);
    if (end == xml.c_str() + open + 1) return std::optional<double>();
    if (value && *value != v)
      return error(errc::wrong_value, "bands have another " + role + " each, expected one for all: make them equal");
    value = v;
  }
  return value;
}

/// Tags that libtiff does not know come back as a count and a pointer; that of another type than text has no end.
inline std::optional<std::string> ascii_tag(TIFF* t, std::uint32_t tag) {
  const TIFFField* field = TIFFFindField(t, tag, TIFF_ANY);
  if (!field || TIFFFieldDataType(field) != TIFF_ASCII) return std::nullopt;
  std::uint32_t count = 0;
  const char* text = nullptr;
  if (!TIFFFieldPassCount(field)) return TIFFGetField(t, tag, &text) && text ? std::optional(text) : std::nullopt;
  if (!TIFFGetField(t, tag, &count, &text) || !text) return std::nullopt;
  return std::string(text, strnlen(text, count));
}

/// Values of a tag that libtiff does not know itself.
template <class T>
std::vector<T> tag_values(TIFF* t, std::uint32_t tag, TIFFDataType type) {
  const TIFFField* field = TIFFFindField(t, tag, TIFF_ANY);
  std::uint32_t count = 0;
  const T* values = nullptr;
  if (!field || TIFFFieldDataType(field) != type || !TIFFFieldPassCount(field)) return {};
  if (!TIFFGetField(t, tag, &count, &values) || !values) return {};
  return {values, values + count};
}

/// From ModelPixelScale and ModelTiepoint; images that are rotated have a matrix instead, and no grid here.
inline std::optional<geo_grid> grid_of(TIFF* t) {
  const auto size = tag_values<double>(t, 33550, TIFF_DOUBLE), tie = tag_values<double>(t, 33922, TIFF_DOUBLE);
  const auto keys = tag_values<std::uint16_t>(t, 34735, TIFF_SHORT);
  if (size.size() < 2 || tie.size() < 6 || !(size[0] > 0) || !(size[1] > 0)) return std::nullopt;
  geo_grid g{tie[3] - tie[0] * size[0], tie[4] + tie[1] * size[1], size[0], size[1], 0};
  for (std::size_t i = 4; i + 3 < keys.size(); i += 4) {
    if (keys[i + 1] != 0) continue;
    if (keys[i] == 3072 || (keys[i] == 2048 && g.system == 0)) g.system = keys[i + 3];
    if (keys[i] == 1025 && keys[i + 3] == 2) g.x -= g.width / 2, g.y += g.height / 2;  // the tie point is a centre
  }
  return g;
}

}  // namespace detail

/// The first image of an open TIFF file, read by windows. Strips that the last window touched are kept decoded: the
/// windows beside it need them again.
class geotiff_file : public geotiff_notes {
 public:
  /// Errors: `not_found`, `unreadable` (no TIFF, truncated, blocks that lie beyond its end), `wrong_value` (a type of
  /// number that is not supported), `wrong_shape`.
  static result<geotiff_file> open(const std::string& path) {
    const auto there = input_file::open(path);
    if (!there) return there.error();
    geotiff_file f;
    f.path_ = detail::printable(path, 1000);
    f.file_ = detail::open_tiff(path, "rm");
    if (!f.file_)
      return error(errc::unreadable, f.path_ + ": not a TIFF file, or truncated or damaged" +
                                         (detail::tiff_complaint().empty() ? "" : ": ") + detail::tiff_complaint());
    TIFF* t = f.file_.get();
    const auto l = detail::layout_of(t, f.path_);
    if (!l) return l.error();
    f.layout_ = *l;
    const auto claimed =
        static_cast<std::uint64_t>(std::max(l->height * l->width * l->bands * sample_bytes(l->type), l->block_bytes()));
    if (claimed > detail::most_inflated(l->compression) * there->size())
      return error(errc::unreadable, f.path_ + ": claims " + std::to_string(claimed) +
                                         " bytes of numbers, which a file of " + std::to_string(there->size()) +
                                         " bytes cannot hold");
    for (index_t n = 0; n < l->planes() * l->down() * l->across(); ++n) {
      const auto at = static_cast<std::uint32_t>(n);
      const std::uint64_t begin = TIFFGetStrileOffset(t, at), bytes = TIFFGetStrileByteCount(t, at);
      if (begin > there->size() || bytes > there->size() - begin)
        return error(errc::unreadable, f.path_ + ": truncated: block " + std::to_string(n) + " ends at byte " +
                                           std::to_string(begin + bytes) + " of " + std::to_string(there->size()));
    }
    if (const auto text = detail::ascii_tag(t, 42113)) {
      char* end = nullptr;
      const double v = std::strtod(text->c_str(), &end);
      if (end != text->c_str()) f.nodata = v;
    }
    if (const auto xml = detail::ascii_tag(t, 42112)) {
      const auto scale = detail::metadata_number(*xml, "scale");
      const auto offset = detail::metadata_number(*xml, "offset");
      for (const auto* number : {&scale, &offset})
        if (!*number) return error(errc::wrong_value, f.path_ + ": " + number->error().message());
      f.scale = *scale, f.offset = *offset;
    }
    f.grid = detail::grid_of(t);
    return result<geotiff_file>(std::move(f));
  }

  const detail::tiff_layout& layout() const { return layout_; }

  /// Bytes that reading windows of `rows` rows keeps.
  index_t kept_bytes(index_t rows) const {
    const index_t strips = std::min(layout_.down(), (rows - 2) / layout_.block_height + 2);
    return (layout_.tiled ? 1 : strips * layout_.planes()) * layout_.block_bytes();
  }

  /// The pixels of a window inside the image. Errors: `unreadable` (a block that cannot be decoded).
  result<raster> read(const pixel_window& w) {
    const auto& l = layout_;
    raster r(l.type, w.rows, w.columns, l.bands);
    const auto lies_outside = [&](const auto& block) {
      const index_t down = static_cast<index_t>(block.first) % l.down();
      return (down + 1) * l.block_height <= w.row || down * l.block_height >= w.row + w.rows;
    };
    std::erase_if(strips_, lies_outside);
    std::uint32_t damaged = 0;
    const bool done = detail::for_blocks(l, w, [&](const detail::tiff_block& b) {
      damaged = detail::block_number(l, b);
      std::vector<std::byte>& block = l.tiled ? tile_ : strips_[damaged];
      if (l.tiled || block.empty()) {
        block.resize(static_cast<std::size_t>(l.block_bytes()));
        if (!detail::read_block(file_.get(), l, b, block.data())) return false;
      }
      detail::move_block(l, b, block.data(), r.bytes.data(), w, true);
      return true;
    });
    if (done) return r;
    strips_.clear();
    return error(errc::unreadable, path_ + ": block " + std::to_string(damaged) +
                                       " cannot be read: truncated, or compressed in a way that libtiff does not know");
  }

 private:
  std::string path_;
  detail::tiff_file file_;
  detail::tiff_layout layout_;
  std::map<std::uint32_t, std::vector<std::byte>> strips_;  ///< decoded, by their number
  std::vector<std::byte> tile_;
};

/// Reads the whole image. Errors: those of `geotiff_file`.
inline result<geotiff> read_geotiff(const std::string& path) {
  auto file = geotiff_file::open(path);
  if (!file) return file.error();
  auto digits = file->read({0, 0, file->layout().height, file->layout().width});
  if (!digits) return digits.error();
  return geotiff{*file, std::move(*digits)};
}

}  // namespace unmask::inline UNMASK_ABI::io

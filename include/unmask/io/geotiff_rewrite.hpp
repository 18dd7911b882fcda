#pragma once

/// Changed pixels in a copy of a GeoTIFF file. The copy's tags are those of the source, byte for byte: only blocks that
/// hold a changed pixel are encoded anew, everything else is not touched.

#include "atomic_file.hpp"
#include "geotiff.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// Takes the image row by row, and appears under its name when it is complete.
class geotiff_rewriter {
 public:
  /// Copies `source`. Errors: those of reading, `bad_argument` where the file's compression would change the pixels
  /// around (JPEG, WebP, LERC), `not_writable`.
  static result<geotiff_rewriter> create(const std::string& path, const std::string& source) {
    auto from = input_file::open(source);
    if (!from) return from.error();
    auto to = atomic_file::create(path);
    if (!to) return to.error();
    std::vector<std::byte> part(std::size_t{1} << 20);
    for (std::uint64_t left = from->size(); left > 0; left -= part.size()) {
      part.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left, part.size())));
      if (!from->read(part.data(), part.size()))
        return error(errc::unreadable, from->name() + ": cannot be read to its end");
      if (auto ok = to->write(part); !ok) return ok.error();
    }
    geotiff_rewriter w(std::move(*to), path, source);
    w.tiff_ = detail::open_tiff(w.file_.path(), "r+");
    if (!w.tiff_) return error(errc::unreadable, source + ": not a TIFF file, or damaged");
    const auto l = detail::layout_of(w.tiff_.get(), source);
    if (!l) return l.error();
    w.layout_ = *l;
    for (const int lossy : {COMPRESSION_JPEG, COMPRESSION_OJPEG, 50001, COMPRESSION_LERC})
      if (l->compression == lossy)
        return error(errc::bad_argument,
                     source + ": its compression would change observed pixels too: convert it to DEFLATE or LZW first");
    return result<geotiff_rewriter>(std::move(w));
  }

  /// Bytes of rows that wait until their blocks are complete, at most, where `rows` come at a time.
  static index_t kept_bytes(const detail::tiff_layout& l, index_t rows) {
    return (rows + l.block_height) * l.width * (l.bands * sample_bytes(l.type) + 1) + l.block_bytes();
  }

  /// The next rows [rows, W, C] and where they differ from the source, [rows, W] not 0. Errors: `wrong_shape` where
  /// they are not rows of that image, `unreadable`, `not_writable`.
  result<> write(const raster& r, const std::uint8_t* changed) {
    if (r.width != layout_.width || r.bands != layout_.bands || r.type != layout_.type ||
        first_ + rows_ + r.height > layout_.height)
      return error(errc::wrong_shape, source_ + ": is no longer the file that was read");
    digits_.insert(digits_.end(), r.bytes.begin(), r.bytes.end());
    changed_.insert(changed_.end(), changed, changed + r.height * r.width);
    rows_ += r.height;
    while (rows_ > 0 && (rows_ >= layout_.block_height || first_ + rows_ == layout_.height)) {
      const index_t done = std::min(rows_, layout_.block_height);
      if (auto ok = encode(done); !ok) return ok;
      digits_.erase(digits_.begin(), digits_.begin() + done * layout_.width * layout_.bands * sample_bytes(r.type));
      changed_.erase(changed_.begin(), changed_.begin() + done * layout_.width);
      first_ += done, rows_ -= done;
    }
    return {};
  }

  /// Errors: `not_writable`, `wrong_shape` where rows are missing.
  result<> commit() {
    if (first_ != layout_.height) return error(errc::wrong_shape, path_ + ": rows are missing");
    if (!TIFFFlush(tiff_.get())) return error(errc::not_writable, path_ + ": cannot be written to its end");
    tiff_.reset();
    return file_.commit();
  }

 private:
  geotiff_rewriter(atomic_file file, std::string path, std::string source)
      : file_(std::move(file)), path_(std::move(path)), source_(std::move(source)) {}

  /// The row of blocks that begins at first_, of which `rows` rows are there.
  result<> encode(index_t rows) {
    const auto& l = layout_;
    const pixel_window part{first_, 0, rows, l.width};
    std::vector<std::byte> block(static_cast<std::size_t>(l.block_bytes()));
    result<> problem;
    detail::for_blocks(l, part, [&](const detail::tiff_block& b) {
      const index_t left = b.across * l.block_width, right = std::min(l.width, left + l.block_width);
      bool touched = false;
      for (index_t h = 0; h < rows && !touched; ++h)
        for (index_t w = left; w < right && !touched; ++w)
          touched = changed_[static_cast<std::size_t>(h * l.width + w)] != 0;
      if (!touched) return true;
      const std::uint32_t n = detail::block_number(l, b);
      if (!detail::read_block(tiff_.get(), l, b, block.data())) {
        problem = error(errc::unreadable, source_ + ": block " + std::to_string(n) + " cannot be read again");
        return false;
      }
      detail::move_block(l, b, block.data(), digits_.data(), part, false);
      const tmsize_t size = detail::stored_bytes(l, b);
      const tmsize_t done = l.tiled ? TIFFWriteEncodedTile(tiff_.get(), n, block.data(), size)
                                    : TIFFWriteEncodedStrip(tiff_.get(), n, block.data(), size);
      if (done != size)
        problem = error(errc::not_writable, path_ + ": block " + std::to_string(n) + " cannot be written");
      return done == size;
    });
    return problem;
  }

  atomic_file file_;
  std::string path_, source_;
  detail::tiff_file tiff_;
  detail::tiff_layout layout_;
  index_t first_ = 0, rows_ = 0;  ///< rows that wait
  std::vector<std::byte> digits_;
  std::vector<std::uint8_t> changed_;
};

/// `path` becomes a copy of the TIFF `source` with the digits of r where changed [H, W] is not 0. Errors: those of
/// `geotiff_rewriter`.
inline result<> rewrite_geotiff(const std::string& path, const std::string& source, const raster& r,
                                in<std::uint8_t, 2> changed) {
  auto w = geotiff_rewriter::create(path, source);
  if (!w) return w.error();
  if (auto ok = w->write(r, changed.data()); !ok) return ok;
  return w->commit();
}

}  // namespace unmask::inline UNMASK_ABI::io

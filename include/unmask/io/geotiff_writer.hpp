#pragma once

/// A new GeoTIFF file beside another: planes of its own in the same place on the ground.

#include <cstring>

#include "atomic_file.hpp"
#include "geotiff.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// Written row by row in deflated strips; appears under its name when it is complete.
class geotiff_writer {
 public:
  struct shape {
    sample_type type = sample_type::f32;
    index_t height = 0, width = 0, bands = 1;
    std::string nodata;         ///< as GDAL_NODATA; empty: none
    std::string metadata = {};  ///< XML for GDAL_METADATA; empty: none
    bool marked = false;        ///< whether the file ends with `output_mark`
  };

  /// The tags that place an image (pixel size, tie points, matrix, geo keys) are those of `source`, byte for byte; a
  /// source without them gives a file without them, as an empty name does. Errors: those of reading the source,
  /// `not_writable`.
  static result<geotiff_writer> create(const std::string& path, const std::string& source, const shape& s) {
    const auto from = source.empty() ? detail::tiff_file() : detail::open_tiff(source, "rm");
    if (!source.empty() && !from) return error(errc::unreadable, source + ": not a TIFF file, or damaged");
    auto file = atomic_file::create(path);
    if (!file) return file.error();
    geotiff_writer w(std::move(*file), path, s);
    // a classic TIFF has offsets of 32 bits
    const bool large = s.height * s.width * s.bands * sample_bytes(s.type) > (index_t{1} << 31);
    w.tiff_ = detail::open_tiff(w.file_.path(), large ? "w8" : "w");
    if (!w.tiff_) return error(errc::not_writable, path + ": cannot be written");
    w.describe(from.get());
    return result<geotiff_writer>(std::move(w));
  }

  /// The next rows [rows, W, C]. Errors: `not_writable`.
  result<> write(std::span<const std::byte> rows) {
    waiting_.insert(waiting_.end(), rows.begin(), rows.end());
    const std::size_t row = static_cast<std::size_t>(shape_.width * shape_.bands * sample_bytes(shape_.type));
    std::size_t at = 0;
    while (next_ < shape_.height) {
      const index_t count = std::min(strip_, shape_.height - next_);
      const std::size_t bytes = static_cast<std::size_t>(count) * row;
      if (waiting_.size() - at < bytes) break;
      std::vector<std::byte> strip(waiting_.begin() + static_cast<std::ptrdiff_t>(at),
                                   waiting_.begin() + static_cast<std::ptrdiff_t>(at + bytes));
      const auto size = static_cast<tmsize_t>(bytes);
      if (TIFFWriteEncodedStrip(tiff_.get(), static_cast<std::uint32_t>(next_ / strip_), strip.data(), size) != size)
        return error(errc::not_writable, path_ + ": cannot be written");
      at += bytes, next_ += count;
    }
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(at));
    return {};
  }

  /// Errors: `not_writable`, `wrong_shape` where rows are missing.
  result<> commit() {
    if (next_ != shape_.height) return error(errc::wrong_shape, path_ + ": rows are missing");
    if (!TIFFFlush(tiff_.get())) return error(errc::not_writable, path_ + ": cannot be written to its end");
    tiff_.reset();
    if (shape_.marked)
      if (auto ok = file_.append(std::as_bytes(std::span(output_mark))); !ok) return ok;
    return file_.commit();
  }

 private:
  geotiff_writer(atomic_file file, std::string path, const shape& s)
      : file_(std::move(file)), path_(std::move(path)), shape_(s) {}

  void describe(TIFF* from) {
    TIFF* t = tiff_.get();
    const char kind = sample_type_names[static_cast<std::size_t>(shape_.type)][0];
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(shape_.width));
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(shape_.height));
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, static_cast<int>(shape_.bands));
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, static_cast<int>(8 * sample_bytes(shape_.type)));
    TIFFSetField(t, TIFFTAG_SAMPLEFORMAT,
                 kind == 'u'   ? SAMPLEFORMAT_UINT
                 : kind == 'i' ? SAMPLEFORMAT_INT
                               : SAMPLEFORMAT_IEEEFP);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    if (shape_.bands > 1) {
      const std::vector<std::uint16_t> unspecified(static_cast<std::size_t>(shape_.bands - 1), EXTRASAMPLE_UNSPECIFIED);
      TIFFSetField(t, TIFFTAG_EXTRASAMPLES, static_cast<int>(shape_.bands - 1), unspecified.data());
    }
    const bool deflate = TIFFIsCODECConfigured(COMPRESSION_ADOBE_DEFLATE) != 0;
    TIFFSetField(t, TIFFTAG_COMPRESSION, deflate ? COMPRESSION_ADOBE_DEFLATE : COMPRESSION_NONE);
    const index_t row = shape_.width * shape_.bands * sample_bytes(shape_.type);
    strip_ = std::clamp<index_t>((index_t{1} << 16) / row, 1, shape_.height);
    TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, static_cast<std::uint32_t>(strip_));
    for (const std::uint32_t tag : {33550u, 33922u, 34264u, 34735u, 34736u, 34737u})
      if (from) copy(from, tag);
    for (const auto& [tag, text] : {std::pair(42112u, &shape_.metadata), std::pair(42113u, &shape_.nodata)}) {
      if (text->empty()) continue;
      name(tag, TIFF_ASCII);
      set(tag, static_cast<std::uint32_t>(text->size() + 1), text->c_str());
    }
  }

  /// Tells libtiff of a tag that it does not know: any count, 32 bits of it passed.
  void name(std::uint32_t tag, TIFFDataType type) {
    const TIFFFieldInfo info{tag, TIFF_VARIABLE2, TIFF_VARIABLE2, type, FIELD_CUSTOM, 1, 1, const_cast<char*>("geo")};
    TIFFMergeFieldInfo(tiff_.get(), &info, 1);
  }

  /// A program with GDAL has its tags: libtiff knows them then, and texts among them by their end, without a count.
  void set(std::uint32_t tag, std::uint32_t count, const void* values) {
    if (TIFFFieldPassCount(TIFFFindField(tiff_.get(), tag, TIFF_ANY)))
      TIFFSetField(tiff_.get(), tag, count, values);
    else
      TIFFSetField(tiff_.get(), tag, values);
  }

  void copy(TIFF* from, std::uint32_t tag) {
    const TIFFField* field = TIFFFindField(from, tag, TIFF_ANY);
    if (!field) return;
    std::uint32_t count = 0;
    const void* values = nullptr;
    const bool found =
        TIFFFieldPassCount(field) ? TIFFGetField(from, tag, &count, &values) : TIFFGetField(from, tag, &values);
    if (!found || !values) return;
    if (!TIFFFieldPassCount(field)) {
      if (TIFFFieldDataType(field) != TIFF_ASCII) return;  // none of ours
      count = static_cast<std::uint32_t>(std::strlen(static_cast<const char*>(values)) + 1);
    }
    name(tag, TIFFFieldDataType(field));
    set(tag, count, values);
  }

  atomic_file file_;
  std::string path_;
  shape shape_;
  detail::tiff_file tiff_;
  index_t strip_ = 1, next_ = 0;
  std::vector<std::byte> waiting_;
};

}  // namespace unmask::inline UNMASK_ABI::io

#pragma once

/// NumPy's NPZ files: a zip archive with an NPY file for each variable, stored as they are (numpy.savez) so that
/// writing takes no second cube in memory. Source: APPNOTE.TXT, "ZIP File Format Specification" 6.3, with its sizes of
/// 64 bits.
///
///   auto done = io::npz_writer("cube.npz").put("cube", x.view()).put("wavelengths", nm).save();

#include <zlib.h>

#include "cube_checks.hpp"
#include "npy.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// Nothing is touched before `save`, and what is put has to live until then.
class npz_writer {
 public:
  explicit npz_writer(std::string path) : path_(std::move(path)) {}

  npz_writer& put(const std::string& name, in<float, 3> cube) {
    return put(name, sample_type::f32, {cube.extent(0), cube.extent(1), cube.extent(2)}, detail::bytes_of(cube));
  }
  npz_writer& put(const std::string& name, std::span<const double> list) {
    return put(name, sample_type::f64, {static_cast<index_t>(list.size())}, std::as_bytes(list));
  }

  /// Errors: `not_writable`.
  result<> save() {
    auto file = atomic_file::create(path_);
    if (!file) return file.error();
    std::uint64_t at = 0;
    std::string directory;
    const auto write = [&](std::span<const std::byte> bytes) {
      at += bytes.size();
      return file->write(bytes);
    };
    const auto text = [&](const std::string& t) { return write(std::as_bytes(std::span(t.data(), t.size()))); };
    for (const entry& e : entries_) {
      const std::uint64_t size = e.start.size() + e.numbers.size(), begin = at;
      ::uLong sum = ::crc32_z(0, reinterpret_cast<const Bytef*>(e.start.data()), e.start.size());
      sum = ::crc32_z(sum, reinterpret_cast<const Bytef*>(e.numbers.data()), e.numbers.size());
      // version 4.5, stored, the first day that zip knows; sizes are in the field behind the name
      const std::string common = number<2>(45) + number<2>(0) + number<2>(0) + number<2>(0) + number<2>(0x21) +
                                 number<4>(sum) + number<4>(0xffffffff) + number<4>(0xffffffff) +
                                 number<2>(e.name.size());
      if (auto ok = text("PK\3\4" + common + number<2>(20) + e.name + number<2>(1) + number<2>(16) + number<8>(size) +
                         number<8>(size) + e.start);
          !ok)
        return ok;
      if (auto ok = write(e.numbers); !ok) return ok;
      directory += "PK\1\2" + number<2>(45) + common + number<2>(28) + number<2>(0) + number<2>(0) + number<2>(0) +
                   number<4>(0) + number<4>(0xffffffff) + e.name + number<2>(1) + number<2>(24) + number<8>(size) +
                   number<8>(size) + number<8>(begin);
    }
    const std::uint64_t listed = at, count = entries_.size();
    if (auto ok = text(directory); !ok) return ok;
    const std::uint64_t end = at, bytes = directory.size();
    // the mark is the archive's comment
    if (auto ok = text("PK\6\6" + number<8>(44) + number<2>(45) + number<2>(45) + number<4>(0) + number<4>(0) +
                       number<8>(count) + number<8>(count) + number<8>(bytes) + number<8>(listed) + "PK\6\7" +
                       number<4>(0) + number<8>(end) + number<4>(1) + "PK\5\6" + number<2>(0) + number<2>(0) +
                       number<2>(count) + number<2>(count) + number<4>(std::min<std::uint64_t>(bytes, 0xffffffff)) +
                       number<4>(0xffffffff) + number<2>(output_mark.size()) + std::string(output_mark));
        !ok)
      return ok;
    return file->commit();
  }

 private:
  struct entry {
    std::string name, start;
    std::span<const std::byte> numbers;
  };

  npz_writer& put(const std::string& name, sample_type type, const std::vector<index_t>& shape,
                  std::span<const std::byte> numbers) {
    entries_.push_back({name + ".npy", npy_start(type, shape), numbers});
    return *this;
  }

  /// The lowest `Bytes` bytes, the lowest first.
  template <int Bytes>
  static std::string number(std::uint64_t n) {
    std::string text;
    for (int i = 0; i < Bytes; ++i) text += static_cast<char>(n >> (8 * i) & 255);
    return text;
  }

  std::string path_;
  std::vector<entry> entries_;
};

/// `cube` and, where there are any, `wavelengths` in nm. Errors: `not_writable`, and those of a cube that no file
/// should hold.
inline result<> write_npz(const std::string& path, in<float, 3> cube, std::span<const double> wavelengths = {}) {
  if (auto fine = detail::check_written_cube(path, cube, wavelengths); !fine) return fine;
  npz_writer file(path);
  file.put("cube", cube);
  if (!wavelengths.empty()) file.put("wavelengths", wavelengths);
  return file.save();
}

}  // namespace unmask::inline UNMASK_ABI::io

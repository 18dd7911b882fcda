#pragma once

/// A cube as ENVI's two files: a text header (.hdr) with wavelengths in nm, beside float32 numbers, bands of a pixel
/// side by side (bip).
///
/// Two files cannot be renamed at once. So that never two that do not belong together look like one cube, an older pair
/// is moved away, header first; then the numbers get their name, then the header. Whoever looks in between finds
/// numbers without a header, which nobody reads. Where a step fails, the older pair comes back, numbers first.

#include <bit>
#include <cstdio>

#include "atomic_file.hpp"
#include "cube_checks.hpp"
#include "envi_header.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// The two files that a name stands for: "cube.hdr" and "cube.img" (or .dat, where that was named).
inline detail::envi_files envi_outputs(const std::string& path) {
  const std::string base = detail::without_ending(path);
  std::string ending = path.substr(base.size());
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending == ".hdr" ? detail::envi_files{path, base + ".img"} : detail::envi_files{base + ".hdr", path};
}

namespace detail {

inline std::string envi_text(const std::array<index_t, 3>& extents, std::span<const double> wavelengths) {
  std::string text = "ENVI\ndescription = {cube [lines, samples, bands],\nwritten by unmask\n}\n";
  text += "samples = " + std::to_string(extents[1]) + "\nlines = " + std::to_string(extents[0]) +
          "\nbands = " + std::to_string(extents[2]) + "\nheader offset = 0\nfile type = ENVI Standard\n" +
          "data type = 4\ninterleave = bip\nbyte order = " + (std::endian::native == std::endian::little ? "0" : "1") +
          "\n";
  if (!wavelengths.empty()) text += "wavelength units = Nanometers\nwavelength = {" + exact_list(wavelengths) + "}\n";
  return text;
}

/// An older file that is out of the way until its successor is there; comes back where none comes.
class moved_away {
 public:
  explicit moved_away(const std::string& path)
      : path_(follow_links(path)), away_(path_ + ".old-" + std::to_string(::getpid())) {
    there_ = std::rename(path_.c_str(), away_.c_str()) == 0;
  }
  moved_away(const moved_away&) = delete;
  moved_away& operator=(const moved_away&) = delete;
  ~moved_away() {
    if (settled_) return;
    if (there_)
      std::rename(away_.c_str(), path_.c_str());
    else
      ::unlink(path_.c_str());
  }
  void settle() {
    settled_ = true;
    if (there_) ::unlink(away_.c_str());
  }

 private:
  std::string path_, away_;
  bool there_ = false, settled_ = false;
};

}  // namespace detail

/// Errors: numbers of another cube beside the header, which readers may take for its own.
inline result<> check_envi_outputs(const std::string& path) {
  const detail::envi_files files = envi_outputs(path);
  const std::string other = detail::envi_data_beside(files.header, files.data);
  if (other.empty()) return {};
  return error(errc::bad_argument, detail::printable(path, 1000) + ": " + detail::printable(other, 1000) +
                                       " is beside it, which readers may take for the numbers of " +
                                       detail::printable(files.header, 1000) + ": choose another name");
}

/// `path`: the header (.hdr) or the numbers. `wavelengths` in nm, or none. Errors: `not_writable`, those of
/// `check_envi_outputs`, and those of a cube that no file should hold.
inline result<> write_envi(const std::string& path, in<float, 3> cube, std::span<const double> wavelengths = {}) {
  if (auto fine = detail::check_written_cube(path, cube, wavelengths); !fine) return fine;
  if (auto fine = check_envi_outputs(path); !fine) return fine;
  const detail::envi_files files = envi_outputs(path);
  auto data = atomic_file::create(files.data);
  if (!data) return data.error();
  auto header = atomic_file::create(files.header);
  if (!header) return header.error();
  if (data->direct() || header->direct())
    return error(errc::not_writable, detail::printable(path, 1000) + ": ENVI has two files, expected regular ones");
  const std::string text = detail::envi_text(cube.extents(), wavelengths);
  if (auto ok = data->write(detail::bytes_of(cube)); !ok) return ok;
  if (auto ok = header->write(std::as_bytes(std::span(text.data(), text.size()))); !ok) return ok;
  detail::moved_away older_header(files.header), older_data(files.data);
  if (auto ok = data->commit(); !ok) return ok;
  if (auto ok = header->commit(); !ok) return ok;
  older_data.settle();
  older_header.settle();
  return {};
}

}  // namespace unmask::inline UNMASK_ABI::io

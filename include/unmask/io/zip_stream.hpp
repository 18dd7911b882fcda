#pragma once

/// One entry of a zip archive as a file that is read from its begin to its end.

#include "deflated_input.hpp"
#include "zip_file.hpp"

namespace unmask::inline UNMASK_ABI::io::detail {

class zip_stream {
 public:
  /// `file` has to outlive it. Errors: `unreadable` (another entry where the directory says this one is).
  static result<zip_stream> open(input_file& file, const zip_entry& e) {
    std::string head(30, '\0'), name(e.name.size(), '\0');
    if (!file.seek(e.begin) || !file.read(head.data(), head.size()) || head.compare(0, 4, "PK\3\4") != 0 ||
        zip_number(head, 26, 2) != name.size() || !file.read(name.data(), name.size()) || name != e.name)
      return zip_damaged(file, "'" + printable(e.name) + "' is not where its directory says");
    const std::uint64_t begin = e.begin + 30 + name.size() + zip_number(head, 28, 2);
    if (begin > file.size() || e.packed > file.size() - begin || !file.seek(begin))
      return zip_damaged(file, "'" + printable(e.name) + "' lies beyond its end");
    zip_stream s;
    s.file_ = &file;
    s.name_ = file.name() + ": '" + printable(e.name) + "'";
    s.entry_ = e;
    s.raw_left_ = e.packed;
    if (!e.deflated) return result<zip_stream>(std::move(s));
    s.inflater_ = deflated_input::begin(-MAX_WBITS);
    if (!s.inflater_) return zip_damaged(file, "no memory to unpack it");
    return result<zip_stream>(std::move(s));
  }

  const std::string& name() const { return name_; }
  std::uint64_t size() const { return entry_.size; }

  bool read(void* to, std::size_t bytes) {
    if (bytes > entry_.size - given_) return false;
    if (!(entry_.deflated ? inflate(to, bytes) : file_->read(to, bytes))) return false;
    sum_ = ::crc32_z(sum_, static_cast<const Bytef*>(to), bytes);
    given_ += bytes;
    return true;
  }

  /// Whether all was read and is what the archive's sum says.
  bool finish() {
    if (given_ != entry_.size || sum_ != entry_.sum) return false;
    if (!entry_.deflated || ended_) return true;
    unsigned char extra = 0;
    z_stream& z = inflater_->z;
    z.next_out = &extra, z.avail_out = 1;
    int code = Z_OK;
    while (code == Z_OK && z.avail_out == 1 && refill()) code = ::inflate(&z, Z_NO_FLUSH);
    return code == Z_STREAM_END && z.avail_out == 1;
  }

 private:
  bool refill() { return inflater_->refill(*file_, raw_left_); }

  bool inflate(void* to, std::size_t bytes) {
    z_stream& z = inflater_->z;
    z.next_out = static_cast<Bytef*>(to), z.avail_out = static_cast<uInt>(bytes);
    while (z.avail_out > 0) {
      if (ended_ || !refill()) return false;
      const int code = ::inflate(&z, Z_NO_FLUSH);
      ended_ = code == Z_STREAM_END;
      if (code != Z_OK && !ended_) return false;
    }
    return true;
  }

  input_file* file_ = nullptr;
  std::string name_;
  zip_entry entry_;
  std::uint64_t raw_left_ = 0, given_ = 0;
  ::uLong sum_ = 0;
  bool ended_ = false;
  std::unique_ptr<deflated_input> inflater_;
};

}  // namespace unmask::inline UNMASK_ABI::io::detail

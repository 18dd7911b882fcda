#pragma once

/// The container behind checkpoints: 8 bytes "unmaskCP", version, byte-order mark, payload size, payload, checksum.
/// Numbers are in the byte order of the machine that wrote them; the mark refuses the other one. The checksum (FNV-1a,
/// 64 bits, over all bytes before it) finds truncation and damage before anything is used.

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "../core/finite.hpp"
#include "../core/result.hpp"
#include "../core/temporary_files.hpp"

namespace unmask::inline UNMASK_ABI::train::detail {

inline constexpr char checkpoint_magic[9] = "unmaskCP";
inline constexpr std::uint32_t checkpoint_version = 2;
inline constexpr std::uint32_t byte_order_mark = 0x01020304;
inline constexpr std::size_t checkpoint_header = 24, checkpoint_trailer = 8;

class fnv1a {
 public:
  void add(std::span<const std::byte> bytes) {
    for (std::byte b : bytes) value_ = (value_ ^ static_cast<std::uint64_t>(b)) * 0x100000001b3u;
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

inline error not_writable(const std::string& path) {
  return error(errc::not_writable, path + ": cannot be written (" + std::generic_category().message(errno) + ")");
}

/// Streams into "<path>.part", which `commit` renames over `path`; the first error stays and is what `finish` returns.
/// Without a commit, or when killed, the file at `path` is what it was. The fixed name leaves no litter: the next
/// checkpoint of a killed training writes over the part.
class checkpoint_writer {
 public:
  checkpoint_writer(const std::string& path, std::uint64_t payload)
      : path_(path),
        part_(path + ".part"),
        slot_(unmask::detail::remember_temporary(part_)),
        file_(std::fopen(part_.c_str(), "wb")) {
    unmask::detail::temporary_is_there(slot_);
    if (!file_) status_ = not_writable(path_);
    put(std::as_bytes(std::span(checkpoint_magic, 8)));
    number(checkpoint_version);
    number(byte_order_mark);
    number(payload);
  }
  checkpoint_writer(const checkpoint_writer&) = delete;
  checkpoint_writer& operator=(const checkpoint_writer&) = delete;
  ~checkpoint_writer() {
    if (file_) {
      std::fclose(file_);
      ::unlink(part_.c_str());
    }
    unmask::detail::forget_temporary(slot_);
  }

  void put(std::span<const std::byte> bytes) {
    sum_.add(bytes);
    if (bytes.empty()) return;  // an empty span may have no address, which fwrite does not allow
    if (status_ && std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) status_ = not_writable(path_);
  }
  template <class Number>
  void number(Number n) {
    put(std::as_bytes(std::span(&n, 1)));
  }
  template <class Number>
  void block(std::span<const Number> numbers) {
    put(std::as_bytes(numbers));
  }

  /// The part is complete and on the disk.
  result<> finish() {
    number(sum_.value());
    if (status_ && (std::fflush(file_) != 0 || ::fsync(::fileno(file_)) != 0)) status_ = not_writable(path_);
    return status_;
  }

  /// After `finish` was right. The rename survives a power cut once the folder is on the disk too; some file systems
  /// refuse to sync folders, which is no error.
  result<> commit() {
    if (std::fclose(std::exchange(file_, nullptr)) != 0 || std::rename(part_.c_str(), path_.c_str()) != 0) {
      const auto failed = not_writable(path_);
      ::unlink(part_.c_str());
      return failed;
    }
    const std::size_t slash = path_.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
    if (std::FILE* f = std::fopen(folder.c_str(), "r")) {
      ::fsync(::fileno(f));
      std::fclose(f);
    }
    return {};
  }

 private:
  std::string path_, part_;
  int slot_;  ///< in the list of temporary files
  std::FILE* file_;
  fnv1a sum_;
  result<> status_;
};

/// Takes numbers off a payload; reading past its end gives zeros and clears `good`.
class checkpoint_reader {
 public:
  explicit checkpoint_reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  template <class Number>
  Number number() {
    Number n{};
    block(std::span(&n, 1));
    return n;
  }
  template <class Number>
  void block(std::span<Number> to) {
    if (to.size() > bytes_.size() / sizeof(Number)) good_ = false;
    if (!good_ || to.empty()) return;
    std::memcpy(to.data(), bytes_.data(), to.size_bytes());
    bytes_ = bytes_.subspan(to.size_bytes());
  }
  /// Whether the next `count` numbers, which are there, are; they stay to be taken.
  template <class T>
  bool all_finite(std::size_t count) const {
    for (std::size_t i = 0; i < count; ++i) {
      T number;
      std::memcpy(&number, bytes_.data() + i * sizeof(T), sizeof(T));
      if (!is_finite(number)) return false;
    }
    return true;
  }
  std::size_t left() const { return bytes_.size(); }
  bool good() const { return good_; }

 private:
  std::span<const std::byte> bytes_;
  bool good_ = true;
};

/// What a checkpoint holds beside its blocks of numbers, at most: a loss for each of 2^28 steps.
inline constexpr std::uint64_t most_beside_blocks = std::uint64_t{1} << 30;

/// The payload of a file whose magic, version, size and checksum are right; `most` bytes of it.
inline result<std::vector<std::byte>> read_checkpoint_file(
    const std::string& path, std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) {
  const auto bad = [&](errc code, const std::string& what) { return error(code, path + ": " + what); };
  struct ::stat about {};
  if (::stat(path.c_str(), &about) == 0 && !S_ISREG(about.st_mode))
    return bad(errc::unreadable, "is no regular file, expected a checkpoint");
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) return bad(errc::not_found, "cannot be opened (" + std::generic_category().message(errno) + ")");
  std::byte header[checkpoint_header];
  if (std::fread(header, 1, sizeof header, file.get()) != sizeof header)
    return bad(errc::unreadable,
               "shorter than a checkpoint's header, expected at least " + std::to_string(sizeof header) + " bytes");
  if (std::memcmp(header, checkpoint_magic, 8) != 0) return bad(errc::unreadable, "not a checkpoint of unmask");
  checkpoint_reader fields{std::span(header).subspan(8)};
  const auto version = fields.number<std::uint32_t>(), order = fields.number<std::uint32_t>();
  const auto payload = fields.number<std::uint64_t>();
  if (order != byte_order_mark) return bad(errc::unreadable, "written on a machine of the other byte order");
  if (version != checkpoint_version)
    return bad(errc::unreadable,
               "checkpoint version is " + std::to_string(version) + ", expected " + std::to_string(checkpoint_version));
  // The size is compared with the file before it is believed: a damaged header must not ask for 2^60 bytes.
  if (std::fseek(file.get(), 0, SEEK_END) != 0) return bad(errc::unreadable, "cannot be read");
  const long end = std::ftell(file.get());
  const auto size = static_cast<std::uint64_t>(end < 0 ? 0 : end);
  const std::uint64_t around = checkpoint_header + checkpoint_trailer;
  if (size < around || size - around != payload)
    return bad(errc::unreadable, "found " + std::to_string(size) + " bytes, its header promises " +
                                     std::to_string(payload) + " and " + std::to_string(around) + " around them");
  if (payload > most)
    return bad(errc::unreadable, "found " + std::to_string(payload) +
                                     " bytes, this training's checkpoints have at most " + std::to_string(most));
  std::vector<std::byte> bytes(static_cast<std::size_t>(payload + checkpoint_trailer));
  std::rewind(file.get());
  if (std::fread(header, 1, sizeof header, file.get()) != sizeof header ||
      std::fread(bytes.data(), 1, bytes.size(), file.get()) != bytes.size())
    return bad(errc::unreadable, "cannot be read");
  std::uint64_t stored = 0;
  std::memcpy(&stored, bytes.data() + payload, sizeof stored);
  bytes.resize(static_cast<std::size_t>(payload));
  fnv1a sum;
  sum.add(header);
  sum.add(bytes);
  if (sum.value() != stored) return bad(errc::unreadable, "checksum does not match, the file is damaged");
  return bytes;
}

}  // namespace unmask::inline UNMASK_ABI::train::detail

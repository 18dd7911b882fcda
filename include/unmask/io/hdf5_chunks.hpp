#pragma once

/// A check before H5Dread: HDF5 1.10 copies a whole chunk out of what its filters gave back without looking how much
/// that was, so a damaged size, filter list or chunk shape reads (and sometimes crashes) beyond the buffer. Every chunk
/// with filters is inflated once to be counted, which costs about as much as reading it. Chunks without filters need no
/// count: `hdf5_dataset` opens a dataset so that HDF5 copies them from the file itself, never from a buffer that may be
/// too short. (Their stored sizes could only be had by H5Dget_chunk_info_by_coord, which walks over all chunks for
/// each: 163 s for a cube of 256 x 256 chunks.)

#include <hdf5.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "hdf5_handle.hpp"

namespace unmask::inline UNMASK_ABI::io::detail {

/// Bytes that a zlib stream inflates to, counted up to `limit` + 1; 0 for a damaged stream.
inline std::uint64_t inflated_size(const std::vector<unsigned char>& packed, std::size_t bytes, std::uint64_t limit) {
  z_stream z{};
  z.next_in = const_cast<Bytef*>(packed.data());  // zlib reads only, but older headers say otherwise
  z.avail_in = static_cast<uInt>(bytes);
  if (::inflateInit(&z) != Z_OK) return 0;
  std::uint64_t size = 0;
  int code = Z_OK;
  std::array<unsigned char, 32768> waste;
  while (code == Z_OK && size <= limit) {
    z.next_out = waste.data();
    z.avail_out = static_cast<uInt>(waste.size());
    code = ::inflate(&z, Z_NO_FLUSH);
    size += waste.size() - z.avail_out;
  }
  ::inflateEnd(&z);
  return code == Z_STREAM_END || size > limit ? size : 0;
}

/// What stands between a stored chunk and its numbers, as far as we can follow it.
struct hdf5_pipeline {
  bool known = true, deflated = false;
  std::uint64_t sums_outside = 0, sums_inside = 0;  ///< bytes of Fletcher checksums after and before deflate
};

/// `skipped`: filters that the writer left out for one chunk (optional ones may fail), one bit each.
inline hdf5_pipeline hdf5_pipeline_of(hid_t creation, std::uint32_t skipped) {
  hdf5_pipeline p;
  const int filters = H5Pget_nfilters(creation);
  for (int i = 0; i < filters; ++i) {
    if (i < 32 && (skipped >> i & 1) != 0) continue;
    unsigned flags = 0, config = 0;
    std::size_t values = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, &config);
    if (filter == H5Z_FILTER_DEFLATE && !p.deflated)
      p.deflated = true;
    else if (filter == H5Z_FILTER_FLETCHER32)
      (p.deflated ? p.sums_outside : p.sums_inside) += 4;
    else if (filter != H5Z_FILTER_SHUFFLE)
      p.known = false;  // szip, scale-offset, plug-ins
  }
  return p;
}

/// Opens a dataset for reading. Without filters the cache of chunks is off: HDF5 then reads just what was asked for.
inline hdf5_id hdf5_dataset(hid_t file, const std::string& location) {
  hdf5_id dataset(file >= 0 ? H5Dopen2(file, location.c_str(), H5P_DEFAULT) : -1, H5Dclose);
  if (!dataset) return dataset;
  const hdf5_id creation(H5Dget_create_plist(dataset), H5Pclose);
  if (!creation || H5Pget_layout(creation) != H5D_CHUNKED || H5Pget_nfilters(creation) != 0) return dataset;
  const hdf5_id access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
  H5Pset_chunk_cache(access, 0, 0, H5D_CHUNK_CACHE_W0_DEFAULT);
  dataset = {};  // an open dataset would hand its cache to the next
  return {H5Dopen2(file, location.c_str(), access), H5Dclose};
}

/// Counts what the chunks of one dataset give.
class hdf5_chunk_check {
 public:
  hdf5_chunk_check(hid_t dataset, hid_t creation, std::uint64_t bytes)
      : dataset_(dataset), creation_(creation), bytes_(bytes), whole_(hdf5_pipeline_of(creation, 0)) {}

  /// Whether the chunk at `offset` gives exactly its bytes. One that was never written is filled in by HDF5.
  bool fits(const hsize_t* offset) {
    hsize_t stored = 0;
    if (H5Dget_chunk_storage_size(dataset_, offset, &stored) < 0) return false;
    if (stored == 0) return true;
    // deflate adds 5 bytes per 16 KiB and a header to what it cannot pack; what other filters do is theirs
    if (whole_.known && stored > bytes_ + bytes_ / 1000 + 1024) return false;
    if (!whole_.known) return true;
    buffer_.resize(static_cast<std::size_t>(stored));
    std::uint32_t skipped = 0;
    if (H5Dread_chunk(dataset_, H5P_DEFAULT, offset, &skipped, buffer_.data()) < 0) return false;
    const hdf5_pipeline p = skipped == 0 ? whole_ : hdf5_pipeline_of(creation_, skipped);
    if (stored <= p.sums_outside) return false;
    const std::uint64_t packed = stored - p.sums_outside, expected = bytes_ + p.sums_inside;
    return (p.deflated ? inflated_size(buffer_, static_cast<std::size_t>(packed), expected) : packed) == expected;
  }

 private:
  hid_t dataset_, creation_;
  std::uint64_t bytes_;
  hdf5_pipeline whole_;
  std::vector<unsigned char> buffer_;
};

/// Whether what is stored for a dataset has the size that its shape, type and chunks ask for. `file_bytes`: of the
/// file; more chunks than that were never stored, and to walk over them all would take as long as their number says.
inline bool hdf5_layout_fits(hid_t dataset, std::uint64_t file_bytes) {
  const hdf5_id creation(H5Dget_create_plist(dataset), H5Pclose), space(H5Dget_space(dataset), H5Sclose);
  const hdf5_id type(H5Dget_type(dataset), H5Tclose);
  if (!creation || !space || !type) return false;
  const std::uint64_t element = H5Tget_size(type);
  if (H5Pget_layout(creation) != H5D_CHUNKED) {
    const std::uint64_t stored = H5Dget_storage_size(dataset);
    return stored == 0 || stored == static_cast<std::uint64_t>(H5Sget_simple_extent_npoints(space)) * element;
  }
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 1 || rank > H5S_MAX_RANK) return false;
  std::array<hsize_t, H5S_MAX_RANK> chunk{}, now{}, most{}, offset{};
  if (H5Pget_chunk(creation, rank, chunk.data()) != rank) return false;
  if (H5Sget_simple_extent_dims(space, now.data(), most.data()) != rank) return false;
  std::uint64_t bytes = element, chunks = 1;
  for (std::size_t d = 0; d < static_cast<std::size_t>(rank); ++d) {
    if (chunk[d] == 0 || (most[d] != H5S_UNLIMITED && chunk[d] > most[d])) return false;
    if (chunk[d] > (std::uint64_t{1} << 32) / bytes) return false;  // HDF5's own limit of a chunk is 4 GiB
    bytes *= chunk[d];
    const std::uint64_t along = (now[d] + chunk[d] - 1) / chunk[d];
    if (along > file_bytes / chunks) return false;
    chunks *= along;
  }
  if (H5Pget_nfilters(creation) == 0) return true;
  hdf5_chunk_check check(dataset, creation, bytes);
  for (;;) {
    if (!check.fits(offset.data())) return false;
    std::size_t d = static_cast<std::size_t>(rank);
    while (d-- > 0) {
      offset[d] += chunk[d];
      if (offset[d] < now[d]) break;
      offset[d] = 0;
      if (d == 0) return true;
    }
  }
}

}  // namespace unmask::inline UNMASK_ABI::io::detail

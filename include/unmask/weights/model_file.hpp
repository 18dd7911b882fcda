#pragma once

/// Trained weights inside a product: a weights file (io/weights.hpp) read from bytes that lie anywhere, in the
/// executable (cmake/unmask_embed.cmake), in memory that is mapped read-only (mapped_file.hpp) or behind a file that
/// the product read itself. No JSON library, no exceptions, no heap, one block of memory that the caller gives.
///
///   std::uint64_t need = 0;
///   weights::loaded_model<> model;
///   if (auto ok = weights::bytes_for(bytes, need); !ok) return report(ok.message());
///   if (auto ok = weights::load(model, bytes, block); !ok) return report(ok.message());
///   if (auto ok = weights::selftest(backend, model, memory); !ok) ...           // selftest.hpp
///   session.prepare(model.parameters, mask);
///
/// Nothing is half loaded: what io::read_weights refuses is refused here, in fewer words. Files of the form "unmask
/// weights 2"; parameters as F32, as F16, which is turned into float exactly, or as I8 with a scale for each output
/// channel (io::weights_precision).

#include <span>
#include <string_view>

#include "../models/model.hpp"
#include "../models/s2_network.hpp"
#include "../models/selftest.hpp"
#include "described.hpp"
#include "parameter_loader.hpp"

namespace unmask::inline UNMASK_ABI::weights {

/// Views into the block and, for `selftest_output`, into the file: both have to stay.
template <class Config = s2_config>
struct loaded_model {
  Config config{};
  std::span<const float> parameters{};  ///< flat block of the architecture's manifest
  initial_kind start = initial_kind::hm;
  array_view<const float, 2> spectral_basis{};  ///< [K, C] where `start` is spectral TV, else empty
  index_t dispersion_step = 2;
  dispersion_direction direction = dispersion_direction::right;
  std::span<const double> wavelengths{};  ///< nm, ascending, [C]; empty: not known
  std::array<float, 2> range{0, 1};
  std::uint64_t selftest_seed = 0;
  std::span<const std::byte> selftest_output{};  ///< floats [16, 16, C]
  std::span<const detail::header_entry> texts{};

  /// A text for people: "steps", "recipe"; empty where there is none.
  std::string_view card(std::string_view key) const {
    for (const auto& t : texts)
      if (t.name.starts_with("card.") && t.name.substr(5) == key) return t.text;
    return {};
  }
};

namespace detail {

struct block_layout {
  std::uint64_t floats = 0, index = 0, all = 0;  ///< bytes
};

[[gnu::cold]] inline block_layout layout_of(const header_sizes& s) {
  // Numbers of the self-test need no room; what the wavelengths take is less, and one more for where doubles begin.
  const std::uint64_t floats = (s.elements * sizeof(float) + 2 * sizeof(double) + 7) / 8 * 8;
  return {floats, file_index::bytes(s), floats + file_index::bytes(s)};
}

template <Model N>
[[gnu::cold]] verdict load_parts(loaded_model<typename N::config_type>& m, file_index& file, float* floats,
                                 std::uint64_t room) {
  const std::string_view format = file.text("format"), found = file.text("architecture");
  if (format == "unmask weights 1")
    return verdict::refuse(errc::unreadable, "weights of the first form (`unmask info FILE --rewrite NEW` makes new)");
  if (format != "unmask weights 2")
    return verdict::refuse(errc::unreadable, "not a weights file of this library (no format 'unmask weights 2')");
  if (const shown name(found); found != std::string_view(N::architecture))
    return verdict::refuse(errc::bad_argument, "weights of a network '%.*s', expected another", name.size, name.text);
  if (auto ok = file.read_sums(); !ok) return ok;
  if (auto ok = read_config(file.text("config"), m.config); !ok) return ok;
  if (auto ok = N::check(m.config); !ok) return verdict::refuse(ok.error().code(), "%s", ok.error().message().c_str());

  parameter_loader load(file, floats);
  N::list_parameters(load, m.config);
  if (auto ok = load.found(); !ok) return ok;
  std::uint64_t used = load.count();
  m.parameters = {floats, static_cast<std::size_t>(used)};

  const index_t bands = m.config.bands;
  header_entry* t = nullptr;
  if (auto ok = expect_tensor(file, "selftest.output", {selftest_side, selftest_side, bands}, t); !ok) return ok;
  if (t->type != stored_as::f32) return verdict::refuse(errc::wrong_shape, "'selftest.output' is no F32");
  m.selftest_output = file.bytes_of(*t);
  for (std::uint64_t i = 0; i < t->elements; ++i)
    if (!is_finite(element(m.selftest_output, t->type, i)))
      return verdict::refuse(errc::wrong_value, "'selftest.output' has a value that is NaN or infinite");
  json_reader test(file.text("selftest"));
  std::string_view key;
  if (!test.object() || !test.key(key) || key != "seed" || !test.unsigned_integer(m.selftest_seed) || test.key(key) ||
      !test.finished())
    return verdict::refuse(errc::unreadable, "metadata 'selftest' is missing or damaged");

  if (const header_entry* basis = file.find("initial.spectral_basis")) {
    const auto rows = basis->rank == 2 ? basis->extents[0] : 0;
    const auto rank = rows >= 1 && rows <= static_cast<std::uint64_t>(bands) ? static_cast<index_t>(rows)
                                                                             : index_t{-1};  // the shape of none
    if (auto ok = expect_tensor(file, "initial.spectral_basis", {rank, bands}, t); !ok) return ok;
    if (t->type == stored_as::i8) return verdict::refuse(errc::wrong_shape, "'initial.spectral_basis' is I8");
    m.spectral_basis = array_view<const float, 2>(floats + used, rank, bands);
    for (std::uint64_t i = 0; i < t->elements; ++i)
      if (!is_finite(floats[used++] = element(file.bytes_of(*t), t->type, i)))
        return verdict::refuse(errc::wrong_value, "'initial.spectral_basis' has a value that is NaN or infinite");
  }
  used += used & 1u;  // doubles follow
  const std::uint64_t left = room > used * sizeof(float) ? (room - used * sizeof(float)) / sizeof(double) : 0;
  model_words words;
  auto* const doubles = reinterpret_cast<double*>(floats + used);
  const auto most = std::min(left, static_cast<std::uint64_t>(bands));
  if (auto ok = read_words(file.text("model"), {doubles, static_cast<std::size_t>(most)}, words); !ok) return ok;
  m.start = words.kind;
  m.dispersion_step = words.step;
  m.direction = words.direction;
  m.wavelengths = words.wavelengths;
  m.range = words.range;
  m.texts = file.texts();
  if ((m.start == initial_kind::spectral_tv) != (m.spectral_basis.size() > 0))
    return verdict::refuse(errc::wrong_shape, "a spectral basis belongs to spectral-tv, and to nothing else");
  if (!m.wavelengths.empty() && std::ssize(m.wavelengths) != bands)
    return verdict::refuse(errc::wrong_shape, "%zu wavelengths, expected none or %td", m.wavelengths.size(), bands);
  for (const header_entry& other : file.tensors())
    if (const shown name(other.name); !other.used)
      return verdict::refuse(errc::bad_argument, "tensor '%.*s' is no parameter of this network", name.size, name.text);
  return file.check_metadata();
}

}  // namespace detail

/// Bytes of the block that `load` needs for this file: its numbers as float, and its header.
/// Errors: bytes that are no safetensors file.
[[gnu::cold]] inline verdict bytes_for(std::span<const std::byte> file, std::uint64_t& bytes) {
  detail::header_sizes sizes;
  if (auto ok = detail::measure_header(file, sizes); !ok) return ok;
  bytes = detail::layout_of(sizes).all;
  return {};
}

/// Reads a model into `block`, aligned to 8 bytes at least. `N` is the network class. Where it fails, `m` is empty.
/// Errors: a file that is damaged, hostile or of another network, by name; a block that is too small.
template <Model N = s2_network<float, cpu>>
[[gnu::cold]] verdict load(loaded_model<typename N::config_type>& m, std::span<const std::byte> file,
                           std::span<std::byte> block) {
  m = {};
  detail::header_sizes sizes;
  if (auto ok = detail::measure_header(file, sizes); !ok) return ok;
  const detail::block_layout layout = detail::layout_of(sizes);
  if (reinterpret_cast<std::uintptr_t>(block.data()) % alignof(detail::header_entry) != 0)
    return verdict::refuse(errc::bad_argument, "the block for weights is not aligned to 8 bytes");
  if (layout.all > block.size())
    return verdict::refuse(errc::bad_argument, "the block for weights has %zu bytes, this file needs %llu",
                           block.size(), static_cast<unsigned long long>(layout.all));
  detail::file_index index;
  auto ok = index.open(file, sizes, block.data() + layout.floats);
  if (ok) ok = detail::load_parts<N>(m, index, reinterpret_cast<float*>(block.data()), layout.floats);
  if (!ok) m = {};
  return ok;
}

/// The same as everything else takes it, on the heap.
template <class Config>
basic_model<Config> to_model(const loaded_model<Config>& from) {
  basic_model<Config> m{.config = from.config,
                        .parameters = {from.parameters.begin(), from.parameters.end()},
                        .initial = {from.start, {}},
                        .dispersion_step = from.dispersion_step,
                        .direction = from.direction,
                        .wavelengths = {from.wavelengths.begin(), from.wavelengths.end()},
                        .range = from.range};
  if (const auto& basis = from.spectral_basis; basis.size() > 0) {
    m.initial.spectral_basis = tensor<float, 2>(basis.extents());
    std::copy(basis.begin(), basis.end(), m.initial.spectral_basis.begin());
  }
  for (const auto& t : from.texts)
    if (t.name.starts_with("card.")) m.card[std::string(t.name.substr(5))] = std::string(t.text);
  return m;
}

}  // namespace unmask::inline UNMASK_ABI::weights

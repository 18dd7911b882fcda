/// Weights as a product reads them (include/unmask/weights), from bytes that lie where nothing may be read beside them.
/// Checksums are put right in every other input, or nothing behind them would ever be reached. What is accepted here
/// must be accepted by io::read_weights too, with the same values.

#include <cstring>
#include <unmask/weights/model_file.hpp>

#include "sealed_weights.hpp"

namespace fuzz_embedded {

template <class A, class B>
bool same(const A& a, const B& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

void compare(std::span<const std::byte> bytes, const unmask::weights::loaded_model<>& m) {
  using namespace unmask;
  for (const float x : m.parameters) fuzz::expect(is_finite(x), "parameters are finite");
  const auto parsed = io::parse_safetensors(bytes, "fuzz");
  fuzz::expect(bool(parsed), "the other reader parses it");
  auto file = io::detail::weights_parts::open(*parsed, fuzz::no_network::architecture);
  fuzz::expect(bool(file), "the other reader opens it");
  const auto config = io::config_from_json<s2_config>(file->config);
  fuzz::expect(config && *config == m.config, "configurations agree");
  const manifest list = make_manifest(*config);
  std::vector<float> parameters(static_cast<std::size_t>(list.size));
  for (const parameter& p : list.entries) {
    const auto values = file->tensor(p.name, p.shape);
    fuzz::expect(bool(values), "the other reader has this parameter");
    import_parameter(p, parameters.data(), values->data());
  }
  fuzz::expect(same(parameters, m.parameters), "parameters agree");
  model other;
  other.config = *config;
  fuzz::expect(bool(file->describe(other)) && bool(check(other)), "the other reader describes it");
  const model mine = weights::to_model(m);
  fuzz::expect(mine.initial.kind == other.initial.kind && mine.dispersion_step == other.dispersion_step &&
                   mine.direction == other.direction && mine.wavelengths == other.wavelengths &&
                   mine.range == other.range && mine.card == other.card &&
                   same(mine.initial.spectral_basis, other.initial.spectral_basis),
               "descriptions agree");
}

void read(std::span<const std::byte> bytes) {
  using namespace unmask;
  std::uint64_t need = 0;
  if (auto ok = weights::bytes_for(bytes, need); !ok) {
    fuzz::expect(*ok.message() != 0 && !std::strchr(ok.message(), '\n'), "one line names what is wrong");
    return;
  }
  fuzz::expect(need <= 64 + 64 * std::uint64_t{bytes.size()}, "memory grows with the file");
  // As large as needed and no larger, so that the sanitizer sees whatever is written beside it.
  const std::unique_ptr<std::uint64_t[]> block(new std::uint64_t[static_cast<std::size_t>(need + 7) / 8]);
  const std::span<std::byte> room(reinterpret_cast<std::byte*>(block.get()), static_cast<std::size_t>(need));
  weights::loaded_model<> m;
  const auto ok = weights::load<fuzz::no_network>(m, bytes, room);
  if (ok) return compare(bytes, m);
  fuzz::expect(*ok.message() != 0 && !std::strchr(ok.message(), '\n'), "one line names what is wrong");
  fuzz::expect(m.parameters.empty(), "nothing is half loaded");
}

int run(const std::uint8_t* data, std::size_t size) {
  return fuzz::read_sealed(data, size, [](std::span<const std::byte> bytes) { read(bytes); });
}

}  // namespace fuzz_embedded

/// What storing parameters in fewer bits costs: writes a model back as it would be computed with.
///
///   precision WEIGHTS half|int8|int8-all OUTPUT
///
/// half: rounded to the nearest half. int8: matrices and convolutions as integers of 8 bits with a scale for each
/// output channel, everything else as halves. int8-all: biases and norms too, with one scale each. The output is a file
/// of floats with a self-test of its own, so that `unmask reconstruct --weights OUTPUT` and `unmask evaluate` tell the
/// loss in dB.

#include <cmath>
#include <cstdio>
#include <cstring>
#include <unmask/core/half.hpp>
#include <unmask/io/weights.hpp>
#include <unmask/nn/cpu/all.hpp>

namespace {

using namespace unmask;

/// Rounds a parameter in file order: `rows` rows share a scale each, as large as the largest of them needs.
void round_to_bytes(std::vector<float>& values, index_t rows) {
  const auto length = static_cast<std::size_t>(std::ssize(values) / rows);
  for (std::size_t first = 0; first < values.size(); first += length) {
    float largest = 0;
    for (std::size_t i = first; i < first + length; ++i) largest = std::max(largest, std::abs(values[i]));
    const float scale = largest / 127;
    for (std::size_t i = first; scale > 0 && i < first + length; ++i) values[i] = std::round(values[i] / scale) * scale;
  }
}

int run(const char* from, const std::string& how, const char* to) {
  auto m = io::read_weights(std::string(from));
  if (!m) return std::fprintf(stderr, "%s\n", m.error().message().c_str()), 2;
  for (const parameter& p : make_manifest(m->config).entries) {
    std::vector<float> values(static_cast<std::size_t>(p.size));
    export_parameter(p, m->parameters.data(), values.data());
    const bool matrix = p.shape.size() > 1;
    if (how == "int8-all" || (how == "int8" && matrix))
      round_to_bytes(values, matrix ? p.shape[0] : 1);
    else
      for (float& x : values) x = unmask::detail::half_to_float(unmask::detail::float_to_half(x));
    import_parameter(p, m->parameters.data(), values.data());
  }
  if (auto ok = io::write_weights(to, *m); !ok) return std::fprintf(stderr, "%s\n", ok.error().message().c_str()), 2;
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string how = count == 4 ? arguments[2] : "";
  if (how != "half" && how != "int8" && how != "int8-all")
    return std::fprintf(stderr, "precision WEIGHTS half|int8|int8-all OUTPUT\n"), 2;
  return run(arguments[1], how, arguments[3]);
}

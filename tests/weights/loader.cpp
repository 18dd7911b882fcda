/// What a product's reader makes of a weights file is what the program's makes of it, number by number.

#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <unmask/core/half.hpp>
#include <unmask/io/weights.hpp>
#include <unmask/nn/cpu/all.hpp>
#include <unmask/weights/mapped_file.hpp>
#include <unmask/weights/selftest.hpp>
#include <unmask_models/for_a_camera.hpp>
#include <unmask_models/general.hpp>

#include "../model/heap_count.hpp"
#include "loaded.hpp"

namespace fs = std::filesystem;
using namespace unmask;

namespace {

void check_same(const model& a, const model& b) {
  CHECK(a.config == b.config);
  REQUIRE(a.parameters.size() == b.parameters.size());
  std::size_t different = 0;
  for (std::size_t i = 0; i < a.parameters.size(); ++i)
    different += std::bit_cast<std::uint32_t>(a.parameters[i]) != std::bit_cast<std::uint32_t>(b.parameters[i]);
  CHECK(different == 0);
  CHECK(a.initial.kind == b.initial.kind);
  CHECK(a.initial.spectral_basis.extents() == b.initial.spectral_basis.extents());
  CHECK(std::equal(a.initial.spectral_basis.begin(), a.initial.spectral_basis.end(), b.initial.spectral_basis.begin()));
  CHECK(a.dispersion_step == b.dispersion_step);
  CHECK(a.direction == b.direction);
  CHECK(a.wavelengths == b.wavelengths);
  CHECK(a.range == b.range);
  CHECK(a.card == b.card);
}

/// A place for a file, gone when the tests have ended.
fs::path fresh(const char* name) {
  struct folder {
    const fs::path path = fs::temp_directory_path() / ("unmask_weights_" + std::to_string(::getpid()));
    folder() { fs::create_directories(path); }
    ~folder() {
      std::error_code none;
      fs::remove_all(path, none);
    }
  };
  static const folder here;
  return here.path / name;
}

/// Two bands, a basis, a card with everything that JSON escapes.
model small_model() {
  model m;
  m.config = small_config(2);
  m.config.channels = 4, m.config.hidden = 6, m.config.spectral_head_width = 2, m.config.heads = {2, 1};
  const manifest list = make_manifest(m.config);
  for (index_t i = 0; i < list.size; ++i) m.parameters.push_back(.3f * std::sin(static_cast<float>(i)));
  m.initial = {initial_kind::spectral_tv, tensor<float, 2>({2, 2}, .5f)};
  m.initial.spectral_basis(0, 1) = -.25f;
  m.dispersion_step = 3;
  m.direction = dispersion_direction::up;
  m.wavelengths = {453.30000000000001, 1e3 / 3};
  std::sort(m.wavelengths.begin(), m.wavelengths.end());
  m.range = {-.1f, 2.5f};
  m.card = {{"text", "a\"b\\c/d\n\t\x01 \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"}, {"", "no name"}, {"\"", "\""}};
  return m;
}

}  // namespace

TEST_CASE("the models of this repository: every parameter and every field") {
  int files = 0;
  for (const auto& entry : fs::directory_iterator(UNMASK_MODELS_DIR)) {
    if (entry.path().extension() != ".safetensors") continue;
    CAPTURE(entry.path());
    ++files;
    const auto expected = io::read_weights(entry.path().string());
    REQUIRE(expected);
    weights::mapped_file file;
    REQUIRE(file.open(entry.path().c_str()));
    const unmask_test::loaded found(file.bytes());
    CHECK(found.found.message() == std::string());
    REQUIRE(found.found);
    check_same(weights::to_model(found.model), *expected);
  }
  CHECK(files == 3);
}

TEST_CASE("a model of small sizes, with words that JSON escapes") {
  const model m = small_model();
  const auto path = fresh("small.safetensors").string();
  REQUIRE(io::write_weights(path, m));
  const auto bytes = io::read_file(path);
  REQUIRE(bytes);
  const unmask_test::loaded found(*bytes);
  CHECK(found.found.message() == std::string());
  REQUIRE(found.found);
  check_same(weights::to_model(found.model), m);
  CHECK(found.model.card("text") == m.card.at("text"));
  CHECK(found.model.card("nothing").empty());
}

TEST_CASE("bytes in the executable: no heap, and the self-test from where they lie") {
  for (const auto bytes : {unmask_models::general(), unmask_models::for_a_camera()}) {
    CHECK(reinterpret_cast<std::uintptr_t>(bytes.data()) % 64 == 0);
    std::uint64_t need = 0;
    REQUIRE(weights::bytes_for(bytes, need));
    std::vector<std::uint64_t> block(static_cast<std::size_t>(need / 8 + 1));
    const std::span<std::byte> room(reinterpret_cast<std::byte*>(block.data()), static_cast<std::size_t>(need));
    weights::loaded_model<> m;
    const std::size_t before = unmask_test::heap_calls();
    const auto ok = weights::load(m, bytes, room);
    const std::size_t after = unmask_test::heap_calls();
    REQUIRE(ok);
    CHECK(after == before);

    std::size_t bytes_of_test = 0;
    REQUIRE(weights::selftest_bytes(cpu{}, m, bytes_of_test));
    const memory_block memory(bytes_of_test);
    const std::span<std::byte> all(memory.data(), memory.bytes());
    CHECK(weights::selftest(cpu{}, m, all));
    CHECK_FALSE(weights::selftest(cpu{}, m, all.first(bytes_of_test - 1)));
    m.selftest_seed += 1;
    CHECK_FALSE(weights::selftest(cpu{}, m, all));
    m.selftest_seed -= 1;
    // one of the parameters that act: a change of a hundredth is found
    block[0] ^= std::uint64_t{1} << 21;
    CHECK_FALSE(weights::selftest(cpu{}, m, all));
  }
}

TEST_CASE("a block that is too small or lies askew is refused") {
  const auto bytes = unmask_models::general();
  std::uint64_t need = 0;
  REQUIRE(weights::bytes_for(bytes, need));
  std::vector<std::uint64_t> block(static_cast<std::size_t>(need / 8 + 2));
  const std::span<std::byte> room(reinterpret_cast<std::byte*>(block.data()), block.size() * 8);
  weights::loaded_model<> m;
  const auto small = weights::load(m, bytes, room.first(static_cast<std::size_t>(need - 1)));
  CHECK(std::string(small.message()).find(std::to_string(need)) != std::string::npos);
  CHECK_FALSE(weights::load(m, bytes, room.subspan(4)));
  CHECK(m.parameters.empty());
}

TEST_CASE("halves: every one of them, there and back; and rounding to the nearest, ties to even") {
  for (std::uint32_t h = 0; h < 65536; ++h) {
    const auto half = static_cast<std::uint16_t>(h);
    const float value = unmask::detail::half_to_float(half);
    if (is_nan(value)) continue;
    if (unmask::detail::float_to_half(value) != half) FAIL_CHECK("half " << h);
    const auto next = static_cast<std::uint16_t>(half + 1);
    const float above = unmask::detail::half_to_float(next);
    if ((half & 0x7fff) >= 0x7bff || is_nan(above)) continue;
    const float middle = (value + above) / 2;  // exact in a float
    const std::uint16_t even = half & 1 ? next : half;
    if (unmask::detail::float_to_half(middle) != even) FAIL_CHECK("between half " << h << " and the next");
    if (unmask::detail::float_to_half(std::nextafter(middle, value)) != half) FAIL_CHECK("near half " << h);
    if (unmask::detail::float_to_half(std::nextafter(middle, above)) != next) FAIL_CHECK("near half " << h + 1);
  }
  CHECK(unmask::detail::float_to_half(65519.996f) == 0x7bff);
  CHECK(unmask::detail::float_to_half(65520.f) == 0x7c00);
  CHECK(unmask::detail::float_to_half(-1e30f) == 0xfc00);
  CHECK(is_nan(unmask::detail::half_to_float(unmask::detail::float_to_half(std::nanf("")))));
}

TEST_CASE("weights as halves: both readers have the nearest halves, and the self-test is theirs") {
  const auto trained = io::read_weights(std::string(UNMASK_MODELS_DIR "/general.safetensors"));
  REQUIRE(trained);
  const auto path = fresh("half.safetensors").string();
  REQUIRE(io::write_weights(path, *trained, {}, io::weights_precision::half));
  const auto size = fs::file_size(path), whole = fs::file_size(UNMASK_MODELS_DIR "/general.safetensors");
  CHECK(size < whole * 57 / 100);
  model expected = *trained;
  for (float& x : expected.parameters) x = unmask::detail::half_to_float(unmask::detail::float_to_half(x));
  const auto other = io::read_weights(path);  // replays the self-test
  REQUIRE(other);
  check_same(*other, expected);
  const auto bytes = io::read_file(path);
  REQUIRE(bytes);
  const unmask_test::loaded found(*bytes);
  REQUIRE(found.found);
  check_same(weights::to_model(found.model), expected);
  std::size_t need = 0;
  REQUIRE(weights::selftest_bytes(cpu{}, found.model, need));
  const memory_block memory(need);
  CHECK(weights::selftest(cpu{}, found.model, {memory.data(), memory.bytes()}));

  REQUIRE(io::write_weights(path, *trained, {}, io::weights_precision::bytes));
  CHECK(fs::file_size(path) < whole * 36 / 100);
  const auto small = io::read_weights(path);
  REQUIRE(small);
  const auto small_bytes = io::read_file(path);
  REQUIRE(small_bytes);
  const unmask_test::loaded small_found(*small_bytes);
  CHECK(small_found.found.message() == std::string());
  REQUIRE(small_found.found);
  check_same(weights::to_model(small_found.model), *small);
  // a row's rounding is half a step of its largest value at most
  for (const parameter& p : make_manifest(trained->config).entries) {
    std::vector<float> before(static_cast<std::size_t>(p.size)), after(before);
    export_parameter(p, trained->parameters.data(), before.data());
    export_parameter(p, small->parameters.data(), after.data());
    const std::size_t length = p.shape.size() > 1 ? before.size() / static_cast<std::size_t>(p.shape[0]) : 1;
    for (std::size_t first = 0; first < before.size(); first += length) {
      float largest = 0, worst = 0;
      for (std::size_t i = first; i < first + length; ++i) {
        largest = std::max(largest, std::abs(before[i]));
        worst = std::max(worst, std::abs(before[i] - after[i]));
      }
      const float allowed = p.shape.size() > 1 ? largest / 253 : largest / 2000 + 0x1p-25f;
      if (!(worst <= allowed)) FAIL_CHECK(p.name << " is off by " << worst << ", allowed " << allowed);
    }
  }

  expected.parameters[7] = 70000;
  const auto refused =
      io::write_weights(fresh("large.safetensors").string(), expected, {}, io::weights_precision::half);
  CHECK_FALSE(refused);
  CHECK_FALSE(fs::exists(fresh("large.safetensors")));
}

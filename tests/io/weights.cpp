#include "unmask/io/weights.hpp"

#include <unmask/unmask.hpp>

#include "helpers.hpp"
#include "instances.hpp"

using namespace unmask;
using namespace io_test;

namespace {

s2_config two_stages() {
  s2_config c{.bands = 3, .channels = 8, .stages = 2, .depths = {1, 2}, .heads = {2, 4}, .spectral_head_width = 4};
  c.window = c.pad_multiple = 4;
  c.hidden = 12;
  return c;
}

/// Like a trained network: values of a size that makes every branch count.
std::vector<float> parameters_of(const s2_config& c) {
  std::vector<float> p(static_cast<std::size_t>(make_manifest(c).size));
  initialise(p.data(), make_manifest(c), 3);
  unmask::random noise(4);
  for (float& x : p) x += static_cast<float>(0.2 * noise.normal());
  return p;
}

model made(const s2_config& c, std::vector<float> parameters, std::map<std::string, std::string> card = {}) {
  model m;
  m.config = c;
  m.parameters = std::move(parameters);
  m.card = std::move(card);
  return m;
}

/// A correct weights file, changed by `edit`, with its checksums made right again if asked.
template <class F>
std::vector<std::byte> edited(const io::safetensors& original, bool sums, F edit) {
  io::safetensors file = original;
  edit(file);
  if (sums) io::detail::seal(file);
  return *io::format_safetensors(file);
}

io::tensor_entry& entry(io::safetensors& file, const std::string& name) {
  for (auto& t : file.tensors)
    if (t.name == name) return t;
  FAIL("no " << name);
  return file.tensors[0];
}

}  // namespace

TEST_CASE("io: configurations go through JSON and back") {
  s2_config odd = two_stages();
  odd.layout = arrangement::spectral_spatial;
  odd.spatial_effect = mask_effect::qkv;
  odd.spectral_effect = mask_effect::v;
  odd.scope = spectral_scope::window;
  odd.embedding = mask_embedding_kind::tile_safe;
  odd.pad_multiple = 8;
  odd.shifted = false;
  for (const s2_config& c : {s2_config{}, small_config(5), odd}) {
    const auto back = io::config_from_json(io::config_to_json(c));
    REQUIRE_MESSAGE(back, back.error().message());
    CHECK(*back == c);
  }
  CHECK(*io::config_from_json(nlohmann::json::object()) == s2_config{});
  CHECK(io::config_to_json({})["layout"] == "parallel_concat");
  CHECK_FALSE(io::config_to_json({}).contains("inputs"));  // younger than the files that lack it
  const s2_config wide{.bands = 6, .inputs = 30};
  CHECK(io::config_to_json(wide)["inputs"] == 30);
  CHECK(io::config_from_json(io::config_to_json(wide)).value() == wide);
  CHECK(io::config_to_json({})["depths"].size() == 4);

  const auto refused = [](const char* text, errc code, const std::vector<std::string>& pieces) {
    check_error(io::config_from_json(nlohmann::json::parse(text, nullptr, false)), code, pieces);
  };
  refused("[]", errc::wrong_value, {"not a JSON object"});
  refused(R"({"chanels":60})", errc::bad_argument, {"unknown key 'chanels'"});
  refused(R"({"a\nb":60})", errc::bad_argument, {"unknown key 'a?b'"});
  refused(R"({"channels":"60"})", errc::wrong_value, {"'channels' is \"60\"", "an integer"});
  refused(R"({"channels":60.5})", errc::wrong_value, {"'channels' is 60.5", "an integer"});
  refused(R"({"channels":-1})", errc::bad_argument, {"channels is -1"});
  refused(R"({"channels":18446744073709551615})", errc::wrong_value, {"'channels' is 18446744073709551615"});
  refused(R"({"shifted":1})", errc::wrong_value, {"'shifted' is 1", "true or false"});
  refused(R"({"depths":[2,"2"]})", errc::wrong_value, {"'depths' entry is \"2\""});
  refused(R"({"depths":[1,1,1,1,1,1,1,1,1]})", errc::wrong_value, {"'depths'", "1 to 8 integers"});
  refused(R"({"depths":[2,2]})", errc::wrong_shape, {"depths has 2 entries, heads has 4"});
  refused(R"({"layout":"parallel"})", errc::wrong_value, {"'layout' is \"parallel\"", "parallel_concat, parallel_sum"});
  refused(R"({"spatial_effect":3})", errc::wrong_value, {"'spatial_effect' is 3", "none, q, k, qk, v, qkv"});
  check_error(io::config_from_json({{"channels", 7}}), errc::bad_argument, {"spectral_head_width is 10"});
}

TEST_CASE("io: weights go out and come back, from a file and from bytes") {
  const temporary_folder folder;
  const std::string path = folder / "weights.safetensors";
  for (const arrangement layout :
       {arrangement::parallel_concat, arrangement::spatial, arrangement::spectral_spectral}) {
    s2_config c = two_stages();
    c.layout = layout;
    const auto p = parameters_of(c);
    REQUIRE(io::write_weights(path, made(c, p, {{"data", "generated"}, {"licence", "MIT"}})));
    const auto w = io::read_weights(path);
    REQUIRE_MESSAGE(w, w.error().message());
    CHECK(w->config == c);
    CHECK(w->parameters == p);
    CHECK(w->card == std::map<std::string, std::string>{{"data", "generated"}, {"licence", "MIT"}});
    const auto bytes = *io::read_file(path);
    CHECK(io::read_weights(std::span<const std::byte>(bytes)));
    CHECK(
        io::read_weights<s2_network<float, ref>>(path));  // the reference kernels pass the self-test of the tuned ones
    CHECK(io::read_weights(path, cpu{.threads = 2}));
  }
  CHECK(folder.files() == 1);
  // Parameters are in file (PyTorch) order: [out, in, kr, kc], whatever the order in memory.
  const auto p = parameters_of(two_stages());
  REQUIRE(io::write_weights(path, made(two_stages(), p)));
  const auto file = *io::read_safetensors(path);
  CHECK(file.find("conv_first.weight")->shape == std::vector<index_t>{8, 3, 3, 3});
  // element 1 is kc 1 of in 0 and out 0; in memory [kr, kc, in, out] that is (1 * 3 + 0) * 8 + 0
  CHECK((*io::to_floats(*file.find("conv_first.weight")))[1] == p[24]);
}

TEST_CASE("io: checksums are FNV-1a, and the same side by side as one by one") {
  const auto text = [](std::string_view s) { return std::as_bytes(std::span(s.data(), s.size())); };
  CHECK(io::detail::checksum(text("")) == "cbf29ce484222325");  // published values
  CHECK(io::detail::checksum(text("a")) == "af63dc4c8601ec8c");
  CHECK(io::detail::checksum(text("foobar")) == "85944171f73967e8");
  const std::vector<std::string> words{"", "a", "foobar", "some", "", "arrays of different lengths", "b", "", "end"};
  std::vector<std::span<const std::byte>> arrays;
  for (const auto& w : words) arrays.push_back(text(w));
  for (std::size_t count = 0; count <= arrays.size(); ++count) {
    const auto sums = io::detail::checksums(std::span(arrays).first(count));
    REQUIRE(sums.size() == count);
    for (std::size_t i = 0; i < count; ++i) CHECK(sums[i] == io::detail::checksum(arrays[i]));
  }
}

TEST_CASE("io: a weights file is loaded whole or not at all") {
  const temporary_folder folder;
  const s2_config c = two_stages();
  REQUIRE(io::write_weights(folder / "w", made(c, parameters_of(c))));
  const io::safetensors file = *io::read_safetensors(folder / "w");
  const auto refused = [&](const std::vector<std::byte>& bytes, errc code, const std::vector<std::string>& pieces) {
    check_error(io::read_weights(std::span<const std::byte>(bytes), "w.safetensors"), code, pieces);
  };
  const std::string name = "stages.1.blocks.1.spectral.proj.weight";

  for (const auto& t : file.tensors) {  // one flipped bit in any tensor is found, and in which
    const auto bytes =
        edited(file, false, [&](auto& f) { entry(f, t.name).bytes[t.bytes.size() / 2] ^= std::byte{1}; });
    refused(bytes, errc::unreadable, {"w.safetensors: parameter '" + t.name + "' is damaged"});
  }
  refused(edited(file, true, [&](auto& f) { std::erase_if(f.tensors, [&](auto& t) { return t.name == name; }); }),
          errc::not_found, {"'" + name + "' is missing"});
  refused(edited(file, true, [&](auto& f) { f.tensors.push_back(io::make_tensor("extra", {0}, {})); }),
          errc::bad_argument, {"'extra' is no parameter"});
  refused(edited(file, true, [&](auto& f) { entry(f, name).shape = {64}; }), errc::wrong_shape,
          {"'" + name + "' is F32 [64], expected F32 [8 x 8]"});
  refused(edited(file, true, [&](auto& f) { entry(f, name).dtype = "I32"; }), errc::wrong_shape, {name, "is I32"});
  refused(edited(file, true, [&](auto& f) { std::memset(entry(f, name).bytes.data(), 0xff, 4); }), errc::wrong_value,
          {name, "NaN"});
  refused(edited(file, false, [&](auto& f) { f.metadata.erase("format"); }), errc::unreadable, {"not a weights file"});
  refused(edited(file, false, [&](auto& f) { f.metadata["format"] = "unmask weights 3"; }), errc::unreadable,
          {"'unmask weights 3'", "expected 'unmask weights 2'"});
  refused(edited(file, false, [&](auto& f) { f.metadata["architecture"] = "MST"; }), errc::bad_argument,
          {"network 'MST'", "expected 'S2-Transformer'"});
  refused(edited(file, false, [&](auto& f) { f.metadata.erase("model"); }), errc::unreadable, {"'model'"});
  refused(edited(file, false, [&](auto& f) { f.metadata.erase("config"); }), errc::unreadable, {"'config'"});
  refused(edited(file, false, [&](auto& f) { f.metadata["config"] = "{\"bands\":3}"; }), errc::wrong_value,
          {"every value"});
  refused(edited(file, false, [&](auto& f) { f.metadata["checksums"] = "{"; }), errc::unreadable, {"checksums"});
  refused(edited(file, false, [&](auto& f) { f.metadata["selftest"] = "{\"seed\":-1}"; }), errc::unreadable,
          {"selftest"});

  const auto whole = *io::format_safetensors(file);
  const std::vector<std::byte> truncated(whole.begin(), whole.end() - 1);
  refused(truncated, errc::unreadable, {"ends at byte"});
  check_error(io::read_weights(folder / "none"), errc::not_found, {"none: no such file"});

  s2_config huge = c;
  huge.channels = 4096;
  huge.hidden = 65536;
  huge.spectral_head_width = 4;
  refused(edited(file, false, [&](auto& f) { f.metadata["config"] = io::config_to_json(huge).dump(); }),
          errc::wrong_shape, {"parameters"});
}

TEST_CASE("io: the self-test finds a network that is not the one that was trained") {
  const temporary_folder folder;
  const s2_config c = two_stages();
  REQUIRE(io::write_weights(folder / "w", made(c, parameters_of(c))));
  const io::safetensors file = *io::read_safetensors(folder / "w");
  // Configurations with the same parameters: only what they compute tells them apart.
  std::vector<s2_config> others(4, c);
  others[0].spatial_effect = mask_effect::q;
  others[1].shifted = false;
  others[2].embedding = mask_embedding_kind::tile_safe;
  others[3].pad_multiple = 12;
  for (const s2_config& other : others) {
    const auto bytes = edited(file, true, [&](auto& f) { f.metadata["config"] = io::config_to_json(other).dump(); });
    const auto w = io::read_weights(std::span<const std::byte>(bytes), "w.safetensors");
    CAPTURE(io::config_to_json(other).dump());
    check_error(w, errc::unreadable, {"w.safetensors: the self-test failed"});
  }
  const auto swapped = edited(file, true, [&](auto& f) {
    std::swap(entry(f, "stages.1.blocks.0.norm1.bias").bytes, entry(f, "stages.1.blocks.1.norm1.bias").bytes);
  });
  check_error(io::read_weights(std::span<const std::byte>(swapped)), errc::unreadable, {"self-test failed"});
}

TEST_CASE("io: a flipped bit of the metadata is noticed, or changes nothing") {
  const temporary_folder folder;
  model m = made(two_stages(), parameters_of(two_stages()), {{"data", "caf\xe9"}});
  m.wavelengths = {500, 550, 600};
  REQUIRE(io::write_weights(folder / "w", m));
  const auto whole = *io::read_file(folder / "w");
  const auto original = io::read_weights(std::span<const std::byte>(whole));
  REQUIRE_MESSAGE(original, original.error().message());
  std::uint64_t header = 0;
  std::memcpy(&header, whole.data(), 8);
  const std::string_view text(reinterpret_cast<const char*>(whole.data()) + 8, static_cast<std::size_t>(header));
  const std::size_t begin = text.find("__metadata__"), end = text.find("\"selftest\"");
  REQUIRE(end != std::string_view::npos);
  int noticed = 0;
  for (std::size_t at = begin; at < end; ++at)
    for (const unsigned bit : {1u, 2u, 16u}) {
      auto bytes = whole;
      bytes[8 + at] ^= std::byte(bit);
      const auto w = io::read_weights(std::span<const std::byte>(bytes));
      noticed += !w;
      if (!w) continue;
      CAPTURE(text.substr(at > 20 ? at - 20 : 0, 40));
      CHECK(w->config == original->config);
      CHECK(w->wavelengths == original->wavelengths);
      CHECK(w->dispersion_step == original->dispersion_step);
      CHECK(w->direction == original->direction);
      CHECK(w->range == original->range);
      CHECK(w->card == original->card);
    }
  CHECK(noticed > static_cast<int>(end - begin));
}

TEST_CASE("io: weights that are not numbers are not written") {
  const temporary_folder folder;
  const std::string path = folder / "w";
  spit(path, "old");
  auto p = parameters_of(two_stages());
  check_error(io::write_weights(path, made(two_stages(), {p.begin(), p.begin() + 5})), errc::wrong_shape,
              {"5 parameters"});
  p[7] = std::nanf("");
  check_error(io::write_weights(path, made(two_stages(), p)), errc::wrong_value, {"'conv_first.weight'", "NaN"});
  p[7] = 3e38f;
  p[8] = 3e38f;
  const auto overflow = io::write_weights(path, made(two_stages(), p));
  if (!overflow) check_error(overflow, errc::wrong_value, {"not finite"});
  CHECK((overflow || slurp(path) == "old"));
}

#include "unmask/models/model.hpp"

#include <unmask/unmask.hpp>

#include <ctime>

#include "helpers.hpp"
#include "instances.hpp"
#include "unmask/io/weights.hpp"

using namespace unmask;
using namespace io_test;

namespace {

s2_config one_stage() {
  s2_config c{.bands = 3, .channels = 8, .stages = 1, .depths = {1}, .heads = {2}, .spectral_head_width = 4};
  c.window = c.pad_multiple = 4;
  c.hidden = 12;
  return c;
}

model fresh(const s2_config& c = one_stage()) {
  model m;
  m.config = c;
  m.parameters.resize(static_cast<std::size_t>(make_manifest(c).size));
  initialise(m.parameters.data(), make_manifest(c), 3);
  return m;
}

/// A model that differs from the default in everything.
model spectral() {
  model m = fresh();
  m.initial.kind = initial_kind::spectral_tv;
  m.initial.spectral_basis = tensor<float, 2>({2, 3});
  float value = -1.f / 3;
  for (float& v : m.initial.spectral_basis) v = value *= -.7f;
  m.initial.spectral_basis(1, 1) = 1e-30f;
  m.dispersion_step = 3;
  m.direction = dispersion_direction::up;
  m.wavelengths = {450.1, 1. / 3 + 500, 620};
  m.range = {-.1f, 2};
  m.card = {{"step", "words for people, which nobody reads"}};
  return m;
}

bool same(const tensor<float, 2>& a, const tensor<float, 2>& b) {
  return a.extents() == b.extents() && std::equal(a.begin(), a.end(), b.begin());
}

/// A file of the first form, with this description.
std::vector<std::byte> first_form(const model& m, const std::map<std::string, std::string>& description) {
  const temporary_folder folder;
  model plain = fresh(m.config);
  plain.parameters = m.parameters;
  REQUIRE(io::write_weights(folder / "w", plain));
  io::safetensors file = *io::read_safetensors(folder / "w");
  file.metadata["format"] = "unmask weights 1";
  file.metadata.erase("model");
  file.metadata.erase("architecture");
  for (const auto& [key, text] : description) file.metadata["description." + key] = text;
  io::detail::seal(file);
  return *io::format_safetensors(file);
}

result<model> read_first_form(const std::map<std::string, std::string>& description) {
  const auto bytes = first_form(fresh(), description);
  return io::read_weights(std::span<const std::byte>(bytes), "old");
}

std::string refusal(const std::map<std::string, std::string>& description) {
  const auto read = read_first_form(description);
  return read ? "accepted" : read.error().message();
}

/// The message of a file whose metadata `model` is another.
std::string json_refusal(const nlohmann::json& j) {
  const temporary_folder folder;
  REQUIRE(io::write_weights(folder / "w", spectral()));
  io::safetensors file = *io::read_safetensors(folder / "w");
  file.metadata["model"] = j.dump();
  io::detail::seal(file);
  const auto bytes = *io::format_safetensors(file);
  const auto read = io::read_weights(std::span<const std::byte>(bytes), "w");
  CHECK((read || read.error().message().find('\n') == std::string::npos));
  return read ? "accepted" : read.error().message();
}

}  // namespace

TEST_CASE("io: initial estimates have names") {
  for (const auto kind :
       {initial_kind::hm, initial_kind::gap_tv, initial_kind::gap_tv_camera, initial_kind::spectral_tv})
    CHECK(initial_by_name(initial_name(kind)).value() == kind);
  CHECK_FALSE(bool(initial_by_name("gap")));
}

TEST_CASE("io: a model goes out and comes back to the bit") {
  const temporary_folder folder;
  for (const model& m : {fresh(), spectral()}) {
    REQUIRE(io::write_weights(folder / "w", m));
    const auto read = io::read_weights(folder / "w");
    REQUIRE_MESSAGE(read, read.error().message());
    CHECK(read->config == m.config);
    CHECK(read->parameters == m.parameters);
    CHECK(read->initial.kind == m.initial.kind);
    CHECK(same(read->initial.spectral_basis, m.initial.spectral_basis));
    CHECK(read->dispersion_step == m.dispersion_step);
    CHECK(read->direction == m.direction);
    CHECK(read->wavelengths == m.wavelengths);
    CHECK(read->range == m.range);
    CHECK(read->card == m.card);
  }
}

TEST_CASE("io: a model that contradicts itself is neither written nor read") {
  const temporary_folder folder;
  const auto written = [&](auto change) {
    model m = spectral();
    change(m);
    const auto done = io::write_weights(folder / "w", m);
    return done ? "written" : done.error().message();
  };
  CHECK(written([](model&) {}) == "written");
  CHECK(written([](model& m) { m.initial.kind = initial_kind::hm; }).find("[2 x 3], expected none for hm") !=
        std::string::npos);
  CHECK(written([](model& m) { m.initial.spectral_basis = {}; }).find("expected 1 to 3 rows of 3") !=
        std::string::npos);
  CHECK(written([](model& m) { m.initial.spectral_basis(0, 0) = std::nanf(""); }).find("NaN") != std::string::npos);
  CHECK(written([](model& m) { m.dispersion_step = -1; }).find("dispersion_step is -1") != std::string::npos);
  CHECK(written([](model& m) { m.wavelengths.pop_back(); }).find("2 wavelengths") != std::string::npos);
  CHECK(written([](model& m) { m.wavelengths[1] = 450; }).find("not ascending") != std::string::npos);
  CHECK(written([](model& m) { m.wavelengths[1] = std::nan(""); }).find("not ascending") != std::string::npos);
  CHECK(written([](model& m) { m.range = {1, 1}; }).find("range") != std::string::npos);

  const nlohmann::json good = io::model_to_json(spectral());
  CHECK(json_refusal(good) == "accepted");
  for (const char* key : {"initial", "dispersion_step", "direction", "wavelengths", "range"}) {
    nlohmann::json less = good, other = good;
    less.erase(key);
    CHECK(json_refusal(less).find(std::string("'") + key + "' is missing") != std::string::npos);
    other[key] = true;
    CHECK(json_refusal(other).find(std::string("'") + key + "' is true, expected") != std::string::npos);
  }
  const auto with = [&](const char* key, const nlohmann::json& value) {
    nlohmann::json j = good;
    j[key] = value;
    return json_refusal(j);
  };
  CHECK(with("more", 1).find("unknown key 'more'") != std::string::npos);
  CHECK(with("initial", "guess").find("'guess'") != std::string::npos);
  CHECK(with("initial", "hm").find("'initial.spectral_basis' is no parameter") != std::string::npos);
  CHECK(with("direction", "north").find("'north'") != std::string::npos);
  CHECK(with("dispersion_step", 2.5).find("expected an integer") != std::string::npos);
  CHECK(with("dispersion_step", -2).find("dispersion_step is -2") != std::string::npos);
  CHECK(with("wavelengths", {450, 500}).find("2 wavelengths") != std::string::npos);
  CHECK(with("wavelengths", {450, "500", 600}).find("a list of numbers") != std::string::npos);
  CHECK(with("range", {0, 1, 2}).find("two numbers") != std::string::npos);
}

TEST_CASE("io: files of the first form are read, and converted they are the same model") {
  const auto read = read_first_form({{"initial", "spectral-tv"},
                                     {"spread", "2 3 .1 .2 .3 -0.333333343 1e-30 .6"},
                                     {"step", "1"},
                                     {"wavelengths", "453.3 457.6 462.1"},
                                     {"recipe", "{}"}});
  REQUIRE_MESSAGE(read, read.error().message());
  CHECK(read->initial.kind == initial_kind::spectral_tv);
  CHECK(read->initial.spectral_basis(1, 0) == -1.f / 3);
  CHECK(read->initial.spectral_basis(1, 1) == 1e-30f);
  CHECK(read->dispersion_step == 1);
  CHECK(read->direction == dispersion_direction::right);
  CHECK(read->wavelengths == std::vector<double>{453.3, 457.6, 462.1});
  CHECK(read->card == std::map<std::string, std::string>{{"recipe", "{}"}});
  const temporary_folder folder;
  REQUIRE(io::write_weights(folder / "new", *read));
  const auto again = io::read_weights(folder / "new");
  REQUIRE(again);
  CHECK(again->parameters == read->parameters);
  CHECK(same(again->initial.spectral_basis, read->initial.spectral_basis));
  CHECK(again->wavelengths == read->wavelengths);

  // nothing said: HM, two columns to the right, wavelengths not known
  const auto silent = read_first_form({{"wavelengths", "some"}});
  REQUIRE(silent);
  CHECK(silent->initial.kind == initial_kind::hm);
  CHECK(silent->dispersion_step == 2);
  CHECK(silent->wavelengths.empty());
  CHECK(silent->card.contains("wavelengths"));
  CHECK(read_first_form({{"initial", "gap-tv"}})->initial.kind == initial_kind::gap_tv);
}

TEST_CASE("io: a damaged description of the first form is refused") {
  const auto basis = [](const std::string& text) { return refusal({{"initial", "spectral-tv"}, {"spread", text}}); };
  CHECK(basis("1 3 .1 .2 .3") == "accepted");
  CHECK(refusal({{"initial", "other"}}).find("'other'") != std::string::npos);
  CHECK(refusal({{"initial", "spectral-tv"}}).find("without a 'spread'") != std::string::npos);
  for (const char* text : {"", "1", "x 3 1 2 3"})
    CHECK(basis(text).find("expected at most 3 rows") != std::string::npos);
  CHECK(basis("1 4 .1 .2 .3 .4").find("[1 x 4], expected at most 3 rows of 3") != std::string::npos);
  CHECK(basis("4 3 .1 .2 .3").find("[4 x 3]") != std::string::npos);
  for (const char* text : {"1 3 .1 .2", "1 3 .1 nan .3", "1 3 .1 .2 inf", "1 3 .1 .2 x"})
    CHECK(basis(text).find("no finite number") != std::string::npos);
  CHECK(basis("1 3 .1 .2 .3 .4").find("more values than 3") != std::string::npos);
  for (const char* text : {"two", "2x", "", "-1", "1e3"})
    CHECK(refusal({{"step", text}}).find("step is") != std::string::npos);
}

TEST_CASE("io: a model is for bands that lie and are dispersed as in its training") {
  const model m = spectral();  // 3 bands, step 3, up, 450.1, 500.3, 620 nm
  const auto refused = [&](model_use use) {
    const auto ok = fits(m, use, "file");
    CHECK((ok || ok.error().message().find('\n') == std::string::npos));
    return ok ? std::string() : ok.error().message();
  };
  constexpr auto up = dispersion_direction::up;
  const std::vector<double> near{451, 499, 623}, far{450.1, 520, 620}, two{450.1, 500.3},
      nothing{450.1, std::nan(""), 620};
  CHECK(refused({3, 3, up}) == "");
  CHECK(refused({3, 3, up, m.wavelengths}) == "");
  CHECK(refused({3, 3, up, near}) == "");
  CHECK(refused({4, 3, up}).find("file: trained for 3 bands, found 4 bands (--weights") == 0);
  CHECK(refused({3, 2, up}).find("file: trained for dispersion step 3, found 2 (--step") == 0);
  CHECK(refused({3, 3, dispersion_direction::right}).find("file: trained for dispersion direction up, found right") ==
        0);
  CHECK(refused({3, 3, up, far}).find("file: trained for 500.3 nm in band 1, found 520.0 nm") == 0);
  CHECK(refused({3, 3, up, nothing}).find("in band 1") != std::string::npos);
  CHECK(refused({3, 3, up, two}).find("3 wavelengths, found 2") != std::string::npos);
  model silent = m;
  silent.wavelengths.clear();
  CHECK(fits(silent, 3, 3, up, far));
}

TEST_CASE("io: the self-test of a small file cannot cost much") {
  const temporary_folder folder;
  REQUIRE(io::write_weights(folder / "w", fresh()));
  const io::safetensors file = *io::read_safetensors(folder / "w");
  s2_config padded = one_stage(), windows = one_stage();
  padded.pad_multiple = 1024;
  windows.window = windows.pad_multiple = 64;
  for (s2_config c : {padded, windows}) {
    c.stages = max_stages;
    c.depths.fill(2);
    c.heads.fill(2);
    model m = fresh(c);
    const auto unwritten = io::write_weights(folder / "costly", m);
    REQUIRE_FALSE(unwritten);
    // the same file, as somebody else's program may have written it
    io::safetensors other;
    for (const parameter& p : make_manifest(c).entries) {
      std::vector<float> values(static_cast<std::size_t>(p.size));
      export_parameter(p, m.parameters.data(), values.data());
      other.tensors.push_back(io::make_tensor(p.name, p.shape, values));
    }
    other.metadata = file.metadata;
    other.metadata["config"] = io::config_to_json(c).dump();
    const auto bytes = *io::format_safetensors(other);
    const std::clock_t start = std::clock();  // of this processor: other programs may be running
    check_error(io::read_weights(std::span<const std::byte>(bytes), "costly"), errc::bad_argument,
                {"costly: the self-test of this configuration takes", "allowed for"});
    CHECK(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC < 1);
  }
  CHECK(io::check_selftest_cost<s2_network<float, cpu>>({.threads = 64}, s2_config{}, make_manifest({}).size));
}

TEST_CASE("io: the networks that come with the program are of the second form") {
  for (const char* name : {"general", "camera"}) {
    const std::string path = std::string(UNMASK_MODELS_DIR) + "/" + name + ".safetensors";
    const auto m = io::read_weights(path);
    REQUIRE_MESSAGE(m, m.error().message());
    CHECK(io::read_safetensors(path)->metadata.at("format") == "unmask weights 2");
    CHECK(m->initial.kind == initial_kind::spectral_tv);
    CHECK(m->wavelengths.size() == 28);
    CHECK(fits(*m, 28, 2, dispersion_direction::right, optics::benchmark_wavelength_list()));
    CHECK_FALSE(fits(*m, 28, 1, dispersion_direction::right));
  }
}

#include <algorithm>
#include <cstdio>

#include "helpers.hpp"
#include "unmask/io/cube.hpp"
#include "unmask/io/released_weights.hpp"

using namespace unmask;
using namespace io_test;

namespace {

/// The released names and shapes of a configuration with values 0, 1, 2, ...; `window` scope adds one level.
std::vector<io::tensor_entry> released_tensors(const s2_config& c) {
  std::vector<io::tensor_entry> tensors;
  for (const parameter& p : make_manifest(c).entries) {
    std::vector<float> values(static_cast<std::size_t>(p.size));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) + 0.5f;
    std::vector<index_t> shape = p.shape;
    if (p.name.ends_with(".rescale")) shape = {p.shape[0], 1, 1};
    if (p.name == "pin.weight" || p.name.ends_with("conv1.weight")) shape = {p.shape[0], p.shape[1], 1, 1};
    tensors.push_back(io::make_tensor(io::released_name(p.name, c), shape, values));
  }
  return tensors;
}

s2_config released_like() {
  s2_config c{.bands = 5, .channels = 8, .stages = 2, .depths = {1, 2}, .heads = {2, 4}, .spectral_head_width = 2};
  c.window = c.pad_multiple = 4;
  c.hidden = 12;
  c.spectral_effect = mask_effect::qk;
  return c;
}

nlohmann::json json_attribute(const std::string& path, const char* name) {
  const auto file = io::detail::hdf5_open(path);
  const io::detail::hdf5_id attribute(H5Aopen(file, name, H5P_DEFAULT), H5Aclose);
  const auto text = io::detail::attribute_string(attribute);
  REQUIRE(text);
  return nlohmann::json::parse(*text, nullptr, false);
}

/// Everything below /param of a golden file.
std::vector<io::tensor_entry> golden_tensors(const std::string& path) {
  const auto file = io::list_variables(path);
  REQUIRE_MESSAGE(file, file.error().message());
  std::vector<io::tensor_entry> tensors;
  for (const auto& v : file->variables) {
    if (!v.name.starts_with("param/")) continue;
    std::vector<float> values(static_cast<std::size_t>(*io::detail::checked_elements(path, v)));
    REQUIRE(io::detail::read_into(*file, v, values.data()));
    tensors.push_back(io::make_tensor(v.name.substr(6), v.shape, values));
  }
  return tensors;
}

template <class Enum, std::size_t N>
Enum named(const std::string& text, const std::array<std::pair<const char*, Enum>, N>& names) {
  for (const auto& [name, value] : names)
    if (text == name) return value;
  FAIL("unknown " << text);
  return {};
}

constexpr std::array<std::pair<const char*, arrangement>, 8> layouts{
    {{"Spa_Attn", arrangement::spatial},
     {"Spe_Attn", arrangement::spectral},
     {"SpaSpe_Attn", arrangement::spatial_spectral},
     {"SpeSpa_Attn", arrangement::spectral_spatial},
     {"SpaSpa_Attn", arrangement::spatial_spatial},
     {"SpeSpe_Attn", arrangement::spectral_spectral},
     {"Parall_SS_Attn", arrangement::parallel_sum},
     {"Parall_CatSS_Attn", arrangement::parallel_concat}}};
constexpr std::array<std::pair<const char*, mask_effect>, 5> effects{{{"omit", mask_effect::none},
                                                                      {"only_q", mask_effect::q},
                                                                      {"only_k", mask_effect::k},
                                                                      {"both_qk", mask_effect::qk},
                                                                      {"only_v", mask_effect::v}}};

}  // namespace

TEST_CASE("io: released names and ours, both ways, for every layout") {
  for (const auto& [text, layout] : layouts)
    for (const spectral_scope scope : {spectral_scope::image, spectral_scope::window}) {
      s2_config c = released_like();
      c.layout = layout;
      c.scope = scope;
      for (const parameter& p : make_manifest(c).entries) {
        const std::string released = io::released_name(p.name, c);
        CAPTURE(p.name);
        CHECK_FALSE(released.empty());
        CHECK(io::our_name(released, c) == p.name);
      }
    }
  s2_config c;
  CHECK(io::released_name("stages.0.blocks.1.spatial.qkv.weight", c) ==
        "layers.0.residual_group.blocks.1.win_wrap_spatial.attn.qkv.weight");
  CHECK(io::released_name("stages.12.blocks.10.spatial2.position_bias", c) ==
        "layers.12.residual_group.blocks.10.win_wrap_spatial2.attn.relative_position_bias_table");
  CHECK(io::released_name("stages.0.blocks.0.spectral_embedding.conv3.bias", c) ==
        "layers.0.residual_group.blocks.0.ms_conv4.bias");
  CHECK(io::released_name("stages.0.blocks.0.spectral.position.2.weight", c) ==
        "layers.0.residual_group.blocks.0.chl_msa.pos_emb.2.weight");
  CHECK(io::our_name("layers.0.residual_group.blocks.0.chl_msa.attn.proj.bias", c).empty());
  c.scope = spectral_scope::window;
  CHECK(io::released_name("stages.0.blocks.0.spectral2.rescale", c) ==
        "layers.0.residual_group.blocks.0.chl_msa2.attn.rescale");
  CHECK(io::our_name("layers.0.residual_group.blocks.0.chl_msa.proj.bias", c).empty());
  CHECK(io::released_name("pin.weight", c) == "RSTB_pin.weight");
  CHECK(io::released_name("input_norm.bias", c) == "patch_embed.norm.bias");
  for (const char* unknown :
       {"", "x", "stages", "stages.", "stages.0", "stages.0.", "stages.0.blocks.0", "stages.x.conv.weight",
        "stages.0.conv.0.weight", "conv_after_body.2.weight", "norm.", "stages.0.blocks.0.norm4.bias"})
    CHECK(io::released_name(unknown, c).empty());
}

TEST_CASE("io: released weights are imported, shapes tell the configuration") {
  const s2_config c = released_like();
  auto tensors = released_tensors(c);
  const auto import = io::import_released(tensors, {.spectral_effect = mask_effect::qk});
  REQUIRE_MESSAGE(import, import.error().message());
  CHECK(import->config == c);
  CHECK(import->skipped.empty());
  for (const parameter& p : make_manifest(c).entries) {
    std::vector<float> values(static_cast<std::size_t>(p.size));
    export_parameter(p, import->parameters.data(), values.data());
    CHECK(values[0] == 0.5f);
    CHECK(values.back() == static_cast<float>(p.size) - 0.5f);
  }
}

TEST_CASE("io: released weights that are dead are skipped by name, others refused") {
  s2_config c = released_like();
  auto tensors = released_tensors(c);
  const io::released_options spatial_masks_only{};  // without spectral effect the second embedding is dead
  const auto import = io::import_released(tensors, spatial_masks_only);
  REQUIRE(import);
  CHECK(import->skipped.size() == 3 * 4);
  CHECK(import->skipped.front() == "layers.0.residual_group.blocks.0.ms_conv3.bias");
  c.spectral_effect = mask_effect::none;
  CHECK(import->config == c);

  auto extra = tensors;
  extra.push_back(
      io::make_tensor("layers.0.residual_group.blocks.0.win_wrap_spatial.attn.relative_position_index", {0}, {}));
  CHECK(io::import_released(extra)->skipped.size() == 3 * 4 + 1);
  extra.back().name = "absolute_pos_embed";
  check_error(io::import_released(extra), errc::bad_argument, {"'absolute_pos_embed' is no part"});

  const auto without = [&](const std::string& name) {
    auto fewer = tensors;
    std::erase_if(fewer, [&](const auto& t) { return t.name == name; });
    return fewer;
  };
  for (const char* name : {"norm.bias", "conv_first.weight", "layers.1.residual_group.blocks.1.mlp.fc2.bias",
                           "RSTB_pin.weight", "layers.0.residual_group.blocks.0.chl_msa.rescale"})
    check_error(io::import_released(without(name)), errc::not_found, {std::string("'") + name + "' is missing"});
  check_error(io::import_released({}), errc::not_found, {"'conv_first.weight' is missing"});

  const auto with = [&](const std::string& name, std::vector<index_t> shape) {
    auto other = tensors;
    for (auto& t : other)
      if (t.name == name) {
        std::size_t n = 4;
        for (const index_t e : shape) n *= static_cast<std::size_t>(e);
        t.shape = shape;
        t.bytes.resize(n);
      }
    return other;
  };
  check_error(io::import_released(with("layers.0.residual_group.blocks.0.ms_conv1.weight", {8, 28, 1, 1})),
              errc::wrong_shape, {"ms_conv1.weight' is [8 x 28 x 1 x 1], expected [8 x 1]"});
  check_error(io::import_released(with("norm.weight", {9})), errc::wrong_shape, {"'norm.weight' is [9], expected [8]"});
  check_error(io::import_released(with("conv_first.weight", {8, 3})), errc::wrong_shape,
              {"'conv_first.weight' is [8 x 3]"});
  check_error(io::import_released(with("conv_first.weight", {8, 3, 3, 3})), errc::wrong_shape, {"RGB mean"});
  check_error(io::import_released(
                  with("layers.0.residual_group.blocks.0.win_wrap_spatial.attn.relative_position_bias_table", {48, 2})),
              errc::wrong_shape, {"48 rows"});
  check_error(io::import_released(with("layers.0.residual_group.blocks.0.chl_msa.rescale", {3, 1, 1})),
              errc::wrong_shape, {"3 spectral heads", "8 channels"});
  auto nan = tensors;
  std::memset(nan[0].bytes.data(), 0xff, 4);
  check_error(io::import_released(nan), errc::wrong_value, {"'conv_first.weight' has NaN"});
}

TEST_CASE("io: the released network's own files are imported") {
  const char* folder = std::getenv("UNMASK_GOLDEN");
  if (!folder) {
    std::puts("skipped: the released network's own files are imported (UNMASK_GOLDEN is not set)");
    return;
  }
  int files = 0;
  for (const auto& item : std::filesystem::directory_iterator(folder)) {
    if (item.path().extension() != ".h5") continue;
    ++files;
    const std::string path = item.path().string();
    CAPTURE(path);
    const auto j = json_attribute(path, "config_json");
    const int window = j["window_size"], rows = j["img_size"][0], columns = j["img_size"][1];
    const io::released_options options{.layout = named(j["attention_type"], layouts),
                                       .spatial_effect = named(j["mask_eff"], effects),
                                       .spectral_effect = named(j["spe_mask_eff"], effects),
                                       .pad_multiple = window,
                                       .shifted = std::min(rows, columns) > window};
    const auto tensors = golden_tensors(path);
    const auto import = io::import_released(tensors, options);
    REQUIRE_MESSAGE(import, import.error().message());
    const s2_config& c = import->config;
    CHECK(c.bands == j["in_chans"]);
    CHECK(c.channels == j["embed_dim"]);
    CHECK(c.stages == static_cast<int>(j["depths"].size()));
    for (std::size_t i = 0; i < j["depths"].size(); ++i) {
      CHECK(c.depths[i] == j["depths"][i]);
      CHECK(c.heads[i] == j["num_heads"][i]);
    }
    CHECK(c.window == std::min({window, rows, columns}));
    CHECK(c.hidden == static_cast<int>(j["mlp_ratio"].get<double>() * c.channels));
    CHECK(c.spectral_head_width == j["spe_dim_head"]);
    CHECK((c.scope == spectral_scope::window) == j["spe_split"].get<bool>());

    // What we skip is exactly what the reference instantiates without effect.
    auto skipped = import->skipped;
    std::vector<std::string> unused = json_attribute(path, "unused_params");
    std::sort(unused.begin(), unused.end());
    std::sort(skipped.begin(), skipped.end());
    CHECK(skipped == unused);
  }
  CHECK(files > 0);
}

#pragma once

/// One golden file: configuration, input, parameters, outputs and gradients of the released network.

#include <hdf5.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <unmask/io/released_names.hpp>
#include <unmask/unmask.hpp>
#include <vector>

struct golden_case {
  unmask::s2_config config;
  unmask::index_t batch = 0, height = 0, width = 0;
  bool stored_float = false;  ///< gradients are stored as float32
  std::vector<double> x, mask, out, loss_out, grad_x, grad_mask;
  std::vector<std::vector<double>> pins, loss_pins;
  std::map<std::string, std::vector<double>> parameters, gradients;  ///< by our names, file order
  std::set<std::string> zero_gradients;
};

namespace golden_detail {

inline std::vector<double> read(hid_t file, const std::string& path, std::vector<hsize_t>* dims = nullptr,
                                bool* is_float = nullptr) {
  const hid_t set = H5Dopen2(file, path.c_str(), H5P_DEFAULT);
  if (set < 0) return {};
  const hid_t space = H5Dget_space(set), type = H5Dget_type(set);
  std::vector<double> values(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)));
  if (dims) {
    dims->resize(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space)));
    H5Sget_simple_extent_dims(space, dims->data(), nullptr);
  }
  if (is_float) *is_float = H5Tget_size(type) == 4;
  if (H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) values.clear();
  H5Tclose(type);
  H5Sclose(space);
  H5Dclose(set);
  return values;
}

inline std::string attribute(hid_t file, const char* name) {
  if (H5Aexists(file, name) <= 0) return {};
  const hid_t a = H5Aopen(file, name, H5P_DEFAULT), type = H5Aget_type(a);
  std::string text;
  if (H5Tis_variable_str(type) > 0) {
    char* raw = nullptr;
    if (H5Aread(a, type, &raw) >= 0 && raw) {
      text = raw;
      H5free_memory(raw);
    }
  } else {
    text.resize(H5Tget_size(type));
    H5Aread(a, type, text.data());
  }
  H5Tclose(type);
  H5Aclose(a);
  return text;
}

inline unmask::mask_effect effect(const std::string& name) {
  using unmask::mask_effect;
  const std::map<std::string, mask_effect> names{{"omit", mask_effect::none},
                                                 {"only_q", mask_effect::q},
                                                 {"only_k", mask_effect::k},
                                                 {"both_qk", mask_effect::qk},
                                                 {"only_v", mask_effect::v}};
  return names.at(name);
}

/// The configuration of the released network in our words; values this library does not have are refused by name.
inline unmask::result<unmask::s2_config> configuration(const nlohmann::json& j) {
  using namespace unmask;
  const std::map<std::string, arrangement> layouts{{"Parall_CatSS_Attn", arrangement::parallel_concat},
                                                   {"Parall_SS_Attn", arrangement::parallel_sum},
                                                   {"SpaSpe_Attn", arrangement::spatial_spectral},
                                                   {"SpeSpa_Attn", arrangement::spectral_spatial},
                                                   {"Spa_Attn", arrangement::spatial},
                                                   {"Spe_Attn", arrangement::spectral},
                                                   {"SpaSpa_Attn", arrangement::spatial_spatial},
                                                   {"SpeSpe_Attn", arrangement::spectral_spectral}};
  for (const auto& [key, expected] : std::map<std::string, nlohmann::json>{{"mask_chl", 1},
                                                                           {"qkv_bias", true},
                                                                           {"qk_scale", nullptr},
                                                                           {"ape", false},
                                                                           {"patch_norm", true},
                                                                           {"upscale", 1},
                                                                           {"img_range", 1.0},
                                                                           {"upsampler", ""},
                                                                           {"resi_connection", "1conv"}})
    if (j.contains(key) && j.at(key) != expected)
      return error(errc::bad_argument,
                   key + " is " + j.at(key).dump() + ", this library has " + expected.dump() + " only");
  for (const auto& flag : j.at("mask_RSTB"))
    if (flag != 1)
      return error(errc::bad_argument, "mask_RSTB switches a stage's mask off, which this library does not have");
  s2_config c;
  c.bands = j.at("in_chans");
  c.channels = j.at("embed_dim");
  const auto depths = j.at("depths").get<std::vector<int>>(), heads = j.at("num_heads").get<std::vector<int>>();
  if (depths.size() > max_stages || heads.size() != depths.size())
    return error(errc::bad_argument, "depths and num_heads disagree");
  c.stages = static_cast<int>(depths.size());
  std::copy(depths.begin(), depths.end(), c.depths.begin());
  std::copy(heads.begin(), heads.end(), c.heads.begin());
  c.pad_multiple = j.at("window_size");
  c.window = std::min(c.pad_multiple, std::min(j.at("img_size")[0].get<int>(), j.at("img_size")[1].get<int>()));
  c.shifted = std::min(j.at("img_size")[0].get<int>(), j.at("img_size")[1].get<int>()) > c.pad_multiple;
  c.hidden = static_cast<int>(j.at("mlp_ratio").get<double>() * c.channels);
  c.spectral_head_width = j.at("spe_dim_head");
  c.layout = layouts.at(j.at("attention_type"));
  c.spatial_effect = effect(j.at("mask_eff"));
  c.spectral_effect = effect(j.at("spe_mask_eff"));
  c.scope = j.at("spe_split").get<bool>() ? spectral_scope::window : spectral_scope::image;
  if (auto ok = check(c); !ok) return ok.error();
  return c;
}

}  // namespace golden_detail

inline unmask::result<golden_case> read_golden(const std::string& path) {
  using namespace unmask;
  const auto bad = [&](const std::string& what) { return error(errc::unreadable, path + ": " + what); };
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file < 0) return bad("not an HDF5 file");
  const struct closer {
    hid_t id;
    ~closer() { H5Fclose(id); }
  } close_file{file};
  golden_case g;
  const auto json = nlohmann::json::parse(golden_detail::attribute(file, "config_json"), nullptr, false);
  if (json.is_discarded()) return bad("attribute config_json is missing or not JSON");
  auto config = golden_detail::configuration(json);
  if (!config) return bad(config.error().message());
  g.config = *config;
  std::vector<hsize_t> dims;
  g.x = golden_detail::read(file, "input/x", &dims);
  if (dims.size() != 4) return bad("input/x is missing or not [B, bands, H, W]");
  g.batch = static_cast<index_t>(dims[0]);
  g.height = static_cast<index_t>(dims[2]);
  g.width = static_cast<index_t>(dims[3]);
  g.mask = golden_detail::read(file, "input/mask");
  if (static_cast<index_t>(g.mask.size()) != g.batch * g.config.padded(g.height) * g.config.padded(g.width))
    return bad("input/mask has " + std::to_string(g.mask.size()) + " values, expected the padded image size");
  g.out = golden_detail::read(file, "output/out");
  g.loss_out = golden_detail::read(file, "loss/out");
  g.grad_x = golden_detail::read(file, "grad/x");
  g.grad_mask = golden_detail::read(file, "grad/mask");
  if (g.out.size() != g.x.size() || g.loss_out.size() != g.x.size() || g.grad_x.size() != g.x.size())
    return bad("output/out, loss/out or grad/x is missing or has another size than input/x");
  for (int i = 0; i < g.config.stages; ++i) {
    g.pins.push_back(golden_detail::read(file, "output/pin" + std::to_string(i)));
    g.loss_pins.push_back(golden_detail::read(file, "loss/pin" + std::to_string(i)));
    if (g.pins.back().empty() || g.pins.back().size() != g.loss_pins.back().size())
      return bad("pin " + std::to_string(i) + " is missing");
  }
  const auto zeros = nlohmann::json::parse(golden_detail::attribute(file, "zero_grad_params"), nullptr, false);
  for (const parameter& p : make_manifest(g.config).entries) {
    const std::string released = io::released_name(p.name, g.config);
    g.parameters[p.name] = golden_detail::read(file, "param/" + released);
    g.gradients[p.name] = golden_detail::read(file, "grad/param/" + released, nullptr, &g.stored_float);
    if (static_cast<index_t>(g.parameters[p.name].size()) != p.size ||
        static_cast<index_t>(g.gradients[p.name].size()) != p.size)
      return bad("param/" + released + " or its gradient is missing or has another size than " +
                 std::to_string(p.size));
    for (const auto& name : zeros)
      if (name == released) g.zero_gradients.insert(p.name);
  }
  return g;
}

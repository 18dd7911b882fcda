/// Writes the seed corpora: seeds FOLDER makes FOLDER/<target>/... with small valid files of every kind we write.

#include <matio.h>
#include <unmask/unmask.hpp>

#include <filesystem>
#include <fstream>
#include <unmask/io/hdf5_writer.hpp>
#include <unmask/io/weights.hpp>
#include <unmask/train/all.hpp>

namespace fs = std::filesystem;
using namespace unmask;

namespace {

void put(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

void matlab(const fs::path& path, mat_ft version, matio_compression packed) {
  mat_t* file = Mat_CreateVer(path.c_str(), nullptr, version);
  double numbers[24];
  for (int i = 0; i < 24; ++i) numbers[i] = i / 24.;
  std::size_t cube[3] = {2, 3, 4}, mask[2] = {4, 6}, list[2] = {1, 4};
  for (const auto& [name, rank, dims] : {std::tuple{"cube", 3, cube}, {"mask", 2, mask}, {"wavelengths", 2, list}}) {
    matvar_t* v = Mat_VarCreate(name, MAT_C_DOUBLE, MAT_T_DOUBLE, rank, dims, numbers, 0);
    Mat_VarWrite(file, v, packed);
    Mat_VarFree(v);
  }
  Mat_Close(file);
}

void hdf5(const fs::path& folder) {
  tensor<float, 3> cube({6, 6, 4}, .5f);
  tensor<float, 2> mask({6, 6}, .25f);
  mask(1, 2) = 1;
  const std::vector<double> nm{450, 500, 550, 600};
  io::write_cube(folder / "cube.h5", cube.view(), nm).value();
  io::write_cube(folder / "cube16.h5", cube.view(), nm, {{"source", "seed"}}, io::encoding::uint16).value();
  io::hdf5_writer(folder / "groups.h5")
      .put("a/mask", mask.view(), {{"scale", 2.0}})
      .put("b/cube", cube.view())
      .save()
      .value();
  matlab(folder / "v73.mat", MAT_FT_MAT73, MAT_COMPRESSION_ZLIB);
}

void weights(const fs::path& folder) {
  s2_config c = small_config();
  c.bands = 4, c.channels = 8, c.hidden = 8, c.spectral_head_width = 4, c.window = 4, c.pad_multiple = 4, c.stages = 1;
  c.depths = {1}, c.heads = {2};
  const manifest list = make_manifest(c);
  model m;
  m.config = c;
  m.parameters.resize(static_cast<std::size_t>(list.size));
  initialise(m.parameters.data(), list, 1);
  m.card = {{"data", "seed"}};
  io::write_weights(folder / "tiny.safetensors", m).value();
}

void checkpoint(const fs::path& folder) {
  std::vector<float> blocks(32, .5f);
  const std::span<float> all(blocks);
  train::training_state<float, s2_config> s{.batch = 2, .height = 8, .width = 8, .seed = 1, .step = 3, .updates = 2};
  s.losses = {1, 2, 3};
  s.parameters = all.subspan(0, 8), s.first = all.subspan(8, 8), s.second = all.subspan(16, 8);
  s.average = all.subspan(24, 8);
  train::save_checkpoint(folder / "last.ckpt", s).value();
}

}  // namespace

int main(int count, char** arguments) {
  const fs::path root = count > 1 ? arguments[1] : "seeds";
  for (const char* target : {"matlab5", "hdf5", "safetensors", "weights", "checkpoint", "configuration"})
    fs::create_directories(root / target);
  matlab(root / "matlab5/plain.mat", MAT_FT_MAT5, MAT_COMPRESSION_NONE);
  matlab(root / "matlab5/packed.mat", MAT_FT_MAT5, MAT_COMPRESSION_ZLIB);
  hdf5(root / "hdf5");
  weights(root / "weights");
  fs::copy_file(root / "weights/tiny.safetensors", root / "safetensors/tiny.safetensors",
                fs::copy_options::overwrite_existing);
  checkpoint(root / "checkpoint");
  put(root / "configuration/file",
      R"(0{"batch": 2, "network": {"bands": 4, "depths": [1]}, "mask": ["a"], "loss": "l1"})");
  put(root / "configuration/set", "1batch=2\nnetwork.bands=4\nloss=rmse\nmask=[\"a\",\"b\"]\nlearning_rate=1e-3");
}

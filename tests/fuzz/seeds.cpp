/// Writes the seed corpora: seeds FOLDER makes FOLDER/<target>/... with small valid files of every kind we write.

#include <matio.h>
#include <tiffio.h>
#include <unmask/unmask.hpp>

#include <filesystem>
#include <fstream>
#include <unmask/io/hdf5_writer.hpp>
#include <unmask/io/npz_writer.hpp>
#include <unmask/io/weights.hpp>
#include <unmask/train/all.hpp>

#include "../io/picture_maker.hpp"

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

/// As small as a network can be: what an input costs grows with its bytes.
void weights(const fs::path& folder) {
  s2_config c = small_config();
  c.bands = 2, c.channels = 2, c.hidden = 2, c.spectral_head_width = 1, c.window = 2, c.pad_multiple = 2, c.stages = 1;
  c.depths = {1}, c.heads = {1}, c.layout = arrangement::spatial;
  const manifest list = make_manifest(c);
  model m;
  m.config = c;
  m.parameters.resize(static_cast<std::size_t>(list.size));
  initialise(m.parameters.data(), list, 1);
  m.card = {{"data", "seed"}};
  io::write_weights(folder / "tiny.safetensors", m).value();
  m.initial = {initial_kind::spectral_tv, tensor<float, 2>({1, 2}, .5f)};
  m.wavelengths = {500, 600};
  io::write_weights(folder / "spectra.safetensors", m).value();
}

void safetensors(const fs::path& folder) {
  const std::vector<float> values{.5f, 1, 2, 3, 4, 5};
  io::safetensors file;
  file.metadata = {{"format", "pt"}};
  file.tensors = {io::make_tensor("a", {2, 3}, values), io::make_tensor("b", {}, std::span(values).first(1)),
                  io::make_tensor("none", {0}, {})};
  file.tensors.push_back({"half", "F16", {2}, std::vector<std::byte>(4)});
  io::write_safetensors(folder / "four.safetensors", file).value();
}

void envi(const fs::path& folder) {
  for (const std::string way : {"bsq", "bil", "bip"})
    put(folder / (way + ".hdr"),
        "ENVI\nsamples = 3\nlines = 2\nbands = 4\nheader offset = 0\ndata type = 2\ninterleave = " + way +
            "\nbyte order = 1\nreflectance scale factor = 1e4\ndata ignore value = -1\n" +
            "wavelength units = um\nwavelength = { .4, .5,\n .6, .7 }\n");
}

void npy(const fs::path& folder) {
  using enum io::sample_type;
  for (const io::sample_type type : {u8, i16, f32, f64}) {
    io::raster r(type, 3, 2, type == u8 ? 1 : 2);
    for (index_t i = 0; i < r.size(); ++i) r.set(i, static_cast<double>(i) / 2);
    const std::string name(io::sample_type_names[static_cast<std::size_t>(type)]);
    io::write_npy(folder / (name + ".npy"), r, true).value();
  }
  const std::string header = "{'descr': '>u2', 'fortran_order': False, 'shape': (2, 2), }   \n";
  put(folder / "big.npy", std::string("\x93NUMPY\x02\x00", 8) + static_cast<char>(header.size()) +
                              std::string(3, '\0') + header + "\1\2\3\4\5\6\7\10");
}

void npz(const fs::path& folder) {
  tensor<float, 3> cube({3, 4, 2}, .5f);
  const std::vector<double> nm{450, 550};
  io::write_npz(folder / "cube.npz", cube.view(), nm).value();
}

void png(const fs::path& folder) {
  std::vector<int> pixels;
  for (int i = 0; i < 30; ++i) pixels.push_back(37 * i);
  put(folder / "8.png", io_test::png_picture({5, 6, 8}, pixels));
  put(folder / "16.png", io_test::png_picture({5, 6, 16}, pixels, 64));
}

struct tiff_kind {
  const char *name, *mode;
  int compression, planar, side;  ///< side of a tile, or 0: strips
  int bits, format;
};

void picture(const fs::path& folder, const tiff_kind& k) {
  TIFFSetWarningHandler(nullptr);
  TIFF* t = TIFFOpen((folder / k.name).c_str(), k.mode);
  const int bands = 2, height = 5, width = 6;
  static const TIFFFieldInfo gdal[] = {
      {42112, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, const_cast<char*>("GDALMetadata")},
      {42113, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, const_cast<char*>("GDALNoData")}};
  TIFFMergeFieldInfo(t, gdal, 2);
  TIFFSetField(t, 42112, "<GDALMetadata><Item name=\"SCALE\" sample=\"0\" role=\"scale\">0.5</Item></GDALMetadata>");
  TIFFSetField(t, 42113, "-1");
  TIFFSetField(t, TIFFTAG_IMAGEWIDTH, width);
  TIFFSetField(t, TIFFTAG_IMAGELENGTH, height);
  TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, bands);
  TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, k.bits);
  TIFFSetField(t, TIFFTAG_SAMPLEFORMAT, k.format);
  TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
  TIFFSetField(t, TIFFTAG_PLANARCONFIG, k.planar);
  TIFFSetField(t, TIFFTAG_COMPRESSION, k.compression);
  if (k.side > 0)
    TIFFSetField(t, TIFFTAG_TILEWIDTH, k.side), TIFFSetField(t, TIFFTAG_TILELENGTH, k.side);
  else
    TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 2);
  std::vector<unsigned char> block(static_cast<std::size_t>(k.side > 0 ? TIFFTileSize(t) : TIFFStripSize(t)));
  for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<unsigned char>(i % 3);
  const std::uint32_t blocks = k.side > 0 ? TIFFNumberOfTiles(t) : TIFFNumberOfStrips(t);
  for (std::uint32_t n = 0; n < blocks; ++n)
    k.side > 0 ? TIFFWriteEncodedTile(t, n, block.data(), static_cast<tmsize_t>(block.size()))
               : TIFFWriteEncodedStrip(t, n, block.data(), static_cast<tmsize_t>(block.size()));
  TIFFClose(t);
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
  for (const char* target : {"matlab5", "hdf5", "safetensors", "weights", "checkpoint", "configuration", "npy", "npz",
                             "png", "geotiff", "envi"})
    fs::create_directories(root / target);
  matlab(root / "matlab5/plain.mat", MAT_FT_MAT5, MAT_COMPRESSION_NONE);
  matlab(root / "matlab5/packed.mat", MAT_FT_MAT5, MAT_COMPRESSION_ZLIB);
  hdf5(root / "hdf5");
  weights(root / "weights");
  safetensors(root / "safetensors");
  npy(root / "npy");
  npz(root / "npz");
  png(root / "png");
  envi(root / "envi");
  for (const tiff_kind& k :
       {tiff_kind{"plain.tif", "w", COMPRESSION_NONE, PLANARCONFIG_CONTIG, 0, 16, SAMPLEFORMAT_UINT},
        {"big_endian.tif", "wb", COMPRESSION_PACKBITS, PLANARCONFIG_CONTIG, 0, 16, SAMPLEFORMAT_INT},
        {"tiles.tif", "w", COMPRESSION_ADOBE_DEFLATE, PLANARCONFIG_SEPARATE, 16, 32, SAMPLEFORMAT_IEEEFP},
        {"bigtiff.tif", "w8", COMPRESSION_LZW, PLANARCONFIG_CONTIG, 0, 8, SAMPLEFORMAT_UINT}})
    picture(root / "geotiff", k);
  checkpoint(root / "checkpoint");
  put(root / "configuration/file",
      R"(0{"batch": 2, "network": {"bands": 4, "depths": [1]}, "mask": ["a"], "loss": "l1"})");
  put(root / "configuration/set", "1batch=2\nnetwork.bands=4\nloss=rmse\nmask=[\"a\",\"b\"]\nlearning_rate=1e-3");
}

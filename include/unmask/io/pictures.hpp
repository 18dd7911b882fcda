#pragma once

/// A folder of grey pictures, one a band, as the CAVE database is published: scene_ms_01.png ... scene_ms_31.png. PNG
/// is always read, TIFF where its format was added. Numbers at the ends of the names say the bands' order; whatever
/// leaves a doubt is refused. Files of other kinds (thumbnails, texts) are left alone.

#include <filesystem>

#include "png_plane.hpp"

namespace unmask::inline UNMASK_ABI::io {

namespace detail {

struct band_picture {
  std::string path, before;  ///< what stands before the number, with the folder
  std::uint64_t number = 0;
};

inline error pictures_error(errc code, const std::string& path, const std::string& what) {
  return error(code, printable(path, 1000) + ": " + what);
}

inline bool is_picture_name(std::string name) {
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name.ends_with(".png") || name.ends_with(".tif") || name.ends_with(".tiff");
}

/// The names in a folder, sorted, without hidden ones: pictures, and folders.
inline result<std::pair<std::vector<std::string>, std::vector<std::string>>> folder_names(const std::string& folder) {
  std::error_code failure;
  std::pair<std::vector<std::string>, std::vector<std::string>> found;
  auto at = std::filesystem::directory_iterator(folder, failure);
  for (; !failure && at != std::filesystem::directory_iterator(); at.increment(failure)) {
    const std::string name = at->path().filename().string();
    std::error_code unknown;
    if (name.starts_with('.')) continue;
    if (at->is_directory(unknown))
      found.second.push_back(name);
    else if (is_picture_name(name))
      found.first.push_back(name);
  }
  if (failure) return pictures_error(errc::unreadable, folder, "cannot read the folder (" + failure.message() + ")");
  for (auto* names : {&found.first, &found.second}) std::sort(names->begin(), names->end());
  return found;
}

/// The number at the end of a name without its ending.
inline result<band_picture> numbered(const std::string& folder, const std::string& name) {
  const std::string stem = name.substr(0, name.rfind('.'));
  std::size_t digits = stem.size();
  while (digits > 0 && stem[digits - 1] >= '0' && stem[digits - 1] <= '9') --digits;
  band_picture p{folder + "/" + name, stem.substr(0, digits), 0};
  if (digits == stem.size() || stem.size() - digits > 9)
    return pictures_error(errc::bad_argument, p.path,
                          "no number of a band at the end of its name, expected NAME_01 (move other pictures away)");
  for (std::size_t i = digits; i < stem.size(); ++i)
    p.number = 10 * p.number + static_cast<std::uint64_t>(stem[i] - '0');
  return p;
}

/// The pictures of all bands in their order. A folder that has nothing but another one stands for that one: so CAVE's
/// archives unpack. Errors: none there, names without a number, of several series, numbers that are missing or twice.
inline result<std::vector<band_picture>> band_pictures(const std::string& folder) {
  auto names = folder_names(folder);
  if (!names) return names.error();
  std::string inside = folder;
  while (inside.size() > 1 && inside.back() == '/') inside.pop_back();
  if (names->first.empty() && names->second.size() == 1) {
    inside += "/" + names->second[0];
    names = folder_names(inside);
    if (!names) return names.error();
  }
  if (names->first.empty())
    return pictures_error(errc::not_found, folder,
                          "a folder without pictures of bands, expected NAME_01.png, NAME_02.png ... (or .tif)");
  std::vector<band_picture> bands;
  for (const std::string& name : names->first) {
    auto p = numbered(inside, name);
    if (!p) return p.error();
    if (!bands.empty() && p->before != bands[0].before)
      return pictures_error(errc::bad_argument, p->path,
                            "belongs to another series than '" + printable(bands[0].path, 1000) +
                                "', expected pictures of one cube in a folder");
    bands.push_back(std::move(*p));
  }
  const auto earlier = [](const band_picture& a, const band_picture& b) { return a.number < b.number; };
  std::stable_sort(bands.begin(), bands.end(), earlier);
  if (bands[0].number > 1)
    return pictures_error(errc::bad_argument, bands[0].path,
                          "is the first picture, expected number 0 or 1: bands before it are missing");
  for (std::size_t i = 1; i < bands.size(); ++i) {
    if (bands[i].number == bands[i - 1].number)
      return pictures_error(errc::bad_argument, bands[i].path,
                            "has the same number as '" + printable(bands[i - 1].path, 1000) + "'");
    if (bands[i].number != bands[i - 1].number + 1)
      return pictures_error(
          errc::bad_argument, bands[i].path,
          "follows number " + std::to_string(bands[i - 1].number) + ": bands between them are missing");
  }
  return bands;
}

/// A grey picture's format and its one variable.
inline result<std::pair<const data_format*, variable_info>> grey_picture(const std::string& path) {
  const auto format = detect_format(path);
  if (!format) return format.error();
  const data_format* f = *format == file_format::png    ? &png_format
                         : *format == file_format::tiff ? added_format(file_format::tiff)
                                                        : nullptr;
  if (!f)
    return pictures_error(errc::unreadable, path,
                          *format == file_format::tiff ? "a TIFF picture, and this program was built without libtiff"
                                                       : "neither a PNG nor a TIFF picture");
  const auto list = f->list(path);
  if (!list) return list.error();
  const variable_info& v = list->variables[0];
  if (!v.numeric || v.shape.size() != 2)
    return pictures_error(errc::wrong_shape, path,
                          "[" + shape_text(v.shape) + "] of " + v.type + ", expected a grey picture of one band");
  if (v.factor != 1 || v.offset != 0)
    return pictures_error(errc::wrong_value, path, "has a scale of its own, expected bands of one scale");
  return std::pair(f, v);
}

}  // namespace detail

/// A folder as the list of its one variable, `cube`, whose axes are band, row, column. Errors: those of the names, and
/// pictures of different sizes or depths, in colour, or of other numbers than 8 or 16 bits or float32.
inline result<file_info> list_pictures(const std::string& folder) {
  const auto bands = detail::band_pictures(folder);
  if (!bands) return bands.error();
  variable_info cube;
  for (const detail::band_picture& band : *bands) {
    const auto picture = detail::grey_picture(band.path);
    if (!picture) return picture.error();
    const variable_info& v = picture->second;
    if (v.type != "uint8" && v.type != "uint16" && v.type != "float32")
      return detail::pictures_error(errc::wrong_value, band.path,
                                    "numbers of type " + v.type + ", expected 8 or 16 bits, or float32");
    if (cube.shape.empty()) cube = v;
    if (v.shape != cube.shape || v.type != cube.type || v.missing != cube.missing)
      return detail::pictures_error(errc::wrong_shape, band.path,
                                    "[" + detail::shape_text(v.shape) + "] of " + v.type + ", '" +
                                        detail::printable((*bands)[0].path, 1000) + "' is [" +
                                        detail::shape_text(cube.shape) + "] of " + cube.type);
  }
  cube.name = "cube", cube.axes = "chw";
  cube.usual_full_scale = cube.type == "uint8" ? 255 : cube.type == "uint16" ? 65535 : 0;
  const auto file_name = [](const std::string& path) { return path.substr(path.rfind('/') + 1); };
  cube.attributes = {{"pictures", detail::printable(file_name(bands->front().path)) + " to " +
                                      detail::printable(file_name(bands->back().path))}};
  if (bands->size() > 1)
    cube.shape.insert(cube.shape.begin(), static_cast<index_t>(bands->size()));
  else
    cube.axes.clear();
  return file_info{folder, file_format::pictures, {std::move(cube)}, {}};
}

/// Whether there are pictures in a folder, or in the one folder in it, whatever their names: reads nothing but names.
inline bool is_pictures_folder(const std::string& folder) {
  const auto bands = detail::band_pictures(folder);
  return bands || bands.error().code() == errc::bad_argument;
}

namespace detail {

/// Bands one behind another, as stored.
template <class T>
result<> read_pictures(const std::string& folder, const variable_info& v, T* to) {
  const auto bands = band_pictures(folder);
  if (!bands) return bands.error();
  const std::size_t count = v.shape.size() == 3 ? static_cast<std::size_t>(v.shape[0]) : 1;
  const std::vector<index_t> shape(v.shape.end() - 2, v.shape.end());
  for (const band_picture& band : *bands) {
    const auto picture = grey_picture(band.path);
    if (!picture) return picture.error();
    const auto& [format, info] = *picture;
    if (info.shape != shape || bands->size() != count)
      return pictures_error(errc::wrong_shape, band.path, "has changed while it was read");
    if (auto fine = format->check_size(band.path, info); !fine) return fine;
    if (auto done = format->template read<T>(band.path, info, to); !done) return done;
    to += shape[0] * shape[1];
  }
  return {};
}

}  // namespace detail

inline constexpr data_format pictures_format{
    file_format::pictures,        "a folder of pictures", list_pictures,
    detail::check_count,          detail::listed_scale,   detail::read_pictures<float>,
    detail::read_pictures<double>};

}  // namespace unmask::inline UNMASK_ABI::io

#pragma once

/// The wavelengths that belong to a cube or a measurement, in nm whatever the file's unit is.

#include <array>
#include <cctype>

#include "arrays.hpp"

namespace unmask::inline UNMASK_ABI::io {

/// Wavelengths outside this are no light that a camera sees: a wrong unit. A list without a unit has to lie where most
/// cameras look: 4500 is angstrom there, not the infrared.
inline constexpr double shortest_nm = 100, longest_nm = 100000;
inline constexpr double shortest_usual_nm = 200, longest_usual_nm = 3000;

struct wavelength_list {
  std::vector<double> nm;  ///< one per band; empty: the file does not say
  std::string note;        ///< what was changed on the way, for a person; mostly empty
};

namespace detail {

/// nm in one unit of a list: 0 where the unit is not known, 1 where none is given.
inline double nm_in(std::string unit) {
  for (char& c : unit) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  while (!unit.empty() && (unit.back() == ' ' || unit.back() == '.')) unit.pop_back();
  const auto any = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), unit) != names.end();
  };
  if (any({"", "nm", "nanometer", "nanometers", "nanometre", "nanometres"})) return 1;
  if (any({"um", "\xc2\xb5m", "\xce\xbcm", "\xb5m", "micron", "microns", "micrometer", "micrometers", "micrometre",
           "micrometres"}))
    return 1000;
  if (any({"m", "meter", "meters", "metre", "metres"})) return 1e9;
  if (any({"angstrom", "angstroms", "\xc3\x85", "\xc3\xa5", "a"})) return .1;
  return 0;
}

inline std::string unit_of(const variable_info& v) {
  for (const auto& [name, text] : v.attributes)
    if (name == "units" || name == "unit" || name == "Units" || name == "Unit") return text;
  return "";
}

/// Names that say what they are, and names that count only where the number of values fits.
inline constexpr std::array<std::string_view, 4> wavelength_names{"wavelengths", "wavelength", "Wavelengths",
                                                                  "Wavelength"};
inline constexpr std::array<std::string_view, 9> likely_wavelength_names{"wavelengths_nm",
                                                                         "wavelength_nm",
                                                                         "band_wavelengths",
                                                                         "band_centers",
                                                                         "center_wavelengths",
                                                                         "wl",
                                                                         "lambda",
                                                                         "lam",
                                                                         "wave"};

inline std::string folder_of(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  return slash == std::string::npos ? "" : name.substr(0, slash + 1);
}

/// Elements of a listed variable, 0 where it is no list of numbers.
inline index_t list_length(const variable_info& v) {
  index_t count = 1, longest = 0;
  for (const index_t e : v.shape) {
    if (e <= 0 || e > max_elements / count) return 0;
    count *= e;
    longest = (std::max)(longest, e);
  }
  return longest == count || v.shape.empty() ? count : 0;
}

/// The lists that may belong to `of`: those beside it, else those of the file itself.
inline std::vector<const variable_info*> wavelength_candidates(const file_info& file, const std::string& of,
                                                               index_t bands) {
  std::vector<const variable_info*> found;
  for (const std::string& folder : {folder_of(of), std::string()}) {
    for (std::string_view name : wavelength_names)
      if (const variable_info* v = find(file, folder + std::string(name))) found.push_back(v);
    if (found.empty())
      for (std::string_view name : likely_wavelength_names)
        if (const variable_info* v = find(file, folder + std::string(name)))
          if (v->numeric && list_length(*v) == bands) found.push_back(v);
    if (!found.empty()) break;
  }
  return found;
}

/// Numbers in nm; `unit` is empty where none is given. Errors say only what is wrong: "has ...".
inline result<wavelength_list> in_nm(std::vector<double> values, const std::string& unit, const std::string& name) {
  const auto refuse = [](const std::string& what) { return error(errc::wrong_value, what); };
  double factor = nm_in(unit);
  if (factor == 0) return refuse("has the unit '" + printable(unit, 40) + "', expected nm, micrometres, m or angstrom");
  wavelength_list list{std::move(values), ""};
  const auto [low, high] = std::minmax_element(list.nm.begin(), list.nm.end());
  const double least = *low, most = *high;
  const bool counted = list.nm.size() > 1 && std::adjacent_find(list.nm.begin(), list.nm.end(), [](double a, double b) {
                                               return b - a != 1;
                                             }) == list.nm.end();
  if (unit.empty() && counted && least <= 1)
    return refuse("has " + number_text(least) + " to " + number_text(most) +
                  ", which look like numbers of bands, expected their wavelengths");
  if (unit.empty() && most * 1000 <= longest_usual_nm) {
    factor = 1000;
    list.note = "'" + printable(name) + "' has no unit and values below 10: taken for micrometres";
  }
  const double shortest = unit.empty() ? shortest_usual_nm : shortest_nm;
  const double longest = unit.empty() ? longest_usual_nm : longest_nm;
  if (!(least * factor >= shortest && most * factor <= longest))
    return refuse("has wavelengths of " + number_text(least) + " to " + number_text(most) +
                  (unit.empty() ? " without a unit" : " " + printable(unit, 40)) + ", expected " +
                  number_text(shortest) + " to " + number_text(longest) +
                  " nm (attribute 'units': nm, micrometres, m or angstrom)");
  if (factor != 1)
    for (double& x : list.nm) x *= factor;
  const auto doubt = [&](const char* what) {
    list.note += (list.note.empty() ? "'" : "; '") + printable(name) + "' " + what;
  };
  if (list.nm.size() > 1 && least == most)
    doubt("has the same wavelength for all bands");
  else if (!std::is_sorted(list.nm.begin(), list.nm.end()) && !std::is_sorted(list.nm.rbegin(), list.nm.rend()))
    doubt("neither rises nor falls from band to band");
  return list;
}

/// The numbers of one list in nm; empty where all are NaN, which means unknown.
inline result<wavelength_list> read_list(const file_info& file, const variable_info& w, index_t bands) {
  if (auto fine = check_size(file, w); !fine) return fine.error();
  std::vector<double> values(static_cast<std::size_t>(bands));
  if (auto done = read_into(file, w, values.data()); !done) return done.error();
  if (std::all_of(values.begin(), values.end(), [](double x) { return is_nan(x); })) return wavelength_list{};
  if (auto fine = check_finite(file.path, w, values.data()); !fine) return fine.error();
  auto list = in_nm(std::move(values), unit_of(w), w.name);
  if (!list) return variable_error(list.error().code(), file.path, w, list.error().message());
  return list;
}

/// A list among the attributes of a variable, else of the file; empty where there is none.
inline result<wavelength_list> read_attribute_list(const file_info& file, const std::string& of, index_t bands) {
  if (file.format != file_format::hdf5 && file.format != file_format::matlab73) return wavelength_list{};
  const variable_info none, *cube = find(file, of);
  for (const variable_info* v : {cube, &none}) {
    if (!v) continue;
    for (const std::string_view name : wavelength_names) {
      auto values = hdf5_attribute_list(file.path, *v, std::string(name));
      if (!values || values->size() < 2) continue;  // a text, or a setting of the instrument
      const auto wrong = [&](errc code, const std::string& what) {
        return error(code, printable(file.path, 1000) + ": attribute '" + std::string(name) + "' " + what);
      };
      if (static_cast<index_t>(values->size()) != bands)
        return wrong(errc::wrong_shape, "has " + std::to_string(values->size()) + " numbers, '" + printable(of) +
                                            "' has " + std::to_string(bands) + " bands");
      if (!std::all_of(values->begin(), values->end(), [](double x) { return is_finite(x); }))
        return wrong(errc::wrong_value, "has a value that is NaN or infinite");
      std::string unit;
      for (const auto& [key, text] : v == cube ? v->attributes : file.attributes)
        if (key == std::string(name) + "_units" || key == std::string(name) + " units" || key == "wavelength_units")
          unit = text;
      auto list = in_nm(std::move(*values), unit, std::string(name));
      if (!list) return wrong(list.error().code(), list.error().message());
      return list;
    }
  }
  return wavelength_list{};
}

}  // namespace detail

/// The wavelengths of a listed variable with `bands` bands: `wavelengths` or `wavelength` beside it, else of the file,
/// else an attribute of that name.
/// Errors: another count, several lists that differ, a unit that is not known, values that are no wavelengths.
inline result<wavelength_list> read_wavelengths(const file_info& file, const std::string& of, index_t bands) {
  std::optional<wavelength_list> chosen;
  const variable_info* from = nullptr;
  for (const variable_info* w : detail::wavelength_candidates(file, of, bands)) {
    if (!w->numeric) return detail::type_error(file.path, *w);
    if (const index_t count = detail::list_length(*w); count != bands)
      return detail::variable_error(
          errc::wrong_shape, file.path, *w,
          "has " +
              (count > 0 ? std::to_string(count) + " numbers" : "a shape of [" + detail::shape_text(w->shape) + "]") +
              ", '" + detail::printable(of) + "' has " + std::to_string(bands) + " bands");
    auto list = detail::read_list(file, *w, bands);
    if (!list) return list.error();
    const auto close = [](double a, double b) { return (a > b ? a - b : b - a) <= 1e-6 * b; };
    if (chosen && !(list->nm.size() == chosen->nm.size() &&
                    std::equal(list->nm.begin(), list->nm.end(), chosen->nm.begin(), close)))
      return detail::variable_error(errc::wrong_value, file.path, *w,
                                    "has other wavelengths than '" + detail::printable(from->name) + "'");
    chosen = std::move(*list);
    from = w;
  }
  if (chosen) return std::move(*chosen);
  return detail::read_attribute_list(file, of, bands);
}

/// Those of a measurement of `bands` bands: for the file that was read as `from`, whose variable may have been chosen.
inline result<wavelength_list> read_wavelengths(const std::string& path, const std::string& of, index_t bands) {
  const auto file = list_variables(path);
  if (!file) return file.error();
  return read_wavelengths(*file, of, bands);
}

}  // namespace unmask::inline UNMASK_ABI::io

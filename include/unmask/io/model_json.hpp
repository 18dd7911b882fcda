#pragma once

/// What a weights file says of a model beside its network, as JSON, strictly: every key must be there and no other.
///   {"initial": "spectral-tv", "dispersion_step": 2, "direction": "right", "wavelengths": [453.3, ...], "range": [0,
///   1]}
/// `wavelengths` is empty where they are not known. Spectral TV's basis is a tensor of the file (io/weights.hpp).
/// Files before this form said it in words of their description, which are read here and nowhere else.

#include <charconv>
#include <map>
#include <string>
#include <system_error>

#include "../core/finite.hpp"
#include "../models/model.hpp"
#include "config_json.hpp"

namespace unmask::inline UNMASK_ABI::io {

template <class Config>
nlohmann::json model_to_json(const basic_model<Config>& m) {
  return {{"initial", std::string(initial_name(m.initial.kind))},
          {"dispersion_step", m.dispersion_step},
          {"direction", std::string(dispersion_name(m.direction))},
          {"wavelengths", m.wavelengths},
          {"range", m.range}};
}

namespace detail {

inline bool all_numbers(const nlohmann::json& j) {
  return j.is_array() && std::all_of(j.begin(), j.end(), [](const auto& x) { return x.is_number(); });
}

/// Sets all but configuration, parameters, basis and card. Errors name the key.
template <class Config>
result<> model_from_json(const nlohmann::json& j, basic_model<Config>& m) {
  const char* keys[] = {"initial", "dispersion_step", "direction", "wavelengths", "range"};
  const auto wrong = [&](const char* key, const std::string& expected) {
    return error(errc::wrong_value, std::string("model: '") + key + "' " + is_not(j[key], expected));
  };
  for (const char* key : keys)
    if (!j.contains(key)) return error(errc::not_found, std::string("model: '") + key + "' is missing");
  if (j.size() != std::size(keys))
    for (const auto& item : j.items())
      if (std::find(std::begin(keys), std::end(keys), item.key()) == std::end(keys))
        return error(errc::bad_argument, "model: unknown key '" + printable(item.key(), 60) + "'");
  int step = 0;
  for (const char* key : {"initial", "direction"})
    if (!j[key].is_string()) return wrong(key, "a name");
  if (!parse_int(j["dispersion_step"], step).empty()) return wrong("dispersion_step", "an integer");
  for (const char* key : {"wavelengths", "range"})
    if (!all_numbers(j[key]) || j[key].size() > 65536) return wrong(key, "a list of numbers");
  if (j["range"].size() != 2) return wrong("range", "two numbers");
  const auto kind = initial_by_name(printable(j["initial"].get_ref<const std::string&>(), 60));
  if (!kind) return kind.error();
  const auto direction = dispersion_by_name(printable(j["direction"].get_ref<const std::string&>(), 60));
  if (!direction) return direction.error();
  m.initial.kind = *kind;
  m.dispersion_step = step;
  m.direction = *direction;
  m.wavelengths = j["wavelengths"].get<std::vector<double>>();
  m.range = {j["range"][0].get<float>(), j["range"][1].get<float>()};
  return {};
}

/// Numbers of a text, one after the other.
class number_reader {
 public:
  explicit number_reader(const std::string& text) : at_(text.data()), end_(text.data() + text.size()) {}
  template <class Number>
  bool operator()(Number& value) {
    while (at_ < end_ && *at_ == ' ') ++at_;
    const auto read = std::from_chars(at_, end_, value);
    at_ = read.ptr;
    return read.ec == std::errc();
  }
  bool finished() const { return at_ == end_; }

 private:
  const char *at_, *end_;
};

/// A basis written as its two extents and then its values, row by row.
inline result<tensor<float, 2>> basis_from_text(const std::string& text, index_t bands) {
  number_reader number(text);
  index_t rank = 0, columns = 0;
  if (!number(rank) || !number(columns) || columns != bands || rank < 1 || rank > bands)
    return error(errc::wrong_shape, "initial: spread is [" + std::to_string(rank) + " x " + std::to_string(columns) +
                                        "], expected at most " + std::to_string(bands) + " rows of " +
                                        std::to_string(bands));
  tensor<float, 2> basis({rank, columns});
  for (float& v : basis)
    if (!number(v) || !is_finite(v))
      return error(errc::wrong_value, "initial: spread has a value that is missing or no finite number");
  if (!number.finished())
    return error(errc::wrong_value, "initial: spread has more values than " + std::to_string(rank * bands));
  return basis;
}

/// Takes "initial", "spread", "step" and "wavelengths" out of the card of a file of the first form. A file that does
/// not say its step was made for the benchmark's camera: 2 columns to the right a band. Wavelengths that are no
/// ascending list of numbers, one a band, stay words. Errors: a name, a basis or a step that cannot be read.
template <class Config>
result<> model_from_description(basic_model<Config>& m) {
  auto& card = m.card;
  const auto take = [&](const char* key) {
    const auto node = card.extract(key);
    return node ? std::optional(node.mapped()) : std::nullopt;
  };
  const index_t bands = m.config.bands;
  const auto basis = take("spread");
  if (const auto name = take("initial")) {
    const auto kind = initial_by_name(printable(*name, 60));
    if (!kind) return kind.error();
    m.initial.kind = *kind;
  }
  if (m.initial.kind == initial_kind::spectral_tv) {
    if (!basis) return error(errc::not_found, "initial: spectral-tv without a 'spread'");
    auto read = basis_from_text(*basis, bands);
    if (!read) return read.error();
    m.initial.spectral_basis = std::move(*read);
  }
  if (const auto step = take("step")) {
    number_reader number(*step);
    if (!number(m.dispersion_step) || !number.finished())
      return error(errc::wrong_value, "description: step is '" + printable(*step, 60) + "', expected an integer");
  }
  if (const auto at = card.find("wavelengths"); at != card.end()) {
    number_reader number(at->second);
    std::vector<double> list;
    double last = 0;
    for (double nm = 0; static_cast<index_t>(list.size()) < bands && number(nm) && nm > last;)
      list.push_back(last = nm);
    if (static_cast<index_t>(list.size()) == bands && number.finished()) {
      m.wavelengths = std::move(list);
      card.erase(at);
    } else if (at->second.empty()) {
      card.erase(at);
    }
  }
  return {};
}

}  // namespace detail

}  // namespace unmask::inline UNMASK_ABI::io

#pragma once

/// What `unmask info` says of a manifest: every date with its bands, scale and offset, what its masks mean and how much
/// they hide.

#include "clouds_checks.hpp"

namespace program {

namespace detail {

/// Which way round a mask is.
inline std::string polarity(const mask_source& m) {
  using unmask::clouds::mask_kind;
  const auto digits = [](double v) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", v);
    return std::string(text);
  };
  switch (m.kind) {
    case mask_kind::visibility:
      return "visibility, 1 = trust";
    case mask_kind::probability:
      return "probability of cloud x " + digits(m.scale.value_or(1)) + ", hides from 0.5 on";
    case mask_kind::scl:
      return "scl, 1 3 8 9 10 hide, 0 is no data";
    case mask_kind::qa60:
      return "qa60, bits 10 and 11 hide";
    case mask_kind::qa_pixel:
      return "qa_pixel, bits 1 to 4 hide, bit 0 is no data";
    case mask_kind::bqa:
      return "bqa, cloud and high confidences hide, bit 0 is no data";
    default:
      return "binary, " + digits(m.hides.value_or(0)) + " hides";
  }
}

struct date_cover {
  double hidden = 0, no_data = 0;  ///< shares of all pixels
};

/// Read by bands of rows, so that large images are never there as a whole.
inline result<date_cover> cover_of(date_files& d, const hiding& how) {
  date_cover c;
  constexpr index_t rows = 256;
  const index_t H = d.image.height(), W = d.image.width();
  for (index_t h = 0; h < H; h += rows) {
    const auto part = read_date(d, {h, 0, std::min(rows, H - h), W}, how);
    if (!part) return part.error();
    const index_t C = part->digits.bands;
    for (index_t i = 0; i < part->hidden.size(); ++i) {
      bool data = true;
      for (index_t b = 0; b < C; ++b) data = data && std::isfinite(part->values.data()[i * C + b]);
      c.no_data += !data, c.hidden += data && part->hidden.data()[i] != 0;
    }
  }
  const double all = static_cast<double>(H) * static_cast<double>(W);
  c.no_data /= all, c.hidden /= all;
  return c;
}

}  // namespace detail

inline result<> stack_info(const context& c, const std::string& path, bool untrusted) {
  auto s = open_stack(path, untrusted);
  if (!s) return s.error();
  const hiding how;
  c.say("%s: %zu dates of %td x %td pixels, %td bands\n", path.c_str(), s->dates.size(), s->height(), s->width(),
        s->bands());
  if (s->wavelengths.empty()) c.say("  wavelengths not known\n");
  for (const std::string& note : s->notes) c.say("  note: %s\n", note.c_str());
  nlohmann::json list = nlohmann::json::array();
  for (std::size_t t = 0; t < s->dates.size(); ++t) {
    date_files& d = s->dates[t];
    const auto cover = detail::cover_of(d, how);
    if (!cover) return cover.error();
    auto lines = suspicious(*s, static_cast<index_t>(t), how);
    if (!lines) return lines.error();
    const auto scale = off_scale(d, how);
    if (!scale) return scale.error();
    if (!scale->empty()) lines->push_back(d.file + ": " + *scale);
    const std::string type(unmask::io::sample_type_names[static_cast<std::size_t>(d.image.type())]);
    const bool target = s->target == static_cast<index_t>(t);
    c.say("%zu  %s  %s%s\n", t, d.date.c_str(), d.file.c_str(), target ? "  (target)" : "");
    c.say("   %s x %g %+g", type.c_str(), d.scale, d.offset);
    if (d.nodata) c.say(", no data %g", *d.nodata);
    c.say("; %.1f %% hidden, %.1f %% no data\n", 100 * cover->hidden, 100 * cover->no_data);
    nlohmann::json j{{"file", d.file},
                     {"date", d.date},
                     {"type", type},
                     {"bands", d.image.bands()},
                     {"scale", d.scale},
                     {"offset", d.offset},
                     {"hidden", cover->hidden},
                     {"no_data", cover->no_data},
                     {"warnings", *lines}};
    if (d.nodata && std::isfinite(*d.nodata)) j["nodata_value"] = *d.nodata;
    const std::pair<const char*, const std::optional<mask_file>*> masks[] = {{"visibility", &d.visibility},
                                                                             {"hidden", &d.given}};
    for (const auto& [key, m] : masks) {
      if (!*m) continue;
      const std::string way = detail::polarity((*m)->source());
      const double pixel = (*m)->pixel();
      c.say("   %s: %s (%s)%s\n", key, (*m)->source().file.c_str(), way.c_str(),
            pixel > 1   ? ", coarser than the image"
            : pixel < 1 ? ", finer than the image"
                        : "");
      j["masks"][key] = {{"file", (*m)->source().file}, {"meaning", way}, {"pixel", pixel}};
    }
    if (!d.visibility && !d.given) c.say("   no mask: everything is trusted\n");
    if (d.sun_azimuth) c.say("   sun at azimuth %g\n", *d.sun_azimuth), j["sun_azimuth"] = *d.sun_azimuth;
    for (const std::string& line : *lines) c.say("   warning: %s\n", line.c_str());
    list.push_back(std::move(j));
  }
  c.print({{"file", path}, {"kind", "stack"}, {"height", s->height()}, {"width", s->width()}, {"images", list}});
  return {};
}

}  // namespace program

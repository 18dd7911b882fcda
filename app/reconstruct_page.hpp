#pragma once

/// The page of `unmask reconstruct --report`.

#include "reconstruct_options.hpp"
#include "reports.hpp"

namespace program {

/// What a page needs beside the result.
struct page_parts {
  const std::vector<double>& wavelengths;
  const exposure& exposed;
  const initial_spec& start;
  float noise_weight;
  std::optional<tensor<float, 3>> truth;
};

/// The result and, beside a network's, each step that leads to it.
inline result<> write_page(const context& c, const reconstruct_options& o, const snapshot& s, page_parts p,
                           estimate e) {
  const std::string path = unmask::io::parse_source(o.measurement).path;
  report_builder page("Reconstruction of " + std::filesystem::path(path).filename().string(), p.wavelengths, s);
  page.input.rotate180 = o.rotate;
  page.fact("Exposure", p.exposed.text);
  if (e.name != method_name(p.start.kind, false)) {
    auto steps = run_steps(c, s, p.start, p.exposed.camera, p.noise_weight);
    if (!steps) return steps.error();
    for (auto& step : *steps) page.add(std::move(step));
  }
  page.add(std::move(e));
  if (p.truth)
    if (auto ok = page.compare(std::move(*p.truth)); !ok) return ok;
  if (auto ok = page.write(o.report); !ok) return ok;
  c.say("%s written\n", o.report.c_str());
  return {};
}

}  // namespace program

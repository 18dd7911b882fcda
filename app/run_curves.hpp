#pragma once

/// RUN/loss.svg and RUN/psnr.svg over steps, RUN/psnr_time.svg over minutes.

#include <unmask/io/atomic_file.hpp>
#include <unmask/render/chart.hpp>
#include <unmask/train/fit.hpp>

#include "run_log.hpp"

namespace program {

/// One line a stage: their losses are different quantities.
inline std::vector<unmask::render::series> loss_curves(const std::vector<float>& losses,
                                                       const unmask::train::stage_plan& plan) {
  std::vector<unmask::render::series> lines;
  std::size_t step = 0;
  for (const auto& entry : plan.entries) {
    unmask::render::series line{std::string("stage ") + unmask::train::stage_name(entry.kind), {}, {}};
    line.style = static_cast<int>(lines.size()) + 1;
    for (index_t i = 0; i < entry.steps && step < losses.size(); ++i, ++step) {
      line.x.push_back(static_cast<double>(step));
      line.y.push_back(static_cast<double>(losses[step]));
    }
    if (!line.x.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

inline std::vector<unmask::render::series> psnr_curves(const std::vector<validation_point>& points, bool over_time) {
  std::vector<unmask::render::series> lines{{"all pixels", {}, {}, 0}, {"hidden", {}, {}, 1}, {"open", {}, {}, 2}};
  for (const auto& p : points) {
    const std::optional<double> values[] = {p.psnr, p.hidden, p.open};
    for (std::size_t i = 0; i < lines.size(); ++i)
      if (values[i])
        lines[i].x.push_back(over_time ? p.seconds / 60 : static_cast<double>(p.step)),
            lines[i].y.push_back(*values[i]);
  }
  std::erase_if(lines, [](const auto& line) { return line.x.empty(); });
  return lines;
}

/// A chart as a file of its own: charts inside a page need neither a namespace nor a background.
inline result<> write_chart(const std::string& path, const std::vector<unmask::render::series>& lines,
                            const unmask::render::chart_options& options) {
  std::string svg = unmask::render::line_chart(lines, options);
  svg.insert(svg.find(' '), " xmlns=\"http://www.w3.org/2000/svg\"");
  svg.insert(svg.find('>') + 1, "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>");
  return unmask::io::write_file(path, svg);
}

inline result<> write_curves(const std::string& folder, const std::vector<float>& losses,
                             const unmask::train::stage_plan& plan, const std::vector<validation_point>& validations) {
  unmask::render::chart_options o{
      .title = "Loss", .x_label = "Step", .y_label = "Loss (logarithmic)", .log_y = true, .width = 720, .height = 400};
  if (auto ok = write_chart(folder + "/loss.svg", loss_curves(losses, plan), o); !ok) return ok;
  if (validations.empty()) return {};
  o.title = "Validation";
  o.y_label = "PSNR [dB], official-8bit";
  o.log_y = false;
  if (auto ok = write_chart(folder + "/psnr.svg", psnr_curves(validations, false), o); !ok) return ok;
  o.x_label = "Training time [minutes]";
  return write_chart(folder + "/psnr_time.svg", psnr_curves(validations, true), o);
}

}  // namespace program

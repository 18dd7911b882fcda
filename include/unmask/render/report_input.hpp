#pragma once

/// What a report is made from. Everything is optional: a section without data is left out. The views must outlive the
/// call. Metrics are numbers handed in; render computes none.

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "../core/view.hpp"
#include "chart.hpp"

namespace unmask::inline UNMASK_ABI::render {

/// One reconstruction [H, W, C], shown in the order given.
struct method {
  std::string name;
  array_view<const float, 3> cube;
  std::vector<double> band_psnr = {};  ///< dB per band, or empty
};

/// One column of the summary, for example {"all pixels", "PSNR [dB]", 2, better::higher}.
enum class better { higher, lower, neither };
struct score_column {
  std::string group;  ///< neighbours with the same group share a heading
  std::string name;
  int decimals = 2;
  better best = better::higher;  ///< the best value of the column is set in bold
};
struct score_row {
  std::string name;
  std::vector<double> values;  ///< one per column; NaN where it is not known
};
struct score_table {
  std::string definition;  ///< name of the metric definition, printed below the table
  std::vector<score_column> columns;
  std::vector<score_row> rows;
};

enum class palette { grey, heat };

/// A plane of numbers [h, w] of any size, with a colour bar over [lo, hi]; NaN there means the plane's own range.
struct named_image {
  std::string name;
  std::string caption;
  array_view<const float, 2> values;
  palette colours = palette::heat;
  double lo = std::numeric_limits<double>::quiet_NaN();
  double hi = std::numeric_limits<double>::quiet_NaN();
};

/// A pixel whose spectrum is drawn, in the coordinates of the cube.
struct marked_point {
  index_t row = 0;
  index_t column = 0;
};

struct report_input {
  std::string title = "unmask report";
  std::string subtitle = {};
  std::vector<std::pair<std::string, std::string>> facts = {};  ///< shown under the title: name, value
  std::vector<double> wavelengths = {};                         ///< nm, one per band; empty: bands are numbered
  array_view<const float, 3> truth = {};                        ///< [H, W, C] or empty
  std::vector<method> methods = {};                             ///< all [H, W, C]
  array_view<const float, 2> snapshot = {};
  array_view<const float, 2> mask = {};
  score_table scores = {};
  std::vector<marked_point> points = {};  ///< empty: up to four bright places with spectra far apart
  std::vector<series> loss_curves = {};   ///< x: step; drawn with a logarithmic y axis
  std::vector<named_image> images = {};
  std::vector<std::string> notes = {};
  bool rotate180 = false;               ///< turn all pictures (real snapshots are stored upside down)
  std::size_t band_bytes = 20'000'000;  ///< the band pictures are made smaller until they fit
};

}  // namespace unmask::inline UNMASK_ABI::render

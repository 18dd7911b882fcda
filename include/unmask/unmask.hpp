#pragma once

/// Everything a CPU product needs to run and to train. Files and pictures are opt-in: <unmask/io/...>,
/// <unmask/render/...>.

#include "core/arena.hpp"
#include "core/backend.hpp"
#include "core/config.hpp"
#include "core/random.hpp"
#include "core/result.hpp"
#include "core/tensor.hpp"
#include "core/view.hpp"
#include "metrics/quality.hpp"
#include "models/initialise.hpp"
#include "models/session.hpp"
#include "models/tiled.hpp"
#include "nn/cpu/all.hpp"
#include "optics/cassi.hpp"
#include "optics/gap_tv.hpp"
#include "optics/noise.hpp"
#include "optics/reconstruct.hpp"
#include "optics/spectral.hpp"
#include "parallel/parallel_for.hpp"
#include "scenes/generate.hpp"
#include "train/estimated_source.hpp"
#include "train/fit.hpp"
#include "train/gradient_check.hpp"
#include "train/progress.hpp"
#include "version.hpp"

#pragma once

/// Everything that a CPU product needs to run a network: cameras, kernels, sessions, tiles, metrics. What costs more to
/// compile is opt-in: classical solvers and whole reconstructions <unmask/reconstruct/reconstructor.hpp> (Eigen's
/// decompositions), training <unmask/train/all.hpp>, files <unmask/io/...>, pictures <unmask/render/...>.

#include "core/arena.hpp"
#include "core/backend.hpp"
#include "core/config.hpp"
#include "core/dispersion.hpp"
#include "core/progress.hpp"
#include "core/random.hpp"
#include "core/result.hpp"
#include "core/tensor.hpp"
#include "core/view.hpp"
#include "metrics/mask_trace.hpp"
#include "metrics/quality.hpp"
#include "models/initialise.hpp"
#include "models/session.hpp"
#include "models/tiled.hpp"
#include "nn/cpu/all.hpp"
#include "optics/camera.hpp"
#include "optics/cassi.hpp"
#include "optics/noise.hpp"
#include "optics/spectral.hpp"
#include "parallel/parallel_for.hpp"
#include "version.hpp"

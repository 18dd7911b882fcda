#pragma once

/// Everything a CPU product needs to run and to train. Files and pictures are opt-in: <unmask/io/...>, <unmask/render/...>.

#include "core/arena.hpp"
#include "core/backend.hpp"
#include "core/config.hpp"
#include "core/random.hpp"
#include "core/result.hpp"
#include "core/tensor.hpp"
#include "core/view.hpp"
#include "models/initialise.hpp"
#include "models/session.hpp"
#include "nn/cpu/all.hpp"
#include "optics/cassi.hpp"
#include "parallel/parallel_for.hpp"
#include "version.hpp"

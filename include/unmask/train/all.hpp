#pragma once

/// Everything that training needs besides <unmask/unmask.hpp>: generated scenes, samples, the training loop, the check
/// of gradients.

#include "../scenes/generate.hpp"
#include "estimated_source.hpp"
#include "fit.hpp"
#include "gradient_check.hpp"

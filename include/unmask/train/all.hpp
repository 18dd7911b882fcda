#pragma once

/// Everything that training needs besides <unmask/unmask.hpp>: samples, the training loop, the check of gradients.
/// Scenes to train on: <unmask/scenes/generate.hpp>, or your own.

#include "estimated_source.hpp"
#include "fit.hpp"
#include "gradient_check.hpp"

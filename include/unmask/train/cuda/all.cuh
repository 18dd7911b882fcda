#pragma once

/// Losses and optimiser of the cuda backend.

#include "adamw.cuh"
#include "losses.cuh"

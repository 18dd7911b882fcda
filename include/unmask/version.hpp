#pragma once

/// The one source of the version; CMake reads the three numbers from here.
#define UNMASK_VERSION_MAJOR 0
#define UNMASK_VERSION_MINOR 1
#define UNMASK_VERSION_PATCH 0
#define UNMASK_VERSION_STRING "0.1.0"

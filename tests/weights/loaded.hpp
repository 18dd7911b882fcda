#pragma once

/// A file loaded as a product does it, with memory of its own.

#include <cstdint>
#include <span>
#include <unmask/nn/cpu/all.hpp>
#include <unmask/weights/model_file.hpp>
#include <vector>

namespace unmask_test {

struct loaded {
  std::vector<std::uint64_t> block;
  unmask::weights::loaded_model<> model;
  unmask::weights::verdict found;

  explicit loaded(std::span<const std::byte> bytes) {
    std::uint64_t need = 0;
    if (found = unmask::weights::bytes_for(bytes, need); !found) return;
    block.resize(static_cast<std::size_t>(need + 7) / 8);
    found = unmask::weights::load(model, bytes, room(need));
  }
  std::span<std::byte> room(std::uint64_t bytes) {
    return {reinterpret_cast<std::byte*>(block.data()), static_cast<std::size_t>(bytes)};
  }
};

}  // namespace unmask_test

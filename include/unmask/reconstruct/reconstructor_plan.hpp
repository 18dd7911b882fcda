#pragma once

/// How a reconstructor is made: what fits, how many bytes, which tiles. Part of reconstructor.hpp.

#include "reconstructor.hpp"

namespace unmask::inline UNMASK_ABI {

/// Everything but memory.
template <class Backend, Model Network>
auto reconstructor<Backend, Network>::plan(const Backend& be, const model_type& m, const optics::camera& camera,
                                           const reconstruct_options& options) -> result<reconstructor> {
  if (auto ok = check(options); !ok) return ok.error();
  const bool network = options.network && !m.parameters.empty();
  if (network) {
    const auto& g = camera.geometry();
    if (auto ok = fits(m, g.bands, g.step, g.direction); !ok) return ok.error();
    if (auto ok = Network::check(m.config); !ok) return ok.error();
    if (input_channels(m.config) != m.config.bands)
      return error(errc::bad_argument, "reconstruct: the network takes " + std::to_string(input_channels(m.config)) +
                                           " channels, expected the cube's " + std::to_string(m.config.bands));
  }
  reconstructor r(be, options);
  r.parts_.reset(new parts{camera.is_canonical() ? camera : camera.canonical()});
  parts& p = *r.parts_;
  if (!camera.is_canonical()) p.turned = camera;
  auto start = estimator::create(m.initial, p.camera, spectral_tv_of(options), scene_spectra_of(options));
  if (!start) return start.error();
  p.start.emplace(std::move(*start));
  const auto& g = p.camera.geometry();
  p.tiles = detail::whole_image(g);
  if (network && !remote) p.network.emplace(be, m.config, network_sizes{1, g.height, g.width});
  if (network && p.start->spectral() && options.refinements > 0)
    p.patches.emplace(g.height, p.start->spectral()->rank(), g.width, spectral_tv_of(options).patch_stride);
  if (p.patches && options.check_rows > 0) p.check.emplace(be, m, p.camera, options, p.start->spectral()->rank());
  r.measure();
  const std::size_t cube = static_cast<std::size_t>(g.cube_size()) * sizeof(float);
  if (options.tile > 0 || (options.memory_limit > 0 && r.bytes_ + cube > options.memory_limit))
    if (auto ok = r.plan_tiles(m); !ok) return ok.error();
  return result<reconstructor>(std::move(r));
}

/// The largest tiles that keep the limit, or those that the options name.
template <class Backend, Model Network>
result<> reconstructor<Backend, Network>::plan_tiles(const model_type& m) {
  parts& p = *parts_;
  const auto& g = p.camera.geometry();
  if (remote) return detail::no_tiles("are for backends of the host: a device takes the whole image");
  if (!p.network || p.start->kind() != initial_kind::hm)
    return detail::no_tiles("need a network that starts from hm: " + std::string(initial_name(p.start->kind())) +
                            " needs the whole image");
  if (p.turned) return detail::no_tiles("need a camera that disperses to the right");
  p.network.reset();
  const auto use = [&](index_t side) {
    p.tiles = detail::tiles_of(m.config, g, side, options_.halo);
    p.tiled.emplace(backend_, m.config, p.tiles);
    measure();
  };
  if (options_.tile > 0) return use(options_.tile), result<>();
  for (const index_t side : detail::tile_sides) {
    if (side >= std::max(g.height, g.width) || side % m.config.padded(1) != 0) continue;
    use(side);
    if (bytes_ <= options_.memory_limit) return {};
  }
  char text[160];
  std::snprintf(text, sizeof text, "allow %.0f MB, the smallest tiles with a halo of %td need %.0f MB",
                static_cast<double>(options_.memory_limit) / 1e6, options_.halo, static_cast<double>(bytes_) / 1e6);
  return detail::no_tiles(text);
}

template <class Backend, Model Network>
void reconstructor<Backend, Network>::measure() {
  arena counting;
  carve(counting);
  const std::size_t mask = static_cast<std::size_t>(parts_->camera.mask().size()) * sizeof(float);
  bytes_ = counting.peak() + mask * (parts_->turned ? 2 : 1);
}

template <class Backend, Model Network>
auto reconstructor<Backend, Network>::create(const Backend& be, const model_type& m, const optics::camera& camera,
                                             const reconstruct_options& options) -> result<reconstructor> {
  auto r = plan(be, m, camera, options);
  if (!r) return r;
  arena counting;
  r->carve(counting);
  r->block_ = memory_block(counting.peak());
  arena memory(r->block_.data(), r->block_.bytes());
  r->carve(memory);
  parts& p = *r->parts_;
  p.start->prepare(host_of(be));
  const auto& g = p.camera.geometry();
  if (remote && options.network && !m.parameters.empty()) {
    auto network = session<Network>::create(be, m.config, m.parameters, g.height, g.width, p.camera.mask());
    if (!network) return network.error();
    p.network.emplace(std::move(*network));
  } else if (p.network) {
    if (auto ok = p.network->prepare(m.parameters, p.camera.mask()); !ok) return ok.error();
  } else if (p.tiled) {
    if (auto ok = p.tiled->prepare(m.parameters); !ok) return ok.error();
  }
  if (p.check)
    if (auto ok = p.check->prepare(m); !ok) return ok.error();
  return r;
}

template <class Backend, Model Network>
result<std::size_t> reconstructor<Backend, Network>::bytes(const Backend& be, const model_type& m,
                                                           const optics::camera& camera,
                                                           const reconstruct_options& options) {
  const auto r = plan(be, m, camera, options);
  if (!r) return r.error();
  return r->bytes_;
}

template <class Backend, Model Network>
void reconstructor<Backend, Network>::carve(arena& memory) {
  parts& p = *parts_;
  const auto& g = p.camera.geometry();
  if (p.turned) {
    y_ = memory.take<float>(g.lines() * g.sensor_length());
    x_ = memory.take<float>(g.cube_size());
  }
  p.start->carve(memory);
  if (p.tiled) p.tiled->carve(memory);
  if (p.network && !remote) p.network->carve(memory);
  if (p.check) {
    p.check->carve(memory);
    const std::size_t level = memory.level();
    p.check->carve_scratch(memory);
    memory.release(level);
  }
  p.start->carve_scratch(memory);
  if (p.patches) p.patches->carve_scratch(memory);
}

}  // namespace unmask::inline UNMASK_ABI

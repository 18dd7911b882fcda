/// Training in one page: a small network learns to undo one camera's mask from a single 64 x 64 x 28 cube.

#include <cstdio>
#include <unmask/scenes/generate.hpp>
#include <unmask/train/all.hpp>
#include <unmask/unmask.hpp>

struct every_50 : unmask::train::fit_observer {
  bool on_step(const unmask::train::step_report& r, unmask::train::stage s) {
    if (r.step % 50 == 0) std::printf("step %4td  stage %s  loss %.4f\n", r.step, unmask::train::stage_name(s), r.loss);
    return true;  // false stops
  }
  void on_validation(unmask::index_t step, const unmask::train::validation_report& r, bool) {
    std::printf("step %4td  PSNR %.2f dB (hidden %.2f, open %.2f)\n", step, r.psnr, r.hidden.value_or(0),
                r.open.value_or(0));
  }
};

int main() {
  namespace train = unmask::train;
  const auto nm = unmask::optics::benchmark_wavelength_list();
  const auto cube = unmask::scenes::generate(64, 64, nm, 1);  // yours: unmask::io::read_cube
  const auto mask = unmask::scenes::grey_mask(64, 64, 1);

  auto source = train::sample_source::create({cube}, {mask}, {.batch = 2, .height = 32, .width = 32});
  auto seen = train::validation_set::create({cube}, mask, 2);
  if (!source || !seen) return 2;

  auto config = unmask::small_config();
  config.embedding = unmask::mask_embedding_kind::tile_safe;
  const unmask::index_t steps = 400;
  auto net = train::trainer<unmask::s2_network<float, unmask::cpu>>::create(
      unmask::cpu{.threads = 2}, config,
      {.batch = 2,
       .height = 32,
       .width = 32,
       .drop_path = 0,
       .schedule = {.peak = 2e-3, .warm_up = 20, .steps = steps}});
  if (!net) return std::fprintf(stderr, "%s\n", net.error().message().c_str()), 2;

  const auto plan = train::parse_stages("me:100,ma:300");
  const auto done = train::fit(*net, *source, {.plan = *plan, .validation = &*seen, .validate_every = 100}, every_50());
  if (!done) return std::fprintf(stderr, "%s\n", done.error().message().c_str()), 1;
  return 0;
}

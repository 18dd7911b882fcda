/// Where a reconstruction's time goes: full network, 256 x 256, spectral attention in the window, one thread. Blocks
/// are walked window by window as strip::block_forward does, with the clock read between components (12 readings of 25
/// ns a window of 140 us); the other components are whole passes over the image. Prints one JSON object for draw.py;
/// `whole_s` is session::run, for comparison with the sum of the parts.
///   build/release/bench/roofline | bench/roofline/draw.py docs/images/roofline.svg
/// Medians over windows and passes: what a neighbour interrupts does not count.

#include <cstdio>

#include "../kernels/fma_peak.hpp"
#include "../kernels/one_block.hpp"

namespace {

using unmask::cpu, unmask::index_t;
namespace strip = unmask::strip;
using block = bench::one_block<unmask::kernel<unmask::op::s2_block, cpu>, cpu>;

constexpr index_t side = 256, channels = 60, bands = 28, pixels = side * side;
constexpr int blocks = 24, passes = 3;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// A component of the network: seconds; multiply-adds of the network as it is written down (bench/peers/works.py) and
/// those carried out; bytes of operands read and results written, weights once a window.
struct component {
  const char* name;
  double seconds, multiply_adds, executed, bytes;
};

/// The same for a window, in the order of `timed_window`, floats instead of bytes.
struct part {
  const char* name;
  double multiply_adds, executed, floats;
};
enum { gather, mask, norm, qkv, spatial, spectral, positional, out, ffn, gelu, scatter, parts };

std::array<part, parts> counts(const unmask::s2_block& l) {
  const double e = static_cast<double>(l.channels()), r = static_cast<double>(l.feed.hidden), d = 10,
               n = static_cast<double>(l.grid.tokens()), heads = e / 10;
  const double projected = 6 * n * e * e, heads_ = 2 * n * n * e, channels_ = 2 * n * d * e, taps = 18 * n * e,
               feed = 2 * n * e * r;
  // the mask's part is not the network's; projections and reduction are folded into 3 E E instead of 4 E E
  return {{{"gather", 0, 0, 2 * n * e},
           {"mask embedding", 0, 9 * n * e, 3 * n * e},
           {"norms", 0, 0, 2 * 2 * n * e},
           {"q, k, v", projected, projected, 6 * e * e + 7 * n * e + 2 * 2 * n * e},
           {"spatial attention", heads_, heads_, 4 * n * e + heads * n * n},
           {"spectral attention", channels_, channels_, 4 * n * e},
           {"depthwise 3x3, GELU", taps, taps, 18 * e + 2 * n * e},
           {"projections, reduce", 4 * n * e * e, 3 * n * e * e, 3 * e * e + 5 * n * e},
           {"feed-forward", feed, feed, 2 * e * r + 3 * n * e + 2 * n * r},
           {"GELU", 0, 0, 2 * n * r},
           {"scatter", 0, 0, 2 * n * e}}};
}

using spent = std::array<double, parts>;

/// One window of block `b`, from x to y.
spent timed_window(const block& b, index_t window) {
  const auto& l = b.shape;
  const strip::window_memory<float>& w = b.scratch.fused.windows[0];
  const strip::block_weights<float>& weights = b.made.weights;
  const strip::step_weights<float>& s = weights.steps[0];
  const index_t c = l.channels(), n = l.grid.tokens(), count = n / strip::width<float>, d = l.spatial.width(),
                strip_size = c * strip::width<float>;
  const auto row = [&](float* of) {
    return [&w, &l, of, c](index_t t) { return of + (w.places[t].row * l.grid.width + w.places[t].column) * c; };
  };
  spent time{};
  double last = now();
  const auto lap = [&](int which) {
    const double t = now();
    time[static_cast<std::size_t>(which)] += t - last;
    last = t;
  };
  strip::window_places(w.places, l.grid, window);
  strip::from_rows(w.x, row(b.images.x), n, c);
  lap(gather);
  strip::window_embeddings(w, l, weights, b.mask.data(), 0);
  lap(mask);
  strip::normalise(w.n, w.rstd, w.x, c, count);
  lap(norm);
  strip::project_step(w, l, s);
  lap(qkv);
  const strip::rows<float> y{w.y, s.out.inputs * strip::width<float>};
  const strip::rows<const float> in{w.masked, s.in.outputs * strip::width<float>};
  for (index_t h = 0; h < l.spatial.heads; ++h)
    strip::head_forward(y.from(h * d).data, y.stride,
                        {in.from(h * d).data, in.from(c + h * d).data, in.from(2 * c + h * d).data,
                         s.position + h * n * n, strip::shift_mask<float>(b.scratch.fused.shift_masks, l.grid, window)},
                        strip::head_shape{count, d, in.stride}, w.scores);
  lap(spatial);
  const auto& p = b.p.spectral[s.step.spectral];
  strip::channel_scores(w.channels, in.from(3 * c), in.from(4 * c), p.rescale, c, l.spectral.width, count);
  strip::channel_apply(y.from(c), in.from(5 * c), w.channels, c, l.spectral.width, count);
  lap(spectral);
  strip::positional_forward(y.from(2 * c), in.from(5 * c), p.position0, p.position2, l.grid.side, c, w.planes);
  lap(positional);
  strip::keep_step(w, l, s, 1.f, 1.f);
  strip::add_step(w, l, s);
  lap(out);
  strip::normalise(w.n, w.rstd, w.x, c, count);
  lap(norm);
  const index_t r = l.feed.hidden;
  for (index_t i = 0; i < count; ++i) {
    strip::multiply(strip::rows<float>{w.hidden, 0}, strip::rows<const float>{w.n + i * strip_size, 0},
                    weights.up.panel, weights.up.bias, c, r, 1);
    lap(ffn);
    using P = unmask::simd::pack<float>;
    for (index_t j = 0; j < r * strip::width<float>; j += 4 * P::lanes) {
      float* h = w.hidden + j;
      const auto g = unmask::simd::gelu<float>(
          std::array{P::load(h), P::load(h + P::lanes), P::load(h + 2 * P::lanes), P::load(h + 3 * P::lanes)});
      for (std::size_t k = 0; k < 4; ++k) P::store(h + static_cast<index_t>(k) * P::lanes, g[k]);
    }
    lap(gelu);
    strip::multiply<true>(strip::rows<float>{w.x + i * strip_size, 0}, strip::rows<const float>{w.hidden, 0},
                          weights.down.panel, weights.down.bias, r, c, 1);
    lap(ffn);
  }
  strip::to_rows(row(b.images.y), w.x, n, c);
  lap(scatter);
  return time;
}

template <class Body>
double timed(Body body) {
  std::vector<double> t;
  body();
  for (int i = 0; i < passes; ++i) {
    const double start = now();
    body();
    t.push_back(now() - start);
  }
  return bench::median(t);
}

void add_blocks(std::vector<component>& all) {
  std::array<std::vector<double>, parts> times;
  block plain(channels, side, false, 0), shifted(channels, side, false, 1);
  for (block* b : {&plain, &shifted}) b->forward();  // fills the shift masks, touches everything
  for (int pass = 0; pass < passes; ++pass)
    for (block* b : {&plain, &shifted})
      for (index_t window = 0; window < b->shape.grid.windows(); ++window) {
        const spent t = timed_window(*b, window);
        for (std::size_t i = 0; i < parts; ++i) times[i].push_back(t[i]);
      }
  const auto count = counts(plain.shape);
  const double windows = static_cast<double>(blocks * plain.shape.grid.windows());
  for (std::size_t i = 0; i < parts; ++i)
    all.push_back({count[i].name, windows * bench::median(times[i]), windows * count[i].multiply_adds,
                   windows * count[i].executed, windows * count[i].floats * sizeof(float)});
}

/// Seven convolutions: 28 -> 60, five 60 -> 60 and 60 -> 28.
component convolutions() {
  component sum{"3x3 convolutions", 0, 0, 0, 0};
  for (const auto& [in, out, times] :
       {std::tuple{bands, channels, 1}, std::tuple{channels, channels, 5}, std::tuple{channels, bands, 1}}) {
    const unmask::conv_sizes s{1, side, side, in, out};
    std::vector<float> x(static_cast<std::size_t>(pixels * in), 0.5f), y(static_cast<std::size_t>(pixels * out)),
        weights(static_cast<std::size_t>(9 * in * out + out), 0.1f),
        packed(static_cast<std::size_t>(unmask::kernel<unmask::op::conv3x3, cpu>::scratch({.threads = 1}, s, false)));
    const unmask::conv_params<const float> p{weights.data(), weights.data() + 9 * in * out};
    sum.seconds += times * timed([&] {
                     unmask::kernel<unmask::op::conv3x3, cpu>::forward<float>(cpu{.threads = 1}, y.data(), x.data(), p,
                                                                              s, packed.data());
                   });
    sum.multiply_adds += static_cast<double>(times * 9 * in * out * pixels);
    sum.bytes += static_cast<double>(times * pixels * (in + out)) * sizeof(float);
  }
  sum.executed = sum.multiply_adds;
  return sum;
}

component image_norms() {
  std::vector<float> x(static_cast<std::size_t>(pixels * channels), 0.5f), y(x.size()), saved(2 * pixels),
      p(2 * channels, 1.f);
  const double t = timed([&] {
    unmask::image_norm_forward<cpu, float>(cpu{.threads = 1}, y.data(), {saved.data(), saved.data() + pixels}, x.data(),
                                           {p.data(), p.data() + channels}, {pixels, channels});
  });
  return {"norms of the image", 2 * t, 0, 0, 2 * 2 * static_cast<double>(pixels * channels) * sizeof(float)};
}

/// Bytes a second that one thread reads from a buffer of `size` floats.
double read_rate(index_t size) {
  using P = unmask::simd::pack<float>;
  const std::vector<float> x(static_cast<std::size_t>(size), 1.f);
  const index_t repeats = 1 + (index_t{1} << 24) / size;
  const double t = timed([&] {
    for (index_t i = 0; i < repeats; ++i) {
      std::array<P::type, 8> sum;
      for (auto& one : sum) one = P::all(0.f);
      for (index_t at = 0; at < size; at += 8 * P::lanes)
#pragma GCC unroll 8
        for (std::size_t k = 0; k < 8; ++k)
          sum[k] = sum[k] + P::load(x.data() + at + static_cast<index_t>(k) * P::lanes);
      for (auto& one : sum) benchmark::DoNotOptimize(P::sum(one));
    }
  });
  return static_cast<double>(repeats * size) * sizeof(float) / t;
}

double whole() {
  unmask::s2_config config{.scope = unmask::spectral_scope::window};
  const auto m = unmask::make_manifest(config);
  std::vector<float> parameters(static_cast<std::size_t>(m.size));
  unmask::initialise(parameters.data(), m, 1);
  unmask::random draw(2);
  unmask::tensor<float, 2> mask({side, side});
  unmask::tensor<float, 3> x({side, side, bands});
  for (float& v : mask) v = static_cast<float>(draw.uniform());
  for (float& v : x) v = static_cast<float>(draw.uniform());
  auto session = unmask::session<unmask::s2_network<float, cpu>>::create({.threads = 1}, config, parameters, side, side,
                                                                         mask.view());
  return timed([&] { session->run(x.view(), x.view()); });
}

}  // namespace

int main() {
  std::vector<double> peaks;
  const auto probe = [&] {
    for (int i = 0; i < 200; ++i) peaks.push_back(bench::multiply_add_rate<float>(1));
  };
  std::vector<component> all;
  probe();
  add_blocks(all);
  probe();
  all.push_back(convolutions());
  all.push_back(image_norms());
  const double run = whole();
  probe();
  const double cache = read_rate(index_t{1} << 16), memory = read_rate(index_t{1} << 25);  // 256 KB, 128 MB
  std::printf(
      "{\"peak_flops\": %.6g, \"cache_rate\": %.6g, \"memory_rate\": %.6g, \"whole_s\": %.6g, \"components\": [",
      bench::median(peaks), cache, memory, run);
  for (std::size_t i = 0; i < all.size(); ++i)
    std::printf(
        "%s\n  {\"name\": \"%s\", \"seconds\": %.6g, \"multiply_adds\": %.6g, \"executed\": %.6g, \"bytes\": %.6g}",
        i ? "," : "", all[i].name, all[i].seconds, all[i].multiply_adds, all[i].executed, all[i].bytes);
  std::printf("\n]}\n");
}

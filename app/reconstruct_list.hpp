#pragma once

/// unmask reconstruct --list: many snapshots of one camera, dealt out to the ranks as they ask for the next one, so
/// that a slow rank takes fewer. A file that fails does not keep the others from being done.

#include <filesystem>
#include <map>
#include <sstream>
#include <unmask/io/input_file.hpp>
#include <unmask/io/output_checks.hpp>

#include "methods.hpp"
#include "ranks.hpp"
#include "reconstruct_options.hpp"

namespace program {

struct listed_snapshot {
  std::string measurement, out;
};

/// OUT/NAME.h5 for a measurement NAME.h5, OUT/NAME-VARIABLE.h5 for NAME.h5:VARIABLE.
inline std::string listed_output(const std::string& folder, const std::string& measurement) {
  const auto source = unmask::io::parse_source(measurement);
  std::string name = std::filesystem::path(source.path).stem().string();
  if (!source.variable.empty()) name += "-" + source.variable;
  for (char& letter : name)
    if (letter == '/') letter = '-';
  return folder + "/" + name + ".h5";
}

/// One snapshot a line; empty lines and those that begin with # do not count. Errors: no list, nothing in it, two that
/// would get the same output.
inline result<std::vector<listed_snapshot>> read_list(const std::string& path, const std::string& folder) {
  constexpr std::uint64_t most = std::uint64_t{1} << 28;
  const auto bytes = unmask::io::read_file(path, most);
  if (!bytes) return bytes.error();
  std::istringstream text(std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()));
  std::vector<listed_snapshot> list;
  std::map<std::string, std::string> taken;
  for (std::string line; std::getline(text, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    const std::string out = listed_output(folder, line);
    if (const auto [at, fresh] = taken.emplace(out, line); !fresh)
      return error(errc::bad_argument, path + ": '" + unmask::io::detail::printable(line, 1000) + "' and '" +
                                           unmask::io::detail::printable(at->second, 1000) +
                                           "' would both be written to " + out);
    list.push_back({line, out});
  }
  if (list.empty()) return error(errc::bad_argument, path + ": found no snapshot, expected one a line");
  return list;
}

inline result<> check_list_options(const reconstruct_options& o) {
  const std::pair<const char*, bool> single[] = {
      {"--measurement", !o.measurement.empty()}, {"--report", !o.report.empty()}, {"--truth", !o.truth.empty()}};
  for (const auto& [name, given] : single)
    if (given) return error(errc::bad_argument, std::string(name) + " is for one snapshot, --list names many");
  return {};
}

/// The folder and the outputs in it, before anything is computed: none is an input.
inline result<> check_list_outputs(const context& c, const reconstruct_options& o,
                                   const std::vector<listed_snapshot>& list) {
  std::error_code failure;
  std::filesystem::create_directories(o.out, failure);
  if (failure) return error(errc::not_writable, o.out + ": cannot make the folder (" + failure.message() + ")");
  std::vector<std::string> inputs{o.list, unmask::io::parse_source(o.mask).path};
  if (!o.weights.empty()) inputs.push_back(o.weights);
  for (const auto& l : list) inputs.push_back(unmask::io::parse_source(l.measurement).path);
  for (const auto& l : list)  // one at a time: outputs are different files, and n^2 of them would take minutes
    if (auto ok = unmask::io::check_outputs({{l.out, "--out", unmask::io::output_kind::hdf5}}, inputs, c.force); !ok)
      return ok;
  return {};
}

/// `run_one(context, options)` reconstructs one of them. The exit code is that of the first file that failed.
template <class RunOne>
result<> reconstruct_list(const context& c, const reconstruct_options& o, RunOne&& run_one) {
  const auto start = std::chrono::steady_clock::now();
  result<std::vector<listed_snapshot>> list{std::vector<listed_snapshot>()};
  result<> fine = check_list_options(o);
  if (fine && c.ranks->first()) {
    list = read_list(o.list, o.out);
    fine = list ? check_list_outputs(c, o, *list) : result<>(list.error());
  }
  if (auto ok = agree(c, fine); !ok) return ok;
  std::string names;  // all ranks work on the first one's list
  for (const auto& l : *list) names += l.measurement + "\n";
  std::istringstream lines(c.ranks->gather(names).front());
  std::vector<std::string> measurements;
  for (std::string line; std::getline(lines, line);) measurements.push_back(line);

  context one = c;
  one.ranks = &unmask::alone();
  one.quiet = true;
  const auto count = static_cast<index_t>(measurements.size());
  index_t done = 0, failed = 0;
  int worst = 0;
  for (index_t i = c.ranks->next(); i < count; i = c.ranks->next()) {
    reconstruct_options of = o;
    of.measurement = measurements[static_cast<std::size_t>(i)];
    of.out = listed_output(o.out, of.measurement);
    const auto begun = std::chrono::steady_clock::now();
    const result<> made = run_one(one, of);
    if (made && !c.json)
      std::printf("%s: from %s in %.2f s by rank %d\n", of.out.c_str(), of.measurement.c_str(), seconds_since(begun),
                  c.ranks->rank());
    std::fflush(stdout);
    ++done;
    if (made) continue;
    std::fprintf(stderr, "unmask: %s\n", made.error().message().c_str());
    ++failed;
    worst = std::max(worst, exit_code(made.error()));
  }
  index_t all_failed = 0;
  int code = 0;
  nlohmann::json shares = nlohmann::json::array();
  for (const auto& text :
       c.ranks->gather(nlohmann::json{{"files", done}, {"failed", failed}, {"code", worst}}.dump())) {
    auto j = nlohmann::json::parse(text);
    all_failed += j["failed"].template get<index_t>();
    code = std::max(code, j["code"].template get<int>());
    shares.push_back(j["files"]);
  }
  c.say("%s: %td of %td snapshots in %.2f s\n", o.out.c_str(), count - all_failed, count, seconds_since(start));
  c.print({{"out", o.out}, {"files", count}, {"failed", all_failed}, {"files_of_ranks", shares}});
  if (all_failed == 0) return {};
  c.settled = true;
  return error(code == 1 ? errc::not_finite : errc::wrong_value,
               o.list + ": " + std::to_string(all_failed) + " of " + std::to_string(count) + " snapshots failed");
}

/// One snapshot or a list of them.
template <class RunOne>
result<> one_or_many(const context& c, const reconstruct_options& o, RunOne&& run_one) {
  if (!o.list.empty()) return reconstruct_list(c, o, run_one);
  const int ranks = c.ranks->size();
  c.settled = true;  // every rank has these options
  if (o.measurement.empty()) return error(errc::bad_argument, "reconstruct: no --measurement, and no --list");
  if (ranks > 1 && o.tile == 0)
    return error(errc::bad_argument, "reconstruct: found " + std::to_string(ranks) +
                                         " ranks, which share files (--list) or the tiles of one (--tile)");
  c.settled = false;
  return run_one(c, o);
}

}  // namespace program

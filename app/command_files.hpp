#pragma once

/// What a command will write, told from its options before it runs: one check for all commands, so that none computes
/// for minutes and then cannot write, or writes over what it read.

#include <unmask/io/output_checks.hpp>
#include <unmask/io/source.hpp>

#include "cube_output.hpp"

namespace program {

/// The check of `io::check_outputs` for a command whose options were parsed. `--out` is a file or, for some commands, a
/// folder, whose files they check themselves; `--report` is a page. Every other option that names a file counts as an
/// input.
inline result<> check_command_files(const CLI::App& command, bool force) {
  using unmask::io::output_kind;
  const std::string& verb = command.get_name();
  std::vector<unmask::io::output_file> outputs;
  std::vector<std::string> inputs;
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_single_name();
    for (const std::string& value : option->results()) {
      if (name == "out" || name == "report" || name == "picture")
        for (const char* variable : {".h5:", ".hdf5:", ".mat:", ".npy:", ".npz:"})
          if (value.find(variable) != std::string::npos)
            return error(errc::bad_argument, "--" + name + " " + unmask::io::detail::printable(value, 1000) +
                                                 ": names a variable, which only inputs have");
      if (name == "out" && (verb == "simulate" || verb == "calibrate"))
        if (auto fine = check_hdf5_output(value); !fine) return fine;
      if (name == "out" && verb == "demo") {
        if (!std::filesystem::is_directory(value)) continue;  // made by the command, or refused there
        outputs.push_back({value + "/demo.h5", "--out", output_kind::hdf5});
        outputs.push_back({value + "/report.html", "--out", output_kind::html});
        outputs.push_back({value + "/weights.safetensors", "--out", output_kind::weights});
      } else if (name == "out") {
        const bool list = verb == "reconstruct" && command.count("--list") > 0;
        const bool folder =
            list || verb == "train" || verb == "samples" || verb == "declouds" || verb == "simulate-clouds";
        const output_kind kind = verb == "view"   ? output_kind::html
                                 : verb == "mask" ? output_kind::npy
                                                  : output_kind::hdf5;
        if (verb == "reconstruct" && !folder)
          for (auto& file : cube_outputs(value)) outputs.push_back(std::move(file));
        else if (!folder)
          outputs.push_back({value, "--out", kind});
      } else if (name == "picture") {
        outputs.push_back({value, "--picture", output_kind::png});
      } else if (name == "report") {
        outputs.push_back({value, "--report", output_kind::html});
      } else {
        inputs.push_back(unmask::io::parse_source(value).path);
      }
    }
  }
  return unmask::io::check_outputs(outputs, inputs, force);
}

}  // namespace program

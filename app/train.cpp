/// unmask train: a network for one mask, or for many, from a folder of cubes. RUN gets config.json, log.jsonl,
/// last.ckpt (and the one before), best.safetensors, loss.svg, psnr.svg and psnr_time.svg; at the end
/// weights.safetensors and report.html.

#include "device.hpp"
#include "train_clouds.hpp"

namespace program {

namespace {

result<> no_clouds_there() {
  return error(errc::bad_argument, "train --task clouds: runs on the processor only (--device cpu)");
}

}  // namespace

void add_train(CLI::App& app, context& c) {
  auto o = std::make_shared<train_options>();
  auto* command = add_command(app, "train", "train a network for a mask on a folder of cubes",
                              "unmask train --data cubes/ --mask mask.mat --validation cloth,paints --out run");
  command->add_option("--task", o->task, "snapshot: cubes from coded snapshots; clouds: for unmask declouds")
      ->check(CLI::IsMember({"snapshot", "clouds"}));
  command->add_option(
      "--data", o->data,
      "folder of cubes [H, W, bands], HDF5 or MATLAB; of clouds: manifests of clear dates, with commas");
  command
      ->add_option("--mask", o->mask,
                   "coded mask, or several; random parts are used where it is larger than a scene. Validations use the "
                   "first. Of clouds: maps of cloud probability, NPY (default: generated)")
      ->delimiter(',');
  command->add_option("--out", o->out, "folder of the run")->required();
  command->add_option("--config", o->config, "JSON; RUN/config.json shows every key");
  command->add_option("--set", o->settings, "key=value of the configuration, as often as needed: --set lambda=2")
      ->allow_extra_args(false);
  command->add_option("--stages", o->stages, "me:N,ma:M or plain:N, steps of each stage");
  command->add_option("--noise", o->noise, "none, camera, poisson, gaussian");
  command->add_option("--validation", o->validation, "names of scenes to keep back; of clouds: manifests")
      ->delimiter(',');
  command->add_option("--from", o->from, "weights to start from, with a fresh optimiser");
  command->add_flag("--resume", o->resume, "continue the training in --out; it keeps its configuration");
  add_untrusted(command, o->untrusted);
  command->add_flag("--force", o->force, "start afresh in a folder that holds a training");
  add_device(command, c);
  command->callback([&app, &c, o] {
    o->seed_given = app.count("--seed") > 0;
    if (o->task == "clouds") {
      c.run = [&c, o] { return c.device == "cuda" ? no_clouds_there() : train_for_clouds(c, *o); };
      return;
    }
    c.run = [&c, o] { return c.device == "cuda" ? train_on_cuda(c, *o) : train_on(c.backend(), c, *o); };
  });
}

}  // namespace program

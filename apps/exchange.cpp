// forger export and forger import: a trained run as a PyTorch module, as ONNX models or as weights alone, and weights
// back from PyTorch.
#include <filesystem>
#include <iostream>

#include "apps/common.h"
#include "core/file.h"
#include "gan/exchange/onnx.h"
#include "gan/exchange/pytorch.h"
#include "gan/exchange/state_dict.h"
#include "gan/state.h"

namespace forger::apps {
namespace {

namespace fs = std::filesystem;
namespace exchange = gan::exchange;

struct ExportOptions {
  std::string run, to, out, view;
  bool raw = false, force = false;
};

std::string about(const gan::Trained& trained, bool raw) {
  return text(trained.settings.text("recipe"), " after ", trained.step, " steps of Forger ", FORGER_VERSION, ", ",
              raw ? "the weights of the last one" : "averaged weights", ".");
}

// Nothing is written before all of it can be.
void check_free(const std::vector<std::string>& files, bool force) {
  for (const std::string& file : files)
    check<UsageError>(force || !fs::exists(file), "'", file,
                      "' is there already: name another folder, or replace what is there with --force");
}

int export_weights(const ExportOptions& options, const gan::Trained& trained) {
  const fs::path folder = options.out;
  const std::string file = folder / "weights.safetensors";
  check_free({file}, options.force);
  fs::create_directories(folder);
  nn::save_checkpoint(file, gan::weights_alone(*trained.recipe, trained.settings, trained.step));
  std::cout << file << '\n';
  return exit_done;
}

int export_run(const ExportOptions& options) {
  check<UsageError>(options.to == "pytorch" || options.to == "onnx" || options.to == "forger", "--to '", options.to,
                    "' is not known; there are: pytorch, onnx, forger");
  check<UsageError>(options.to != "forger" || options.view.empty(),
                    "--view goes with pytorch and onnx: --to forger writes networks, whatever is made with them");
  Use use;
  use.run = options.run, use.raw = options.raw, use.place.device = "cpu";
  gan::Trained trained = load(use);
  check<UsageError>(
      options.to != "onnx" || trained.recipe->dtype() == DType::f32,
      "this run computes in float64, which programs for ONNX do not: begin one in float32 with --init-from");
  if (options.to == "forger") return export_weights(options, trained);
  const gan::Columns columns = gan::read_columns(trained.settings.text("columns"));
  std::vector<std::string> notes;
  const auto views = exchange::exported_views(*trained.recipe, columns, options.view, notes);
  const std::string description = about(trained, options.raw);
  const fs::path folder = options.out;
  std::vector<std::string> files;
  if (options.to == "pytorch") {
    files = {folder / "model.py", folder / "model.safetensors"};
  } else {
    for (const exchange::NamedGraph& view : views)
      files.push_back(folder / (exchange::identifier(view.name) + ".onnx"));
  }
  check_free(files, options.force);
  fs::create_directories(folder);
  if (options.to == "pytorch") {
    const exchange::PytorchModel model = exchange::pytorch_model(*trained.recipe, views, description);
    nn::save_checkpoint(files[1], model.weights);
    write_file(files[0], model.source);
  } else {
    for (size_t i = 0; i < views.size(); i++)
      write_file(files[i], exchange::onnx_model(views[i].graph, exchange::identifier(views[i].name), description));
  }
  for (const std::string& note : notes) std::cerr << "note: " << note << std::endl;
  for (const std::string& file : files) std::cout << file << '\n';
  return exit_done;
}

struct ImportOptions {
  std::string run, file, from = "pytorch", out;
  bool force = false;
};

int import_weights(const ImportOptions& options) {
  check<UsageError>(options.from == "pytorch", "--from '", options.from, "' is not known; there is: pytorch");
  check_free({options.out}, options.force);
  std::vector<std::string> notes;
  const bool is_folder = fs::is_directory(options.run);
  nn::Checkpoint run = is_folder ? gan::newest_checkpoint(gan::RunFolder(options.run), notes).checkpoint
                                 : nn::load_checkpoint(options.run);
  check<UsageError>(run.metadata.contains("recipe"), "'", options.run, "' holds no checkpoint of a run");
  const auto imported =
      exchange::with_state_dict(std::move(run), exchange::read_state_dict(options.file), options.file, notes);
  nn::save_checkpoint(options.out, imported);
  for (const std::string& note : notes) std::cerr << "note: " << note << std::endl;
  std::cout << options.out << '\n';
  return exit_done;
}

}  // namespace

Command export_command(CLI::App& root) {
  const auto options = std::make_shared<ExportOptions>();
  CLI::App* app =
      root.add_subcommand("export", "A trained run as a PyTorch module, as ONNX models, or as weights alone");
  app->add_option("RUN", options->run, "A run folder, or a checkpoint, wherever it lies")->required();
  app->add_option(
         "--to", options->to,
         "pytorch: model.py and its weights; onnx: a model for each view; forger: weights.safetensors, a checkpoint "
         "of what makes samples, without what only training needs")
      ->required();
  app->add_option("--out", options->out, "Where they go")->option_text("DIR")->required();
  app->add_option("--view", options->view, "Only this one of what the run can do (forger show RUN)");
  app->add_flag("--raw", options->raw, "The weights of the last step, not their moving average");
  app->add_flag("--force", options->force, "Replace what --out holds of these names");
  app->footer(
      "Images are (N, C, H, W) there, from -1 to 1; the number of rows is free.\n"
      "Examples:\n"
      "  forger export runs/dcgan --to pytorch --out dcgan\n"
      "  forger export runs/dcgan --to onnx --view sample --out dcgan");
  return {app, [options] { return export_run(*options); }};
}

Command import_command(CLI::App& root) {
  const auto options = std::make_shared<ImportOptions>();
  CLI::App* app = root.add_subcommand("import", "Weights from PyTorch in the place of a run's, as a checkpoint");
  app->add_option("RUN", options->run, "The run folder or checkpoint that was exported, or one like it")->required();
  app->add_option("FILE", options->file, "A state_dict: .safetensors, or what torch.save wrote; nothing in it is run")
      ->required();
  app->add_option("--from", options->from, "pytorch")->capture_default_str();
  app->add_option("--out", options->out, "The checkpoint, for forger sample and --init-from")
      ->option_text("FILE")
      ->required();
  app->add_flag("--force", options->force, "Replace --out");
  app->footer(
      "Examples:\n"
      "  forger import runs/dcgan trained-on.pt --from pytorch --out trained-on.safetensors\n"
      "  forger sample trained-on.safetensors");
  return {app, [options] { return import_weights(*options); }};
}

}  // namespace forger::apps

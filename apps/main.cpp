// forger: the command line. Parses, runs one command, and turns whatever goes wrong into one line and an exit code.
#include <sys/resource.h>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <new>
#include <thread>

#include "apps/arguments.h"
#include "apps/common.h"
#include "core/ranks.h"
#include "core/utf8.h"

namespace forger::apps {
namespace {

std::string suggestion(const std::string& typed, const std::vector<std::string>& names) {
  const std::string near = gan::nearest(typed, names);
  return near.empty() ? "" : "; did you mean " + near + "?";
}

const CLI::App& chosen_command(const CLI::App& root) {
  const auto parsed = root.get_subcommands();
  return parsed.empty() ? root : *parsed.front();
}

std::string about_unexpected(const CLI::App& command) {
  const std::vector<std::string> left = command.remaining(/*recurse=*/true);
  const std::string word = left.empty() ? "" : left.front().substr(0, left.front().find('='));
  std::vector<std::string> names;
  if (word.starts_with("-")) {
    for (const CLI::Option* option : command.get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    return "unknown option '" + word + "'" + suggestion(word, names);
  }
  for (const CLI::App* each : command.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(each->get_name());
  return (names.empty() ? "unexpected argument '" : "unknown command '") + word + "'" + suggestion(word, names);
}

// As text that any terminal and any program can show.
std::string one_line(const std::string& error) {
  std::string message = to_utf8(error);
  while (!message.empty() && message.back() == '\n') message.pop_back();
  std::replace(message.begin(), message.end(), '\n', ' ');
  return message;
}

int report(const std::string& message, int code) {
  // Of several processes that train together all fail alike, or one fails alone: the first one is the one to speak, if
  // it has something to say; none is waited for, and between hosts it takes Open MPI seconds to end them.
  if (!Ranks::leads()) std::this_thread::sleep_for(std::chrono::seconds(6));
  std::cerr << "forger: " << one_line(message) << std::endl;
  if (Ranks::count() > 1) Ranks::end_all(code);
  return code;
}

int bad_command_line(const CLI::App& root, const CLI::ParseError& error) {
  const CLI::App& command = chosen_command(root);
  const bool unexpected = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  const std::string message = unexpected ? about_unexpected(command) : error.what();
  const std::string words = &command == &root ? "forger" : "forger " + command.get_name();
  return report(message + " (see: " + words + " --help)", exit_bad_usage);
}

constexpr const char* overview =
    R"(Forger trains generative adversarial networks on its own tensors, autodiff and kernels.

Examples:
  forger train                                   DCGAN on Fashion-MNIST, with the settings that suit it
  forger train wgan-gp --steps 2000 --out runs/w another system, another length, a folder of your choice
  forger train --resume runs/w --steps 4000      goes on where it stopped
  forger sample runs/w --count 64 --seed 7       64 pictures from the trained generator
  forger train --help                            every setting, with its default
)";

int run(int argc, char** argv) {
  CLI::App root(overview, "forger");
  root.set_version_flag("--version", std::string("forger ") + FORGER_VERSION);
  root.get_formatter()->column_width(28);
  root.require_subcommand(0, 1);  // a later word that is a command's name is an argument: forger show RUN translate
  const std::vector<Command> commands{
      train_command(root), sample_command(root),      show_command(root),       translate_command(root),
      roll_command(root),  interpolate_command(root), edit_command(root),       evaluate_command(root),
      fid_command(root),   report_command(root),      stats_command(root),      neighbours_command(root),
      arena_command(root), export_command(root),      import_command(root),     theory_command(root),
      list_command(root),  info_command(root),        completion_command(root), man_command(root)};
  read_strictly(root);
  try {
    root.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return root.exit(error);  // --help, --version
    return bad_command_line(root, error);
  }
  for (const Command& command : commands)
    if (command.app->parsed()) return command.run();
  std::cerr << root.help();
  return exit_bad_usage;
}

// What the shell allows, if it limits that.
std::string memory_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return "";
  return text("; this process may have ", limit.rlim_cur >> 20, " MiB of address space (ulimit -v)");
}

int guarded(int argc, char** argv) {
  try {
    const int code = run(argc, argv);
    check<Error>(static_cast<bool>(std::cout.flush()), "cannot write to standard output");
    return code;
  } catch (const UsageError& error) {
    return report(error.what(), exit_bad_usage);
  } catch (const Interrupted& interrupted) {
    return report(interrupted.what(), exit_interrupted);
  } catch (const MemoryError& error) {
    return report(error.what() + memory_limit(), exit_failed);
  } catch (const std::bad_alloc&) {
    return report("out of memory: a smaller --batch, --size, --width or --count needs less" + memory_limit(),
                  exit_failed);
  } catch (const std::filesystem::filesystem_error& error) {
    const std::string path = error.path1().string();
    return report("'" + path + "': " + error.code().message(), exit_failed);
  } catch (const std::system_error& error) {  // of the process itself: threads, above all
    return report("the system refuses: " + error.code().message() + memory_limit(), exit_failed);
  } catch (const std::exception& error) {  // forger::Error
    return report(error.what(), exit_failed);
  }
}

}  // namespace
}  // namespace forger::apps

int main(int argc, char** argv) {
  forger::apps::accept_checkpoint_signals();
  return forger::apps::guarded(argc, argv);
}

// forger completion, forger man: what a shell and a manual's reader want to know, from the same tree of commands and
// options as the program itself.
#include <iostream>
#include <sstream>

#include "apps/common.h"

namespace forger::apps {
namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& root) {
  return root.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

std::vector<const CLI::Option*> options_of(const CLI::App& command) {
  return command.get_options(
      [](const CLI::Option* option) { return !option->get_positional() || !option->get_lnames().empty(); });
}

std::string joined(const std::vector<std::string>& words, const std::string& between = " ") {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : between) + word;
  return all;
}

std::vector<std::string> recipe_names() {
  std::vector<std::string> names;
  for (const gan::RecipeEntry& recipe : gan::recipes()) names.push_back(recipe.name);
  return names;
}

std::vector<std::string> flags_of(const CLI::App& command) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : options_of(command))
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  return flags;
}

// ---- completion ----

// Where it knows of nothing, bash completes names of files.
std::string bash(const CLI::App& root) {
  std::ostringstream script;
  std::vector<std::string> names;
  for (const CLI::App* command : commands_of(root)) names.push_back(command->get_name());
  script << "_forger() {\n  local words=\n  if [[ $COMP_CWORD -eq 1 ]]; then\n    words='" << joined(names)
         << " --help --version'\n  else\n    case ${COMP_WORDS[1]}:$COMP_CWORD:$2 in\n";
  for (const CLI::App* command : commands_of(root))
    script << "      " << command->get_name() << ":*:-*) words='" << joined(flags_of(*command)) << "' ;;\n";
  script << "      train:2:*) words='" << joined(recipe_names()) << "' ;;\n"
         << "      completion:2:*) words='bash fish zsh' ;;\n"
         << "    esac\n  fi\n  COMPREPLY=($(compgen -W \"$words\" -- \"$2\"))\n}\n"
         << "complete -o default -F _forger forger\n";
  return script.str();
}

std::string zsh(const CLI::App& root) {
  return "#compdef forger\nautoload -U +X bashcompinit && bashcompinit\n" + bash(root);
}

std::string fish(const CLI::App& root) {
  const auto quoted = [](const std::string& help) {
    std::string safe;
    for (const char c : help)
      safe += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c == '\n' ? ' ' : c);
    return "'" + safe + "'";
  };
  std::ostringstream script;
  for (const CLI::App* command : commands_of(root)) {
    const std::string name = command->get_name();
    script << "complete -c forger -n __fish_use_subcommand -f -a " << name << " -d "
           << quoted(command->get_description()) << '\n';
    for (const CLI::Option* option : options_of(*command))
      for (const std::string& flag : option->get_lnames())
        script << "complete -c forger -n '__fish_seen_subcommand_from " << name << "' -l " << flag << " -d "
               << quoted(option->get_description()) << '\n';
  }
  script << "complete -c forger -n '__fish_seen_subcommand_from train' -f -a " << quoted(joined(recipe_names())) << '\n'
         << "complete -c forger -n '__fish_seen_subcommand_from completion' -f -a 'bash fish zsh'\n";
  return script.str();
}

int completion(const CLI::App& root, const std::string& shell) {
  std::cout << (shell == "bash" ? bash(root) : shell == "zsh" ? zsh(root) : fish(root));
  return exit_done;
}

// ---- manual ----

// Text as roff prints it unchanged: lines that are broken stay so.
std::string roff(const std::string& text) {
  std::string safe;
  for (size_t i = 0; i < text.size(); i++) {
    const bool opens_a_line = i == 0 || text[i - 1] == '\n';
    if (opens_a_line && (text[i] == '.' || text[i] == '\'')) safe += "\\&";
    safe += text[i] == '\\' ? "\\e" : text[i] == '-' ? "\\-" : std::string(1, text[i]);
  }
  return safe;
}

void write_command(std::ostream& page, const CLI::App& command) {
  page << ".SS forger " << roff(command.get_name()) << '\n' << roff(command.get_description()) << '\n';
  for (const CLI::Option* option : command.get_options()) {
    std::vector<std::string> names;
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    page << ".TP\n.B " << roff(names.empty() ? option->get_name() : joined(names, ", ")) << '\n'
         << roff(option->get_description()) << '\n';
  }
  if (!command.get_footer().empty()) page << ".PP\n.nf\n" << roff(command.get_footer()) << "\n.fi\n";
}

int manual(const CLI::App& root) {
  std::ostream& page = std::cout;
  page << ".TH FORGER 1 \"\" \"Forger " << FORGER_VERSION << "\" \"User Commands\"\n"
       << ".SH NAME\nforger \\- trains, samples and judges generative adversarial networks\n"
       << ".SH SYNOPSIS\n.B forger\n.I COMMAND\n[\\fIargument\\fR ...] [\\fIoption\\fR ...]\n"
       << ".SH DESCRIPTION\n.nf\n"
       << roff(root.get_description()) << ".fi\n.SH COMMANDS\n";
  for (const CLI::App* command : commands_of(root)) write_command(page, *command);
  page << ".SH ENVIRONMENT\n";
  for (const auto& [name, about] : std::initializer_list<std::pair<const char*, const char*>>{
           {"FORGER_CACHE", "Where judges and spoken words are kept; the user's cache folder when not set."},
           {"FORGER_DATA", "Where the data sets of Debian packages are looked for first."},
           {"FORGER_SIMD", "avx2 or portable: narrower vectors than the processor has."},
           {"OMP_NUM_THREADS", "Processor cores to use where --threads does not say."}})
    page << ".TP\n.B " << name << '\n' << roff(about) << '\n';
  page << ".SH EXIT STATUS\n0 done, 1 failed, 2 bad usage, 130 interrupted, after a checkpoint.\n";
  return exit_done;
}

}  // namespace

Command completion_command(CLI::App& root) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* app = root.add_subcommand("completion", "A script that teaches a shell the commands and options");
  app->add_option("SHELL", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  app->footer(
      "Examples:\n"
      "  forger completion bash > ~/.local/share/bash-completion/completions/forger\n"
      "  forger completion fish > ~/.config/fish/completions/forger.fish");
  return {app, [&root, shell] { return completion(root, *shell); }};
}

Command man_command(CLI::App& root) {
  CLI::App* app = root.add_subcommand("man", "The manual page");
  app->footer("Example:\n  forger man | man -l -");
  return {app, [&root] { return manual(root); }};
}

}  // namespace forger::apps

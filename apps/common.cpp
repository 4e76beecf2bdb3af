#include "apps/common.h"

#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <iomanip>
#include <iostream>

#include "core/file.h"
#include "core/ops.h"
#include "core/utf8.h"
#include "gan/captions.h"
#include "gan/data/images.h"
#include "gan/picture_file.h"
#include "gan/words.h"

namespace forger::apps {
namespace fs = std::filesystem;
namespace {

gan::Requests requests;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

extern "C" void on_stop_signal(int) {
  if (requests.stop.exchange(true)) _exit(exit_interrupted);
}
extern "C" void on_checkpoint_signal(int) { requests.checkpoint = true; }

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  sigaction(signal, nullptr, &action);
  if (action.sa_handler == SIG_IGN) return;
  action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;  // a checkpoint being written is not cut short
  sigaction(signal, &action, nullptr);
}

}  // namespace

void accept_checkpoint_signals() { handle(SIGUSR1, on_checkpoint_signal); }

gan::Requests& watch_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) handle(signal, on_stop_signal);
  accept_checkpoint_signals();
  return requests;
}

std::vector<DeviceLine> device_lines() {
  std::vector<DeviceLine> lines{
      {"cpu", text(kernels::threads(), kernels::threads() == 1 ? " thread, " : " threads, ", kernels::simd_level())}};
  for (const Device device : {Device::cuda, Device::simt}) {
    const std::string missing = kernels::unavailable(device);
    lines.push_back({name_of(device), missing.empty() ? kernels::runtime(device).description() : missing});
  }
  return lines;
}

void add_place(CLI::App& app, gan::Place& place) {
  app.add_option("--device", place.device,
                 "cpu, cuda or simt; what the run was trained on, or the CPU where that is not to be had");
  app.add_option("--threads", place.threads, "Processor cores to use; the run's, or all, when left out")
      ->check(CLI::Range(1, 1024));
}

void add_data(CLI::App& app, gan::Place& place) {
  app.add_option("--data", place.data, "Where the run's data is now, if it was moved")->option_text("DATA");
}

void add_use(CLI::App& app, Use& use, const std::string& seed_help) {
  app.add_option("RUN", use.run, "A run folder, a checkpoint, wherever it lies, or pretrained:NAME (forger list)")
      ->required();
  app.add_option("--seed", use.seed, seed_help)->capture_default_str();
  app.add_flag("--raw", use.raw, "The weights of the last step, not their moving average");
  add_place(app, use.place);
}

gan::Trained load(const Use& use) {
  gan::Trained trained = gan::load_trained(use.run, use.place, /*averaged=*/!use.raw);
  for (const std::string& note : trained.notes) std::cerr << "note: " << note << std::endl;
  return trained;
}

void read_sample(const std::string& file, const gan::Settings& settings, const Shape& sample, float* into) {
  gan::DataOptions fit = gan::data_options(settings);
  fit.height = sample[0], fit.width = sample[1];
  gan::to_sample(gan::fit_picture(gan::read_image(file, static_cast<int>(sample[2])), fit), into);
}

void set_words(gan::Batch& drawn, const std::vector<std::string>& assignments, const gan::Settings& settings) {
  const gan::Columns columns = gan::read_columns(settings.text("columns"));
  for (const std::string& assignment : assignments) {
    const size_t equals = assignment.find('=');
    check<UsageError>(equals != assignment.npos, "--set takes COLUMN=WORD, as in label=Coat, got '", assignment, "'");
    const std::string name = assignment.substr(0, equals), word = assignment.substr(equals + 1);
    const gan::Column* column = gan::find_column(columns, name);
    std::string names;
    for (const nn::Named& tensor : drawn.tensors)
      if (tensor.tensor.dtype() == DType::i64) names += (names.empty() ? "" : ", ") + tensor.name;
    check<UsageError>(
        column != nullptr && drawn.has(name) && drawn[name].dtype() == DType::i64, "--set: '", name,
        "' is nothing that this run's samples are made from; there is: ", names.empty() ? "nothing" : names);
    check<UsageError>(name != "label" || !drawn.has("caption"),
                      "--set label: this run's samples are made from captions, which name the class: --caption");
    if (gan::is_sentences(*column)) {
      const std::vector<int64_t> tokens = gan::tokens_of(*column, word);
      const Tensor every(drawn[name].shape(), DType::i64);
      for (int64_t i = 0; i < drawn.rows(); i++)
        std::ranges::copy(tokens, every.data<int64_t>() + i * std::ssize(tokens));
      copy_into(drawn[name], every, "set");
      continue;
    }
    const auto found = std::ranges::find(column->words, word);
    std::string words;
    for (const std::string& known : column->words) words += (words.empty() ? "" : ", ") + known;
    check<UsageError>(found != column->words.end(), "--set: '", word, "' is no word of ", name, "; there are: ", words);
    copy_into(drawn[name], full(drawn[name].shape(), static_cast<double>(found - column->words.begin()), DType::i64),
              "set");
  }
}

namespace {

nlohmann::ordered_json in_utf8(const nlohmann::ordered_json& value) {
  if (value.is_string()) return to_utf8(value.get<std::string>());
  if (!value.is_structured()) return value;
  nlohmann::ordered_json out = value.is_array() ? nlohmann::ordered_json::array() : nlohmann::ordered_json::object();
  for (const auto& [key, each] : value.items()) {
    if (value.is_array())
      out.push_back(in_utf8(each));
    else
      out[to_utf8(key)] = in_utf8(each);
  }
  return out;
}

}  // namespace

std::string written(const nlohmann::ordered_json& value) { return in_utf8(value).dump(); }

void check_picture_name(const std::string& option, const std::string& file) {
  const std::string ending = fs::path(file).extension().string();
  check<UsageError>(ending.empty() || ending == ".png" || ending == ".PNG" || !is_replaceable(file), option, " '", file,
                    "': pictures are written as PNG; name it ", fs::path(file).replace_extension(".png").string());
}

void check_not_data(const std::string& option, const std::string& path, const gan::Settings& settings) {
  check<UsageError>(!is_replaceable(path) || !gan::would_join_data(path, settings), option, " '", path,
                    "' lies in the folder of pictures that the run is trained on, and would become part of it: name "
                    "another place");
}

void write_words(const std::string& file, const gan::Column& like, gan::Recipe& recipe, const gan::View& view,
                 const gan::Batch& from) {
  std::string lines;
  make_in_parts(recipe, view, from, [&](const gan::Batch&, const gan::Batch& made) {
    lines += gan::as_lines(gan::spelled(like, made.tensors.front().tensor));
  });
  const std::string out = file.empty() ? "-" : file;
  write_output(out, lines);
}

void write_output(const std::string& file, const std::string& bytes, const std::string& about) {
  write_file(file, bytes);
  if (is_replaceable(file)) std::cout << file << about << '\n';
}

void write_picture(const std::string& file, const gan::Image& picture, const std::string& about) {
  write_output(file, gan::encode_png(picture), about);
}

namespace {

// folder/name-000042.png
std::string numbered(const std::string& folder, const std::string& name, int64_t i) {
  std::ostringstream path;
  path << folder << '/' << name << '-' << std::setfill('0') << std::setw(6) << i << ".png";
  return path.str();
}

bool is_numbered(const std::string& file, const std::string& name) {
  const std::string_view ending = ".png";
  if (!file.starts_with(name + "-") || !file.ends_with(ending)) return false;
  const std::string digits = file.substr(name.size() + 1, file.size() - name.size() - 1 - ending.size());
  return digits.size() >= 6 && digits.find_first_not_of("0123456789") == digits.npos;
}

}  // namespace

NumberedPictures::NumberedPictures(std::string folder, std::string name, bool force)
    : folder_(std::move(folder)), name_(std::move(name)) {
  std::error_code error;
  fs::create_directories(folder_, error);
  check<DataError>(!error && fs::is_directory(folder_), "cannot create the folder '", folder_,
                   "': ", error ? error.message() : "something else has that name");
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (!is_numbered(entry.path().filename().string(), name_)) continue;
    check<UsageError>(!entry.is_directory(), "'", entry.path().string(),
                      "' is a folder, and a picture would have its name: name another folder, or move it away");
    old_.push_back(entry.path().string());
  }
  check<UsageError>(old_.empty() || force, "'", folder_, "' holds ", old_.size(), " pictures of an earlier call (",
                    old_.empty() ? "" : fs::path(old_.front()).filename().string(),
                    " ...): name another folder, or replace them with --force");
}

void NumberedPictures::add(const Tensor& images) {
  check<UsageError>(images.rank() == 4, "this run makes no images: there are no single pictures to write");
  for (const std::string& file : std::exchange(old_, {})) fs::remove(file);
  for (int64_t i = 0; i < images.size(0); i++)
    gan::write_png(numbered(folder_, name_, count_++), gan::grid(slice(images, 0, i, i + 1), 1));
}

}  // namespace forger::apps

#include "apps/common.h"

#include <unistd.h>

#include <csignal>
#include <cstring>
#include <iomanip>

#include "core/ops.h"

namespace forger::apps {
namespace {

std::atomic<bool> stop_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

extern "C" void on_stop_signal(int) {
  if (stop_asked.exchange(true)) _exit(exit_interrupted);
}

}  // namespace

const std::atomic<bool>& watch_signals() {
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;  // a checkpoint being written is not cut short
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return stop_asked;
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

Tensor generate_all(gan::Recipe& recipe, const Tensor& latent) {
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < latent.size(0); i += generated_at_once)
    parts.push_back(recipe.generate(slice(latent, 0, i, std::min(i + generated_at_once, latent.size(0)))));
  return concat(parts, 0);
}

gan::DataSetPtr data_of(const gan::Settings& settings, gan::Subset subset) {
  const std::string& spec = settings.text("data");
  gan::DataSetPtr train = gan::open_data(spec, settings.integer("size"));
  check<DataError>(train->hash() == settings.text("data_hash"), "the data '", spec,
                   "' has changed since the run began: comparing with other images would mean nothing");
  return subset == gan::Subset::train ? train : gan::open_data(spec, settings.integer("size"), subset);
}

nlohmann::ordered_json as_json(const metrics::Score& score) {
  using nlohmann::ordered_json;
  ordered_json out{{"value", score.value()},         {"spread", nullptr},
                   {"n_real", score.reals},          {"n_fake", score.fakes},
                   {"convention", score.convention}, {"weights", score.weights},
                   {"split", score.split},           {"values", ordered_json::object()},
                   {"remark", score.remark},         {"text", metrics::line_of(score)}};
  if (score.spread) out["spread"] = *score.spread;
  for (const auto& [name, value] : score.values) out["values"][name] = value;
  for (const auto& [name, share] : score.classes) out["classes"][name] = share;
  return out;
}

gan::Image single(const Tensor& images, int64_t i) {
  check<UsageError>(images.rank() == 4, "this run makes points, not images: there are no single pictures to write");
  return gan::grid(slice(images, 0, i, i + 1), 1);
}

std::string numbered(const std::string& folder, const std::string& name, int64_t i) {
  std::ostringstream path;
  path << folder << '/' << name << '-' << std::setfill('0') << std::setw(6) << i << ".png";
  return path.str();
}

}  // namespace forger::apps

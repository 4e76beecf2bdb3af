#include "gan/exchange/state_dict.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/file.h"
#include "core/ops.h"
#include "gan/exchange/layout.h"
#include "gan/exchange/pytorch.h"

namespace forger::gan::exchange {
namespace {

// The part of a checkpoint that a name belongs to: "g" of "g.0.weight".
std::string part_of(const std::string& name) { return name.substr(0, name.find('.')); }

bool is_network(const std::string& part) {
  return part != "memory" && !part.ends_with("_optimizer") && !part.ends_with("_average");
}

// What wrappers put before every name.
std::string unwrapped(std::string name) {
  for (const std::string wrapper : {"_orig_mod.", "module."})
    if (name.starts_with(wrapper)) name.erase(0, wrapper.size());
  return name;
}

// "g.0.weight, g.1.bias and 3 more"
std::string some_of(const std::vector<std::string>& names) {
  constexpr size_t most = 4;
  std::string all;
  for (size_t i = 0; i < std::min(most, names.size()); i++) all += (i > 0 ? ", " : "") + names[i];
  return names.size() > most ? text(all, " and ", names.size() - most, " more") : all;
}

}  // namespace

nn::NamedTensors read_state_dict(const std::string& path) {
  const std::string bytes = read_file(path);
  const auto data = std::as_bytes(std::span(bytes));
  return bytes.starts_with("PK") ? parse_pt(data, path) : nn::parse_checkpoint(data, path).tensors;
}

nn::Checkpoint with_state_dict(nn::Checkpoint run, const nn::NamedTensors& weights, const std::string& origin,
                               std::vector<std::string>& notes) {
  std::map<std::string, Tensor> given;
  std::set<std::string> parts;
  std::vector<std::string> homeless, misshapen, missing;
  for (const nn::Named& one : weights) {
    const std::string name = unwrapped(one.name);
    if (name.starts_with(constants_prefix) || name.ends_with("num_batches_tracked")) continue;
    const Tensor* own = is_network(part_of(name)) ? run.find(name) : nullptr;
    if (own == nullptr) {
      homeless.push_back(one.name);
    } else if (one.tensor.dtype() == DType::i64 || !(channels_first(own->shape()) == one.tensor.shape())) {
      misshapen.push_back(text(one.name, " (", one.tensor.shape(), " there, ", channels_first(own->shape()), " here)"));
    } else {
      check<DataError>(given.emplace(name, channels_last(one.tensor)).second, origin, ": two tensors are ", name);
      parts.insert(part_of(name));
    }
  }
  std::set<std::string> kept;
  for (const nn::Named& own : run.tensors) {
    const std::string part = part_of(own.name);
    if (!is_network(part)) continue;
    if (!parts.contains(part)) kept.insert(part);
    if (parts.contains(part) && !given.contains(own.name)) missing.push_back(own.name);
  }
  check<DataError>(homeless.empty(), origin, ": this run has no ", some_of(homeless),
                   ": give the state_dict of the module that forger export wrote");
  check<DataError>(misshapen.empty(), origin, ": other shapes than the run's: ", some_of(misshapen));
  check<DataError>(missing.empty(), origin, ": lacks ", some_of(missing));
  check<DataError>(!given.empty(), origin, ": holds no weights");
  for (const std::string& part : kept)
    notes.push_back(text("the weights of ", part, " are the run's: ", origin, " has none"));

  for (const nn::Named& own : run.tensors) {
    const std::string part = part_of(own.name), average = "_average";
    if (part.ends_with("_optimizer")) copy_into(own.tensor, full_like(own.tensor, 0), "import");
    const bool averaged = part.ends_with(average);
    const std::string name =
        averaged ? part.substr(0, part.size() - average.size()) + own.name.substr(part.size()) : own.name;
    if (const auto found = given.find(name); found != given.end() && (averaged || is_network(part)))
      copy_into(own.tensor, cast(found->second, own.tensor.dtype()), "import");
  }
  return run;
}

}  // namespace forger::gan::exchange

// speech: forty English words in fourteen voices of the program espeak-ng (Debian: espeak-ng), two of which, a man's
// and a woman's, are heard in the test subset alone. Columns image, waveform, label (the word), voice. Every word takes
// less than half a second, a row at 64 x 64.
//
// What espeak-ng said is kept in the cache folder under its version; an unwritable cache costs time (a few seconds),
// not results.
#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "core/cache_folder.h"
#include "gan/data/images.h"
#include "gan/data/picture_folder.h"
#include "gan/data/sound_set.h"
#include "gan/sound_file.h"
#include "nn/checkpoint.h"

namespace forger::gan {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> words{"zero",   "one",     "two",    "three",  "four",   "five",   "six",    "seven",
                                     "eight",  "nine",    "ten",    "yes",    "no",     "go",     "stop",   "up",
                                     "down",   "left",    "right",  "on",     "off",    "house",  "tree",   "water",
                                     "window", "morning", "garden", "river",  "music",  "paper",  "table",  "yellow",
                                     "open",   "close",   "happy",  "winter", "summer", "mother", "father", "apple"};

// espeak-ng's voice (an accent and a variant of the vocal tract), its pitch (0 to 99) and its words a minute.
struct Voice {
  std::string name;
  int pitch, speed;
  bool held_out = false;
};
const std::vector<Voice> voices{{"en-us+m1", 45, 175},
                                {"en-us+m2", 35, 210},
                                {"en-us+m3", 50, 170},
                                {"en-gb+m4", 40, 180},
                                {"en-gb-scotland+m5", 30, 175},
                                {"en-us-nyc+m6", 55, 190},
                                {"en-gb-x-rp+m8", 45, 170},
                                {"en-us+f1", 50, 175},
                                {"en-gb+f2", 60, 185},
                                {"en-gb-scotland+f3", 45, 205},
                                {"en-029+f5", 55, 210},
                                {"en-us-nyc+klatt", 40, 175},
                                {"en-gb+m7", 42, 178, /*held_out=*/true},
                                {"en-us+f4", 52, 205, /*held_out=*/true}};

// What a program prints; nothing when there is no such program, or it fails.
std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen((command + " 2>/dev/null").c_str(), "re"), pclose);
  std::string output;
  std::array<char, 4096> part;
  for (size_t got = 0; pipe && (got = std::fread(part.data(), 1, part.size(), pipe.get())) > 0;)
    output.append(part.data(), got);
  return output;
}

// The words of one voice, in a call: a program's start takes longer than a word. They are said with 600 ms of silence
// between them, and parted where there are more than 200; of the silence 10 ms stay on either side.
std::vector<Sound> said(const Voice& voice) {
  std::string ssml;
  for (const std::string& word : words) ssml += (ssml.empty() ? "" : "<break time='600ms'/>") + word;
  const std::string what = "what espeak-ng says as " + voice.name;
  const Sound all = decode_sound(output_of(text("espeak-ng -v ", voice.name, " -p ", voice.pitch, " -s ", voice.speed,
                                                " -m --stdout \"<speak>", ssml, "</speak>\"")),
                                 what);
  constexpr float faint = 0.003f;
  constexpr ptrdiff_t pause = sample_rate / 5, margin = sample_rate / 100;
  const auto loud = [](float x) { return std::abs(x) > faint; };
  std::vector<Sound> sounds;
  for (auto first = std::ranges::find_if(all, loud); first != all.end();) {
    auto last = first, next = first;
    while (next != all.end() && next - last < pause) {
      last = next;
      next = std::find_if(next + 1, all.end(), loud);
    }
    sounds.emplace_back(first - std::min(margin, first - all.begin()),
                        last + 1 + std::min(margin, all.end() - last - 1));
    first = next;
  }
  check<DataError>(sounds.size() == words.size(), "cannot read '", what, "': it falls into ", sounds.size(),
                   " parts, not ", words.size(), " words");
  return sounds;
}

std::string name_of(size_t i) { return voices[i / words.size()].name + "/" + words[i % words.size()]; }

// Voice after voice, word after word; from the cache where it is there.
std::vector<Sound> all_said(const std::string& key, const DataOptions& options) {
  const fs::path folder = cache_folder(), file = folder / ("speech-" + key + ".safetensors");
  std::vector<Sound> sounds(voices.size() * words.size());
  if (fs::exists(file)) {
    try {
      const nn::Checkpoint kept = nn::load_checkpoint(file.string());
      for (size_t i = 0; i < sounds.size(); i++) {
        const Tensor* sound = kept.find(name_of(i));
        check<DataError>(sound != nullptr && sound->dtype() == DType::f32 && sound->numel() > 0, "another making");
        sounds[i].assign(sound->data<float>(), sound->data<float>() + sound->numel());
      }
      return sounds;
    } catch (const DataError&) {
      // Damaged: said again and replaced.
    }
  }
  const auto say = [&](int64_t i) {
    const auto voice = static_cast<size_t>(i);
    std::ranges::move(said(voices[voice]), sounds.begin() + static_cast<ptrdiff_t>(voice * words.size()));
  };
  const std::map<int64_t, std::string> faults = faults_of(std::ssize(voices), say, options.ticker);
  if (!faults.empty()) throw DataError("speech: " + faults.begin()->second);
  nn::Checkpoint kept;
  for (size_t i = 0; i < sounds.size(); i++) {
    const Tensor sound({std::ssize(sounds[i])}, DType::f32);
    std::ranges::copy(sounds[i], sound.data<float>());
    kept.tensors.push_back({name_of(i), sound});
  }
  std::error_code ignored;
  fs::create_directories(folder, ignored);
  try {
    nn::save_checkpoint(file.string(), kept);
  } catch (const DataError&) {
  }
  return sounds;
}

DataSetPtr open(const std::string& spec, const DataOptions& options, Subset subset) {
  std::string version = output_of("espeak-ng --version");  // "eSpeak NG text-to-speech: 1.51  Data at: /usr/lib/..."
  version = version.substr(0, version.find("  "));
  check<DataError>(!version.empty(), spec,
                   ": no espeak-ng, the program that says the words; install it with: ", "apt-get install espeak-ng");
  Fnv fnv;
  fnv.add("1");  // to be raised whenever the sounds would come out differently
  fnv.add(version);
  Column label{.name = "label", .dtype = DType::i64, .words = words}, voice{.name = "voice", .dtype = DType::i64};
  for (const std::string& word : words) fnv.add(word);
  for (const Voice& each : voices) {
    voice.words.push_back(each.name);
    fnv.add(each.name);
    fnv.add(each.pitch);
    fnv.add(each.speed);
  }
  std::vector<Sound> sounds = all_said(fnv.hex(), options);
  std::vector<Recording> recordings;
  for (size_t i = 0; i < sounds.size(); i++) {
    const size_t v = i / words.size();
    if (voices[v].held_out == (subset == Subset::test))
      recordings.push_back({std::move(sounds[i]), {static_cast<int64_t>(i % words.size()), static_cast<int64_t>(v)}});
  }
  return std::make_shared<SoundSet>(spec, std::move(recordings), Columns{label, voice}, fnv.hex(), options);
}

const RegisterDataSource registered{{
    .name = "speech",
    .help = "speech: forty words as spectra, in fourteen voices of the program espeak-ng, two of them held out",
    .gives = {"image", "label"},
    .accepts = [](const std::string& spec) { return spec == "speech"; },
    .open = open,
}};

}  // namespace
}  // namespace forger::gan

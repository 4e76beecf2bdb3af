// Words: letters, which lines are taken, what is held out, what is said of files that are none; and a recipe's letters.
#include "gan/words.h"

#include <cmath>
#include <cstdlib>
#include <set>

#include "gan/data.h"
#include "gan/networks/sequences.h"
#include "gan/previews.h"
#include "gan/watch.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"
#include "tests/recipe_cases.h"

using namespace forger;
using namespace forger::gan;
using namespace forger::test;

namespace {

std::vector<std::string> all_of(const DataSet& data) {
  return spelled(data.columns().front(), read_rows(data, 0, data.count())["tokens"]);
}

// A folder for FORGER_DATA, until the end of the test.
class DataFolder {
 public:
  explicit DataFolder(const std::string& path) { setenv("FORGER_DATA", path.c_str(), 1); }
  ~DataFolder() { unsetenv("FORGER_DATA"); }
};

const std::string list = std::string("words:") + GOLDEN_DIR + "/words.txt";

}  // namespace

TEST_CASE("words: letters of UTF-8, and of nothing else") {
  CHECK(letters_of("na\xc3\xafve") == std::vector<std::string>{"n", "a", "\xc3\xaf", "v", "e"});
  CHECK(letters_of("a b").size() == 3);
  for (const char* none : {"", "caf\xe9", "\xc3", "a\tb", "a\x7f", "\xed\xa0\x80"}) CHECK(letters_of(none).empty());
}

TEST_CASE("words: spelt as they were, blanks within and none behind") {
  const Column column{"tokens", {5}, DType::i64, {" ", "a", "b"}};
  const Tensor tokens =
      reshape(from_indices(std::vector<int64_t>{1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1, 2}), {3, 5});
  CHECK(spelled(column, tokens) == std::vector<std::string>{"a b", "", "babab"});
  CHECK(as_lines({"a", "b"}) == "a\nb\n");
  const Columns columns{column, {"label", {}, DType::i64, {"x"}}, {.name = "point", .sample = {2}}};
  CHECK(find_words(columns, "tokens") == &columns.front());
  for (const char* none : {"label", "point", "", "other"}) CHECK(find_words(columns, none) == nullptr);
}

TEST_CASE("words: of a file, all of them in one subset or the other") {
  const DataSetPtr train = open_data(list), held_out = open_data(list, {}, Subset::test);
  CHECK(train->columns().front().sample == Shape{6});
  CHECK(train->columns().front().words == held_out->columns().front().words);
  CHECK(train->columns().front().words.front() == " ");
  const std::vector<std::string> a = all_of(*train), b = all_of(*held_out);
  std::istringstream in(contents(std::string(GOLDEN_DIR) + "/words.txt"));
  std::multiset<std::string> together(a.begin(), a.end()), file;
  together.insert(b.begin(), b.end());
  for (std::string line; std::getline(in, line);) file.insert(line);
  CHECK(together == file);
  CHECK(b.size() > 4);
  CHECK(b.size() < 20);
  for (const std::string& word : b) CHECK(std::ranges::find(a, word) == a.end());
  CHECK(train->hash() != held_out->hash());
  CHECK(train->about() == text(a.size(), " words of 3 to 6 letters out of 24"));
  CHECK(absolute_spec("words") == "words");
  CHECK(absolute_spec("words:/a/../b.txt") == "words:/b.txt");
}

TEST_CASE("words: lines that are no words are left out and counted; letters are those of the file") {
  const Scratch scratch;
  std::string lines;
  for (char c = 'a'; c <= 'z'; c++) lines += std::string("  na\xc3\xafve ") + c + " \r\n\n";
  lines += "caf\xe9\nx\ty\n" + std::string(33, 'q') + "\n" + std::string(32, 'q');
  const std::string spec = "words:" + scratch.write("list.txt", lines);
  const DataSetPtr train = open_data(spec), held_out = open_data(spec, {}, Subset::test);
  CHECK(train->count() + held_out->count() == 27);
  CHECK(train->sample() == Shape{32});
  CHECK(train->columns().front().words.size() == 1 + 27);  // a blank, which stands within, too
  CHECK(train->about().ends_with(
      "left out: 1 of more than 32 characters, 2 that are no UTF-8 or have control characters"));
  for (const std::string& word : all_of(*train)) CHECK((word.starts_with("na\xc3\xafve ") || word.size() == 32));
}

TEST_CASE("words: files that are no list get one line") {
  const Scratch scratch;
  const auto error = [&](const std::string& bytes) {
    return error_of<DataError>([&] { open_data("words:" + scratch.write("list.txt", bytes)); });
  };
  for (const char* empty : {"", "\n \n\t\r\n", "caf\xe9\n"})
    CHECK(error(empty).ends_with("has no line of 1 to 32 characters of UTF-8"));
  CHECK(error("one\n").find("of the 1 words in") != std::string::npos);
  CHECK(error("one\none\none\n").find("one in ten is") != std::string::npos);
  std::string many;
  for (int i = 0; i < 300; i++)
    many += std::string{static_cast<char>(0xc4 + i / 64), static_cast<char>(0x80 + i % 64), '\n'};
  CHECK(error(many).find("has 300 different characters; a sequence may be of at most 256") != std::string::npos);
  CHECK(error_of<DataError>([&] { open_data("words:" + scratch.file("none.txt")); }).find("none.txt") !=
        std::string::npos);
  CHECK(error_of<UsageError>([] { open_data("words:"); }).find("as words:names.txt") != std::string::npos);
  CHECK(absolute_spec("words:") == "words:");  // left to whoever opens it
}

TEST_CASE("words: of the system's list those of plain letters, each once") {
  const Scratch scratch;
  std::string lines = "Ann\nann's\nat\n\xc3\xa9tude\nabcdefghijk\nabcdefghij\n";
  for (char c = 'a'; c <= 'z'; c++) lines += std::string("wor") + c + "\n";
  scratch.write("words", lines);
  const DataFolder folder(scratch.path());
  const DataSetPtr train = open_data("words"), held_out = open_data("words", {}, Subset::test);
  CHECK(train->sample() == Shape{10});
  CHECK(train->count() + held_out->count() == 27);
  CHECK(train->about().find("left out: 5 that are not 3 to 10 letters a to z") != std::string::npos);
  scratch.write("american-english", "Ann\n");  // before the other one
  CHECK(error_of<DataError>([] { open_data("words"); }).find("has no word of 3 to 10 letters a to z") !=
        std::string::npos);
}

TEST_CASE("words: without a list one line says what to install") {
  if (std::filesystem::exists("/usr/share/dict/words") || std::filesystem::exists("/usr/share/dict/american-english")) {
    CHECK(open_data("words")->count() > 1000);
    return;
  }
  CHECK(error_of<DataError>([] { open_data("words"); }) ==
        "words: no list of words in /usr/share/dict; install it with: apt-get install wamerican");
}

TEST_CASE("words: networks of sequences see five letters at a time") {
  Random random(1);
  const auto g = sequence_generator(5, 4, 2, {12, 3}, random);
  CHECK((*g)(random.normal({2, 5})).shape() == Shape{2, 12, 3});
  const auto d = sequence_critic(8, 1, {24, 3}, DNorm::none, random);
  d->to(DType::f64);
  const Tensor x = random.uniform({1, 24, 3}, 0, 1, DType::f64);
  CHECK((*d)(x).shape() == Shape{1});
  // Letters that no unit sees together change the score each by itself. The last units that bend in a block stand behind
  // its first convolution: four letters apart one of them sees both, five apart none.
  const auto changed = [&](std::initializer_list<int64_t> places) {
    const Tensor y = clone(x);
    for (const int64_t place : places) y.data<double>()[3 * place] += 3;
    return (*d)(y).item();
  };
  const auto together = [&](int64_t a, int64_t b) {
    return std::abs(changed({a, b}) - changed({a}) - changed({b}) + changed({}));
  };
  for (const int64_t a : {0, 5, 10}) {
    CHECK(together(a, a + 4) > 1e-9);
    CHECK(together(a, a + 5) < 1e-12);
  }
}

TEST_CASE("seqgan: what D sees of sampled letters is one-hot, or near it at a low temperature") {
  for (const char* relax : {"softmax", "gumbel", "gumbel-soft"}) {
    INFO(relax);
    RecipeCase row = *std::ranges::find(recipe_cases(), "seqgan-gumbel", &RecipeCase::name);
    Settings settings = settings_of(row);
    settings.set("relax", relax);
    const auto recipe = make(row, settings);
    const View view = recipe->views().front();
    Random random(3);
    const Batch from = view.draw(64, random);
    CHECK(from.has("u") == (std::string(relax) != "softmax"));
    Batch other = view.draw(64, random);
    std::erase_if(other.tensors, [](const nn::Named& tensor) { return tensor.name == "z"; });
    other.add("z", from["z"]);
    const bool same = recipe->make(view, from)["tokens"].to_vector() == recipe->make(view, other)["tokens"].to_vector();
    CHECK(same == (std::string(relax) == "softmax"));  // noise of its own, or none
    const Readings readings = recipe->step([&] { return batch_of(row.columns, random); });
    const auto tau = std::ranges::find(readings, "tau", &Reading::name);
    CHECK((tau != readings.end()) == from.has("u"));
    if (tau == readings.end()) continue;
    CHECK(tau->value.item() == 1);
    recipe->after_step(settings.integer("tau_steps") / 2);
    CHECK(look_at(recipe->step([&] { return batch_of(row.columns, random); })).back().value > 0);
  }
}

TEST_CASE("seqgan: a number that was rounded to 1 is noise like any other") {
  const RecipeCase row = *std::ranges::find(recipe_cases(), "seqgan-gumbel", &RecipeCase::name);
  const auto recipe = make(row, settings_of(row));
  const View view = recipe->views().front();
  Random random(3);
  const Tensor z = view.draw(64, random)["z"];
  const auto made = [&](double u) {
    return recipe->make(view, Batch().add("z", z).add("u", full({64, 20}, u)))["tokens"].to_vector();
  };
  CHECK(made(1) == made(0.5));
}

TEST_CASE("seqgan: the temperature falls by a constant factor, and then no more") {
  const RecipeCase row = *std::ranges::find(recipe_cases(), "seqgan-gumbel", &RecipeCase::name);
  Settings settings = settings_of(row);
  settings.set("tau", "2");
  settings.set("tau_end", "0.5");
  settings.set("tau_steps", "100");
  const auto recipe = make(row, settings);
  Random random(1);
  for (const auto& [step, tau] : {std::pair{0, 2.0}, {50, 1.0}, {100, 0.5}, {1000, 0.5}}) {
    if (step > 0) recipe->after_step(step);
    const Scalars read = look_at(recipe->step([&] { return batch_of(row.columns, random); }));
    CHECK(std::ranges::find(read, "tau", &Scalar::name)->value == Approx(tau));
  }
}

TEST_CASE("words: previews are words, and whether all are alike is known of them") {
  const RecipeCase row = *std::ranges::find(recipe_cases(), "seqgan", &RecipeCase::name);
  const DataSetPtr data = open_data(list);
  RecipeCase of_list = row;
  of_list.columns = data->columns();
  Settings settings = settings_of(of_list);
  settings.set("previews", "7");
  const auto recipe = make(of_list, settings);
  const Previews previews(*recipe, settings, *data, [&]() -> const DataSet& { return *data; });
  const Previews::Made made = previews.make(*recipe);
  CHECK(std::ranges::count(made.words, '\n') == 7);
  CHECK(made.first.shape() == Shape{7, 6});
  CHECK(made.words == previews.make(*recipe).words);
  const Tensor alike = zeros({7, 6});
  CHECK(mean_pair_distance(previews.reals()) > 1);
  CHECK(FailureWatch().look_at_samples(alike, previews.reals()).has_value());
}

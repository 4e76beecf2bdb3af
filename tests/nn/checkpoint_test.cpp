// Checkpoints: round trips, a table of broken files, every truncation, random mutations, and writes that fail half-way.
#include "nn/checkpoint.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <fstream>

#include "core/autograd.h"
#include "nn/layers.h"
#include "nn/optim.h"
#include "tests/catch.h"
#include "tests/nn/support.h"

using namespace forger;
using namespace forger::nn;
using namespace forger::test;

namespace {

Checkpoint parse(const std::string& bytes, const std::string& origin = "test.safetensors") {
  return parse_checkpoint(std::as_bytes(std::span(bytes)), origin);
}

std::string length_prefix(uint64_t n) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &n, 8);
  return bytes;
}

std::string file_of(const std::string& header, size_t data_bytes) {
  return length_prefix(header.size()) + header + std::string(data_bytes, '\x01');
}

// {"a": {...}} with one F32 tensor.
std::string entry(const std::string& shape, const std::string& offsets, const std::string& dtype = R"("F32")") {
  return R"({"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}
std::string one(const std::string& shape, const std::string& offsets, const std::string& dtype = R"("F32")") {
  return R"({"a":)" + entry(shape, offsets, dtype) + "}";
}
std::string two(const std::string& first, const std::string& second) {
  return R"({"a":)" + entry("[2]", first) + R"(,"b":)" + entry("[2]", second) + "}";
}

Checkpoint example() {
  Checkpoint c;
  c.tensors = {{"z.weight", random_tensor({3, 2, 2, 5}, 1, DType::f32)},
               {"a.bias", random_tensor({3}, 2, DType::f32)},
               {"step", full({}, 12345, DType::f64)},
               {"labels", from_indices(std::vector<int64_t>{-1, 0, std::numeric_limits<int64_t>::max()})},
               {"empty", zeros({0, 4})},
               {"moments", random_tensor({7}, 3, DType::f64)}};
  c.metadata = {{"block", "18446744073709551615"}, {"recipe", "dcgan"}};
  return c;
}

std::string bytes_of(const Checkpoint& checkpoint, const TemporaryFolder& folder) {
  const std::string path = folder.file("bytes.safetensors");
  save_checkpoint(path, checkpoint);
  return read_file(path);
}

}  // namespace

// ---- round trips ----

TEST_CASE("a checkpoint comes back as it was, in its order") {
  const TemporaryFolder folder;
  const std::string path = folder.file("step-000500.safetensors");
  const Checkpoint saved = example();
  save_checkpoint(path, saved);
  const Checkpoint loaded = load_checkpoint(path);
  CHECK(identical(loaded.tensors, saved.tensors));
  CHECK(loaded.metadata.at("block") == "18446744073709551615");
  CHECK(loaded.metadata.at("recipe") == "dcgan");
  CHECK(contains(loaded.metadata.at("layout"), "NHWC"));
  CHECK(loaded.metadata.size() == 3);
  CHECK(entries_of(folder) == 1);  // no temporary left
  CHECK(loaded.tensors[3].tensor.data<int64_t>()[2] == std::numeric_limits<int64_t>::max());
}

TEST_CASE("the same content gives the same bytes, also after a round trip") {
  const TemporaryFolder folder;
  const std::string bytes = bytes_of(example(), folder);
  CHECK(bytes_of(example(), folder) == bytes);
  CHECK(bytes_of(parse(bytes), folder) == bytes);
  Checkpoint reordered = example();
  std::swap(reordered.tensors[0], reordered.tensors[1]);
  CHECK(bytes_of(reordered, folder) != bytes);
}

TEST_CASE("the data starts at a multiple of eight bytes") {
  const TemporaryFolder folder;
  for (size_t length = 0; length < 9; length++) {
    Checkpoint c;
    c.tensors = {{std::string(length, 'n'), full({1}, 1)}};
    const std::string bytes = bytes_of(c, folder);
    uint64_t header = 0;
    std::memcpy(&header, bytes.data(), 8);
    CHECK(header % 8 == 0);
    CHECK(bytes.size() == 8 + header + 4);
    CHECK(bytes[8] == '{');
    const float value = 1;
    CHECK(std::memcmp(bytes.data() + 8 + header, &value, 4) == 0);
  }
}

TEST_CASE("NaN, infinities, signed zeros and denormals keep their bits") {
  const TemporaryFolder folder;
  const float values[] = {std::nanf("7"), -std::numeric_limits<float>::infinity(), -0.0f, 1e-45f};
  Checkpoint c;
  c.tensors = {{"x", Tensor({4}, DType::f32)}};
  std::memcpy(c.tensors[0].tensor.data<float>(), values, sizeof values);
  const Checkpoint loaded = parse(bytes_of(c, folder));
  CHECK(std::memcmp(loaded.tensors[0].tensor.data<float>(), values, sizeof values) == 0);
}

TEST_CASE("an empty checkpoint, and names that need escapes") {
  const TemporaryFolder folder;
  CHECK(parse(bytes_of({}, folder)).tensors.empty());
  Checkpoint c;
  c.tensors = {{"say \"\\\"\n\t{}", ones({2})}, {"größe/模型", ones({1})}, {"", ones({3})}};
  c.metadata = {{"\"", "\\ \x01"}};
  const Checkpoint loaded = parse(bytes_of(c, folder));
  CHECK(identical(loaded.tensors, c.tensors));
  CHECK(loaded.metadata.at("\"") == "\\ \x01");
}

TEST_CASE("tensors are found by name and by prefix") {
  Checkpoint c;
  c.add("g", {{"0.weight", ones({1})}, {"0.bias", ones({2})}});
  c.add("gg", {{"0.weight", ones({3})}});
  REQUIRE(c.find("g.0.bias") != nullptr);
  CHECK(c.find("g.0.bias")->shape() == Shape{2});
  CHECK(c.find("g.0") == nullptr);
  const NamedTensors under = c.under("g");
  REQUIRE(under.size() == 2);
  CHECK(under[0].name == "0.weight");
  CHECK(under[1].name == "0.bias");
  CHECK(c.under("g.0").size() == 2);
  CHECK(c.under("x").empty());
}

TEST_CASE("a network, its optimiser and its average resume from a file, bit for bit") {
  struct Run {
    explicit Run(uint64_t seed)
        : random(seed),
          net({std::make_shared<Linear>(6, 5, random), std::make_shared<BatchNorm>(5),
               std::make_shared<SpectralNorm>(std::make_shared<Linear>(5, 1, random), random)}),
          adam(net.parameters(), {1e-2, 0.5, 0.9, 1e-8, 0}),
          ema(net, 0.9) {}
    void step(unsigned seed) {
      adam.zero_grad();
      backward(mean(square(net(random_tensor({8, 6}, seed, DType::f32)))));
      adam.step();
      ema.update();
    }
    Checkpoint checkpoint() const {
      Checkpoint c;
      c.add("d", net.state());
      c.add("d_optimizer", adam.state());
      c.add("d_average", ema.state());
      return c;
    }
    Random random;
    Sequential net;
    Adam adam;
    Ema ema;
  };
  const TemporaryFolder folder;
  const std::string path = folder.file("run.safetensors");
  Run straight(1), first(1), resumed(2);
  for (unsigned t = 1; t <= 6; t++) straight.step(t);
  for (unsigned t = 1; t <= 3; t++) first.step(t);
  save_checkpoint(path, first.checkpoint());
  const Checkpoint c = load_checkpoint(path);
  load_state(resumed.net.state(), c.under("d"));
  load_state(resumed.adam.state(), c.under("d_optimizer"));
  load_state(resumed.ema.state(), c.under("d_average"));
  for (unsigned t = 4; t <= 6; t++) resumed.step(t);
  CHECK(bytes_of(resumed.checkpoint(), folder) == bytes_of(straight.checkpoint(), folder));
}

// ---- broken files ----

TEST_CASE("every truncation of a file is refused, by name") {
  const TemporaryFolder folder;
  const std::string bytes = bytes_of(example(), folder);
  const std::string path = folder.file("cut.safetensors");
  int quiet = 0;
  for (size_t length = 0; length < bytes.size(); length++) {
    const std::string cut = bytes.substr(0, length);
    write_file(path, cut);
    const std::string from_file = message_of<DataError>([&] { load_checkpoint(path); });
    const std::string from_memory = message_of<DataError>([&] { parse(cut); });
    quiet += !contains(from_file, path) || !contains(from_memory, "test.safetensors");
  }
  CHECK(quiet == 0);
  CHECK_NOTHROW(parse(bytes));
  CHECK_THROWS_AS(parse(bytes + "x"), DataError);
}

TEST_CASE("a table of files that are wrong, and what is said about them") {
  const std::string max = "18446744073709551615";
  const std::string good = one("[2]", "[0,8]");
  CHECK_NOTHROW(parse(file_of(good, 8)));
  struct Row {
    std::string file;
    const char* says;
  };
  const Row rows[] = {
      // the length
      {"", "0 bytes are too few"},
      {length_prefix(9) + "{}", "should have 9 bytes"},
      {length_prefix(~uint64_t{0}) + good, "should have 18446744073709551615 bytes"},
      {length_prefix(~uint64_t{0} - 7) + good, "should have"},
      {length_prefix(uint64_t{1} << 63) + good, "should have"},
      {length_prefix(0), "does not start with '{'"},
      {"PK\x03\x04 something else entirely", "should have"},
      // the JSON
      {file_of("[]", 0), "does not start with '{'"},
      {file_of(" {}", 0), "does not start with '{'"},
      {file_of("{", 0), "not JSON"},
      {file_of("{}}", 0), "not JSON"},
      {file_of("{\"a\":}", 0), "not JSON"},
      {file_of("{\"\xff\":1}", 0), "not JSON"},
      {file_of(std::string("{}\0{", 4), 0), "zero byte"},
      {file_of("{\"a\":" + std::string(100000, '['), 0), "an array where none belongs, at \"a\""},
      {file_of("{\"a\":" + std::string(100000, '{'), 0), "not JSON"},
      {file_of("{\"a\":{\"shape\":" + std::string(100000, '['), 0), "an array where none belongs"},
      {file_of(R"({"a":null})", 0), "null where none belongs"},
      {file_of(R"({"a":true})", 0), "true or false where none belongs"},
      {file_of(R"({"a":3})", 0), "a number where none belongs"},
      {file_of(R"({"a":"F32"})", 0), "a string where none belongs"},
      {file_of(R"({"a":{}})", 0), "has not all of dtype, shape and data_offsets"},
      {file_of(R"({"a":{"dtype":"F32","shape":[2]}})", 0), "\"a\" has not all of"},
      {file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"extra":1}})", 8), "unknown field \"extra\""},
      {file_of(R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8), "two fields \"dtype\""},
      {file_of(R"({"a":{"shape":[2],"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8), "two fields \"shape\""},
      {file_of(R"({"a":)" + entry("[2]", "[0,8]") + R"(,"a":)" + entry("[2]", "[8,16]") + "}", 16),
       "\"a\" appears twice"},
      {file_of(R"({"__metadata__":{"k":"1","k":"2"}})", 0), "\"k\" appears twice"},
      {file_of(R"({"__metadata__":{},"__metadata__":{}})", 0), "\"__metadata__\" appears twice"},
      {file_of(R"({"__metadata__":{"k":1}})", 0), "a number where none belongs, at \"k\""},
      {file_of(R"({"__metadata__":{"k":{}}})", 0), "an object where none belongs"},
      {file_of(R"({"__metadata__":[]})", 0), "an array where none belongs"},
      // types and shapes
      {file_of(one("[2]", "[0,4]", R"("F16")"), 4), "has the dtype F16; F32, F64 and I64 are supported"},
      {file_of(one("[2]", "[0,8]", R"("f32")"), 8), "has the dtype f32"},
      {file_of(one("[2]", "[0,8]", "1"), 8), "a number where none belongs"},
      {file_of(one("2", "[0,8]"), 8), "a number where none belongs"},
      {file_of(one("[-2]", "[0,8]"), 8), "a negative number"},
      {file_of(one("[2.0]", "[0,8]"), 8), "no integer"},
      {file_of(one("[\"2\"]", "[0,8]"), 8), "a string where none belongs"},
      {file_of(one("[[2]]", "[0,8]"), 8), "an array where none belongs"},
      {file_of(one("[1,1,1,1,1,1,2]", "[0,8]"), 8), "more than 6 axes"},
      {file_of(one("[3]", "[0,8]"), 8), "has 8 bytes of data, its shape asks for 12"},
      {file_of(one("[0]", "[0,8]"), 8), "its shape asks for 0"},
      {file_of(one("[2]", "[0,8]", R"("F64")"), 8), "its shape asks for 16"},
      {file_of(one("[" + max + "]", "[0,8]"), 8), "a size that is too large"},
      {file_of(one("[9223372036854775807]", "[0,8]"), 8), "more than there can be"},
      {file_of(one("[4611686018427387906]", "[0,8]"), 8), "more than there can be"},    // times 4 is 8 modulo 2^64
      {file_of(one("[4294967296,4294967296]", "[0,0]"), 0), "more than there can be"},  // 0 modulo 2^64
      {file_of(one("[4294967296,4294967296,0]", "[0,0]"), 0), "more than there can be"},
      {file_of(one("[0,4294967296,4294967296]", "[0,0]"), 0), "more than there can be"},
      // offsets
      {file_of(one("[2]", "[0]"), 8), "does not have two data_offsets"},
      {file_of(one("[2]", "[]"), 8), "does not have two data_offsets"},
      {file_of(one("[2]", "[0,8,8]"), 8), "does not have two data_offsets"},
      {file_of(one("[2]", "[-8,0]"), 8), "a negative number"},
      {file_of(one("[2]", "[0,8.5]"), 8), "no integer"},
      {file_of(one("[2]", "[0,99999999999999999999]"), 8), "or too large"},
      {file_of(one("[2]", "[8,0]"), 8), "lies at bytes 8 to 0"},
      {file_of(one("[2]", "[0,8]"), 7), "lies at bytes 0 to 8 of 7 bytes"},
      {file_of(one("[2]", "[" + max + ",7]"), 8), "lies at bytes"},
      {file_of(one("[2]", "[18446744073709551608," + max + "]"), 8), "lies at bytes"},
      {file_of(one("[1000000000000]", "[0,4000000000000]"), 8), "lies at bytes 0 to 4000000000000 of 8"},
      {file_of(one("[2]", "[4,12]"), 12), "leaves a gap"},
      {file_of(two("[0,8]", "[4,12]"), 12), "overlaps the tensor before it"},
      {file_of(two("[0,8]", "[0,8]"), 8), "overlaps the tensor before it"},
      {file_of(two("[0,8]", "[12,20]"), 20), "leaves a gap"},
      {file_of(two("[8,16]", "[0,8]"), 17), "end at byte 16 of 17"},
      {file_of(good, 9), "end at byte 8 of 9"},
      {file_of("{}", 1), "end at byte 0 of 1"},
  };
  const size_t live = memory_stats().live_bytes;
  reset_peak_memory();
  for (const Row& row : rows) {
    const std::string message = message_of<DataError>([&] { parse(row.file, "/runs/x.safetensors"); });
    INFO(row.file.substr(0, 200));
    INFO(message);
    CHECK(contains(message, "/runs/x.safetensors: "));
    CHECK(contains(message, row.says));
    CHECK(message.size() < 500);
  }
  CHECK(memory_stats().peak_bytes == live);  // refused before any tensor was allocated
}

TEST_CASE("what the format allows is read: any order of entries and fields, spaces, six axes") {
  CHECK(parse(file_of(two("[8,16]", "[0,8]"), 16)).tensors[0].name == "a");
  CHECK(parse(file_of(one("[1,1,1,1,1,2]", "[0,8]") + "     ", 8)).tensors[0].tensor.rank() == 6);
  CHECK(parse(file_of(one("[]", "[0,4]"), 4)).tensors[0].tensor.rank() == 0);
  CHECK(parse(file_of(R"({"a":{"data_offsets":[0,8],"shape":[1],"dtype":"I64"},"__metadata__":{"x":"y"}})", 8))
            .metadata.at("x") == "y");
  CHECK(
      parse(file_of(R"({"a":)" + entry("[0]", "[0,0]") + R"(,"b":)" + entry("[2]", "[0,8]") + "}", 8)).tensors.size() ==
      2);
}

TEST_CASE("files that cannot be read are named with the reason") {
  const TemporaryFolder folder;
  const auto message = [](const std::string& path) { return message_of<DataError>([&] { load_checkpoint(path); }); };
  CHECK(contains(message(folder.file("none")), folder.file("none") + ": No such file or directory"));
  CHECK(contains(message(folder.file("")), "not a file"));
  REQUIRE(::mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  CHECK(contains(message(folder.file("pipe")), "not a file"));  // and does not wait for a writer
}

// ---- mutations ----

namespace {

// One random edit: bits, bytes that mean something in JSON, cuts, repeats, large numbers, the header's length.
void mutate(std::string& bytes, std::mt19937_64& engine) {
  static const std::string tokens[] = {"{",
                                       "}",
                                       "[",
                                       "]",
                                       ",",
                                       ":",
                                       "\"",
                                       "-",
                                       "0",
                                       "18446744073709551615",
                                       "9223372036854775807",
                                       "4294967296",
                                       "1e9",
                                       "null",
                                       "\\u0000",
                                       "\"F32\"",
                                       "\"F64\"",
                                       "\"__metadata__\"",
                                       "\"shape\"",
                                       std::string(1, '\0'),
                                       "\xff",
                                       " "};
  const auto below = [&](size_t n) { return static_cast<size_t>(engine() % std::max<size_t>(n, 1)); };
  const size_t header_end = std::min<size_t>(bytes.size(), 500);
  const size_t at = below(header_end);
  switch (below(7)) {
    case 0:
      if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
      break;
    case 1:
      bytes.insert(at, tokens[below(std::size(tokens))]);
      break;
    case 2:
      bytes.erase(at, 1 + below(8));
      break;
    case 3:
      bytes.insert(at, bytes.substr(below(header_end), below(80)));
      break;
    case 4: {
      const std::string& token = tokens[below(std::size(tokens))];
      bytes.replace(at, std::min(token.size(), bytes.size() - at), token);
      break;
    }
    case 5:
      bytes.resize(below(bytes.size() + 16), '\x20');
      break;
    default: {  // a length that fits again: the parser gets past its first check
      if (bytes.size() < 8) break;
      const size_t end = bytes.rfind('}');
      const uint64_t length = end == std::string::npos || end < 8 ? engine() : end - 7 + below(3);
      std::memcpy(bytes.data(), &length, 8);
    }
  }
}

// Whatever the bytes are, the parser either refuses them with a DataError or returns what can be written and read
// again.
void check_mutations(int count, uint64_t seed) {
  const TemporaryFolder folder;
  const std::string start[] = {bytes_of(example(), folder), file_of(one("[2]", "[0,8]"), 8),
                               file_of(two("[8,16]", "[0,8]"), 16)};
  std::mt19937_64 engine(seed);
  const size_t live = memory_stats().live_bytes;
  int accepted = 0, refused = 0;
  for (int i = 0; i < count; i++) {
    std::string bytes = start[engine() % 3];
    for (uint64_t edits = 1 + engine() % 3; edits > 0; edits--) mutate(bytes, engine);
    try {
      const Checkpoint c = parse(bytes);
      accepted++;
      if (accepted % 16 == 1) REQUIRE(identical(parse(bytes_of(c, folder)).tensors, c.tensors));
    } catch (const DataError&) {
      refused++;
    }
  }
  CHECK(accepted > count / 100);
  CHECK(refused > count / 2);
  CHECK(memory_stats().live_bytes == live);
}

}  // namespace

TEST_CASE("the parser survives random mutations") { check_mutations(4000, 1); }
TEST_CASE("the parser survives a hundred thousand random mutations", "[long]") { check_mutations(100000, 2); }

// ---- writing ----

TEST_CASE("what cannot be stored is refused before a file is touched") {
  const TemporaryFolder folder;
  const std::string path = folder.file("x.safetensors");
  const auto message = [&](const Checkpoint& c) { return message_of<DataError>([&] { save_checkpoint(path, c); }); };
  CHECK(contains(message({{{"a", ones({1})}, {"a", ones({1})}}, {}}), "two tensors are named \"a\""));
  CHECK(contains(message({{{"__metadata__", ones({1})}}, {}}), "two tensors are named \"__metadata__\""));
  CHECK(contains(message({{{"a", Tensor()}}, {}}), "\"a\" is undefined"));
  CHECK(contains(message({{{"\xff", ones({1})}}, {}}), "not valid UTF-8"));
  CHECK(contains(message({{}, {{"folder", "caf\xe9"}}}), "not valid UTF-8"));
  CHECK(entries_of(folder) == 0);
}

TEST_CASE("folders that cannot be written to are named with the reason") {
  const TemporaryFolder folder;
  write_file(folder.file("file"), "x");
  const auto message = [&](const std::string& name) {
    return message_of<DataError>([&] { save_checkpoint(folder.file(name), example()); });
  };
  CHECK(contains(message("none/x.safetensors"), folder.file("none/x.safetensors") + ": No such file or directory"));
  CHECK(contains(message("file/x.safetensors"), "Not a directory"));
  std::filesystem::create_directory(folder.file("taken"));
  CHECK(contains(message("taken"), folder.file("taken") + ": Is a directory"));  // found at the rename
  CHECK(entries_of(folder) == 2);                                                // the temporary is gone
}

namespace {

// Scope: this process can write files of at most `bytes`; a longer write is cut short, the next one fails with EFBIG,
// as a disk that fills up does with ENOSPC.
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SmallFiles() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  SmallFiles(const SmallFiles&) = delete;
  SmallFiles& operator=(const SmallFiles&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

}  // namespace

TEST_CASE("a write that fails half-way keeps the old file and leaves no temporary") {
  const TemporaryFolder folder;
  const std::string path = folder.file("step-000500.safetensors");
  save_checkpoint(path, example());
  const std::string before = read_file(path);
  Checkpoint large = example();
  large.tensors.push_back({"large", zeros({100000})});
  std::string message;
  {
    const SmallFiles limit(200'000);
    message = message_of<DataError>([&] { save_checkpoint(path, large); });
  }
  CHECK(message == "cannot write " + path + ": File too large");
  CHECK(read_file(path) == before);
  CHECK(entries_of(folder) == 1);
  save_checkpoint(path, large);
  CHECK(identical(load_checkpoint(path).tensors, large.tensors));
}

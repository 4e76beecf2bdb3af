// What torch.save writes of a state_dict: a zip archive, nothing compressed,
//
//   NAME/data.pkl      a pickle, protocol 2: {"g.0.weight": _rebuild_tensor_v2(storage 0, offset, sizes, strides, ...), ...}
//   NAME/data/0        the bytes of storage 0, and so on
//   NAME/byteorder     "little"
//
// A pickle is a program for a stack machine, and Python runs what it names. This reader knows the instructions that a
// state_dict of tensors takes and the few names below, and none of them calls anything: a dictionary is made, a tensor
// described. Whatever else a file asks for is refused by its name.
//
// A file may come from anywhere. Values live in one list, by their number, so that no nesting is deep and no cycle
// leaks; every instruction makes at most one; strings are parts of the file. A tensor's offset, sizes and strides are
// checked against its storage before an element is read, and all storages and tensors together against the file's size.
#include <zip.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <memory>

#include "core/ops.h"
#include "gan/exchange/state_dict.h"

namespace forger::gan::exchange {
namespace {

// ---- the archive ----

class Archive {
 public:
  Archive(std::span<const std::byte> bytes, const std::string& origin) : origin_(origin), left_(bytes.size()) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
    zip_.reset(source == nullptr ? nullptr : zip_open_from_source(source, ZIP_RDONLY, &error));
    if (source != nullptr && zip_ == nullptr) zip_source_free(source);
    const std::string reason = zip_ ? "" : zip_error_strerror(&error);
    zip_error_fini(&error);
    check<DataError>(zip_ != nullptr, origin_, ": no zip archive that can be read: ", reason);
    // The folder that all is in has any name.
    for (zip_int64_t i = 0; i < zip_get_num_entries(zip_.get(), 0); i++) {
      const char* name = zip_get_name(zip_.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW);
      const std::string entry = name == nullptr ? "" : name;
      if (entry.ends_with("/data.pkl")) folder_ = entry.substr(0, entry.size() - std::strlen("data.pkl"));
    }
    check<DataError>(!folder_.empty(), origin_, ": holds no data.pkl: not a file of torch.save (of 1.6 or later)");
  }

  // Entries lie in the file as they are: together they are no longer than it.
  std::string read(const std::string& name) {
    zip_stat_t about;
    zip_stat_init(&about);
    const std::string entry = folder_ + name;
    check<DataError>(zip_stat(zip_.get(), entry.c_str(), ZIP_FL_ENC_RAW, &about) == 0, origin_, ": holds no ", name);
    check<DataError>(about.comp_method == ZIP_CM_STORE && about.encryption_method == ZIP_EM_NONE, origin_, ": ", name,
                     " is compressed or encrypted, which torch.save does not do");
    check<DataError>(about.size <= left_, origin_, ": ", name, " would be larger than the file");
    left_ -= about.size;
    std::string bytes(about.size, '\0');
    const std::unique_ptr<zip_file_t, decltype(&zip_fclose)> file(zip_fopen(zip_.get(), entry.c_str(), ZIP_FL_ENC_RAW),
                                                                  &zip_fclose);
    const zip_int64_t read = file ? zip_fread(file.get(), bytes.data(), bytes.size()) : -1;
    char beyond = 0;  // reading to the end checks the sum
    check<DataError>(read >= 0 && static_cast<uint64_t>(read) == bytes.size() && zip_fread(file.get(), &beyond, 1) == 0,
                     origin_, ": ", name, " is damaged");
    return bytes;
  }
  bool has(const std::string& name) const {
    return zip_name_locate(zip_.get(), (folder_ + name).c_str(), ZIP_FL_ENC_RAW) >= 0;
  }

 private:
  const std::string& origin_;
  uint64_t left_;  // bytes that entries may still have
  std::unique_ptr<zip_t, decltype(&zip_discard)> zip_{nullptr, &zip_discard};
  std::string folder_;
};

// ---- the pickle ----

struct Object {
  enum class Kind : uint8_t { none, boolean, integer, real, string, tuple, list, dictionary, name, storage, tensor };
  Kind kind = Kind::none;
  int64_t number = 0;              // integers; of a storage its elements
  std::string_view text = {};      // strings, names ("torch FloatStorage"), of a storage its key
  std::string_view module = {};    // of a name
  DType dtype = DType::f32;        // of a storage
  std::vector<size_t> parts = {};  // of tuples, lists; of dictionaries keys and values in turn
  Tensor tensor = {};
};
using Kind = Object::Kind;
constexpr const char* kind_names[] = {"None",   "a boolean",    "a number", "a number",  "a string", "a tuple",
                                      "a list", "a dictionary", "a name",   "a storage", "a tensor"};

struct StorageName {
  std::string_view name;
  DType dtype;
};
constexpr StorageName storages[] = {
    {"FloatStorage", DType::f32}, {"DoubleStorage", DType::f64}, {"LongStorage", DType::i64}};

bool is_known(std::string_view module, std::string_view name) {
  const auto same = [&](const StorageName& one) { return one.name == name; };
  return (module == "collections" && name == "OrderedDict") ||
         (module == "torch._utils" && (name == "_rebuild_tensor_v2" || name == "_rebuild_parameter")) ||
         (module == "torch" && std::any_of(std::begin(storages), std::end(storages), same));
}

std::string quoted(std::string_view text) { return "'" + std::string(text.substr(0, 80)) + "'"; }

class Machine {
 public:
  Machine(Archive& archive, const std::string& program, uint64_t most_bytes, const std::string& origin)
      : archive_(archive), program_(program), left_(most_bytes), origin_(origin) {}

  nn::NamedTensors run() {
    while (!step()) {
    }
    const Object& top = of(pop());
    check<DataError>(top.kind == Kind::dictionary, origin_, ": holds ", kind_names[static_cast<size_t>(top.kind)],
                     ", not a state_dict: torch.save(model.state_dict(), ...)");
    nn::NamedTensors tensors;
    for (size_t i = 0; i + 1 < top.parts.size(); i += 2) {
      const Object &key = of(top.parts[i]), &value = of(top.parts[i + 1]);
      check<DataError>(key.kind == Kind::string, origin_, ": a key of the state_dict is ",
                       kind_names[static_cast<size_t>(key.kind)]);
      check<DataError>(value.kind == Kind::tensor, origin_, ": ", quoted(key.text), " is ",
                       kind_names[static_cast<size_t>(value.kind)], ", not a tensor: save the state_dict alone");
      tensors.push_back({std::string(key.text), value.tensor});
    }
    return tensors;
  }

 private:
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    throw DataError(text(origin_, ": data.pkl, byte ", at_, ": ", parts...));
  }
  template <class... Parts>
  void require(bool ok, const Parts&... parts) const {
    if (!ok) refuse(parts...);
  }

  // ---- reading the program ----

  std::string_view take(uint64_t count) {
    require(count <= program_.size() - at_, "the pickle ends too early");
    const std::string_view taken = std::string_view(program_).substr(at_, count);
    at_ += count;
    return taken;
  }
  uint64_t unsigned_number(size_t bytes) {
    uint64_t value = 0;
    const std::string_view taken = take(bytes);
    for (size_t i = 0; i < bytes; i++) value |= uint64_t{static_cast<uint8_t>(taken[i])} << (8 * i);
    return value;
  }
  int64_t signed_number(size_t bytes) {
    if (bytes == 0) return 0;
    const uint64_t value = unsigned_number(bytes), sign = uint64_t{1} << (8 * bytes - 1);
    return static_cast<int64_t>((value ^ sign) - sign);
  }
  std::string_view line() {
    const size_t end = program_.find('\n', at_);
    require(end != program_.npos, "the pickle ends too early");
    const std::string_view taken = take(end - at_);
    at_++;
    return taken;
  }

  // ---- the stack ----

  Object& of(size_t value) { return objects_[value]; }
  void push(Object object) {
    constexpr size_t most = 1'000'000;  // a state_dict has some twenty for each tensor
    require(objects_.size() < most, "more than ", most, " values");
    objects_.push_back(std::move(object));
    stack_.push_back(objects_.size() - 1);
  }
  size_t pop() {
    require(stack_.size() > floor(), "the stack is empty");
    const size_t top = stack_.back();
    stack_.pop_back();
    return top;
  }
  size_t top(Kind kind, const char* what) {
    require(stack_.size() > floor() && of(stack_.back()).kind == kind, what);
    return stack_.back();
  }
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  std::vector<size_t> pop_to_mark() {
    require(!marks_.empty(), "there is no mark");
    std::vector<size_t> taken(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return taken;
  }
  void push_tuple(std::vector<size_t> parts) { push({.kind = Kind::tuple, .parts = std::move(parts)}); }
  void push_tuple_of(size_t count) {
    std::vector<size_t> parts(count);
    for (size_t i = count; i > 0; i--) parts[i - 1] = pop();
    push_tuple(std::move(parts));
  }
  void remember(uint64_t place) {
    require(stack_.size() > floor(), "the stack is empty");
    memo_[place] = stack_.back();
  }
  void recall(uint64_t place) {
    const auto found = memo_.find(place);
    require(found != memo_.end(), "nothing was kept at place ", place);
    stack_.push_back(found->second);
  }
  void append(Kind kind, const std::vector<size_t>& parts, const char* what) {
    require(kind == Kind::list || parts.size() % 2 == 0, "a key without a value");
    std::vector<size_t>& into = of(top(kind, what)).parts;
    into.insert(into.end(), parts.begin(), parts.end());
  }

  // ---- instructions ----

  // One instruction; true at the last one.
  bool step() {
    const auto op = static_cast<uint8_t>(take(1)[0]);
    switch (op) {
      case 0x80: {  // PROTO
        const uint64_t protocol = unsigned_number(1);
        require(protocol >= 2 && protocol <= 4, "a pickle of protocol ", protocol, ", not 2 to 4");
        return false;
      }
      case 0x95:  // FRAME
        unsigned_number(8);
        return false;
      case '(':  // MARK
        marks_.push_back(stack_.size());
        return false;
      case '.':  // STOP
        return true;
      case 'N':
        push({});
        return false;
      case 0x88:  // NEWTRUE
      case 0x89:  // NEWFALSE
        push({.kind = Kind::boolean, .number = op == 0x88});
        return false;
      case 'K':  // BININT1
      case 'M':  // BININT2
        push({.kind = Kind::integer, .number = static_cast<int64_t>(unsigned_number(op == 'K' ? 1 : 2))});
        return false;
      case 'J':  // BININT
        push({.kind = Kind::integer, .number = signed_number(4)});
        return false;
      case 0x8a: {  // LONG1
        const uint64_t bytes = unsigned_number(1);
        require(bytes <= 8, "an integer of ", bytes, " bytes");
        push({.kind = Kind::integer, .number = signed_number(bytes)});
        return false;
      }
      case 'G':  // BINFLOAT
        take(8);
        push({.kind = Kind::real});
        return false;
      case 'X':   // BINUNICODE
      case 0x8c:  // SHORT_BINUNICODE
        push({.kind = Kind::string, .text = take(unsigned_number(op == 'X' ? 4 : 1))});
        return false;
      case ']':
        push({.kind = Kind::list});
        return false;
      case '}':
        push({.kind = Kind::dictionary});
        return false;
      case ')':
        push_tuple({});
        return false;
      case 't':
        push_tuple(pop_to_mark());
        return false;
      case 0x85:
      case 0x86:
      case 0x87:  // TUPLE1 to TUPLE3
        push_tuple_of(op - 0x84u);
        return false;
      case 'a':  // APPEND
        append(Kind::list, {pop()}, "there is no list to append to");
        return false;
      case 'e':  // APPENDS
        append(Kind::list, pop_to_mark(), "there is no list to append to");
        return false;
      case 's': {  // SETITEM
        const size_t value = pop(), key = pop();
        append(Kind::dictionary, {key, value}, "there is no dictionary to set an item of");
        return false;
      }
      case 'u':  // SETITEMS
        append(Kind::dictionary, pop_to_mark(), "there is no dictionary to set items of");
        return false;
      case 'q':  // BINPUT
      case 'r':  // LONG_BINPUT
        remember(unsigned_number(op == 'q' ? 1 : 4));
        return false;
      case 0x94:  // MEMOIZE
        remember(memo_.size());
        return false;
      case 'h':  // BINGET
      case 'j':  // LONG_BINGET
        recall(unsigned_number(op == 'h' ? 1 : 4));
        return false;
      case 'c': {  // GLOBAL
        const std::string_view module = line();
        name(module, line());
        return false;
      }
      case 0x93: {  // STACK_GLOBAL
        const size_t last = pop(), module = pop();
        require(of(last).kind == Kind::string && of(module).kind == Kind::string, "a name that is no string");
        name(of(module).text, of(last).text);
        return false;
      }
      case 'Q':  // BINPERSID
        storage(pop());
        return false;
      case 'R': {  // REDUCE
        const size_t arguments = pop(), callee = pop();
        call(callee, arguments);
        return false;
      }
      case 'b':  // BUILD: the versions of modules, which a state_dict has beside its items
        pop();
        top(Kind::dictionary, "only a state_dict has attributes");
        return false;
      default:
        at_--;
        refuse("the instruction ", int{op}, ", which no state_dict of tensors needs");
    }
  }

  void name(std::string_view module, std::string_view of_it) {
    require(is_known(module, of_it), "asks for ", quoted(std::string(module) + "." + std::string(of_it)),
            ", which no state_dict of float32, float64 and int64 tensors needs; nothing was run");
    push({.kind = Kind::name, .text = of_it, .module = module});
  }

  // ("storage", torch.FloatStorage, "0", "cpu", 600)
  void storage(size_t described) {
    const std::vector<size_t>& parts = of(described).parts;
    const bool fits = of(described).kind == Kind::tuple && parts.size() == 5 && of(parts[0]).text == "storage" &&
                      of(parts[1]).kind == Kind::name && of(parts[1]).module == "torch" &&
                      of(parts[2]).kind == Kind::string && of(parts[4]).kind == Kind::integer;
    require(fits, "a persistent id that is no storage");
    const auto type = std::find_if(std::begin(storages), std::end(storages),
                                   [&](const StorageName& one) { return one.name == of(parts[1]).text; });
    push({.kind = Kind::storage, .number = of(parts[4]).number, .text = of(parts[2]).text, .dtype = type->dtype});
  }

  void call(size_t callee, size_t arguments) {
    const Object &name_ = of(callee), &given = of(arguments);
    require(name_.kind == Kind::name && given.kind == Kind::tuple, "a call of ",
            kind_names[static_cast<size_t>(name_.kind)]);
    if (name_.text == "OrderedDict") {
      require(given.parts.empty(), "an OrderedDict that is made of something");
      push({.kind = Kind::dictionary});
    } else if (name_.text == "_rebuild_parameter") {
      require(!given.parts.empty() && of(given.parts[0]).kind == Kind::tensor, "a parameter that is no tensor");
      stack_.push_back(given.parts[0]);
    } else {
      require(name_.text == "_rebuild_tensor_v2", "a call of ", quoted(name_.text));
      rebuild(given.parts);
    }
  }

  std::vector<int64_t> integers(size_t value) {
    std::vector<int64_t> all;
    require(of(value).kind == Kind::tuple, "sizes that are no tuple");
    for (const size_t part : of(value).parts) {
      require(of(part).kind == Kind::integer && of(part).number >= 0, "a size or a stride that is no number");
      all.push_back(of(part).number);
    }
    require(all.size() <= kernels::max_rank, "a tensor of ", all.size(), " axes");
    return all;
  }

  // (storage, offset, sizes, strides, ...)
  void rebuild(const std::vector<size_t>& parts) {
    require(parts.size() >= 4 && of(parts[0]).kind == Kind::storage && of(parts[1]).kind == Kind::integer,
            "a tensor without a storage");
    const DType dtype = of(parts[0]).dtype;
    const std::vector<int64_t> sizes = integers(parts[2]), strides = integers(parts[3]);
    require(sizes.size() == strides.size(), "a tensor of ", sizes.size(), " sizes and ", strides.size(), " strides");
    const std::string& bytes = storage_bytes(of(parts[0]));
    const auto there = static_cast<int64_t>(bytes.size() / size_of(dtype));
    int64_t count = 1, last = of(parts[1]).number;  // elements; the place of the last one
    bool fits = last >= 0 && last <= there;
    for (size_t i = 0; i < sizes.size() && fits; i++) {
      int64_t reach = 0;
      fits = !__builtin_mul_overflow(count, sizes[i], &count) &&
             !__builtin_mul_overflow(std::max<int64_t>(sizes[i] - 1, 0), strides[i], &reach) &&
             !__builtin_add_overflow(last, reach, &last);
    }
    require(fits && (count == 0 || last < there), "a tensor that reaches beyond its storage of ", there, " elements");
    const uint64_t needed = static_cast<uint64_t>(count) * size_of(dtype);
    require(count <= std::numeric_limits<int64_t>::max() / 8 && needed <= left_,
            "tensors that are larger than the file");
    left_ -= needed;
    const Tensor tensor(Shape(std::span<const int64_t>(sizes)), dtype);
    copy(bytes, of(parts[1]).number, sizes, strides, tensor);
    push({.kind = Kind::tensor, .tensor = tensor});
  }

  static void copy(const std::string& bytes, int64_t first, const std::vector<int64_t>& sizes,
                   const std::vector<int64_t>& strides, const Tensor& into) {
    const size_t unit = size_of(into.dtype());
    auto* out = static_cast<std::byte*>(into.storage()->data());
    std::vector<int64_t> at(sizes.size(), 0);
    for (int64_t done = 0; done < into.numel(); done++, out += unit) {
      int64_t place = first;
      for (size_t axis = 0; axis < at.size(); axis++) place += at[axis] * strides[axis];
      std::memcpy(out, bytes.data() + static_cast<size_t>(place) * unit, unit);
      for (size_t axis = at.size(); axis > 0 && ++at[axis - 1] == sizes[axis - 1]; axis--) at[axis - 1] = 0;
    }
  }

  // Read once, however many tensors look into it.
  const std::string& storage_bytes(const Object& storage) {
    const std::string key(storage.text);
    auto found = storages_.find(key);
    if (found == storages_.end()) {
      require(!key.empty() && key.find_first_not_of("0123456789") == key.npos, "a storage named ", quoted(key));
      found = storages_.emplace(key, archive_.read("data/" + key)).first;
    }
    const auto elements = static_cast<int64_t>(found->second.size() / size_of(storage.dtype));
    require(storage.number == elements, "storage ", key, " should have ", storage.number, " elements, it has ",
            elements);
    return found->second;
  }

  Archive& archive_;
  const std::string& program_;
  uint64_t left_;  // bytes that tensors may still have
  const std::string& origin_;
  size_t at_ = 0;
  std::vector<Object> objects_;
  std::vector<size_t> stack_, marks_;
  std::map<uint64_t, size_t> memo_;
  std::map<std::string, std::string> storages_;
};

}  // namespace

nn::NamedTensors parse_pt(std::span<const std::byte> bytes, const std::string& origin) {
  Archive archive(bytes, origin);
  const std::string program = archive.read("data.pkl");
  if (archive.has("byteorder"))
    check<DataError>(archive.read("byteorder") == "little", origin, ": its numbers are not little-endian");
  return Machine(archive, program, bytes.size(), origin).run();
}

}  // namespace forger::gan::exchange

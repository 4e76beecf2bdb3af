// Typed errors. A message says what was expected, what came and where: "[conv2d] weight expects 64 input channels, x
// has 3". Libraries throw; only apps/ prints and exits (UsageError -> 2, every other Error -> 1).
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace forger {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
struct ShapeError : Error {
  using Error::Error;
};  // shapes, types or devices of tensors do not fit the op
struct AutogradError : Error {
  using Error::Error;
};  // a graph used up, an in-place write, no gradient to take
struct NonFiniteError : Error {
  using Error::Error;
};  // NaN or infinity; names the op that made it
struct DataError : Error {
  using Error::Error;
};  // a file that cannot be read or does not hold what it should
struct MemoryError : Error {
  using Error::Error;
};  // a device has not got so much memory
struct UsageError : Error {
  using Error::Error;
};  // a setting or option that cannot be

// Work that was given up because a person asked for that (Ctrl-C). Not an Error, so that nobody takes it for a failure.
struct Interrupted : std::exception {
  const char* what() const noexcept override { return "interrupted"; }
};

// "a 3 b" from ("a ", 3, " b"): anything that streams.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

// Throws E with the parts joined. The parts are formatted only on failure.
template <class E, class... Parts>
void check(bool ok, const Parts&... parts) {
  if (!ok) throw E(text(parts...));
}

}  // namespace forger

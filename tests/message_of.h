// The words of an error.
#pragma once
#include <string>

namespace forger::test {

// What an E thrown by the call says. Anything else that is thrown goes on.
template <class E, class F>
std::string message_of(F&& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

}  // namespace forger::test

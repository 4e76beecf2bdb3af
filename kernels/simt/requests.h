// What the warps of a launch ask of memory, request by request. Internal to this folder.
//
// A GPU runs the 32 lanes of a warp in step, and what they load or store by one instruction is one request. It costs
// as many units as it touches:
//   - global memory: sectors of 32 bytes;
//   - shared memory: passes, of which each serves every bank of 4 bytes once. Accesses of 8 bytes go by half warps, of
//     16 bytes by quarters (CUDA C++ programming guide, "Memory transactions"). A word that several lanes want counts
//     once.
//
// Here lanes run one after another, so requests are put together: the n-th time that a lane comes to a place of the
// program since the last barrier of the block belongs to the n-th of the others. Where lanes of a warp part, and one
// goes round a loop more often than others, this is what a GPU does as well.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kernels/simt/runtime.h"

namespace forger::simt {

Requests& operator+=(Requests& a, const Requests& b);

class RequestCounter {
 public:
  enum class Space : uint8_t { global_read, global_write, shared };

  static constexpr size_t sector = 32;

  void begin_block(size_t warps) { warps_.resize(warps); }
  // A thread's access; `place` tells program points apart.
  void add(unsigned thread, const void* place, Space space, uintptr_t address, size_t bytes);
  // Of those, the bytes that lie in the allocation [begin, end) of global memory.
  void touch(Space space, uintptr_t begin, uintptr_t end, uintptr_t address, size_t bytes);
  void settle();  // what was begun is whole: at barriers, and where a block ends

  uint64_t accesses() const { return accesses_; }
  // And begin anew. `times`: how many times as many blocks there are as have run.
  void take(Traffic& into, double times);

 private:
  struct Request {
    std::array<uintptr_t, 32> address{};  // by lane; 0 where it takes no part
    size_t bytes = 0;
  };
  struct Place {
    std::array<uint32_t, 32> times{};  // that a lane was here
    std::vector<Request> requests;
  };
  using Warp = std::unordered_map<uintptr_t, Place>;

  struct Touched {  // of an allocation
    uintptr_t end = 0;
    std::unordered_set<uintptr_t> sectors[2];  // by number: read, written
  };

  void count(Space space, const Request& request);

  std::vector<Warp> warps_;
  Requests global_, shared_;
  std::map<uintptr_t, Touched> touched_;  // by where it begins
  uint64_t accesses_ = 0;
};

}  // namespace forger::simt

// Philox 4x32-10: a block cipher without secrets. Four random words are a fixed scrambling of a 128-bit counter under a
// 64-bit key, so any element of a stream can be computed alone.
//   Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".
// One round, ten times, the key growing by two Weyl constants in between:
//   (c0, c1, c2, c3) -> (high(M1 c2) ^ c1 ^ k0,  low(M1 c2),  high(M0 c0) ^ c3 ^ k1,  low(M0 c0))
#pragma once
#include <array>
#include <cstdint>

namespace forger::kernels {

constexpr int philox_rounds = 10;

// One round on the words of one counter, in place.
inline void philox_round(uint32_t& c0, uint32_t& c1, uint32_t& c2, uint32_t& c3, uint32_t k0, uint32_t k1) {
  const uint64_t p0 = uint64_t{0xD2511F53} * c0, p1 = uint64_t{0xCD9E8D57} * c2;
  c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
  c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
  c1 = static_cast<uint32_t>(p1);
  c3 = static_cast<uint32_t>(p0);
}

// The key of the next round.
inline void philox_bump(std::array<uint32_t, 2>& key) {
  key[0] += 0x9E3779B9;  // golden ratio
  key[1] += 0xBB67AE85;  // sqrt(3) - 1
}

inline std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < philox_rounds; round++, philox_bump(key))
    philox_round(counter[0], counter[1], counter[2], counter[3], key[0], key[1]);
  return counter;
}

}  // namespace forger::kernels

// Memory whose contents nobody may rely on, made to show: under FORGER_POISON=1, and always in debug builds and under
// AddressSanitizer, new tensors, scratch memory and packing buffers begin as NaN (as -1 where they hold integers), so
// that what a kernel forgot to write, or reads before it is written, reaches a test.
#pragma once
#include <cstddef>

namespace forger::kernels {

bool poisoning();
void poison(void* memory, size_t bytes);  // of the host, or of the software device; nothing where it is off

}  // namespace forger::kernels

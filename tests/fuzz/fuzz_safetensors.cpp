// libFuzzer target: any bytes either parse as a checkpoint or are refused with a DataError. Everything else (a crash, a
// sanitizer's finding, another exception) stops the run. Built with -DFORGER_FUZZ=ON and clang; start it as
//   fuzz_safetensors FOLDER_OF_SAMPLES -max_len=4096
#include "nn/checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    forger::nn::parse_checkpoint(std::as_bytes(std::span(data, size)), "input");
  } catch (const forger::DataError&) {
  }
  return 0;
}

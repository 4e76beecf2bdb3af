// libFuzzer target: any bytes, as a .pt file and as the pickle in one, either parse as a state_dict or are refused with a
// DataError. Everything else (a crash, a sanitizer's finding, another exception) stops the run. Built with
// -DFORGER_FUZZ=ON and clang; start it as
//   fuzz_pt FOLDER_OF_SAMPLES -max_len=4096
#include "gan/exchange/state_dict.h"
#include "tests/gan/zipped.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const std::string archive = forger::test::zipped({{"x/data.pkl", bytes}, {"x/data/0", std::string(96, '\1')}});
  for (const std::string& file : {bytes, archive}) {
    try {
      forger::gan::exchange::parse_pt(std::as_bytes(std::span(file)), "input");
    } catch (const forger::DataError&) {
    }
  }
  return 0;
}

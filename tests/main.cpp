// The main function of every test program.
#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

#include <cstdlib>
#include <iostream>
#ifdef FORGER_KIT
#include <filesystem>
#endif

int main(int argc, char** argv) {
#ifdef FORGER_KIT  // which is somewhere: what the tests read is named from its folder on
  std::filesystem::current_path(std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path());
#endif
  // Unless told otherwise: memory that nobody wrote is NaN, and a test takes one thread, as many tests run at a time as
  // there are cores. What is about threads asks for them.
  setenv("FORGER_POISON", "1", /*overwrite=*/0);
  setenv("OMP_NUM_THREADS", "1", /*overwrite=*/0);
  if (const char* count = std::getenv("FORGER_SIMT_MULTIPROCESSORS"))
    std::cout << "on " << count << " multiprocessors" << std::endl;  // ctest looks whether it is so
  return Catch::Session().run(argc, argv);
}

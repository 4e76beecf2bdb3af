// The main function of every test program.
#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

#ifdef FORGER_KIT
#include <filesystem>
#endif

int main(int argc, char** argv) {
#ifdef FORGER_KIT  // which is somewhere: what the tests read is named from its folder on
  std::filesystem::current_path(std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path());
#endif
  return Catch::Session().run(argc, argv);
}

// A shared library that is opened when it is first needed: programs that never come there neither load it nor need it.
#pragma once
#include <dlfcn.h>

#include <string>

#include "kernels/kernels.h"

namespace forger::kernels {

class SharedLibrary {
 public:
  // DeviceError "name: why it cannot be opened; where it comes from" where there is none. It stays open.
  SharedLibrary(const char* name, const char* source) : name_(name), handle_(dlopen(name, RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) {
      throw DeviceError(std::string(dlerror()) + "; it comes with " + source +
                        ": install that, or name its folder in LD_LIBRARY_PATH");
    }
  }

  template <class Function>
  Function* function(const char* name) const {
    void* const found = dlsym(handle_, name);
    if (found == nullptr) throw DeviceError(name_ + " has no " + name);
    return reinterpret_cast<Function*>(found);
  }

 private:
  std::string name_;
  void* handle_;
};

#define FORGER_QUOTED(x) FORGER_QUOTED_EXPANDED(x)  // of a macro: what it stands for
#define FORGER_QUOTED_EXPANDED(x) #x

// Inside a class with a SharedLibrary named `library`: a member that is called as the library's function is, and comes
// before the declaration of it in the library's header.
#define FORGER_IMPORT(name) FORGER_IMPORT_EXPANDED(name)  // headers rename: cublasCreate is cublasCreate_v2
#define FORGER_IMPORT_EXPANDED(name) decltype(::name)* name = library.function<decltype(::name)>(#name)

}  // namespace forger::kernels

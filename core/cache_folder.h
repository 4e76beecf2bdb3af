// The folder for what takes a while to make and can be made again: trained judges, what a program said.
#pragma once
#include <string>

namespace forger {

// $FORGER_CACHE, else $XDG_CACHE_HOME/forger, else $HOME/.cache/forger.
std::string cache_folder();

}  // namespace forger

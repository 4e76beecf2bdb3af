// Reading and writing sound files, by libsndfile. What a file is, its first bytes say; its name is not looked at.
#pragma once
#include <string>
#include <string_view>

#include "gan/sound.h"

namespace forger::gan {

// WAV, FLAC, Ogg and what else libsndfile knows, of any number of channels, which are averaged, and of any rate from 8
// kHz on, which libsamplerate brings to 8 kHz. DataError, which starts with "cannot read 'x.wav': ", when the file is
// no sound, is cut off or damaged, is sampled at less, or holds no sample or one that is no number.
Sound read_sound(const std::string& path);
// The same from the file's bytes; origin stands for its name in errors.
Sound decode_sound(std::string_view bytes, const std::string& origin);

// 16 bits, 8 kHz; what goes beyond [-1, 1] is clipped. Written whole or not at all (core/file.h).
std::string encode_wav(const Sound& sound);
void write_wav(const std::string& path, const Sound& sound);

}  // namespace forger::gan

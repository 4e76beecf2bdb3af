// A sound of any length through a view that makes spectra from spectra (pix2pix on denoise:speech).
#pragma once
#include <functional>

#include "gan/recipe.h"
#include "gan/sound.h"

namespace forger::gan {

// Whether a column of pictures is one of spectra, and the view makes such from such.
bool is_spectrum(const Columns& columns, const std::string& column);
bool translates_sound(const View& view, const Columns& columns);

// Brought to the usual loudness, its spectrum cut into pictures (H, W, 1) that overlap by half, translated, joined (each
// picture counts the less the nearer its edge), turned back by so many passes of Griffin-Lim from the phases that it
// had, and as loud again. `drawn` gives so many rows of the view's noise.
Sound translated(Recipe& recipe, const View& view, const Shape& picture, const Sound& sound,
                 const std::function<Batch(int64_t rows)>& drawn, int passes = 0);

}  // namespace forger::gan

// What systems share that translate between two domains without pairs by a code that both have: two encoders that share
// their last layers, two decoders that share their first, a discriminator of patches in each domain.
//
//   a --E_a--\          /--G_a-- a
//             z (shared)
//   b --E_b--/          \--G_b-- b
#pragma once
#include "gan/networks/shared_stacks.h"
#include "gan/recipes/unpaired.h"

namespace forger::gan {

class SharedCode : public Recipe {
 public:
  std::vector<View> views() override { return views_of(ways_); }  // "a-to-b" and "b-to-a"
  Readings test(const Batch& held_out) override;                  // of both ways; and of pictures rebuilt: "rebuilt"

 protected:
  // What becomes of a batch.
  struct Crossing {
    Crossing(SharedCode& system, const Batch& batch, const Tensor& noise = {});  // that the codes are decoded under
    const Tensor a, b;
    Shared codes;           // (2n, ...): of a, then of b
    Shared deep;            // what the decoders' shared layers make of them
    Shared as_a, as_b;      // (2n, H, W, C): all of them as pictures of a, and of b
    Shared fake_a, fake_b;  // (n, H, W, C): those of the other domain
    Tensor rebuilt();       // mean |a - G_a(E_a(a))| + mean |b - G_b(E_b(b))|
  };

  // Reads what shared_code_settings has.
  SharedCode(const Settings& settings, const Columns& columns);
  // Once there are e_ and g_: the discriminators, and the players; that of E and G trains `also`, too.
  void begin_game(const Settings& settings, std::vector<std::string> also = {});
  // A step: of E and G on these losses, of which "adversarial" is added, then of the discriminators.
  Readings play(Crossing& made, const std::function<Losses()>& losses);

  Shape of_a_, of_b_;  // samples
  std::shared_ptr<SharedLast> e_;
  std::shared_ptr<SharedFirst> g_;

 private:
  double adversarial_;
  std::vector<Way> ways_;
  nn::LayerPtr a_, b_;
  std::shared_ptr<Player> player_;
  Adversary game_a_, game_b_;
};

// Those of its game and of its networks, and the system's own over them.
std::vector<Setting> shared_code_settings(const std::vector<Setting>& own);

}  // namespace forger::gan

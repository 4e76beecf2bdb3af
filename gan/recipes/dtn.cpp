// Domain transfer network: Taigman, Polyak, Wolf, "Unsupervised cross-domain image generation", ICLR 2017,
// arXiv:1611.02200. A function f says what a picture is of, in either domain; G(x) = g(f(x)) draws that in domain b. D
// tells three kinds apart: 1, G of a; 2, G of b; 3, real b.
//
//   repeat: (a, c) = a batch of one domain with classes, b = one of the other
//     D: one Adam step on  -E log D_1(G(a)) - E log D_2(G(b)) - E log D_3(b)
//     g: one Adam step on  -E log D_3(G(a)) - E log D_3(G(b))
//                          + alpha E (f(G(a)) - f(a))^2          f-constancy: of the same thing
//                          + beta E (G(b) - b)^2                 what is of b already stays as it is
//     f: one Adam step on the cross-entropy of c and classes(f(a))
//
// The paper trains f beforehand and leaves it then as it is. Here it learns beside G, from classes alone, G's terms
// reach none of its weights: every step is the same, so that it can be recorded, and f is settled long before G is. It
// has a norm of each sample by itself: one over the batch would answer in each domain by another mean.
#include "gan/agreement.h"
#include "gan/fidelity.h"
#include "gan/networks/classes.h"
#include "gan/networks/dcgan.h"
#include "gan/networks/shared_stacks.h"
#include "gan/recipe.h"

namespace forger::gan {
namespace {

class DomainTransfer : public Recipe {
 public:
  DomainTransfer(const Settings& settings, const Columns& columns)
      : Recipe(settings), alpha_(settings.number("alpha")), beta_(settings.number("beta")) {
    const Shape &a = need_column(settings, columns, "a.image").sample,
                &b = need_column(settings, columns, "b.image").sample;
    require_domains("dtn", a, b);
    const int64_t classes = std::ssize(need_column(settings, columns, "a.label").words),
                  width = settings.integer("width"), code = settings.integer("code");
    const Extent size = extent_of(a);
    seen_channels_ = std::max(a[2], b[2]);
    eye_ = eye(classes);
    g_ = network("g", dcgan_generator(code, width, b[2], size, random_), /*averaged=*/true);
    f_ = network("f", dcgan_encoder(code, width, seen_channels_, size, DNorm::layer, random_));
    f_->append(nn::tanh());
    classes_ = network("classes", std::make_shared<nn::Linear>(code, classes, random_));
    d_ = network("d", dcgan_encoder(3, width, b[2], size, DNorm::batch, random_));
    player_f_ = player("f", {"f", "classes"}, settings);
    player_d_ = player("d", {"d"}, settings);
    player_g_ = player("g", {"g"}, settings);
  }

  Readings step(const NextBatch& next) override {
    const Batch batch = next();
    const Tensor &a = batch["a.image"], &b = batch["b.image"], c = gather(eye_, batch["a.label"]);
    Shared code_a([&] { return code(a).detach(); });
    Shared fake_a([&] { return (*g_)(code_a()); }), fake_b([&] { return (*g_)(code(b).detach()); });
    Readings readings =
        player_d_->minimise({[&] { return taken_for(1, fake_a().detach()); },
                             [&] { return taken_for(2, fake_b().detach()); }, [&] { return taken_for(3, b); }});
    readings = std::move(readings) + player_g_->minimise({[&] {
      // In this order, in which D's running statistics see them.
      const Tensor fooled_by_a = taken_for(3, fake_a()), fooled_by_b = taken_for(3, fake_b());
      return Losses{{"adversarial", fooled_by_a + fooled_by_b},
                    {"constancy", alpha_ * mse_loss(code(fake_a()), code_a())},
                    {"identity", beta_ * mse_loss(fake_b(), b)}};
    }});
    return std::move(readings) + player_f_->minimise({[&] { return class_loss((*classes_)(code(a)), c); }});
  }

  std::vector<View> views() override {
    const auto view = [this](const std::string& name, const std::string& given, const std::string& beside) {
      return View{.name = name,
                  .given = {given},
                  .make = [this, given](const Batch& from) { return Batch().add("b.image", (*g_)(code(from[given]))); },
                  .like = "b.image",
                  .beside = beside};
    };
    return {view("a-to-b", "a.image", "a.truth"), view("rebuild", "b.image", "")};
  }

  // How often f names the class, in its own domain and in the other, where classes are known; where the truth is, how
  // near G(a) comes to it; and whether the picture of b nearest to it is of a's class.
  Readings test(const Batch& held_out) override {
    const Tensor &a = held_out["a.image"], c = gather(eye_, held_out["a.label"]), made = (*g_)(code(a));
    const auto named = [&](const Tensor& x) { return accuracy((*classes_)(code(x)), c, eye_); };
    Readings readings{{"accuracy_a", named(a)}};
    if (held_out.has("a.truth")) {
      readings.push_back({"accuracy_b", named(held_out["a.truth"])});
      readings = std::move(readings) + fidelity(made, a, held_out["a.truth"], "a-to-b.");
    }
    return std::move(readings) + agreement(a, made, held_out);
  }

 private:
  Tensor code(const Tensor& x) { return (*f_)(with_channels(x, seen_channels_)); }  // f(x)
  Tensor taken_for(int64_t kind, const Tensor& x) {                                 // -E log D_kind(x)
    return neg(mean(slice(log_softmax((*d_)(x)), 1, kind - 1, kind)));
  }

  double alpha_, beta_;
  int64_t seen_channels_ = 0;
  Tensor eye_;
  std::shared_ptr<nn::Sequential> g_, f_, d_;
  nn::LayerPtr classes_;
  std::shared_ptr<Player> player_f_, player_d_, player_g_;
};

const RegisterRecipe registered{{
    .name = "dtn",
    .title = "Domain transfer network",
    .citation = "Taigman, Polyak, Wolf 2017, arXiv:1611.02200",
    .data = "images of two domains, 16 to 256 pixels, without pairs; those of the first with classes",
    .needs = {"a.image", "a.label", "b.image"},
    .settings = {{"data", "unpaired:tint:fashion-mnist", "two domains"},
                 {"code", int64_t{64}, "numbers of f(x)", 1, 65536},
                 {"lr_f", 1e-3, "learning rate of f", 0, 1},
                 {"alpha", 15.0, "weight of f-constancy", 0, 1e6},
                 {"beta", 15.0, "weight of pictures of b staying as they are", 0, 1e6}},
    .minutes = 6,
    .make = make_recipe<DomainTransfer>,
}};

}  // namespace
}  // namespace forger::gan

// ComboGAN: Anoosheh, Agustsson, Timofte, Van Gool, "ComboGAN: unrestrained scalability for image domain translation",
// CVPR Workshops 2018, arXiv:1712.06909. K domains without pairs: a domain has an encoder E, a decoder G and a
// discriminator D, and a way from i to j is G_j(E_i(x)), so that K of each make K (K - 1) translators, halves of
// CycleGAN's. The paper trains one pair of domains a step, drawn at random; here every step trains all pairs: each
// domain's rows are shared out among the others, which takes the same time whatever K and needs no draw.
//
//   repeat: x_i = a batch of every domain i, f_j = G_j(parts of E_i(x_i), i != j)
//     E, G: one Adam step on  sum_j 1/2 E (D_j(f_j) - 1)^2 + lambda sum_i E |G_i(parts of E_j(f_j), j != i) - x_i|
//                             + lambda_identity sum_i E |G_i(E_i(x_i)) - x_i|
//     D_j:  one Adam step each on its terms for x_j and f_j
#include "gan/networks/translator.h"
#include "gan/recipes/unpaired.h"

namespace forger::gan {
namespace {

class ComboGan : public Recipe {
 public:
  ComboGan(const Settings& settings, const Columns& columns)
      : Recipe(settings), lambda_(settings.number("lambda")), lambda_identity_(settings.number("lambda_identity")) {
    std::vector<std::string> halves;
    const Shape first = need_column(settings, columns, "a.image").sample;
    const int64_t width = settings.integer("width"), blocks = settings.integer("blocks");
    for (char letter = 'a'; find_column(columns, letter + std::string(".image")) != nullptr; letter++) {
      const std::string name(1, letter);
      const Shape& image = find_column(columns, name + ".image")->sample;
      require_images("combogan", image);
      check<UsageError>(image[0] == first[0] && image[1] == first[1], "combogan takes domains of one size, not ", first,
                        " and ", image);
      Domain domain{name, {}, {}, {}, {}};
      domain.encoder = network("e_" + name, resnet_encoder(image[2], width, blocks / 2, random_), /*averaged=*/true);
      domain.decoder =
          network("g_" + name, resnet_decoder(image[2], width, blocks - blocks / 2, random_), /*averaged=*/true);
      domain.judge = network(name, domain_discriminator(settings, image, random_));
      halves.insert(halves.end(), {"e_" + name, "g_" + name});
      domains_.push_back(domain);
    }
    check<UsageError>(domains_.size() >= 2, "combogan needs two domains or more: a.image, b.image, ...");
    check<UsageError>(settings.integer("batch") >= std::ssize(domains_) - 1, "--batch ", settings.integer("batch"),
                      ": a domain's rows are shared out among ", domains_.size() - 1, " others; take more");
    translators_ = player("g", halves, settings);
    for (Domain& d : domains_)
      d.game = Adversary(player(d.name, {d.name}, settings, "lr_d"), settings, random_,
                         craft(d.name, settings, find_column(columns, d.name + ".image")->sample));
  }

  Readings step(const NextBatch& next) override {
    const Batch batch = next();
    const size_t count = domains_.size();
    std::vector<Shared> codes, fakes;
    std::vector<Critic> critics;
    std::vector<std::function<Tensor(const Tensor&)>> fool;
    for (size_t i = 0; i < count; i++) {
      codes.emplace_back([&, i] { return (*domains_[i].encoder)(image(batch, i)); });
      fakes.emplace_back(
          [&, i] { return (*domains_[i].decoder)(parts(i, count - 1, [&](size_t k) { return codes[k](); })); });
      critics.emplace_back([this, i](const Tensor& x) { return (*domains_[i].judge)(x); });
      fool.push_back(domains_[i].game.against(critics[i], image(batch, i)));
    }
    Readings readings = translators_->minimise({[&] {
      Tensor adversarial, cycle, identity;
      const auto add_to = [](Tensor& sum, const Tensor& x) { sum = sum.defined() ? sum + x : x; };
      std::vector<Tensor> again;  // codes of the fakes
      for (size_t j = 0; j < count; j++) {
        add_to(adversarial, fool[j](fakes[j]()));
        again.push_back((*domains_[j].encoder)(fakes[j]()));
      }
      for (size_t i = 0; i < count; i++) {
        nn::Layer& decode = *domains_[i].decoder;
        add_to(cycle, lambda_ * l1_loss(decode(parts(i, 1, [&](size_t k) { return again[k]; })), image(batch, i)));
        if (lambda_identity_ > 0) add_to(identity, lambda_identity_ * l1_loss(decode(codes[i]()), image(batch, i)));
      }
      Losses losses{{"adversarial", adversarial}, {"cycle", cycle}};
      if (identity.defined()) losses.parts.push_back({"identity", identity});
      return losses;
    }});
    for (size_t j = 0; j < count; j++)
      readings = std::move(readings) +
                 of_domain(domains_[j].game.update(critics[j], image(batch, j), fakes[j]), domains_[j].name);
    return readings;
  }

  std::vector<View> views() override { return views_of(ways()); }
  Readings test(const Batch& held_out) override { return test_of(ways(), held_out); }

 private:
  struct Domain {
    std::string name;  // "a"
    nn::LayerPtr encoder, decoder, judge;
    Adversary game;
  };

  const Tensor& image(const Batch& batch, size_t domain) const { return batch[domains_[domain].name + ".image"]; }

  // What domain `into` is given of the others' rows: part p of the one that is p + 1 turns of `turn` on in the ring of
  // domains, so that every part of every domain goes to another one. Turning by 1 undoes turning by count - 1.
  Tensor parts(size_t into, size_t turn, const std::function<Tensor(size_t)>& of) const {
    const auto count = std::ssize(domains_);
    std::vector<Tensor> rows;
    for (int64_t p = 0; p + 1 < count; p++) {
      const Tensor& x = of((into + static_cast<size_t>(p + 1) * turn) % domains_.size());
      rows.push_back(slice(x, 0, p * x.size(0) / (count - 1), (p + 1) * x.size(0) / (count - 1)));
    }
    return concat(rows, 0);
  }

  std::vector<Way> ways() const {
    std::vector<Way> all;
    const auto through = [](const nn::LayerPtr& encoder, const nn::LayerPtr& decoder) {
      return [encoder, decoder](const Tensor& x) { return (*decoder)((*encoder)(x)); };
    };
    for (const Domain& a : domains_) {
      for (const Domain& b : domains_) {
        if (a.name == b.name) continue;
        all.push_back({a.name + "-to-" + b.name, a.name + ".image", b.name + ".image",
                       domains_.size() == 2 ? a.name + ".truth" : "truth." + b.name, through(a.encoder, b.decoder),
                       through(b.encoder, a.decoder)});
      }
    }
    return all;
  }

  double lambda_, lambda_identity_;
  std::vector<Domain> domains_;
  std::shared_ptr<Player> translators_;
};

const RegisterRecipe registered{{
    .name = "combogan",
    .title = "ComboGAN: an encoder and a decoder for each domain",
    .citation = "Anoosheh, Agustsson, Timofte, Van Gool 2018, arXiv:1712.06909",
    .data = "images of two or more domains, 16 to 256 pixels, without pairs",
    .needs = {"a.image", "b.image"},
    .settings = translation_settings(
        "lsgan", "none",
        {{"data", "unpaired:domains:plain,negative,red:fashion-mnist", ""},
         {"blocks", int64_t{4}, "residual blocks of an encoder and a decoder together", 0, 64},
         {"lambda_identity", 0.0, "weight of what goes through its own domain's halves alone", 0, 1e6},
         {"replay", int64_t{50}, "past fakes that each discriminator sees again; 0: none"}}),
    .minutes = 13,
    .make = make_recipe<ComboGan>,
}};

}  // namespace
}  // namespace forger::gan

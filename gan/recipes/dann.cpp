// Domain-adversarial network: Ganin, Ustinova, Ajakan, Germain, Larochelle, Laviolette, Marchand, Lempitsky,
// "Domain-adversarial training of neural networks", JMLR 2016, arXiv:1505.07818. Classes are known in domain a alone, and
// to be named in b: features f(x) that say what a picture is of, and from which no classifier C can tell its domain.
//
//   repeat: (a, c) = a batch of the domain with classes, b = one of the other; d = 0 of a, 1 of b
//           lambda = L (2/(1 + exp(-10 p)) - 1) = L tanh(5 p),  p from 0 to 1 in the first lambda_steps
//   reversal:    one Adam step on the cross-entropy of c and classes(f(a)) and that of d and C(f(a)), C(f(b)), whose
//                gradient is multiplied by -lambda where it leaves C for f
//   alternating: C: one Adam step on the cross-entropy of d and C(f(a)), C(f(b))
//                f, classes: one Adam step on that of c and classes(f(a)), plus lambda times that of 1 - d and C
//                (non-saturating: Tzeng et al. 2017, arXiv:1702.05464; f has a gradient where C is sure)
//
// L = 0 is the baseline, classes learnt in a alone. f has a norm of each sample by itself, as dtn's.
#include <algorithm>

#include "gan/networks/classes.h"
#include "gan/networks/dcgan.h"
#include "gan/networks/mlp.h"
#include "gan/networks/shared_stacks.h"
#include "gan/recipe.h"

namespace forger::gan {
namespace {

class DomainAdversarial : public Recipe {
 public:
  DomainAdversarial(const Settings& settings, const Columns& columns)
      : Recipe(settings),
        lambda_(settings.number("lambda")),
        lambda_steps_(static_cast<double>(settings.integer("lambda_steps"))),
        alternating_(settings.choice("mode", {"reversal", "alternating"}) == "alternating"),
        progress_(memory("progress", zeros({}))) {
    const Shape &a = need_column(settings, columns, "a.image").sample,
                &b = need_column(settings, columns, "b.image").sample;
    require_domains("dann", a, b);
    const std::vector<std::string>& words = need_column(settings, columns, "a.label").words;
    const Column* of_b = find_column(columns, "b.label");
    same_classes_ = of_b != nullptr && of_b->words == words;
    const int64_t width = settings.integer("width"), code = settings.integer("code"), classes = std::ssize(words);
    channels_ = std::max(a[2], b[2]);
    eye_ = eye(classes);
    f_ = network("f", dcgan_encoder(code, width, channels_, extent_of(a), DNorm::layer, random_));
    f_->append(nn::leaky_relu(slope));
    classes_ = network("classes", std::make_shared<nn::Linear>(code, classes, random_));
    c_ = network("c", mlp_discriminator(code, {code}, DNorm::none, random_));
    if (alternating_) player_c_ = player("c", {"c"}, settings, "lr_d");
    player_f_ = player("f", alternating_ ? Names{"f", "classes"} : Names{"f", "classes", "c"}, settings, "lr_g");
  }

  Readings step(const NextBatch& next) override {
    const Batch batch = next();
    const Tensor &a = batch["a.image"], &b = batch["b.image"], c = gather(eye_, batch["a.label"]),
                 lambda = lambda_ * tanh(5 * progress_);
    Shared codes([&] { return features_of_both(a, b); });
    Readings readings;
    if (alternating_)
      readings = player_c_->minimise({[&] {
        const Tensor logits = (*c_)(codes().detach());
        return bce_with_logits(logits, domains_of(logits));
      }});
    Tensor right;  // the share of a that is named as it should be
    readings = std::move(readings) + player_f_->minimise({[&] {
      const Tensor named = (*classes_)(first_half(codes()));
      right = accuracy(named.detach(), c, eye_);
      return Losses{{"class", class_loss(named, c)}, {"domain", against_domains(codes(), lambda)}};
    }});
    return std::move(readings) + Readings{{"accuracy", right}, {"lambda", lambda}};
  }

  void after_step(int64_t step) override {
    const double progress = std::min(1.0, static_cast<double>(step) / lambda_steps_);
    copy_into(progress_, full({}, progress, dtype_), "progress");
  }

  // A picture, and beside it how likely each class is.
  std::vector<View> views() override {
    const auto view = [this](const std::string& name, const std::string& given) {
      return View{.name = name, .given = {given}, .make = [this, given](const Batch& from) {
                    return Batch().add("classes", as_stripes((*classes_)(features(from[given])), from[given]));
                  }};
    };
    return {view("classify-b", "b.image"), view("classify-a", "a.image")};
  }

  // How often the class is named, in either domain as far as it is known there; how often C knows the domain, of
  // features that say nothing of it half the time.
  Readings test(const Batch& held_out) override {
    const Tensor codes = features_of_both(held_out["a.image"], held_out["b.image"]);
    const auto named = [&](const Tensor& of, const char* label) {
      return accuracy((*classes_)(of), gather(eye_, held_out[label]), eye_);
    };
    Readings readings{{"accuracy_a", named(first_half(codes), "a.label")}};
    if (same_classes_ && held_out.has("b.label"))
      readings.push_back({"accuracy_b", named(second_half(codes), "b.label")});
    return std::move(readings) + Readings{{"domain_accuracy", domain_accuracy((*c_)(codes))}};
  }

 private:
  using Names = std::vector<std::string>;
  Tensor features(const Tensor& x) { return (*f_)(with_channels(x, channels_)); }
  Tensor features_of_both(const Tensor& a, const Tensor& b) {  // (2n, code)
    return features(concat(std::vector<Tensor>{with_channels(a, channels_), with_channels(b, channels_)}, 0));
  }
  // What f minimises for its codes not to tell the domain; by a reversed gradient C learns in passing.
  Tensor against_domains(const Tensor& codes, const Tensor& lambda) {
    const Tensor logits = (*c_)(alternating_ ? codes : nn::reverse_gradient(codes, lambda)), d = domains_of(logits);
    return alternating_ ? lambda * bce_with_logits(logits, 1 - d) : bce_with_logits(logits, d);
  }

  double lambda_, lambda_steps_;
  bool alternating_, same_classes_ = false;
  Tensor progress_, eye_;  // (), p; one-hot rows
  int64_t channels_ = 0;   // of the pictures that f sees
  std::shared_ptr<nn::Sequential> f_;
  nn::LayerPtr classes_, c_;
  std::shared_ptr<Player> player_f_, player_c_;
};

const RegisterRecipe registered{{
    .name = "dann",
    .title = "Domain-adversarial network: a classifier for a domain without classes",
    .citation = "Ganin et al. 2016, arXiv:1505.07818",
    .data = "images of two domains, 16 to 256 pixels, without pairs; those of the first with classes",
    .needs = {"a.image", "a.label", "b.image"},
    .settings = {{"data", "unpaired:swap:edges:fashion-mnist", "two domains"},
                 {"mode", "reversal", "how features learn to hide the domain: reversal, or alternating"},
                 {"code", int64_t{64}, "numbers of f(x)", 1, 65536},
                 {"lambda", 1.0, "weight of features not saying their domain; 0: classes alone, the baseline", 0, 1e6},
                 {"lambda_steps", int64_t{1000}, "steps in which lambda rises from 0", 1, 1e9},
                 {"lr_g", 1e-3, "learning rate of features and classes; reversal: of the domains' classifier, too", 0,
                  1},
                 {"lr_d", 1e-3, "learning rate of the domains' classifier, alternating", 0, 1}},
    .minutes = 1.5,
    .make = make_recipe<DomainAdversarial>,
}};

}  // namespace
}  // namespace forger::gan

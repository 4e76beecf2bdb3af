// f-divergences and their variational bound (Nguyen et al. 2010; f-GAN: Nowozin, Cseke, Tomioka 2016,
// arXiv:1606.00709, table 1, 2 and 6):
//
//   D_f(P || Q) = E_Q f(p/q)  >=  sup_T  E_P T(x) - E_Q f*(T(x)),    f*(t) = sup_u ut - f(u),
//
// with equality at T(x) = f'(p/q). T = g(V) for any real V: the output activation g maps onto the domain of f*.
#pragma once
#include <string>
#include <vector>

#include "core/ops.h"

namespace forger::gan {

struct Divergence {
  std::string name;                                    // "kl"
  std::string generator;                               // f(u), as it is written
  double (*f)(double u);                               // u > 0; f(1) = 0, but for gan
  double (*slope)(double u);                           // f'(u): the best T where p/q = u
  double (*conjugate)(double t);                       // f*(t), for t below `upper`
  double upper;                                        // the domain of f* is t < upper
  Tensor (*activation)(const Tensor& v);               // g(v): rises with v, whatever v is below `upper`
  Tensor (*conjugate_of_activation)(const Tensor& v);  // f*(g(v)) in one, without what cancels or overflows in two
};

// kl, reverse-kl, pearson, neyman, hellinger (squared), js (KL(P || M) + KL(Q || M), M = (P + Q)/2: twice the usual
// Jensen-Shannon divergence), gan (the same - log 4: what the minimax game comes to).
const std::vector<Divergence>& divergences();

}  // namespace forger::gan

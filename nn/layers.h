// All layers. What they compute is made of the ops of core/ops.h, so they are differentiable to any order.
#pragma once
#include "nn/functions.h"
#include "nn/gradient_reversal.h"
#include "nn/linear.h"
#include "nn/minibatch_deviation.h"
#include "nn/norms.h"
#include "nn/recurrent.h"
#include "nn/residual.h"
#include "nn/sequential.h"
#include "nn/spectral_norm.h"

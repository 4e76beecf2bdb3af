// Included inside each backend's struct (kernels.h), where T is the scalar type: the list of everything a backend
// provides; Wide is T, or float where T is bfloat16. Arrays are contiguous, images NHWC, counts in elements; outputs are written whole unless a line says
// "accumulates". Outputs never alias inputs unless a line says "in place allowed".

// ---- memory and layout ----
static void fill(int64_t n, T value, T* y);
static void copy(int64_t n, const T* x, T* y);
static void strided_copy(const StridedCopy& s, const T* src, T* dst);
static void from_float(int64_t n, const float* x, T* y);  // conversions between the scalar types
static void from_double(int64_t n, const double* x, T* y);
static void from_bfloat16(int64_t n, const bfloat16* x, T* y);

// ---- elementwise (in place allowed) ----
static void unary(Unary op, int64_t n, const T* x, T* y, Wide p, Wide q);
static void binary(Binary op, const Broadcast& s, const T* a, const T* b, T* y, Wide p);
static bool all_finite(int64_t n, const T* x);

// ---- reductions: fixed order, pairwise or blocked so that the error does not grow with n ----
static void reduce(Reduce op, const ReduceShape& s, const T* x, Wide* y);
// Flat index of the first maximum along the last axis: x (rows, cols) -> index (rows).
static void argmax(int64_t rows, int64_t cols, const T* x, int64_t* index);

// ---- softmax over the last axis: x (rows, cols); the row maximum is subtracted first ----
static void softmax(int64_t rows, int64_t cols, const T* x, T* y);
static void log_softmax(int64_t rows, int64_t cols, const T* x, T* y);

// ---- matrix product ----
static void matmul(const MatmulShape& s, const T* a, const T* b, T* c);

// ---- the convolution triangle: implicit GEMMs or Winograd, no patch matrix in memory ----
// map[n,p,q,o] = sum_{i,j,c} image[n, p*stride - pad + i, q*stride - pad + j, c] * weight[o,i,j,c]
static void conv2d(const ConvShape& s, const T* image, const Wide* weight, T* map);
// map = act(conv2d(image, weight) + bias) in one pass; bias (oc) may be null.
static void conv2d_bias(const ConvShape& s, const T* image, const Wide* weight, const Wide* bias, Activation act,
                        Wide slope, T* map);
// image = the transpose of conv2d applied to map; pixels under no window become 0.
static void conv_transpose2d(const ConvShape& s, const T* map, const Wide* weight, T* image);
// weight[o,i,j,c] = sum_{n,p,q} map[n,p,q,o] * image[n, p*stride - pad + i, q*stride - pad + j, c]
static void conv_weight_grad(const ConvShape& s, const T* image, const T* map, Wide* weight);
// The multiply-adds that conv2d or conv_weight_grad takes, or conv_transpose2d: s.flops() / 2 by the definition.
static double conv_multiply_adds(const ConvShape& s, bool transposed);

// ---- normalisation with a fused activation ----
// mean, rstd = 1/sqrt(variance + eps) (groups, channels), the variance biased, of x (groups, rows, channels). Those of a
// channel of equal values are exact: the value and a variance of 0. `running`, of one group only, moves towards them.
static void norm_stats(const NormShape& s, const T* x, Wide eps, Wide* mean, Wide* rstd,
                       const Running<Wide>& running = {});
// y = act((x - mean)*rstd*gamma + beta); gamma and beta may be null (1 and 0).
static void norm_apply(const NormShape& s, const T* x, const Wide* mean, const Wide* rstd, const Wide* gamma,
                       const Wide* beta, Activation act, Wide slope, T* y);
// Gradient of norm_stats followed by norm_apply, statistics being functions of x. gx may be null; ggamma and gbeta
// (channels, summed over groups) may be null.
static void norm_backward(const NormShape& s, const T* x, const T* gy, const Wide* mean, const Wide* rstd,
                          const Wide* gamma, const Wide* beta, Activation act, Wide slope, T* gx, Wide* ggamma,
                          Wide* gbeta);
// Gradient of norm_backward's gx towards x, gy and gamma: `a` is the incoming gradient, shaped as gx. Any of dx, dgy
// (as x) and dgamma (channels, summed over groups) may be null.
static void norm_backward_grad(const NormShape& s, const T* x, const T* gy, const T* a, const Wide* mean,
                               const Wide* rstd, const Wide* gamma, const Wide* beta, Activation act, Wide slope, T* dx,
                               T* dgy, Wide* dgamma);
// Layer norm: x (rows, cols), statistics over cols, gamma and beta (cols) may be null; mean, rstd (rows).
static void layer_norm(int64_t rows, int64_t cols, const T* x, const T* gamma, const T* beta, T eps, T* y, T* mean,
                       T* rstd);
static void layer_norm_backward(int64_t rows, int64_t cols, const T* x, const T* gy, const T* mean, const T* rstd,
                                const T* gamma, T* gx, T* ggamma, T* gbeta);

// ---- pooling and resampling ----
static void avg_pool2d(const PoolShape& s, const T* x, T* y);
static void avg_pool2d_grad(const PoolShape& s, const T* gy, T* gx);
// Flat index into x of each window's first maximum: index (n, oh, ow, c).
static void max_pool2d_index(const PoolShape& s, const T* x, int64_t* index);
// x (n, h, w, c) -> y (n, oh, ow, c), and the transpose of that linear map.
static void resize(Resize mode, int64_t n, int64_t h, int64_t w, int64_t c, int64_t oh, int64_t ow, const T* x, T* y);
static void resize_grad(Resize mode, int64_t n, int64_t h, int64_t w, int64_t c, int64_t oh, int64_t ow, const T* gy,
                        T* gx);

// ---- indexed rows: table (entries, width), rows (n, width), 0 <= index[i] < entries ----
static void gather(int64_t n, int64_t width, const T* table, const int64_t* index, T* rows);
// table = 0, then table[index[i]] += rows[i] in the order of i.
static void scatter_add(int64_t n, int64_t width, int64_t entries, const T* rows, const int64_t* index, T* table);

// ---- random numbers: Philox 4x32-10, the stream of cuRAND's curand_init(seed, stream, 4*(block + i/4)) ----
// Element i takes word i%4 of counter block + i/4. Uniform in (0, 1]: word*2^-32 + 2^-33. Normal: Box-Muller on word
// pairs: in float on the uniform number, in double where T is double. Uniform numbers are the same on every device, bit
// for bit. Normal ones are to the last digits, in float as far as the device's sine and logarithm: to 3e-7 on the CPU, to
// 1e-5 on a GPU.
static void random_uniform(uint64_t seed, uint64_t stream, uint64_t block, int64_t n, T low, T high, T* y);
static void random_normal(uint64_t seed, uint64_t stream, uint64_t block, int64_t n, T mean, T stddev, T* y);

// y = x/(1 - p) where the stream's uniform number is above p, else 0. Linear in x, so its own gradient.
static void dropout(uint64_t seed, uint64_t stream, uint64_t block, int64_t n, double p, const T* x, T* y);

// ---- optimisers: fused over a list of tensors ----
// `lr`, and the slices' counts of updates, lie in the device's memory, so that a recorded graph can be replayed for any
// step.
static void adam(std::span<const AdamSlice<T>> list, const AdamSettings& settings, const double* lr);
static void rmsprop(std::span<const RmsPropSlice<T>> list, const double* lr, double alpha, double eps);
static void sgd(std::span<const SgdSlice<T>> list, const double* lr, double momentum, double weight_decay);
static void lerp(std::span<const LerpSlice<T>> list, double weight);
static void accumulate(std::span<const SumSlice<T>> list);
// norm[0] = the L2 norm over all elements of all tensors, summed in double in a fixed order. May be an empty list.
static void global_norm(std::span<const NormSlice<T>> list, double* norm);
// x *= min(1, max_norm / norm[0]) for all tensors of the list; untouched when norm[0] is not finite.
static void clip_norm(std::span<const ClipSlice<T>> list, const double* norm, double max_norm);

// ---- power iteration for the spectral norm (Miyato et al. 2018, algorithm 1) ----
// M = w (rows, cols), or its transpose when `trans`. `iterations` times, in place:
//   v = M^T u / |M^T u|,  u = M v / |M v|,  with |x| = sqrt(sum x^2 + eps^2)
static void power_iteration(int64_t rows, int64_t cols, bool trans, const T* w, T eps, int iterations, T* u, T* v);

// ---- penalty on the norms of rows, g (rows, cols): Gulrajani et al. 2017, equation 3 ----
// norms[i] = sqrt(sum_j g[i,j]^2 + eps),  penalty[0] = mean_i (norms[i] - target)^2
static void norm_penalty(int64_t rows, int64_t cols, const T* g, T target, T eps, T* norms, T* penalty);
// gg[i,j] = gy[0] * 2 (norms[i] - target) / (rows * norms[i]) * g[i,j], 0 in rows whose norm is 0.
static void norm_penalty_grad(int64_t rows, int64_t cols, const T* g, const T* norms, T target, const T* gy, T* gg);

// ---- means of losses, x (n) ----
// mean[0] = factor * mean_i f(scale*x[i] + shift)
static void mean_loss(const Loss& loss, int64_t n, const T* x, T* mean);
// gx[i] = gy[0] * factor*scale/n * f'(scale*x[i] + shift)
static void mean_loss_grad(const Loss& loss, int64_t n, const T* x, const T* gy, T* gx);

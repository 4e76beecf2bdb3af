// The few names of cuBLAS that the backend calls, on the software device: plain loops in place of its kernels, with its
// argument checks. A product runs as a kernel of one thread, so that a graph records it and a fault names it; its
// operands are watched as whole ranges.
#pragma once
#include <algorithm>
#include <cstddef>

#include "kernels/simt/cuda.h"

enum cublasStatus_t { CUBLAS_STATUS_SUCCESS = 0, CUBLAS_STATUS_INVALID_VALUE = 7 };
enum cublasOperation_t { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 };
enum cublasMath_t { CUBLAS_DEFAULT_MATH = 0, CUBLAS_TF32_TENSOR_OP_MATH = 3 };  // one way to multiply here: exactly

namespace forger::simt {

struct Cublas {
  cudaStream_t stream = nullptr;
};

// One side of a product, column-major: element (i, j) at i + j*leading.
template <class T>
struct BlasMatrix {
  T* data;
  int rows, cols, leading;
  long long stride;  // from one batch to the next

  bool valid() const { return rows >= 0 && cols >= 0 && leading >= std::max(1, rows); }
  __attribute__((no_sanitize("thread"))) void touch(int batch, Access access) const {
    if (rows == 0 || cols == 0) return;
    const auto count = static_cast<size_t>(cols - 1) * static_cast<size_t>(leading) + static_cast<size_t>(rows);
    simt::touch(data + batch * stride, count * sizeof(T), access);
  }
};

template <class T>
struct Gemm {
  bool trans_a, trans_b;
  int m, n, k, batches;
  T alpha, beta;
  BlasMatrix<const T> a, b;
  BlasMatrix<T> c;

  double operations() const { return 2.0 * m * n * k * batches; }
  __attribute__((no_sanitize("thread"))) static void run(void* self) {
    const Gemm& g = *static_cast<const Gemm*>(self);
    for (int t = 0; t < g.batches; t++) g.run_batch(t);
  }

  __attribute__((no_sanitize("thread"))) void run_batch(int t) const {
    if (k > 0) {
      a.touch(t, Access::read);
      b.touch(t, Access::read);
    }
    if (beta != T{0}) c.touch(t, Access::read);
    c.touch(t, Access::write);
    const T *const a_data = a.data + t * a.stride, *const b_data = b.data + t * b.stride;
    T* const c_data = c.data + t * c.stride;
    const ptrdiff_t a_row = trans_a ? a.leading : 1, a_depth = trans_a ? 1 : a.leading;
    const ptrdiff_t b_depth = trans_b ? b.leading : 1, b_col = trans_b ? 1 : b.leading;
    for (ptrdiff_t j = 0; j < n; j++) {
      for (ptrdiff_t i = 0; i < m; i++) {
        T sum = 0;
        for (ptrdiff_t l = 0; l < k; l++) sum += a_data[i * a_row + l * a_depth] * b_data[l * b_depth + j * b_col];
        T& result = c_data[i + j * c.leading];
        result = beta == T{0} ? alpha * sum : alpha * sum + beta * result;  // beta 0: what was there is not read
      }
    }
  }
};

template <class T>
cublasStatus_t gemm(Cublas* handle, const char* name, cublasOperation_t op_a, cublasOperation_t op_b, int m, int n,
                    int k, const T* alpha, const T* a, int lda, long long stride_a, const T* b, int ldb,
                    long long stride_b, const T* beta, T* c, int ldc, long long stride_c, int batches) {
  const bool trans_a = op_a == CUBLAS_OP_T, trans_b = op_b == CUBLAS_OP_T;
  Gemm<T> g{trans_a,
            trans_b,
            m,
            n,
            k,
            batches,
            *alpha,
            *beta,
            {a, trans_a ? k : m, trans_a ? m : k, lda, stride_a},
            {b, trans_b ? n : k, trans_b ? k : n, ldb, stride_b},
            {c, m, n, ldc, stride_c}};
  if (!g.a.valid() || !g.b.valid() || !g.c.valid() || batches < 0) return CUBLAS_STATUS_INVALID_VALUE;
  handle->stream->submit([name, g]() mutable {
    run({name, {1, 1, 1}, {1, 1, 1}, 0, g.operations()}, Gemm<T>::run, &g);
  });
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace forger::simt

namespace forger::kernels {
struct CublasFunctions {};  // here they are plain functions
}  // namespace forger::kernels

using cublasHandle_t = forger::simt::Cublas*;

inline const char* cublasGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_SUCCESS ? "success" : "an unsupported value or parameter was passed to the function";
}
inline cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  *handle = new forger::simt::Cublas;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasSetWorkspace(cublasHandle_t, void*, size_t) { return CUBLAS_STATUS_SUCCESS; }
inline cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t) { return CUBLAS_STATUS_SUCCESS; }
inline cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b,
                                                int m, int n, int k, const float* alpha, const float* a, int lda,
                                                long long stride_a, const float* b, int ldb, long long stride_b,
                                                const float* beta, float* c, int ldc, long long stride_c, int batches) {
  return forger::simt::gemm(handle, "cublasSgemmStridedBatched", op_a, op_b, m, n, k, alpha, a, lda, stride_a, b, ldb,
                            stride_b, beta, c, ldc, stride_c, batches);
}
inline cublasStatus_t cublasDgemmStridedBatched(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b,
                                                int m, int n, int k, const double* alpha, const double* a, int lda,
                                                long long stride_a, const double* b, int ldb, long long stride_b,
                                                const double* beta, double* c, int ldc, long long stride_c,
                                                int batches) {
  return forger::simt::gemm(handle, "cublasDgemmStridedBatched", op_a, op_b, m, n, k, alpha, a, lda, stride_a, b, ldb,
                            stride_b, beta, c, ldc, stride_c, batches);
}

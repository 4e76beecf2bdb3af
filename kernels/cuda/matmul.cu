// Matrix products, by cuBLAS.
//
//   c (batch, m, n) = op(a) op(b), row-major, batch strides of the operands free (0 repeats)
//
// cuBLAS is column-major, and a row-major matrix is the transpose of a column-major one: so it is asked for
// c^T (n, m) = op(b)^T op(a)^T, the operands swapped and everything else as it is.
//
// Bytes: batch*(m*k + k*n) read, batch*m*n written. Operations: 2*batch*m*n*k.
#ifdef __CUDACC__
#include "kernels/cuda/cublas.h"
#else
#include "kernels/simt/cublas.h"
#endif

#include <limits>
#include <string>

#include "kernels/cuda/device.h"

namespace forger::kernels {
namespace {

// Its functions, a handle on the stream, and a workspace. The workspace is our own and fixed, since cuBLAS's would be
// allocated anew inside of recordings; 32 MiB is what NVIDIA recommends for sm_90. After cublasSetStream, which resets
// it.
class Cublas : CublasFunctions {
 public:
  Cublas() {
    constexpr size_t workspace_bytes = size_t{32} << 20;
    check(cublasCreate(&handle_), "creating a handle");
    check(cublasSetStream(handle_, stream()), "setting the stream");
    check(cublasSetWorkspace(handle_, lasting_memory(workspace_bytes, "the workspace of cuBLAS"), workspace_bytes),
          "setting the workspace");
  }

  template <class T, class... Arguments>
  void gemm_strided_batched(MathMode mode, Arguments... arguments) const {
    check(cublasSetMathMode(handle_, mode != MathMode::fp32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH),
          "setting the math mode");
    if constexpr (sizeof(T) == 4) {
      check(cublasSgemmStridedBatched(handle_, arguments...), "matmul");
    } else {
      check(cublasDgemmStridedBatched(handle_, arguments...), "matmul");
    }
  }

 private:
  void check(cublasStatus_t status, const char* what) const {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    throw DeviceError(std::string("cuBLAS: ") + what + ": " + cublasGetStatusString(status));
  }

  cublasHandle_t handle_{};
};

// Made at the first product, before any recording.
const Cublas& cublas() {
  static const Cublas& one = *new Cublas;
  return one;
}

int narrow(int64_t size) {
  if (size > std::numeric_limits<int>::max()) throw DeviceError("matmul: a side of more than 2^31 - 1 elements");
  return static_cast<int>(size);
}

}  // namespace

template <class T>
void Gpu<T>::matmul(const MatmulShape& s, const T* a, const T* b, T* c) {
  const int64_t size = s.batch * s.m * s.n;
  if (size == 0) return;
  if (s.k == 0) {  // an empty sum
    check_cuda(cudaMemsetAsync(c, 0, static_cast<size_t>(size) * sizeof(T), stream()), "clearing a matrix product");
    return;
  }
  const auto op = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const int m = narrow(s.m), n = narrow(s.n), k = narrow(s.k);
  const T one = 1, zero = 0;
  cublas().gemm_strided_batched<T>(math_mode(), op(s.trans_b), op(s.trans_a), n, m, k, &one, b, s.trans_b ? k : n,
                                   s.b_batch_stride, a, s.trans_a ? m : k, s.a_batch_stride, &zero, c, n, s.m * s.n,
                                   narrow(s.batch));
}
FORGER_KERNEL(Gpu, matmul);

}  // namespace forger::kernels

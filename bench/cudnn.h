// cuDNN's convolutions, to compare with: one layer, NHWC floats, each side of the triangle by the algorithm that cuDNN
// measures to be its fastest in the given math mode. Where its header is not there at build time (or FORGER_CUDNN not
// defined, see CMakeLists.txt) `available` is false and nothing is timed; the library is opened when it is needed.
#pragma once
#include "bench/measure.h"

#if defined(FORGER_CUDNN) && __has_include(<cudnn.h>)
#define FORGER_BENCH_CUDNN
#include <cuda_runtime_api.h>
#include <cudnn.h>

#include "kernels/cuda/library.h"
#endif

namespace forger::bench {

enum class Side : uint8_t { conv2d, conv_transpose2d, conv_weight_grad };

#ifdef FORGER_BENCH_CUDNN

struct CudnnFunctions {
  kernels::SharedLibrary library{"libcudnn.so." FORGER_QUOTED(CUDNN_MAJOR), "cuDNN"};
  FORGER_IMPORT(cudnnConvolutionBackwardData);
  FORGER_IMPORT(cudnnConvolutionBackwardFilter);
  FORGER_IMPORT(cudnnConvolutionForward);
  FORGER_IMPORT(cudnnCreate);
  FORGER_IMPORT(cudnnCreateConvolutionDescriptor);
  FORGER_IMPORT(cudnnCreateFilterDescriptor);
  FORGER_IMPORT(cudnnCreateTensorDescriptor);
  FORGER_IMPORT(cudnnDestroy);
  FORGER_IMPORT(cudnnDestroyConvolutionDescriptor);
  FORGER_IMPORT(cudnnDestroyFilterDescriptor);
  FORGER_IMPORT(cudnnDestroyTensorDescriptor);
  FORGER_IMPORT(cudnnFindConvolutionBackwardDataAlgorithm);
  FORGER_IMPORT(cudnnFindConvolutionBackwardFilterAlgorithm);
  FORGER_IMPORT(cudnnFindConvolutionForwardAlgorithm);
  FORGER_IMPORT(cudnnGetErrorString);
  FORGER_IMPORT(cudnnSetConvolution2dDescriptor);
  FORGER_IMPORT(cudnnSetConvolutionMathType);
  FORGER_IMPORT(cudnnSetFilter4dDescriptor);
  FORGER_IMPORT(cudnnSetTensor4dDescriptor);
};

class Cudnn {
 public:
  static constexpr bool available = true;

  Cudnn() { must(dnn().cudnnCreate(&handle_), "creating a handle"); }
  ~Cudnn() { dnn().cudnnDestroy(handle_); }
  Cudnn(const Cudnn&) = delete;

  // Seconds per call; DeviceError when no algorithm of cuDNN's does this layer. `image`, `map` and `weight` lie on the
  // GPU; the one that the side computes is overwritten.
  double seconds(Side side, const kernels::ConvShape& s, kernels::MathMode math, float* image, float* map,
                 float* weight) const {
    const Layer layer(s, math);
    const float one = 1, zero = 0;
    const auto wait = [] { must(cudaDeviceSynchronize(), "waiting"); };
    wait();  // for what other streams have queued
    switch (side) {
      case Side::conv2d: {
        const auto best = fastest<cudnnConvolutionFwdAlgoPerf_t>([&](int most, int* found, auto* list) {
          return dnn().cudnnFindConvolutionForwardAlgorithm(handle_, layer.image, layer.weight, layer.convolution,
                                                            layer.map, most, found, list);
        });
        const Workspace work(best.memory);
        layer.use(best.mathType);
        return time_calls(
                   [&] {
                     must(dnn().cudnnConvolutionForward(handle_, &one, layer.image, image, layer.weight, weight,
                                                        layer.convolution, best.algo, work.memory, best.memory, &zero,
                                                        layer.map, map),
                          "cudnnConvolutionForward");
                   },
                   wait, gpu_seconds)
            .median;
      }
      case Side::conv_transpose2d: {
        const auto best = fastest<cudnnConvolutionBwdDataAlgoPerf_t>([&](int most, int* found, auto* list) {
          return dnn().cudnnFindConvolutionBackwardDataAlgorithm(handle_, layer.weight, layer.map, layer.convolution,
                                                                 layer.image, most, found, list);
        });
        const Workspace work(best.memory);
        layer.use(best.mathType);
        return time_calls(
                   [&] {
                     must(dnn().cudnnConvolutionBackwardData(handle_, &one, layer.weight, weight, layer.map, map,
                                                             layer.convolution, best.algo, work.memory, best.memory,
                                                             &zero, layer.image, image),
                          "cudnnConvolutionBackwardData");
                   },
                   wait, gpu_seconds)
            .median;
      }
      case Side::conv_weight_grad: {
        const auto best = fastest<cudnnConvolutionBwdFilterAlgoPerf_t>([&](int most, int* found, auto* list) {
          return dnn().cudnnFindConvolutionBackwardFilterAlgorithm(handle_, layer.image, layer.map, layer.convolution,
                                                                   layer.weight, most, found, list);
        });
        const Workspace work(best.memory);
        layer.use(best.mathType);
        return time_calls(
                   [&] {
                     must(dnn().cudnnConvolutionBackwardFilter(handle_, &one, layer.image, image, layer.map, map,
                                                               layer.convolution, best.algo, work.memory, best.memory,
                                                               &zero, layer.weight, weight),
                          "cudnnConvolutionBackwardFilter");
                   },
                   wait, gpu_seconds)
            .median;
      }
    }
    throw DeviceError("cuDNN: no such side of a convolution");
  }

 private:
  static const CudnnFunctions& dnn() {
    static const CudnnFunctions functions;
    return functions;
  }
  static void must(cudnnStatus_t status, const char* what) {
    if (status != CUDNN_STATUS_SUCCESS)
      throw DeviceError(text("cuDNN: ", what, ": ", dnn().cudnnGetErrorString(status)));
  }
  static void must(cudaError_t error, const char* what) {
    if (error != cudaSuccess) throw DeviceError(text("cuDNN: ", what, ": ", cudaGetErrorString(error)));
  }

  // cuDNN's descriptors of a layer. It counts sizes as n, c, h, w whatever the layout.
  struct Layer {
    cudnnTensorDescriptor_t image{}, map{};
    cudnnFilterDescriptor_t weight{};
    cudnnConvolutionDescriptor_t convolution{};

    Layer(const kernels::ConvShape& s, kernels::MathMode math) : tf32(math == kernels::MathMode::tf32) {
      const auto size = [](int64_t v) { return static_cast<int>(v); };
      must(dnn().cudnnCreateTensorDescriptor(&image), "describing an image");
      must(dnn().cudnnCreateTensorDescriptor(&map), "describing a map");
      must(dnn().cudnnCreateFilterDescriptor(&weight), "describing a weight");
      must(dnn().cudnnCreateConvolutionDescriptor(&convolution), "describing a convolution");
      must(dnn().cudnnSetTensor4dDescriptor(image, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, size(s.n), size(s.c), size(s.h),
                                            size(s.w)),
           "describing an image");
      must(dnn().cudnnSetTensor4dDescriptor(map, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, size(s.n), size(s.oc), size(s.oh),
                                            size(s.ow)),
           "describing a map");
      must(dnn().cudnnSetFilter4dDescriptor(weight, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, size(s.oc), size(s.c),
                                            size(s.kh), size(s.kw)),
           "describing a weight");
      must(dnn().cudnnSetConvolution2dDescriptor(convolution, size(s.pad_h), size(s.pad_w), size(s.stride_h),
                                                 size(s.stride_w), 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
           "describing a convolution");
      must(dnn().cudnnSetConvolutionMathType(convolution, tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH),
           "setting the math mode");
    }
    ~Layer() {
      dnn().cudnnDestroyTensorDescriptor(image);
      dnn().cudnnDestroyTensorDescriptor(map);
      dnn().cudnnDestroyFilterDescriptor(weight);
      dnn().cudnnDestroyConvolutionDescriptor(convolution);
    }
    Layer(const Layer&) = delete;

    // The mode that an algorithm was measured in. fp32 stays FMA: any other would let cuDNN round to TF32.
    void use(cudnnMathType_t measured) const {
      if (tf32) must(dnn().cudnnSetConvolutionMathType(convolution, measured), "setting the math mode");
    }

    bool tf32;
  };

  struct Workspace {
    void* memory = nullptr;
    explicit Workspace(size_t bytes) {
      if (bytes > 0) must(cudaMalloc(&memory, bytes), "allocating a workspace");
    }
    ~Workspace() { cudaFree(memory); }
    Workspace(const Workspace&) = delete;
  };

  // The first of cuDNN's list, which it orders by measured time, that worked.
  template <class Perf, class Find>
  static Perf fastest(const Find& find) {
    constexpr int most = 16;
    Perf list[most];
    int found = 0;
    must(find(most, &found, list), "looking for an algorithm");
    for (int i = 0; i < found; i++) {
      if (list[i].status == CUDNN_STATUS_SUCCESS) return list[i];
    }
    throw DeviceError("cuDNN: no algorithm for this layer");
  }

  cudnnHandle_t handle_{};
};

#else

struct Cudnn {
  static constexpr bool available = false;
  double seconds(Side, const kernels::ConvShape&, kernels::MathMode, float*, float*, float*) const { return 0; }
};

#endif

}  // namespace forger::bench

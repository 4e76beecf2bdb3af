#include "metrics/linear_algebra.h"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <Eigen/SVD>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"

namespace forger::metrics {

using Eigen::Map, Eigen::MatrixXd;

// Cholesky with pivots, in blocks, which Eigen lacks: its LDLT takes pivots from a diagonal that it does not keep up,
// and so does not find the rank. Here it ends when no pivot is left above rounding: what is left out of a singular
// matrix would be noise, and its square root, of order 1e-8, is noise that an eigendecomposition would keep.
std::optional<Factor> factor_of(std::vector<double> s, int64_t n) {
  constexpr int64_t block = 64;
  const double tolerance = static_cast<double>(n) * std::numeric_limits<double>::epsilon();
  // Columns of `a` left of `rank` hold the factor, the square right of it what is left of the matrix.
  Map<MatrixXd> a(s.data(), n, n);
  Eigen::VectorXd pivots;
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  int64_t rank = 0;
  for (bool done = false; !done && rank < n;) {
    const int64_t first = rank, last = std::min(n, first + block);
    pivots = a.diagonal();
    for (; rank < last; rank++) {
      int64_t pivot = 0;
      done = pivots.tail(n - rank).maxCoeff(&pivot) <= tolerance;
      if (done) break;
      pivot += rank;
      if (pivot != rank) {
        a.row(rank).swap(a.row(pivot));
        a.col(rank).tail(n - first).swap(a.col(pivot).tail(n - first));
        std::swap(pivots[rank], pivots[pivot]);
        std::swap(order[static_cast<size_t>(rank)], order[static_cast<size_t>(pivot)]);
      }
      const int64_t left = n - rank - 1, depth = rank - first;
      auto column = a.col(rank).tail(left);
      column.noalias() -= a.block(rank + 1, first, left, depth) * a.row(rank).segment(first, depth).transpose();
      a(rank, rank) = std::sqrt(pivots[rank]);
      column /= a(rank, rank);
      pivots.tail(left) -= column.cwiseAbs2();
    }
    const auto panel = a.block(rank, first, n - rank, rank - first);
    a.bottomRightCorner(n - rank, n - rank).noalias() -= panel * panel.transpose();
  }
  if ((a.bottomRightCorner(n - rank, n - rank).array().abs() >= 1e-4).any()) return std::nullopt;

  Factor factor{rank, std::vector<double>(static_cast<size_t>(n * rank))};
  Map<MatrixXd> transposed(factor.values.data(), rank, n);
  for (int64_t i = 0; i < n; i++) {
    const int64_t filled = std::min(i + 1, rank);
    transposed.col(order[static_cast<size_t>(i)]).head(filled) = a.row(i).head(filled);
  }
  return factor;
}

// Largest first; those of the transpose, as which Eigen sees it.
static Eigen::VectorXd singular_values(const std::vector<double>& a, int64_t m, int64_t n) {
  const Eigen::BDCSVD<MatrixXd> svd(Map<const MatrixXd>(a.data(), n, m));
  check<Error>(svd.info() == Eigen::Success, "the singular values of a matrix ", m, " x ", n, " did not converge");
  return svd.singularValues();
}

std::vector<double> solve(const std::vector<double>& a, const std::vector<double>& b, int64_t n, int64_t m) {
  using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  std::vector<double> x(b.size());
  Map<Rows>(x.data(), n, m) = Map<const MatrixXd>(a.data(), n, n).llt().solve(Map<const Rows>(b.data(), n, m));
  return x;
}

double nuclear_norm(const std::vector<double>& a, int64_t m, int64_t n) { return singular_values(a, m, n).sum(); }
double spectral_norm(const std::vector<double>& a, int64_t m, int64_t n) { return singular_values(a, m, n)[0]; }

std::vector<double> principal_axes(const std::vector<double>& s, int64_t n, int64_t count) {
  const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(Map<const MatrixXd>(s.data(), n, n));
  check<Error>(solver.info() == Eigen::Success, "the eigenvectors of a matrix ", n, " x ", n, " did not converge");
  std::vector<double> axes;
  for (int64_t k = 0; k < count; k++) {
    Eigen::VectorXd axis = solver.eigenvectors().col(n - 1 - k);  // eigenvalues rise
    int64_t largest = 0;
    axis.cwiseAbs().maxCoeff(&largest);
    if (axis[largest] < 0) axis = -axis;
    axes.insert(axes.end(), axis.begin(), axis.end());
  }
  return axes;
}

}  // namespace forger::metrics

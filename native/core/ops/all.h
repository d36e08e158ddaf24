// Every operation by name, each defined in the file of its kind.
#pragma once
#include "../op.h"

namespace lensor::ops {

// elementwise.cc
extern const Op kCopy, kUnary, kUnaryGrad, kBinary, kWhere;
// join.cc
extern const Op kCat;
// view.cc
extern const Op kPermute, kReshape, kExpand, kSlice;
// reduce.cc
extern const Op kReduce, kSoftmax, kSoftmaxGrad, kCumsum;
// matmul.cc
extern const Op kMatmul, kLinear, kEmbedding;
// adapter.cc
extern const Op kAdapted, kAdaptedGrad;
// dropout.cc
extern const Op kDropout;
// index.cc
extern const Op kGather, kScatterAdd, kTopK, kSort;
// experts.cc
extern const Op kRoute, kDispatch, kCombine, kCombineGrad, kGrouped, kGroupedOuter, kGroupedFrozen;
// norm.cc
extern const Op kNorm, kNormGrad, kGlu, kGluGrad, kRotate;
// loss.cc
extern const Op kRowLoss, kRowLossGrad, kLinearLoss, kLinearLogprobs, kLinearLogprobsGrad;
// attention.cc
extern const Op kAttention, kAttentionGrad, kReceived;
// sequence.cc
extern const Op kScan, kUnfold, kFold;
// solve.cc
extern const Op kCholesky, kSolveTriangular, kEigen, kMarkSmallest, kSparseSweep;
// grid.cc
extern const Op kRoundGroups;
// gptq.cc
extern const Op kGptqSweep;
// group.cc
extern const Op kGroupRows;
// match.cc
extern const Op kMatchLook, kMatchFit;

} // namespace lensor::ops

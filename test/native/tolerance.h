// How near each kernel comes to its formula in double: what the native tests allow, in one table
// (tolerance.cc), by what is computed, dtype and instruction set. `lensor-tests --tolerances` prints it with
// how much of each is used: where less than half is, it can be tightened; a kernel that needs more has got
// worse.
#pragma once
#include "check.h"
#include <string_view>

namespace lensor::test {

// What a found value may be off by, as CHECK_NEAR takes it: in parts of the wanted value, or absolute below
// one. Keeps count of how much is used.
class Tolerance {
public:
  Tolerance(double allowed, double* used) : allowed_(allowed), used_(used) {}
  // For a sum of more terms, or of larger ones.
  Tolerance operator*(double factor) const { return {allowed_ * factor, used_}; }
  double allowed() const { return allowed_; }
  bool holds(double found, double wanted) const;

private:
  double allowed_;
  double* used_; // the largest part of what was allowed so far
};

// Of a line of the table on the instruction set of `ops`; one that is not there fails the test.
Tolerance tolerance(const lensor_ops& ops, std::string_view work, int32_t dtype = LENSOR_F32);
void print_tolerances();

inline void check_near(const char* file, int line, const char* text, double found, double wanted,
                       const Tolerance& within) {
  if (within.holds(found, wanted)) return;
  check_near(file, line, text, found, wanted, within.allowed());
}

} // namespace lensor::test

// What the primitives of oneDNN share here.
#pragma once

#include <omp.h>

#include <dnnl.hpp>

namespace ravine::cpu {

dnnl::engine& onednn_engine();

// A primitive that runs inside a parallel region must be made for one thread, or it hangs.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

}  // namespace ravine::cpu

// How the tensor kernels go through memory: a strided view read in row-major order, block by block, and a
// loop cut into chunks that stops when the user interrupts. See vec.h for what this file may include.
#pragma once
#include "element.h"

namespace lensor::LENSOR_ISA {

// Elements in one chunk of an elementwise loop: about ten microseconds, so that waking a thread pays.
constexpr int64_t kGrain = 32 * kBlock;

// A view with neighbouring axes merged where one stride spans them: rank 1 and stride 1 is contiguous memory.
struct Walk {
  char* data;
  int64_t shape[LENSOR_MAX_RANK], stride[LENSOR_MAX_RANK];
  int32_t rank;
  int32_t size;

  bool contiguous() const { return rank == 1 && stride[0] == 1; }
  bool one_value() const { return rank == 1 && (stride[0] == 0 || shape[0] == 1); }
};

static inline Walk walk(const lensor_view* v) {
  Walk w;
  w.data = (char*)v->data;
  w.size = (int32_t)size_of(v->dtype);
  w.rank = 0;
  for (int i = 0; i < v->rank; i++) {
    const int64_t n = v->shape[i], step = v->stride[i];
    if (n == 1) continue;
    const int last = w.rank - 1;
    if (last >= 0 && w.stride[last] == step * n) {
      w.shape[last] *= n;
      w.stride[last] = step;
    } else {
      w.shape[w.rank] = n;
      w.stride[w.rank++] = step;
    }
  }
  if (w.rank == 0) {
    w.rank = 1;
    w.shape[0] = w.stride[0] = 1;
  }
  return w;
}

// Calls run(where, length, stride) for the pieces of elements [at, at + n) that lie along the last axis;
// `where` counts elements from the view's start.
template <class F> static inline void each_run(const Walk& w, int64_t at, int64_t n, const F& run) {
  int64_t index[LENSOR_MAX_RANK], where = 0, rest = at;
  for (int i = w.rank - 1; i >= 0; i--) {
    index[i] = rest % w.shape[i];
    rest /= w.shape[i];
    where += index[i] * w.stride[i];
  }
  const int last = w.rank - 1;
  for (int64_t done = 0; done < n;) {
    const int64_t length = least(n - done, w.shape[last] - index[last]);
    run(where, length, w.stride[last]);
    done += length;
    index[last] += length;
    where += length * w.stride[last];
    for (int i = last; i > 0 && index[i] == w.shape[i]; i--) {
      where += w.stride[i - 1] - index[i] * w.stride[i];
      index[i] = 0;
      index[i - 1]++;
    }
  }
}

// Elements [at, at + n) side by side: where they already are so, else copied to `scratch`.
template <class T> static inline const T* read_as(const Walk& w, int64_t at, int64_t n, void* scratch) {
  const T* data = (const T*)w.data;
  if (w.contiguous()) return data + at;
  T* to = (T*)scratch;
  each_run(w, at, n, [&](int64_t where, int64_t length, int64_t stride) {
    const T* from = data + where;
    if (stride == 1)
      memcpy(to, from, (size_t)length * sizeof(T));
    else if (const T value = *from; stride == 0)
      for (int64_t i = 0; i < length; i++) to[i] = value;
    else
      for (int64_t i = 0; i < length; i++) to[i] = from[i * stride];
    to += length;
  });
  return (const T*)scratch;
}

static inline const void* read(const Walk& w, int64_t at, int64_t n, void* scratch) {
  switch (w.size) {
  case 1:
    return read_as<uint8_t>(w, at, n, scratch);
  case 2:
    return read_as<uint16_t>(w, at, n, scratch);
  case 4:
    return read_as<uint32_t>(w, at, n, scratch);
  default:
    return read_as<uint64_t>(w, at, n, scratch);
  }
}

template <class T> static inline void write_as(const Walk& w, int64_t at, int64_t n, const void* values) {
  const T* from = (const T*)values;
  each_run(w, at, n, [&](int64_t where, int64_t length, int64_t stride) {
    T* to = (T*)w.data + where;
    for (int64_t i = 0; i < length; i++) to[i * stride] = from[i];
    from += length;
  });
}

// Puts n values side by side into elements [at, at + n).
static inline void write(const Walk& w, int64_t at, int64_t n, const void* values) {
  switch (w.size) {
  case 1:
    return write_as<uint8_t>(w, at, n, values);
  case 2:
    return write_as<uint16_t>(w, at, n, values);
  case 4:
    return write_as<uint32_t>(w, at, n, values);
  default:
    return write_as<uint64_t>(w, at, n, values);
  }
}

// body(begin, end, thread) over chunks of [0, items), polling for an interrupt before each. A lone thread may
// be handed all chunks at once, so they are cut here again.
template <class F>
static inline lensor_status in_chunks(lensor_context* context, int64_t items, int64_t grain, const F& body) {
  struct Job {
    lensor_context* context;
    const F* body;
    int64_t grain;
    int32_t stopped;
  } job{context, &body, grain, 0};
  context->parallel(
      context, items, grain,
      [](void* arg, int64_t begin, int64_t end, int32_t thread) {
        Job* job = (Job*)arg;
        for (int64_t at = begin; at < end; at += job->grain) {
          if (__atomic_load_n(&job->stopped, __ATOMIC_RELAXED)) return;
          if (job->context->interrupted(job->context)) {
            __atomic_store_n(&job->stopped, 1, __ATOMIC_RELAXED);
            return;
          }
          (*job->body)(at, least(end, at + job->grain), thread);
        }
      },
      &job);
  return job.stopped ? LENSOR_INTERRUPTED : LENSOR_OK;
}

} // namespace lensor::LENSOR_ISA

// SPDX-License-Identifier: LGPL-2.1-or-later
//
// As much of the CUDA driver as a peer needs, opened at run time.
#ifndef GPU_HPP
#define GPU_HPP

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace gpu {

// cuda.h's, of which no header is needed.
struct Copy2D {
  std::size_t source_x, source_y;
  unsigned source_kind;
  const void *source_host;
  std::uint64_t source_device;
  void *source_array;
  std::size_t source_pitch;
  std::size_t destination_x, destination_y;
  unsigned destination_kind;
  void *destination_host;
  std::uint64_t destination_device;
  void *destination_array;
  std::size_t destination_pitch;
  std::size_t row_bytes, rows;
};

enum : unsigned { kind_host = 1, kind_device = 2 };

class Driver {
 public:
  static const Driver &instance() {
    static const Driver driver;
    return driver;
  }

  int (*push)(void *context);
  int (*pop)(void **context);
  int (*device_of_current)(int *device);
  int (*retain)(void **context, int device);
  int (*let_go)(int device);
  int (*make_stream)(void **stream, unsigned flags);
  int (*end_stream)(void *stream);
  int (*wait_for_stream)(void *stream);
  int (*make_event)(void **event, unsigned flags);
  int (*end_event)(void *event);
  int (*record)(void *event, void *stream);
  int (*ask)(void *event);
  int (*wait_for_event)(void *event);
  int (*copy)(const Copy2D *copy, void *stream);
  int (*allocate)(void **memory, std::size_t bytes, unsigned flags);
  int (*release)(void *memory);

  static void require(int result, const char *what) {
    if (result != 0) {
      throw std::runtime_error(std::string(what) + " answered " + std::to_string(result));
    }
  }

 private:
  Driver() {
    load(push, "cuCtxPushCurrent_v2");
    load(pop, "cuCtxPopCurrent_v2");
    load(device_of_current, "cuCtxGetDevice");
    load(retain, "cuDevicePrimaryCtxRetain");
    load(let_go, "cuDevicePrimaryCtxRelease_v2");
    load(make_stream, "cuStreamCreate");
    load(end_stream, "cuStreamDestroy_v2");
    load(wait_for_stream, "cuStreamSynchronize");
    load(make_event, "cuEventCreate");
    load(end_event, "cuEventDestroy_v2");
    load(record, "cuEventRecord");
    load(ask, "cuEventQuery");
    load(wait_for_event, "cuEventSynchronize");
    load(copy, "cuMemcpy2DAsync_v2");
    load(allocate, "cuMemHostAlloc");
    load(release, "cuMemFreeHost");
  }

  template <class Function>
  void load(Function &function, const char *name) {
    if (library_ == nullptr) {
      library_ = dlopen("libcuda.so.1", RTLD_NOW);
    }
    void *found = library_ == nullptr ? nullptr : dlsym(library_, name);
    if (found == nullptr) {
      throw std::runtime_error(std::string(name) + " is not there: " + dlerror());
    }
    function = reinterpret_cast<Function>(found);
  }

  void *library_ = nullptr;
};

// Makes a context current for as long as it lives.
class Current {
 public:
  explicit Current(void *context) { Driver::require(Driver::instance().push(context), "cuCtxPushCurrent"); }
  Current(const Current &) = delete;
  Current &operator=(const Current &) = delete;
  ~Current() {
    void *context;
    Driver::instance().pop(&context);
  }
};

// Keeps a device's primary context alive: what a peer makes in it outlives the subscriber or publisher that told the context.
class Primary {
 public:
  explicit Primary(void *context) {
    const Current current(context);
    Driver::require(Driver::instance().device_of_current(&device_), "cuCtxGetDevice");
    Driver::require(Driver::instance().retain(&context_, device_), "cuDevicePrimaryCtxRetain");
  }
  Primary(const Primary &) = delete;
  Primary &operator=(const Primary &) = delete;
  ~Primary() { Driver::instance().let_go(device_); }

  void *raw() const noexcept { return context_; }

 private:
  int device_ = 0;
  void *context_ = nullptr;
};

// Pinned main memory that a device copies to or from.
class Buffer {
 public:
  explicit Buffer(void *context) : context_(context) {}
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;
  ~Buffer() { drop(); }

  // At least so many bytes; what was there is lost. No copy may be under way.
  std::uint8_t *reserve(std::size_t bytes) {
    if (bytes > bytes_) {
      drop();
      const Current current(context_);
      Driver::require(Driver::instance().allocate(&memory_, bytes, 0), "cuMemHostAlloc");
      bytes_ = bytes;
    }
    return data();
  }

  std::uint8_t *data() const noexcept { return static_cast<std::uint8_t *>(memory_); }

 private:
  void drop() {
    if (memory_ != nullptr) {
      const Current current(context_);
      Driver::instance().release(memory_);
      memory_ = nullptr;
      bytes_ = 0;
    }
  }

  void *context_;
  void *memory_ = nullptr;
  std::size_t bytes_ = 0;
};

class Event {
 public:
  explicit Event(void *context) : context_(context) {
    const Current current(context);
    Driver::require(Driver::instance().make_event(&event_, 2), "cuEventCreate");  // without times
  }
  Event(const Event &) = delete;
  Event &operator=(const Event &) = delete;
  ~Event() {
    const Current current(context_);
    Driver::instance().end_event(event_);
  }

  void record(void *stream) {
    const Current current(context_);
    Driver::require(Driver::instance().record(event_, stream), "cuEventRecord");
  }

  bool is_complete() const {
    const Current current(context_);
    const int result = Driver::instance().ask(event_);
    const int not_ready = 600;
    if (result == not_ready) {
      return false;
    }
    Driver::require(result, "cuEventQuery");
    return true;
  }

  void wait() const {
    const Current current(context_);
    Driver::require(Driver::instance().wait_for_event(event_), "cuEventSynchronize");
  }

 private:
  void *context_;
  void *event_ = nullptr;
};

class Stream {
 public:
  explicit Stream(void *context) : context_(context) {
    const Current current(context);
    Driver::require(Driver::instance().make_stream(&stream_, 1), "cuStreamCreate");  // not in step with the default stream
  }
  Stream(const Stream &) = delete;
  Stream &operator=(const Stream &) = delete;
  ~Stream() {
    const Current current(context_);
    Driver::instance().wait_for_stream(stream_);
    Driver::instance().end_stream(stream_);
  }

  void *raw() const noexcept { return stream_; }

  void *context() const noexcept { return context_; }

  void wait() const {
    const Current current(context_);
    Driver::require(Driver::instance().wait_for_stream(stream_), "cuStreamSynchronize");
  }

  // Enqueues the copy of rows between pinned and device memory.
  void enqueue(const Copy2D &copy) {
    const Current current(context_);
    Driver::require(Driver::instance().copy(&copy, stream_), "cuMemcpy2DAsync");
  }

 private:
  void *context_;
  void *stream_ = nullptr;
};

}  // namespace gpu

#endif

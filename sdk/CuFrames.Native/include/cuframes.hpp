/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * CuFrames in C++17: classes over cuframes.h, in this header alone. Link with libcuframes (pkg-config cuframes, or CMake's cuframes::cuframes).
 * docs/c-api.md is the manual.
 *
 *     #include <cuframes.hpp>
 *
 *     cuframes::Subscriber sub("cam1");
 *     while (auto frame = sub.next()) {
 *       process_on_cuda(frame->cuda_ptr, frame->width, frame->height);
 *     }
 *
 * Rules that hold for all of it:
 *
 * - Objects that hold something can be moved and not copied. Destructors let go of it, and never throw.
 * - What fails throws cuframes::Error, unless it is marked noexcept; text that does not fit into memory throws std::bad_alloc.
 * - The names, units and threads are those of cuframes.h. Constants are used as they are there: CUFRAMES_NV12, CUFRAMES_IN_ORDER.
 * - Different objects may be used by different threads at once. For one object each member says what may run beside it; where nothing is said,
 *   one thread at a time. An object may be moved or destroyed only while no other thread uses it.
 */
#ifndef CUFRAMES_HPP
#define CUFRAMES_HPP

#include "cuframes.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace cuframes {

class Subscriber;
class Publisher;

/** A call failed. what() is the sentence: what was tried, what was found, what to do. */
class Error : public std::runtime_error {
 public:
  /** An error with a code of cuframes_error and its sentence. */
  Error(std::int32_t code, const std::string &text) : std::runtime_error(text), code_(code) {}

  /** One of cuframes_error: of the protocol's codes, or from 1000 on the library's own. */
  std::int32_t code() const noexcept { return code_; }

  /** The code's name, such as "STREAM_NOT_FOUND". */
  const char *name() const noexcept { return cuframes_error_name(code_); }

 private:
  std::int32_t code_;
};

namespace detail {

inline void require(std::int32_t code) {
  if (code != CUFRAMES_OK) {
    throw Error(code, cuframes_last_error());
  }
}

/* A view's text with the zero byte that C wants. */
inline std::string text(std::string_view view, const char *what) {
  if (view.find('\0') != std::string_view::npos) {
    throw Error(CUFRAMES_INVALID_ARGUMENT, std::string("The ") + what + " has a zero byte in it; texts end with their first one.");
  }
  return std::string(view);
}

/* Null for an empty text: the default. */
inline const char *text_or_default(const std::string &text) noexcept { return text.empty() ? nullptr : text.c_str(); }

/* Nanoseconds, rounded up so that a wait is not shorter than asked for. Less than nothing is nothing: it must not pass for CUFRAMES_FOREVER. */
template <class Rep, class Period>
std::int64_t to_nanoseconds(std::chrono::duration<Rep, Period> time) {
  const auto exact = std::chrono::duration<long double, std::nano>(time).count();
  if (!(exact > 0)) {
    return 0;
  }
  /* 2^63 is the first that does not fit. */
  if (exact >= 9223372036854775808.0L) {
    return INT64_MAX;
  }
  const auto whole = static_cast<std::int64_t>(exact);
  return static_cast<long double>(whole) < exact ? whole + 1 : whole;
}

}  // namespace detail

/** Elements that lie one after the other in memory of somebody else, as C++20's std::span, which can be made from it. */
template <class T>
class Span {
 public:
  /** A span of count elements from data on. */
  constexpr Span(T *data, std::size_t count) noexcept : data_(data), size_(count) {}

  /** The first element. */
  constexpr T *data() const noexcept { return data_; }

  /** How many elements there are. */
  constexpr std::size_t size() const noexcept { return size_; }

  /** Whether there is none. */
  constexpr bool empty() const noexcept { return size_ == 0; }

  /** The first element. */
  constexpr T *begin() const noexcept { return data_; }

  /** Behind the last element. */
  constexpr T *end() const noexcept { return data_ + size_; }

  /** An element, from 0; not checked. */
  constexpr T &operator[](std::size_t index) const noexcept { return data_[index]; }

 private:
  T *data_;
  std::size_t size_;
};

/** One plane of a picture. Byte is const where it must not be written. */
template <class Byte>
struct BasicPlane {
  /** First visible byte: an address in main memory, or a CUDA device pointer if the frame's memory is CUDA. */
  Byte *data = nullptr;

  /** Bytes from one row to the next, a multiple of 64. */
  std::int64_t pitch = 0;

  /** Bytes that a row holds, without padding. */
  std::int64_t row_bytes = 0;

  /** Rows. */
  std::int64_t rows = 0;

  /** Bytes of a row, from 0, without padding; not checked. In device memory the span tells where they lie; the CPU cannot read them. */
  Span<Byte> row(std::int64_t index) const noexcept { return {data + index * pitch, static_cast<std::size_t>(row_bytes)}; }
};

/** A plane of a frame that was taken. It is mapped read-only: writing there ends the process with SIGSEGV. */
using Plane = BasicPlane<const std::uint8_t>;

/** A plane of a picture that is being written. */
using WritablePlane = BasicPlane<std::uint8_t>;

/** The planes that a picture has, in the order of its pixel format. */
template <class Byte>
class Planes {
 public:
  /** No plane. */
  Planes() noexcept = default;

  /** The planes of a frame of the C interface. */
  explicit Planes(const cuframes_frame &frame) noexcept : size_(frame.plane_count) {
    for (std::size_t i = 0; i < size_; i++) {
      const cuframes_plane &plane = frame.planes[i];
      planes_[i].data = static_cast<Byte *>(plane.data);
      planes_[i].pitch = plane.pitch;
      planes_[i].row_bytes = plane.row_bytes;
      planes_[i].rows = plane.rows;
    }
  }

  /** How many there are. */
  std::size_t size() const noexcept { return size_; }

  /** The first plane. */
  const BasicPlane<Byte> *begin() const noexcept { return planes_.data(); }

  /** Behind the last plane. */
  const BasicPlane<Byte> *end() const noexcept { return planes_.data() + size_; }

  /** A plane, from 0; not checked. */
  const BasicPlane<Byte> &operator[](std::size_t index) const noexcept { return planes_[index]; }

 private:
  std::array<BasicPlane<Byte>, CUFRAMES_MAX_PLANES> planes_{};
  std::size_t size_ = 0;
};

/** A frame that was taken. Nobody writes to it until it is released: by release(), or by the destructor. It may outlive its subscriber, and may
 * be read and released by any thread. GPU work that still reads it needs release(stream): the destructor does not know of that work. */
class Frame {
 public:
  /** Owns a frame of the C interface: it must not be released elsewhere. */
  explicit Frame(const cuframes_frame &frame) noexcept { assign(frame); }

  /** Takes another object's frame over, which holds none then. */
  Frame(Frame &&other) noexcept { assign(other.detach()); }

  /** Releases this frame and takes another object's over. */
  Frame &operator=(Frame &&other) noexcept {
    if (this != &other) {
      forget();
      assign(other.detach());
    }
    return *this;
  }

  Frame(const Frame &) = delete;
  Frame &operator=(const Frame &) = delete;

  /** Releases the frame if it is still held, as release() does; a failure is not told. */
  ~Frame() { forget(); }

  /** The first plane in device memory, a CUdeviceptr; null: main memory, or not held. Work on any CUDA stream may read there at once. Other planes,
   * and how far rows are apart, are in planes. */
  void *cuda_ptr = nullptr;

  /** Visible columns. */
  std::uint32_t width = 0;

  /** Visible rows. */
  std::uint32_t height = 0;

  /** One of cuframes_pixel_format. */
  std::uint32_t pixel_format = CUFRAMES_FORMAT_UNKNOWN;

  /** CUFRAMES_MEMORY_HOST or CUFRAMES_MEMORY_CUDA. */
  std::uint32_t memory = 0;

  /** Ordinal of the CUDA device in this process; -1: main memory. */
  std::int32_t cuda_device = -1;

  /** Number in its epoch, from 1. */
  std::uint64_t sequence = 0;

  /** The publisher's run. */
  std::uint64_t epoch = 0;

  /** Frames skipped between the one taken before and this one. */
  std::uint64_t missed = 0;

  /** The picture: planes[0] is the first plane. Crop is applied. */
  Planes<const std::uint8_t> planes;

  /** What else is known of the frame: times in nanoseconds, flags, colours. */
  cuframes_metadata metadata{};

  /** Whether the frame is held: neither released nor moved away. */
  bool held() const noexcept { return frame_.lease != 0; }

  /** Lets go of the frame; nothing may read it any more. Does nothing if it is not held. Throws Error. */
  void release() {
    if (held()) {
      cuframes_frame frame = detach();
      detail::require(cuframes_frame_release(&frame));
    }
  }

  /** Lets go of the frame behind the work that is in a CUDA stream now (CUstream or cudaStream_t; null is the legacy default stream), without waiting for
   * it unless the release fence is CPU. A frame in main memory is released at once. Does nothing if the frame is not held. Throws Error: with
   * CUDA_CALL_FAILED the frame is still held. */
  void release(void *stream) {
    if (held()) {
      detail::require(cuframes_frame_release_stream(&frame_, stream));
      detach();
    }
  }

  /** Whether the content can be trusted. False after an eviction, or when the frame is not held: what was read since the frame was taken may be another
   * frame's. Ask after the last read where that matters. */
  bool is_valid() const noexcept { return cuframes_frame_check(&frame_) == CUFRAMES_OK; }

  /** One more owner of this frame, for another thread or a later stage. The lease ends with the last owner. Throws Error: INVALID_HANDLE. */
  Frame retain() const {
    detail::require(cuframes_frame_retain(&frame_));
    return Frame(frame_);
  }

  /** Copies the picture to main memory: planes in order, rows without padding, cuframes_picture_bytes bytes. Throws Error: FRAME_LOST, CUDA_CALL_FAILED,
   * INVALID_ARGUMENT when size is too small. */
  void copy(void *destination, std::size_t size) const { detail::require(cuframes_frame_copy(&frame_, destination, size)); }

  /** As copy(destination, size), into memory of its own. */
  std::vector<std::uint8_t> copy() const {
    std::vector<std::uint8_t> picture(static_cast<std::size_t>(cuframes_picture_bytes(pixel_format, width, height)));
    copy(picture.data(), picture.size());
    return picture;
  }

  /** A DLPack tensor of a plane: a DLManagedTensor, or if versioned a DLManagedTensorVersioned. It is one more owner of the frame; its deleter, which whoever
   * gets it calls, releases it. Throws Error. */
  void *to_dlpack(std::uint32_t plane, bool versioned = false) const { return make_dlpack(plane, versioned, nullptr, 0); }

  /** As to_dlpack(plane, versioned); the deleter releases behind the work that is in the consumer's stream then. */
  void *to_dlpack(std::uint32_t plane, bool versioned, void *stream) const { return make_dlpack(plane, versioned, stream, 1); }

  /** The frame of the C interface; it stays this object's. */
  const cuframes_frame &raw() const noexcept { return frame_; }

 private:
  void assign(const cuframes_frame &frame) noexcept {
    frame_ = frame;
    const bool is_held = frame.lease != 0;
    planes = is_held ? Planes<const std::uint8_t>(frame) : Planes<const std::uint8_t>();
    cuda_ptr = is_held && frame.memory == CUFRAMES_MEMORY_CUDA ? frame.planes[0].data : nullptr;
    width = frame.width;
    height = frame.height;
    pixel_format = frame.pixel_format;
    memory = frame.memory;
    cuda_device = frame.cuda_device;
    sequence = frame.sequence;
    epoch = frame.epoch;
    missed = frame.missed;
    metadata = frame.metadata;
  }

  /* Holds nothing any more: there is nothing left to read through. */
  cuframes_frame detach() noexcept {
    cuframes_frame frame = frame_;
    frame_.lease = 0;
    planes = Planes<const std::uint8_t>();
    cuda_ptr = nullptr;
    return frame;
  }

  void forget() noexcept {
    if (held()) {
      cuframes_frame frame = detach();
      cuframes_frame_release(&frame);
    }
  }

  void *make_dlpack(std::uint32_t plane, bool versioned, void *stream, std::uint32_t has_stream) const {
    void *tensor = nullptr;
    detail::require(cuframes_frame_to_dlpack(&frame_, plane, versioned ? 1U : 0U, stream, has_stream, &tensor));
    return tensor;
  }

  cuframes_frame frame_ = CUFRAMES_FRAME_INIT;
};

/** Something that happened to a subscriber or at a publisher. */
struct Event {
  /** One of cuframes_event_kind. */
  std::uint32_t kind = 0;

  /** Why, one of cuframes_error; CUFRAMES_OK when nothing went wrong. */
  std::uint32_t code = CUFRAMES_OK;

  /** The publisher's run that it is about; 0: none. */
  std::uint64_t epoch = 0;

  /** At a publisher: which subscriber; 0: none. */
  std::uint64_t subscriber_id = 0;

  /** A sentence for people. Valid during the call only. */
  std::string_view text;
};

/** Is told of events. It must return soon, must not call the library, and must not throw: std::terminate is called then. */
using EventCallback = std::function<void(const Event &)>;

/** How to read a stream. */
struct SubscriberOptions {
  /** NEWEST, IN_ORDER or LOSSLESS. */
  cuframes_delivery delivery = CUFRAMES_NEWEST;

  /** Frames that are to be held at once, 1 to 64. The publisher may grant fewer. */
  std::uint32_t leases = 2;

  /** Bits of cuframes_fence that may be used for frames in device memory; 0: all. CPU always may. */
  std::uint32_t fences = 0;

  /** Whether next() connects again when the publisher is gone or has evicted this subscriber. False: next() is empty when the stream has ended, and
   * throws after an eviction. */
  bool reconnect = true;

  /** Whether a stream that nobody publishes yet is waited for in next(), instead of being an error of the constructor. */
  bool wait_for_stream = false;

  /** Directory of the sockets; empty: runtime_directory(). */
  std::string directory;

  /** Name that the publisher is told; empty: the name of this process. */
  std::string program;

  /** CUcontext in which frames in device memory are mapped. It stays the caller's and must outlive the subscriber and its frames. Null: the primary
   * context of the stream's device, which CUDA's runtime and the frameworks use. */
  void *cuda_context = nullptr;

  /** Is called by the thread that is in next(), inside that call, and by the one that constructs. */
  EventCallback on_event;
};

namespace detail {

inline void tell(void *user, const cuframes_event *event) noexcept {
  Event told;
  told.kind = event->kind;
  told.code = event->code;
  told.epoch = event->epoch;
  told.subscriber_id = event->subscriber_id;
  told.text = event->text != nullptr ? std::string_view(event->text) : std::string_view();
  (*static_cast<const EventCallback *>(user))(told);
}

/* A callback at an address that stays when its owner is moved. */
inline std::unique_ptr<EventCallback> keep(EventCallback callback) {
  return callback ? std::make_unique<EventCallback>(std::move(callback)) : nullptr;
}

}  // namespace detail

/** Reads a stream. */
class Subscriber {
 public:
  /** Connects to a stream. Throws Error: STREAM_NOT_FOUND unless wait_for_stream, INVALID_KEY, CONFIGURATION_INVALID, the publisher's refusal,
   * CUDA_CALL_FAILED. */
  explicit Subscriber(std::string_view key, SubscriberOptions options = {})
      : on_event_(detail::keep(std::move(options.on_event))), reconnects_(options.reconnect) {
    const std::string key_text = detail::text(key, "key");
    cuframes_subscriber_options raw = CUFRAMES_SUBSCRIBER_OPTIONS_INIT;
    raw.delivery = options.delivery;
    raw.leases = options.leases;
    raw.fences = options.fences;
    raw.no_reconnect = options.reconnect ? 0 : 1;
    raw.wait_for_stream = options.wait_for_stream ? 1 : 0;
    raw.directory = detail::text_or_default(options.directory);
    raw.program = detail::text_or_default(options.program);
    raw.cuda_context = options.cuda_context;
    if (on_event_ != nullptr) {
      raw.on_event = detail::tell;
      raw.event_user = on_event_.get();
    }
    detail::require(cuframes_subscriber_open(key_text.c_str(), &raw, &subscriber_));
  }

  /** Takes another object's subscriber over. */
  Subscriber(Subscriber &&other) noexcept
      : on_event_(std::move(other.on_event_)),
        subscriber_(std::exchange(other.subscriber_, nullptr)),
        reconnects_(other.reconnects_),
        end_code_(other.end_code_) {}

  /** Leaves the stream and takes another object's subscriber over. */
  Subscriber &operator=(Subscriber &&other) noexcept {
    if (this != &other) {
      close();
      on_event_ = std::move(other.on_event_);
      subscriber_ = std::exchange(other.subscriber_, nullptr);
      reconnects_ = other.reconnects_;
      end_code_ = other.end_code_;
    }
    return *this;
  }

  Subscriber(const Subscriber &) = delete;
  Subscriber &operator=(const Subscriber &) = delete;

  /** Leaves the stream. */
  ~Subscriber() { close(); }

  /** Takes a frame, waiting for it without a limit, connecting again if need be. Empty: interrupt() was called, or with reconnect off the stream has ended.
   * Throws Error: LEASES_EXHAUSTED when as many frames are held as were granted, with reconnect off an eviction's code, the refusal to have us back,
   * PROTOCOL_ERROR and its kin for a publisher that breaks the protocol; after these two the next call connects again. No allocation. */
  std::optional<Frame> next() { return take(CUFRAMES_FOREVER); }

  /** As next(), waiting up to a time; empty too when no frame came in time. A time of 0 does not wait. */
  template <class Rep, class Period>
  std::optional<Frame> next(std::chrono::duration<Rep, Period> timeout) {
    return take(detail::to_nanoseconds(timeout));
  }

  /** With reconnect off: whether the stream has ended, so that next() will be empty for ever. */
  bool ended() const noexcept { return end_code_ != CUFRAMES_OK; }

  /** Why the stream has ended, one of cuframes_error: SHUTTING_DOWN when the publisher said goodbye, DISCONNECTED when it is gone without a word.
   * CUFRAMES_OK while ended() is false. */
  std::int32_t end_code() const noexcept { return end_code_; }

  /** Ends a wait in next(), now or the next one, within 50 ms. Any thread. Not for signal handlers. */
  void interrupt() { detail::require(cuframes_subscriber_interrupt(subscriber_)); }

  /** A descriptor for poll, select, epoll and event loops; it belongs to the subscriber. When it is readable, take with next(0) until that is empty:
   * only then it becomes readable again. */
  int descriptor() {
    int descriptor = -1;
    detail::require(cuframes_subscriber_descriptor(subscriber_, &descriptor));
    return descriptor;
  }

  /** Figures of the subscriber. */
  cuframes_subscriber_info info() const {
    cuframes_subscriber_info info = CUFRAMES_SUBSCRIBER_INFO_INIT;
    detail::require(cuframes_subscriber_get_info(subscriber_, &info));
    return info;
  }

  /** Leaves the stream now; the object cannot be used any more. Frames that are held keep their memory mapped, but may be overwritten. */
  void close() noexcept { cuframes_subscriber_close(std::exchange(subscriber_, nullptr)); }

  /** The handle of the C interface; it stays this object's. Null after close(). */
  cuframes_subscriber *raw() const noexcept { return subscriber_; }

 private:
  std::optional<Frame> take(std::int64_t timeout) {
    if (ended()) {
      return std::nullopt;
    }
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    const std::int32_t code = cuframes_subscriber_next(subscriber_, timeout, &frame);
    switch (code) {
      case CUFRAMES_OK:
        return std::optional<Frame>(std::in_place, frame);
      case CUFRAMES_TIMED_OUT:
      case CUFRAMES_INTERRUPTED:
        return std::nullopt;
      case CUFRAMES_DISCONNECTED:
      case CUFRAMES_SHUTTING_DOWN:
        if (!reconnects_) {
          end_code_ = code;
          return std::nullopt;
        }
        break;
      default:
        break;
    }
    throw Error(code, cuframes_last_error());
  }

  std::unique_ptr<EventCallback> on_event_;
  cuframes_subscriber *subscriber_ = nullptr;
  bool reconnects_;
  std::int32_t end_code_ = CUFRAMES_OK;
};

/** A stream's format: a cuframes_format whose size is set. */
struct Format : cuframes_format {
  /** No format: pixel_format, width and height are to be filled in. */
  Format() noexcept : cuframes_format(CUFRAMES_FORMAT_INIT) {}

  /** Pixel format, visible columns and rows, and frames per second as a fraction; a numerator of 0: not known. */
  Format(std::uint32_t format, std::uint32_t columns, std::uint32_t lines, std::uint32_t rate = 0, std::uint32_t rate_divisor = 1) noexcept : Format() {
    pixel_format = format;
    width = columns;
    height = lines;
    rate_numerator = rate;
    rate_denominator = rate == 0 ? 0 : rate_divisor;
  }
};

/** How to publish a stream. */
struct PublisherOptions {
  /** HOST, CUDA or CUDA_IPC. */
  cuframes_memory memory = CUFRAMES_MEMORY_HOST;

  /** Slots that the ring begins with, 2 to max_slots. */
  std::uint32_t slots = 6;

  /** Limit to which it grows when slots are held, up to 48. */
  std::uint32_t max_slots = 24;

  /** Most subscribers. */
  std::uint32_t max_subscribers = 64;

  /** Most frames that one subscriber may hold, 1 to 64. */
  std::uint32_t max_leases = 8;

  /** Bytes of all segments; 0: twice what max_slots frames need. */
  std::int64_t memory_limit = 0;

  /** Time for which the ring must have been larger than needed before it shrinks. */
  std::chrono::nanoseconds shrink_after = std::chrono::seconds(10);

  /** Time for which a lease is safe while frames are dropped for want of slots. */
  std::chrono::nanoseconds lease_timeout = std::chrono::seconds(5);

  /** Longest wait for a lossless subscriber, which is evicted then; 0: lossless delivery is not offered. */
  std::chrono::nanoseconds lossless_timeout{0};

  /** Directory for socket and lock; empty: runtime_directory(). */
  std::string directory;

  /** Name that readers are told; empty: the name of this process. */
  std::string program;

  /** Where frames come from, told to readers: must not hold secrets. */
  std::string source;

  /** CUcontext of the device that frames lie on; it stays the caller's and must outlive the publisher. Null: the primary context of cuda_device. */
  void *cuda_context = nullptr;

  /** Ordinal; used when memory is CUDA and cuda_context is null. */
  std::int32_t cuda_device = 0;

  /** Who may read. */
  cuframes_readers readers = CUFRAMES_READERS_OWN_USER_AND_GROUP;

  /** Ids of users who may read too. */
  std::vector<std::uint32_t> users;

  /** Ids of groups whose members may read too. */
  std::vector<std::uint32_t> groups;

  /** Is called by any thread, the publisher's control thread above all. */
  EventCallback on_event;
};

/** A frame that is being written. Write all planes, then publish; the destructor abandons what was not published. The publishing thread only. It must not
 * outlive its publisher. */
class Picture {
 public:
  /** Takes another object's frame over, which has none then. */
  Picture(Picture &&other) noexcept { take(other); }

  /** Abandons this frame and takes another object's over. */
  Picture &operator=(Picture &&other) noexcept {
    if (this != &other) {
      abandon();
      take(other);
    }
    return *this;
  }

  Picture(const Picture &) = delete;
  Picture &operator=(const Picture &) = delete;

  /** Abandons the frame if it was not published. */
  ~Picture() { abandon(); }

  /** The first plane in device memory, a CUdeviceptr of the publisher's context; null: main memory, or not open. */
  void *cuda_ptr = nullptr;

  /** Visible columns. */
  std::uint32_t width = 0;

  /** Visible rows. */
  std::uint32_t height = 0;

  /** One of cuframes_pixel_format. */
  std::uint32_t pixel_format = CUFRAMES_FORMAT_UNKNOWN;

  /** CUFRAMES_MEMORY_HOST or CUFRAMES_MEMORY_CUDA. */
  std::uint32_t memory = 0;

  /** Where to write. The old content is anything: write every row. */
  Planes<std::uint8_t> planes;

  /** What readers are told of the frame. begin() fills in the format's colours; publish() takes it as it is then, and sets publish_time itself. */
  cuframes_metadata metadata{};

  /** Whether the frame is open: neither published, abandoned nor moved away. */
  bool open() const noexcept { return publisher_ != nullptr; }

  /** Announces the frame. All bytes must be written, by a GPU too. Returns its sequence. Throws Error. */
  std::uint64_t publish() {
    std::uint64_t sequence = 0;
    frame_.metadata = metadata;
    detail::require(cuframes_publisher_publish(publisher_, &frame_, &sequence));
    forget();
    return sequence;
  }

  /** Waits for the work that is in a CUDA stream now, and for nothing else, then announces the frame. Returns its sequence. Throws Error:
   * CUDA_CALL_FAILED, and the frame is not announced. */
  std::uint64_t publish(void *stream) {
    std::uint64_t sequence = 0;
    frame_.metadata = metadata;
    detail::require(cuframes_publisher_publish_stream(publisher_, &frame_, stream, &sequence));
    forget();
    return sequence;
  }

  /** Gives the slot back unpublished. Does nothing if the frame is not open. */
  void abandon() noexcept {
    if (open()) {
      cuframes_publisher_abandon(publisher_, &frame_);
      forget();
    }
  }

  /** The frame of the C interface; it stays this object's. */
  const cuframes_frame &raw() const noexcept { return frame_; }

 private:
  friend class Publisher;

  Picture(cuframes_publisher *publisher, const cuframes_frame &frame) noexcept
      : cuda_ptr(frame.memory == CUFRAMES_MEMORY_CUDA ? frame.planes[0].data : nullptr),
        width(frame.width),
        height(frame.height),
        pixel_format(frame.pixel_format),
        memory(frame.memory),
        planes(frame),
        metadata(frame.metadata),
        publisher_(publisher),
        frame_(frame) {}

  void take(Picture &other) noexcept {
    cuda_ptr = other.cuda_ptr;
    width = other.width;
    height = other.height;
    pixel_format = other.pixel_format;
    memory = other.memory;
    planes = other.planes;
    metadata = other.metadata;
    publisher_ = other.publisher_;
    frame_ = other.frame_;
    other.forget();
  }

  void forget() noexcept {
    publisher_ = nullptr;
    cuda_ptr = nullptr;
    planes = Planes<std::uint8_t>();
  }

  cuframes_publisher *publisher_ = nullptr;
  cuframes_frame frame_ = CUFRAMES_FRAME_INIT;
};

/** Publishes a stream. One thread at a time publishes. */
class Publisher {
 public:
  /** Takes a key and waits for readers. Throws Error: ALREADY_PUBLISHED, INVALID_KEY, ACCESS_DENIED, CONFIGURATION_INVALID, OUT_OF_RESOURCES,
   * FORMAT_UNSUPPORTED, CUDA_UNAVAILABLE, CUDA_CALL_FAILED, SYSTEM_CALL_FAILED. */
  explicit Publisher(std::string_view key, const Format &format, PublisherOptions options = {}) : Publisher(key, &format, std::move(options)) {}

  /** As above; configure() must set the format before the first frame. */
  explicit Publisher(std::string_view key, PublisherOptions options = {}) : Publisher(key, nullptr, std::move(options)) {}

  /** Takes another object's publisher over. */
  Publisher(Publisher &&other) noexcept : on_event_(std::move(other.on_event_)), publisher_(std::exchange(other.publisher_, nullptr)) {}

  /** Ends this stream and takes another object's publisher over. */
  Publisher &operator=(Publisher &&other) noexcept {
    if (this != &other) {
      close();
      on_event_ = std::move(other.on_event_);
      publisher_ = std::exchange(other.publisher_, nullptr);
    }
    return *this;
  }

  Publisher(const Publisher &) = delete;
  Publisher &operator=(const Publisher &) = delete;

  /** Says goodbye to the readers and gives the key back. */
  ~Publisher() { close(); }

  /** Sets or changes the format. Throws Error: FORMAT_UNSUPPORTED, OUT_OF_RESOURCES (the old format goes on), WRONG_STATE while a picture is open. */
  void configure(const Format &format) { detail::require(cuframes_publisher_configure(publisher_, &format)); }

  /** Begins a frame; one at a time is open. Empty: dropped, because readers hold every slot; the publisher never waits for them. Throws Error. No allocation. */
  std::optional<Picture> begin() {
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    const std::int32_t code = cuframes_publisher_begin(publisher_, &frame);
    if (code == CUFRAMES_DROPPED) {
      return std::nullopt;
    }
    detail::require(code);
    return Picture(publisher_, frame);
  }

  /** Tells readers of the source: STARTING, LIVE or SOURCE_LOST, with a reason for people. Any thread. Throws Error. */
  void set_state(cuframes_stream_state state, std::string_view reason = {}) {
    detail::require(cuframes_publisher_set_state(publisher_, state, detail::text_or_default(detail::text(reason, "reason"))));
  }

  /** Evicts a subscriber; it is told the reason. Any thread. Throws Error: INVALID_ARGUMENT when there is none with this id. */
  void evict(std::uint64_t subscriber_id, std::string_view reason = {}) {
    detail::require(cuframes_publisher_evict(publisher_, subscriber_id, detail::text_or_default(detail::text(reason, "reason"))));
  }

  /** Figures of the publisher. Any thread. */
  cuframes_publisher_info info() const {
    cuframes_publisher_info info = CUFRAMES_PUBLISHER_INFO_INIT;
    detail::require(cuframes_publisher_get_info(publisher_, &info));
    return info;
  }

  /** The subscribers, as they are now. Any thread. */
  std::vector<cuframes_subscriber_statistics> subscribers() const {
    std::vector<cuframes_subscriber_statistics> found;
    std::size_t count = 0;
    do {
      /* Those who join between two calls make it grow once more. */
      found.resize(count);
      detail::require(cuframes_publisher_get_subscribers(publisher_, found.data(), sizeof(cuframes_subscriber_statistics), found.size(), &count));
    } while (count > found.size());
    found.resize(count);
    return found;
  }

  /** Says goodbye to the readers and gives the key back now; the object cannot be used any more. */
  void close() noexcept { cuframes_publisher_close(std::exchange(publisher_, nullptr)); }

  /** The handle of the C interface; it stays this object's. Null after close(). */
  cuframes_publisher *raw() const noexcept { return publisher_; }

 private:
  Publisher(std::string_view key, const cuframes_format *format, PublisherOptions options) : on_event_(detail::keep(std::move(options.on_event))) {
    const std::string key_text = detail::text(key, "key");
    cuframes_publisher_options raw = CUFRAMES_PUBLISHER_OPTIONS_INIT;
    raw.memory = options.memory;
    raw.slots = options.slots;
    raw.max_slots = options.max_slots;
    raw.max_subscribers = options.max_subscribers;
    raw.max_leases = options.max_leases;
    raw.memory_limit = options.memory_limit;
    raw.shrink_after = options.shrink_after.count();
    raw.lease_timeout = options.lease_timeout.count();
    raw.lossless_timeout = options.lossless_timeout.count();
    raw.directory = detail::text_or_default(options.directory);
    raw.program = detail::text_or_default(options.program);
    raw.source = detail::text_or_default(options.source);
    raw.cuda_context = options.cuda_context;
    raw.cuda_device = options.cuda_device;
    raw.readers = options.readers;
    raw.users = options.users.data();
    raw.groups = options.groups.data();
    raw.user_count = static_cast<std::uint32_t>(options.users.size());
    raw.group_count = static_cast<std::uint32_t>(options.groups.size());
    if (on_event_ != nullptr) {
      raw.on_event = detail::tell;
      raw.event_user = on_event_.get();
    }
    detail::require(cuframes_publisher_open(key_text.c_str(), &raw, format, &publisher_));
  }

  std::unique_ptr<EventCallback> on_event_;
  cuframes_publisher *publisher_ = nullptr;
};

/** A track of packets and a set of its parameters: a cuframes_packet_track whose size is set. It takes 16.5 KiB. */
struct PacketTrack : cuframes_packet_track {
  /** No track: kind, codec or codec_name, and the time base are to be filled in. */
  PacketTrack() noexcept : cuframes_packet_track(CUFRAMES_PACKET_TRACK_INIT) {}
};

/** A packet that was taken, read in place. Nothing holds the publisher up: it overwrites the packet when its ring comes round, and what was read of data
 * is whole if is_valid() afterwards. The memory stays mapped as long as this object lives, which may outlive its subscriber. */
class Packet {
 public:
  /** Retains the memory of a packet of the C interface. Throws Error: PACKET_LOST, INVALID_HANDLE. */
  explicit Packet(const cuframes_packet &packet) : packet_(packet) {
    detail::require(cuframes_packet_retain(&packet));
    assign();
  }

  /** Takes another object's packet over, which has none then. */
  Packet(Packet &&other) noexcept : packet_(other.detach()) { assign(); }

  /** Lets go of this packet and takes another object's over. */
  Packet &operator=(Packet &&other) noexcept {
    if (this != &other) {
      forget();
      packet_ = other.detach();
      assign();
    }
    return *this;
  }

  Packet(const Packet &) = delete;
  Packet &operator=(const Packet &) = delete;

  /** Lets go of the memory. */
  ~Packet() { forget(); }

  /** The bytes where they lie, mapped read-only; CUFRAMES_PACKET_PADDING zero bytes follow them. */
  Span<const std::uint8_t> data{nullptr, 0};

  /** Number of its track, from 0. */
  std::uint32_t track = 0;

  /** One of cuframes_track_kind. */
  std::uint32_t kind = 0;

  /** Number of its parameter set on its track, from 1. */
  std::uint32_t parameters = 0;

  /** Bits of cuframes_packet_flags. */
  std::uint32_t flags = 0;

  /** Number in its epoch, from 1, over all tracks: what source_packet of a frame names. */
  std::uint64_t sequence = 0;

  /** The publisher's run. */
  std::uint64_t epoch = 0;

  /** Packets lost, of all tracks, between the one taken before and this one. */
  std::uint64_t missed = 0;

  /** Number of the packet on its track, from 1. */
  std::uint64_t track_sequence = 0;

  /** pts, dts and duration are in units of numerator / denominator seconds. */
  std::int32_t time_base_numerator = 0;

  /** See time_base_numerator. */
  std::int32_t time_base_denominator = 0;

  /** Presentation time in units of the time base, or CUFRAMES_PTS_UNKNOWN. */
  std::int64_t pts = 0;

  /** Decoding time, likewise. */
  std::int64_t dts = 0;

  /** In units of the time base; 0: not known. */
  std::int64_t duration = 0;

  /** CLOCK_MONOTONIC in nanoseconds when the packet had arrived. */
  std::int64_t arrival_time = 0;

  /** Wall clock at the camera, nanoseconds since 1970-01-01 UTC; 0: not known. */
  std::int64_t capture_time = 0;

  /** CLOCK_MONOTONIC in nanoseconds at publish. */
  std::int64_t publish_time = 0;

  /** Whether decoding may begin here. */
  bool is_key() const noexcept { return (flags & CUFRAMES_PACKET_FLAG_KEY) != 0; }

  /** Whether all that was read of data before this call was whole: the packet is still in the ring. Any thread. */
  bool is_valid() const noexcept { return cuframes_packet_check(&packet_) == CUFRAMES_OK; }

  /** Copies the bytes and makes sure that the copy is whole. Any thread. Throws Error: PACKET_LOST, INVALID_ARGUMENT when size is too small. */
  void copy(void *destination, std::size_t size) const { detail::require(cuframes_packet_copy(&packet_, destination, size)); }

  /** As copy(destination, size), into memory of its own. */
  std::vector<std::uint8_t> copy() const {
    std::vector<std::uint8_t> bytes(data.size());
    copy(bytes.data(), bytes.size());
    return bytes;
  }

  /** Its track with the parameters that it is coded with. They change where parameters does. Any thread. Throws Error: PACKET_LOST. */
  PacketTrack get_track() const {
    PacketTrack found;
    detail::require(cuframes_packet_get_track(&packet_, &found));
    return found;
  }

  /** The packet of the C interface; it stays this object's. */
  const cuframes_packet &raw() const noexcept { return packet_; }

 private:
  void assign() noexcept {
    data = Span<const std::uint8_t>(static_cast<const std::uint8_t *>(packet_.data), static_cast<std::size_t>(packet_.data_size));
    track = packet_.track;
    kind = packet_.kind;
    parameters = packet_.parameters;
    flags = packet_.flags;
    sequence = packet_.sequence;
    epoch = packet_.epoch;
    missed = packet_.missed;
    track_sequence = packet_.track_sequence;
    time_base_numerator = packet_.time_base_numerator;
    time_base_denominator = packet_.time_base_denominator;
    pts = packet_.pts;
    dts = packet_.dts;
    duration = packet_.duration;
    arrival_time = packet_.arrival_time;
    capture_time = packet_.capture_time;
    publish_time = packet_.publish_time;
  }

  /* Has nothing any more: there is nothing left to read. */
  cuframes_packet detach() noexcept {
    cuframes_packet packet = packet_;
    packet_.owner = 0;
    data = Span<const std::uint8_t>(nullptr, 0);
    return packet;
  }

  void forget() noexcept {
    if (packet_.owner != 0) {
      const cuframes_packet packet = detach();
      cuframes_packet_release(&packet);
    }
  }

  cuframes_packet packet_;
};

/** How to read a stream's packets. */
struct PacketSubscriberOptions {
  /** Where to start, also when the publisher was started anew. */
  cuframes_packet_start start = CUFRAMES_START_NEWEST_KEY;

  /** Epoch of the last packet that was taken in an earlier connection: if the publisher's run is still the same, reading goes on behind it. 0: start
   * says where. */
  std::uint64_t after_epoch = 0;

  /** Its sequence. */
  std::uint64_t after_sequence = 0;

  /** Whether next() connects again when the publisher is gone or has evicted this subscriber. False: next() is empty when the stream has ended, and
   * throws after an eviction. */
  bool reconnect = true;

  /** Whether a stream that nobody publishes yet is waited for in next(), instead of being an error of the constructor. */
  bool wait_for_stream = false;

  /** Directory of the sockets; empty: runtime_directory(). */
  std::string directory;

  /** Name that the publisher is told; empty: the name of this process. */
  std::string program;

  /** Is called by the thread that is in next(), inside that call, and by the one that constructs. */
  EventCallback on_event;
};

class PacketSubscriber;

/** Goes over the packets of a subscriber, for range-based for. It ends where next() is empty. */
class PacketIterator {
 public:
  /** Behind the last packet. */
  PacketIterator() noexcept = default;

  /** The packet. */
  Packet &operator*() noexcept { return *packet_; }

  /** Its members. */
  Packet *operator->() noexcept { return &*packet_; }

  /** Takes the next packet, as PacketSubscriber::next(). */
  PacketIterator &operator++();

  /** Whether there is a packet in one of the two and none in the other. */
  bool operator!=(const PacketIterator &other) const noexcept { return packet_.has_value() != other.packet_.has_value(); }

 private:
  friend class PacketSubscriber;

  explicit PacketIterator(PacketSubscriber *subscriber) : subscriber_(subscriber) { ++*this; }

  PacketSubscriber *subscriber_ = nullptr;
  std::optional<Packet> packet_;
};

/** Reads the packets of a stream, in order. */
class PacketSubscriber {
 public:
  /** Connects to a stream's packets. Throws Error: STREAM_NOT_FOUND unless wait_for_stream, INVALID_KEY, the publisher's refusal. */
  explicit PacketSubscriber(std::string_view key, PacketSubscriberOptions options = {})
      : on_event_(detail::keep(std::move(options.on_event))), reconnects_(options.reconnect) {
    const std::string key_text = detail::text(key, "key");
    cuframes_packet_subscriber_options raw = CUFRAMES_PACKET_SUBSCRIBER_OPTIONS_INIT;
    raw.start = options.start;
    raw.after_epoch = options.after_epoch;
    raw.after_sequence = options.after_sequence;
    raw.no_reconnect = options.reconnect ? 0 : 1;
    raw.wait_for_stream = options.wait_for_stream ? 1 : 0;
    raw.directory = detail::text_or_default(options.directory);
    raw.program = detail::text_or_default(options.program);
    if (on_event_ != nullptr) {
      raw.on_event = detail::tell;
      raw.event_user = on_event_.get();
    }
    detail::require(cuframes_packet_subscriber_open(key_text.c_str(), &raw, &subscriber_));
  }

  /** Takes another object's subscriber over. */
  PacketSubscriber(PacketSubscriber &&other) noexcept
      : on_event_(std::move(other.on_event_)),
        subscriber_(std::exchange(other.subscriber_, nullptr)),
        reconnects_(other.reconnects_),
        end_code_(other.end_code_) {}

  /** Leaves the stream and takes another object's subscriber over. */
  PacketSubscriber &operator=(PacketSubscriber &&other) noexcept {
    if (this != &other) {
      close();
      on_event_ = std::move(other.on_event_);
      subscriber_ = std::exchange(other.subscriber_, nullptr);
      reconnects_ = other.reconnects_;
      end_code_ = other.end_code_;
    }
    return *this;
  }

  PacketSubscriber(const PacketSubscriber &) = delete;
  PacketSubscriber &operator=(const PacketSubscriber &) = delete;

  /** Leaves the stream. */
  ~PacketSubscriber() { close(); }

  /** Takes the next packet, waiting for it without a limit, connecting again if need be. Empty: interrupt() was called, or with reconnect off the stream
   * has ended. Throws Error: with reconnect off an eviction's code, the refusal to have us back, PROTOCOL_ERROR and its kin for a publisher that breaks
   * the protocol; after these two the next call connects again. */
  std::optional<Packet> next() { return take(CUFRAMES_FOREVER); }

  /** As next(), waiting up to a time; empty too when no packet came in time. A time of 0 does not wait. */
  template <class Rep, class Period>
  std::optional<Packet> next(std::chrono::duration<Rep, Period> timeout) {
    return take(detail::to_nanoseconds(timeout));
  }

  /** Finds a packet by its number in the publisher's present run: source_packet of a frame is such a number. Empty: it is not there, not yet or not any
   * more. Throws Error. */
  std::optional<Packet> find(std::uint64_t sequence) {
    cuframes_packet packet = CUFRAMES_PACKET_INIT;
    const std::int32_t code = cuframes_packet_subscriber_find(subscriber_, sequence, &packet);
    if (code == CUFRAMES_PACKET_LOST) {
      return std::nullopt;
    }
    detail::require(code);
    return std::optional<Packet>(std::in_place, packet);
  }

  /** The next packet and all that follow it, for range-based for. */
  PacketIterator begin() { return PacketIterator(this); }

  /** Where next() is empty. */
  PacketIterator end() noexcept { return PacketIterator(); }

  /** With reconnect off: whether the stream has ended, so that next() will be empty for ever. */
  bool ended() const noexcept { return end_code_ != CUFRAMES_OK; }

  /** Why the stream has ended, one of cuframes_error: SHUTTING_DOWN when the publisher said goodbye, DISCONNECTED when it is gone without a word.
   * CUFRAMES_OK while ended() is false. */
  std::int32_t end_code() const noexcept { return end_code_; }

  /** Ends a wait in next(), now or the next one, within 50 ms. Any thread. Not for signal handlers. */
  void interrupt() { detail::require(cuframes_packet_subscriber_interrupt(subscriber_)); }

  /** A descriptor for poll, select, epoll and event loops; it belongs to the subscriber. When it is readable, take with next(0) until that is empty:
   * only then it becomes readable again. */
  int descriptor() {
    int descriptor = -1;
    detail::require(cuframes_packet_subscriber_descriptor(subscriber_, &descriptor));
    return descriptor;
  }

  /** Figures of the subscriber. */
  cuframes_packet_subscriber_info info() const {
    cuframes_packet_subscriber_info info = CUFRAMES_PACKET_SUBSCRIBER_INFO_INIT;
    detail::require(cuframes_packet_subscriber_get_info(subscriber_, &info));
    return info;
  }

  /** The tracks that there are now, by number, with the parameters of the newest packets that were taken. */
  std::vector<PacketTrack> tracks() const {
    std::vector<PacketTrack> found(info().tracks);
    for (std::uint32_t number = 0; number < found.size(); number++) {
      detail::require(cuframes_packet_subscriber_get_track(subscriber_, number, &found[number]));
    }
    return found;
  }

  /** Leaves the stream now; the object cannot be used any more. Packets are not valid from now on, but may be looked at. */
  void close() noexcept { cuframes_packet_subscriber_close(std::exchange(subscriber_, nullptr)); }

  /** The handle of the C interface; it stays this object's. Null after close(). */
  cuframes_packet_subscriber *raw() const noexcept { return subscriber_; }

 private:
  std::optional<Packet> take(std::int64_t timeout) {
    if (ended()) {
      return std::nullopt;
    }
    cuframes_packet packet = CUFRAMES_PACKET_INIT;
    const std::int32_t code = cuframes_packet_subscriber_next(subscriber_, timeout, &packet);
    switch (code) {
      case CUFRAMES_OK:
        return std::optional<Packet>(std::in_place, packet);
      case CUFRAMES_TIMED_OUT:
      case CUFRAMES_INTERRUPTED:
        return std::nullopt;
      case CUFRAMES_DISCONNECTED:
      case CUFRAMES_SHUTTING_DOWN:
        if (!reconnects_) {
          end_code_ = code;
          return std::nullopt;
        }
        break;
      default:
        break;
    }
    throw Error(code, cuframes_last_error());
  }

  std::unique_ptr<EventCallback> on_event_;
  cuframes_packet_subscriber *subscriber_ = nullptr;
  bool reconnects_;
  std::int32_t end_code_ = CUFRAMES_OK;
};

inline PacketIterator &PacketIterator::operator++() {
  packet_ = subscriber_->next();
  return *this;
}

/** How to publish a stream's packets. */
struct PacketPublisherOptions {
  /** Bytes of the ring, a multiple of 4096 from 65536 to 2^32. Memory is used as packets are written; a packet of more than half of it is refused. */
  std::int64_t byte_capacity = std::int64_t{32} << 20;

  /** Most packets in the ring, of all tracks: a power of two from 16 to 65536. */
  std::uint32_t max_packets = 8192;

  /** Packets that arrived longer ago are let go when a new one comes; 0: no bound but the others. */
  std::chrono::nanoseconds max_age{0};

  /** Most subscribers. */
  std::uint32_t max_subscribers = 64;

  /** Directory for socket and lock; empty: runtime_directory(). */
  std::string directory;

  /** Name that readers are told; empty: the name of this process. */
  std::string program;

  /** Where packets come from, told to readers: must not hold secrets. */
  std::string source;

  /** Who may read. */
  cuframes_readers readers = CUFRAMES_READERS_OWN_USER_AND_GROUP;

  /** Ids of users who may read too. */
  std::vector<std::uint32_t> users;

  /** Ids of groups whose members may read too. */
  std::vector<std::uint32_t> groups;

  /** Is called by any thread, the publisher's control thread above all. */
  EventCallback on_event;
};

/** What a publisher knows of a packet besides its bytes. Times of the source are in units of the track's time base. */
struct PacketMetadata {
  /** Presentation time, or CUFRAMES_PTS_UNKNOWN. */
  std::int64_t pts = CUFRAMES_PTS_UNKNOWN;

  /** Decoding time, or CUFRAMES_PTS_UNKNOWN. */
  std::int64_t dts = CUFRAMES_PTS_UNKNOWN;

  /** 0: not known. */
  std::int64_t duration = 0;

  /** Bits of cuframes_packet_flags. */
  std::uint32_t flags = 0;

  /** CLOCK_MONOTONIC in nanoseconds when the packet had arrived; 0: the time of the call. */
  std::int64_t arrival_time = 0;

  /** Wall clock at the camera, nanoseconds since 1970-01-01 UTC; 0: not known. */
  std::int64_t capture_time = 0;
};

/** Publishes the packets of a stream. One thread at a time publishes. */
class PacketPublisher {
 public:
  /** Takes the packets of a key and waits for readers. Throws Error: ALREADY_PUBLISHED, INVALID_KEY, ACCESS_DENIED, CONFIGURATION_INVALID,
   * OUT_OF_RESOURCES, SYSTEM_CALL_FAILED. */
  explicit PacketPublisher(std::string_view key, PacketPublisherOptions options = {}) : on_event_(detail::keep(std::move(options.on_event))) {
    const std::string key_text = detail::text(key, "key");
    cuframes_packet_publisher_options raw = CUFRAMES_PACKET_PUBLISHER_OPTIONS_INIT;
    raw.byte_capacity = options.byte_capacity;
    raw.max_packets = options.max_packets;
    raw.max_age = options.max_age.count();
    raw.max_subscribers = options.max_subscribers;
    raw.readers = options.readers;
    raw.directory = detail::text_or_default(options.directory);
    raw.program = detail::text_or_default(options.program);
    raw.source = detail::text_or_default(options.source);
    raw.users = options.users.data();
    raw.groups = options.groups.data();
    raw.user_count = static_cast<std::uint32_t>(options.users.size());
    raw.group_count = static_cast<std::uint32_t>(options.groups.size());
    if (on_event_ != nullptr) {
      raw.on_event = detail::tell;
      raw.event_user = on_event_.get();
    }
    detail::require(cuframes_packet_publisher_open(key_text.c_str(), &raw, &publisher_));
  }

  /** Takes another object's publisher over. */
  PacketPublisher(PacketPublisher &&other) noexcept : on_event_(std::move(other.on_event_)), publisher_(std::exchange(other.publisher_, nullptr)) {}

  /** Ends this stream and takes another object's publisher over. */
  PacketPublisher &operator=(PacketPublisher &&other) noexcept {
    if (this != &other) {
      close();
      on_event_ = std::move(other.on_event_);
      publisher_ = std::exchange(other.publisher_, nullptr);
    }
    return *this;
  }

  PacketPublisher(const PacketPublisher &) = delete;
  PacketPublisher &operator=(const PacketPublisher &) = delete;

  /** Says goodbye to the readers and gives the key back. */
  ~PacketPublisher() { close(); }

  /** Adds a track with its first parameters; up to CUFRAMES_MAX_TRACKS, which stay. Returns its number. Throws Error: CONFIGURATION_INVALID. */
  std::uint32_t add_track(const cuframes_packet_track &track) {
    std::uint32_t number = 0;
    detail::require(cuframes_packet_publisher_add_track(publisher_, &track, &number));
    return number;
  }

  /** Changes the parameters of a track: the packets to come are coded with them. Throws Error: CONFIGURATION_INVALID, INVALID_ARGUMENT. */
  void set_parameters(std::uint32_t number, const cuframes_packet_track &track) {
    detail::require(cuframes_packet_publisher_set_parameters(publisher_, number, &track));
  }

  /** Publishes a packet: copies its bytes into the ring and wakes readers that wait. Returns its sequence. Throws Error: PACKET_TOO_LARGE, and the stream
   * goes on without it; INVALID_ARGUMENT: no such track. */
  std::uint64_t publish(std::uint32_t track, const void *data, std::size_t size, const PacketMetadata &metadata = {}) {
    cuframes_packet packet = CUFRAMES_PACKET_INIT;
    packet.track = track;
    packet.data = data;
    packet.data_size = size;
    packet.flags = metadata.flags;
    packet.pts = metadata.pts;
    packet.dts = metadata.dts;
    packet.duration = metadata.duration;
    packet.arrival_time = metadata.arrival_time;
    packet.capture_time = metadata.capture_time;
    return publish(packet);
  }

  /** As above, for a packet of the C interface: one that was taken may be published as it is. */
  std::uint64_t publish(const cuframes_packet &packet) {
    std::uint64_t sequence = 0;
    detail::require(cuframes_packet_publisher_publish(publisher_, &packet, &sequence));
    return sequence;
  }

  /** Tells readers of the source: STARTING, LIVE or SOURCE_LOST, with a reason for people. Any thread. Throws Error. */
  void set_state(cuframes_stream_state state, std::string_view reason = {}) {
    detail::require(cuframes_packet_publisher_set_state(publisher_, state, detail::text_or_default(detail::text(reason, "reason"))));
  }

  /** Evicts a subscriber; it is told the reason. Any thread. Throws Error: INVALID_ARGUMENT when there is none with this id. */
  void evict(std::uint64_t subscriber_id, std::string_view reason = {}) {
    detail::require(cuframes_packet_publisher_evict(publisher_, subscriber_id, detail::text_or_default(detail::text(reason, "reason"))));
  }

  /** Figures of the publisher. Any thread. */
  cuframes_packet_publisher_info info() const {
    cuframes_packet_publisher_info info = CUFRAMES_PACKET_PUBLISHER_INFO_INIT;
    detail::require(cuframes_packet_publisher_get_info(publisher_, &info));
    return info;
  }

  /** The subscribers, as they are now. Any thread. */
  std::vector<cuframes_subscriber_statistics> subscribers() const {
    std::vector<cuframes_subscriber_statistics> found;
    std::size_t count = 0;
    do {
      /* Those who join between two calls make it grow once more. */
      found.resize(count);
      detail::require(cuframes_packet_publisher_get_subscribers(publisher_, found.data(), sizeof(cuframes_subscriber_statistics), found.size(), &count));
    } while (count > found.size());
    found.resize(count);
    return found;
  }

  /** Says goodbye to the readers and gives the key back now; the object cannot be used any more. */
  void close() noexcept { cuframes_packet_publisher_close(std::exchange(publisher_, nullptr)); }

  /** The handle of the C interface; it stays this object's. Null after close(). */
  cuframes_packet_publisher *raw() const noexcept { return publisher_; }

 private:
  std::unique_ptr<EventCallback> on_event_;
  cuframes_packet_publisher *publisher_ = nullptr;
};

/** A stream of this machine, as it was when it was asked. */
struct StreamInfo {
  /** The stream's key. */
  std::string key;

  /** The publisher's program. */
  std::string program;

  /** Where frames come from, without secrets. */
  std::string source;

  /** One of cuframes_stream_state. */
  std::uint32_t state = CUFRAMES_STATE_STARTING;

  /** Why the stream is in its state. */
  std::string state_text;

  /** CUFRAMES_OK when the publisher gave a description; else why it gave none, and the rest is empty. */
  std::uint32_t error_code = CUFRAMES_OK;

  /** error_code's sentence; empty when there is a description. */
  std::string error;

  /** CUFRAMES_MEMORY_HOST or CUFRAMES_MEMORY_CUDA. */
  std::uint32_t memory = 0;

  /** Slots in use. */
  std::uint32_t slots = 0;

  /** Limit to which the ring grows. */
  std::uint32_t max_slots = 0;

  /** How many read it. */
  std::uint32_t subscribers = 0;

  /** The publisher's run. */
  std::uint64_t epoch = 0;

  /** Sequence of the newest frame; 0: none yet. */
  std::uint64_t head = 0;

  /** Frames dropped because every slot was held. */
  std::uint64_t dropped = 0;

  /** Subscribers evicted. */
  std::uint64_t evicted = 0;

  /** Bytes of all segments. */
  std::uint64_t memory_bytes = 0;

  /** UUID of the CUDA device; zeros: main memory. */
  std::array<std::uint8_t, CUFRAMES_UUID_BYTES> cuda_device_uuid{};

  /** The format; pixel_format 0: no frame yet. */
  Format format;
};

namespace detail {

/* A list of the C interface, to its end. */
class StreamList {
 public:
  explicit StreamList(cuframes_stream_list *list) noexcept : list_(list) {}
  StreamList(const StreamList &) = delete;
  StreamList &operator=(const StreamList &) = delete;
  ~StreamList() { cuframes_stream_list_free(list_); }

  std::vector<StreamInfo> streams() const {
    std::vector<StreamInfo> found(cuframes_stream_list_count(list_));
    for (std::size_t i = 0; i < found.size(); i++) {
      const cuframes_stream_info &from = *cuframes_stream_list_at(list_, i);
      StreamInfo &to = found[i];
      to.key = from.key;
      to.program = from.program;
      to.source = from.source;
      to.state = from.state;
      to.state_text = from.state_text;
      to.error_code = from.error_code;
      to.error = from.error;
      to.memory = from.memory;
      to.slots = from.slots;
      to.max_slots = from.max_slots;
      to.subscribers = from.subscribers;
      to.epoch = from.epoch;
      to.head = from.head;
      to.dropped = from.dropped;
      to.evicted = from.evicted;
      to.memory_bytes = from.memory_bytes;
      for (std::size_t byte = 0; byte < to.cuda_device_uuid.size(); byte++) {
        to.cuda_device_uuid[byte] = from.cuda_device_uuid[byte];
      }
      static_cast<cuframes_format &>(to.format) = from.format;
    }
    return found;
  }

 private:
  cuframes_stream_list *list_;
};

}  // namespace detail

/** The streams that are published now, sorted by key. directory: where the sockets are; empty: runtime_directory(). Asks every publisher, which takes up to
 * 5 s for each that does not answer. Any thread. Throws Error: STREAM_NOT_FOUND when the directory does not exist, ACCESS_DENIED. */
inline std::vector<StreamInfo> list(std::string_view directory = {}) {
  const std::string directory_text = detail::text(directory, "directory");
  cuframes_stream_list *raw = nullptr;
  detail::require(cuframes_list(detail::text_or_default(directory_text), &raw));
  return detail::StreamList(raw).streams();
}

/** What a publisher says of its stream. A publisher's fault is not an exception: error_code tells it. Any thread. Throws Error: INVALID_KEY. */
inline StreamInfo probe(std::string_view key, std::string_view directory = {}) {
  const std::string key_text = detail::text(key, "key");
  const std::string directory_text = detail::text(directory, "directory");
  cuframes_stream_list *raw = nullptr;
  detail::require(cuframes_probe(detail::text_or_default(directory_text), key_text.c_str(), &raw));
  return detail::StreamList(raw).streams().at(0);
}

/** The runtime directory, where sockets are: $CUFRAMES_DIR, /run/cuframes or $XDG_RUNTIME_DIR/cuframes. Any thread. */
inline std::string runtime_directory() {
  std::array<char, 4096> path{};
  detail::require(cuframes_runtime_directory(path.data(), path.size()));
  return path.data();
}

/** Is told lines for a log, without a line feed. Called by any thread; it must return soon, must not call the library, and must not throw. */
using LogCallback = std::function<void(cuframes_log_level level, std::string_view text)>;

/** Gives the library somewhere to log to; an empty function: nowhere, which is how it begins. Lines above the level are left out. Any thread; when it
 * returns, the callback before is not called any more. */
inline void set_log(LogCallback callback, cuframes_log_level level = CUFRAMES_LOG_INFORMATION) {
  static std::mutex gate;
  /* Never destroyed: threads of the library may log while the process ends. */
  static LogCallback *current = nullptr;
  auto next = callback ? std::make_unique<LogCallback>(std::move(callback)) : nullptr;
  const cuframes_log_callback tell = [](void *user, std::uint32_t told, const char *text) noexcept {
    (*static_cast<const LogCallback *>(user))(static_cast<cuframes_log_level>(told), text);
  };
  const std::lock_guard<std::mutex> lock(gate);
  detail::require(cuframes_set_log(next != nullptr ? tell : nullptr, next.get(), level));
  const std::unique_ptr<LogCallback> previous(std::exchange(current, next.release()));
}

}  // namespace cuframes

#endif

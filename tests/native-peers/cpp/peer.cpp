// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The peer in C++ (tests/native-peers/README.md), over cuframes.hpp.

#include <cuframes.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "gpu.hpp"

#include "../common/checker.h"
#include "../common/commands.h"
#include "../common/json.h"
#include "../common/options.h"
#include "../common/sha256.h"
#include "../common/stamp.h"

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using Clock = std::chrono::steady_clock;

// A finding, or none.
using Fault = std::optional<std::string>;

std::string text_of(const options &options, const char *name) {
  const char *text = option_text(&options, name);
  return text == nullptr ? "" : text;
}

cuframes::Format format_of(const cuframes_format &format) {
  return cuframes::Format(format.pixel_format, format.width, format.height, format.rate_numerator, format.rate_denominator);
}

// ------------------------------------------------------------------------------------------------------------ events

// What a callback was told. Any thread.
class Events {
 public:
  cuframes::EventCallback callback() {
    return [this](const cuframes::Event &event) {
      const std::lock_guard<std::mutex> lock(gate_);
      told_.push_back({event.kind, event.code, std::string(event.text)});
    };
  }

  void say() const {
    static const std::map<std::uint32_t, const char *> names = {
        {CUFRAMES_EVENT_CONNECTED, "connected"},
        {CUFRAMES_EVENT_SOURCE_LOST, "source-lost"},
        {CUFRAMES_EVENT_SOURCE_BACK, "source-back"},
        {CUFRAMES_EVENT_EVICTED, "evicted"},
        {CUFRAMES_EVENT_DISCONNECTED, "disconnected"},
        {CUFRAMES_EVENT_SUBSCRIBER_JOINED, "subscriber-joined"},
        {CUFRAMES_EVENT_SUBSCRIBER_LEFT, "subscriber-left"},
        {CUFRAMES_EVENT_SUBSCRIBER_EVICTED, "subscriber-evicted"},
        {CUFRAMES_EVENT_SUBSCRIBER_REFUSED, "subscriber-refused"},
        {CUFRAMES_EVENT_RING_GROWN, "ring-grown"},
        {CUFRAMES_EVENT_RING_SHRUNK, "ring-shrunk"},
        {CUFRAMES_EVENT_GROWTH_FAILED, "growth-failed"},
        {CUFRAMES_EVENT_INTERNAL_ERROR, "internal-error"},
    };
    json line = json_begin("events");
    json_open_list(&line, "events");
    const std::lock_guard<std::mutex> lock(gate_);
    for (const Told &event : told_) {
      const auto name = names.find(event.kind);
      json_open_object(&line, nullptr);
      json_text(&line, "name", name == names.end() ? "unknown" : name->second);
      json_number(&line, "code", event.code);
      json_close_object(&line);
    }
    json_close_list(&line);
    json_say(&line);
  }

  // Evictions and internal errors, as "13 text".
  void write_evictions(json *line) const {
    json_open_list(line, "evictions");
    const std::lock_guard<std::mutex> lock(gate_);
    for (const Told &event : told_) {
      if (event.kind == CUFRAMES_EVENT_SUBSCRIBER_EVICTED || event.kind == CUFRAMES_EVENT_INTERNAL_ERROR) {
        json_text(line, nullptr, (std::to_string(event.code) + " " + event.text).c_str());
      }
    }
    json_close_list(line);
  }

 private:
  struct Told {
    std::uint32_t kind;
    std::uint32_t code;
    std::string text;
  };

  mutable std::mutex gate_;
  std::vector<Told> told_;
};

// ------------------------------------------------------------------------------------------------------------ publishing

cuframes::PublisherOptions publisher_options(const options &options, Events &events) {
  cuframes::PublisherOptions made;
  made.memory = static_cast<cuframes_memory>(option_memory(&options));
  made.slots = static_cast<std::uint32_t>(option_number(&options, "slots", 4));
  made.max_slots = static_cast<std::uint32_t>(option_number(&options, "max-slots", 16));
  made.max_leases = static_cast<std::uint32_t>(option_number(&options, "max-leases", 8));
  made.max_subscribers = static_cast<std::uint32_t>(option_number(&options, "max-subscribers", 64));
  made.lossless_timeout = milliseconds(option_number(&options, "lossless-ms", 0));
  made.lease_timeout = milliseconds(option_number(&options, "lease-timeout-ms", 5000));
  made.shrink_after = milliseconds(option_number(&options, "shrink-after-ms", 10000));
  made.directory = option_required(&options, "dir");
  made.program = text_of(options, "program");
  made.source = text_of(options, "source");
  made.readers = text_of(options, "readers") == "own" ? CUFRAMES_READERS_OWN_USER_AND_GROUP : CUFRAMES_READERS_EVERYONE;
  made.on_event = events.callback();
  return made;
}

void write_statistics(json *line, const cuframes::Publisher &publisher) {
  const cuframes_publisher_info info = publisher.info();
  json_open_object(line, "statistics");
  json_unsigned(line, "Published", info.published);
  json_unsigned(line, "Dropped", info.dropped);
  json_unsigned(line, "Evicted", info.evicted);
  json_unsigned(line, "HungUp", info.hung_up);
  json_unsigned(line, "Refused", info.refused);
  json_number(line, "Slots", info.slots);
  json_number(line, "HeldSlots", info.held_slots);
  json_number(line, "SegmentBytes", info.segment_bytes);
  json_number(line, "UnansweredBytes", info.unanswered_bytes);
  json_open_list(line, "Subscribers");
  for (const cuframes_subscriber_statistics &subscriber : publisher.subscribers()) {
    json_open_object(line, nullptr);
    json_unsigned(line, "SubscriberId", subscriber.subscriber_id);
    json_text(line, "Program", subscriber.program);
    json_number(line, "ProcessId", subscriber.process_id);
    json_number(line, "UserId", subscriber.user_id);
    json_number(line, "Delivery", subscriber.delivery);
    json_number(line, "GrantedLeases", subscriber.granted_leases);
    json_number(line, "HeldLeases", subscriber.held_leases);
    json_unsigned(line, "Lag", subscriber.lag);
    json_unsigned(line, "Taken", subscriber.taken);
    json_unsigned(line, "Missed", subscriber.missed);
    json_close_object(line);
  }
  json_close_list(line);
  json_close_object(line);
}

// Stamps frames and publishes them. In device memory: made in one of several pinned buffers, copied to the slot and published behind the copy,
// for which nobody here waits.
class StampingPublisher {
 public:
  explicit StampingPublisher(cuframes::Publisher &publisher) : publisher_(publisher) {}

  // Publishes the next frame. describe may set more metadata. False: dropped.
  template <class Describe>
  bool try_publish(Describe describe) {
    auto picture = publisher_.begin();
    if (!picture) {
      return false;
    }
    const cuframes_publisher_info info = publisher_.info();
    const std::uint64_t sequence = info.head + 1;
    const std::uint64_t number = stamp_number(info.epoch, sequence);
    picture->metadata.pts = stamp_pts(sequence);
    picture->metadata.source_packet = sequence;
    describe(picture->metadata);
    std::uint64_t published;
    if (picture->cuda_ptr == nullptr) {
      stamp_fill(&picture->raw(), number);
      published = picture->publish();
    } else {
      if (device_ == nullptr) {
        device_ = std::make_unique<Device>(info.cuda_context);
      }
      enqueue(*picture, number);
      published = picture->publish(device_->stream.raw());
    }
    if (published != sequence) {
      throw std::runtime_error("frame " + std::to_string(sequence) + " was published as " + std::to_string(published));
    }
    return true;
  }

  bool try_publish() {
    return try_publish([](cuframes_metadata &) {});
  }

 private:
  struct Device {
    explicit Device(void *context)
        : primary(context), stream(primary.raw()), buffers{gpu::Buffer(primary.raw()), gpu::Buffer(primary.raw()), gpu::Buffer(primary.raw()), gpu::Buffer(primary.raw())} {}

    gpu::Primary primary;
    gpu::Stream stream;
    std::array<gpu::Buffer, 4> buffers;
    std::size_t next = 0;
  };

  void enqueue(const cuframes::Picture &picture, std::uint64_t number) {
    gpu::Buffer &buffer = device_->buffers[device_->next++ % device_->buffers.size()];
    const std::size_t bytes = stamp_picture_bytes(&picture.raw());
    // The publish of the frame that had this buffer before has waited for its copy.
    std::uint8_t *source = buffer.reserve(bytes);
    stamp_fill_picture(source, &picture.raw(), number);
    for (const cuframes::WritablePlane &plane : picture.planes) {
      gpu::Copy2D copy{};
      copy.source_kind = gpu::kind_host;
      copy.source_host = source;
      copy.source_pitch = static_cast<std::size_t>(plane.row_bytes);
      copy.destination_kind = gpu::kind_device;
      copy.destination_device = reinterpret_cast<std::uint64_t>(plane.data);
      copy.destination_pitch = static_cast<std::size_t>(plane.pitch);
      copy.row_bytes = static_cast<std::size_t>(plane.row_bytes);
      copy.rows = static_cast<std::size_t>(plane.rows);
      device_->stream.enqueue(copy);
      source += plane.row_bytes * plane.rows;
    }
  }

  cuframes::Publisher &publisher_;
  std::unique_ptr<Device> device_;
};

std::vector<cuframes::Format> formats_of(const options &options) {
  std::array<cuframes_format, OPTIONS_FORMATS> formats;
  const int count = option_formats(&options, formats.data());
  std::vector<cuframes::Format> made;
  for (int i = 0; i < count; i++) {
    made.push_back(format_of(formats[static_cast<std::size_t>(i)]));
  }
  return made;
}

struct PublishState {
  cuframes::Publisher &publisher;
  const Events &events;
};

void answer_publish(void *user, const char *line) {
  const PublishState &state = *static_cast<PublishState *>(user);
  if (std::strcmp(line, "stats") == 0) {
    json answer = json_begin("stats");
    write_statistics(&answer, state.publisher);
    state.events.write_evictions(&answer);
    json_say(&answer);
  }
}

int publish(const options &options) {
  const std::vector<cuframes::Format> formats = formats_of(options);
  Events events;
  cuframes::Publisher publisher(option_required(&options, "key"), formats[0], publisher_options(options, events));
  PublishState state{publisher, events};
  json ready = json_begin("ready");
  json_epoch(&ready, "epoch", publisher.info().epoch);
  json_say(&ready);
  commands *const commands = commands_start(answer_publish, &state);
  if (option_number(&options, "start-on-go", 0) != 0) {
    commands_wait_for_go(commands);
  }

  constexpr std::int64_t batch = 1000;
  const std::int64_t frames = option_number(&options, "frames", INT64_MAX);
  const double wraps = static_cast<double>(option_number(&options, "wraps", INT64_MAX));
  const std::int64_t cycle = option_number(&options, "cycle-every", INT64_MAX);
  const std::int64_t rate = option_number(&options, "fps", 0);
  const Clock::time_point start = Clock::now();
  std::int64_t published = 0;
  std::int64_t attempts = 0;
  std::int64_t changes = 0;
  std::int64_t refused_changes = 0;
  std::size_t format = 0;
  double wrapped = 0;
  StampingPublisher stamping(publisher);
  while (published < frames && wrapped < wraps && !commands_is_exiting(commands)) {
    attempts++;
    if (stamping.try_publish()) {
      published++;
      if (published % cycle == 0) {
        format = (format + 1) % formats.size();
        try {
          publisher.configure(formats[format]);
          changes++;
        } catch (const cuframes::Error &error) {
          if (error.code() != CUFRAMES_OUT_OF_RESOURCES) {
            throw;
          }
          // Stopped readers have yet to give old segments back; the old format goes on.
          refused_changes++;
        }
      }
      if (published % batch == 0) {
        wrapped += static_cast<double>(batch) / publisher.info().slots;
      }
    }
    if (rate > 0) {
      std::this_thread::sleep_until(start + nanoseconds(attempts * 1000000000 / rate));
    }
  }

  json done = json_begin("done");
  json_number(&done, "published", published);
  json_number(&done, "attempts", attempts);
  json_number(&done, "changes", changes);
  json_number(&done, "refusedChanges", refused_changes);
  json_real(&done, "wraps", wrapped);
  json_real(&done, "seconds", std::chrono::duration<double>(Clock::now() - start).count());
  write_statistics(&done, publisher);
  json_say(&done);
  commands_join(commands);
  return 0;
}

// ------------------------------------------------------------------------------------------------------------ reading

cuframes::SubscriberOptions subscriber_options(const options &options) {
  cuframes::SubscriberOptions made;
  made.directory = option_required(&options, "dir");
  made.delivery = static_cast<cuframes_delivery>(option_delivery(&options));
  made.leases = static_cast<std::uint32_t>(option_number(&options, "leases", 2));
  made.fences = option_fences(&options);
  made.program = text_of(options, "program");
  return made;
}

Fault look(const cuframes::Frame &frame) {
  std::array<char, CHECKER_TEXT> text;
  return checker_look(&frame.raw(), text.data(), text.size()) ? Fault() : Fault(text.data());
}

// Copies of frames in device memory: made on a stream of the peer's own, looked at when the stream has made them.
class Copies {
 public:
  explicit Copies(void *context) : primary_(context), stream_(primary_.raw()) {
    for (std::size_t i = 0; i < depth; i++) {
      free_.push_back(std::make_unique<Copy>(primary_.raw()));
    }
  }

  void *stream() const noexcept { return stream_.raw(); }

  // Enqueues a copy of a held frame; looks at the oldest one first when there is no room.
  void enqueue(const cuframes::Frame &frame, checker *checker) {
    if (free_.empty()) {
      look_at_oldest(checker);
    }
    std::unique_ptr<Copy> copy = std::move(free_.back());
    free_.pop_back();
    const std::size_t bytes = stamp_picture_bytes(&frame.raw());
    std::uint8_t *destination = copy->buffer.reserve(bytes);
    // What an earlier frame left there must not pass for this one.
    std::memset(destination, 0xEE, bytes);
    for (const cuframes::Plane &plane : frame.planes) {
      gpu::Copy2D job{};
      job.source_kind = gpu::kind_device;
      job.source_device = reinterpret_cast<std::uint64_t>(plane.data);
      job.source_pitch = static_cast<std::size_t>(plane.pitch);
      job.destination_kind = gpu::kind_host;
      job.destination_host = destination;
      job.destination_pitch = static_cast<std::size_t>(plane.row_bytes);
      job.row_bytes = static_cast<std::size_t>(plane.row_bytes);
      job.rows = static_cast<std::size_t>(plane.rows);
      stream_.enqueue(job);
      destination += plane.row_bytes * plane.rows;
    }
    copy->done.record(stream_.raw());
    copy->frame = frame.raw();
    pending_.push_back(std::move(copy));
  }

  // Looks at the copies that are made.
  void look_at_complete(checker *checker) {
    while (!pending_.empty() && pending_.front()->done.is_complete()) {
      look_at_oldest(checker);
    }
  }

  // Waits for all copies and looks at them.
  void look_at_all(checker *checker) {
    while (!pending_.empty()) {
      look_at_oldest(checker);
    }
  }

  void wait() const { stream_.wait(); }

 private:
  static constexpr std::size_t depth = 8;

  struct Copy {
    explicit Copy(void *context) : buffer(context), done(context) {}

    gpu::Buffer buffer;
    gpu::Event done;
    cuframes_frame frame;  // whose copy it is; not held by this
  };

  void look_at_oldest(checker *checker) {
    std::unique_ptr<Copy> copy = std::move(pending_.front());
    pending_.pop_front();
    copy->done.wait();
    std::array<char, CHECKER_TEXT> text;
    if (!checker_look_at_copy(&copy->frame, copy->buffer.data(), text.data(), text.size())) {
      checker_note_torn(checker, text.data());
    }
    free_.push_back(std::move(copy));
  }

  gpu::Primary primary_;
  gpu::Stream stream_;
  std::vector<std::unique_ptr<Copy>> free_;
  std::deque<std::unique_ptr<Copy>> pending_;
};

// The frames that a reader holds, looked at when they are taken and before they are released.
class Held {
 public:
  // Looks at a frame that was just taken, and keeps it. Returns what is wrong with it.
  Fault take(cuframes::Subscriber &subscriber, cuframes::Frame frame, nanoseconds dwell = nanoseconds(0)) {
    checker_count(&checker_, &frame.raw());
    if (dwell > nanoseconds(0)) {
      // A slow reader is what is simulated.
      std::this_thread::sleep_for(dwell);
    }
    if (frame.cuda_ptr != nullptr && copies_ == nullptr) {
      copies_ = std::make_unique<Copies>(subscriber.info().cuda_context);
    }
    Fault fault = note_look(frame);
    if (copies_ != nullptr) {
      copies_->look_at_complete(&checker_);
    }
    frames_.push_back(std::move(frame));
    return fault;
  }

  // Looks at the oldest frame once more and releases it.
  void release_oldest() {
    cuframes::Frame frame = std::move(frames_.front());
    frames_.pop_front();
    constexpr std::int64_t cpu_every = 17;
    release(std::move(frame), ++released_ % cpu_every == 0);
  }

  // Which fence ends a lease is the reader's choice each time.
  void release(cuframes::Frame frame, bool by_cpu) {
    if (frame.cuda_ptr == nullptr) {
      note_look(frame);
      frame.release();
      return;
    }
    // Finds a lease that ended before the stream's work: nobody waits for it here.
    copies_->enqueue(frame, &checker_);
    if (by_cpu) {
      copies_->look_at_all(&checker_);
      note_whether_lost(frame);
      frame.release();
    } else {
      frame.release(copies_->stream());
    }
  }

  // Releases all, and takes until the GPU has ended all leases.
  void release_all(cuframes::Subscriber &subscriber) {
    while (true) {
      while (!frames_.empty()) {
        release_oldest();
      }
      if (copies_ == nullptr) {
        return;
      }
      copies_->look_at_all(&checker_);
      copies_->wait();
      const cuframes_subscriber_info info = subscriber.info();
      if (info.held_frames == 0 || info.is_connected == 0) {
        return;
      }
      // The subscriber sees that a release was carried out when it is asked for a frame.
      if (auto frame = subscriber.next(milliseconds(0))) {
        take(subscriber, std::move(*frame));
      }
    }
  }

  // The frame with this sequence, which is not held here any more.
  std::optional<cuframes::Frame> find(std::uint64_t sequence) {
    for (auto frame = frames_.begin(); frame != frames_.end(); ++frame) {
      if (frame->sequence == sequence) {
        std::optional<cuframes::Frame> found(std::move(*frame));
        frames_.erase(frame);
        return found;
      }
    }
    return std::nullopt;
  }

  // Looks at all frames again.
  void look_at_all() {
    for (const cuframes::Frame &frame : frames_) {
      note_look(frame);
    }
  }

  // Waits for the stream and looks at the copies.
  void settle() {
    if (copies_ != nullptr) {
      copies_->look_at_all(&checker_);
      copies_->wait();
    }
  }

  const std::deque<cuframes::Frame> &frames() const noexcept { return frames_; }

  checker &findings() noexcept { return checker_; }

 private:
  // Looks at a frame where it lies, or at a copy that the library makes.
  Fault note_look(const cuframes::Frame &frame) {
    Fault fault;
    if (frame.cuda_ptr == nullptr) {
      fault = look(frame);
    } else {
      try {
        const std::vector<std::uint8_t> copy = frame.copy();
        std::array<char, CHECKER_TEXT> text;
        if (!checker_look_at_copy(&frame.raw(), copy.data(), text.data(), text.size())) {
          fault = text.data();
        }
      } catch (const cuframes::Error &error) {
        if (error.code() != CUFRAMES_FRAME_LOST) {
          throw;
        }
        checker_note_lost(&checker_, &frame.raw());
        return std::nullopt;
      }
    }
    if (fault) {
      checker_note_torn(&checker_, fault->c_str());
    }
    note_whether_lost(frame);
    return fault;
  }

  void note_whether_lost(const cuframes::Frame &frame) {
    if (!frame.is_valid()) {
      checker_note_lost(&checker_, &frame.raw());
    }
  }

  checker checker_{};
  std::deque<cuframes::Frame> frames_;
  std::unique_ptr<Copies> copies_;
  std::int64_t released_ = 0;
};

void write_faults(json *line, const checker &checker) {
  json_open_list(line, "faults");
  for (int i = 0; i < checker.fault_count; i++) {
    json_text(line, nullptr, checker.faults[i]);
  }
  json_close_list(line);
}

// Whether a code says that the publisher broke the protocol; the next call connects again then.
bool is_publishers_fault(std::int32_t code) {
  switch (code) {
    case CUFRAMES_PROTOCOL_ERROR:
    case CUFRAMES_UNSUPPORTED_TLV:
    case CUFRAMES_DESCRIPTOR_COUNT:
    case CUFRAMES_SEGMENT_INVALID:
    case CUFRAMES_CONTROL_BLOCK_INVALID:
    case CUFRAMES_FRAME_INVALID:
      return true;
    default:
      return false;
  }
}

// With one fence asked for, another one granted is an error.
void require_fence(const options &options, const cuframes::Subscriber &subscriber) {
  const std::uint32_t wanted = option_fences(&options) & ~static_cast<std::uint32_t>(CUFRAMES_FENCE_CPU);
  const cuframes_subscriber_info info = subscriber.info();
  if (info.memory == CUFRAMES_MEMORY_CUDA && (wanted == CUFRAMES_FENCE_STREAM || wanted == CUFRAMES_FENCE_EVENT) && info.release_fence != wanted) {
    throw std::runtime_error("the release fence is " + std::to_string(info.release_fence) + " and not " + std::to_string(wanted) + ". " + info.release_fence_reason);
  }
}

int take_and_hold(cuframes::Subscriber &subscriber, std::int64_t count) {
  Held held;
  for (std::int64_t i = 0; i < count; i++) {
    auto frame = subscriber.next(std::chrono::seconds(60));
    if (!frame) {
      throw std::runtime_error("no frame came within 60 s");
    }
    held.take(subscriber, std::move(*frame));
  }
  json line = json_begin("holding");
  json_number(&line, "held", subscriber.info().held_frames);
  json_bool(&line, "isClean", checker_is_clean(&held.findings()));
  json_say(&line);
  std::array<char, COMMAND_BYTES> command;
  while (command_read(command.data())) {
  }
  return 0;
}

int read(const options &options) {
  cuframes::SubscriberOptions made = subscriber_options(options);
  made.wait_for_stream = true;
  const std::size_t most = static_cast<std::size_t>(std::max<std::int64_t>(1, std::min<std::int64_t>(option_number(&options, "hold", 1), made.leases)));
  cuframes::Subscriber subscriber(option_required(&options, "key"), made);
  json ready = json_begin("ready");
  json_say(&ready);
  if (const std::int64_t count = option_number(&options, "take-and-hold", 0); count > 0) {
    return take_and_hold(subscriber, count);
  }

  const auto dwell = std::chrono::microseconds(option_number(&options, "dwell-us", 0));
  commands *const commands = commands_start(nullptr, nullptr);
  Held held;
  std::vector<std::string> violations;
  bool is_first = true;
  while (!commands_is_exiting(commands)) {
    while (held.frames().size() >= most) {
      held.release_oldest();
    }
    std::optional<cuframes::Frame> frame;
    try {
      frame = subscriber.next(milliseconds(300));
    } catch (const cuframes::Error &error) {
      if (!is_publishers_fault(error.code())) {
        throw;
      }
      violations.emplace_back(error.what());
      json line = json_begin("fault");
      json_open_list(&line, "faults");
      json_text(&line, nullptr, error.what());
      json_close_list(&line);
      json_say(&line);
      continue;
    }
    if (!frame) {
      if (commands_is_finishing(commands)) {
        break;
      }
      continue;
    }
    if (is_first) {
      is_first = false;
      require_fence(options, subscriber);
      json line = json_begin("connected");
      json_say(&line);
    }
    const bool was_clean = checker_is_clean(&held.findings());
    held.take(subscriber, std::move(*frame), dwell);
    if (was_clean && !checker_is_clean(&held.findings())) {
      // Said at once, because this process may be killed before it can say its summary.
      json line = json_begin("fault");
      write_faults(&line, held.findings());
      json_say(&line);
    }
  }
  held.release_all(subscriber);

  const checker &found = held.findings();
  const cuframes_subscriber_info info = subscriber.info();
  json line = json_begin("summary");
  json_number(&line, "frames", found.frames);
  json_number(&line, "missed", found.missed);
  json_number(&line, "torn", found.torn);
  json_number(&line, "lost", found.lost);
  json_number(&line, "repeated", found.repeated);
  json_number(&line, "outOfOrder", found.out_of_order);
  json_number(&line, "missedWrong", found.missed_wrong);
  json_number(&line, "epochs", found.epochs);
  json_unsigned(&line, "last", found.last);
  json_unsigned(&line, "taken", info.taken);
  json_unsigned(&line, "ownMissed", info.missed);
  json_number(&line, "evictions", info.evictions);
  json_number(&line, "reconnects", info.reconnects);
  write_faults(&line, found);
  json_open_list(&line, "violations");
  for (const std::string &violation : violations) {
    json_text(&line, nullptr, violation.c_str());
  }
  json_close_list(&line);
  json_say(&line);
  commands_join(commands);
  return 0;
}

// ------------------------------------------------------------------------------------------------------------ step by step

void say(const char *kind) {
  json line = json_begin(kind);
  json_say(&line);
}

// Reads commands until the end. answer is given the words of each, and says one line.
template <class Answer>
int serve(Answer answer) {
  say("ready");
  std::array<char, COMMAND_BYTES> line;
  while (command_read(line.data())) {
    std::array<char *, COMMAND_WORDS> words;
    command_split(line.data(), words.data());
    try {
      answer(words);
    } catch (const cuframes::Error &error) {
      json told = json_begin("error");
      json_number(&told, "code", error.code());
      json_text(&told, "name", error.name());
      json_text(&told, "text", error.what());
      json_say(&told);
    }
  }
  return 0;
}

const char *name_of_memory(std::uint32_t memory) {
  switch (memory) {
    case CUFRAMES_MEMORY_HOST:
      return "host";
    case CUFRAMES_MEMORY_CUDA:
      return "cuda";
    default:
      return "none";
  }
}

template <class Object>
Object &require_open(std::optional<Object> &object) {
  if (!object) {
    throw cuframes::Error(CUFRAMES_INVALID_HANDLE, "it is not open");
  }
  return *object;
}

void say_frame(const cuframes::Frame &frame, const Fault &fault) {
  json line = json_begin("frame");
  json_unsigned(&line, "sequence", frame.sequence);
  json_epoch(&line, "epoch", frame.epoch);
  json_unsigned(&line, "missed", frame.missed);
  json_text(&line, "format", cuframes_pixel_format_name(frame.pixel_format));
  json_number(&line, "width", frame.width);
  json_number(&line, "height", frame.height);
  json_text(&line, "memory", name_of_memory(frame.memory));
  json_unsigned(&line, "planes", frame.planes.size());
  json_text(&line, "fault", fault ? fault->c_str() : nullptr);
  json_say(&line);
}

void say_metadata(const cuframes_metadata &metadata) {
  json line = json_begin("metadata");
  json_number(&line, "pts", metadata.pts);
  json_number(&line, "captureTime", metadata.capture_time);
  json_number(&line, "arrivalTime", metadata.arrival_time);
  json_number(&line, "publishTime", metadata.publish_time);
  json_unsigned(&line, "sourcePacket", metadata.source_packet);
  json_number(&line, "duration", metadata.duration);
  json_number(&line, "flags", metadata.flags);
  json_number(&line, "pictureType", metadata.picture_type);
  json_number(&line, "colourMatrix", metadata.colour_matrix);
  json_number(&line, "colourRange", metadata.colour_range);
  json_number(&line, "colourPrimaries", metadata.colour_primaries);
  json_number(&line, "colourTransfer", metadata.colour_transfer);
  json_number(&line, "rotation", metadata.rotation);
  json_number(&line, "chromaLocation", metadata.chroma_location);
  json_say(&line);
}

void say_info(const cuframes_subscriber_info &info) {
  json line = json_begin("info");
  json_bool(&line, "isConnected", info.is_connected != 0);
  json_number(&line, "state", info.state);
  json_text(&line, "memory", name_of_memory(info.memory));
  json_epoch(&line, "epoch", info.epoch);
  json_number(&line, "granted", info.granted_leases);
  json_number(&line, "held", info.held_frames);
  json_unsigned(&line, "taken", info.taken);
  json_unsigned(&line, "missed", info.missed);
  json_number(&line, "reconnects", info.reconnects);
  json_number(&line, "evictions", info.evictions);
  json_text(&line, "fence", info.release_fence == CUFRAMES_FENCE_STREAM ? "stream" : info.release_fence == CUFRAMES_FENCE_EVENT ? "event" : "cpu");
  json_say(&line);
}

int subscriber(const options &options) {
  Events events;
  Held held;
  std::optional<cuframes::Subscriber> subscriber;
  std::int64_t settled = 0;
  return serve([&](const std::array<char *, COMMAND_WORDS> &words) {
    const std::string_view command = words[0];
    if (command == "open") {
      cuframes::SubscriberOptions made = subscriber_options(options);
      made.wait_for_stream = option_number(&options, "wait-for-stream", 0) != 0;
      made.reconnect = option_number(&options, "no-reconnect", 0) == 0;
      made.on_event = events.callback();
      subscriber.emplace(option_required(&options, "key"), std::move(made));
      say("open");
    } else if (command == "next") {
      auto frame = require_open(subscriber).next(milliseconds(std::strtoll(words[1], nullptr, 10)));
      if (!frame) {
        const bool has_ended = subscriber->ended();
        throw cuframes::Error(has_ended ? subscriber->end_code() : CUFRAMES_TIMED_OUT, has_ended ? "the stream has ended" : "no frame came in time");
      }
      const Fault fault = held.take(*subscriber, std::move(*frame));
      say_frame(held.frames().back(), fault);
    } else if (command == "verify") {
      const checker before = held.findings();
      held.look_at_all();
      json line = json_begin("verify");
      json_unsigned(&line, "held", held.frames().size());
      json_number(&line, "torn", held.findings().torn - before.torn);
      json_number(&line, "lost", held.findings().lost - before.lost);
      json_say(&line);
    } else if (command == "metadata" || command == "release") {
      const std::uint64_t sequence = std::strtoull(words[1], nullptr, 10);
      if (command == "release") {
        auto frame = held.find(sequence);
        if (!frame) {
          throw cuframes::Error(CUFRAMES_INVALID_HANDLE, "that frame is not held");
        }
        if (std::strcmp(words[2], "cpu") == 0) {
          frame->release();
        } else {
          held.release(std::move(*frame), false);
        }
        say("release");
        return;
      }
      for (const cuframes::Frame &frame : held.frames()) {
        if (frame.sequence == sequence) {
          say_metadata(frame.metadata);
          return;
        }
      }
      throw cuframes::Error(CUFRAMES_INVALID_HANDLE, "that frame is not held");
    } else if (command == "settle") {
      held.settle();
      json line = json_begin("settle");
      json_number(&line, "torn", held.findings().torn - settled);
      settled = held.findings().torn;
      json_say(&line);
    } else if (command == "info") {
      say_info(require_open(subscriber).info());
    } else if (command == "events") {
      events.say();
    } else if (command == "close") {
      require_open(subscriber);
      subscriber.reset();
      say("close");
    } else {
      throw cuframes::Error(CUFRAMES_INVALID_ARGUMENT, "there is no command '" + std::string(command) + "'");
    }
  });
}

void describe(cuframes_metadata &metadata) {
  metadata.pts = -1234567890123;
  metadata.capture_time = 1700000000000000001;
  metadata.arrival_time = 42;
  metadata.source_packet = 7;
  metadata.duration = 40000001;
  metadata.flags = 31;
  metadata.picture_type = CUFRAMES_PICTURE_BIDIRECTIONAL;
  metadata.colour_matrix = 9;
  metadata.colour_range = CUFRAMES_RANGE_FULL;
  metadata.colour_primaries = 9;
  metadata.colour_transfer = 16;
  metadata.rotation = 3;
  metadata.chroma_location = 2;
}

void say_published(const cuframes::Publisher &publisher, std::int64_t published, std::int64_t dropped) {
  json line = json_begin("publish");
  json_number(&line, "published", published);
  json_number(&line, "dropped", dropped);
  json_unsigned(&line, "head", publisher.info().head);
  json_say(&line);
}

int publisher(const options &options) {
  Events events;
  std::optional<cuframes::Publisher> publisher;
  std::optional<StampingPublisher> stamping;
  return serve([&](const std::array<char *, COMMAND_WORDS> &words) {
    const std::string_view command = words[0];
    if (command == "open") {
      publisher.emplace(option_required(&options, "key"), formats_of(options)[0], publisher_options(options, events));
      stamping.emplace(*publisher);
      json line = json_begin("open");
      json_epoch(&line, "epoch", publisher->info().epoch);
      json_say(&line);
      return;
    }
    if (command == "events") {
      events.say();
      return;
    }
    cuframes::Publisher &open = require_open(publisher);
    if (command == "publish") {
      const std::int64_t count = std::strtoll(words[1], nullptr, 10);
      std::int64_t published = 0;
      for (std::int64_t i = 0; i < count; i++) {
        published += stamping->try_publish() ? 1 : 0;
      }
      say_published(open, published, count - published);
    } else if (command == "publish-described") {
      const bool is_published = stamping->try_publish(describe);
      say_published(open, is_published ? 1 : 0, is_published ? 0 : 1);
    } else if (command == "abandon") {
      if (auto picture = open.begin(); picture && picture->cuda_ptr == nullptr) {
        stamp_fill(&picture->raw(), 0);
      }
      say("abandon");
    } else if (command == "configure") {
      open.configure(format_of(parse_format(words[1])));
      say("configure");
    } else if (command == "state") {
      // The reason is the rest of the line, of which the fourth word may be a part.
      std::string reason = words[2];
      if (*words[3] != '\0') {
        reason += std::string(" ") + words[3];
      }
      open.set_state(static_cast<cuframes_stream_state>(std::strtoul(words[1], nullptr, 10)), reason);
      say("state");
    } else if (command == "evict") {
      for (const cuframes_subscriber_statistics &found : open.subscribers()) {
        if (std::strcmp(found.program, words[1]) == 0) {
          open.evict(found.subscriber_id, "asked to");
          say("evict");
          return;
        }
      }
      throw cuframes::Error(CUFRAMES_INVALID_ARGUMENT, "no subscriber has this name");
    } else if (command == "info") {
      json line = json_begin("info");
      write_statistics(&line, open);
      json_say(&line);
    } else if (command == "close") {
      stamping.reset();
      publisher.reset();
      say("close");
    } else {
      throw cuframes::Error(CUFRAMES_INVALID_ARGUMENT, "there is no command '" + std::string(command) + "'");
    }
  });
}

// ------------------------------------------------------------------------------------------------------------ conformance

volatile std::sig_atomic_t is_terminated;

void end_with_input_or_sigterm() {
  std::signal(SIGTERM, [](int) { is_terminated = 1; });
  input_watch();
}

bool is_ending() { return is_terminated != 0 || input_has_ended(); }

int conform_publisher(const char *key, std::optional<std::int64_t> change_milliseconds) {
  end_with_input_or_sigterm();
  cuframes::PublisherOptions made;
  made.slots = 6;
  made.max_slots = 8;
  made.max_leases = 4;
  made.max_subscribers = 40;
  made.lease_timeout = milliseconds(500);
  made.lossless_timeout = milliseconds(1500);
  cuframes::Publisher publisher(key, {CUFRAMES_NV12, 94, 62}, std::move(made));
  std::optional<Clock::time_point> first;
  std::uint64_t number = 0;
  for (; !is_ending(); std::this_thread::sleep_for(milliseconds(10))) {
    if (change_milliseconds) {
      if (!first && publisher.info().subscribers > 0) {
        first = Clock::now();
      }
      if (first && Clock::now() - *first >= milliseconds(*change_milliseconds)) {
        publisher.configure({CUFRAMES_I420, 65, 33});
        change_milliseconds.reset();
      }
    }
    if (auto picture = publisher.begin()) {
      stamp_fill(&picture->raw(), ++number);
      picture->publish();
    }
  }
  return 0;
}

void say_event(const char *name, std::uint32_t code) {
  std::printf("{\"event\":\"%s\",\"code\":%u}\n", name, code);
  std::fflush(stdout);
}

std::string hash_of(const cuframes::Frame &frame) {
  sha256 hash;
  sha256_begin(&hash);
  for (const cuframes::Plane &plane : frame.planes) {
    for (std::int64_t y = 0; y < plane.rows; y++) {
      const auto row = plane.row(y);
      sha256_add(&hash, row.data(), row.size());
    }
  }
  std::array<char, SHA256_HEX_BYTES> hex;
  sha256_end(&hash, hex.data());
  return hex.data();
}

void conform_read(cuframes::Subscriber &subscriber) {
  while (!is_ending()) {
    auto frame = subscriber.next(milliseconds(200));
    if (!frame) {
      continue;
    }
    const std::string hash = hash_of(*frame);
    const bool is_valid = frame->is_valid();
    // Released before the line is written: who reads the line may count on it.
    frame->release();
    if (is_valid) {
      std::printf("{\"sequence\":%llu,\"epoch\":\"%016llx\",\"sha256\":\"%s\",\"missed\":%llu}\n", static_cast<unsigned long long>(frame->sequence),
                  static_cast<unsigned long long>(frame->epoch), hash.c_str(), static_cast<unsigned long long>(frame->missed));
      std::fflush(stdout);
    }
  }
}

int conform_subscriber(const char *key) {
  end_with_input_or_sigterm();
  while (!is_ending()) {
    cuframes::SubscriberOptions made;
    made.leases = 2;
    made.wait_for_stream = true;
    made.on_event = [](const cuframes::Event &event) {
      if (event.kind == CUFRAMES_EVENT_EVICTED || event.kind == CUFRAMES_EVENT_DISCONNECTED) {
        say_event(event.kind == CUFRAMES_EVENT_EVICTED ? "evicted" : "disconnected", event.code);
      }
    };
    try {
      cuframes::Subscriber subscriber(key, std::move(made));
      conform_read(subscriber);
    } catch (const cuframes::Error &error) {
      // Also a handshake that ended without an answer; the suite looks at the code.
      const bool is_disconnected = error.code() == CUFRAMES_DISCONNECTED || is_publishers_fault(error.code());
      say_event(is_disconnected ? "disconnected" : "refused", static_cast<std::uint32_t>(error.code()));
    }
  }
  return 0;
}

int run(int argc, char **argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  const options options{argv + 2, argc - 2};
  if (command == "publish") {
    return publish(options);
  }
  if (command == "read") {
    return read(options);
  }
  if (command == "publisher") {
    return publisher(options);
  }
  if (command == "subscriber") {
    return subscriber(options);
  }
  if (command == "conform-publisher" && argc == 3) {
    return conform_publisher(argv[2], std::nullopt);
  }
  if (command == "conform-publisher" && argc == 5 && std::strcmp(argv[3], "--format-change-ms") == 0) {
    return conform_publisher(argv[2], std::strtoll(argv[4], nullptr, 10));
  }
  if (command == "conform-subscriber" && argc == 3) {
    return conform_subscriber(argv[2]);
  }
  std::fprintf(stderr, "usage: cpp-peer publish|read|publisher|subscriber --option value ... | conform-publisher KEY [--format-change-ms N] | conform-subscriber KEY\n");
  return USAGE_ERROR;
}

}  // namespace

int main(int argc, char **argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The peer in C++ (tests/native-peers/README.md), over cuframes.hpp.

#include <cuframes.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "checker.h"
#include "commands.h"
#include "device.h"
#include "json.h"
#include "options.h"
#include "report.h"
#include "sha256.h"
#include "stamp.h"

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
  Events() { pthread_mutex_init(&list_.gate, nullptr); }
  Events(const Events &) = delete;
  Events &operator=(const Events &) = delete;
  ~Events() { pthread_mutex_destroy(&list_.gate); }

  cuframes::EventCallback callback() {
    return [this](const cuframes::Event &event) {
      const std::string text(event.text);
      cuframes_event told = CUFRAMES_INIT(cuframes_event);
      told.kind = event.kind;
      told.code = event.code;
      told.text = text.c_str();
      event_list_note(&list_, &told);
    };
  }

  void say() {
    json line = json_begin("events");
    report_events(&line, &list_);
    json_say(&line);
  }

  void write_evictions(json *line) { report_evictions(line, &list_); }

 private:
  event_list list_{};
};

// The device's stream and copies, from the first frame in device memory on.
class Device {
 public:
  Device() = default;
  Device(const Device &) = delete;
  Device &operator=(const Device &) = delete;
  ~Device() { device_close(device_); }

  void open(std::int32_t ordinal, const void *context) {
    if (device_ == nullptr) {
      device_ = device_open(ordinal, context);
    }
  }

  bool is_open() const noexcept { return device_ != nullptr; }

  device *raw() const noexcept { return device_; }

 private:
  device *device_ = nullptr;
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
  const std::vector<cuframes_subscriber_statistics> subscribers = publisher.subscribers();
  report_statistics(line, &info, subscribers.data(), subscribers.size());
}

// Stamps frames and publishes them. In device memory: made in main memory, copied to the slot and published behind the copy, for which nobody here
// waits.
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
      device_.open(info.cuda_device, info.cuda_context);
      void *made = device_picture(device_.raw(), stamp_picture_bytes(&picture->raw()));
      stamp_fill_picture(made, &picture->raw(), number);
      device_upload(device_.raw(), made, &picture->raw());
      published = picture->publish(device_stream(device_.raw()));
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
  cuframes::Publisher &publisher_;
  Device device_;
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
  const cuframes::Publisher &publisher;
  Events &events;
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
    if (frame.cuda_ptr != nullptr && !device_.is_open()) {
      device_.open(frame.cuda_device, subscriber.info().cuda_context);
    }
    Fault fault = note_look(frame);
    note_copies(device_look_at_complete);
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
    if (device_is_full(device_.raw())) {
      note_copy(device_look_at_oldest);
    }
    device_enqueue_copy(device_.raw(), &frame.raw());
    if (by_cpu) {
      note_copies(device_look_at_oldest);
      note_whether_lost(frame);
      frame.release();
    } else {
      frame.release(device_stream(device_.raw()));
    }
  }

  // Releases all, and takes until the GPU has ended all leases.
  void release_all(cuframes::Subscriber &subscriber) {
    while (true) {
      while (!frames_.empty()) {
        release_oldest();
      }
      if (!device_.is_open()) {
        return;
      }
      settle();
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
    if (device_.is_open()) {
      note_copies(device_look_at_oldest);
      device_synchronize(device_.raw());
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
    if (note_whether_lost(frame)) {
      // Its content means nothing.
      return std::nullopt;
    }
    if (fault) {
      checker_note_torn(&checker_, fault->c_str());
    }
    return fault;
  }

  // Counts what a look at a copy found. False: there was no copy.
  bool note_copy(bool (*look_at)(device *, char *, std::size_t)) {
    std::array<char, CHECKER_TEXT> text;
    text[0] = '\0';
    if (!device_.is_open() || !look_at(device_.raw(), text.data(), text.size())) {
      return false;
    }
    if (text[0] != '\0') {
      checker_note_torn(&checker_, text.data());
    }
    return true;
  }

  void note_copies(bool (*look_at)(device *, char *, std::size_t)) {
    while (note_copy(look_at)) {
    }
  }

  bool note_whether_lost(const cuframes::Frame &frame) {
    if (frame.is_valid()) {
      return false;
    }
    checker_note_lost(&checker_, &frame.raw());
    return true;
  }

  checker checker_{};
  std::deque<cuframes::Frame> frames_;
  Device device_;
  std::int64_t released_ = 0;
};

void write_faults(json *line, const checker &checker) {
  json_open_list(line, "faults");
  for (int i = 0; i < checker.fault_count; i++) {
    json_text(line, nullptr, checker.faults[i]);
  }
  json_close_list(line);
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
      if (is_violation(error.code()) == 0) {
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
  report_checker(&line, &found);
  json_unsigned(&line, "taken", info.taken);
  json_unsigned(&line, "ownMissed", info.missed);
  json_number(&line, "evictions", info.evictions);
  json_number(&line, "reconnects", info.reconnects);
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
  json_text(&line, "memory", memory_name(frame.memory));
  json_unsigned(&line, "planes", frame.planes.size());
  json_text(&line, "fault", fault ? fault->c_str() : nullptr);
  json_say(&line);
}

void say_metadata(const cuframes_metadata &metadata) {
  json line = json_begin("metadata");
  report_metadata(&line, &metadata);
  json_say(&line);
}

void say_info(const cuframes_subscriber_info &info) {
  json line = json_begin("info");
  json_bool(&line, "isConnected", info.is_connected != 0);
  json_number(&line, "state", info.state);
  json_text(&line, "memory", memory_name(info.memory));
  json_epoch(&line, "epoch", info.epoch);
  json_number(&line, "granted", info.granted_leases);
  json_number(&line, "held", info.held_frames);
  json_unsigned(&line, "taken", info.taken);
  json_unsigned(&line, "missed", info.missed);
  json_number(&line, "reconnects", info.reconnects);
  json_number(&line, "evictions", info.evictions);
  json_text(&line, "fence", fence_name(info.release_fence));
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
      const bool is_published = stamping->try_publish([](cuframes_metadata &metadata) { describe(&metadata); });
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
      open.set_state(static_cast<cuframes_stream_state>(std::strtoul(words[1], nullptr, 10)), words[2]);
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
  made.lossless_timeout = milliseconds(5000);
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

// Tells the end of a connection.
void tell_end(const cuframes::Event &event) {
  if (event.kind == CUFRAMES_EVENT_EVICTED || event.kind == CUFRAMES_EVENT_DISCONNECTED) {
    say_event(event.kind == CUFRAMES_EVENT_EVICTED ? "evicted" : "disconnected", event.code);
  }
}

// An error that ended a connection: also a handshake that ended without an answer; the suite looks at the code.
void say_failure(const cuframes::Error &error) {
  const bool is_disconnected = error.code() == CUFRAMES_DISCONNECTED || is_violation(error.code()) != 0;
  say_event(is_disconnected ? "disconnected" : "refused", static_cast<std::uint32_t>(error.code()));
}

int conform_packet_subscriber(const char *key) {
  end_with_input_or_sigterm();
  while (!is_ending()) {
    cuframes::PacketSubscriberOptions made;
    made.wait_for_stream = true;
    made.on_event = tell_end;
    try {
      cuframes::PacketSubscriber subscriber(key, std::move(made));
      unsigned long long lost = 0; // before the next line: a packet that was overwritten while it was read is lost, too
      while (!is_ending()) {
        const auto packet = subscriber.next(milliseconds(200));
        if (!packet) {
          continue;
        }
        sha256 hash;
        sha256_begin(&hash);
        sha256_add(&hash, packet->data.data(), packet->data.size());
        std::array<char, SHA256_HEX_BYTES> hex;
        sha256_end(&hash, hex.data());
        lost += packet->missed;
        if (!packet->is_valid()) {
          lost++;
        } else {
          std::printf("{\"sequence\":%llu,\"epoch\":\"%016llx\",\"sha256\":\"%s\",\"missed\":%llu}\n", static_cast<unsigned long long>(packet->sequence),
                      static_cast<unsigned long long>(packet->epoch), hex.data(), lost);
          std::fflush(stdout);
          lost = 0;
        }
      }
    } catch (const cuframes::Error &error) {
      say_failure(error);
    }
  }
  return 0;
}

int conform_subscriber(const char *key) {
  end_with_input_or_sigterm();
  while (!is_ending()) {
    cuframes::SubscriberOptions made;
    made.leases = 2;
    made.wait_for_stream = true;
    made.on_event = tell_end;
    try {
      cuframes::Subscriber subscriber(key, std::move(made));
      conform_read(subscriber);
    } catch (const cuframes::Error &error) {
      say_failure(error);
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
  if (command == "conform-packet-subscriber" && argc == 3) {
    return conform_packet_subscriber(argv[2]);
  }
  std::fprintf(stderr, "usage: cpp-peer publish|read|publisher|subscriber --option value ... | conform-publisher KEY [--format-change-ms N] | conform-subscriber KEY | conform-packet-subscriber KEY\n");
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

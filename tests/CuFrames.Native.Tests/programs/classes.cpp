// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What cuframes.hpp promises, in one process that publishes and reads. $CUFRAMES_DIR is a folder of its own.
#include <cuframes.hpp>

#include <atomic>
#include <cstring>
#include <thread>

#include "check.h"

using namespace std::chrono_literals;

namespace {

template <class Function>
std::int32_t code_of(Function function) {
  try {
    function();
    return CUFRAMES_OK;
  } catch (const cuframes::Error &error) {
    CHECK(std::strlen(error.what()) > 10);
    CHECK(std::strcmp(error.name(), cuframes_error_name(error.code())) == 0);
    return error.code();
  }
}

cuframes::Publisher publisher_of(const char *key, cuframes::PublisherOptions options = {}) {
  return cuframes::Publisher(key, {CUFRAMES_NV12, 66, 34, 25}, std::move(options));
}

// Publishes a picture whose bytes are all alike.
std::uint64_t publish(cuframes::Publisher &publisher, std::uint8_t value) {
  auto picture = publisher.begin();
  CHECK(picture);
  for (const auto &plane : picture->planes) {
    for (std::int64_t y = 0; y < plane.rows; y++) {
      for (auto &byte : plane.row(y)) {
        byte = value;
      }
    }
  }
  return picture->publish();
}

bool shows(const cuframes::Frame &frame, std::uint8_t value) {
  for (const auto &plane : frame.planes) {
    for (std::int64_t y = 0; y < plane.rows; y++) {
      for (const auto byte : plane.row(y)) {
        if (byte != value) {
          return false;
        }
      }
    }
  }
  return frame.is_valid();
}

cuframes::SubscriberOptions in_order(std::uint32_t leases = 4) {
  cuframes::SubscriberOptions options;
  options.delivery = CUFRAMES_IN_ORDER;
  options.leases = leases;
  return options;
}

void check_frames() {
  cuframes::Publisher publisher = publisher_of("frames");
  cuframes::Subscriber subscriber("frames", in_order());
  CHECK(publish(publisher, 11) == 1);
  auto frame = subscriber.next(5s);
  CHECK(frame && frame->held() && shows(*frame, 11));
  CHECK(frame->width == 66 && frame->height == 34 && frame->pixel_format == CUFRAMES_NV12 && frame->memory == CUFRAMES_MEMORY_HOST);
  CHECK(frame->cuda_ptr == nullptr && frame->cuda_device == -1 && frame->sequence == 1 && frame->missed == 0);
  CHECK(frame->epoch == publisher.info().epoch && frame->metadata.publish_time > 0);
  CHECK(frame->planes.size() == 2 && frame->planes[1].rows == 17 && frame->planes[1].row_bytes == 66 && frame->planes[0].pitch % 64 == 0);
  CHECK(frame->copy().size() == 66 * 34 + 66 * 17);
  std::uint8_t small[8];
  CHECK(code_of([&] { frame->copy(small, sizeof small); }) == CUFRAMES_INVALID_ARGUMENT);

  // A frame that was moved away holds nothing, and shows nothing.
  cuframes::Frame moved = std::move(*frame);
  CHECK(!frame->held() && frame->planes.size() == 0 && !frame->is_valid() && moved.held() && shows(moved, 11));
  frame->release();
  frame.reset();
  CHECK(shows(moved, 11) && subscriber.info().held_frames == 1);

  // Two owners: the last one ends the lease.
  cuframes::Frame kept = moved.retain();
  moved.release();
  CHECK(!moved.held() && moved.planes.size() == 0 && moved.cuda_ptr == nullptr);
  CHECK(shows(kept, 11) && subscriber.info().held_frames == 1);
  kept.release(nullptr);
  CHECK(subscriber.info().held_frames == 0);
  kept.release();
  kept.release(nullptr);
  CHECK(code_of([&] { kept.retain(); }) == CUFRAMES_INVALID_HANDLE);

  // Assignment releases what was held before.
  publish(publisher, 1);
  publish(publisher, 2);
  cuframes::Frame one = std::move(*subscriber.next(5s));
  cuframes::Frame two = std::move(*subscriber.next(5s));
  CHECK(subscriber.info().held_frames == 2);
  one = std::move(two);
  CHECK(subscriber.info().held_frames == 1 && shows(one, 2));

  // A tensor is one more owner.
  struct Tensor {
    void *data;
    std::int32_t device[2];
    std::int32_t dimensions;
    std::uint8_t type[4];
    std::int64_t *shape;
    std::int64_t *strides;
    std::uint64_t offset;
    void *context;
    void (*deleter)(Tensor *);
  };
  auto *tensor = static_cast<Tensor *>(one.to_dlpack(1));
  CHECK(tensor->dimensions == 3 && tensor->shape[0] == 17 && tensor->shape[1] == 33 && tensor->shape[2] == 2 && tensor->data == one.planes[1].data);
  one.release();
  CHECK(subscriber.info().held_frames == 1);
  tensor->deleter(tensor);
  CHECK(subscriber.info().held_frames == 0);

  // A frame outlives its subscriber, and tells when its slot has been used again.
  publish(publisher, 3);
  auto last = subscriber.next(5s);
  CHECK(last);
  subscriber.close();
  CHECK(subscriber.raw() == nullptr && last->held() && last->planes[0].data[0] == 3);
  CHECK(code_of([&] { subscriber.next(0s); }) == CUFRAMES_INVALID_HANDLE);
  for (int i = 0; i < 5000 && last->is_valid(); i++) {
    // The publisher hears of the reader's end on its own thread.
    std::this_thread::sleep_for(1ms);
    publish(publisher, 4);
  }
  CHECK(!last->is_valid());
  CHECK(code_of([&] { last->copy(); }) == CUFRAMES_FRAME_LOST);
  last->release();
}

void check_waiting() {
  CHECK(code_of([] { cuframes::Subscriber("nobody"); }) == CUFRAMES_STREAM_NOT_FOUND);
  CHECK(code_of([] { cuframes::Subscriber(std::string_view("a\0b", 3)); }) == CUFRAMES_INVALID_ARGUMENT);
  cuframes::SubscriberOptions options = in_order(2);
  options.wait_for_stream = true;
  options.reconnect = false;
  std::string told;
  options.on_event = [&told](const cuframes::Event &event) {
    told += std::to_string(event.kind) + (event.text.empty() ? "?" : " ");
  };
  cuframes::Subscriber subscriber("waiting", options);
  CHECK(!subscriber.next(0s) && !subscriber.next(std::chrono::milliseconds(-1)) && !subscriber.next(20ms) && !subscriber.ended());

  // Interrupted from another thread.
  std::thread interrupter([&subscriber] {
    std::this_thread::sleep_for(50ms);
    subscriber.interrupt();
  });
  CHECK(!subscriber.next() && !subscriber.ended());
  interrupter.join();

  {
    cuframes::Publisher publisher = publisher_of("waiting");
    // It connects inside next, and looks for the first time: who has not would begin with the newest frame.
    for (int i = 0; i < 600 && !subscriber.info().is_connected; i++) {
      CHECK(!subscriber.next(100ms));
    }
    CHECK(subscriber.info().is_connected && !subscriber.next(0s));
    for (std::uint8_t i = 1; i <= 3; i++) {
      publish(publisher, i);
    }
    auto one = subscriber.next(5s);
    auto two = subscriber.next(5s);
    CHECK(one && two && shows(*one, 1) && shows(*two, 2));
    CHECK(code_of([&] { subscriber.next(1s); }) == CUFRAMES_LEASES_EXHAUSTED);
    one.reset();
    auto three = subscriber.next();
    CHECK(three && shows(*three, 3));

    // What was moved goes on, its callback too.
    cuframes::Subscriber moved = std::move(subscriber);
    CHECK(subscriber.raw() == nullptr && moved.descriptor() >= 0);
    subscriber = std::move(moved);
  }
  CHECK(!subscriber.next() && subscriber.ended() && subscriber.end_code() == CUFRAMES_SHUTTING_DOWN);
  CHECK(!subscriber.next() && !subscriber.next(1s));
  CHECK(told == "1 5 ");
}

void check_eviction() {
  std::atomic<std::uint64_t> joined{0};
  std::atomic<int> evicted{0};
  cuframes::PublisherOptions options;
  options.on_event = [&](const cuframes::Event &event) {
    if (event.kind == CUFRAMES_EVENT_SUBSCRIBER_JOINED) {
      joined = event.subscriber_id;
    }
    evicted += event.kind == CUFRAMES_EVENT_SUBSCRIBER_EVICTED ? 1 : 0;
  };
  cuframes::Publisher first = publisher_of("eviction", std::move(options));
  cuframes::Publisher publisher = std::move(first);
  CHECK(first.raw() == nullptr && publisher.raw() != nullptr);
  cuframes::SubscriberOptions reading;
  reading.reconnect = false;
  reading.program = "classes";
  cuframes::Subscriber subscriber("eviction", reading);
  publish(publisher, 1);
  auto frame = subscriber.next(5s);
  CHECK(frame);
  const auto subscribers = publisher.subscribers();
  CHECK(subscribers.size() == 1 && std::strcmp(subscribers[0].program, "classes") == 0 && subscribers[0].held_leases == 1);
  CHECK(subscribers[0].subscriber_id == joined);
  CHECK(code_of([&] { publisher.evict(12345); }) == CUFRAMES_INVALID_ARGUMENT);
  publisher.evict(joined, "for a test");
  CHECK(code_of([&] { subscriber.next(5s); }) == CUFRAMES_EVICTED_BY_OPERATOR);
  CHECK(!subscriber.ended() && !frame->is_valid() && evicted == 1);
  publisher.set_state(CUFRAMES_STATE_SOURCE_LOST, "unplugged");
  CHECK(publisher.info().state == CUFRAMES_STATE_SOURCE_LOST);
}

void check_publishing() {
  cuframes::PublisherOptions options;
  options.slots = 2;
  options.max_slots = 2;
  options.source = "a test";
  cuframes::Publisher publisher("publishing", options);
  CHECK(code_of([&] { publisher.begin(); }) == CUFRAMES_WRONG_STATE);
  publisher.configure({CUFRAMES_GRAY8, 64, 8});
  CHECK(code_of([] { cuframes::Publisher("publishing"); }) == CUFRAMES_ALREADY_PUBLISHED);

  // What is not published is abandoned, whoever has it then.
  {
    auto picture = publisher.begin();
    CHECK(picture && picture->open() && picture->planes.size() == 1);
    CHECK(code_of([&] { publisher.begin(); }) == CUFRAMES_WRONG_STATE);
    CHECK(code_of([&] { publisher.configure({CUFRAMES_NV12, 64, 8}); }) == CUFRAMES_WRONG_STATE);
    cuframes::Picture moved = std::move(*picture);
    CHECK(!picture->open() && picture->planes.size() == 0 && moved.open());
  }
  auto second = publisher.begin();
  CHECK(second);
  second->abandon();
  second->abandon();
  CHECK(!second->open() && publisher.info().head == 0);

  cuframes::Subscriber subscriber("publishing", in_order(2));
  auto picture = publisher.begin();
  picture->metadata.pts = 77;
  std::memset(picture->planes[0].data, 5, static_cast<std::size_t>(picture->planes[0].pitch * picture->planes[0].rows));
  CHECK(picture->publish() == 1 && !picture->open());
  CHECK(code_of([&] { picture->publish(); }) != CUFRAMES_OK);
  auto held = subscriber.next(5s);
  CHECK(held && held->metadata.pts == 77 && shows(*held, 5));
  CHECK(publish(publisher, 6) == 2);
  auto held_too = subscriber.next(5s);
  CHECK(held_too);

  // Readers hold every slot.
  CHECK(!publisher.begin() && publisher.info().dropped == 1);
  held.reset();
  CHECK(publish(publisher, 7) == 3 && shows(*held_too, 6));

  const auto streams = cuframes::list();
  CHECK(streams.size() == 1 && streams[0].key == "publishing" && streams[0].source == "a test" && streams[0].error.empty());
  CHECK(streams[0].head == 3 && streams[0].format.width == 64 && streams[0].format.pixel_format == CUFRAMES_GRAY8 && streams[0].subscribers == 1);
  const auto probed = cuframes::probe("publishing", cuframes::runtime_directory());
  CHECK(probed.epoch == publisher.info().epoch && probed.error_code == CUFRAMES_OK);
  CHECK(cuframes::probe("nobody").error_code == CUFRAMES_STREAM_NOT_FOUND);
  CHECK(code_of([] { cuframes::list("/nowhere/at/all"); }) == CUFRAMES_STREAM_NOT_FOUND);
}

void check_log() {
  std::atomic<int> lines{0};
  cuframes::set_log([&lines](cuframes_log_level, std::string_view text) { lines += text.empty() ? 0 : 1; });
  {
    cuframes::Publisher publisher = publisher_of("log");
    cuframes::Subscriber subscriber("log");
  }
  CHECK(lines > 0);
  cuframes::set_log({});
  const int before = lines;
  cuframes::Publisher publisher = publisher_of("log");
  cuframes::Subscriber subscriber("log");
  CHECK(lines == before);
}

}  // namespace

int main() {
  check_frames();
  check_waiting();
  check_eviction();
  check_publishing();
  check_log();
  std::puts("all is well");
}

// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What cuframes.hpp promises of packets, in one process that publishes and reads. $CUFRAMES_DIR is a folder of its own.
#include <cuframes.hpp>

#include <cstring>
#include <string>
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
    return error.code();
  }
}

template <class T>
constexpr bool moves_only = std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> && !std::is_copy_constructible_v<T> &&
                            !std::is_copy_assignable_v<T> && std::is_nothrow_destructible_v<T>;
static_assert(moves_only<cuframes::Packet>);
static_assert(moves_only<cuframes::PacketSubscriber>);
static_assert(moves_only<cuframes::PacketPublisher>);

cuframes::PacketPublisher publisher_of(const char *key) {
  cuframes::PacketPublisherOptions options;
  options.byte_capacity = 65536;
  options.source = "here";
  cuframes::PacketPublisher publisher(key, options);
  cuframes::PacketTrack track;
  track.kind = CUFRAMES_TRACK_VIDEO;
  track.codec = CUFRAMES_CODEC_HEVC;
  track.time_base_numerator = 1;
  track.time_base_denominator = 90000;
  track.extradata_size = 3;
  std::memcpy(track.extradata, "abc", 3);
  CHECK(publisher.add_track(track) == 0);
  return publisher;
}

std::string text_of(std::uint64_t number) { return "packet " + std::to_string(number) + std::string(number % 700, 'x'); }

std::uint64_t publish(cuframes::PacketPublisher &publisher) {
  const std::uint64_t number = publisher.info().head + 1;
  const std::string text = text_of(number);
  cuframes::PacketMetadata metadata;
  metadata.pts = static_cast<std::int64_t>(number) * 3600;
  metadata.flags = number % 10 == 1 ? CUFRAMES_PACKET_FLAG_KEY : 0;
  CHECK(publisher.publish(0, text.data(), text.size(), metadata) == number);
  return number;
}

bool shows(const cuframes::Packet &packet, std::uint64_t number) {
  const std::string text = text_of(number);
  return packet.sequence == number && std::string(packet.data.begin(), packet.data.end()) == text && packet.is_valid() &&
         packet.pts == static_cast<std::int64_t>(number) * 3600 && packet.dts == CUFRAMES_PTS_UNKNOWN && packet.is_key() == (number % 10 == 1) &&
         packet.track == 0 && packet.kind == CUFRAMES_TRACK_VIDEO && packet.time_base_denominator == 90000 && packet.time_base_numerator == 1 &&
         packet.track_sequence == number && packet.parameters == 1 && packet.missed == 0 && packet.arrival_time > 0 && packet.publish_time > 0;
}

void reading() {
  auto publisher = publisher_of("reading");
  for (int i = 0; i < 5; i++) {
    publish(publisher);
  }
  cuframes::PacketSubscriberOptions options;
  options.reconnect = false;
  cuframes::PacketSubscriber subscriber("reading", options);
  std::uint64_t number = 0;
  std::optional<cuframes::Packet> kept;
  for (auto &packet : subscriber) {
    CHECK(shows(packet, ++number));
    const auto copy = packet.copy();
    CHECK(std::string(copy.begin(), copy.end()) == text_of(number));
    if (number == 3) {
      kept = std::move(packet);
      CHECK(packet.data.empty() && !packet.is_valid());
    }
    if (number == 5) {
      publish(publisher);
    } else if (number == 6) {
      break;
    }
  }
  CHECK(number == 6 && shows(*kept, 3));
  CHECK(std::memcmp(kept->get_track().extradata, "abc", 3) == 0 && std::strcmp(kept->get_track().codec_name, "hevc") == 0);
  CHECK(subscriber.tracks().size() == 1 && subscriber.tracks()[0].codec == CUFRAMES_CODEC_HEVC);
  const auto found = subscriber.find(2);
  CHECK(found && shows(*found, 2));
  CHECK(!subscriber.find(99));
  CHECK(!subscriber.next(0s));
  CHECK(!subscriber.next(1ms));
  CHECK(subscriber.descriptor() >= 0);
  CHECK(subscriber.info().taken == 6 && std::strcmp(subscriber.info().source, "here") == 0);

  // The end is told, the packets' memory stays.
  publisher.close();
  CHECK(!subscriber.next() && subscriber.ended() && subscriber.end_code() == CUFRAMES_SHUTTING_DOWN && !subscriber.next());
  auto moved = std::move(subscriber);
  CHECK(moved.ended() && subscriber.raw() == nullptr);
  moved.close();
  CHECK(std::string(kept->data.begin(), kept->data.end()) == text_of(3) && !kept->is_valid());
  CHECK(code_of([&] { kept->copy(); }) == CUFRAMES_PACKET_LOST);
}

void publishing() {
  auto publisher = publisher_of("publishing");
  CHECK(code_of([] { publisher_of("publishing"); }) == CUFRAMES_ALREADY_PUBLISHED);
  CHECK(code_of([&] { publisher.publish(1, "x", 1); }) == CUFRAMES_INVALID_ARGUMENT);
  CHECK(code_of([&] { publisher.publish(0, std::string(40000, 'x').data(), 40000); }) == CUFRAMES_PACKET_TOO_LARGE);
  CHECK(code_of([&] { publisher.add_track(cuframes::PacketTrack()); }) == CUFRAMES_CONFIGURATION_INVALID);
  CHECK(code_of([] { cuframes::PacketSubscriber("nobody"); }) == CUFRAMES_STREAM_NOT_FOUND);
  int evictions = 0;
  cuframes::PacketSubscriberOptions options;
  options.on_event = [&](const cuframes::Event &event) { evictions += event.kind == CUFRAMES_EVENT_EVICTED && event.text == "go" ? 1 : 0; };
  cuframes::PacketSubscriber subscriber("publishing", options);
  publish(publisher);
  const auto packet = subscriber.next();
  CHECK(packet && shows(*packet, 1));
  auto relay = publisher_of("relay");
  CHECK(relay.publish(packet->raw()) == 1);
  cuframes::PacketSubscriber second("relay");
  CHECK(shows(*second.next(), 1));
  CHECK(publisher.subscribers().size() == 1 && publisher.subscribers()[0].taken == 1);
  publisher.set_state(CUFRAMES_STATE_SOURCE_LOST, "dark");
  publisher.evict(publisher.subscribers()[0].subscriber_id, "go");
  publish(publisher);
  CHECK(shows(*subscriber.next(), 2) && evictions == 1);
  auto changed = subscriber.tracks()[0];
  changed.width = 320;
  publisher.set_parameters(0, changed);
  publish(publisher);
  const auto other = subscriber.next();
  CHECK(other && other->parameters == 2 && other->get_track().width == 320 && (other->flags & CUFRAMES_PACKET_FLAG_PARAMETERS_CHANGED) != 0);
  auto moved = std::move(publisher);
  CHECK(moved.info().head == 3 && publisher.raw() == nullptr);
}

void interruption() {
  auto publisher = publisher_of("interruption");
  cuframes::PacketSubscriber subscriber("interruption");
  std::thread other([&] {
    std::this_thread::sleep_for(50ms);
    subscriber.interrupt();
  });
  CHECK(!subscriber.next());
  other.join();
}

}  // namespace

int main() {
  reading();
  publishing();
  interruption();
  std::puts("all is well");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Does in C++ what LanguagePeers.cs does in C#: publishes bursts of frames and measures how long it takes to take and to release them.
 * Arguments: key, directory, frames of a burst. */
#include <cuframes.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <vector>

namespace {

constexpr std::uint32_t slots = 48;

using Clock = std::chrono::steady_clock;

/* Time that taking and releasing all frames of a burst took. */
std::chrono::nanoseconds measure(cuframes::Publisher &publisher, cuframes::Subscriber &subscriber, int frames) {
  std::uint64_t published = 0;
  for (int i = 0; i < frames; i++) {
    auto picture = publisher.begin();
    if (!picture) {
      throw std::runtime_error("A frame was dropped.");
    }
    published = picture->publish();
  }

  std::uint64_t taken = 0;
  const auto start = Clock::now();
  for (int i = 0; i < frames; i++) {
    auto frame = subscriber.next(std::chrono::nanoseconds(0));
    if (!frame) {
      throw std::runtime_error("There is no frame although it was published.");
    }
    taken = frame->sequence;
    frame->release();
  }
  const auto end = Clock::now();
  if (taken != published) {
    throw std::runtime_error("Frames were missed.");
  }
  return end - start;
}

void run(const char *key, const char *directory, int frames) {
  cuframes::Format format;
  format.pixel_format = CUFRAMES_GRAY8;
  format.width = 64;
  format.height = 16;
  cuframes::PublisherOptions publishing;
  publishing.directory = directory;
  publishing.slots = slots;
  publishing.max_slots = slots;
  cuframes::Publisher publisher(key, format, publishing);
  cuframes::SubscriberOptions reading;
  reading.directory = directory;
  reading.delivery = CUFRAMES_IN_ORDER;
  cuframes::Subscriber subscriber(key, reading);

  std::printf("READY g++ %s\n", __VERSION__);
  std::fflush(stdout);
  int bursts = 0;
  while (std::scanf(" run %d", &bursts) == 1) {
    std::vector<double> costs(static_cast<std::size_t>(bursts));
    for (double &cost : costs) {
      cost = static_cast<double>(measure(publisher, subscriber, frames).count()) / frames;
    }
    std::printf("COSTS -");
    for (const double cost : costs) {
      std::printf(" %.1f", cost);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
}

}  // namespace

int main(int count, char **arguments) {
  if (count != 4) {
    std::fprintf(stderr, "usage: languages-cpp KEY DIRECTORY FRAMES\n");
    return 64;
  }
  try {
    run(arguments[1], arguments[2], std::atoi(arguments[3]));
    return 0;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 70;
  }
}

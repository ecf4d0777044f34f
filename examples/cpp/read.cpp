// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reads a stream and prints a line for each frame: read KEY [FRAMES]. It waits for the stream if need be, and ends with it.

#include <cuframes.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <limits>

namespace {

volatile std::sig_atomic_t is_stopped;

// The mean of the first plane's bytes: luma, where the format has it.
double mean(const cuframes::Plane &plane) {
  std::uint64_t sum = 0;
  for (std::int64_t y = 0; y < plane.rows; y++) {
    for (const std::uint8_t byte : plane.row(y)) {
      sum += byte;
    }
  }
  return static_cast<double>(sum) / static_cast<double>(plane.row_bytes * plane.rows);
}

// Looks at a frame where it lies. One in device memory is copied here; a program that computes on the GPU takes frame.cuda_ptr as it is.
double look(const cuframes::Frame &frame) {
  cuframes::Plane plane = frame.planes[0];
  if (frame.cuda_ptr == nullptr) {
    return mean(plane);
  }

  const std::vector<std::uint8_t> picture = frame.copy();
  plane.data = picture.data();
  plane.pitch = plane.row_bytes;
  return mean(plane);
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: %s KEY [FRAMES]\n", argv[0]);
    return 2;
  }
  const std::uint64_t frames = argc == 3 ? std::strtoull(argv[2], nullptr, 10) : std::numeric_limits<std::uint64_t>::max();

  std::signal(SIGINT, [](int) { is_stopped = 1; });
  std::signal(SIGTERM, [](int) { is_stopped = 1; });

  try {
    cuframes::SubscriberOptions options;
    options.delivery = CUFRAMES_IN_ORDER;
    options.wait_for_stream = true;
    options.reconnect = false;
    cuframes::Subscriber subscriber(argv[1], options);

    std::uint64_t read = 0;
    std::uint64_t missed = 0;
    while (read < frames && !is_stopped && !subscriber.ended()) {
      // A limit, so that Ctrl-C is seen. Without one, next() waits for the next frame however long it takes.
      const auto frame = subscriber.next(std::chrono::milliseconds(200));
      if (!frame) {
        continue;
      }

      const double value = look(*frame);
      if (!frame->is_valid()) {
        std::fprintf(stderr, "read: this reader was evicted while it looked at frame %llu\n", static_cast<unsigned long long>(frame->sequence));
        return 1;
      }
      std::printf("frame %llu: %ux%u %s, mean of the first plane %.3f\n", static_cast<unsigned long long>(frame->sequence), frame->width, frame->height,
                  cuframes_pixel_format_name(frame->pixel_format), value);
      std::fflush(stdout);
      read++;
      missed += frame->missed;
      // The frame is released here, at the end of its scope. Work on a GPU that still reads it needs frame->release(stream).
    }

    std::printf("%llu frames read, %llu missed\n", static_cast<unsigned long long>(read), static_cast<unsigned long long>(missed));
    return 0;
  } catch (const cuframes::Error &error) {
    std::fprintf(stderr, "read: %s (%s)\n", error.what(), error.name());
    return 1;
  }
}

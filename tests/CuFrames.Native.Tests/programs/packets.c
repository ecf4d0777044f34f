/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Packets through the C interface: what arrives, where reading starts, losses, ends, memory that is retained, and every refusal. */
#include "publishing.h"

#include <poll.h>

enum { KEY_EVERY = 30, LARGEST = 2000 };

static cuframes_packet_publisher_options small_ring(void) {
    cuframes_packet_publisher_options options = CUFRAMES_PACKET_PUBLISHER_OPTIONS_INIT;
    options.directory = directory;
    options.program = "test publisher";
    options.source = "test source";
    options.byte_capacity = 65536;
    options.max_packets = 1024;
    return options;
}

static cuframes_packet_subscriber_options reader_options(void) {
    cuframes_packet_subscriber_options options = CUFRAMES_PACKET_SUBSCRIBER_OPTIONS_INIT;
    options.directory = directory;
    options.program = "test reader";
    return options;
}

static cuframes_packet_track video(uint32_t number) {
    cuframes_packet_track track = CUFRAMES_PACKET_TRACK_INIT;
    track.kind = CUFRAMES_TRACK_VIDEO;
    track.codec = CUFRAMES_CODEC_H264;
    track.time_base_numerator = 1;
    track.time_base_denominator = 90000;
    track.width = 640 + (int32_t)number;
    track.height = 360;
    track.frame_rate_numerator = 25;
    track.frame_rate_denominator = 1;
    track.reorder_delay = 2;
    track.colour_matrix = 1;
    track.extradata_size = 20 + number % 50;
    for (uint32_t i = 0; i < track.extradata_size; i++) {
        track.extradata[i] = (uint8_t)(i + number);
    }
    return track;
}

static cuframes_packet_track audio(void) {
    cuframes_packet_track track = CUFRAMES_PACKET_TRACK_INIT;
    track.kind = CUFRAMES_TRACK_AUDIO;
    strcpy(track.codec_name, "aac");
    strcpy(track.language, "deu");
    track.time_base_numerator = 1;
    track.time_base_denominator = 48000;
    track.sample_rate = 48000;
    track.channels = 2;
    track.channel_layout = 3;
    track.samples_per_packet = 1024;
    track.extradata_size = 2;
    track.extradata[0] = 0x11;
    track.extradata[1] = 0x90;
    return track;
}

static uint32_t track_of(uint64_t sequence) {
    return sequence % 3 == 2 ? 1 : 0;
}

static uint64_t size_of(uint64_t sequence) {
    return (sequence * 7919) % (LARGEST + 1);
}

static uint8_t byte_of(uint64_t sequence, uint64_t index) {
    return (uint8_t)(sequence * 131 + index * 7 + index / 251);
}

static cuframes_packet_publisher *open_packets(const char *key) {
    cuframes_packet_publisher_options options = small_ring();
    cuframes_packet_publisher *publisher;
    cuframes_packet_track track = video(1);
    uint32_t number = 77;
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_publisher_open(key, &options, &publisher));
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_publisher_add_track(publisher, &track, &number));
    CHECK(number == 0);
    track = audio();
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_publisher_add_track(publisher, &track, &number));
    CHECK(number == 1);
    return publisher;
}

static cuframes_packet_publisher_info info_of_packets(cuframes_packet_publisher *publisher) {
    cuframes_packet_publisher_info info = CUFRAMES_PACKET_PUBLISHER_INFO_INIT;
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_publisher_get_info(publisher, &info));
    return info;
}

static cuframes_packet packet_of(uint64_t sequence, uint8_t *bytes) {
    cuframes_packet packet = CUFRAMES_PACKET_INIT;
    packet.track = track_of(sequence);
    packet.data = bytes;
    packet.data_size = size_of(sequence);
    for (uint64_t i = 0; i < packet.data_size; i++) {
        bytes[i] = byte_of(sequence, i);
    }
    packet.flags = (sequence % KEY_EVERY == 1 ? CUFRAMES_PACKET_FLAG_KEY : 0) | (sequence % 7 == 0 ? CUFRAMES_PACKET_FLAG_DISCONTINUITY : 0);
    packet.pts = (int64_t)sequence * 3600;
    packet.dts = sequence % 5 == 0 ? CUFRAMES_PTS_UNKNOWN : (int64_t)sequence * 3600 - 7200;
    packet.duration = 3600;
    packet.arrival_time = (int64_t)sequence * 1000;
    packet.capture_time = (int64_t)sequence + 5;
    return packet;
}

static uint64_t publish_packet(cuframes_packet_publisher *publisher) {
    uint8_t bytes[LARGEST];
    uint64_t expected = info_of_packets(publisher).head + 1;
    uint64_t sequence = 0;
    cuframes_packet packet = packet_of(expected, bytes);
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_publisher_publish(publisher, &packet, &sequence));
    CHECK(sequence == expected);
    return sequence;
}

static void publish_packets(cuframes_packet_publisher *publisher, int count) {
    for (int i = 0; i < count; i++) {
        publish_packet(publisher);
    }
}

static cuframes_packet_subscriber *open_reader(const char *key, const cuframes_packet_subscriber_options *options) {
    cuframes_packet_subscriber *subscriber;
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_subscriber_open(key, options, &subscriber));
    return subscriber;
}

static cuframes_packet_subscriber_info info_of_reader(cuframes_packet_subscriber *subscriber) {
    cuframes_packet_subscriber_info info = CUFRAMES_PACKET_SUBSCRIBER_INFO_INIT;
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_subscriber_get_info(subscriber, &info));
    return info;
}

/* Every byte and the zeros behind them, in place and by a copy. */
static void check_packet(const cuframes_packet *packet) {
    uint8_t bytes[LARGEST];
    uint8_t copy[LARGEST];
    cuframes_packet expected = packet_of(packet->sequence, bytes);
    const uint8_t *data = packet->data;
    CHECK(packet->data_size == expected.data_size);
    CHECK(memcmp(data, bytes, packet->data_size) == 0);
    for (int i = 0; i < CUFRAMES_PACKET_PADDING; i++) {
        CHECK(data[packet->data_size + (uint64_t)i] == 0);
    }
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_check(packet));
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_copy(packet, copy, sizeof copy));
    CHECK(memcmp(copy, bytes, packet->data_size) == 0);
    CHECK(packet->track == expected.track && packet->kind == (expected.track == 0 ? CUFRAMES_TRACK_VIDEO : CUFRAMES_TRACK_AUDIO));
    CHECK((packet->flags & ~(uint32_t)CUFRAMES_PACKET_FLAG_PARAMETERS_CHANGED) == expected.flags);
    CHECK(packet->pts == expected.pts && packet->dts == expected.dts && packet->duration == expected.duration);
    CHECK(packet->arrival_time == expected.arrival_time && packet->capture_time == expected.capture_time && packet->publish_time > 0);
    CHECK(packet->time_base_numerator == 1 && packet->time_base_denominator == (expected.track == 0 ? 90000 : 48000));
    CHECK(packet->track_sequence == (expected.track == 1 ? (packet->sequence + 1) / 3 : packet->sequence - (packet->sequence + 1) / 3));
}

static cuframes_packet take_packet(cuframes_packet_subscriber *subscriber, uint64_t sequence) {
    cuframes_packet packet = CUFRAMES_PACKET_INIT;
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(20000), &packet));
    CHECK(packet.sequence == sequence);
    check_packet(&packet);
    return packet;
}

static void check_track(const cuframes_packet_track *found, const cuframes_packet_track *expected, uint32_t number, uint32_t parameters) {
    cuframes_packet_track wanted = *expected;
    wanted.track = number;
    wanted.parameters = parameters;
    if (wanted.codec == 0) {
        wanted.codec = CUFRAMES_CODEC_AAC;
    }
    if (wanted.codec_name[0] == 0) {
        strcpy(wanted.codec_name, "h264");
    }
    CHECK(memcmp(found, &wanted, sizeof wanted) == 0);
}

static void everything_arrives(void) {
    cuframes_packet_publisher *publisher = open_packets("whole");
    cuframes_packet_subscriber_options options = reader_options();
    cuframes_packet_subscriber *subscriber = open_reader("whole", &options);
    cuframes_packet_track track = CUFRAMES_PACKET_TRACK_INIT;
    cuframes_packet_track expected = video(1);
    cuframes_packet packet = CUFRAMES_PACKET_INIT;
    uint32_t set = 1;

    CHECK_CODE(CUFRAMES_OK, cuframes_packet_subscriber_get_track(subscriber, 0, &track));
    check_track(&track, &expected, 0, 1);
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_subscriber_get_track(subscriber, 2, &track));
    CHECK_SAYS("the stream has 2");
    for (uint64_t sequence = 1; sequence <= 5000; sequence++) {
        if (sequence % 500 == 0) {
            expected = video(++set);
            CHECK_CODE(CUFRAMES_OK, cuframes_packet_publisher_set_parameters(publisher, 0, &expected));
            /* The same once more changes nothing. */
            CHECK_CODE(CUFRAMES_OK, cuframes_packet_publisher_set_parameters(publisher, 0, &expected));
        }
        CHECK(publish_packet(publisher) == sequence);
        packet = take_packet(subscriber, sequence);
        CHECK(packet.missed == 0 && packet.epoch == info_of_packets(publisher).epoch);
        CHECK(packet.parameters == (packet.track == 0 ? set : 1));
        CHECK(((packet.flags & CUFRAMES_PACKET_FLAG_PARAMETERS_CHANGED) != 0) == (packet.track == 0 && sequence % 500 < 2 && sequence > 500 - 1 &&
              (sequence % 500 == 0 || track_of(sequence - 1) == 1)));
        CHECK_CODE(CUFRAMES_OK, cuframes_packet_get_track(&packet, &track));
        if (packet.track == 0) {
            check_track(&track, &expected, 0, set);
            CHECK_CODE(CUFRAMES_OK, cuframes_packet_subscriber_get_track(subscriber, 0, &track));
            check_track(&track, &expected, 0, set);
        } else {
            cuframes_packet_track sound = audio();
            check_track(&track, &sound, 1, 1);
        }
        CHECK_CODE(CUFRAMES_TIMED_OUT, cuframes_packet_subscriber_next(subscriber, 0, &packet));
    }

    cuframes_packet_subscriber_info info = info_of_reader(subscriber);
    CHECK(info.is_connected == 1 && info.state == CUFRAMES_STATE_LIVE && info.tracks == 2 && info.taken == 5000 && info.missed == 0);
    CHECK(info.byte_capacity == 65536 && info.reconnects == 0 && info.evictions == 0);
    CHECK(strcmp(info.publisher, "test publisher") == 0 && strcmp(info.source, "test source") == 0);
    cuframes_packet_subscriber_close(subscriber);
    cuframes_packet_publisher_close(publisher);
}

static void relay(void) {
    /* A packet that was taken may be published as it is. */
    cuframes_packet_publisher *from = open_packets("from");
    cuframes_packet_publisher *to = open_packets("to");
    cuframes_packet_subscriber_options options = reader_options();
    cuframes_packet_subscriber *middle = open_reader("from", &options);
    cuframes_packet_subscriber *end = open_reader("to", &options);
    for (uint64_t sequence = 1; sequence <= 200; sequence++) {
        publish_packet(from);
        cuframes_packet packet = take_packet(middle, sequence);
        CHECK_CODE(CUFRAMES_OK, cuframes_packet_publisher_publish(to, &packet, NULL));
        CHECK_CODE(CUFRAMES_OK, cuframes_packet_check(&packet));
        take_packet(end, sequence);
    }
    cuframes_packet_subscriber_close(end);
    cuframes_packet_subscriber_close(middle);
    cuframes_packet_publisher_close(to);
    cuframes_packet_publisher_close(from);
}

static void starts(void) {
    cuframes_packet_publisher *publisher = open_packets("starts");
    cuframes_packet_subscriber_options options = reader_options();
    publish_packets(publisher, 100);
    uint64_t oldest = info_of_packets(publisher).oldest;
    uint64_t oldest_key = oldest + (KEY_EVERY + 1 - oldest % KEY_EVERY) % KEY_EVERY;
    uint64_t epoch = info_of_packets(publisher).epoch;

    cuframes_packet_subscriber *subscriber = open_reader("starts", &options);
    take_packet(subscriber, 91);
    cuframes_packet_subscriber_close(subscriber);

    options.start = CUFRAMES_START_OLDEST_KEY;
    subscriber = open_reader("starts", &options);
    take_packet(subscriber, oldest_key);
    cuframes_packet_subscriber_close(subscriber);

    options.start = CUFRAMES_START_NEXT;
    subscriber = open_reader("starts", &options);
    publish_packet(publisher);
    take_packet(subscriber, 101);
    cuframes_packet_subscriber_close(subscriber);

    options.after_epoch = epoch;
    options.after_sequence = 97;
    subscriber = open_reader("starts", &options);
    CHECK(take_packet(subscriber, 98).missed == 0);
    cuframes_packet_subscriber_close(subscriber);

    /* Of another run the place means nothing. */
    options.after_epoch = epoch + 1;
    options.start = CUFRAMES_START_NEWEST_KEY;
    subscriber = open_reader("starts", &options);
    take_packet(subscriber, 91);
    cuframes_packet_subscriber_close(subscriber);

    options.start = 3;
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_subscriber_open("starts", &options, &subscriber));
    CHECK_SAYS("There is no start 3");
    cuframes_packet_publisher_close(publisher);
}

static void losses(void) {
    cuframes_packet_publisher *publisher = open_packets("losses");
    cuframes_packet_subscriber_options options = reader_options();
    cuframes_packet_subscriber *subscriber = open_reader("losses", &options);
    uint8_t copy[LARGEST];
    publish_packets(publisher, 7);
    cuframes_packet packet = CUFRAMES_PACKET_INIT;
    for (uint64_t sequence = 1; sequence <= 7; sequence++) {
        packet = take_packet(subscriber, sequence);
    }
    publish_packets(publisher, 1000);
    CHECK_CODE(CUFRAMES_PACKET_LOST, cuframes_packet_check(&packet));
    CHECK_SAYS("was overwritten");
    CHECK_CODE(CUFRAMES_PACKET_LOST, cuframes_packet_copy(&packet, copy, sizeof copy));
    CHECK_CODE(CUFRAMES_PACKET_LOST, cuframes_packet_subscriber_find(subscriber, 3, &packet));

    uint64_t oldest = info_of_packets(publisher).oldest;
    uint64_t key = oldest + (KEY_EVERY + 1 - oldest % KEY_EVERY) % KEY_EVERY;
    packet = take_packet(subscriber, key);
    CHECK(packet.missed == key - 8);
    cuframes_packet_subscriber_info info = info_of_reader(subscriber);
    uint64_t lost_sound = (key + 1) / 3 - (7 + 1) / 3;
    CHECK(info.missed == key - 8 && info.missed_on_track[1] == lost_sound && info.missed_on_track[0] == key - 8 - lost_sound);

    /* What is there is found wherever reading is. */
    packet = take_packet(subscriber, key + 1);
    CHECK(packet.missed == 0);
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_subscriber_find(subscriber, 1007, &packet));
    CHECK(packet.sequence == 1007 && packet.missed == 0);
    check_packet(&packet);
    CHECK_CODE(CUFRAMES_PACKET_LOST, cuframes_packet_subscriber_find(subscriber, 1008, &packet));
    CHECK_SAYS("Packet 1008 is not in the ring");
    take_packet(subscriber, key + 2);
    cuframes_packet_subscriber_close(subscriber);
    cuframes_packet_publisher_close(publisher);
}

static void retained_memory(void) {
    cuframes_packet_publisher *publisher = open_packets("retained");
    cuframes_packet_subscriber_options options = reader_options();
    cuframes_packet_subscriber *subscriber = open_reader("retained", &options);
    uint8_t bytes[LARGEST];
    publish_packets(publisher, 3);
    cuframes_packet first = take_packet(subscriber, 1);
    cuframes_packet second = take_packet(subscriber, 2);
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_packet_release(&first));
    CHECK_SAYS("No packet of this connection is retained");
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_retain(&first));
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_retain(&second));
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_check(&first));

    /* A publisher that ends, another one that comes: the reader connects again inside next. */
    cuframes_packet_publisher_close(publisher);
    publisher = open_packets("retained");
    take_packet(subscriber, 3);
    publish_packet(publisher);
    cuframes_packet third = take_packet(subscriber, 1);
    CHECK(third.epoch != first.epoch && info_of_reader(subscriber).reconnects == 1);
    CHECK_CODE(CUFRAMES_PACKET_LOST, cuframes_packet_check(&first));
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_check(&third));
    packet_of(1, bytes);
    CHECK(memcmp(first.data, bytes, first.data_size) == 0);
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_retain(&third));
    cuframes_packet_subscriber_close(subscriber);
    CHECK_CODE(CUFRAMES_PACKET_LOST, cuframes_packet_check(&third));
    CHECK(memcmp(third.data, bytes, third.data_size) == 0 && memcmp(first.data, bytes, first.data_size) == 0);
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_release(&first));
    CHECK(memcmp(first.data, bytes, first.data_size) == 0);
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_release(&second));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_packet_release(&first));
    CHECK_CODE(CUFRAMES_PACKET_LOST, cuframes_packet_retain(&first));
    CHECK_CODE(CUFRAMES_PACKET_LOST, cuframes_packet_check(&first));
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_release(&third));
    cuframes_packet_publisher_close(publisher);
}

static void *interrupt_soon(void *subscriber) {
    pause_ms(100);
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_subscriber_interrupt(subscriber));
    return NULL;
}

static void *publish_soon(void *publisher) {
    pause_ms(100);
    publish_packet(publisher);
    return NULL;
}

static void *close_when_it_waits(void *subscriber) {
    /* Before its wait, and not in it, the other thread would be told of a handle that is none. */
    cuframes_packet packet = CUFRAMES_PACKET_INIT;
    CHECK_SOON(cuframes_packet_subscriber_find(subscriber, 1, &packet) == CUFRAMES_BUSY);
    cuframes_packet_subscriber_close(subscriber);
    return NULL;
}

/* Waits for ever. BUSY while the other thread looks whether we are here. */
static int32_t wait_for_packet(cuframes_packet_subscriber *subscriber, cuframes_packet *packet) {
    int32_t code;
    do {
        code = cuframes_packet_subscriber_next(subscriber, CUFRAMES_FOREVER, packet);
    } while (code == CUFRAMES_BUSY);

    return code;
}

static void waiting(void) {
    cuframes_packet_subscriber_options options = reader_options();
    cuframes_packet_subscriber *subscriber;
    cuframes_packet packet = CUFRAMES_PACKET_INIT;
    cuframes_packet_publisher *publisher;
    pthread_t thread;
    int descriptor = -1;

    CHECK_CODE(CUFRAMES_STREAM_NOT_FOUND, cuframes_packet_subscriber_open("waiting", &options, &subscriber));
    options.wait_for_stream = 1;
    subscriber = open_reader("waiting", &options);
    CHECK_CODE(CUFRAMES_TIMED_OUT, cuframes_packet_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(30), &packet));
    CHECK(info_of_reader(subscriber).is_connected == 0);
    publisher = open_packets("waiting");
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_subscriber_descriptor(subscriber, &descriptor));
    struct pollfd entry = {descriptor, POLLIN, 0};
    CHECK(pthread_create(&thread, NULL, publish_soon, publisher) == 0);
    for (;;) {
        int32_t code = cuframes_packet_subscriber_next(subscriber, 0, &packet);
        if (code == CUFRAMES_OK) {
            break;
        }
        CHECK(code == CUFRAMES_TIMED_OUT);
        CHECK(poll(&entry, 1, 20000) == 1);
    }
    CHECK(packet.sequence == 1);
    check_packet(&packet);
    CHECK(pthread_join(thread, NULL) == 0);

    CHECK(pthread_create(&thread, NULL, interrupt_soon, subscriber) == 0);
    CHECK_CODE(CUFRAMES_INTERRUPTED, cuframes_packet_subscriber_next(subscriber, CUFRAMES_FOREVER, &packet));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(pthread_create(&thread, NULL, close_when_it_waits, subscriber) == 0);
    CHECK_CODE(CUFRAMES_INTERRUPTED, wait_for_packet(subscriber, &packet));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_packet_subscriber_next(subscriber, 0, &packet));
    cuframes_packet_subscriber_close(subscriber);

    /* Without reconnection the end is told, after what the ring still had. */
    options.no_reconnect = 1;
    subscriber = open_reader("waiting", &options);
    cuframes_packet_publisher_close(publisher);
    take_packet(subscriber, 1);
    CHECK_CODE(CUFRAMES_SHUTTING_DOWN, cuframes_packet_subscriber_next(subscriber, CUFRAMES_FOREVER, &packet));
    cuframes_packet_subscriber_close(subscriber);
}

static int joined, left, evicted, reader_evicted, source_lost;

static void on_publisher_event(void *user, const cuframes_event *event) {
    CHECK(user == &joined && event->size == sizeof *event && event->text != NULL);
    joined += event->kind == CUFRAMES_EVENT_SUBSCRIBER_JOINED;
    left += event->kind == CUFRAMES_EVENT_SUBSCRIBER_LEFT;
    evicted += event->kind == CUFRAMES_EVENT_SUBSCRIBER_EVICTED;
}

static void on_reader_event(void *user, const cuframes_event *event) {
    CHECK(user == &left);
    reader_evicted += event->kind == CUFRAMES_EVENT_EVICTED && event->code == CUFRAMES_EVICTED_BY_OPERATOR && strcmp(event->text, "for a test") == 0;
    source_lost += event->kind == CUFRAMES_EVENT_SOURCE_LOST && strcmp(event->text, "no signal") == 0;
}

static void figures(void) {
    cuframes_packet_publisher_options options = small_ring();
    cuframes_packet_subscriber_options reading = reader_options();
    cuframes_packet_publisher *publisher;
    cuframes_packet_subscriber *subscriber;
    cuframes_packet_track track = video(1);
    cuframes_packet packet = CUFRAMES_PACKET_INIT;
    cuframes_subscriber_statistics found[2];
    size_t count = 0;
    options.on_event = on_publisher_event;
    options.event_user = &joined;
    reading.on_event = on_reader_event;
    reading.event_user = &left;
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_publisher_open("figures", &options, &publisher));
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_publisher_add_track(publisher, &track, NULL));
    track = audio();
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_publisher_add_track(publisher, &track, NULL));
    cuframes_packet_publisher_info info = info_of_packets(publisher);
    CHECK(info.state == CUFRAMES_STATE_STARTING && info.head == 0 && info.oldest == 1 && info.tracks == 2 && info.byte_capacity == 65536);
    CHECK(strstr(info.socket_path, "figures+packets.sock") != NULL);
    publish_packets(publisher, 10);
    subscriber = open_reader("figures", &reading);
    /* The publisher's own thread tells it, some time after the reader is through. */
    for (int i = 0; i < 6000 && joined == 0; i++) {
        pause_ms(10);
    }
    CHECK(joined == 1);
    take_packet(subscriber, 1);
    take_packet(subscriber, 2);
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_publisher_get_subscribers(publisher, found, sizeof *found, 2, &count));
    CHECK(count == 1 && found[0].taken == 2 && found[0].lag == 8 && found[0].missed == 0 && strcmp(found[0].program, "test reader") == 0);
    info = info_of_packets(publisher);
    CHECK(info.state == CUFRAMES_STATE_LIVE && info.head == 10 && info.oldest == 1 && info.subscribers == 1 && info.buffered_time == 9000);

    CHECK_CODE(CUFRAMES_OK, cuframes_packet_publisher_set_state(publisher, CUFRAMES_STATE_SOURCE_LOST, "no signal"));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_publisher_set_state(publisher, CUFRAMES_STATE_ENDED, NULL));
    CHECK(info_of_reader(subscriber).state == CUFRAMES_STATE_SOURCE_LOST);
    for (uint64_t sequence = 3; sequence <= 10; sequence++) {
        take_packet(subscriber, sequence);
    }
    CHECK_CODE(CUFRAMES_TIMED_OUT, cuframes_packet_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(100), &packet));
    CHECK(source_lost == 1);
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_publisher_evict(publisher, found[0].subscriber_id, "for a test"));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_publisher_evict(publisher, found[0].subscriber_id + 100, NULL));
    publish_packet(publisher);
    /* In the same run reading goes on where it was. */
    CHECK(take_packet(subscriber, 11).missed == 0);
    CHECK(reader_evicted == 1 && evicted == 1 && info_of_reader(subscriber).evictions == 1);

    uint8_t *large = calloc(1, 40000);
    packet.track = 0;
    packet.data = large;
    packet.data_size = 40000;
    packet.owner = 0;
    uint64_t sequence = 1;
    CHECK_CODE(CUFRAMES_PACKET_TOO_LARGE, cuframes_packet_publisher_publish(publisher, &packet, &sequence));
    CHECK_SAYS("40000 bytes cannot be published");
    CHECK(info_of_packets(publisher).too_large == 1 && info_of_packets(publisher).head == 11);
    free(large);
    cuframes_packet_subscriber_close(subscriber);
    CHECK_SOON(info_of_packets(publisher).subscribers == 0);
    CHECK(left >= 1);
    cuframes_packet_publisher_close(publisher);
}

static void refusals(void) {
    cuframes_packet_publisher_options options = small_ring();
    cuframes_packet_subscriber_options reading = reader_options();
    cuframes_packet_publisher *publisher = (cuframes_packet_publisher *)1;
    cuframes_packet_publisher *second;
    cuframes_packet_subscriber *subscriber = (cuframes_packet_subscriber *)1;
    cuframes_packet packet = CUFRAMES_PACKET_INIT;
    cuframes_packet blank = CUFRAMES_PACKET_INIT;
    cuframes_packet_track track = video(1);
    cuframes_publisher *frames;
    cuframes_subscriber *frame_reader;
    size_t count;
    uint8_t byte = 0;

    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_publisher_open(NULL, &options, &publisher));
    CHECK(publisher == NULL);
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_publisher_open("k", &options, NULL));
    CHECK_CODE(CUFRAMES_INVALID_KEY, cuframes_packet_publisher_open("k+packets", &options, &publisher));
    options.byte_capacity = 65537;
    CHECK_CODE(CUFRAMES_CONFIGURATION_INVALID, cuframes_packet_publisher_open("k", &options, &publisher));
    CHECK_SAYS("65537");
    options = small_ring();
    options.max_packets = 1000;
    CHECK_CODE(CUFRAMES_CONFIGURATION_INVALID, cuframes_packet_publisher_open("k", &options, &publisher));
    options = small_ring();
    options.max_age = -1;
    CHECK_CODE(CUFRAMES_CONFIGURATION_INVALID, cuframes_packet_publisher_open("k", &options, &publisher));
    options = small_ring();
    options.readers = 2;
    CHECK_CODE(CUFRAMES_CONFIGURATION_INVALID, cuframes_packet_publisher_open("k", &options, &publisher));
    options = small_ring();
    options.size = 2;
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_publisher_open("k", &options, &publisher));

    publisher = open_packets("k");
    options = small_ring();
    CHECK_CODE(CUFRAMES_ALREADY_PUBLISHED, cuframes_packet_publisher_open("k", &options, &second));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_publisher_add_track(publisher, NULL, NULL));
    track.kind = 9;
    CHECK_CODE(CUFRAMES_CONFIGURATION_INVALID, cuframes_packet_publisher_add_track(publisher, &track, NULL));
    track = video(1);
    track.time_base_denominator = 0;
    CHECK_CODE(CUFRAMES_CONFIGURATION_INVALID, cuframes_packet_publisher_add_track(publisher, &track, NULL));
    CHECK_SAYS("time base");
    track = video(1);
    track.extradata_size = CUFRAMES_EXTRADATA_BYTES + 1;
    CHECK_CODE(CUFRAMES_CONFIGURATION_INVALID, cuframes_packet_publisher_set_parameters(publisher, 0, &track));
    track = video(1);
    memset(track.codec_name, 'x', sizeof track.codec_name);
    CHECK_CODE(CUFRAMES_CONFIGURATION_INVALID, cuframes_packet_publisher_set_parameters(publisher, 0, &track));
    track = video(1);
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_publisher_set_parameters(publisher, 2, &track));
    memset(track.language, 'x', sizeof track.language);
    CHECK_CODE(CUFRAMES_CONFIGURATION_INVALID, cuframes_packet_publisher_add_track(publisher, &track, NULL));
    track = audio();
    for (uint32_t i = 2; i < CUFRAMES_MAX_TRACKS; i++) {
        CHECK_CODE(CUFRAMES_OK, cuframes_packet_publisher_add_track(publisher, &track, NULL));
    }
    CHECK_CODE(CUFRAMES_CONFIGURATION_INVALID, cuframes_packet_publisher_add_track(publisher, &track, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_publisher_publish(publisher, NULL, NULL));
    packet.track = 8;
    packet.data = &byte;
    packet.data_size = 1;
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_publisher_publish(publisher, &packet, NULL));
    CHECK_SAYS("There is no track 8");
    packet.track = 0;
    packet.data = NULL;
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_publisher_publish(publisher, &packet, NULL));
    packet.data_size = 0;
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_publisher_publish(publisher, &packet, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_publisher_get_info(publisher, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_publisher_get_subscribers(publisher, NULL, 8, 1, &count));

    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_subscriber_open(NULL, &reading, &subscriber));
    CHECK(subscriber == NULL);
    CHECK_CODE(CUFRAMES_INVALID_KEY, cuframes_packet_subscriber_open("+", &reading, &subscriber));
    subscriber = open_reader("k", &reading);
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_subscriber_next(subscriber, 0, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_subscriber_next(subscriber, -2, &packet));
    packet.size = 40;
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_subscriber_next(subscriber, 0, &packet));
    CHECK_SAYS("CUFRAMES_PACKET_INIT");
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_subscriber_descriptor(subscriber, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_subscriber_get_info(subscriber, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_subscriber_get_track(subscriber, 0, NULL));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_packet_check(&blank));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_packet_copy(&blank, &byte, 1));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_packet_retain(&blank));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_packet_release(&blank));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_packet_get_track(&blank, &track));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_packet_check(NULL));

    /* A handle of one kind is none of another. */
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_packet_subscriber_next((cuframes_packet_subscriber *)publisher, 0, &blank));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_packet_publisher_set_state((cuframes_packet_publisher *)subscriber, 1, NULL));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_set_state((cuframes_publisher *)publisher, 1, NULL));

    /* Packets and frames of a key are two things. */
    CHECK_CODE(CUFRAMES_STREAM_NOT_FOUND, cuframes_subscriber_open("k", &(cuframes_subscriber_options){.size = sizeof(cuframes_subscriber_options), .directory = directory}, &frame_reader));
    cuframes_publisher_options frame_options = publisher_options();
    frames = open_publisher("k", &frame_options);
    publish(frames);
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_subscriber_find(subscriber, 1, &blank));
    CHECK(blank.data_size == 0);
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_copy(&blank, NULL, 0));
    cuframes_publisher_close(frames);

    /* Older programs have smaller structures: nothing is written behind them. */
    memset(&packet, 0x5A, sizeof packet);
    packet.size = 64;
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_subscriber_find(subscriber, 1, &packet));
    CHECK(packet.sequence == 1 && packet.missed == 0 && packet.track_sequence == 0x5A5A5A5A5A5A5A5A && packet.publish_time == 0x5A5A5A5A5A5A5A5A);
    cuframes_packet_subscriber_close(subscriber);
    cuframes_packet_subscriber_close(NULL);
    cuframes_packet_publisher_close(publisher);
    cuframes_packet_publisher_close(publisher);
    cuframes_packet_publisher_close(NULL);
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_packet_publisher_publish(publisher, &packet, NULL));
}

static atomic_int stop_publishing;

/* The packet that was taken last, for the thread that checks. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static cuframes_packet latest;

static void *publish_fast(void *publisher) {
    uint8_t bytes[LARGEST];
    for (uint64_t sequence = info_of_packets(publisher).head + 1; !stop_publishing; sequence++) {
        cuframes_packet packet = packet_of(sequence, bytes);
        CHECK_CODE(CUFRAMES_OK, cuframes_packet_publisher_publish(publisher, &packet, NULL));
    }
    return NULL;
}

static cuframes_packet read_latest(void) {
    pthread_mutex_lock(&gate);
    cuframes_packet packet = latest;
    pthread_mutex_unlock(&gate);
    return packet;
}

static void *check_in_another_thread(void *unused) {
    /* Checks and copies packets while the taking thread takes others, closes its subscriber and opens another one. */
    uint8_t copy[LARGEST];
    uint8_t bytes[LARGEST];
    uint64_t whole = 0;
    (void)unused;
    while (!stop_publishing) {
        cuframes_packet packet = read_latest();
        if (packet.owner == 0) {
            continue;
        }
        int32_t code = cuframes_packet_copy(&packet, copy, sizeof copy);
        if (code == CUFRAMES_OK) {
            packet_of(packet.sequence, bytes);
            CHECK(memcmp(copy, bytes, packet.data_size) == 0);
            whole++;
        } else {
            CHECK_CODE(CUFRAMES_PACKET_LOST, code);
        }
        code = cuframes_packet_check(&packet);
        CHECK(code == CUFRAMES_OK || code == CUFRAMES_PACKET_LOST);
    }
    CHECK(whole > 100);
    return NULL;
}

static void threads(void) {
    cuframes_packet_subscriber_options options = reader_options();
    cuframes_packet_publisher *publisher = open_packets("threads");
    cuframes_packet_subscriber *subscriber = open_reader("threads", &options);
    pthread_t publishing;
    pthread_t checking;
    uint64_t whole = 0;
    uint64_t lost = 0;
    CHECK(pthread_create(&publishing, NULL, publish_fast, publisher) == 0);
    CHECK(pthread_create(&checking, NULL, check_in_another_thread, NULL) == 0);
    for (int i = 0; i < 30000; i++) {
        cuframes_packet packet = CUFRAMES_PACKET_INIT;
        uint8_t copy[LARGEST];
        uint8_t bytes[LARGEST];
        CHECK_CODE(CUFRAMES_OK, cuframes_packet_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(20000), &packet));
        if (i % 100 == 0) {
            /* The ring holds some sixty packets: they are gone by now. */
            pause_ms(1);
        }
        memcpy(copy, packet.data, packet.data_size);
        if (cuframes_packet_check(&packet) == CUFRAMES_OK) {
            packet_of(packet.sequence, bytes);
            CHECK(packet.data_size == size_of(packet.sequence) && memcmp(copy, bytes, packet.data_size) == 0);
            whole++;
        } else {
            lost++;
        }
        pthread_mutex_lock(&gate);
        latest = packet;
        pthread_mutex_unlock(&gate);
        if (i % 3000 == 2999) {
            cuframes_packet_subscriber_close(subscriber);
            subscriber = open_reader("threads", &options);
        }
    }
    stop_publishing = 1;
    CHECK(pthread_join(publishing, NULL) == 0 && pthread_join(checking, NULL) == 0);
    CHECK(whole > 10000 && lost > 10);
    cuframes_packet_subscriber_close(subscriber);
    cuframes_packet_publisher_close(publisher);
}

static void *next_forever(void *subscriber) {
    cuframes_packet packet = CUFRAMES_PACKET_INIT;
    CHECK_CODE(CUFRAMES_INTERRUPTED, wait_for_packet(subscriber, &packet));
    return NULL;
}

static void one_at_a_time(void) {
    cuframes_packet_subscriber_options options = reader_options();
    cuframes_packet_publisher *publisher = open_packets("busy");
    cuframes_packet_subscriber *subscriber = open_reader("busy", &options);
    cuframes_packet packet = CUFRAMES_PACKET_INIT;
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, next_forever, subscriber) == 0);
    CHECK_SOON(cuframes_packet_subscriber_find(subscriber, 1, &packet) == CUFRAMES_BUSY);
    CHECK_CODE(CUFRAMES_BUSY, cuframes_packet_subscriber_next(subscriber, 0, &packet));
    CHECK_CODE(CUFRAMES_OK, cuframes_packet_subscriber_interrupt(subscriber));
    CHECK(pthread_join(thread, NULL) == 0);
    cuframes_packet_subscriber_close(subscriber);
    cuframes_packet_publisher_close(publisher);
}

int main(int argc, char **argv) {
    static const test_case cases[] = {
        {"everything-arrives", everything_arrives}, {"relay", relay}, {"starts", starts}, {"losses", losses}, {"retained-memory", retained_memory},
        {"waiting", waiting}, {"figures", figures}, {"refusals", refusals}, {"threads", threads}, {"one-at-a-time", one_at_a_time}};
    return run_case(cases, sizeof cases / sizeof *cases, argc, argv);
}

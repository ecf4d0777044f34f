/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Too little address space for the runtime is an error, not the end of the process, and it can be tried again. */
#include "stream.h"

#include <sys/resource.h>

int main(int count, char **arguments) {
    (void)count;
    struct rlimit limit = {(rlim_t)600 << 20, RLIM_INFINITY};
    cuframes_publisher *publisher = NULL;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    CHECK_CODE(CUFRAMES_OUT_OF_RESOURCES, cuframes_publisher_open(STREAM_KEY, NULL, NULL, &publisher));
    CHECK(strstr(cuframes_last_error(), "address space") != NULL);
    CHECK(cuframes_picture_bytes(CUFRAMES_NV12, 64, 48) == 0);
    limit.rlim_cur = RLIM_INFINITY;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    publisher = open_publisher(arguments[1], CUFRAMES_NV12, 64, 48);
    publish_frame(publisher);
    cuframes_publisher_close(publisher);
    return 0;
}

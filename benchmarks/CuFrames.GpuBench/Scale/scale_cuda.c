/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times FFmpeg's filter scale_cuda on one picture that lies in device memory, as the part `scale` of the bench times CuFrames' kernel:
 * frames are queued behind a kernel that spins, with an event before and after each, so that the device alone is timed.
 *
 *   scale-cuda PTX PICTURE.nv12 WIDTH HEIGHT TO_WIDTH TO_HEIGHT BATCHES RESULT.nv12 [FILTER]
 *
 * Standard output: for each frame a line "frame NANOSECONDS", for each batch of frames without events in between a line
 * "batch NANOSECONDS" (of one frame, on average), and "submit NANOSECONDS": what one frame costs the processor. FILTER, in place of
 * scale_cuda=…, tries the program on a machine without a GPU. Built by gpu/build-scale-cuda.sh. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* hwcontext_cuda.h wants these from NVIDIA's cuda.h, or whoever says that it has been read. */
#define CUDA_VERSION 11000
typedef struct CUctx_st *CUcontext;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/frame.h>
#include <libavutil/hwcontext.h>
#include <libavutil/hwcontext_cuda.h>
#include <libavutil/mem.h>
#include <libavutil/pixdesc.h>

enum { BATCH = 50, WARM_UP = 20, NOT_READY = 600 };

static int (*push)(CUcontext);
static int (*pop)(CUcontext *);
static int (*event_create)(CUevent *, unsigned);
static int (*event_record)(CUevent, CUstream);
static int (*event_query)(CUevent);
static int (*event_elapsed)(float *, CUevent, CUevent);
static int (*stream_synchronize)(CUstream);
static int (*module_load)(CUmodule *, const void *);
static int (*module_function)(CUfunction *, CUmodule, const char *);
static int (*launch)(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void **, void **);

static AVFilterContext *source, *sink;
static AVFrame *picture;
static CUstream stream;
static CUfunction spin;
static CUevent events[BATCH + 1];

static _Noreturn __attribute__((format(printf, 1, 2))) void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("scale-cuda: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  exit(1);
}

static void check(int result, const char *what) {
  if (result < 0)
    fail("%s: %s", what, av_err2str(result));
}

static void cuda(int result, const char *what) {
  if (result != 0)
    fail("%s answered %d", what, result);
}

static void load_driver(void) {
  void *library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == NULL)
    fail("%s", dlerror());
  const struct {
    const char *name;
    void **function;
  } functions[] = {
    {"cuCtxPushCurrent_v2", (void **)&push}, {"cuCtxPopCurrent_v2", (void **)&pop}, {"cuEventCreate", (void **)&event_create},
    {"cuEventRecord", (void **)&event_record}, {"cuEventQuery", (void **)&event_query}, {"cuEventElapsedTime", (void **)&event_elapsed},
    {"cuStreamSynchronize", (void **)&stream_synchronize}, {"cuModuleLoadData", (void **)&module_load},
    {"cuModuleGetFunction", (void **)&module_function}, {"cuLaunchKernel", (void **)&launch},
  };
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    *functions[i].function = dlsym(library, functions[i].name);
    if (*functions[i].function == NULL)
      fail("%s", dlerror());
  }
}

/* The file's bytes and a 0. */
static char *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0)
    fail("%s cannot be read", path);
  *size = (size_t)ftell(file);
  rewind(file);
  char *content = calloc(1, *size + 1);
  if (content == NULL || fread(content, 1, *size, file) != *size)
    fail("%s cannot be read", path);
  fclose(file);
  return content;
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static AVBufferRef *open_frames(AVBufferRef *device, int width, int height) {
  AVBufferRef *frames = av_hwframe_ctx_alloc(device);
  AVHWFramesContext *context = (AVHWFramesContext *)frames->data;
  context->format = AV_PIX_FMT_CUDA;
  context->sw_format = AV_PIX_FMT_NV12;
  context->width = width;
  context->height = height;
  check(av_hwframe_ctx_init(frames), "cannot make frames on the device");
  return frames;
}

static void upload(AVBufferRef *frames, const char *path, int width, int height) {
  size_t size;
  char *content = read_file(path, &size);
  if (size != (size_t)width * height + (size_t)((width + 1) / 2) * 2 * ((height + 1) / 2))
    fail("%s has %zu bytes: it is no nv12 picture of %dx%d", path, size, width, height);
  AVFrame *host = av_frame_alloc();
  host->format = AV_PIX_FMT_NV12;
  host->width = width;
  host->height = height;
  check(av_frame_get_buffer(host, 0), "no memory");
  for (int plane = 0; plane < 2; plane++) {
    int bytes = plane == 0 ? width : (width + 1) / 2 * 2, rows = plane == 0 ? height : (height + 1) / 2;
    const char *from = content + (plane == 0 ? 0 : (size_t)width * height);
    for (int row = 0; row < rows; row++)
      memcpy(host->data[plane] + (ptrdiff_t)row * host->linesize[plane], from + (size_t)row * bytes, (size_t)bytes);
  }
  picture = av_frame_alloc();
  check(av_hwframe_get_buffer(frames, picture, 0), "cannot make a picture on the device");
  check(av_hwframe_transfer_data(picture, host, 0), "cannot bring the picture to the device");
  av_frame_free(&host);
  free(content);
}

static void open_graph(AVBufferRef *frames, int width, int height, const char *filter) {
  AVFilterGraph *graph = avfilter_graph_alloc();
  source = avfilter_graph_alloc_filter(graph, avfilter_get_by_name("buffer"), "in");
  AVBufferSrcParameters *parameters = av_buffersrc_parameters_alloc();
  parameters->format = AV_PIX_FMT_CUDA;
  parameters->width = width;
  parameters->height = height;
  parameters->time_base = (AVRational){1, 25};
  parameters->hw_frames_ctx = frames;
  check(av_buffersrc_parameters_set(source, parameters), "the graph's source");
  av_free(parameters);
  check(avfilter_init_str(source, NULL), "the graph's source");
  check(avfilter_graph_create_filter(&sink, avfilter_get_by_name("buffersink"), "out", NULL, NULL, graph), "the graph's sink");
  AVFilterInOut *in = avfilter_inout_alloc(), *out = avfilter_inout_alloc();
  out->name = av_strdup("in");
  out->filter_ctx = source;
  in->name = av_strdup("out");
  in->filter_ctx = sink;
  check(avfilter_graph_parse_ptr(graph, filter, &in, &out, NULL), filter);
  check(avfilter_graph_config(graph, NULL), filter);
}

static AVFrame *scale_one(void) {
  AVFrame *result = av_frame_alloc();
  picture->pts++;
  check(av_buffersrc_add_frame_flags(source, picture, AV_BUFFERSRC_FLAG_KEEP_REF), "cannot put a frame in");
  check(av_buffersink_get_frame(sink, result), "cannot take a frame out");
  return result;
}

/* Queues a batch behind a kernel that spins for this long. false: the device was not kept busy until all was queued. */
static int run_batch(uint64_t nanoseconds, int with_events, int64_t *submitted) {
  void *arguments[] = {&nanoseconds};
  cuda(launch(spin, 1, 1, 1, 1, 1, 1, 0, stream, arguments, NULL), "cuLaunchKernel");
  cuda(event_record(events[0], stream), "cuEventRecord");
  int64_t start = now();
  for (int i = 0; i < BATCH; i++) {
    AVFrame *result = scale_one();
    av_frame_free(&result);
    if (with_events || i == BATCH - 1)
      cuda(event_record(events[i + 1], stream), "cuEventRecord");
  }
  *submitted = (now() - start) / BATCH;
  int was_busy = event_query(events[0]) == NOT_READY;
  cuda(stream_synchronize(stream), "cuStreamSynchronize");
  return was_busy;
}

static double nanoseconds_between(int first, int last) {
  float milliseconds;
  cuda(event_elapsed(&milliseconds, events[first], events[last]), "cuEventElapsedTime");
  return milliseconds * 1e6;
}

static void save(const char *path) {
  AVFrame *result = scale_one(), *host = av_frame_alloc();
  check(av_hwframe_transfer_data(host, result, 0), "cannot bring the result to the host");
  FILE *file = fopen(path, "wb");
  if (file == NULL || host->format != AV_PIX_FMT_NV12)
    fail("%s cannot be written, or the result is %s and not nv12", path, av_get_pix_fmt_name(host->format));
  for (int plane = 0; plane < 2; plane++) {
    size_t bytes = (size_t)(plane == 0 ? result->width : (result->width + 1) / 2 * 2);
    for (int row = 0; row < (plane == 0 ? result->height : (result->height + 1) / 2); row++) {
      if (fwrite(host->data[plane] + (ptrdiff_t)row * host->linesize[plane], 1, bytes, file) != bytes)
        fail("%s cannot be written", path);
    }
  }
  if (fclose(file) != 0)
    fail("%s cannot be written", path);
  av_frame_free(&host);
  av_frame_free(&result);
}

int main(int count, char **words) {
  if (count != 9 && count != 10) {
    fputs("usage: scale-cuda PTX PICTURE.nv12 WIDTH HEIGHT TO_WIDTH TO_HEIGHT BATCHES RESULT.nv12 [FILTER]\n", stderr);
    return 64;
  }
  int width = atoi(words[3]), height = atoi(words[4]), batches = atoi(words[7]);
  char filter[200];
  snprintf(filter, sizeof filter, "scale_cuda=%d:%d:interp_algo=bicubic", atoi(words[5]), atoi(words[6]));
  load_driver();
  AVBufferRef *device = NULL;
  check(av_hwdevice_ctx_create(&device, AV_HWDEVICE_TYPE_CUDA, NULL, NULL, 0), "cannot open the device");
  AVCUDADeviceContext *own = ((AVHWDeviceContext *)device->data)->hwctx;
  stream = own->stream;
  AVBufferRef *frames = open_frames(device, width, height);
  upload(frames, words[2], width, height);
  open_graph(frames, width, height, count == 10 ? words[9] : filter);

  size_t size;
  char *ptx = read_file(words[1], &size);
  CUcontext before;
  CUmodule module;
  cuda(push(own->cuda_ctx), "cuCtxPushCurrent");
  cuda(module_load(&module, ptx), "cuModuleLoadData");
  cuda(module_function(&spin, module, "spin"), "cuModuleGetFunction");
  for (int i = 0; i <= BATCH; i++)
    cuda(event_create(&events[i], 0), "cuEventCreate");
  for (int i = 0; i < WARM_UP; i++) {
    AVFrame *result = scale_one();
    av_frame_free(&result);
  }
  cuda(stream_synchronize(stream), "cuStreamSynchronize");

  uint64_t spinning = 4000000;
  for (int batch = 0; batch < 2 * batches; batch++) {
    int with_events = batch < batches;
    int64_t submitted;
    while (!run_batch(spinning, with_events, &submitted)) {
      spinning *= 2;
      if (spinning > 1000000000)
        fail("%s waits for the device: its frames cannot be queued", filter);
    }
    for (int i = 0; i < BATCH && with_events; i++)
      printf("frame %.0f\n", nanoseconds_between(i, i + 1));
    if (!with_events)
      printf("batch %.0f\nsubmit %lld\n", nanoseconds_between(0, BATCH) / BATCH, (long long)submitted);
  }
  cuda(pop(&before), "cuCtxPopCurrent");
  save(words[8]);
  return 0;
}

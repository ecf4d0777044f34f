/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scales and converts a picture in one launch: all planes of all formats. rendition.ptx is compiled from this file (check.sh
 * says how) and is what CuFrames.Media embeds. Written in what C11 and CUDA C++ have in common: the double of the driver
 * (tests/fakecuda) compiles the same file for the processor.
 *
 * A result is one job (all channels of a pixel together: RGB, grey) or two (luma; chroma, at half the size). A block of 256
 * threads makes a tile of 64x8 samples of a job:
 *   1. Down: each warp takes one row of the tile and adds up the rows of the picture that it is made of, by their weights.
 *      A thread does four neighbouring elements (bytes or 16-bit words, whatever channel they are of) with one load per row.
 *      The sums, in float, go to shared memory.
 *   2. Across: each thread adds up, for two samples above each other, the sums of the columns by their weights.
 *   3. Out: matrix, limits, rounding, store. Samples outside of the shown part are black.
 * Where a tile stands for more columns than shared memory has room for, 1 and 2 take turns over pieces of it.
 *
 * Edges need no care: the tables name only samples of the shown part, the weights of those beyond it are on the outermost. */

#ifdef __CUDA__
#define DEVICE static inline __attribute__((device, always_inline))
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;
#endif

enum { THREADS = 256, TILE_COLUMNS = 64, TILE_ROWS = 8, PIECE = 512, MOST_INPUTS = 3, MOST_OUTPUTS = 4, MOST_JOBS = 2 };
enum { KIND_BYTE, KIND_TEN, KIND_HALF, KIND_SINGLE };

/* The weights of one direction: for each of `count` samples of the result the number of its first sample in the plane, and
 * `taps` weights, which add up to 1. The weights of rows lie together; those of columns lie tap by tap, so that neighbouring
 * threads read neighbouring words. Numbers are those of the plane's own samples. */
struct axis {
  u64 starts;  /* const int [count] */
  u64 weights; /* const float: across [taps][count], down [count][taps] */
  int taps;
  int count;
};

/* A plane of the picture. Element e of a row belongs to sample e / step. */
struct input {
  u64 address;
  i64 pitch;
  struct axis across, down;
  int elements;   /* of a row, also outside of the shown part */
  int step;       /* elements of a sample */
  int channels;   /* 1 to 3 that are used of a sample */
  int first;      /* number of the first of them among the job's three */
  int offset[3];  /* element of the sample that a channel is */
  int is_wide;    /* elements are 16-bit words, not bytes */
  int is_aligned; /* pitch is a multiple of four elements */
  int unused;
};

/* A channel of the result: value = matrix . channels + bias, limited to 0..top and, when it is a float, times gain plus offset. */
struct output {
  u64 address;
  i64 pitch;
  int step;       /* bytes from one sample to the next */
  float matrix[3];
  float bias;
  float black;    /* what stands outside of the shown part, in place of the sum */
  float gain;
  float offset;
};

struct job {
  int tiles_across;
  int width, height;                         /* samples of the result */
  int left, top, shown_width, shown_height;  /* the part that is not border */
  int inputs, outputs;
  int kind;
  float limit;
  int unused;
  struct input input[MOST_INPUTS];
  struct output output[MOST_OUTPUTS];
};

struct rendition {
  int second; /* the first block of the second job */
  int unused;
  struct job job[MOST_JOBS];
};

/* Stored at once. */
typedef float four_floats __attribute__((vector_size(16)));

/* What a thread adds up: three channels of two samples. */
struct sums {
  float value[3][2];
};

#ifdef __CUDA__

#define THREAD_STATE(name) struct sums name
#define OF_THREAD(name) name
#define EACH_THREAD
#define THREAD_NUMBER (u32)__nvvm_read_ptx_sreg_tid_x()
#define UNROLL_ALL _Pragma("unroll")
#define UNROLL_4 _Pragma("unroll 4")
#define NO_UNROLL _Pragma("nounroll")
#define BARRIER() __syncthreads()
#define GLOBAL __attribute__((address_space(1)))

DEVICE u32 load_8(u64 address) { return __nvvm_ldg_uc((const u8 *)address); }
DEVICE u32 load_16(u64 address) { return __nvvm_ldg_us((const u16 *)address); }
DEVICE u32 load_32(u64 address) { return __nvvm_ldg_ui((const u32 *)address); }
DEVICE u64 load_64(u64 address) { return __nvvm_ldg_ull((const u64 *)address); }
DEVICE int load_int(u64 address, int index) { return __nvvm_ldg_i((const int *)address + index); }
DEVICE float load_float(u64 address, int index) { return __nvvm_ldg_f((const float *)address + index); }
DEVICE void store_8(u64 address, u32 value) { *(GLOBAL u8 *)address = (u8)value; }
DEVICE void store_16(u64 address, u32 value) { *(GLOBAL u16 *)address = (u16)value; }
DEVICE void store_float(u64 address, float value) { *(GLOBAL float *)address = value; }
DEVICE u32 round_to_int(float value) { return (u32)__nvvm_f2i_rn(value); }
DEVICE float smaller(float a, float b) { return __nvvm_fmin_f(a, b); }
DEVICE float larger(float a, float b) { return __nvvm_fmax_f(a, b); }
DEVICE u32 to_half(float value) {
  u16 half;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
  return half;
}

#endif

DEVICE int least(int a, int b) { return a < b ? a : b; }
DEVICE int most(int a, int b) { return a > b ? a : b; }

/* Step 1: the sums of one row of the tile, for `quads` times four elements from element `first` on. */
DEVICE void down(const struct input *in, int y, int first, int quads, int lane, float *tile) {
  u64 rows = in->address + (u64)(load_int(in->down.starts, y) * in->pitch);
  u64 weights = in->down.weights + (u64)((i64)y * in->down.taps * 4);
  i64 pitch = in->pitch;
  int taps = in->down.taps;
  for (int quad = lane; quad < quads; quad += 32) {
    int element = first + 4 * quad;
    float a = 0, b = 0, c = 0, d = 0;
    if (in->is_aligned && element >= 0 && element + 4 <= in->elements) {
      if (in->is_wide) {
        u64 at = rows + (u64)((i64)element * 2);
        UNROLL_4
        for (int k = 0; k < taps; k++, at += (u64)pitch) {
          float weight = load_float(weights, k);
          u64 four = load_64(at);
          a += weight * (float)(u32)(four & 0xffff);
          b += weight * (float)(u32)(four >> 16 & 0xffff);
          c += weight * (float)(u32)(four >> 32 & 0xffff);
          d += weight * (float)(u32)(four >> 48);
        }
      } else {
        u64 at = rows + (u64)(i64)element;
        UNROLL_4
        for (int k = 0; k < taps; k++, at += (u64)pitch) {
          float weight = load_float(weights, k);
          u32 four = load_32(at);
          a += weight * (float)(four & 0xff);
          b += weight * (float)(four >> 8 & 0xff);
          c += weight * (float)(four >> 16 & 0xff);
          d += weight * (float)(four >> 24);
        }
      }
    } else {
      /* A row's end in the middle of four elements, or rows that do not lie alike. */
      NO_UNROLL
      for (int i = 0; i < 4; i++) {
        float sum = 0;
        if (element + i >= 0 && element + i < in->elements) {
          u64 at = rows + (u64)((i64)(element + i) << in->is_wide);
          NO_UNROLL
          for (int k = 0; k < taps; k++, at += (u64)pitch)
            sum += load_float(weights, k) * (float)(in->is_wide ? load_16(at) : load_8(at));
        }
        a = i == 0 ? sum : a;
        b = i == 1 ? sum : b;
        c = i == 2 ? sum : c;
        d = i == 3 ? sum : d;
      }
    }
    *(four_floats *)(tile + 4 * quad) = (four_floats){a, b, c, d};
  }
}

/* Step 2 for a number of channels that the compiler knows: samples begin..end-1 lie in the tile, whose first element is `first`. */
DEVICE void add_channels(const struct input *in, int x, int begin, int end, int first, const float *tile, int channels,
                         struct sums *sums) {
  int start = load_int(in->across.starts, x);
  int from = most(0, begin - start), to = least(in->across.taps, end - start);
  u64 weights = in->across.weights + (u64)((i64)(from * in->across.count + x) * 4);
  u64 next = (u64)((i64)in->across.count * 4);
  const float *sample = tile + (start + from) * in->step - first;
  UNROLL_4
  for (int k = from; k < to; k++, weights += next, sample += in->step) {
    float weight = load_float(weights, 0);
    UNROLL_ALL
    for (int channel = 0; channel < channels; channel++) {
      const float *at = sample + in->offset[channel];
      sums->value[channel][0] += weight * at[0];
      sums->value[channel][1] += weight * at[PIECE];
    }
  }
}

DEVICE void across(const struct input *in, int x, int begin, int end, int first, const float *tile, struct sums *sums) {
  struct sums part = {{{0, 0}, {0, 0}, {0, 0}}};
  if (in->channels == 1)
    add_channels(in, x, begin, end, first, tile, 1, &part);
  else if (in->channels == 2)
    add_channels(in, x, begin, end, first, tile, 2, &part);
  else
    add_channels(in, x, begin, end, first, tile, 3, &part);
  UNROLL_ALL
  for (int row = 0; row < 2; row++) {
    sums->value[0][row] += in->first == 0 ? part.value[0][row] : 0;
    sums->value[1][row] += in->first == 0 ? part.value[1][row] : in->first == 1 ? part.value[0][row] : 0;
    sums->value[2][row] += in->first == 0 ? part.value[2][row] : in->first == 1 ? part.value[1][row] : part.value[0][row];
  }
}

/* Step 3: one sample of the result. */
DEVICE void out(const struct job *job, int x, int y, int is_shown, float first, float second, float third) {
  for (int i = 0; i < job->outputs; i++) {
    const struct output *to = &job->output[i];
    float value = to->matrix[0] * first + to->matrix[1] * second + to->matrix[2] * third + to->bias;
    value = larger(0, smaller(is_shown ? value : to->black, job->limit));
    u64 address = to->address + (u64)(y * to->pitch + (i64)x * to->step);
    if (job->kind == KIND_BYTE)
      store_8(address, round_to_int(value));
    else if (job->kind == KIND_TEN)
      store_16(address, round_to_int(value) << 6);
    else if (job->kind == KIND_HALF)
      store_16(address, to_half(value * to->gain + to->offset));
    else
      store_float(address, value * to->gain + to->offset);
  }
}

/* One block. `tile` has TILE_ROWS times PIECE floats. */
DEVICE void make_tile(const struct rendition *rendition, int block, float *tile) {
  int is_second = block >= rendition->second;
  const struct job *job = &rendition->job[is_second];
  int number = is_second ? block - rendition->second : block;
  int tile_y = number / job->tiles_across;
  int tile_x = (number - tile_y * job->tiles_across) * TILE_COLUMNS;
  tile_y *= TILE_ROWS;
  /* The columns and rows of the tile that are not border, in the shown part's own numbers. */
  int left = most(0, tile_x - job->left), right = least(job->shown_width, tile_x + TILE_COLUMNS - job->left);
  int is_empty = left >= right || tile_y + TILE_ROWS <= job->top || tile_y >= job->top + job->shown_height;
  THREAD_STATE(sums);
  EACH_THREAD {
    UNROLL_ALL
    for (int channel = 0; channel < 3; channel++)
      OF_THREAD(sums).value[channel][0] = OF_THREAD(sums).value[channel][1] = 0;
  }
  for (int i = 0; i < job->inputs && !is_empty; i++) {
    const struct input *in = &job->input[i];
    int end = load_int(in->across.starts, right - 1) + in->across.taps;
    /* So many samples fit, wherever the first one lies among four elements. */
    int most_samples = (PIECE - 8) / in->step;
    for (int begin = load_int(in->across.starts, left); begin < end; begin += most_samples) {
      int piece_end = least(end, begin + most_samples);
      int first = begin * in->step;
      first -= (int)((in->address >> in->is_wide) + (u64)(i64)first) & 3;
      int quads = (piece_end * in->step - first + 3) / 4;
      EACH_THREAD {
        int row = (int)(THREAD_NUMBER / 32u);
        int y = tile_y + row - job->top;
        if (y >= 0 && y < job->shown_height)
          down(in, y, first, quads, (int)(THREAD_NUMBER % 32u), tile + row * PIECE);
      }
      BARRIER();
      EACH_THREAD {
        int x = tile_x + (int)(THREAD_NUMBER % (u32)TILE_COLUMNS) - job->left;
        if (x >= left && x < right)
          across(in, x, begin, piece_end, first, tile + (int)(THREAD_NUMBER / (u32)TILE_COLUMNS * 2) * PIECE, &OF_THREAD(sums));
      }
      BARRIER();
    }
  }
  EACH_THREAD {
    int x = tile_x + (int)(THREAD_NUMBER % (u32)TILE_COLUMNS);
    UNROLL_ALL
    for (int row = 0; row < 2; row++) {
      int y = tile_y + (int)(THREAD_NUMBER / (u32)TILE_COLUMNS * 2) + row;
      int is_shown = x >= job->left && x < job->left + job->shown_width && y >= job->top && y < job->top + job->shown_height;
      if (x < job->width && y < job->height)
        out(job, x, y, is_shown, OF_THREAD(sums).value[0][row], OF_THREAD(sums).value[1][row], OF_THREAD(sums).value[2][row]);
    }
  }
}

#ifdef __CUDA__
/* Five blocks to a multiprocessor: a picture of 640x360 has 565, and an H100 132 multiprocessors. */
extern "C" __attribute__((global, launch_bounds(THREADS, 5))) void rendition(const struct rendition rendition) {
  static __attribute__((shared, aligned(16))) float tile[TILE_ROWS * PIECE];
  make_tile(&rendition, __nvvm_read_ptx_sreg_ctaid_x(), tile);
}
#endif

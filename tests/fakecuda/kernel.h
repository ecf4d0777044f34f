/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What module.c and the kernels share. */
#ifndef FAKECUDA_KERNEL_H
#define FAKECUDA_KERNEL_H

#include "internal.h"

struct launch {
  unsigned blocks, threads;  /* of a block */
  const uint64_t *arguments; /* each begins with a word of its own */
};

/* Of media/kernels/rendition.cu. false: it touched what it may not. */
bool run_rendition(const struct launch *launch, CUstream stream);
enum { RENDITION_ARGUMENT_SIZE = 1112 };

#endif

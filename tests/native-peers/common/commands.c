/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

struct commands {
  pthread_t thread;
  pthread_mutex_t gate;
  pthread_cond_t changed; /* one of the flags below */
  bool has_gone;          /* under the gate */
  atomic_bool is_finishing;
  atomic_bool is_exiting;
  command_handler handler;
  void *user;
};

bool command_read(char line[COMMAND_BYTES]) {
  if (fgets(line, COMMAND_BYTES, stdin) == NULL) {
    return false;
  }
  line[strcspn(line, "\n")] = '\0';
  return strcmp(line, "exit") != 0;
}

void command_split(char *line, char *words[COMMAND_WORDS]) {
  for (int i = 0; i < COMMAND_WORDS; i++) {
    words[i] = line;
    line += i + 1 < COMMAND_WORDS ? strcspn(line, " ") : strlen(line);
    if (*line == ' ') {
      *line++ = '\0';
    }
  }
}

static void release_go(commands *commands) {
  pthread_mutex_lock(&commands->gate);
  commands->has_gone = true;
  pthread_cond_signal(&commands->changed);
  pthread_mutex_unlock(&commands->gate);
}

static void *read_commands(void *argument) {
  commands *commands = argument;
  char line[COMMAND_BYTES];
  while (command_read(line)) {
    if (strcmp(line, "go") == 0) {
      release_go(commands);
    } else if (strcmp(line, "finish") == 0) {
      atomic_store(&commands->is_finishing, true);
    } else if (commands->handler != NULL) {
      commands->handler(commands->user, line);
    }
  }
  atomic_store(&commands->is_exiting, true);
  release_go(commands);
  return NULL;
}

commands *commands_start(command_handler handler, void *user) {
  commands *made = calloc(1, sizeof *made);
  if (made == NULL) {
    die("no memory for the commands");
  }
  made->handler = handler;
  made->user = user;
  pthread_mutex_init(&made->gate, NULL);
  pthread_cond_init(&made->changed, NULL);
  if (pthread_create(&made->thread, NULL, read_commands, made) != 0) {
    die("no thread for the commands");
  }
  return made;
}

void commands_wait_for_go(commands *commands) {
  pthread_mutex_lock(&commands->gate);
  while (!commands->has_gone) {
    pthread_cond_wait(&commands->changed, &commands->gate);
  }
  pthread_mutex_unlock(&commands->gate);
}

bool commands_is_finishing(commands *commands) { return atomic_load(&commands->is_finishing); }

bool commands_is_exiting(commands *commands) { return atomic_load(&commands->is_exiting); }

void commands_join(commands *commands) {
  pthread_join(commands->thread, NULL);
  pthread_cond_destroy(&commands->changed);
  pthread_mutex_destroy(&commands->gate);
  free(commands);
}

static atomic_bool has_ended;

static void *drain(void *argument) {
  char bytes[256];
  while (read(STDIN_FILENO, bytes, sizeof bytes) > 0) {
  }
  atomic_store(&has_ended, true);
  return argument;
}

void input_watch(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, drain, NULL) != 0) {
    die("no thread for the standard input");
  }
  pthread_detach(thread);
}

bool input_has_ended(void) { return atomic_load(&has_ended); }

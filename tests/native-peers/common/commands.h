/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands: lines on standard input. Either the program reads them one by one, or a thread does while the program works. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COMMAND_BYTES 1024
#define COMMAND_WORDS 3

/* The next line, without its line feed. False: the end of the input, or "exit". */
bool command_read(char line[COMMAND_BYTES]);

/* Splits a line at its first two spaces: the last word has the rest. Words that are not there are "". */
void command_split(char *line, char *words[COMMAND_WORDS]);

/* A thread that reads commands. */
typedef struct commands commands;

/* Called by that thread for each line that is none of the three below. */
typedef void (*command_handler)(void *user, const char *line);

/* Starts the thread. */
commands *commands_start(command_handler handler, void *user);

/* Waits for "go" or the end. */
void commands_wait_for_go(commands *commands);

/* Whether "finish" has come. Any thread. */
bool commands_is_finishing(commands *commands);

/* Whether "exit" or the end of the input has come. Any thread. */
bool commands_is_exiting(commands *commands);

/* Waits for "exit", ends the thread and frees it. */
void commands_join(commands *commands);

/* A thread that throws standard input away; the flag it sets when it has ended, which is when whoever started this program is gone. */
bool input_has_ended(void);
void input_watch(void);

#ifdef __cplusplus
}
#endif

#endif

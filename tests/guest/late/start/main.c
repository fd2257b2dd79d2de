/*
 * late/start/main.c - a program that starts: buffers of a page, small blocks, some text
 *
 * Its exit status is what the start took: messages / 4 of its own, or KiB / 4 (frames with their
 * index, and kernel memory).
 */
#include <abi/stats.h>
#include <l4/re/c/stats.h>
#include <l4/re/env.h>
#include <l4/sys/debugger.h>
#include <l4/util/ram.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFERS = 12, BLOCKS = 100, UNIT_BYTES = 4096, UNIT_MESSAGES = 4, WRONG = 255 };

static char *volatile blocks[BLOCKS];

static void work(void)
{
    char line[80];

    for (int i = 0; i < BUFFERS; i++)
        strcpy(l4_ram_alloc(100 + 300 * (size_t)i, 0), "a buffer");
    for (int i = 1; i <= BLOCKS; i++)
        *(blocks[i - 1] = malloc((size_t)i * 7 % 300 + 1)) = 1;
    snprintf(line, sizeof(line), "%d blocks, %g", BLOCKS, 0.5);
    free(strdup(line));
}

int main(int argc, char **argv)
{
    l4_umword_t counters[L4_DBG_CNT_NUM] = {0}, words[L4RE_DS_STATS_NUM] = {0};
    int early = getenv("L4_RAM") != NULL;
    l4_ram_stats_t s;

    work();
    l4_ram_stats(&s);
    l4_dbg_counters(l4re_env_get_cap("debugger"), L4_BASE_TASK_CAP, counters);
    l4re_stats_get(l4re_env()->mem_alloc, L4RE_STATS_GET_OP, 0, words, L4RE_DS_STATS_NUM);
    if (argc != 2 || early != (s.pool_requests == 0) || early != (s.service_requests > BUFFERS) ||
        s.messages != 4 * s.service_requests || s.messages_saved != 4 * s.pool_requests)
        return WRONG;
    if (strcmp(argv[1], "messages") == 0)
        return (int)(counters[L4_DBG_CNT_IPC_SEND] / UNIT_MESSAGES);
    return (int)((counters[L4_DBG_CNT_KMEM_USED] + words[L4RE_DS_STATS_USED]) / UNIT_BYTES);
}

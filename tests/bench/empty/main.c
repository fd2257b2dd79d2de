/*
 * empty/main.c - a program that only tells when it was somewhere
 *
 *     empty ROW main|exit     in main(), or as late in exit() as a program can be asked
 *
 * tests/bench/layers starts it.
 */
#include <l4/util/rdtsc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *row;

static void tell(void)
{
    l4_cpu_time_t now = l4_rdtsc();

    printf("until %s %lu\n", row, now);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 1;
    row = argv[1];
    if (strcmp(argv[2], "main") == 0) {
        tell();
        return 0;
    }
    printf("# one line\n");
    return atexit(tell);
}

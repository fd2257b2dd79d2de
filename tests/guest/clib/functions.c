/*
 * functions.c - a function of each part of the C library that programs lean on
 */
#include "sets.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SORTED = 5000 };

static _Thread_local int own = 42;
static int built;

static __attribute__((constructor)) void construct(void)
{
    built = own;
}

static int by_value(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static void sorting(void)
{
    int *numbers = malloc(SORTED * sizeof(*numbers)), wrong = 0;

    for (int i = 0; i < SORTED; i++)
        numbers[i] = rand() % SORTED;
    qsort(numbers, SORTED, sizeof(*numbers), by_value);
    for (int i = 1; i < SORTED; i++)
        wrong += numbers[i - 1] > numbers[i];
    check_eq(wrong, 0, "qsort sorts");
    check(bsearch(&numbers[7], numbers, SORTED, sizeof(*numbers), by_value) != NULL,
           "bsearch finds");
    free(numbers);
}

static void text(void)
{
    char line[100];

    snprintf(line, sizeof(line), "%5d|%-5s|%+.3e|%#x|%g|%5.2f|%lc", -42, "ab", 12345.678, 255,
             0.1, 3.14159, L'x');
    check(strcmp(line, "  -42|ab   |+1.235e+04|0xff|0.1| 3.14|x") == 0, "printf formats");
    check(strtod("0x1.8p3", NULL) == 12.0 && strtol("-0377", NULL, 0) == -255,
           "numbers are read");
    errno = 0;
    check(strtoul("99999999999999999999", NULL, 10) == ~0UL && errno == ERANGE,
           "errno tells what was out of range");
    check(strcmp(strerror(ENOENT), "No such file or directory") == 0, "strerror has a text");
    check(strstr("haystack with needle", "needle") && isalpha('q') && toupper('q') == 'Q',
           "strings and characters");
}

static void real_numbers(void)
{
    volatile double two = 2;

    check(fabs(sqrt(two) * sqrt(two) - 2) < 1e-15 && fabs(sin(two) * sin(two) +
           cos(two) * cos(two) - 1) < 1e-15 && pow(two, 10) == 1024 && isnan(log(-two)),
           "the mathematics is right");
}

static void jumps(void)
{
    static jmp_buf place;
    volatile int times = 0;

    if (setjmp(place) < 3) {
        times++;
        longjmp(place, times);
    }
    check_eq(times, 3, "longjmp goes back to setjmp");
}

static void time_passes(void)
{
    struct timespec before, after;
    long ns;

    clock_gettime(CLOCK_MONOTONIC, &before);
    usleep(3000);
    clock_gettime(CLOCK_MONOTONIC, &after);
    ns = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
    check(ns >= 3000000 && ns < 1000000000, "a sleep takes its time");
}

/* The boot script has this file among the modules of the rom. */
static void files(void)
{
    char word[5] = {0};
    FILE *f = fopen("clib.elf", "rb");

    check(f != NULL, "a file of the rom opens by its name");
    if (!f)
        return;
    check(fread(word, 1, 4, f) == 4 && memcmp(word, "\177ELF", 4) == 0, "and is read");
    check(fseek(f, 0, SEEK_END) == 0 && ftell(f) > 4096, "its length is known");
    check_eq(fgetc(f), EOF, "at the end there is no more");
    rewind(f);
    check(fseek(f, 1, SEEK_SET) == 0 && fgetc(f) == 'E', "and it has a beginning");
    check_eq(fclose(f), 0, "it closes");
    check(!fopen("no such file", "r") && errno == ENOENT, "an unknown name");
    check(!fopen("clib.elf", "w") && errno == EROFS, "files are read-only");
    check_eq(getchar(), EOF, "nobody types");
}

void test_functions(int argc, char **argv)
{
    check(argc == 3 && strcmp(argv[1], "two words") == 0 && strcmp(argv[2], "3") == 0 &&
           !argv[3], "main() gets its arguments");
    check_eq(built, 42, "constructors run before main(), with thread-local variables");
    sorting();
    text();
    real_numbers();
    jumps();
    time_passes();
    files();
}

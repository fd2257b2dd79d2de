/*
 * starter/life/main.c - what a program that starts later may do: sleep, end, fault
 */
#include <l4/util/util.h>

#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "fault") == 0)
        *(volatile int *)8 = 1;
    if (argc > 1 && strcmp(argv[1], "sleep") == 0)
        l4_sleep(50);
    return argc > 1 ? atoi(argv[1]) : 0;
}
